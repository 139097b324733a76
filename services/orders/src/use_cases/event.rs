//! The events of an order. They carry ids and figures; the order itself is read from its
//! service.

use licet_domain::{clock::Instant, refusal::Refusal};
use licet_runtime::{caller::Origin, database::Tx, fault::Fault, outbox};

use crate::rules::order::Order;

/// What happened to an order.
pub(super) struct OrderEvent<'a> {
    /// The type between `licet.orders.` and the version: `order.paid`.
    pub(super) kind: &'a str,
    pub(super) order: &'a Order,
    pub(super) origin: &'a Origin,
    pub(super) time: Instant,
    /// A rule id, or the words of whoever asked.
    pub(super) why: &'a str,
    pub(super) outcome: &'a str,
    pub(super) data: serde_json::Value,
}

impl<'a> OrderEvent<'a> {
    /// What an operation began comes to nothing.
    pub(super) fn refused(
        kind: &'a str,
        order: &'a Order,
        origin: &'a Origin,
        time: Instant,
        refusal: &'a Refusal,
    ) -> Self {
        Self {
            kind,
            order,
            origin,
            time,
            why: "X-2",
            outcome: refusal.reason.as_str(),
            data: serde_json::json!({ "message": refusal.message }),
        }
    }
}

/// Writes an event of an order whose row is locked; last in its transaction.
pub(super) async fn emit(tx: &Tx, event: OrderEvent<'_>) -> Result<(), Fault> {
    let kind = format!("licet.orders.{}.v1", event.kind);
    outbox::emit(
        tx,
        outbox::Event {
            kind: &kind,
            resource_id: event.order.id.to_string(),
            account_id: Some(event.order.account_id),
            time: event.time,
            origin: event.origin,
            why: event.why.to_owned(),
            outcome: event.outcome.to_owned(),
            data: event.data,
        },
    )
    .await
}
