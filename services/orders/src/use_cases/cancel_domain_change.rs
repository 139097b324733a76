//! CancelDomainChange (MD-7, MD-8): a free change is taken back at once. One that was charged is
//! credited at Billing first, invoice by invoice, and room held in a SAN licence for its certificate
//! is given back; once the first credit stands it only goes forward.

use licet_clients::billing::CreditNote;
use licet_domain::{
    clock::Instant,
    ids::{AccountId, InvoiceId, LicenseId, OperationId, OrderId, ReservationId},
    refusal::Refusal,
};
use licet_runtime::{
    caller::{Call, Origin},
    database::{Database, Tx},
    door::{Asked, Preview, Spanning},
    fault::Fault,
    operation::{self, Progress},
    peer::PeerFault,
    replay::Accepted,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Within,
    event::{OrderEvent, emit},
    operation::{Ended, OrderOperation, Outcome, misplaced},
    settle,
};
use crate::{
    peers::Peers,
    queries::{
        self,
        order_view::{self, OrderView},
    },
    rules::{
        order::Order,
        permission::{Action, permit},
        taking_back::{TakingBack, plan_taking_back},
    },
    store,
};

/// A change of names that a customer takes back, and why.
#[derive(Debug, Clone)]
pub(crate) struct CancelDomainChange {
    pub(crate) order_id: OrderId,
    pub(crate) reason: String,
}

impl Spanning for CancelDomainChange {
    type Answer = ChangeCancelled;
    type Operation = OrderOperation;

    async fn accept(&self, asked: &Asked, tx: &Tx) -> Result<Accepted<ChangeCancelled>, Fault> {
        let scope = &asked.call.caller.accounts;
        let (before, now) = settle::lock(tx, scope, self.order_id, asked.call.now).await?;
        let plan = plan(tx, &before, now).await?;
        let origin = asked.origin();
        let reservation = before.san_license_id.zip(plan.reservation_id);
        if plan.invoices.is_empty() && reservation.is_none() {
            let after = before.clone().apply_change_cancelled(now);
            store::orders::save(tx, &before, &after).await?;
            let view = order_view::load_ended(tx, after, now).await?;
            let free = TakenBack {
                before: &before,
                origin: &origin,
                reason: &self.reason,
                credit_notes: &[],
                refused: &[],
            };
            free.emit(tx, &view.order, now).await?;
            return Ok(Accepted::Done(ChangeCancelled {
                view,
                credit_notes: Vec::new(),
            }));
        }
        let operation = OrderOperation::CancelDomainChange(TakingBackChange {
            order_id: before.id,
            account_id: before.account_id,
            origin: origin.clone(),
            decision_time: now,
            reason: self.reason.clone(),
            invoices: plan.invoices,
            settled: 0,
            credit_notes: Vec::new(),
            refused: Vec::new(),
            reservation,
        });
        let id = before.id.to_string();
        let begun = operation::begin(tx, now, &id, before.account_id, &operation).await?;
        let after = before.clone().apply_taking_back(now);
        store::orders::save(tx, &before, &after).await?;
        emit(
            tx,
            OrderEvent {
                kind: "domain_change.cancel_accepted",
                order: &after,
                origin: &origin,
                time: now,
                why: why(&self.reason),
                outcome: "CREDITING",
                data: serde_json::json!({ "operation_id": begun.id }),
            },
        )
        .await?;
        Ok(Accepted::Operation(begun))
    }

    async fn pending(
        &self,
        call: &Call,
        database: &Database,
        operation_id: OperationId,
    ) -> Result<Option<ChangeCancelled>, Fault> {
        let found = queries::orders::find_under_way(database, call, operation_id).await?;
        Ok(found.map(|(_, view)| ChangeCancelled {
            view,
            credit_notes: Vec::new(),
        }))
    }
}

/// An order whose change is taken back, or would be, and what is credited to it.
#[derive(Debug)]
pub(crate) struct ChangeCancelled {
    pub(crate) view: OrderView,
    pub(crate) credit_notes: Vec<CreditNote>,
}

/// Why an invoice is credited, for its credit note.
fn credit_reason(order_id: OrderId, reason: &str) -> String {
    if reason.is_empty() {
        format!("Change of domains of {order_id} taken back, MD-7")
    } else {
        format!("Change of domains taken back, MD-7: {reason}")
    }
}

/// What taking the change of a settled order back comes to, with nothing else under way.
async fn plan(tx: &Tx, order: &Order, now: Instant) -> Result<TakingBack, Fault> {
    permit(order, Action::CancelChange, now)?;
    operation::refuse_if_running(tx, &order.id.to_string()).await?;
    Ok(plan_taking_back(order, now)?)
}

fn why(reason: &str) -> &str {
    if reason.is_empty() { "MD-7" } else { reason }
}

impl Preview for CancelDomainChange {
    type Answer = ChangeCancelled;
    type Within = Within;

    /// Says what would be credited.
    async fn preview(&self, call: &Call, within: &Within) -> Result<ChangeCancelled, Fault> {
        let (view, plan) = {
            let tx = within.database.read();
            let order = store::orders::get(&tx, &call.caller.accounts, self.order_id).await?;
            let (order, now) = order.at(call.now);
            let plan = plan(&tx, &order, now).await?;
            (order_view::load(&tx, order, now).await?, plan)
        };
        let mut credit_notes = Vec::new();
        let reason = credit_reason(self.order_id, &self.reason);
        for invoice_id in plan.invoices {
            // Nothing is kept at Billing under this id.
            let billing = &within.peers.billing;
            let note = billing.credit_invoice(invoice_id, &reason, true, Uuid::new_v4());
            credit_notes.extend(note.await?);
        }
        Ok(ChangeCancelled { view, credit_notes })
    }
}

/// A change that is being taken back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TakingBackChange {
    order_id: OrderId,
    account_id: AccountId,
    origin: Origin,
    decision_time: Instant,
    reason: String,
    /// The invoices to credit: that of the term that ran first, then that of the next (MD-8).
    invoices: Vec<InvoiceId>,
    /// How many of them are credited.
    settled: usize,
    credit_notes: Vec<CreditNote>,
    /// Why a later one could not be credited, once an earlier one was.
    refused: Vec<Refusal>,
    reservation: Option<(LicenseId, ReservationId)>,
}

impl TakingBackChange {
    pub(super) fn step(&self) -> &'static str {
        match (self.settled, self.due_invoice()) {
            (0, Some(_)) => "credit",
            (_, Some(_)) => "credit-next-term",
            (_, None) => "release",
        }
    }

    fn due_invoice(&self) -> Option<InvoiceId> {
        self.invoices.get(self.settled).copied()
    }

    pub(super) async fn perform(
        &self,
        peers: &Peers,
        request_id: Uuid,
    ) -> Result<Outcome, PeerFault> {
        if let Some(invoice_id) = self.due_invoice() {
            let reason = credit_reason(self.order_id, &self.reason);
            let note = peers
                .billing
                .credit_invoice(invoice_id, &reason, false, request_id);
            return Ok(Outcome::Credited(note.await?.map(Box::new)));
        }
        let mut refused = Vec::new();
        if let Some((license_id, id)) = self.reservation {
            let released = peers.san_licensing.release(license_id, id, request_id);
            refused.extend(released.await?.map(|refusal| *refusal));
        }
        Ok(Outcome::Returned(refused))
    }

    pub(super) async fn apply(
        &self,
        tx: &Tx,
        now: Instant,
        outcome: &Result<Outcome, Refusal>,
    ) -> Result<Progress<OrderOperation>, Fault> {
        let mut next = self.clone();
        match (self.due_invoice(), outcome) {
            (Some(_), Ok(Outcome::Credited(note))) => {
                next.settled += 1;
                next.credit_notes.extend(note.as_deref().cloned());
            }
            (Some(_), Err(refusal)) if self.settled == 0 => {
                return self.apply_refusal(tx, refusal).await;
            }
            // Something is credited for good: what is refused now is shown, and stops nothing.
            (Some(_), Err(refusal)) => {
                next.settled += 1;
                next.refused.push(refusal.clone());
            }
            // What was not held any more is given back as well.
            (None, Ok(Outcome::Returned(_))) => next.reservation = None,
            (None, Err(refusal)) => {
                return Err(Fault::internal(format!(
                    "what is given back is never refused: {refusal:?}"
                )));
            }
            (_, Ok(other)) => return misplaced(self.step(), other),
        }
        if next.due_invoice().is_some() || next.reservation.is_some() {
            return Ok(Progress::Next(OrderOperation::CancelDomainChange(next)));
        }
        next.finish(tx, now).await
    }

    async fn finish(&self, tx: &Tx, now: Instant) -> Result<Progress<OrderOperation>, Fault> {
        let before = store::orders::lock(tx, &store::only(self.account_id), self.order_id).await?;
        let after = before.clone().apply_change_cancelled(self.decision_time);
        store::orders::save(tx, &before, &after).await?;
        let view = order_view::load_ended(tx, after.clone(), now).await?;
        let taken_back = TakenBack {
            before: &before,
            origin: &self.origin,
            reason: &self.reason,
            credit_notes: &self.credit_notes,
            refused: &self.refused,
        };
        taken_back.emit(tx, &after, self.decision_time).await?;
        let cancelled = ChangeCancelled {
            view,
            credit_notes: self.credit_notes.clone(),
        };
        Ok(Progress::Done(Ended::ChangeCancelled(Box::new(cancelled))))
    }

    /// Nothing was credited: the change waits for its certificate as before.
    async fn apply_refusal(
        &self,
        tx: &Tx,
        refusal: &Refusal,
    ) -> Result<Progress<OrderOperation>, Fault> {
        let before = store::orders::lock(tx, &store::only(self.account_id), self.order_id).await?;
        let after = before.clone().apply_taking_back_refused(self.decision_time);
        store::orders::save(tx, &before, &after).await?;
        emit(
            tx,
            OrderEvent {
                kind: "domain_change.cancel_refused",
                order: &after,
                origin: &self.origin,
                time: self.decision_time,
                why: "X-2",
                outcome: refusal.reason.as_str(),
                data: serde_json::json!({ "message": refusal.message }),
            },
        )
        .await?;
        Ok(Progress::Refused(refusal.clone()))
    }
}

/// A change that was taken back, as its event tells it.
struct TakenBack<'a> {
    before: &'a Order,
    origin: &'a Origin,
    reason: &'a str,
    credit_notes: &'a [CreditNote],
    refused: &'a [Refusal],
}

impl TakenBack<'_> {
    async fn emit(&self, tx: &Tx, after: &Order, time: Instant) -> Result<(), Fault> {
        let change = self.before.change.as_ref();
        let names = change.map(|change| {
            let values = |names: &std::collections::BTreeSet<licet_domain::san::San>| {
                let values = names.iter().map(|name| name.value().to_owned());
                values.collect::<Vec<_>>()
            };
            (values(&change.added), values(&change.removed))
        });
        let (added, removed) = names.unzip();
        let notes = self.credit_notes.iter();
        let refused: Vec<_> = self
            .refused
            .iter()
            .map(|refusal| &refusal.message)
            .collect();
        emit(
            tx,
            OrderEvent {
                kind: "domain_change.cancelled",
                order: after,
                origin: self.origin,
                time,
                why: why(self.reason),
                outcome: "CANCELLED",
                data: serde_json::json!({
                    "added": added,
                    "removed": removed,
                    "common_name": after.common_name.value(),
                    "credit_note_ids": notes.map(CreditNote::id).collect::<Vec<_>>(),
                    "refused_messages": refused,
                }),
            },
        )
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The longest reason that a request may have, in characters.
    const MAX_REASON_CHARS: usize = 150;

    #[test]
    fn md_7_the_credit_notes_reason_fits_billing() {
        for reason in [String::new(), "é".repeat(MAX_REASON_CHARS)] {
            let text = credit_reason(OrderId::generate(), &reason);
            assert!(text.chars().count() <= 200, "{text}");
        }
    }
}
