//! The steps of an operation: each has a name, one request to its peer, and decides what follows from
//! the answer. A service registers the steps of each kind of operation; the driver knows only this trait.

use futures::future::BoxFuture;
use licet_domain::{clock::Instant, refusal::Refusal};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::{database::Tx, fault::Fault, peer::PeerFault};

/// A kind of operation: a request that changes several services.
pub trait Operation: Sized + Send + Sync + 'static {
    /// The kind as clients see it: `PLACE_ORDER`.
    const KIND: &'static str;
    /// The peers that its steps may call.
    type Peers: Send + Sync + 'static;
    /// What the operation's request returns once the operation is done.
    type Output: Send;
}

/// The peers that a step may call.
pub(super) type PeersOf<S> = <<S as Step>::Operation as Operation>::Peers;

/// A step of an operation. Its fields are stored and hold everything that it needs.
pub trait Step: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The step's name as clients see it. The request id at the peer is derived from it, so an operation
    /// must not reach the same step twice.
    const NAME: &'static str;
    /// The operation that it belongs to.
    type Operation: Operation;
    /// The peer's answer.
    type Answer: Send + Sync;

    /// Sends the request to the peer, outside any transaction. May be repeated with the same `request_id`.
    fn ask(
        &self,
        peers: &PeersOf<Self>,
        request_id: Uuid,
    ) -> impl Future<Output = Result<Self::Answer, PeerFault>> + Send;

    /// The next step, if it follows from `answer` alone, without reading or writing the service's store.
    /// `None`: [`Step::apply`] decides.
    fn next(&self, _answer: &Self::Answer) -> Option<NextStep<Self::Operation>> {
        None
    }

    /// Applies the peer's answer or refusal to the service's own store.
    fn apply(
        &self,
        tx: &Tx,
        now: Instant,
        answer: &Result<Self::Answer, Refusal>,
    ) -> impl Future<Output = Result<Next<Self::Operation>, Fault>> + Send;

    /// How to undo what this step may have done at its peer under `request_id`.
    fn undo(&self, _request_id: Uuid) -> Undo<PeersOf<Self>> {
        Undo::Never
    }
}

/// How to undo a step when its operation is cancelled.
pub enum Undo<P> {
    /// The step only asks: there is nothing to undo.
    Nothing,
    /// A request to a peer undoes it.
    By(Box<dyn Reversal<P>>),
    /// The step may have done something irreversible: the operation can only go forward.
    Never,
}

/// A request that undoes a step at a peer, and makes late attempts at the step do nothing.
pub trait Reversal<P>: Send + Sync {
    /// Sends the request. Returns whether the step is undone; false if it had already taken effect and
    /// stays.
    fn ask<'a>(&'a self, peers: &'a P, request_id: Uuid) -> BoxFuture<'a, Result<bool, PeerFault>>;
}

/// What follows a step.
pub enum Next<O: Operation> {
    /// Another step is due.
    Step(NextStep<O>),
    /// The operation is done. Its request and every repeat of it return this.
    Done(O::Output),
    /// The operation is refused, and its changes are undone. Its request and every repeat of it return this.
    Refused(Refusal),
}

impl<O: Operation> Next<O> {
    /// [`Next::Step`] with `step`.
    pub fn step<S: Step<Operation = O>>(step: &S) -> Self {
        Self::Step(NextStep::of(step))
    }
}

/// The stored form of the step that is due next.
pub struct NextStep<O> {
    pub(super) stored: StoredStep,
    of: std::marker::PhantomData<fn() -> O>,
}

impl<O: Operation> NextStep<O> {
    /// The stored form of `step`.
    pub fn of<S: Step<Operation = O>>(step: &S) -> Self {
        Self {
            stored: StoredStep {
                name: S::NAME,
                state: serde_json::to_string(step).map_err(|error| error.to_string()),
            },
            of: std::marker::PhantomData,
        }
    }
}

/// The stored form of a step of any operation.
pub struct StoredStep {
    /// Its name as clients see it.
    pub name: &'static str,
    /// Its fields as JSON, or why they cannot be serialised.
    pub state: Result<String, String>,
}

impl<O> From<NextStep<O>> for StoredStep {
    fn from(next: NextStep<O>) -> Self {
        next.stored
    }
}

/// The answer to a request that a peer has no reason to refuse.
///
/// # Errors
/// When the peer refused it.
pub fn never_refused<'a, A>(step: &str, answer: &'a Result<A, Refusal>) -> Result<&'a A, Fault> {
    let fault = |refusal| {
        Fault::internal(format!(
            "the peer refused step {step}, which it never should: {refusal:?}"
        ))
    };
    answer.as_ref().map_err(fault)
}
