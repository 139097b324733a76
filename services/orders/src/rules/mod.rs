//! What Orders decides, and nothing else: plain values in, a decision or a refusal out, time as a
//! parameter. Nothing here may reach for the store, the contract or the network.

pub(crate) mod certificate;
pub(crate) mod deletion;
pub(crate) mod domains;
pub(crate) mod issuance;
pub(crate) mod listing;
pub(crate) mod order;
pub(crate) mod placing;
pub(crate) mod refusing;
#[cfg(test)]
pub(crate) mod samples;
pub(crate) mod servers;
pub(crate) mod slots;
pub(crate) mod state;
pub(crate) mod transitions;
