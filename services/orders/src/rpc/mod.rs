//! Implements the generated service traits: decode, call a use-case or query, encode. Decides
//! nothing; a method that is missing here is refused as METHOD_NOT_SERVED.

pub(crate) mod certificate_service;
pub(crate) mod order_service;
pub(crate) mod server_service;
