//! Writes the events of an order. They carry ids and figures; read the order for the rest.

use licet_domain::{clock::Instant, refusal::Refusal};
use licet_runtime::{
    caller::Origin,
    database::Tx,
    fault::Fault,
    outbox::{self, Event, EventData, EventHeader},
};

use crate::rules::order::Order;

/// An event of an order.
pub(super) struct OrderEvent<'a, D> {
    pub(super) order: &'a Order,
    pub(super) origin: &'a Origin,
    pub(super) time: Instant,
    /// A rule id, or the reason that the caller gave.
    pub(super) why: &'a str,
    /// What became of it, in one word.
    pub(super) outcome: &'a str,
    pub(super) data: D,
}

impl<'a, D> OrderEvent<'a, D> {
    /// An accepted operation was refused.
    pub(super) fn refused(
        order: &'a Order,
        origin: &'a Origin,
        time: Instant,
        refusal: &'a Refusal,
        data: D,
    ) -> Self {
        Self {
            order,
            origin,
            time,
            why: "X-2",
            outcome: refusal.reason.as_str(),
            data,
        }
    }
}

/// Writes an event of an order whose row is locked; last in its transaction.
pub(super) async fn emit<D: EventData>(tx: &Tx, event: OrderEvent<'_, D>) -> Result<(), Fault> {
    let header = EventHeader {
        resource_id: event.order.id.to_string(),
        account_id: Some(event.order.account_id),
        time: event.time,
        origin: event.origin,
        why: event.why.to_owned(),
        outcome: event.outcome.to_owned(),
    };
    outbox::emit(tx, Event::new(header, &event.data)?).await
}
