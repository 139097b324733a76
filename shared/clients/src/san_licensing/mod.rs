//! What is asked of SanLicensing, and what its events say. What is given back is given back in
//! any case: there a refusal says that nothing was held any more.

mod authorization;
mod client;
mod license;
mod reading;
mod usage;

pub use authorization::{
    Authorization, AuthorizeQuestion, RecordQuestion, RecordedCertificate, Signing,
};
pub use client::{SanLicensing, encode_reason};
pub use license::License;
pub use usage::{Revocation, USAGE_CHANGED, revocations};
