//! Steps of a random history about what hangs on an order: its next term, its servers, its end. Each
//! answer is held against what the model foretold.

use std::collections::BTreeSet;

use licet_contracts::{
    billing::v1::{Refund, RefundState},
    orders::v1::{
        CertificateState, DeleteOrderRequest, OrderState, RegisterServerRequest, RenewOrderRequest,
        RevokeCertificateRequest, ServerState, SetServerSoftwareRequest, UnregisterServerRequest,
    },
};
use licet_domain::money::Money;

use super::{
    billing_model::DAY_MICROS,
    orders_changing::may_reissue,
    orders_histories::{History, agree},
    orders_model::{Charge, Invoice, Names, Order, Server, Term, items_of_term, owned},
};
use crate::harness::{clock::shifted, request_id};

impl History<'_> {
    /// MD-10, AL-9: mostly in the window, which the clock is moved to.
    pub(super) async fn renew(&mut self) -> String {
        let place = self.some_order();
        let from = shifted(
            self.orders[place].end(),
            -self.policy.open_days * DAY_MICROS,
        );
        let is_bought = self.orders[place].next_term().is_some();
        if from > self.now() && !is_bought && self.random.below(4) > 0 {
            self.world.time.move_to(from);
            self.orders.iter_mut().for_each(|order| order.pass(from));
        }
        let months = [1, 12, 12, 24, 6][self.random.index(5)];
        let licenses = i32::try_from(self.random.below(4)).unwrap();
        let mut names = match self.policy.is_single && self.random.below(4) > 0 {
            true => Names::new(),
            false => self.some_names(3),
        };
        let here = self.orders[place].registered();
        let here: Vec<String> = here.map(|server| server.id.clone()).collect();
        let mut keep = BTreeSet::new();
        if self.random.below(2) == 0 {
            keep = here
                .into_iter()
                .filter(|_| self.random.below(2) == 0)
                .collect();
        }
        let request = RenewOrderRequest {
            order_id: self.orders[place].id.clone(),
            term_months: months,
            domains: self.spelled(&names),
            additional_licenses: licenses,
            keep_server_ids: keep.iter().cloned().collect(),
            request_id: request_id(),
            ..RenewOrderRequest::default()
        };
        let order = &self.orders[place];
        if names.is_empty() {
            names = order.wanted();
        }
        names.insert(order.wanted_common_name());
        let foretold = order
            .may_renew(months, licenses, &keep)
            .map_err(|why| vec![why]);
        let foretold = foretold.and_then(|kept| {
            let paid = order.charge_of_renewal(&names, months, licenses)?;
            let term = self.next_term_of(order, names, paid, (months, licenses), kept);
            let total = self.total(&items_of_term(&term, order.anchor, paid));
            self.spend(total).map(|total| (term, total))
        });
        println!("    renews for {months} months, keeps {keep:?}: {foretold:?}");
        let ((term, total), answer) = match agree(foretold, self.ask(request).await) {
            Ok(both) => both,
            Err(reason) => return reason,
        };
        self.check_total(answer.quote.as_ref(), total);
        self.balance -= total;
        let order = &mut self.orders[place];
        let lapsing = order.registered().map(|it| &it.id);
        let kept = term.kept.as_ref().unwrap();
        let lapsing: BTreeSet<_> = lapsing.filter(|id| !kept.contains(*id)).cloned().collect();
        let said: BTreeSet<_> = answer.lapsing_server_ids.into_iter().collect();
        assert_eq!(said, lapsing, "AL-9");
        order.terms.push(Term {
            invoices: vec![Invoice { total, credited: 0 }],
            ..term
        });
        order.moves += 1;
        // Bought after the old end, it runs at once.
        order.pass(order.now);
        "done".to_owned()
    }

    fn next_term_of(
        &self,
        order: &Order,
        names: Names,
        paid: Charge,
        (months, licenses): (i32, i32),
        kept: BTreeSet<String>,
    ) -> Term {
        let before = order.terms.iter().map(|it| it.months.unsigned_abs());
        let first_month: u32 = before.sum();
        let end = first_month + months.unsigned_abs();
        let included = (self.policy.included, 0);
        Term {
            first_month,
            months,
            start: order.end(),
            end: order.anchor.checked_add_months(end).unwrap(),
            price_time: self.price_time(),
            licenses,
            names,
            slots: owned(included, paid),
            kept: Some(kept),
            bought: order.now,
            first_issued: None,
            invoices: vec![],
        }
    }

    /// A server comes or goes, or the software of them all is corrected.
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
        let other = if order.software == "nginx" {
            "apache"
        } else {
            "nginx"
        };
        let is_other = self.random.below(8) == 0;
        let order = &self.orders[place];
        let used = i32::try_from(order.registered().count()).unwrap();
        let has_primary = order.registered().any(|it| it.is_primary);
        let foretold = match order.may(false) {
            Err(reason) => Err(vec![reason]),
            Ok(()) if order.state() == OrderState::Paid => Err(vec!["ORDER_NOT_ISSUED"]),
            // AL-6: it would serve a common name that is about to move.
            Ok(()) if has_primary && order.moves_common_name() => Err(vec!["CHANGE_IN_PROGRESS"]),
            Ok(()) if is_other => Err(vec!["SERVER_SOFTWARE_MISMATCH"]),
            Ok(()) if used > order.term().licenses => Err(vec!["SERVER_LIMIT_REACHED"]),
            Ok(()) => Ok(()),
        };
        let request = RegisterServerRequest {
            order_id: order.id.clone(),
            host_name: format!("www{}.test", order.servers.len()),
            server_software: if is_other { other } else { order.software }.to_owned(),
            common_name: order.common_name.to_owned(),
            request_id: request_id(),
        };
        println!("    registers one of {used}: {foretold:?}");
        let ((), answer) = match agree(foretold, self.ask(request).await) {
            Ok(both) => both,
            Err(reason) => return reason,
        };
        assert_eq!(answer.registered_servers, used + 1, "AL-8");
        let order = &mut self.orders[place];
        let is_primary = !order.registered().any(|it| it.is_primary);
        let id = answer.server.unwrap().server_id;
        let next = order.running + 1;
        if let Some(next) = order.terms.get_mut(next) {
            let kept = next.kept.as_mut().unwrap();
            if i32::try_from(kept.len()).unwrap() < 1 + next.licenses {
                kept.insert(id.clone());
            }
        }
        order.servers.push(Server {
            id,
            serves: order.common_name,
            is_primary,
            state: ServerState::Registered,
        });
        "done".to_owned()
    }

    async fn unregister(&mut self, place: usize) -> String {
        let order = &self.orders[place];
        if order.servers.is_empty() {
            return "idle".to_owned();
        }
        let number = self.random.index(order.servers.len());
        let order = &self.orders[place];
        let foretold = order.may(true).map_err(|reason| vec![reason]);
        let request = UnregisterServerRequest {
            server_id: order.servers[number].id.clone(),
            request_id: request_id(),
        };
        if let Err(reason) = agree(foretold, self.ask(request).await) {
            return reason;
        }
        let order = &mut self.orders[place];
        let server = &mut order.servers[number];
        if server.state == ServerState::Registered {
            server.state = ServerState::Unregistered;
            let next = order.running + 1;
            if let Some(next) = order.terms.get_mut(next) {
                next.kept.as_mut().unwrap().remove(&server.id);
            }
        }
        "unregistered".to_owned()
    }

    pub(super) async fn set_software(&mut self, place: usize) -> String {
        let software = ["nginx", "apache"][self.random.index(2)];
        let order = &self.orders[place];
        let further = order.registered().any(|it| !it.is_primary);
        let foretold = match order.may(false) {
            Err(reason) => Err(vec![reason]),
            Ok(()) if further => Err(vec!["FURTHER_SERVERS_REGISTERED"]),
            Ok(()) => Ok(()),
        };
        let request = SetServerSoftwareRequest {
            order_id: order.id.clone(),
            server_software: software.to_owned(),
            request_id: request_id(),
        };
        if let Err(reason) = agree(foretold, self.ask(request).await) {
            return reason;
        }
        let order = &mut self.orders[place];
        order.software = software;
        order.moves += 1;
        "software set".to_owned()
    }

    /// By an operator, who may report what the authority did, too.
    pub(super) async fn revoke(&mut self) -> String {
        let place = self.some_order();
        let order = &self.orders[place];
        if order.certificates.is_empty() {
            return "idle".to_owned();
        }
        let number = self.random.index(order.certificates.len());
        let reissues = self.random.below(3) == 0;
        let order = &self.orders[place];
        let foretold = match order.certificate_state(number) {
            CertificateState::Revoked | CertificateState::Expired => {
                Err(vec!["CERTIFICATE_NOT_REVOCABLE"])
            }
            CertificateState::Unspecified
            | CertificateState::Active
            | CertificateState::Superseded
            | CertificateState::ToRevoke => {
                if reissues {
                    may_reissue(order)
                } else {
                    Ok(())
                }
            }
        };
        let request = RevokeCertificateRequest {
            certificate_id: order.certificates[number].id.clone(),
            request_reissue: reissues,
            request_id: request_id(),
            ..RevokeCertificateRequest::default()
        };
        if let Err(reason) = agree(foretold, self.ask(request).await) {
            return reason;
        }
        let order = &mut self.orders[place];
        let found = &mut order.certificates[number];
        if !found.to_revoke {
            found.revoked = Some(order.now);
        }
        found.to_revoke = false;
        if reissues {
            order.reissue();
        }
        "done".to_owned()
    }

    /// The clock goes on to where AL-4 decides otherwise, or to the microsecond after it.
    fn move_to_a_refund_limit(&mut self, place: usize) {
        let (full, none) = self.policy.refund_days;
        let limit = [full, none][self.random.index(2)] * DAY_MICROS;
        let after = [0, 1][self.random.index(2)];
        let order = &self.orders[place];
        let Some(issued) = order.count_start(order.running) else {
            return;
        };
        let to = shifted(issued, limit + after);
        if to > order.now && to < order.end() {
            self.world.time.move_to(to);
            self.orders.iter_mut().for_each(|order| order.pass(to));
        }
    }

    pub(super) async fn delete(&mut self) -> String {
        let place = self.some_order();
        self.move_to_a_refund_limit(place);
        let order = &self.orders[place];
        let foretold = order.may(false).map_err(|reason| vec![reason]);
        let request = DeleteOrderRequest {
            order_id: order.id.clone(),
            request_id: request_id(),
            ..DeleteOrderRequest::default()
        };
        let ((), answer) = match agree(foretold, self.ask(request).await) {
            Ok(both) => both,
            Err(reason) => return reason,
        };
        let order = &self.orders[place];
        let invalid = answer.invalidated.unwrap();
        let void = (
            invalid.additional_licenses,
            invalid.next_term_additional_licenses,
        );
        let next = order.next_term().map_or(0, |term| term.licenses);
        assert_eq!(void, (order.term().licenses, next), "AL-7");
        assert_eq!(invalid.server_ids.len(), order.registered().count(), "AL-7");
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
        let (state, _) = order.refund_of(order.running);
        self.balance += self.orders[place].delete();
        let name = state.as_str_name();
        name.trim_start_matches("REFUND_STATE_").to_owned()
    }

    /// AL-4: the state, and what comes back for certain.
    fn check_refund(&self, order: &Order, place: usize, refund: Option<&Refund>) {
        let (state, open) = order.refund_of(place);
        let refund = refund.unwrap();
        assert_eq!(refund.state(), state, "AL-4: {refund:?}");
        let back = if state == RefundState::Refunded {
            open
        } else {
            0
        };
        let back = Money::from_minor(self.currency, back).value();
        assert_eq!(refund.refunded.as_ref().unwrap().value, back, "{refund:?}");
    }
}
