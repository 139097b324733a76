//! Operations as their steps: each names itself, asks its peer, and says what the answer leads to. A
//! service lists the steps of each kind of operation; the driver knows no more of them.

use futures::future::BoxFuture;
use licet_domain::{clock::Instant, refusal::Refusal};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::{database::Tx, fault::Fault, peer::PeerFault};

/// A kind of operation: a request whose change spans services.
pub trait Operation: Sized + Send + Sync + 'static {
    /// What is being done, as clients read it: `PLACE_ORDER`.
    const KIND: &'static str;
    /// The peers that its steps may ask.
    type Peers: Send + Sync + 'static;
    /// What its request is answered with once all is done.
    type Output: Send;
}

/// The peers that a step may ask.
pub(super) type PeersOf<S> = <<S as Step>::Operation as Operation>::Peers;

/// A step of an operation, with all that it needs to be done: its fields are what is stored.
pub trait Step: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The step as clients read it. Names its request id at the peer, so an operation passes each
    /// step once.
    const NAME: &'static str;
    /// What it is a step of.
    type Operation: Operation;
    /// What the peer answers.
    type Answer: Send + Sync;

    /// Asks the peer, outside any transaction. May be repeated with the same `request_id`.
    fn ask(
        &self,
        peers: &PeersOf<Self>,
        request_id: Uuid,
    ) -> impl Future<Output = Result<Self::Answer, PeerFault>> + Send;

    /// The step that `answer` leads to by itself: nothing of the service's own store is read or
    /// written for it. `None`: the answer is to be applied.
    fn next(&self, _answer: &Self::Answer) -> Option<NextStep<Self::Operation>> {
        None
    }

    /// Applies the peer's answer, or its definite refusal, to the service's own store.
    fn apply(
        &self,
        tx: &Tx,
        now: Instant,
        answer: &Result<Self::Answer, Refusal>,
    ) -> impl Future<Output = Result<Next<Self::Operation>, Fault>> + Send;

    /// How what this step may have begun at a peer, which knows it by `request_id`, comes to nothing.
    fn undo(&self, _request_id: Uuid) -> Undo<PeersOf<Self>> {
        Undo::Never
    }
}

/// How a step that is turned back is undone.
pub enum Undo<P> {
    /// It begins nothing that anybody would miss: it asks a question.
    Nothing,
    /// A peer is asked for it.
    By(Box<dyn Reversal<P>>),
    /// Something irreversible is done, or might be: the operation only goes forward.
    Never,
}

/// What is asked of a peer so that a step comes to nothing, however late an attempt at it arrives.
pub trait Reversal<P>: Send + Sync {
    /// Asks for it, by ids of its own where it needs any. Answers whether nothing of the step stands;
    /// false where it was through before.
    fn ask<'a>(&'a self, peers: &'a P, request_id: Uuid) -> BoxFuture<'a, Result<bool, PeerFault>>;
}

/// Where an operation stands after a step.
pub enum Next<O: Operation> {
    /// Another step is due.
    Step(NextStep<O>),
    /// All is done; what the request, and every repeat of it, is answered with.
    Done(O::Output),
    /// It was definitely refused and nothing of it stands.
    Refused(Refusal),
}

impl<O: Operation> Next<O> {
    /// Another step is due.
    pub fn step<S: Step<Operation = O>>(step: &S) -> Self {
        Self::Step(NextStep::of(step))
    }
}

/// A step that is due, as it is stored.
pub struct NextStep<O> {
    pub(super) stored: StoredStep,
    of: std::marker::PhantomData<fn() -> O>,
}

impl<O: Operation> NextStep<O> {
    /// The step as it is stored.
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

/// A step of any operation, as it is stored.
pub struct StoredStep {
    /// As clients read it.
    pub name: &'static str,
    /// Its fields as JSON, or why they cannot be written.
    pub state: Result<String, String>,
}

impl<O> From<NextStep<O>> for StoredStep {
    fn from(next: NextStep<O>) -> Self {
        next.stored
    }
}

/// The answer of a step that asks for what a peer has no reason to refuse.
///
/// # Errors
/// When it was refused all the same.
pub fn never_refused<'a, A>(step: &str, answer: &'a Result<A, Refusal>) -> Result<&'a A, Fault> {
    let fault = |refusal| Fault::internal(format!("step {step} is never refused: {refusal:?}"));
    answer.as_ref().map_err(fault)
}
