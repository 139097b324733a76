//! CancelOperation: an operation that has charged nothing is turned back. Its charge is made
//! sure never to come, however late an attempt at it arrives; then it ends as refused, the licence as
//! it was before it.

use licet_domain::ids::OperationId;
use licet_runtime::{
    caller::Call,
    database::{Database, Tx},
    door::{Asked, Spanning},
    fault::Fault,
    operation::{self, Operations, View},
    replay::Accepted,
};

use super::event::{LicenseEvent, emit};
use crate::{peers::Billing, queries, rules::not_found, store};

/// Turns an operation back.
pub(crate) struct CancelOperation {
    pub(crate) operation_id: OperationId,
    pub(crate) operations: Operations<Billing>,
}

impl Spanning for CancelOperation {
    type Answer = View;

    async fn accept(&self, asked: &Asked, tx: &Tx) -> Result<Accepted<View>, Fault> {
        let call = &asked.call;
        let caller = &call.caller;
        let found = operation::find(tx, caller, self.operation_id).await?;
        let found = found.ok_or_else(|| not_found("operation", self.operation_id))?;
        self.operations.turn_back(tx, &found).await?;
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
