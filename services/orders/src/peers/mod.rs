//! The services that Orders asks: never the other way round. Every question carries its own
//! request id, so that it can be asked again until there is an answer.

mod billing;
mod san_licensing;

use licet_runtime::peer::PeerFault;

pub(crate) use self::{billing::Billing, san_licensing::SanLicensing};

/// All of them.
#[derive(Clone)]
pub(crate) struct Peers {
    pub(crate) billing: Billing,
    pub(crate) san_licensing: SanLicensing,
}

/// A peer's answer does not keep to the contract; whether it did anything is unknown.
fn absent(peer: &str, what: &str) -> PeerFault {
    PeerFault::Unknown(format!("{peer} answered without its {what}"))
}
