//! How an order moves on: each function takes the order and gives the next one. That the move is
//! allowed was decided before; here it is only made, with its revision and its decision time.

use std::collections::BTreeSet;

use licet_domain::{
    clock::Instant,
    ids::{OperationId, ReservationId},
    money::Money,
    san::San,
};

use super::{
    domains::DomainPlan,
    order::{ChangeCharge, ChangeProgress, DomainChange, Order, Progress, Sold},
};

impl Order {
    /// Every move counts in the revision, so that a quote made before it no longer fits (MD-6),
    /// and none is dated before the last (T-5).
    fn moved(self, now: Instant) -> Order {
        Order {
            revision: self.revision.saturating_add(1),
            decision_time: self.decision_time.max(now),
            ..self
        }
    }

    /// The order is charged and waits for its first certificate. Its term began when it was
    /// accepted, however late the charge came through (T-4). `price_time` is since when the prices
    /// that it was charged by are in force: looked up at that very instant they are the same ones
    /// for ever, while a list set moments before the order may have come too late for it (BL-8).
    pub(crate) fn apply_sale(mut self, sold: Sold, price_time: Option<Instant>) -> Order {
        let accepted = self.decision_time;
        self.term.sold = Some(sold);
        self.term.price_time = price_time.unwrap_or(self.term.price_time);
        self.progress = Progress::Paid;
        self.issuance_pending_since = Some(accepted);
        self.moved(accepted)
    }

    /// A change of names is accepted. One that costs nothing waits for its certificate at once;
    /// one to be charged counts in the revision only once it is, so that after a refused charge
    /// the quote that it was made with still fits.
    pub(crate) fn apply_change(
        mut self,
        plan: DomainPlan,
        operation_id: Option<OperationId>,
        now: Instant,
    ) -> Order {
        let free = plan.charge.is_zero();
        let currency = self.term.sold.as_ref().map(|sold| sold.currency);
        let nothing = |currency| ChangeCharge {
            invoice_id: None,
            total: Money::zero(currency),
        };
        self.change = Some(DomainChange {
            progress: if free {
                ChangeProgress::AwaitingIssuance
            } else {
                ChangeProgress::Charging
            },
            names: plan.names,
            added: plan.added,
            removed: plan.removed,
            charge: plan.charge,
            accept_time: now,
            operation_id,
            charged: currency.filter(|_| free).map(nothing),
        });
        if free {
            self.issuance_pending_since = self.issuance_pending_since.or(Some(now));
            self.moved(now)
        } else {
            self.apply_decision(now)
        }
    }

    /// The change is paid for: its slots belong to the order now (MD-2), and its certificate is
    /// awaited.
    pub(crate) fn apply_change_charged(mut self, charge: ChangeCharge, now: Instant) -> Order {
        if let Some(change) = &mut self.change {
            change.progress = ChangeProgress::AwaitingIssuance;
            change.charged = Some(charge);
            if let Some(sold) = &mut self.term.sold {
                sold.slots = sold.slots.plus(change.charge);
            }
            let accepted = change.accept_time;
            self.issuance_pending_since = self.issuance_pending_since.or(Some(accepted));
        }
        self.moved(now)
    }

    /// The change was refused by whoever charges it: the order is as it was before.
    pub(crate) fn apply_change_refused(mut self, now: Instant) -> Order {
        self.change = None;
        self.apply_decision(now)
    }

    /// A certificate with the wanted names is recorded: a change that waited for it is through
    /// (MD-7), and the refund days of the term count from the first one (AL-4).
    pub(crate) fn apply_issuance(mut self, now: Instant) -> Order {
        self.names = self.wanted_names().clone();
        self.change = None;
        self.issuance_pending_since = None;
        self.reservation_id = None;
        self.progress = Progress::Issued;
        self.term.first_issuance_time = self.term.first_issuance_time.or(Some(now));
        self.moved(now)
    }

    /// Room for the certificate to be signed was granted. A reservation before it lapses by
    /// itself. Nothing that a quote is pinned to has changed, so the revision stays (MD-6).
    pub(crate) fn apply_reservation(mut self, id: ReservationId, now: Instant) -> Order {
        self.reservation_id = Some(id);
        self.apply_decision(now)
    }

    /// The order is deleted; a change that waited goes with it.
    pub(crate) fn apply_deletion(mut self, now: Instant) -> Order {
        self.progress = Progress::Deleted;
        self.change = None;
        self.issuance_pending_since = None;
        self.reservation_id = None;
        self.delete_time = Some(now);
        self.moved(now)
    }

    /// The refund of a deleted order was decided, or left to a review.
    pub(crate) fn apply_refund(self, refund: Vec<u8>) -> Order {
        Order {
            refund: Some(refund),
            ..self
        }
    }

    /// Something was decided about the order that leaves it as it is (T-5).
    pub(crate) fn apply_decision(mut self, now: Instant) -> Order {
        self.decision_time = self.decision_time.max(now);
        self
    }
}

/// A change as it was kept: the names after it are those of the order with the change made.
pub(crate) fn changed_names(
    names: &BTreeSet<San>,
    added: &BTreeSet<San>,
    removed: &BTreeSet<San>,
) -> BTreeSet<San> {
    names.difference(removed).chain(added).cloned().collect()
}

#[cfg(test)]
mod tests {
    use licet_domain::ids::InvoiceId;

    use super::{
        super::{
            domains::{WantedChange, plan_domain_change},
            samples::{instant, names, order},
            slots::Slots,
        },
        *,
    };

    fn plan(order: &Order, add: &[&str], remove: &[&str]) -> DomainPlan {
        let wanted = WantedChange {
            add: names(add),
            remove: names(remove),
        };
        plan_domain_change(order, &wanted).unwrap()
    }

    fn charge() -> ChangeCharge {
        ChangeCharge {
            invoice_id: Some(InvoiceId::generate()),
            total: Money::from_minor("USD".parse().unwrap(), 2450),
        }
    }

    fn slots(order: &Order) -> Slots {
        order.sold().unwrap().slots
    }

    #[test]
    fn md_2_charged_slots_stay_and_md_7_names_switch_with_the_certificate() {
        let now = instant("2026-07-01T00:00:00Z");
        let before = order(&["example.com", "a.example.com", "b.example.com"]);
        let change = plan(&before, &["c.example.com"], &[]);
        let charging = before.clone().apply_change(change, None, now);
        assert_eq!(charging.issuance_pending_since, None);
        assert_eq!(slots(&charging).standard, 3);

        let waiting = charging.apply_change_charged(charge(), now);
        assert_eq!(waiting.issuance_pending_since, Some(now));
        assert_eq!(slots(&waiting).standard, 4);
        assert_eq!(waiting.names.len(), 3);

        let issued = waiting.apply_issuance(now);
        assert_eq!(issued.names.len(), 4);
        assert_eq!(issued.change, None);

        // Two removed today and two added later cost nothing (MD-2).
        let fewer = plan(&issued, &[], &["a.example.com", "b.example.com"]);
        let fewer = issued.apply_change(fewer, None, now).apply_issuance(now);
        assert!(
            plan(&fewer, &["d.example.com", "e.example.com"], &[])
                .charge
                .is_zero()
        );
    }

    #[test]
    fn bl_8_a_term_keeps_the_prices_that_it_was_charged_by() {
        let mut pending = order(&["example.com"]);
        pending.progress = Progress::Pending;
        let sold = pending.term.sold.take().unwrap();
        let accepted = pending.term.price_time;
        let since = instant("2025-12-01T00:00:00Z");
        let paid = pending.clone().apply_sale(sold.clone(), Some(since));
        assert_eq!(
            (paid.progress, paid.term.price_time),
            (Progress::Paid, since)
        );
        assert_eq!(pending.apply_sale(sold, None).term.price_time, accepted);
    }

    #[test]
    fn md_6_after_a_refused_charge_the_quote_still_fits() {
        let now = instant("2026-07-01T00:00:00Z");
        let before = order(&["example.com", "a.example.com", "b.example.com"]);
        let change = plan(&before, &["c.example.com"], &[]);
        let after = before
            .clone()
            .apply_change(change, None, now)
            .apply_change_refused(now);
        assert_eq!(
            after,
            Order {
                decision_time: now,
                ..before
            }
        );
    }

    #[test]
    fn al_4_a_later_certificate_does_not_restart_the_refund_days() {
        let before = order(&["example.com"]);
        let first = before.term.first_issuance_time;
        let after = before.apply_issuance(instant("2026-07-01T00:00:00Z"));
        assert_eq!(after.term.first_issuance_time, first);
    }

    #[test]
    fn x_4_a_reservation_lasts_until_the_certificate_or_the_deletion() {
        let now = instant("2026-07-01T00:00:00Z");
        let before = order(&["example.com"]);
        let (first, second) = (ReservationId::generate(), ReservationId::generate());
        let held = before.clone().apply_reservation(first, now);
        assert_eq!(
            (held.reservation_id, held.revision),
            (Some(first), before.revision)
        );
        let held = held.apply_reservation(second, now);
        assert_eq!(held.reservation_id, Some(second));
        assert_eq!(held.clone().apply_issuance(now).reservation_id, None);
        assert_eq!(held.apply_deletion(now).reservation_id, None);
    }

    #[test]
    fn x_3_a_deleted_order_waits_for_nothing() {
        let now = instant("2026-07-01T00:00:00Z");
        let before = order(&["example.com", "a.example.com"]);
        let change = plan(&before, &[], &["a.example.com"]);
        let after = before.apply_change(change, None, now).apply_deletion(now);
        assert_eq!((after.change, after.issuance_pending_since), (None, None));
        assert_eq!(after.delete_time, Some(now));
    }
}
