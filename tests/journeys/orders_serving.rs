//! Steps of a random history for the next term, servers, revocation and deletion of an order. Each response
//! must match the oracle's prediction.

use std::collections::BTreeSet;

use licet_contracts::{
    billing::v1::Refund,
    orders::v1::{
        DeleteOrderRequest, RegisterServerRequest, RenewOrderRequest, RevokeCertificateRequest,
        SetServerSoftwareRequest, UnregisterServerRequest,
    },
};
use licet_domain::{money::Money, revocation::RevocationReason};
use licet_oracle::{
    assert_same,
    orders::{
        order::{Action, Order},
        policy::{Domains, RefundState, TermRequest},
    },
};

use super::{
    billing_model::DAY_MICROS,
    orders_histories::{History, agree},
    orders_tracked::PricedTerm,
};
use crate::harness::{clock::shifted, request_id};

impl History<'_> {
    /// MD-10, AL-9: mostly moves the clock into the renewal window first.
    pub(super) async fn renew(&mut self) -> String {
        let place = self.some_order();
        let order = &self.orders[place].model;
        let (from, is_bought) = (order.renewable().0, order.next_term().is_some());
        if from > self.now() && !is_bought && self.random.below(4) > 0 {
            self.move_to(from);
        }
        let mut wanted = TermRequest {
            policy: self.policy.clone(),
            months: [1, 12, 12, 24, 6][self.random.index(5)],
            licenses: self.random.below(4).cast_signed(),
            domains: match self.policy.is_single_domain && self.random.below(4) > 0 {
                true => Domains::new(),
                false => self.some_domains(3),
            },
            price_time: self.price_time(),
        };
        let registered = self.orders[place].model.registered();
        let mut keep = BTreeSet::new();
        if self.random.below(2) == 0 {
            keep = registered.iter().copied().collect();
            keep.retain(|_| self.random.below(2) == 0);
        }
        let order = &self.orders[place];
        let kept_ids = keep
            .iter()
            .map(|place: &usize| order.server_ids[*place].clone());
        let request = RenewOrderRequest {
            order_id: order.id.clone(),
            term_months: wanted.months.cast_signed(),
            keep_server_ids: kept_ids.collect(),
            domains: self.spelled(&wanted.domains),
            additional_licenses: i32::try_from(wanted.licenses).unwrap(),
            request_id: request_id(),
            ..RenewOrderRequest::default()
        };
        let order = &self.orders[place].model;
        if wanted.domains.is_empty() {
            wanted.domains = order.wanted();
        }
        wanted.domains.insert(order.wanted_common_name());
        let priced = PricedTerm {
            anchor: order.anchor,
            first_month: order.first_month(order.terms.len()),
            months: wanted.months,
            price_time: wanted.price_time,
        };
        let foretold = order.may_renew(wanted.months, wanted.licenses, &keep);
        let foretold = foretold.and_then(|kept| {
            let paid = order.renewal_slots_to_pay(&wanted)?;
            let total = self.total(&priced.items(paid, wanted.licenses));
            self.spend(total).map(|()| (kept, paid, total))
        });
        println!("    renews {wanted:?}, keeps {keep:?}: {foretold:?}");
        let ((kept, paid, total), answer) = match agree(foretold, self.ask(request).await) {
            Ok(both) => both,
            Err(reason) => return reason,
        };
        self.check_total(answer.quote.as_ref(), total);
        self.balance -= total;
        let order = &mut self.orders[place];
        let lapsing = registered.difference(&kept);
        let lapsing: BTreeSet<_> = lapsing.map(|it| order.server_ids[*it].clone()).collect();
        let said: BTreeSet<_> = answer.lapsing_server_ids.into_iter().collect();
        assert_eq!(said, lapsing, "AL-9");
        let term = order.model.renewal(wanted, paid, kept);
        order.model.renew(term, total, &registered);
        "done".to_owned()
    }

    /// Registers or unregisters a server, or corrects its software.
    pub(super) async fn change_servers(&mut self) -> String {
        let place = self.some_order();
        match self.random.below(5) {
            0 => self.unregister(place).await,
            1 => self.set_software(place).await,
            _ => self.register(place).await,
        }
    }

    async fn register(&mut self, place: usize) -> String {
        let order = &self.orders[place];
        let software = match (self.random.below(8), order.model.software) {
            (0, "nginx") => "apache",
            (0, _) => "nginx",
            (_, software) => software,
        };
        let common_name = order.model.common_name;
        let used = order.model.registered().len();
        let request = RegisterServerRequest {
            order_id: order.id.clone(),
            host_name: format!("www{}.test", order.server_ids.len()),
            server_software: software.to_owned(),
            common_name: common_name.to_owned(),
            request_id: request_id(),
        };
        let foretold = order.model.may_register(software, common_name);
        println!("    registers one of {used}: {foretold:?}");
        let ((), answer) = match agree(foretold, self.ask(request).await) {
            Ok(both) => both,
            Err(reason) => return reason,
        };
        assert_eq!(
            usize::try_from(answer.registered_servers),
            Ok(used + 1),
            "AL-8"
        );
        let order = &mut self.orders[place];
        order.server_ids.push(answer.server.unwrap().server_id);
        order.model.register();
        "done".to_owned()
    }

    async fn unregister(&mut self, place: usize) -> String {
        let order = &self.orders[place];
        if order.server_ids.is_empty() {
            return "idle".to_owned();
        }
        let number = self.random.index(order.server_ids.len());
        let request = UnregisterServerRequest {
            server_id: order.server_ids[number].clone(),
            request_id: request_id(),
        };
        let foretold = order.model.may(Action::UnregisterServer);
        if let Err(reason) = agree(foretold, self.ask(request).await) {
            return reason;
        }
        self.orders[place].model.unregister(number);
        "unregistered".to_owned()
    }

    pub(super) async fn set_software(&mut self, place: usize) -> String {
        let software = ["nginx", "apache"][self.random.index(2)];
        let order = &self.orders[place];
        let request = SetServerSoftwareRequest {
            order_id: order.id.clone(),
            server_software: software.to_owned(),
            request_id: request_id(),
        };
        let foretold = order.model.may_set_software();
        if let Err(reason) = agree(foretold, self.ask(request).await) {
            return reason;
        }
        self.orders[place].model.set_software(software);
        "software set".to_owned()
    }

    /// Revokes as an operator, who may also report what the authority did.
    pub(super) async fn revoke(&mut self) -> String {
        let place = self.some_order();
        let order = &self.orders[place];
        if order.certificate_ids.is_empty() {
            return "idle".to_owned();
        }
        let number = self.random.index(order.certificate_ids.len());
        let reissues = self.random.below(3) == 0;
        let request = RevokeCertificateRequest {
            certificate_id: order.certificate_ids[number].clone(),
            request_reissue: reissues,
            request_id: request_id(),
            ..RevokeCertificateRequest::default()
        };
        let foretold = order.model.may_revoke(number, true, reissues);
        if let Err(reason) = agree(foretold, self.ask(request).await) {
            return reason;
        }
        let model = &mut self.orders[place].model;
        model.revoke(number, RevocationReason::Unspecified);
        if reissues {
            model.reissue(None);
        }
        "done".to_owned()
    }

    /// Moves the clock to a refund limit of AL-4, or to the microsecond after it.
    fn move_to_a_refund_limit(&mut self, place: usize) {
        let limit = self.refund_limits()[self.random.index(2)] * DAY_MICROS;
        let after = [0, 1][self.random.index(2)];
        let order = &self.orders[place].model;
        let Some(since) = order.counted_since(order.running) else {
            return;
        };
        let to = shifted(since, limit + after);
        if to > order.now && to < order.end() {
            self.move_to(to);
        }
    }

    pub(super) async fn delete(&mut self) -> String {
        let place = self.some_order();
        self.move_to_a_refund_limit(place);
        let order = &self.orders[place];
        let foretold = order.model.may(Action::Delete);
        let request = DeleteOrderRequest {
            order_id: order.id.clone(),
            request_id: request_id(),
            ..DeleteOrderRequest::default()
        };
        let ((), answer) = match agree(foretold, self.ask(request).await) {
            Ok(both) => both,
            Err(reason) => return reason,
        };
        let order = &self.orders[place].model;
        let invalid = answer.invalidated.unwrap();
        let void = (
            i64::from(invalid.additional_licenses),
            i64::from(invalid.next_term_additional_licenses),
        );
        let next = order.next_term().map_or(0, |term| term.licenses);
        assert_eq!(void, (order.term().licenses, next), "AL-7");
        assert_eq!(invalid.server_ids.len(), order.registered().len(), "AL-7");
        let refundable = order.refundable();
        let of_term = |place: usize| {
            let is_it = |refund: &&Refund| {
                let subject = refund.subject.as_ref().unwrap();
                usize::try_from(subject.term_index) == Ok(place)
            };
            answer.refunds.iter().find(is_it)
        };
        assert_eq!(
            answer.refunds.len(),
            refundable.len(),
            "AL-4: {refundable:?}"
        );
        for place in refundable {
            self.check_refund(order, place, of_term(place));
        }
        assert_eq!(answer.refund.as_ref(), of_term(order.running));
        assert_eq!(answer.next_term_refund.as_ref(), of_term(order.running + 1));
        let name = answer.refund.unwrap().state().as_str_name();
        self.balance += self.orders[place].model.delete();
        name.trim_start_matches("REFUND_STATE_").to_owned()
    }

    /// AL-4: compares the refund's state and the amount refunded without a review.
    fn check_refund(&self, order: &Order, place: usize, refund: Option<&Refund>) {
        let (state, open) = order.refund(place);
        let refund = refund.unwrap();
        assert_same(refund.state(), state, "AL-4");
        let back = if state == RefundState::Refunded {
            open
        } else {
            0
        };
        let back = Money::from_minor(self.currency, back).value();
        assert_eq!(refund.refunded.as_ref().unwrap().value, back, "{refund:?}");
    }
}
