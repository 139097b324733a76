//! Commands on their way through the committer: changes in one line and looks in another, each with a
//! place for its reply, of the type that the command names. Only the engine sees this form.

use std::sync::{Mutex, PoisonError};

use licet_domain::{ids::LicenseId, refusal::Refusal};
use licet_runtime::{
    caller::AccountScope,
    fault::{Fault, TransientReason},
};
use tokio::sync::oneshot;

use super::command::{
    Allocate, Authorize, Command, Once, PreviewRevocation, ReadUsage, Record, Release, Requester,
    Revoke,
};
use crate::rules::{
    not_found,
    quota::holdings::{Holdings, Licenses},
};

/// A command about one licence.
pub(crate) struct Submission<C> {
    pub(super) license_id: LicenseId,
    pub(super) requester: Requester,
    pub(super) command: C,
}

/// Any command that changes something.
pub(crate) enum Change {
    Authorize(Pending<Authorize>),
    Release(Pending<Once<Release>>),
    Record(Pending<Once<Record>>),
    Revoke(Pending<Once<Revoke>>),
    Allocate(Pending<Once<Allocate>>),
}

/// Any command that changes nothing.
pub(crate) enum Read {
    PreviewRevocation(Pending<PreviewRevocation>),
    ReadUsage(Pending<ReadUsage>),
}

/// Any command.
#[expect(
    clippy::large_enum_variant,
    reason = "it is taken apart as soon as it is made, and a box would be an allocation a command"
)]
pub(crate) enum AnyCommand {
    Change(Change),
    Read(Read),
}

/// A command that can be submitted.
pub(crate) trait Submit: Command + Sized {
    /// The command among all others.
    fn command(pending: Pending<Self>) -> AnyCommand;
}

/// A command whose round is over.
pub(super) trait Finish {
    /// The round is committed: sends the reply.
    fn send(self);
    /// The round failed.
    fn fail(self, fault: Fault);
}

macro_rules! commands {
    ($kind:ident: $($command:ident),*) => {
        impl Finish for $kind {
            fn send(self) {
                match self {
                    $(Self::$command(pending) => pending.send(),)*
                }
            }

            fn fail(self, fault: Fault) {
                match self {
                    $(Self::$command(pending) => pending.fail(fault),)*
                }
            }
        }
    };
}

commands! { Change: Authorize, Release, Record, Revoke, Allocate }
commands! { Read: PreviewRevocation, ReadUsage }

macro_rules! submit {
    ($ask:ty => $kind:ident::$command:ident) => {
        impl Submit for $ask {
            fn command(pending: Pending<Self>) -> AnyCommand {
                AnyCommand::$kind($kind::$command(pending))
            }
        }
    };
}

submit! { Authorize => Change::Authorize }
submit! { Once<Release> => Change::Release }
submit! { Once<Revoke> => Change::Revoke }
submit! { Once<Allocate> => Change::Allocate }
submit! { PreviewRevocation => Read::PreviewRevocation }
submit! { ReadUsage => Read::ReadUsage }

/// A command that waits for its reply, which is sent once the round is committed. A round may run
/// again: the last reply is the one that is sent.
pub(crate) struct Pending<A: Command> {
    pub(super) command: A,
    reply: Mutex<Option<Result<A::Reply, Fault>>>,
    sender: oneshot::Sender<Result<A::Reply, Fault>>,
}

impl<A: Command> Pending<A> {
    pub(super) fn new(command: A, sender: oneshot::Sender<Result<A::Reply, Fault>>) -> Self {
        Self {
            command,
            reply: Mutex::new(None),
            sender,
        }
    }

    /// Sets the reply that is sent if the round is committed.
    pub(super) fn set(&self, reply: Result<A::Reply, Fault>) {
        let mut place = self.reply.lock().unwrap_or_else(PoisonError::into_inner);
        *place = Some(reply);
    }

    fn send(self) {
        let reply = self.reply.into_inner();
        let reply = reply.unwrap_or_else(PoisonError::into_inner);
        // A caller that left needs no reply; what was decided for it stands.
        let _ = self.sender.send(reply.unwrap_or_else(|| Err(undecided())));
    }

    fn fail(self, fault: Fault) {
        let _ = self.sender.send(Err(fault));
    }
}

impl<C> Submission<C> {
    /// The holdings of the command's licence; NOT_FOUND for a caller who may not see it, too.
    pub(super) fn visible<'a>(
        &self,
        licenses: &'a mut Licenses,
    ) -> Result<&'a mut Holdings, Refusal> {
        let id = self.license_id;
        let holdings = licenses.get_mut(&id);
        let seen = holdings.filter(|holdings| match &self.requester.scope {
            AccountScope::All => true,
            AccountScope::Only(accounts) => accounts.contains(&holdings.limits().account_id),
        });
        seen.ok_or_else(|| not_found("license", id))
    }
}

/// The round of these commands is committed.
pub(super) fn send_all<C: Finish>(submissions: Vec<Submission<C>>) {
    for submission in submissions {
        submission.command.send();
    }
}

/// The round of these commands failed.
pub(super) fn fail_all<C: Finish>(submissions: Vec<Submission<C>>, fault: &Fault) {
    tracing::error!(?fault, commands = submissions.len(), "a round failed");
    for submission in submissions {
        let fault = fault.clone_transient().unwrap_or_else(undecided);
        submission.command.fail(fault);
    }
}

/// Whether the command was done is unknown.
pub(super) fn undecided() -> Fault {
    Fault::transient(
        TransientReason::Overloaded,
        "the decision could not be committed; ask again with the same request_id",
    )
}
