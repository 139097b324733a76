//! Implements the generated service traits: accept, decode, call a use case or query, encode. Decides nothing.

pub(crate) mod ingest_service;
pub(crate) mod issuance_service;
pub(crate) mod license_service;
pub(crate) mod usage_service;
