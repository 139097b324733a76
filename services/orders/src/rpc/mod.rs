//! The generated traits over the use-cases and queries: accept, convert, call, encode. Decides
//! nothing; a method that is not here answers METHOD_NOT_SERVED.

pub(crate) mod certificate_service;
pub(crate) mod order_service;
pub(crate) mod server_service;
