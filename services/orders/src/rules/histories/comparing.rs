//! What the rules say of an order and what the model says of it, held against each other after every
//! step.

use std::collections::BTreeSet;

use super::{
    NAMES, SOFTWARE,
    desk::{Desk, charged, counts, sans},
    model,
};
use crate::rules::{
    issuance::longest_not_after,
    order::{ChangeProgress, Order, OrderTerm},
    permission::{Action, permit, renewable_from, renewable_until},
    product::ProductKind,
    refund_count::refund_count_start,
    samples,
    servers::{Server, registered, server_limit},
    slots::WildcardReplacement,
};

impl Desk {
    /// Everything that can be seen of the order is as the model has it.
    pub(super) fn compare(&self) {
        let (order, now) = self.order.clone().at(self.now());
        let model = &self.model;
        assert_eq!(now, model.now, "T-5");
        assert_eq!(order.state(now), model.state());
        assert_eq!(order.names, sans(&model.carried), "MD-7");
        let name = |place: usize| samples::dns(NAMES[place]);
        assert_eq!(order.common_name, name(model.common_name), "MD-5");
        let wanted = order.wanted_common_name();
        assert_eq!(wanted, &name(model.wanted_common_name()), "MD-5");
        assert_eq!(order.wanted_names(), &sans(&model.wanted()), "MD-7");
        assert_eq!(order.issuance_pending_since(), model.pending_since());
        assert_eq!(order.end(), model.end(), "MD-10");
        assert_eq!(order.server_software, SOFTWARE[model.software], "AL-6");
        assert_eq!(order.revision, model.moves, "MD-6");
        for action in Action::ALL {
            let reason = permit(&order, action, now).err().map(|it| it.reason);
            assert_eq!(reason, model.closed(action), "{action:?}");
        }
        self.compare_terms(&order);
        self.compare_change(&order);
        self.compare_what_hangs_on_it(&order);
    }

    fn compare_terms(&self, order: &Order) {
        let model = &self.model;
        let places = |kept: &BTreeSet<_>| -> BTreeSet<usize> {
            let all = self.servers.iter().enumerate();
            let kept = all.filter(|(_, server)| kept.contains(&server.id));
            kept.map(|(place, _)| place).collect()
        };
        let one = |term: &OrderTerm, expected: &model::Term| {
            let (common_name, names) = order.bought_for(term);
            assert!(names.contains(common_name), "MD-5");
            let sold = term.sold.as_ref().unwrap();
            assert_eq!(
                (term.term.start(), term.term.end()),
                (expected.start, expected.end)
            );
            assert_eq!(term.term.months(), expected.months);
            assert_eq!(term.price_time, expected.bought, "MD-8");
            assert_eq!(sold.product, expected.product, "BL-8");
            assert_eq!(
                i64::from(term.additional_licenses),
                expected.licenses,
                "AL-2"
            );
            assert_eq!(term.first_issuance_time, expected.first_issued, "AL-4");
            assert_eq!(term.bought(), expected.bought, "T-4");
            assert_eq!(counts(sold.slots), expected.slots, "MD-2, MD-4");
            assert_eq!(names, sans(&expected.names), "MD-5, MD-8");
            assert_eq!(
                term.kept_servers.as_ref().map(places),
                expected.kept,
                "AL-9"
            );
            // Whether the move that waits is made or cancelled.
            let place = usize::try_from(term.index).unwrap();
            let is_free = sold.product.wildcard_replacement == WildcardReplacement::Free
                || sold.product.kind == ProductKind::SingleDomain;
            for names in [&expected.names, &model.names_now(place)] {
                let (_, wildcards) = model::counts(names);
                let has_slots = wildcards <= i64::from(sold.slots.wildcard);
                assert!(
                    model.draws_on_license || is_free || has_slots,
                    "MD-4: {wildcards} wildcards, {:?}",
                    sold.slots
                );
            }
            let (names, slots) = (names.len(), sold.slots.total());
            let paid = names <= usize::try_from(slots).unwrap();
            assert!(
                model.draws_on_license || paid,
                "{names} names, {slots} slots"
            );
        };
        one(&order.term, model.term());
        assert_eq!(order.next_term.is_some(), model.next_term().is_some());
        if let (Some(next), Some(expected)) = (&order.next_term, model.next_term()) {
            one(next, expected);
        }
        if !model.is_deleted {
            let terms = self
                .past
                .iter()
                .chain([&order.term])
                .chain(&order.next_term);
            for term in terms {
                let place = usize::try_from(term.index).unwrap();
                let since = refund_count_start(term, &self.valid_periods(), self.now());
                assert_eq!(since, model.counted_since(place), "AL-4, term {place}");
            }
        }
        for (index, term) in (0..).zip(&model.terms) {
            let of_it = self.invoices.iter().filter(|it| it.term_index == index);
            let invoices: Vec<_> = of_it.map(|it| (it.total, it.credited)).collect();
            assert_eq!(invoices, term.invoices, "term {index}");
        }
        let days = |days: u32| chrono::TimeDelta::days(i64::from(days));
        let last = &model.terms.last().unwrap();
        let from = last.end.checked_add(-days(last.product.renewal_open_days));
        let until = last.end.checked_add(days(last.product.renewal_grace_days));
        assert_eq!(
            (renewable_from(order), renewable_until(order)),
            (from, until)
        );
    }

    fn compare_change(&self, order: &Order) {
        let model = &self.model;
        assert_eq!(order.change.is_some(), model.change.is_some(), "MD-7");
        let (Some(change), Some(expected)) = (&order.change, &model.change) else {
            return;
        };
        let index = usize::try_from(change.term_index).unwrap();
        assert_eq!(charged(change.charge), expected.charge(index), "MD-4");
        assert_eq!(
            charged(change.next_charge),
            expected.charge(index + 1),
            "MD-8"
        );
        let moved = expected.moved.map(|name| samples::dns(NAMES[name]));
        assert_eq!(change.common_name, moved, "MD-5");
        assert_eq!(change.added, sans(&expected.added));
        assert_eq!(change.removed, sans(&expected.removed));
        assert_eq!(change.accept_time, expected.accepted);
        let waits = change.progress == ChangeProgress::AwaitingIssuance;
        assert_eq!(waits, expected.waits);
    }

    fn compare_what_hangs_on_it(&self, order: &Order) {
        let (model, now) = (&self.model, self.model.now);
        let servers = self.servers_now();
        let serves = |server: &Server| {
            let mut names = NAMES.iter();
            let found = names.position(|name| samples::dns(name) == server.common_name);
            found.unwrap()
        };
        let seen = servers.iter().map(|server| model::Server {
            primary: server.primary,
            serves: serves(server),
            state: server.state,
        });
        assert_eq!(seen.collect::<Vec<_>>(), model.servers, "AL-7, AL-9");
        let limit = match model.is_deleted {
            true => 0,
            false => 1 + model.term().licenses,
        };
        assert_eq!(server_limit(order), limit.unsigned_abs(), "AL-1");
        for server in registered(&servers) {
            assert_eq!(server.common_name, order.common_name, "AL-6");
        }
        let used = i64::try_from(model.registered().len()).unwrap();
        assert!(used <= limit, "AL-8: {used} servers, {limit} allowed");
        for (place, found) in self.certificates.iter().enumerate() {
            let expected = &model.certificates[place];
            assert_eq!(found.state(now), model.certificate_state(place), "MD-7");
            assert_eq!(found.revoke_time, expected.revoked);
            assert_eq!(found.revoke_reason, expected.reason);
        }
        if model.state() == crate::rules::order::OrderState::Issued {
            let longest = longest_not_after(order, now).unwrap();
            assert_eq!(longest, model.longest_not_after(), "MD-9");
        }
    }
}
