//! CancelOperation: an operation that has done nothing irreversible is turned back. What its
//! present step may have begun at a peer is made sure to come to nothing first; then it ends as
//! refused, the order as it was before it.

use std::pin::Pin;

use licet_clients::{billing::Quote, san_licensing::AuthorizeQuestion};
use licet_domain::{
    clock::Instant,
    ids::OperationId,
    refusal::{Reason, Refusal},
};
use licet_runtime::{
    caller::Call,
    database::{Database, Tx},
    door::{Asked, Spanning},
    fault::Fault,
    operation::{self, Operation, Progress, View},
    peer::PeerFault,
    replay::Accepted,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    event::{OrderEvent, emit},
    operation::{OrderOperation, Outcome, misplaced},
};
use crate::{peers::Peers, queries, rules::not_found, store};

/// An operation that is to be given up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CancelOperation {
    pub(crate) operation_id: OperationId,
}

impl Spanning for CancelOperation {
    type Answer = View;
    type Operation = OrderOperation;

    async fn accept(&self, asked: &Asked, tx: &Tx) -> Result<Accepted<View>, Fault> {
        let caller = &asked.call.caller;
        let found = operation::find(tx, caller, self.operation_id).await?;
        let found = found.ok_or_else(|| not_found("operation", self.operation_id))?;
        operation::turn_back::<OrderOperation>(tx, &found).await?;
        if found.state != "RUNNING" {
            return Ok(Accepted::Operation(found.operation_id.into()));
        }
        let order_id = found.resource_id.parse().map_err(Fault::internal)?;
        let order = store::orders::lock(tx, &caller.accounts, order_id).await?;
        emit(
            tx,
            OrderEvent {
                kind: "operation.cancel_accepted",
                order: &order,
                origin: &asked.origin(),
                time: order.decide_at(asked.call.now),
                why: "X-2",
                outcome: "CANCELLING",
                data: serde_json::json!({
                    "operation_id": found.operation_id,
                    "kind": found.kind,
                    "step": found.step,
                }),
            },
        )
        .await?;
        Ok(Accepted::Operation(found.operation_id.into()))
    }

    async fn pending(
        &self,
        call: &Call,
        database: &Database,
        operation_id: OperationId,
    ) -> Result<Option<View>, Fault> {
        queries::operations::get(database, call, operation_id)
            .await
            .map(Some)
    }
}

/// What the present step of an operation may have begun at a peer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Begun {
    /// Nothing that anybody would miss: a question was asked.
    Nothing,
    /// A charge under this request id.
    Charge { quote: Quote, request_id: Uuid },
    /// A charge of several quotes under this request id.
    Charges {
        quotes: Vec<Quote>,
        request_id: Uuid,
    },
    /// A reservation under this request id.
    Reservation {
        question: AuthorizeQuestion,
        request_id: Uuid,
    },
}

/// An operation that was turned back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Cancelling {
    operation_id: OperationId,
    pub(super) operation: Box<OrderOperation>,
    begun: Begun,
}

impl Cancelling {
    pub(super) fn new(operation_id: OperationId, operation: OrderOperation, begun: Begun) -> Self {
        Self {
            operation_id,
            operation: Box::new(operation),
            begun,
        }
    }

    pub(super) async fn perform(
        &self,
        peers: &Peers,
        request_id: Uuid,
    ) -> Result<Outcome, PeerFault> {
        let undone = match &self.begun {
            Begun::Nothing => true,
            Begun::Charge { quote, request_id } => {
                peers.billing.forbid_charge(&[quote], *request_id).await?
            }
            Begun::Charges { quotes, request_id } => {
                let quotes: Vec<_> = quotes.iter().collect();
                peers.billing.forbid_charge(&quotes, *request_id).await?
            }
            Begun::Reservation {
                question,
                request_id: asked,
            } => {
                let san_licensing = &peers.san_licensing;
                // Settled under the id of the first attempt, no later one holds anything.
                match san_licensing.authorize(question, *asked).await {
                    Ok(answer) => {
                        if let Some(id) = answer.granted().map_err(PeerFault::Unknown)? {
                            let license_id = question.license_id().map_err(PeerFault::Unknown)?;
                            san_licensing.release(license_id, id, request_id).await?;
                        }
                    }
                    Err(PeerFault::Refused(_)) => {}
                    Err(fault) => return Err(fault),
                }
                true
            }
        };
        Ok(Outcome::TurnedBack(undone))
    }

    fn cancelled(&self) -> Refusal {
        let (kind, step) = (self.operation.kind(), self.operation.step());
        let message = format!("{kind} was cancelled at its step {step}: nothing of it stands");
        Refusal::new(Reason::OperationCancelled, message)
            .with("operation_id", self.operation_id)
            .with("step", step)
    }

    /// Undone, it ends as if it had been refused; what was through at the peer already is kept, and
    /// the operation goes on where it was.
    ///
    /// Boxed, because one operation here is around another.
    pub(super) fn apply<'a>(
        &'a self,
        tx: &'a Tx,
        now: Instant,
        outcome: &'a Result<Outcome, Refusal>,
    ) -> Pin<Box<dyn Future<Output = Result<Progress<OrderOperation>, Fault>> + Send + 'a>> {
        Box::pin(async move {
            match outcome {
                Ok(Outcome::TurnedBack(true)) => {
                    let refusal = Err(self.cancelled());
                    self.operation.apply(tx, now, &refusal).await
                }
                Ok(Outcome::TurnedBack(false)) => Ok(Progress::Next((*self.operation).clone())),
                Ok(other) => misplaced("cancel", other),
                Err(refusal) => Err(Fault::internal(format!(
                    "turning an operation back is never refused: {refusal:?}"
                ))),
            }
        })
    }
}
