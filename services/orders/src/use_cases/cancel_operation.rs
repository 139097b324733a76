//! CancelOperation: an operation that has done nothing irreversible is turned back. What its
//! present step may have begun at a peer is made sure to come to nothing first; then it ends as
//! refused, the order as it was before it.

use licet_domain::ids::OperationId;
use licet_runtime::{
    caller::Call,
    database::{Database, Tx},
    door::{Asked, Spanning},
    fault::Fault,
    operation::{self, Operations, View},
    replay::Accepted,
};

use super::event::{OrderEvent, emit};
use crate::{peers::Peers, queries, rules::not_found, store};

/// An operation that is to be given up.
pub(crate) struct CancelOperation {
    pub(crate) operation_id: OperationId,
    pub(crate) operations: Operations<Peers>,
}

impl Spanning for CancelOperation {
    type Answer = View;

    async fn accept(&self, asked: &Asked, tx: &Tx) -> Result<Accepted<View>, Fault> {
        let caller = &asked.call.caller;
        let found = operation::find(tx, caller, self.operation_id).await?;
        let found = found.ok_or_else(|| not_found("operation", self.operation_id))?;
        self.operations.turn_back(tx, &found).await?;
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
