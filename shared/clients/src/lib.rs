//! What the services ask of one another, in values: a client for each service that is asked. Beside a
//! service's own door this is the one place that names contract messages. A peer's message that is
//! repeated to it or shown on is an opaque value here, with accessors for what decides something.

pub mod authorization_reversal;
pub mod billing;
mod opaque;
pub mod purchase;
pub mod san_licensing;

use std::fmt::Display;

use licet_runtime::peer::PeerFault;

/// A peer's answer does not keep to the contract; whether it did anything is unknown.
fn absent(peer: &str, what: &str) -> PeerFault {
    PeerFault::Unknown(format!("{peer} answered without its {what}"))
}

/// A peer's answer does not keep to the contract.
fn broken(peer: &str, what: &str, error: impl Display) -> String {
    format!("{peer} answered a broken {what}: {error}")
}
