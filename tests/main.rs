//! Every test that speaks gRPC to real services, in one binary: `contracts` tests each service, `journeys`
//! cross services, `clients` are third-party.

#[cfg(test)]
mod clients;
#[cfg(test)]
mod contracts;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod journeys;
