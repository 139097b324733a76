//! Commands on their way through the committer: changes and reads, each with a slot for the reply of its
//! type. Only the engine sees this form.

use std::sync::{Mutex, PoisonError};

use licet_domain::{
    ids::{AccountId, LicenseId},
    refusal::Refusal,
};
use licet_runtime::fault::{Fault, TransientReason};
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

/// Any command that changes data.
pub(crate) enum Change {
    Authorize(Pending<Authorize>),
    Release(Pending<Once<Release>>),
    Record(Pending<Once<Record>>),
    Revoke(Pending<Once<Revoke>>),
    Allocate(Pending<Once<Allocate>>),
}

/// Any command that only reads.
pub(crate) enum Read {
    PreviewRevocation(Pending<PreviewRevocation>),
    ReadUsage(Pending<ReadUsage>),
}

/// Any command.
#[expect(
    clippy::large_enum_variant,
    reason = "short-lived; boxing would cost an allocation per command"
)]
pub(crate) enum AnyCommand {
    Change(Change),
    Read(Read),
}

/// A command that can be submitted.
pub(crate) trait Submit: Command + Sized {
    /// Wraps the command.
    fn command(pending: Pending<Self>) -> AnyCommand;
}

/// A command whose round is over.
pub(super) trait Finish {
    /// Sends the reply: the round is committed.
    fn send(self);
    /// Sends a fault: the round failed.
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

/// A command whose caller waits for a reply. It is sent when the round is committed; if the round runs again,
/// the reply of its last run is sent.
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

    /// Sets the reply to be sent when the round is committed.
    pub(super) fn set(&self, reply: Result<A::Reply, Fault>) {
        let mut slot = self.reply.lock().unwrap_or_else(PoisonError::into_inner);
        *slot = Some(reply);
    }

    fn send(self) {
        let reply = self.reply.into_inner();
        let reply = reply.unwrap_or_else(PoisonError::into_inner);
        // The caller may be gone; the decision stands.
        let _ = self.sender.send(reply.unwrap_or_else(|| Err(undecided())));
    }

    fn fail(self, fault: Fault) {
        let _ = self.sender.send(Err(fault));
    }
}

impl<C> Submission<C> {
    /// The account of the command's licence, if that is in memory.
    pub(super) fn account_id(&self, licenses: &Licenses) -> Option<AccountId> {
        let holdings = licenses.get(&self.license_id)?;
        Some(holdings.limits().account_id)
    }

    /// The holdings of the command's licence; NOT_FOUND also if the caller may not see it.
    pub(super) fn visible<'a>(
        &self,
        licenses: &'a mut Licenses,
    ) -> Result<&'a mut Holdings, Refusal> {
        let id = self.license_id;
        let scope = &self.requester.scope;
        let holdings = licenses.get_mut(&id);
        let visible = holdings.filter(|holdings| scope.sees(holdings.limits().account_id));
        visible.ok_or_else(|| not_found("license", id))
    }
}

/// Sends the replies of a committed round.
pub(super) fn send_all<C: Finish>(submissions: Vec<Submission<C>>) {
    for submission in submissions {
        submission.command.send();
    }
}

/// Sends a fault to all commands of a failed round.
pub(super) fn fail_all<C: Finish>(submissions: Vec<Submission<C>>, fault: &Fault) {
    if submissions.is_empty() {
        return;
    }
    tracing::error!(
        ?fault,
        commands = submissions.len(),
        "a round of the quota engine failed"
    );
    for submission in submissions {
        let fault = fault.clone_transient().unwrap_or_else(undecided);
        submission.command.fail(fault);
    }
}

/// It is unknown whether the command is committed.
pub(super) fn undecided() -> Fault {
    Fault::transient(
        TransientReason::Overloaded,
        "the decision could not be committed; retry with the same request_id",
    )
}
