//! The generated traits over the use-cases and queries: accept, convert, call, encode. Decides
//! nothing; a method that is not here answers METHOD_NOT_SERVED.

pub(crate) mod account_service;
pub(crate) mod catalog_service;
pub(crate) mod invoice_service;
pub(crate) mod quote_service;
pub(crate) mod refund_service;
