//! Between the contract's messages and the values that SanLicensing works with: a file per noun.
//! What comes in is parsed, never judged by the rules.

pub(crate) mod certificate;
pub(crate) mod draft;
pub(crate) mod ingest;
pub(crate) mod issuance;
pub(crate) mod license;
pub(crate) mod once;
pub(crate) mod product;
pub(crate) mod renewal;
pub(crate) mod report;
pub(crate) mod revocation;
pub(crate) mod san;
pub(crate) mod usage;
mod weight;
