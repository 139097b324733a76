//! Who may call what, as the contract's method option says it. Built from the descriptors; must hold no role of its own.

use crate::types::v1::Role;

/// A method of the contract, as its descriptor says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    /// Its HTTP/2 path, such as `/licet.billing.v1.AccountService/Deposit`.
    pub path: &'static str,
    /// The roles of which a caller needs one; never empty, never `Unspecified`.
    pub roles: &'static [Role],
    /// Whether requests or responses are a stream, which may stay open for as long as the client likes.
    pub streams: bool,
    /// Whether its requests are a stream.
    pub reads_stream: bool,
    /// Whether its request has a `request_id` (BL-2).
    pub mutates: bool,
}

/// Every method of the contract, ascending by path.
pub const METHODS: &[Method] = include!(concat!(env!("OUT_DIR"), "/methods.rs"));

/// The roles that may call the method at `path`. None: no method of this contract, such as health or reflection.
pub fn roles(path: &str) -> Option<&'static [Role]> {
    let found = METHODS.binary_search_by(|method| method.path.cmp(path));
    found
        .ok()
        .and_then(|at| METHODS.get(at))
        .map(|method| method.roles)
}
