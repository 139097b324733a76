//! Compares everything that can be seen of an order with the oracle's.

use std::collections::BTreeSet;

use licet_oracle::{
    assert_same,
    orders::{order as oracle, policy::count},
};

use super::desk::{Desk, charged, counts, policy_of, sans};
use crate::rules::{
    issuance::longest_not_after,
    order::{ChangeProgress, Order, OrderTerm},
    permission::{Action, permit, renewable_from, renewable_until},
    product::ProductKind,
    refund_count::refund_count_start,
    samples,
    servers::{registered, server_limit},
    slots::WildcardReplacement,
};

/// The actions, each with the oracle's.
const ACTIONS: [(Action, oracle::Action); Action::ALL.len()] = [
    (Action::ChangeDomains, oracle::Action::ChangeDomains),
    (Action::CancelChange, oracle::Action::CancelChange),
    (Action::RequestReissue, oracle::Action::RequestReissue),
    (Action::RecordIssuance, oracle::Action::RecordIssuance),
    (Action::RevokeCertificate, oracle::Action::RevokeCertificate),
    (Action::RegisterServer, oracle::Action::RegisterServer),
    (Action::UnregisterServer, oracle::Action::UnregisterServer),
    (Action::SetServerSoftware, oracle::Action::SetServerSoftware),
    (Action::Renew, oracle::Action::Renew),
    (Action::Delete, oracle::Action::Delete),
];

impl Desk {
    pub(super) fn compare(&self) {
        let (order, now) = self.order.clone().at(self.now());
        let model = &self.model;
        assert_eq!(now, model.now, "T-5");
        assert_same(order.state(now), model.state(), "MD-10");
        assert_eq!(order.names, sans(&model.carried), "MD-7");
        let common_name = samples::dns(model.common_name);
        assert_eq!(order.common_name, common_name, "MD-5");
        let wanted = samples::dns(model.wanted_common_name());
        assert_eq!(order.wanted_common_name(), &wanted, "MD-5");
        assert_eq!(order.wanted_names(), &sans(&model.wanted()), "MD-7");
        assert_eq!(order.issuance_pending_since(), model.pending_since());
        assert_eq!(order.end(), model.end(), "MD-10");
        assert_eq!(order.server_software, model.software, "AL-6");
        assert_eq!(i64::try_from(order.revision), Ok(model.revision), "MD-6");
        for (action, asked) in ACTIONS {
            let reason = permit(&order, action, now).err().map(|it| it.reason);
            assert_eq!(reason, model.forbids(asked), "{action:?}");
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
        let one = |term: &OrderTerm, expected: &oracle::Term| {
            let (common_name, names) = order.bought_for(term);
            assert!(names.contains(common_name), "MD-5");
            let sold = term.sold.as_ref().unwrap();
            assert_eq!(
                (term.term.start(), term.term.end()),
                (expected.start, expected.end)
            );
            assert_eq!(term.term.months(), expected.months);
            assert_eq!(term.price_time, expected.price_time, "MD-8");
            assert_eq!(policy_of(&sold.product), expected.policy, "BL-8");
            assert_eq!(
                i64::from(term.additional_licenses),
                expected.licenses,
                "AL-2"
            );
            assert_eq!(term.first_issuance_time, expected.first_issued, "AL-4");
            assert_eq!(term.bought(), expected.bought, "T-4");
            assert_eq!(counts(sold.slots), expected.slots, "MD-2, MD-4");
            assert_eq!(names, sans(&expected.domains), "MD-5, MD-8");
            assert_eq!(
                term.kept_servers.as_ref().map(places),
                expected.kept,
                "AL-9"
            );
            // Whether the move that waits is made or cancelled.
            let place = usize::try_from(term.index).unwrap();
            let is_free = sold.product.wildcard_replacement == WildcardReplacement::Free
                || sold.product.kind == ProductKind::SingleDomain;
            for domains in [&expected.domains, &model.domains_without(place)] {
                let (_, wildcards) = count(domains);
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
            let expected = term.invoices.iter().map(|it| (it.total, it.credited));
            assert_eq!(invoices, expected.collect::<Vec<_>>(), "term {index}");
        }
        let (from, until) = model.renewable();
        let window = (renewable_from(order), renewable_until(order));
        assert_eq!(window, (Some(from), Some(until)), "MD-10");
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
        let moved = expected.moved.map(samples::dns);
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
        assert_eq!(servers.len(), model.servers.len());
        for (server, expected) in servers.iter().zip(&model.servers) {
            assert_eq!(server.primary, expected.is_primary, "AL-8");
            assert_eq!(server.common_name, samples::dns(expected.serves), "AL-6");
            assert_same(server.state, expected.state, "AL-7, AL-9");
        }
        let limit = model.server_limit();
        assert_eq!(server_limit(order), limit.unsigned_abs(), "AL-1");
        for server in registered(&servers) {
            assert_eq!(server.common_name, order.common_name, "AL-6");
        }
        let used = i64::try_from(model.registered().len()).unwrap();
        assert!(used <= limit, "AL-8: {used} servers, {limit} allowed");
        for (place, found) in self.certificates.iter().enumerate() {
            let expected = &model.certificates[place];
            assert_same(found.state(now), model.certificate_state(place), "MD-7");
            assert_eq!(found.revoke_time, expected.revoked);
            assert_eq!(found.revoke_reason, expected.reason);
        }
        if model.state() == oracle::OrderState::Issued {
            let longest = longest_not_after(order, now).unwrap();
            assert_eq!(longest, model.longest_not_after(), "MD-9");
        }
    }
}
