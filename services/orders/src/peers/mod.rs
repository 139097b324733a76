//! The services that Orders calls; they never call Orders. Each request has its own id, so
//! that it can be repeated until it is answered. Here an order becomes a request, and an
//! answer the values that the rules need.

pub(crate) mod billing;
pub(crate) mod free;
pub(crate) mod san_licensing;

pub(crate) use licet_clients::{billing::Billing, san_licensing::SanLicensing};

/// All peers of Orders.
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
