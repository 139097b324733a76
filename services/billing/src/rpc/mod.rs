//! The generated service traits: accept, decode, call a use case or query, encode. Decides nothing;
//! a method that is missing here returns METHOD_NOT_SERVED.

pub(crate) mod account_service;
pub(crate) mod catalog_service;
pub(crate) mod invoice_service;
mod numbers;
pub(crate) mod quote_service;
pub(crate) mod refund_service;
