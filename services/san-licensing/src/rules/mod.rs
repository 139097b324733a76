//! The rules of SAN licences, and the values that they work on: plain values in, a decision or a refusal
//! out, time as a parameter. Must not use the store, the contract or the network.

pub(crate) mod alert;
pub(crate) mod certificate;
pub(crate) mod counting;
pub(crate) mod decision;
pub(crate) mod explanation;
pub(crate) mod feed;
pub(crate) mod filters;
pub(crate) mod license;
pub(crate) mod packed_san;
pub(crate) mod pricing;
pub(crate) mod quota;
pub(crate) mod renewal;
pub(crate) mod reservation;
#[cfg(test)]
pub(crate) mod samples;
pub(crate) mod transitions;

pub(crate) use licet_domain::refusal::not_found;
