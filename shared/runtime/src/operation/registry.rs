//! The operations of a service by kind and step: reads a step from its row, attempts it, and undoes it.
//! Only this file knows the type of a step; the driver sees rows.

use std::{collections::BTreeMap, sync::Arc};

use futures::future::BoxFuture;
use licet_domain::{
    ids::OperationId,
    refusal::{Reason, Refusal},
};
use prost::Message;
use serde::{Deserialize, Serialize};

use super::{
    attempt::{Encode, StepAttempt, StepContext},
    earlier::{self, ReadEarlier},
    record::{row, step_request_id},
    step::{NextStep, Operation, PeersOf, Step, Undo},
};
use crate::{fault::Fault, peer::PeerFault};

/// The step name of an operation that is being cancelled, as clients see it.
const CANCEL: &str = "cancel";

/// The steps of a kind of operation.
pub struct Steps<O: Operation>(Vec<Registration<O>>);

type Registration<O> = (
    &'static str,
    fn(Encode<O>) -> Box<dyn AnyStep<<O as Operation>::Peers>>,
);

impl<O: Operation> Steps<O> {
    /// The first step.
    #[must_use]
    pub fn of<S: Step<Operation = O>>() -> Self {
        Self(Vec::new()).or::<S>()
    }

    /// A further step.
    #[must_use]
    pub fn or<S: Step<Operation = O>>(mut self) -> Self {
        self.0
            .push((S::NAME, |encode| Box::new(RegisteredStep::<S> { encode })));
        self
    }
}

/// The steps of a kind of operation by their names.
type Kind<P> = BTreeMap<&'static str, Box<dyn AnyStep<P>>>;

/// All operations of a service.
pub struct Registry<P> {
    kinds: BTreeMap<&'static str, Kind<P>>,
    earlier: ReadEarlier,
}

impl<P: Send + Sync + 'static> Registry<P> {
    /// An empty registry. `earlier` reads operations that earlier versions stored.
    #[must_use]
    pub fn new(earlier: ReadEarlier) -> Self {
        Self {
            kinds: BTreeMap::new(),
            earlier,
        }
    }

    /// Adds a kind of operation with its steps. `encode` turns its output into the response.
    #[must_use]
    pub fn with<O, R>(
        mut self,
        steps: Steps<O>,
        encode: impl Fn(O::Output) -> Result<R, Fault> + Send + Sync + 'static,
    ) -> Self
    where
        O: Operation<Peers = P>,
        R: Message,
    {
        let encode: Encode<O> =
            Arc::new(move |answer| encode(answer).map(|response| response.encode_to_vec()));
        let steps = steps.0.into_iter();
        let steps = steps.map(|(name, typed)| (name, typed(Arc::clone(&encode))));
        self.kinds.insert(O::KIND, steps.collect());
        self
    }

    /// Every registered step, with its kind.
    pub fn steps(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let kinds = self.kinds.iter();
        kinds.flat_map(|(kind, steps)| steps.keys().map(|step| (*kind, *step)))
    }

    /// Reads a stored operation without driving it.
    ///
    /// # Errors
    /// When the step is unknown or cannot be read.
    pub fn inspect(
        &self,
        kind: &str,
        step: &str,
        state_json: &str,
    ) -> Result<InspectedOperation, Fault> {
        let (step, due) = self.read(kind, step, state_json)?;
        Ok(InspectedOperation {
            can_be_undone: step.can_be_undone(&due)?,
            is_cancelled: due.is_cancelled,
            step: due.step,
            state: due.state,
        })
    }

    /// The registered type of the due step, and its stored state.
    pub(super) fn read(
        &self,
        kind: &str,
        step: &str,
        state_json: &str,
    ) -> Result<(&dyn AnyStep<P>, DueStep), Fault> {
        let due = match earlier::read(state_json, self.earlier)? {
            Some((step, is_cancelled)) => DueStep {
                step: step.name.to_owned(),
                state: step.state.map_err(Fault::internal)?,
                is_cancelled,
            },
            None if step == CANCEL => {
                let cancelled: CancelledStep = read(state_json)?;
                DueStep {
                    step: cancelled.step,
                    state: cancelled.state,
                    is_cancelled: true,
                }
            }
            None => DueStep {
                step: step.to_owned(),
                state: state_json.to_owned(),
                is_cancelled: false,
            },
        };
        let steps = self.kinds.get(kind);
        let found = steps.and_then(|steps| steps.get(due.step.as_str()));
        let found = found.ok_or_else(|| {
            Fault::internal(format!("no operation {kind} has a step {}", due.step))
        })?;
        Ok((found.as_ref(), due))
    }
}

fn read<T: serde::de::DeserializeOwned>(json: &str) -> Result<T, Fault> {
    serde_json::from_str(json).map_err(Fault::internal)
}

/// The stored form of a step whose operation is being cancelled.
#[derive(Serialize, Deserialize)]
struct CancelledStep {
    step: String,
    state: String,
}

/// A stored operation, as [`Registry::inspect`] reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InspectedOperation {
    /// The step that is due, or that is being undone.
    pub step: String,
    /// The step's fields as JSON, in today's form.
    pub state: String,
    /// Whether the operation was cancelled and its step is still to be undone.
    pub is_cancelled: bool,
    /// Whether it can be cancelled at this step.
    pub can_be_undone: bool,
}

/// The stored state of the due step.
pub(super) struct DueStep {
    step: String,
    state: String,
    is_cancelled: bool,
}

impl DueStep {
    /// The step name and state to store once the operation is cancelled.
    pub(super) fn cancelled(self) -> Result<(&'static str, String), Fault> {
        let cancelled = CancelledStep {
            step: self.step,
            state: self.state,
        };
        let state = serde_json::to_string(&cancelled).map_err(Fault::internal)?;
        Ok((CANCEL, state))
    }
}

/// A step with its type erased.
pub(super) trait AnyStep<P>: Send + Sync {
    /// Makes one attempt at the step, or at undoing it.
    fn attempt<'a>(
        &'a self,
        context: &'a StepContext<P>,
        row: &'a row::Model,
        due: &'a DueStep,
    ) -> BoxFuture<'a, Result<StepAttempt, Fault>>;

    /// Whether the operation can be cancelled at this step.
    fn can_be_undone(&self, due: &DueStep) -> Result<bool, Fault>;
}

struct RegisteredStep<S: Step> {
    encode: Encode<S::Operation>,
}

impl<S: Step> AnyStep<PeersOf<S>> for RegisteredStep<S> {
    fn attempt<'a>(
        &'a self,
        context: &'a StepContext<PeersOf<S>>,
        row: &'a row::Model,
        due: &'a DueStep,
    ) -> BoxFuture<'a, Result<StepAttempt, Fault>> {
        Box::pin(async move {
            let step: S = read(&due.state)?;
            let id: OperationId = row.operation_id.parse().map_err(Fault::internal)?;
            let attempt = if due.is_cancelled {
                match definite(undo(&step, &context.peers, id).await) {
                    Ok(Ok(true)) => Ok(Err(cancelled_refusal::<S>(id))),
                    // The step had already taken effect at the peer: the operation continues with it.
                    Ok(Ok(false)) => return context.advance(row, NextStep::of(&step).into()).await,
                    Ok(Err(refusal)) => {
                        let text = format!("a peer refused to undo a step: {refusal:?}");
                        return Err(Fault::internal(text));
                    }
                    Err(error) => Err(error),
                }
            } else {
                definite(step.ask(&context.peers, step_request_id(id, S::NAME)).await)
            };
            let answer = match attempt {
                Ok(answer) => answer,
                Err(error) => return Ok(StepAttempt::Unanswered(error)),
            };
            if let Some(next) = answer.as_ref().ok().and_then(|answer| step.next(answer)) {
                return context.advance(row, next.into()).await;
            }
            context.apply(row, &step, &self.encode, &answer).await
        })
    }

    fn can_be_undone(&self, due: &DueStep) -> Result<bool, Fault> {
        let step: S = read(&due.state)?;
        Ok(match step.undo(uuid::Uuid::nil()) {
            Undo::Nothing | Undo::By(_) => true,
            Undo::Never => false,
        })
    }
}

/// A peer's answer or its refusal; the error text if the result is unknown.
fn definite<A>(answer: Result<A, PeerFault>) -> Result<Result<A, Refusal>, String> {
    match answer {
        Ok(answer) => Ok(Ok(answer)),
        Err(PeerFault::Refused(refusal)) => Ok(Err(*refusal)),
        Err(PeerFault::Unknown(error)) => Err(error),
        Err(PeerFault::StoreChanged(changed)) => Err(changed.message),
    }
}

/// Undoes a step. Returns false if it had already taken effect and stays.
async fn undo<S: Step>(step: &S, peers: &PeersOf<S>, id: OperationId) -> Result<bool, PeerFault> {
    match step.undo(step_request_id(id, S::NAME)) {
        Undo::Nothing => Ok(true),
        Undo::By(reversal) => reversal.ask(peers, step_request_id(id, CANCEL)).await,
        Undo::Never => Err(PeerFault::Unknown(format!(
            "step {} cannot be undone, but its operation was cancelled",
            S::NAME
        ))),
    }
}

/// The refusal that ends a cancelled operation.
fn cancelled_refusal<S: Step>(id: OperationId) -> Refusal {
    let (kind, step) = (<S::Operation as Operation>::KIND, S::NAME);
    let message = format!("{kind} was cancelled at step {step}; nothing was changed");
    Refusal::new(Reason::OperationCancelled, message)
        .with("operation_id", id)
        .with("step", step)
}
