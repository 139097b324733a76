//! Notes the outcome of refund reviews on deleted orders once Billing has it (AL-4). Nothing is
//! decided here.

use std::collections::BTreeMap;

use licet_clients::billing::Refund;
use licet_domain::{
    clock::Instant,
    ids::{AccountId, OrderId},
};
use licet_runtime::{
    database::{Tx, Work},
    fault::Fault,
};

use super::{event::OrderEvent, turns};
use crate::{events::RefundReviewed, queries::order_view::refunds, rules::order::Order, store};

/// The refunds of an order that are in review, ascending by term.
pub(crate) fn waiting(order: &Order) -> Result<Vec<Refund>, Fault> {
    let mut shown = refunds(order)?;
    shown.retain(Refund::is_in_review);
    Ok(shown)
}

/// Notes the refunds that Billing returned.
pub(crate) struct NoteReviews<'a> {
    pub(crate) account_id: AccountId,
    pub(crate) order_id: OrderId,
    pub(crate) answered: &'a [Refund],
    pub(crate) now: Instant,
}

impl NoteReviews<'_> {
    /// The refunds that were reviewed since the order was last updated, by term index.
    fn newer(&self, order: &Order) -> Result<BTreeMap<u32, Refund>, Fault> {
        let mut newer = BTreeMap::new();
        for (index, shown) in &order.refunds {
            let shown = Refund::decode(shown)?;
            let mut answered = self.answered.iter();
            let found = answered.find(|found| found.id() == shown.id());
            let reviewed = found.filter(|it| !it.is_in_review() && **it != shown);
            newer.extend(reviewed.map(|it| (*index, it.clone())));
        }
        Ok(newer)
    }
}

impl Work for NoteReviews<'_> {
    /// Whether anything changed.
    type Output = bool;

    async fn run(&self, tx: &Tx) -> Result<bool, Fault> {
        let before = store::orders::lock(tx, &self.account_id.into(), self.order_id).await?;
        let newer = self.newer(&before)?;
        let encoded = newer.iter();
        let encoded = encoded.map(|(index, refund)| (*index, refund.encode()));
        let noted = before.clone().apply_refunds(encoded.collect(), true);
        let still_waits = !waiting(&noted)?.is_empty();
        let after = noted.apply_refunds(BTreeMap::new(), still_waits);
        if after == before {
            return Ok(false);
        }
        store::orders::save(tx, &before, &after).await?;
        for refund in newer.values() {
            self.emit(tx, &after, refund).await?;
        }
        Ok(true)
    }
}

impl NoteReviews<'_> {
    async fn emit(&self, tx: &Tx, after: &Order, refund: &Refund) -> Result<(), Fault> {
        let (value, currency) = refund.refunded_text().unzip();
        let (reviewer, reason) = refund.review();
        let event = OrderEvent {
            resource: after,
            origin: &turns::origin(),
            time: after.decide_at(self.now),
            why: "AL-4",
            outcome: refund.state_name(),
            data: RefundReviewed {
                refund_id: refund.id(),
                term_index: refund.term_index(),
                refunded: value,
                currency,
                reviewer,
                review_reason: reason,
            },
        };
        event.emit(tx).await
    }
}
