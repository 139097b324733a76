//! Compares what the API shows of a random history's account and orders with the oracle.

use licet_contracts::orders::v1::{
    ListCertificatesRequest, ListServersRequest, Order as Seen, OrderTerm,
};
use licet_domain::money::Money;
use licet_oracle::{
    assert_same,
    orders::{order::OrderState, policy::Domains},
};

use super::{orders_histories::History, orders_tracked::TrackedOrder};
use crate::harness::{clock::instant, samples::minor};

impl History<'_> {
    /// Compares the account and the touched order with the model; sometimes, or if `all` is set, every other
    /// order too.
    pub(super) async fn compare(&mut self, all: bool) {
        let all = all || self.random.below(6) == 0;
        let account = self.world.get_account(&self.account_id).await;
        let balance = Money::from_minor(self.currency, self.balance).value();
        assert_eq!(account.balance.unwrap().value, balance, "BL-4, BL-6");
        for (place, order) in self.orders.iter().enumerate() {
            if place != self.touched && !all {
                continue;
            }
            self.compare_invoices(order).await;
            compare_order(&self.world.get_order(&order.id).await, order);
            self.compare_servers(order).await;
            self.compare_certificates(order).await;
        }
    }

    async fn compare_invoices(&self, order: &TrackedOrder) {
        let invoices = self.world.invoices_of(&order.id).await;
        let mut found: Vec<_> = invoices
            .iter()
            .map(|it| {
                let term = it.subject.as_ref().unwrap().term_index;
                (
                    usize::try_from(term).unwrap(),
                    minor(it.total.as_ref()),
                    minor(it.credited.as_ref()),
                )
            })
            .collect();
        let terms = order.model.terms.iter().enumerate();
        let mut expected: Vec<_> = terms
            .flat_map(|(place, term)| {
                let each = term.invoices.iter();
                each.map(move |it| (place, it.total, it.credited))
            })
            .collect();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "P-2, MD-1, MD-7, AL-4");
    }

    async fn compare_servers(&self, order: &TrackedOrder) {
        let request = ListServersRequest {
            order_id: order.id.clone(),
            ..ListServersRequest::default()
        };
        let answer = self.world.servers().list_servers(request).await;
        let answer = answer.unwrap().into_inner();
        let seen = answer.servers.iter();
        let mut seen: Vec<_> = seen
            .map(|it| {
                let serves = it.common_name.as_str();
                let state = format!("{:?}", it.state());
                (it.server_id.as_str(), it.primary, serves, state)
            })
            .collect();
        let model = &order.model;
        let expected = order.server_ids.iter().zip(&model.servers);
        let mut expected: Vec<_> = expected
            .map(|(id, it)| {
                (
                    id.as_str(),
                    it.is_primary,
                    it.serves,
                    format!("{:?}", it.state),
                )
            })
            .collect();
        seen.sort();
        expected.sort();
        assert_eq!(seen, expected, "AL-6 to AL-9");
        let mut registered = model.registered().into_iter();
        assert!(
            registered.all(|it| model.servers[it].serves == model.common_name),
            "AL-6"
        );
        let licensed = model.server_limit();
        assert_eq!(i64::from(answer.licensed_servers), licensed, "AL-1");
        assert!(i64::from(answer.registered_servers) <= licensed, "AL-8");
    }

    async fn compare_certificates(&self, order: &TrackedOrder) {
        let request = ListCertificatesRequest {
            order_id: order.id.clone(),
            page_size: 1000,
            ..ListCertificatesRequest::default()
        };
        let answer = self.world.certificates().list_certificates(request).await;
        let found = answer.unwrap().into_inner().certificates;
        let mut seen: Vec<_> = found
            .into_iter()
            .map(|it| {
                let revoked = it.revoke_time.map(|time| instant(Some(time)));
                (
                    it.certificate_id.clone(),
                    format!("{:?}", it.state()),
                    revoked,
                )
            })
            .collect();
        let ids = order.certificate_ids.iter().enumerate();
        let mut expected: Vec<_> = ids
            .map(|(place, id)| {
                let state = format!("{:?}", order.model.certificate_state(place));
                (id.clone(), state, order.model.certificates[place].revoked)
            })
            .collect();
        seen.sort();
        expected.sort();
        assert_eq!(seen, expected, "MD-7, X-8");
    }
}

fn texts(domains: &Domains) -> Vec<String> {
    domains.iter().map(ToString::to_string).collect()
}

fn compare_order(seen: &Seen, order: &TrackedOrder) {
    let model = &order.model;
    assert_same(seen.state(), model.state(), "MD-10");
    assert_eq!(seen.domains, texts(&model.carried), "MD-7");
    assert_eq!(seen.common_name, model.common_name, "MD-5");
    assert_eq!(instant(seen.end_time), model.end(), "MD-10");
    assert_eq!(seen.server_software, model.software, "AL-6");
    assert_eq!(seen.revision, model.revision, "MD-6");
    let pending = seen.issuance_pending_time.map(|time| instant(Some(time)));
    let awaited = model.pending_since();
    let awaited = awaited.filter(|_| model.state() != OrderState::Ended);
    assert_eq!(pending, awaited, "MD-7, MD-10");
    compare_term(seen.current_term.as_ref().unwrap(), order, model.running);
    assert_eq!(seen.next_term.is_some(), model.next_term().is_some());
    if let Some(next) = &seen.next_term {
        compare_term(next, order, model.running + 1);
    }
    let pending = seen.pending_change.as_ref();
    let change = pending.and_then(|it| it.domain_change.as_ref());
    if let Some(expected) = &model.change {
        let change = change.expect("the order shows the pending change");
        assert_eq!(change.added, texts(&expected.added), "MD-7");
        assert_eq!(change.removed, texts(&expected.removed), "MD-7");
        assert_eq!(change.names_after, texts(&model.wanted()), "MD-8");
        assert_eq!(change.common_name, model.wanted_common_name(), "MD-5");
    }
    let certificate_awaited = model.is_issued && model.pending_since().is_some();
    assert!(!certificate_awaited || pending.is_some(), "{seen:?}");
}

fn compare_term(seen: &OrderTerm, order: &TrackedOrder, place: usize) {
    let (model, term) = (&order.model, &order.model.terms[place]);
    let period = seen.period.as_ref().unwrap();
    assert_eq!(usize::try_from(seen.term_index).unwrap(), place);
    assert_eq!(instant(period.start_time), term.start, "T-2, MD-10");
    assert_eq!(instant(period.end_time), term.end, "T-2");
    assert_eq!(seen.months, term.months.cast_signed());
    let slots = (
        i64::from(seen.paid_standard_domains),
        i64::from(seen.paid_wildcard_domains),
    );
    assert_eq!(slots, term.slots, "MD-2, MD-4");
    assert_eq!(seen.domains, texts(&term.domains), "MD-5, MD-8");
    assert_eq!(seen.common_name, model.common_name_of(place), "MD-5");
    let licenses = i64::from(seen.additional_licenses);
    assert_eq!(licenses, term.licenses, "AL-2, AL-9");
    let kept = term.kept.iter().flatten();
    let mut kept: Vec<_> = kept.map(|it| order.server_ids[*it].clone()).collect();
    kept.sort();
    assert_eq!(seen.keep_server_ids, kept, "AL-9");
    let first = seen.first_issuance_time.map(|time| instant(Some(time)));
    assert_eq!(first, term.first_issued, "AL-4");
    if !model.is_deleted {
        let counted = seen.refund_count_start_time;
        let counted = counted.map(|time| instant(Some(time)));
        assert_eq!(counted, model.counted_since(place), "AL-4");
    }
    let domains = i64::try_from(term.domains.len()).unwrap();
    assert!(
        domains <= slots.0 + slots.1,
        "MD-4: {domains} domains, {slots:?}"
    );
}
