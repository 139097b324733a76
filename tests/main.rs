//! Every test that speaks gRPC to real services, in one binary: `contracts` holds each service to
//! its contract, `journeys` crosses services, `clients` are not ours, `book`, `tidy`, `circles` and
//! `rules` read the sources.

#[cfg(test)]
mod book;
#[cfg(test)]
mod circles;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod contracts;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod journeys;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod tidy;
