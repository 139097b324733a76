//! What Orders decides, and nothing else: plain values in, a decision or a refusal out, time as a
//! parameter. Nothing here may reach for the store, the contract or the network.

pub(crate) mod certificate;
pub(crate) mod common_name;
pub(crate) mod deletion;
pub(crate) mod domains;
#[cfg(test)]
mod histories;
pub(crate) mod issuance;
pub(crate) mod listing;
pub(crate) mod options;
pub(crate) mod order;
pub(crate) mod permission;
pub(crate) mod placing;
pub(crate) mod refund_count;
pub(crate) mod refusing;
pub(crate) mod reissue;
pub(crate) mod renewal;
pub(crate) mod revocation;
#[cfg(test)]
pub(crate) mod samples;
pub(crate) mod san_license;
pub(crate) mod servers;
pub(crate) mod slots;
pub(crate) mod software;
pub(crate) mod taking_back;
pub(crate) mod terms;
pub(crate) mod transitions;

use licet_domain::refusal::{Reason, Refusal};

/// NOT_FOUND: there is no such thing, or none that the caller sees.
pub(crate) fn not_found(resource: &str, id: impl std::fmt::Display) -> Refusal {
    Refusal::new(Reason::NotFound, format!("there is no {resource} {id}"))
        .with("resource", resource)
        .with("id", id)
}
