//! Every test that speaks gRPC to real services, in one binary: `contracts` holds each service to
//! its contract, `journeys` crosses services, `clients` are not ours.

#[cfg(test)]
mod clients;
#[cfg(test)]
mod contracts;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod journeys;
