//! Orders as the resource of durable operations.

use licet_domain::{clock::Instant, ids::OrderId};
use licet_runtime::{
    caller::AccountScope, database::Tx, fault::Fault, operation_service::Resource,
};

use crate::store;

/// The resource type of this service's operations.
pub(crate) struct Orders;

impl Resource for Orders {
    type Id = OrderId;
    const CANCEL_EVENT: &'static str = "licet.orders.operation.cancel_accepted.v1";

    async fn lock(
        tx: &Tx,
        scope: &AccountScope,
        id: OrderId,
        now: Instant,
    ) -> Result<Instant, Fault> {
        let order = store::orders::lock(tx, scope, id).await?;
        Ok(order.decide_at(now))
    }
}
