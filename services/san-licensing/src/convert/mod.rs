//! Converts between the contract's messages and SanLicensing's values: a file per noun. Requests are parsed
//! here; the rules judge them elsewhere.

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
