//! CancelOperation: an operation that has charged nothing is turned back. Its charge is made
//! sure never to come, however late an attempt at it arrives; then it ends as refused, the licence as
//! it was before it.

use std::pin::Pin;

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
    event::{LicenseEvent, emit},
    operation::{LicenseOperation, Outcome, Stage},
};
use crate::{
    peers::{Billing, Quote},
    queries,
    rules::not_found,
    store,
};

/// Turns an operation back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CancelOperation {
    pub(crate) operation_id: OperationId,
}

impl Spanning for CancelOperation {
    type Answer = View;
    type Operation = LicenseOperation;

    async fn accept(&self, asked: &Asked, tx: &Tx) -> Result<Accepted<View>, Fault> {
        let call = &asked.call;
        let caller = &call.caller;
        let found = operation::find(tx, caller, self.operation_id).await?;
        let found = found.ok_or_else(|| not_found("operation", self.operation_id))?;
        operation::turn_back::<LicenseOperation>(tx, &found).await?;
        if found.state != "RUNNING" {
            return Ok(Accepted::Operation(found.operation_id.into()));
        }
        let license_id = found.resource_id.parse().map_err(Fault::internal)?;
        let (license, now) =
            store::licenses::lock(tx, &caller.accounts, license_id, call.now).await?;
        emit(
            tx,
            LicenseEvent {
                kind: "operation.cancel_accepted",
                license: &license,
                origin: &asked.origin(),
                time: now,
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

/// A charge that may have been begun, under its request id.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct BegunCharge {
    quote: Quote,
    request_id: Uuid,
}

/// An operation that was turned back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Cancelling {
    operation_id: OperationId,
    pub(super) operation: Box<LicenseOperation>,
    /// Absent where it was only being priced.
    charge: Option<BegunCharge>,
}

impl Cancelling {
    /// `request_id` is what Billing knows the present step by.
    pub(super) fn new(
        operation_id: OperationId,
        operation: LicenseOperation,
        stage: &Stage,
        request_id: Uuid,
    ) -> Self {
        let charge = match stage {
            Stage::Price { .. } => None,
            Stage::Charge { quote } => Some(BegunCharge {
                quote: quote.clone(),
                request_id,
            }),
        };
        Self {
            operation_id,
            operation: Box::new(operation),
            charge,
        }
    }

    pub(super) async fn perform(&self, billing: &Billing) -> Result<Outcome, PeerFault> {
        let undone = match &self.charge {
            None => true,
            Some(begun) => {
                let id = begun.request_id;
                billing.forbid_charge(&[&begun.quote], id).await?
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

    /// Undone, it ends as if it had been refused; charged already, it goes on where it was.
    ///
    /// Boxed, because one operation here is around another.
    pub(super) fn apply<'a>(
        &'a self,
        tx: &'a Tx,
        now: Instant,
        outcome: &'a Result<Outcome, Refusal>,
    ) -> Pin<Box<dyn Future<Output = Result<Progress<LicenseOperation>, Fault>> + Send + 'a>> {
        Box::pin(async move {
            match outcome {
                Ok(Outcome::TurnedBack(true)) => {
                    let refusal = Err(self.cancelled());
                    self.operation.apply(tx, now, &refusal).await
                }
                Ok(Outcome::TurnedBack(false)) => Ok(Progress::Next((*self.operation).clone())),
                Ok(Outcome::Quoted(_) | Outcome::Charged(_)) | Err(_) => Err(Fault::internal(
                    format!("turning an operation back was answered by {outcome:?}"),
                )),
            }
        })
    }
}
