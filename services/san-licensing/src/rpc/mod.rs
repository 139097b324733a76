//! The generated traits over the use-cases and queries: accept, convert, call, encode. Decides
//! nothing; a method that is not here answers METHOD_NOT_SERVED.

pub(crate) mod ingest_service;
pub(crate) mod issuance_service;
pub(crate) mod license_service;
pub(crate) mod usage_service;
