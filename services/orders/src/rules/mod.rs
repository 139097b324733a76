//! What Orders decides, and nothing else: plain values in, a plan or a refusal out, time as a
//! parameter. Nothing here uses the store, the contract or the network.

pub(crate) mod cancellation;
pub(crate) mod certificate;
pub(crate) mod common_name;
pub(crate) mod deletion;
pub(crate) mod domains;
#[cfg(test)]
mod histories;
pub(crate) mod issuance;
pub(crate) mod listing;
pub(crate) mod name_sets;
pub(crate) mod new_order;
pub(crate) mod objections;
pub(crate) mod options;
pub(crate) mod order;
pub(crate) mod pem;
pub(crate) mod permission;
pub(crate) mod product;
pub(crate) mod refund_count;
pub(crate) mod reissue;
pub(crate) mod renewal;
pub(crate) mod revocation;
#[cfg(test)]
pub(crate) mod samples;
pub(crate) mod san_license;
pub(crate) mod servers;
pub(crate) mod signing_request;
pub(crate) mod slots;
pub(crate) mod software;
pub(crate) mod terms;
pub(crate) mod transitions;

pub(crate) use licet_domain::refusal::not_found;
