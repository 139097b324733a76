//! What is seen of a random history's account and orders, held against the model of them.

use licet_contracts::orders::v1::{
    ListCertificatesRequest, ListServersRequest, Order as Seen, OrderState, OrderTerm,
};
use licet_domain::money::Money;

use super::{
    orders_histories::History,
    orders_model::{Names, Order},
};
use crate::harness::clock::instant;

impl History<'_> {
    /// Everything that can be seen of the account and the order that was touched is as the model has
    /// it; now and then, or where all is asked for, every other order, too.
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

    async fn compare_invoices(&self, order: &Order) {
        let invoices = self.world.invoices_of(&order.id).await;
        let minor = |it: &Option<licet_contracts::types::v1::Money>| {
            let it = it.as_ref().unwrap();
            Money::parse(&it.currency_code, &it.value).unwrap().minor()
        };
        let mut found: Vec<_> = invoices
            .iter()
            .map(|it| {
                let term = it.subject.as_ref().unwrap().term_index;
                (
                    usize::try_from(term).unwrap(),
                    minor(&it.total),
                    minor(&it.credited),
                )
            })
            .collect();
        let terms = order.terms.iter().enumerate();
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

    async fn compare_servers(&self, order: &Order) {
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
                (it.server_id.as_str(), it.primary, serves, it.state())
            })
            .collect();
        let expected = order.servers.iter();
        let mut expected: Vec<_> = expected
            .map(|it| (it.id.as_str(), it.is_primary, it.serves, it.state))
            .collect();
        seen.sort();
        expected.sort();
        assert_eq!(seen, expected, "AL-6 to AL-9");
        let mut here = order.registered();
        assert!(here.all(|it| it.serves == order.common_name), "AL-6");
        let licensed = if order.is_deleted {
            0
        } else {
            1 + order.term().licenses
        };
        assert_eq!(answer.licensed_servers, licensed, "AL-1");
        assert!(answer.registered_servers <= licensed, "AL-8");
    }

    async fn compare_certificates(&self, order: &Order) {
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
                (it.certificate_id.clone(), it.state(), revoked)
            })
            .collect();
        let mut expected: Vec<_> = order
            .certificates
            .iter()
            .enumerate()
            .map(|(place, it)| (it.id.clone(), order.certificate_state(place), it.revoked))
            .collect();
        seen.sort();
        expected.sort();
        assert_eq!(seen, expected, "MD-7, X-8");
    }
}

fn compare_order(seen: &Seen, model: &Order) {
    assert_eq!(seen.state(), model.state(), "{seen:?}");
    let texts = |names: &Names| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(seen.domains, texts(&model.carried), "MD-7");
    assert_eq!(seen.common_name, model.common_name, "MD-5");
    assert_eq!(instant(seen.end_time), model.end(), "MD-10");
    assert_eq!(seen.server_software, model.software, "AL-6");
    assert_eq!(seen.revision, model.moves, "MD-6");
    let pending = seen.issuance_pending_time.map(|time| instant(Some(time)));
    let awaited = model.pending_since();
    let awaited = awaited.filter(|_| model.state() != OrderState::Ended);
    assert_eq!(pending, awaited, "MD-7, MD-10");
    compare_term(seen.current_term.as_ref().unwrap(), model, model.running);
    assert_eq!(seen.next_term.is_some(), model.next_term().is_some());
    if let Some(next) = &seen.next_term {
        compare_term(next, model, model.running + 1);
    }
    let pending = seen.pending_change.as_ref();
    let change = pending.and_then(|it| it.domain_change.as_ref());
    if let Some(expected) = &model.change {
        let change = change.expect("a change waits");
        assert_eq!(change.added, texts(&expected.added), "MD-7");
        assert_eq!(change.removed, texts(&expected.removed), "MD-7");
        assert_eq!(change.names_after, texts(&model.wanted()), "MD-8");
        assert_eq!(change.common_name, model.wanted_common_name(), "MD-5");
    }
    let waits = pending.is_some();
    let certificate_awaited = model.is_issued && model.pending_since().is_some();
    assert!(!certificate_awaited || waits, "{seen:?}");
}

/// A term as it is shown is as the model has it.
fn compare_term(seen: &OrderTerm, order: &Order, place: usize) {
    let model = &order.terms[place];
    let texts = |names: &Names| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let period = seen.period.as_ref().unwrap();
    assert_eq!(usize::try_from(seen.term_index).unwrap(), place);
    assert_eq!(instant(period.start_time), model.start, "T-2, MD-10");
    assert_eq!(instant(period.end_time), model.end, "T-2");
    assert_eq!(seen.months, model.months);
    let slots = (seen.paid_standard_domains, seen.paid_wildcard_domains);
    assert_eq!(slots, model.slots, "MD-2, MD-4");
    assert_eq!(seen.domains, texts(&model.names), "MD-5, MD-8");
    assert_eq!(seen.common_name, order.common_name_of(place), "MD-5");
    assert_eq!(seen.additional_licenses, model.licenses, "AL-2, AL-9");
    let kept = model.kept.iter().flatten().cloned().collect::<Vec<_>>();
    assert_eq!(seen.keep_server_ids, kept, "AL-9");
    let first = seen.first_issuance_time.map(|time| instant(Some(time)));
    assert_eq!(first, model.first_issued, "AL-4");
    if !order.is_deleted {
        let counted = seen.refund_count_start_time;
        let counted = counted.map(|time| instant(Some(time)));
        assert_eq!(counted, order.count_start(place), "AL-4");
    }
    let names = i32::try_from(model.names.len()).unwrap();
    assert!(names <= slots.0 + slots.1, "MD-4: {names} names, {slots:?}");
}
