//! Steps of a random history that buy and change: orders, domains, certificates. Each response must match the
//! oracle's prediction.

use licet_contracts::{
    billing::v1::Quote,
    orders::v1::{
        CancelDomainChangeRequest, CertificateState, PlaceOrderRequest, RequestReissueRequest,
        UpdateDomainsRequest, UpdateDomainsResponse,
    },
};
use licet_domain::{clock::Instant, money::Money, refusal::Reason};
use licet_oracle::orders::{
    certificates::SignedCertificate,
    domain_changes::ChangeRequest,
    order::{DomainChange, Order},
    policy::{Domains, Reasons, TermRequest, because},
};

use super::{
    billing_asks::Ask,
    billing_model::DAY_MICROS,
    orders_histories::{History, agree},
    orders_tracked::{DOMAINS, Offer, PricedTerm, TrackedOrder, goal},
};
use crate::harness::{
    certificates,
    clock::{instant, shifted},
    request_id,
    samples::{common_name_first, issuance_of},
};

/// How long a quote can be used (MD-6).
const OFFERED_MICROS: i64 = 15 * 60 * 1_000_000;

impl History<'_> {
    /// Picks the order of a step, mostly one that is not over.
    pub(super) fn some_order(&mut self) -> usize {
        let places = 0..self.orders.len();
        let open = |place: &usize| !self.orders[*place].model.is_over();
        let mut open: Vec<usize> = places.clone().filter(open).collect();
        if open.is_empty() || self.random.below(6) == 0 {
            open = places.collect();
        }
        self.touched = open[self.random.index(open.len())];
        self.touched
    }

    /// The instant from which the present prices apply.
    pub(super) fn price_time(&self) -> Instant {
        self.product.lists.last().unwrap().effective
    }

    #[track_caller]
    pub(super) fn check_total(&self, quote: Option<&Quote>, total: i64) {
        let seen = quote.unwrap().total.as_ref().unwrap();
        let expected = Money::from_minor(self.currency, total);
        assert_eq!(seen.value, expected.value(), "BL-1, MD-1: {quote:?}");
    }

    pub(super) async fn place(&mut self) -> String {
        let open = self.orders.iter().filter(|order| !order.model.is_over());
        if open.count() == 2 {
            return "idle".to_owned();
        }
        let now = self.now();
        let common_name = DOMAINS[self.random.index(DOMAINS.len())];
        let mut domains = match self.policy.is_single_domain {
            true => Domains::new(),
            false => self.some_domains(4),
        };
        domains.insert(common_name);
        let wanted = TermRequest {
            policy: self.policy.clone(),
            months: [1, 12, 12, 24, 6][self.random.index(5)],
            licenses: [0, 0, 1, 2, 3][self.random.index(5)],
            domains,
            price_time: self.price_time(),
        };
        let priced = PricedTerm {
            anchor: now,
            first_month: 0,
            months: wanted.months,
            price_time: wanted.price_time,
        };
        let expected = wanted.slots_to_pay(false).and_then(|paid| {
            let total = self.total(&priced.items(paid, wanted.licenses));
            self.spend(total).map(|()| (paid, total))
        });
        let mut further = wanted.domains.clone();
        further.remove(common_name);
        let request = PlaceOrderRequest {
            account_id: self.account_id.clone(),
            product_id: self.product.id.clone(),
            term_months: wanted.months.cast_signed(),
            common_name: common_name.to_owned(),
            domains: self.spelled(&further),
            server_software: "nginx".to_owned(),
            additional_licenses: i32::try_from(wanted.licenses).unwrap(),
            request_id: request_id(),
            ..PlaceOrderRequest::default()
        };
        println!("    places {wanted:?}: {expected:?}");
        let ((paid, total), answer) = match agree(expected, self.ask(request).await) {
            Ok(both) => both,
            Err(reason) => return reason,
        };
        self.check_total(answer.quote.as_ref(), total);
        self.balance -= total;
        self.touched = self.orders.len();
        let at_placing = (common_name, "nginx");
        self.orders.push(TrackedOrder {
            id: answer.order.unwrap().order_id,
            model: Order::place(wanted, paid, total, at_placing, (false, now)),
            server_ids: vec![],
            certificate_ids: vec![],
            offers: vec![],
        });
        "done".to_owned()
    }

    /// Whether the balance covers the total (BL-6).
    pub(super) fn spend(&self, total: i64) -> Result<(), Reasons> {
        match total > self.balance {
            true => Err(because(Reason::InsufficientFunds)),
            false => Ok(()),
        }
    }

    fn some_change(&mut self, place: usize) -> ChangeRequest {
        let order = &self.orders[place].model;
        let (domains, old) = (order.term().domains.clone(), order.common_name);
        let is_single = self.policy.is_single_domain;
        let moves = is_single || self.random.below(3) == 0;
        // A single-domain order mostly replaces its domain; other orders often only move the common name.
        if is_single && self.random.below(8) > 0 {
            let new = DOMAINS[self.random.index(DOMAINS.len())];
            return ChangeRequest {
                added: &Domains::from([new]) - &domains,
                removed: &Domains::from([old]) - &Domains::from([new]),
                common_name: Some(new),
            };
        }
        let mut added = match moves && self.random.below(2) == 0 {
            true => Domains::new(),
            false => self.some_domains(2),
        };
        // Most changes are valid.
        if self.random.below(8) > 0 {
            added = &added - &domains;
        }
        let mut removed = Domains::new();
        for domain in &domains {
            if self.random.below(5) == 0 && (*domain != old || self.random.below(4) == 0) {
                removed.insert(*domain);
            }
        }
        let mut request = ChangeRequest {
            added: &added - &removed,
            removed,
            common_name: None,
        };
        if moves {
            let after: Vec<_> = request.applied_to(&domains).into_iter().collect();
            let new = match after.is_empty() || self.random.below(8) == 0 {
                true => DOMAINS[self.random.index(DOMAINS.len())],
                false => after[self.random.index(after.len())],
            };
            if self.random.below(2) == 0 && new != old {
                request.removed.insert(old);
                request.added.remove(old);
            }
            request.common_name = Some(new);
        }
        request
    }

    /// The change's cost in each term that it is charged in (MD-1, MD-8).
    fn totals(&self, order: &Order, change: &DomainChange) -> Vec<(usize, i64)> {
        let charged = change
            .charges
            .iter()
            .filter(|(_, charge)| *charge != (0, 0, 0));
        charged
            .map(|(place, charge)| {
                let priced = PricedTerm::of(order, *place);
                (*place, self.total(&priced.slots(*charge, Some(order.now))))
            })
            .collect()
    }

    /// The response's quotes must have these totals, for the running term and the next.
    fn check_totals(&self, order: &Order, answer: &UpdateDomainsResponse, totals: &[(usize, i64)]) {
        let total = |place: usize| {
            let found = totals.iter().find(|(term, _)| *term == place);
            found.map_or(0, |(_, total)| *total)
        };
        self.check_total(answer.quote.as_ref(), total(order.running));
        assert_eq!(
            answer.next_term_quote.is_some(),
            order.next_term().is_some()
        );
        if answer.next_term_quote.is_some() {
            self.check_total(answer.next_term_quote.as_ref(), total(order.running + 1));
        }
    }

    fn change_request(&mut self, place: usize, wanted: &ChangeRequest) -> UpdateDomainsRequest {
        let common_name: Domains = wanted.common_name.into_iter().collect();
        UpdateDomainsRequest {
            order_id: self.orders[place].id.clone(),
            add_domains: self.spelled(&wanted.added),
            remove_domains: self.spelled(&wanted.removed),
            common_name: self.spelled(&common_name).pop().unwrap_or_default(),
            request_id: request_id(),
            ..UpdateDomainsRequest::default()
        }
    }

    /// Previews a change; a preview of a paid change leaves a quote (MD-6).
    pub(super) async fn preview(&mut self) -> String {
        let place = self.some_order();
        let wanted = self.some_change(place);
        if wanted.is_empty() {
            return "idle".to_owned();
        }
        let foretold = self.orders[place].model.may_change(&wanted);
        let request = self.change_request(place, &wanted).trial().unwrap();
        let answer = request.send(self.world.orders_channel()).await;
        println!("    previews {wanted:?}: {foretold:?}");
        let (change, answer) = match agree(foretold, answer) {
            Ok(both) => both,
            Err(reason) => return reason,
        };
        let order = &self.orders[place].model;
        let totals = self.totals(order, &change);
        self.check_totals(order, &answer, &totals);
        let quote = match totals.first() {
            None => return "free".to_owned(),
            Some((term, _)) if *term == order.running => answer.quote,
            Some(_) => answer.next_term_quote,
        };
        let quote = quote.unwrap();
        let expires = shifted(order.now, OFFERED_MICROS);
        assert_eq!(instant(quote.expire_time), expires);
        let offer = Offer {
            quote_id: quote.quote_id,
            goal: goal(order, &wanted),
            revision: order.revision,
            expires,
            totals,
        };
        self.orders[place].offers.push(offer);
        // Most quotes are used soon.
        if self.random.below(2) > 0 {
            return self.use_offer(place, &wanted).await;
        }
        "done".to_owned()
    }

    /// Makes the change with its quote, at once or some minutes later (MD-6).
    async fn use_offer(&mut self, place: usize, wanted: &ChangeRequest) -> String {
        if self.random.below(5) == 0 {
            // A new revision of the order makes the quote stale (MD-6).
            self.set_software(place).await;
        }
        let minutes = [0, 14, 15, 16][self.random.index(4)];
        self.move_to(shifted(self.now(), minutes * 60_000_000));
        let offer = self.orders[place].offers.last().unwrap().clone();
        let mut request = self.change_request(place, wanted);
        request.quote_id.clone_from(&offer.quote_id);
        self.make_change(place, wanted, request, Some(&offer)).await
    }

    pub(super) async fn change(&mut self) -> String {
        let place = self.some_order();
        let wanted = self.some_change(place);
        if wanted.is_empty() {
            return "idle".to_owned();
        }
        let mut request = self.change_request(place, &wanted);
        let order = &self.orders[place];
        // Billing deletes expired quotes after 90 days.
        let stored = |offer: &&Offer| order.model.now <= shifted(offer.expires, 90 * DAY_MICROS);
        let offers: Vec<_> = order.offers.iter().filter(stored).cloned().collect();
        // Some changes carry a quote, mostly one of another change.
        let offer = match offers.is_empty() || self.random.below(2) > 0 {
            true => None,
            false => Some(&offers[self.random.index(offers.len())]),
        };
        if let Some(offer) = offer {
            request.quote_id.clone_from(&offer.quote_id);
        }
        self.make_change(place, &wanted, request, offer).await
    }

    async fn make_change(
        &mut self,
        place: usize,
        wanted: &ChangeRequest,
        request: UpdateDomainsRequest,
        offer: Option<&Offer>,
    ) -> String {
        let order = &self.orders[place].model;
        let foretold = order.may_change(wanted).and_then(|change| {
            let fresh = self.totals(order, &change);
            let Some(offer) = offer else {
                return Ok((change, fresh));
            };
            // A free change accepts no quote.
            let is_another = offer.goal != goal(order, wanted);
            if fresh.is_empty() || is_another || offer.revision != order.revision {
                return Err(because(Reason::QuoteStale));
            }
            if order.now >= offer.expires {
                return Err(because(Reason::QuoteExpired));
            }
            Ok((change, offer.totals.clone()))
        });
        println!("    {wanted:?} with {offer:?}: {foretold:?}");
        let answer = match offer {
            Some(_) => self.ask_as_offered(request).await,
            None => self.ask(request).await,
        };
        // Without the money for both terms, the refused request leaves no trace (BL-6).
        let foretold = foretold.and_then(|(change, totals)| {
            self.spend(totals.iter().map(|(_, total)| total).sum())?;
            Ok((change, totals))
        });
        let ((change, totals), answer) = match agree(foretold, answer) {
            Ok(both) => both,
            Err(reason) => return reason,
        };
        self.check_totals(&self.orders[place].model, &answer, &totals);
        self.balance -= totals.iter().map(|(_, total)| total).sum::<i64>();
        let moves = change.moved.is_some();
        self.orders[place].model.change(change, &totals);
        match offer {
            Some(_) => "as offered".to_owned(),
            None if moves => "moved".to_owned(),
            None => "done".to_owned(),
        }
    }

    pub(super) async fn cancel_change(&mut self) -> String {
        let place = self.some_order();
        let order = &self.orders[place];
        let request = CancelDomainChangeRequest {
            order_id: order.id.clone(),
            request_id: request_id(),
            ..CancelDomainChangeRequest::default()
        };
        let foretold = order.model.may_cancel_change();
        if let Err(reason) = agree(foretold, self.ask(request).await) {
            return reason;
        }
        let model = &mut self.orders[place].model;
        let moves = model.moves_common_name();
        self.balance += model.cancel_change();
        if moves { "moved back" } else { "done" }.to_owned()
    }

    pub(super) async fn reissue(&mut self) -> String {
        let place = self.some_order();
        let order = &self.orders[place];
        let request = RequestReissueRequest {
            order_id: order.id.clone(),
            request_id: request_id(),
            ..RequestReissueRequest::default()
        };
        let foretold = order.model.may_reissue(None);
        if let Err(reason) = agree(foretold, self.ask(request).await) {
            return reason;
        }
        self.orders[place].model.reissue(None);
        "done".to_owned()
    }

    /// The authority reports the pending certificate or one that does not match.
    pub(super) async fn issue(&mut self) -> String {
        let place = self.some_order();
        let order = &self.orders[place].model;
        let now = order.now;
        // Certificate times are whole seconds.
        let not_before = shifted(now, -now.as_micros().rem_euclid(1_000_000));
        let mut signed = SignedCertificate {
            domains: order.wanted(),
            common_name: order.wanted_common_name(),
            key: 0,
            not_before,
            not_after: not_before,
        };
        let longest = (now.micros_until(order.longest_not_after()) + 1_000_000) / DAY_MICROS;
        // A private product's certificate may last to the term's end and beyond.
        let most = [30, 90, 800][self.random.index(3)];
        let mut days = longest.clamp(1, most);
        match self.random.below(12) {
            0 => {
                signed.domains.insert("x.test");
            }
            // One day more may still be allowed, because times are whole seconds.
            1 if longest > 0 => days = longest + 2,
            2 => {
                let mut domains = signed.domains.iter();
                let other = domains.find(|domain| **domain != signed.common_name);
                signed.common_name = *other.unwrap_or(&signed.common_name);
            }
            _ => {}
        }
        signed.not_after = shifted(not_before, days * DAY_MICROS - 1_000_000);
        let foretold = order.may_issue(&signed);
        let list: Vec<String> = signed.domains.iter().map(ToString::to_string).collect();
        let list = common_name_first(list, signed.common_name);
        let chain = certificates::chain_for(&list, now, days);
        let request = issuance_of(&self.orders[place].id, chain);
        println!("    certificate {signed:?}: {foretold:?}");
        let ((), answer) = match agree(foretold, self.ask(request).await) {
            Ok(both) => both,
            Err(reason) => return reason,
        };
        let found = answer.certificate.unwrap();
        let state = found.state();
        let order = &mut self.orders[place];
        order.certificate_ids.push(found.certificate_id);
        order.model.issue(&signed);
        match state == CertificateState::ToRevoke {
            true => "TO_REVOKE".to_owned(),
            false => "done".to_owned(),
        }
    }
}
