//! Commands whose responses are stored for repeats (BL-2), each with the type of its response.

use licet_contracts::Mutation;
use licet_domain::clock::Instant;
use licet_runtime::{caller::Call, fault::Fault, replay, stored};
use prost::Message;

use crate::quota::command::{Command, Once};

/// A command with a response in the contract.
pub(crate) trait Respond: Command {
    type Response: Message + Default;

    /// Encodes a reply of the engine as of the decision time.
    fn respond(reply: &Self::Reply, now: Instant) -> Self::Response;
}

/// The command of a request, to be executed once for all its repeats.
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

/// Decodes the stored response of a command.
pub(crate) fn response<A: Respond>(encoded: &[u8]) -> Result<A::Response, Fault> {
    stored::message(encoded)
}
