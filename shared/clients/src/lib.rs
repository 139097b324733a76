//! Clients for calls between services, in values. Apart from a service's own door, only this crate uses
//! contract messages. A peer's message that is sent back to it or shown to clients is an opaque value, with
//! accessors for the fields that decisions need.

pub mod authorization_reversal;
pub mod billing;
mod opaque;
pub mod purchase;
pub mod san_licensing;

use std::fmt::Display;

use licet_runtime::peer::PeerFault;

/// The fault of a response without a required message; the result of the call is unknown.
fn absent(peer: &str, what: &str) -> PeerFault {
    PeerFault::Unknown(format!("{peer} sent a response without {what}"))
}

/// The error of a response that violates the contract.
fn broken(peer: &str, what: &str, error: impl Display) -> String {
    format!("{peer} sent an invalid {what}: {error}")
}
