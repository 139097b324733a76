//! CancelDomainChange (MD-7, MD-8): cancels a free change at once. For a charged one it first
//! credits each invoice at Billing and releases the reservation held for its certificate. Once the
//! first invoice is credited, it only goes forward.

use licet_clients::billing::CreditNote;
use licet_domain::{
    clock::Instant,
    ids::{AccountId, InvoiceId, LicenseId, OrderId, ReservationId},
    refusal::Refusal,
};
use licet_runtime::{
    caller::{Call, Origin},
    database::Tx,
    door::{ChangeRequest, DurableVerb, Preview},
    fault::Fault,
    operation::{self, Next, NextStep, Operation, Step, Steps, never_refused},
    peer::PeerFault,
    replay::Accepted,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{PreviewContext, event::OrderEvent, turns};
use crate::{
    events::{DomainChangeCancelAccepted, DomainChangeCancelRefused, DomainChangeCancelled, texts},
    peers::Peers,
    queries::order_view::{self, OrderView},
    rules::{
        cancellation::{DomainChangeCancellation, plan_cancellation},
        order::Order,
        permission::{Action, permit},
    },
    store,
};

/// The cancellation that a customer asks for, and why.
#[derive(Debug, Clone)]
pub(crate) struct CancelDomainChange {
    pub(crate) order_id: OrderId,
    pub(crate) reason: String,
}

impl DurableVerb for CancelDomainChange {
    type Output = CancelledDomainChange;
    type View = OrderView;

    async fn accept(
        &self,
        request: &ChangeRequest,
        tx: &Tx,
    ) -> Result<Accepted<CancelledDomainChange>, Fault> {
        let (before, now) = turns::lock(tx, &request.call, self.order_id).await?;
        let plan = plan(tx, &before, now).await?;
        let origin = request.origin();
        let reservation = before.san_license_id.zip(plan.reservation_id);
        if plan.invoices.is_empty() && reservation.is_none() {
            let after = before.clone().apply_change_cancelled(now);
            store::orders::save(tx, &before, &after).await?;
            let view = order_view::load_ended(tx, after, now).await?;
            let free = CancelledEvent {
                before: &before,
                origin: &origin,
                reason: &self.reason,
                credit_notes: &[],
                refused: &[],
            };
            free.emit(tx, &view.order, now).await?;
            return Ok(Accepted::Done(CancelledDomainChange {
                view,
                credit_notes: Vec::new(),
            }));
        }
        let change = CancelDomainChangeOperation {
            order_id: before.id,
            account_id: before.account_id,
            origin: origin.clone(),
            decision_time: now,
            reason: self.reason.clone(),
            credit_notes: Vec::new(),
            refused: Vec::new(),
        };
        let first = change.begin(plan.invoices, reservation)?;
        let id = before.id.to_string();
        let handle = operation::begin(tx, now, &id, before.account_id, first).await?;
        let after = before.clone().apply_cancellation(now);
        store::orders::save(tx, &before, &after).await?;
        let event = OrderEvent {
            resource: &after,
            origin: &origin,
            time: now,
            why: why(&self.reason),
            outcome: "CREDITING",
            data: DomainChangeCancelAccepted {
                operation_id: handle.id,
            },
        };
        event.emit(tx).await?;
        Ok(Accepted::Operation(handle))
    }

    async fn pending(&self, _tx: &Tx, view: OrderView) -> Result<CancelledDomainChange, Fault> {
        Ok(CancelledDomainChange {
            view,
            credit_notes: Vec::new(),
        })
    }
}

/// An order whose change is cancelled or previewed to be, and the credit notes.
#[derive(Debug)]
pub(crate) struct CancelledDomainChange {
    pub(crate) view: OrderView,
    pub(crate) credit_notes: Vec<CreditNote>,
}

/// The reason on a credit note. Its words stay: a request that is repeated after an upgrade must be equal.
fn credit_reason(order_id: OrderId, reason: &str) -> String {
    if reason.is_empty() {
        format!("Change of domains of {order_id} taken back, MD-7")
    } else {
        format!("Change of domains taken back, MD-7: {reason}")
    }
}

/// Plans the cancellation for an order that has no other operation running.
async fn plan(tx: &Tx, order: &Order, now: Instant) -> Result<DomainChangeCancellation, Fault> {
    permit(order, Action::CancelChange, now)?;
    operation::refuse_if_running(tx, order.account_id, &order.id.to_string()).await?;
    Ok(plan_cancellation(order, now)?)
}

fn why(reason: &str) -> &str {
    if reason.is_empty() { "MD-7" } else { reason }
}

impl Preview for CancelDomainChange {
    type Output = CancelledDomainChange;
    type Context = PreviewContext;

    /// Shows what would be credited.
    async fn preview(
        &self,
        call: &Call,
        context: &PreviewContext,
    ) -> Result<CancelledDomainChange, Fault> {
        let (view, plan) = {
            let tx = context.database.read();
            let order = store::orders::get(&tx, &call.caller.accounts, self.order_id).await?;
            let (order, now) = order.at(call.now);
            let plan = plan(&tx, &order, now).await?;
            (order_view::load(&tx, order, now).await?, plan)
        };
        let mut credit_notes = Vec::new();
        let reason = credit_reason(self.order_id, &self.reason);
        for invoice_id in plan.invoices {
            // Billing stores nothing under this id.
            let billing = &context.peers.billing;
            let note = billing.credit_invoice(invoice_id, &reason, true, Uuid::new_v4());
            credit_notes.extend(note.await?);
        }
        Ok(CancelledDomainChange { view, credit_notes })
    }
}

/// The operation that credits and cancels a change.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct CancelDomainChangeOperation {
    order_id: OrderId,
    account_id: AccountId,
    origin: Origin,
    decision_time: Instant,
    reason: String,
    credit_notes: Vec<CreditNote>,
    /// Why a later invoice was not credited, after an earlier one was.
    refused: Vec<Refusal>,
}

/// The reservation in a SAN licence for the change's certificate.
type Reservation = Option<(LicenseId, ReservationId)>;

impl Operation for CancelDomainChangeOperation {
    const KIND: &'static str = "CANCEL_DOMAIN_CHANGE";
    type Peers = Peers;
    type Output = CancelledDomainChange;
}

impl CancelDomainChangeOperation {
    /// All its steps.
    pub(crate) fn steps() -> Steps<Self> {
        Steps::of::<CreditInvoice<false>>()
            .or::<CreditInvoice<true>>()
            .or::<ReleaseReservation>()
    }

    /// Credits the invoice of the term that ran at the change first, then that of the next term
    /// (MD-8).
    pub(super) fn begin(
        self,
        invoices: Vec<InvoiceId>,
        reservation: Reservation,
    ) -> Result<NextStep<Self>, Fault> {
        let mut invoices = invoices.into_iter();
        if let Some(invoice_id) = invoices.next() {
            return Ok(NextStep::of(&CreditInvoice::<false> {
                change: self,
                invoice_id,
                next_invoice_id: invoices.next(),
                reservation,
            }));
        }
        let released = self.release(reservation);
        released.ok_or_else(|| {
            Fault::internal("a change with nothing to credit or release needs no operation")
        })
    }

    /// The step that releases the reservation, if there is one.
    pub(super) fn release(&self, reservation: Reservation) -> Option<NextStep<Self>> {
        let (license_id, reservation_id) = reservation?;
        Some(NextStep::of(&ReleaseReservation {
            change: self.clone(),
            license_id,
            reservation_id,
        }))
    }

    async fn finish(&self, tx: &Tx, now: Instant) -> Result<Next<Self>, Fault> {
        let before = store::orders::lock(tx, &self.account_id.into(), self.order_id).await?;
        let after = before.clone().apply_change_cancelled(self.decision_time);
        store::orders::save(tx, &before, &after).await?;
        let view = order_view::load_ended(tx, after.clone(), now).await?;
        let cancelled = CancelledEvent {
            before: &before,
            origin: &self.origin,
            reason: &self.reason,
            credit_notes: &self.credit_notes,
            refused: &self.refused,
        };
        cancelled.emit(tx, &after, self.decision_time).await?;
        Ok(Next::Done(CancelledDomainChange {
            view,
            credit_notes: self.credit_notes.clone(),
        }))
    }

    /// Nothing was credited: the change still awaits its certificate.
    async fn refuse(&self, tx: &Tx, refusal: &Refusal) -> Result<Next<Self>, Fault> {
        let before = store::orders::lock(tx, &self.account_id.into(), self.order_id).await?;
        let after = before
            .clone()
            .apply_cancellation_refused(self.decision_time);
        store::orders::save(tx, &before, &after).await?;
        let (origin, time) = (&self.origin, self.decision_time);
        let data = DomainChangeCancelRefused {
            message: &refusal.message,
        };
        let event = OrderEvent::refused(&after, origin, time, refusal, data);
        event.emit(tx).await?;
        Ok(Next::Refused(refusal.clone()))
    }
}

/// Credits an invoice of the change: the first, or with `NEXT` that of the next term.
#[derive(Serialize, Deserialize)]
pub(super) struct CreditInvoice<const NEXT: bool> {
    pub(super) change: CancelDomainChangeOperation,
    pub(super) invoice_id: InvoiceId,
    pub(super) next_invoice_id: Option<InvoiceId>,
    pub(super) reservation: Reservation,
}

impl<const NEXT: bool> Step for CreditInvoice<NEXT> {
    const NAME: &'static str = if NEXT { "credit-next-term" } else { "credit" };
    type Operation = CancelDomainChangeOperation;
    type Answer = Option<CreditNote>;

    async fn ask(&self, peers: &Peers, request_id: Uuid) -> Result<Self::Answer, PeerFault> {
        let reason = credit_reason(self.change.order_id, &self.change.reason);
        let billing = &peers.billing;
        let credited = billing.credit_invoice(self.invoice_id, &reason, false, request_id);
        credited.await
    }

    async fn apply(
        &self,
        tx: &Tx,
        now: Instant,
        answer: &Result<Self::Answer, Refusal>,
    ) -> Result<Next<CancelDomainChangeOperation>, Fault> {
        let mut change = self.change.clone();
        match answer {
            Ok(note) => change.credit_notes.extend(note.clone()),
            // An earlier invoice is credited and stays so: report the refusal and go on.
            Err(refusal) if NEXT => change.refused.push(refusal.clone()),
            Err(refusal) => return change.refuse(tx, refusal).await,
        }
        let reservation = self.reservation;
        if let Some(invoice_id) = self.next_invoice_id {
            return Ok(Next::step(&CreditInvoice::<true> {
                change,
                invoice_id,
                next_invoice_id: None,
                reservation,
            }));
        }
        match change.release(reservation) {
            Some(release) => Ok(Next::Step(release)),
            None => change.finish(tx, now).await,
        }
    }
}

/// Releases the reservation for the change's certificate.
#[derive(Serialize, Deserialize)]
pub(super) struct ReleaseReservation {
    pub(super) change: CancelDomainChangeOperation,
    pub(super) license_id: LicenseId,
    pub(super) reservation_id: ReservationId,
}

impl Step for ReleaseReservation {
    const NAME: &'static str = "release";
    type Operation = CancelDomainChangeOperation;
    type Answer = ();

    /// A reservation that SanLicensing no longer holds counts as released.
    async fn ask(&self, peers: &Peers, request_id: Uuid) -> Result<(), PeerFault> {
        let (license_id, id) = (self.license_id, self.reservation_id);
        let released = peers.san_licensing.release(license_id, id, request_id);
        released.await.map(drop)
    }

    async fn apply(
        &self,
        tx: &Tx,
        now: Instant,
        released: &Result<(), Refusal>,
    ) -> Result<Next<CancelDomainChangeOperation>, Fault> {
        never_refused(Self::NAME, released)?;
        self.change.finish(tx, now).await
    }
}

/// The event of a cancelled change.
struct CancelledEvent<'a> {
    before: &'a Order,
    origin: &'a Origin,
    reason: &'a str,
    credit_notes: &'a [CreditNote],
    refused: &'a [Refusal],
}

impl CancelledEvent<'_> {
    async fn emit(&self, tx: &Tx, after: &Order, time: Instant) -> Result<(), Fault> {
        let change = self.before.change.as_ref();
        let refused = self.refused.iter();
        let event = OrderEvent {
            resource: after,
            origin: self.origin,
            time,
            why: why(self.reason),
            outcome: "CANCELLED",
            data: DomainChangeCancelled {
                added: change.map(|change| texts(&change.added)),
                removed: change.map(|change| texts(&change.removed)),
                common_name: after.common_name.value(),
                credit_note_ids: self.credit_notes.iter().map(CreditNote::id).collect(),
                refused_messages: refused.map(|it| it.message.as_str()).collect(),
            },
        };
        event.emit(tx).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The longest reason of a request, in characters.
    const MAX_REASON_CHARS: usize = 150;

    #[test]
    fn md_7_the_credit_notes_reason_fits_billing() {
        for reason in [String::new(), "é".repeat(MAX_REASON_CHARS)] {
            let text = credit_reason(OrderId::generate(), &reason);
            assert!(text.chars().count() <= 200, "{text}");
        }
    }
}
