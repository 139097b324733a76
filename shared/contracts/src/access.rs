//! The roles that may call each method, from the contract's method option. Must not add any role by hand.

use crate::types::v1::Role;

/// A method of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    /// Its HTTP/2 path, such as `/licet.billing.v1.AccountService/Deposit`.
    pub path: &'static str,
    /// The roles of which a caller needs one; never empty, and without `Unspecified`.
    pub roles: &'static [Role],
    /// Whether requests or responses are a stream, which the client may keep open.
    pub streams: bool,
    /// Whether its requests are a stream.
    pub reads_stream: bool,
    /// Whether its request has a `request_id` (BL-2).
    pub mutates: bool,
    /// Whether its response is a page of a listing.
    pub lists: bool,
}

/// Every method of the contract, sorted by path.
pub const METHODS: &[Method] = include!(concat!(env!("OUT_DIR"), "/methods.rs"));

/// The roles that may call the method at `path`; `None` for a method outside the contract, such as health.
pub fn roles(path: &str) -> Option<&'static [Role]> {
    let found = METHODS.binary_search_by(|method| method.path.cmp(path));
    found
        .ok()
        .and_then(|at| METHODS.get(at))
        .map(|method| method.roles)
}
