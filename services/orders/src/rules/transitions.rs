//! How an order moves on: each function takes the order and gives the next one. That the move is
//! allowed was decided before; here it is only made, with its revision and its decision time.

use std::collections::{BTreeMap, BTreeSet};

use licet_domain::{
    clock::Instant,
    ids::{OperationId, ReservationId, ServerId},
    money::Money,
};

use super::{
    domains::DomainPlan,
    order::{ChangeCharge, ChangeProgress, DomainChange, Order, OrderTerm, Progress, SoldProduct},
    servers::{Server, registered},
    slots::Slots,
};

impl Order {
    /// Every move counts in the revision, so that a quote made before it no longer fits (MD-6),
    /// and none is dated before the last (T-5).
    pub(super) fn moved(self, now: Instant) -> Order {
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
    pub(crate) fn apply_sale(mut self, sold: SoldProduct, price_time: Option<Instant>) -> Order {
        let accepted = self.decision_time;
        self.term.sold = Some(sold);
        self.term.price_time = price_time.unwrap_or(self.term.price_time);
        self.progress = Progress::Paid;
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
        let free = plan.is_free();
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
            term_index: self.term.index,
            in_next_term: self.next_term.is_some(),
            names: plan.names,
            added: plan.added,
            removed: plan.removed,
            common_name: plan.common_name,
            charge: plan.charge,
            next_charge: plan.next_charge,
            accept_time: now,
            operation_id,
            charged: currency.filter(|_| free).map(nothing),
            next_charged: None,
        });
        if free {
            self.moved(now)
        } else {
            self.apply_decision(now)
        }
    }

    /// The change is paid for: its slots belong to the order now (MD-2), in the next term by what
    /// was charged for that (MD-8), and its certificate is awaited.
    pub(crate) fn apply_change_charged(
        mut self,
        charged: Option<ChangeCharge>,
        next_charged: Option<ChangeCharge>,
        now: Instant,
    ) -> Order {
        let Some(mut change) = self.change.take() else {
            return self.moved(now);
        };
        change.progress = ChangeProgress::AwaitingIssuance;
        change.charged = charged;
        change.next_charged = next_charged;
        let (this, next) = (change.term_index, change.term_index.saturating_add(1));
        self.change_slots(this, |slots| slots.plus(change.charge));
        self.change_slots(next, |slots| slots.plus(change.next_charge));
        self.change = Some(change);
        self.moved(now)
    }

    /// The change is taken back before its certificate came (MD-7): names and slots are as they
    /// were before it, those of the next term, too (MD-8). No term keeps a move that waits, so that
    /// nothing of it comes back (MD-5).
    pub(crate) fn apply_change_cancelled(mut self, now: Instant) -> Order {
        if let Some(change) = self.change.take() {
            let (this, next) = (change.term_index, change.term_index.saturating_add(1));
            self.change_slots(this, |slots| slots.minus(change.charge));
            self.change_slots(next, |slots| slots.minus(change.next_charge));
        }
        // The room for its certificate is given back before.
        self.reservation_id = None;
        self.moved(now)
    }

    /// Changes the slots of the running or the next term; a term that is over has none to change.
    fn change_slots(&mut self, index: u32, change: impl FnOnce(Slots) -> Slots) {
        let terms = std::iter::once(&mut self.term).chain(&mut self.next_term);
        let term = terms.into_iter().find(|term| term.index == index);
        if let Some(sold) = term.and_then(|term| term.sold.as_mut()) {
            sold.slots = change(sold.slots);
        }
    }

    /// The change was refused by whoever charges it: the order is as it was before.
    pub(crate) fn apply_change_refused(mut self, now: Instant) -> Order {
        self.change = None;
        self.apply_decision(now)
    }

    /// A certificate with the wanted names is recorded: a change that waited for it is through
    /// (MD-7), the common name has moved where it was to (MD-5), and the first one of the term is kept
    /// with it (AL-4).
    pub(crate) fn apply_issuance(mut self, now: Instant) -> Order {
        let common_name = self.wanted_common_name().clone();
        self.names = self.wanted_names().clone();
        if let (Some(change), Some(next)) = (&self.change, &mut self.next_term) {
            let names = next.names.take();
            next.names = names.map(|names| change.names_in(next.index, &names, &self.common_name));
        }
        self.common_name = common_name;
        self.term.names = None;
        self.change = None;
        self.reissue_since = None;
        self.reservation_id = None;
        self.progress = Progress::Issued;
        self.term.first_issuance_time = self.term.first_issuance_time.or(Some(now));
        self.moved(now)
    }

    /// Room for the certificate to be signed was granted. The reservation before it is given
    /// back. Nothing that a quote is pinned to has changed, so the revision stays (MD-6).
    pub(crate) fn apply_reservation(mut self, id: ReservationId, now: Instant) -> Order {
        self.reservation_id = Some(id);
        self.apply_decision(now)
    }

    /// The order is deleted; a change that waited goes with it.
    pub(crate) fn apply_deletion(mut self, now: Instant) -> Order {
        self.progress = Progress::Deleted;
        self.change = None;
        self.reissue_since = None;
        self.reservation_id = None;
        self.delete_time = Some(now);
        self.moved(now)
    }

    /// The refunds of a deleted order's terms as they stand, by index, and whether a review of any is
    /// still awaited. A refund that is absent stays as it was.
    pub(crate) fn apply_refunds(
        mut self,
        refunds: BTreeMap<u32, Vec<u8>>,
        refund_in_review: bool,
    ) -> Order {
        self.refunds.extend(refunds);
        Order {
            refund_in_review,
            ..self
        }
    }

    /// The term is bought: it runs from the end of the present one on (MD-10), which may have passed.
    /// It is kept without a move of the common name that waits, which is made in it when it is made at
    /// all (MD-5).
    /// While it was being charged, servers may have left, which frees their places, and others may
    /// have come that were not `known` when it was accepted: each stays where there is one (AL-9).
    pub(crate) fn apply_renewal(
        mut self,
        mut term: OrderTerm,
        known: &BTreeSet<ServerId>,
        servers: &[Server],
        now: Instant,
    ) -> Order {
        let here: BTreeSet<ServerId> = registered(servers).map(|server| server.id).collect();
        if let Some(kept) = &mut term.kept_servers {
            kept.retain(|id| here.contains(id));
        }
        term.names = term.names.map(|names| self.without_move(&names));
        self.next_term = Some(term);
        self.end_noted = false;
        let came = registered(servers).filter(|server| !known.contains(&server.id));
        came.fold(self.moved(now), |order, server| {
            order.apply_registration(server.id, now)
        })
    }

    /// A server was registered: it stays in the next term where that has a place for it (AL-9).
    pub(crate) fn apply_registration(mut self, id: ServerId, now: Instant) -> Order {
        if let Some(next) = &mut self.next_term
            && let Some(kept) = &mut next.kept_servers
            && kept.len() as u64 <= u64::from(next.additional_licenses)
        {
            kept.insert(id);
        }
        self.apply_decision(now)
    }

    /// A server left, and frees its place in the next term, too (AL-8).
    pub(crate) fn apply_unregistration(mut self, id: ServerId, now: Instant) -> Order {
        if let Some(next) = &mut self.next_term
            && let Some(kept) = &mut next.kept_servers
        {
            kept.remove(&id);
        }
        self.apply_decision(now)
    }

    /// Something was decided about the order that leaves it as it is (T-5).
    pub(crate) fn apply_decision(mut self, now: Instant) -> Order {
        self.decision_time = self.decision_time.max(now);
        self
    }
}

#[cfg(test)]
mod tests {
    use licet_domain::ids::InvoiceId;

    use super::{
        super::{
            domains::{WantedChange, plan_domain_change},
            samples::{instant, names, order},
        },
        *,
    };

    fn plan(order: &Order, add: &[&str], remove: &[&str]) -> DomainPlan {
        let wanted = WantedChange {
            add: names(add),
            remove: names(remove),
            common_name: None,
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
        assert_eq!(charging.issuance_pending_since(), None);
        assert_eq!(slots(&charging).standard, 3);

        let waiting = charging.apply_change_charged(Some(charge()), None, now);
        assert_eq!(waiting.issuance_pending_since(), Some(now));
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
        assert_eq!(after.issuance_pending_since(), None);
        assert_eq!((after.change, after.delete_time), (None, Some(now)));
    }
}
