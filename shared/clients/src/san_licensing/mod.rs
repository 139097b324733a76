//! Calls to SanLicensing, and the data of its events. A refusal to release or revoke means that nothing
//! was held any more.

mod authorization;
mod client;
mod license;
mod reading;
mod usage;

pub use authorization::{
    Authorization, AuthorizeQuestion, RecordQuestion, RecordedCertificate, Signing,
};
pub use client::{LICENSE_KEY, SanLicensing, encode_reason};
pub use license::License;
pub use usage::{Revocation, USAGE_CHANGED, revocations};
