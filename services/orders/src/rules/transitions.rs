//! The transitions of an order: each function takes an order and returns the next one, with its
//! revision and decision time. Whether a transition is allowed was decided before.

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
    /// Counts the transition in the revision, so that an earlier quote no longer matches (MD-6),
    /// and dates it no earlier than the last one (T-5).
    pub(super) fn moved(self, now: Instant) -> Order {
        Order {
            revision: self.revision.saturating_add(1),
            decision_time: self.decision_time.max(now),
            ..self
        }
    }

    /// The order is charged and awaits its first certificate. Its term began when it was accepted,
    /// however long the charge took (T-4). `price_time` is since when the charged prices are in
    /// force: looked up at that instant they never change, whereas a price list set moments before
    /// the order may have come too late for it (BL-8).
    pub(crate) fn apply_sale(mut self, sold: SoldProduct, price_time: Option<Instant>) -> Order {
        let accepted = self.decision_time;
        self.term.sold = Some(sold);
        self.term.price_time = price_time.unwrap_or(self.term.price_time);
        self.progress = Progress::Paid;
        self.moved(accepted)
    }

    /// A domain change is accepted. A free one awaits its certificate at once. One to be charged
    /// counts in the revision only once it is charged, so that its quote still matches after a
    /// refused charge.
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

    /// The change is charged: its slots belong to the order (MD-2), those of the next term by what
    /// was charged there (MD-8), and it awaits its certificate.
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

    /// The change is cancelled before its certificate (MD-7): domains and slots are as before it,
    /// also in the next term (MD-8). No term stores a pending move, so nothing of it is left
    /// (MD-5).
    pub(crate) fn apply_change_cancelled(mut self, now: Instant) -> Order {
        if let Some(change) = self.change.take() {
            let (this, next) = (change.term_index, change.term_index.saturating_add(1));
            self.change_slots(this, |slots| slots.minus(change.charge));
            self.change_slots(next, |slots| slots.minus(change.next_charge));
        }
        // The reservation for its certificate was released before.
        self.reservation_id = None;
        self.moved(now)
    }

    /// Changes the slots of the running or the next term; a past term has none to change.
    fn change_slots(&mut self, index: u32, change: impl FnOnce(Slots) -> Slots) {
        let terms = std::iter::once(&mut self.term).chain(&mut self.next_term);
        let term = terms.into_iter().find(|term| term.index == index);
        if let Some(sold) = term.and_then(|term| term.sold.as_mut()) {
            sold.slots = change(sold.slots);
        }
    }

    /// The charge of the change was refused: the order is as before it.
    pub(crate) fn apply_change_refused(mut self, now: Instant) -> Order {
        self.change = None;
        self.apply_decision(now)
    }

    /// A certificate with the wanted domains is recorded: a pending change is made (MD-7), the
    /// common name has moved if it was to (MD-5), and the term's first issuance is stored (AL-4).
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

    /// A reservation for the next certificate was granted; the one before is released. A
    /// quote does not depend on it, so the revision stays (MD-6).
    pub(crate) fn apply_reservation(mut self, id: ReservationId, now: Instant) -> Order {
        self.reservation_id = Some(id);
        self.apply_decision(now)
    }

    /// The order is deleted, and its pending change dropped.
    pub(crate) fn apply_deletion(mut self, now: Instant) -> Order {
        self.progress = Progress::Deleted;
        self.change = None;
        self.reissue_since = None;
        self.reservation_id = None;
        self.delete_time = Some(now);
        self.moved(now)
    }

    /// Stores refunds of a deleted order by term index, and whether any is still in review. Refunds
    /// of other terms stay.
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

    /// The term is bought: it runs from the end of the present one, even if that has passed
    /// (MD-10). It is stored without a pending move of the common name, which is made in it if it
    /// is made at all (MD-5).
    /// While it was being charged, servers may have left, which frees their places, and others may
    /// have come that were not `known` at acceptance: each stays if there is a place (AL-9).
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

    /// A server was registered: it stays in the next term if that has a place (AL-9).
    pub(crate) fn apply_registration(mut self, id: ServerId, now: Instant) -> Order {
        if let Some(next) = &mut self.next_term
            && let Some(kept) = &mut next.kept_servers
            && kept.len() as u64 <= u64::from(next.additional_licenses)
        {
            kept.insert(id);
        }
        self.apply_decision(now)
    }

    /// A server was unregistered, which frees its place in the next term, too (AL-8).
    pub(crate) fn apply_unregistration(mut self, id: ServerId, now: Instant) -> Order {
        if let Some(next) = &mut self.next_term
            && let Some(kept) = &mut next.kept_servers
        {
            kept.remove(&id);
        }
        self.apply_decision(now)
    }

    /// A decision that leaves the order as it is (T-5).
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

        // Two removed now and two added later cost nothing (MD-2).
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
