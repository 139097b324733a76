//! Commands whose responses are kept for repeats (BL-2): each has its response, and no other.

use licet_contracts::Mutation;
use licet_domain::clock::Instant;
use licet_runtime::{caller::Call, fault::Fault, replay, stored};
use prost::Message;

use crate::quota::command::{Command, Once};

/// A command with the response that says what the engine replied.
pub(crate) trait Respond: Command {
    /// The response.
    type Response: Message + Default;

    /// The response to a reply as of the time of the decision.
    fn respond(reply: &Self::Reply, now: Instant) -> Self::Response;
}

/// The command of a request, to be done once for all its repeats.
pub(crate) fn once<A: Respond>(
    call: &Call,
    message: &impl Mutation,
    command: A,
) -> Result<Once<A>, Fault> {
    Ok(Once {
        command,
        claim: replay::Claim::of(call, message)?,
        encode: |reply, now| A::respond(reply, now).encode_to_vec(),
    })
}

/// The response that was kept of a command.
pub(crate) fn response<A: Respond>(encoded: &[u8]) -> Result<A::Response, Fault> {
    stored::message(encoded)
}
