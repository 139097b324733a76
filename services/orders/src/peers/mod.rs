//! The services that Orders asks: never the other way round. Every question carries its own
//! request id, so that it can be asked again until there is an answer. What is asked about an
//! order, and what of the answers decides about it, in the values of this service.

pub(crate) mod billing;
pub(crate) mod free;
pub(crate) mod san_licensing;

pub(crate) use licet_clients::{billing::Billing, san_licensing::SanLicensing};

/// All of them.
#[derive(Clone)]
pub(crate) struct Peers {
    pub(crate) billing: Billing,
    pub(crate) san_licensing: SanLicensing,
}

impl AsRef<Billing> for Peers {
    fn as_ref(&self) -> &Billing {
        &self.billing
    }
}

impl AsRef<SanLicensing> for Peers {
    fn as_ref(&self) -> &SanLicensing {
        &self.san_licensing
    }
}
