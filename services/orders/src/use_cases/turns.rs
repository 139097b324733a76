//! Writes the turns of an order, each once and with its event (MD-10), for the first request or
//! timer that locks the order. Nothing is decided here.

use licet_domain::{
    clock::Instant,
    ids::{AccountId, OrderId},
};
use licet_runtime::{
    caller::{AccountScope, Call, Origin},
    database::{Tx, Work},
    fault::Fault,
    operation,
    outbox::EventData,
};

use super::event::OrderEvent;
use crate::{
    events::{OrderEnded, RunningTerm, TermStarted},
    rules::{order::Order, terms::Turn},
    store,
};

/// Locks the order, writes the turns that have come, and returns it with the decision time (T-5).
pub(super) async fn lock(tx: &Tx, call: &Call, id: OrderId) -> Result<(Order, Instant), Fault> {
    lock_in(tx, &call.caller.accounts, id, call.now).await
}

/// As [`lock`], within a scope of its own.
pub(super) async fn lock_in(
    tx: &Tx,
    scope: &AccountScope,
    id: OrderId,
    asked: Instant,
) -> Result<(Order, Instant), Fault> {
    let order = store::orders::lock(tx, scope, id).await?;
    let now = order.decide_at(asked);
    let (order, _) = write_turns(tx, order, now).await?;
    Ok((order, now))
}

/// Writes each turn that has come, with its event. Returns how many there were.
///
/// A running operation decided by the terms as they were when it was accepted (T-3). Until it ends,
/// the turns wait, and a request that would change the order is refused.
async fn write_turns(tx: &Tx, before: Order, now: Instant) -> Result<(Order, u64), Fault> {
    let mut order = before.clone();
    let mut turns = Vec::new();
    while let Some((turn, next)) = order.next_turn(now) {
        // A turn is dated no earlier than the last decision, even if its instant was earlier.
        let time = order.turn_time().unwrap_or(now).max(order.decision_time);
        order = next;
        turns.push((turn, time, order.clone()));
    }
    if turns.is_empty() {
        return Ok((order, 0));
    }
    operation::refuse_if_running(tx, order.account_id, &order.id.to_string()).await?;
    store::orders::save(tx, &before, &order).await?;
    for (turn, time, after) in &turns {
        emit_turn(tx, *turn, *time, after).await?;
    }
    Ok((order, turns.len() as u64))
}

async fn emit_turn(tx: &Tx, turn: Turn, time: Instant, order: &Order) -> Result<(), Fault> {
    let term = RunningTerm {
        term_index: order.term.index,
        start_time: order.term.term.start(),
        end_time: order.term.term.end(),
        additional_licenses: order.term.additional_licenses,
        kept_server_ids: order.term.kept_servers.as_ref(),
        awaits_certificate: order.term.names.is_some(),
    };
    match turn {
        Turn::TermStarted => emit_turned(tx, order, time, "STARTED", TermStarted { term }).await,
        Turn::Ended => emit_turned(tx, order, time, "ENDED", OrderEnded { term }).await,
    }
}

async fn emit_turned<D: EventData>(
    tx: &Tx,
    order: &Order,
    time: Instant,
    outcome: &str,
    data: D,
) -> Result<(), Fault> {
    let origin = origin();
    let event = OrderEvent {
        resource: order,
        origin: &origin,
        time,
        why: "MD-10",
        outcome,
        data,
    };
    event.emit(tx).await
}

/// The origin of what time alone causes.
pub(super) fn origin() -> Origin {
    Origin {
        caller: "orders".to_owned(),
        method: String::new(),
        request_id: String::new(),
    }
}

/// Writes the turns of one order that have come.
pub(crate) struct WriteTurns {
    pub(crate) account_id: AccountId,
    pub(crate) order_id: OrderId,
    pub(crate) now: Instant,
}

impl Work for WriteTurns {
    /// The number of turns written.
    type Output = u64;

    async fn run(&self, tx: &Tx) -> Result<u64, Fault> {
        let order = store::orders::lock(tx, &self.account_id.into(), self.order_id).await?;
        let now = order.decide_at(self.now);
        if operation::find_running(tx, order.account_id, &order.id.to_string())
            .await?
            .is_some()
        {
            return Ok(0);
        }
        let (_, turns) = write_turns(tx, order, now).await?;
        Ok(turns)
    }
}
