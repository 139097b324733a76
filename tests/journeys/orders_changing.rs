//! Steps of a random history that buy and change: orders, names and certificates. Each answer is
//! held against what the model foretold.

use licet_contracts::{
    billing::v1::Quote,
    orders::v1::{
        CancelDomainChangeRequest, CertificateState, PlaceOrderRequest, RequestReissueRequest,
        UpdateDomainsRequest, UpdateDomainsResponse,
    },
};
use licet_domain::{clock::Instant, money::Money};

use super::{
    billing_asks::Ask,
    billing_model::DAY_MICROS,
    orders_histories::{History, agree},
    orders_model::{
        HOUR_MICROS, Invoice, NAMES, Names, Offer, Order, Term, items_of_slots, items_of_term,
        owned, to_pay,
    },
    orders_naming::{Change, Wish},
};
use crate::harness::{
    certificates,
    clock::{instant, shifted},
    request_id,
    samples::issuance_of,
};

/// A quote is good for so long (MD-6).
const OFFERED_MICROS: i64 = HOUR_MICROS / 4;

impl History<'_> {
    /// An order to do something with; mostly one that is not over.
    pub(super) fn some_order(&mut self) -> usize {
        let places = 0..self.orders.len();
        let open = |place: &usize| {
            let order = &self.orders[*place];
            order.may(true).is_ok() && !order.is_lost()
        };
        let mut open: Vec<usize> = places.clone().filter(open).collect();
        if open.is_empty() || self.random.below(6) == 0 {
            open = places.collect();
        }
        self.touched = open[self.random.index(open.len())];
        self.touched
    }

    /// Since when the prices of now are in force.
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
        let open = self
            .orders
            .iter()
            .filter(|order| order.may(true).is_ok() && !order.is_lost());
        if open.count() == 2 {
            return "idle".to_owned();
        }
        let now = self.now();
        let common_name = NAMES[self.random.index(NAMES.len())];
        let mut names = match self.policy.is_single {
            true => Names::new(),
            false => self.some_names(4),
        };
        names.insert(common_name);
        let months = [1, 12, 12, 24, 6][self.random.index(5)];
        let licenses = [0, 0, 1, 2, 3][self.random.index(5)];
        let against = Order::against_sale(self.policy, &names, months, licenses);
        let included = (self.policy.included, 0);
        let paid = to_pay(self.policy, included, &Names::new(), &names);
        let term = Term {
            first_month: 0,
            months,
            start: now,
            end: now.checked_add_months(months.unsigned_abs()).unwrap(),
            price_time: self.price_time(),
            licenses,
            names: names.clone(),
            slots: owned(included, paid),
            kept: None,
            bought: now,
            first_issued: None,
            invoices: vec![],
        };
        let expected = match against.is_empty() {
            true => self.spend(self.total(&items_of_term(&term, now, paid))),
            false => Err(against),
        };
        let mut further = names.clone();
        further.remove(common_name);
        let request = PlaceOrderRequest {
            account_id: self.account_id.clone(),
            product_id: self.product.id.clone(),
            term_months: months,
            common_name: common_name.to_owned(),
            domains: self.spelled(&further),
            server_software: "nginx".to_owned(),
            additional_licenses: licenses,
            request_id: request_id(),
            ..PlaceOrderRequest::default()
        };
        println!("    places {names:?} for {months} months, {licenses} licences: {expected:?}");
        let (total, answer) = match agree(expected, self.ask(request).await) {
            Ok(both) => both,
            Err(reason) => return reason,
        };
        self.check_total(answer.quote.as_ref(), total);
        self.balance -= total;
        self.touched = self.orders.len();
        self.orders.push(Order {
            id: answer.order.unwrap().order_id,
            policy: self.policy,
            now,
            anchor: now,
            terms: vec![Term {
                invoices: vec![Invoice { total, credited: 0 }],
                ..term
            }],
            running: 0,
            carried: names,
            common_name,
            is_issued: false,
            is_deleted: false,
            change: None,
            reissue_since: None,
            software: "nginx",
            servers: vec![],
            certificates: vec![],
            offers: vec![],
            moves: 2,
        });
        "done".to_owned()
    }

    /// The total, where the balance has it (BL-6).
    pub(super) fn spend(&self, total: i64) -> Result<i64, Vec<&'static str>> {
        match total > self.balance {
            true => Err(vec!["INSUFFICIENT_FUNDS"]),
            false => Ok(total),
        }
    }

    fn some_change(&mut self, place: usize) -> Wish {
        let order = &self.orders[place];
        let (names, common_name) = (order.term().names.clone(), order.common_name);
        let moves = self.policy.is_single || self.random.below(3) == 0;
        // A single name is replaced; a move is often one alone.
        if self.policy.is_single && self.random.below(8) > 0 {
            let name = NAMES[self.random.index(NAMES.len())];
            return Wish {
                added: &Names::from([name]) - &names,
                removed: &Names::from([common_name]) - &Names::from([name]),
                named: Some(name),
            };
        }
        let mut added = match moves && self.random.below(2) == 0 {
            true => Names::new(),
            false => self.some_names(2),
        };
        // Most changes are ones that can be made.
        if self.random.below(8) > 0 {
            added = &added - &names;
        }
        let mut removed = Names::new();
        for name in &names {
            if self.random.below(5) == 0 && (*name != common_name || self.random.below(4) == 0) {
                removed.insert(*name);
            }
        }
        let mut added = &added - &removed;
        let mut named = None;
        if moves {
            let after: Vec<_> = (&(&names - &removed) | &added).into_iter().collect();
            let name = match after.is_empty() || self.random.below(8) == 0 {
                true => NAMES[self.random.index(NAMES.len())],
                false => after[self.random.index(after.len())],
            };
            if self.random.below(2) == 0 && name != common_name {
                removed.insert(common_name);
                added.remove(common_name);
            }
            named = Some(name);
        }
        Wish {
            added,
            removed,
            named,
        }
    }

    /// What each term that the change is charged in costs (MD-1, MD-8).
    fn totals(&self, order: &Order, change: &Change) -> Vec<(usize, i64)> {
        let charged = change
            .charges
            .iter()
            .filter(|(_, charge)| *charge != (0, 0, 0));
        charged
            .map(|(place, charge)| {
                let term = &order.terms[*place];
                let items = items_of_slots(term, order.anchor, *charge, Some(order.now));
                (*place, self.total(&items))
            })
            .collect()
    }

    /// The quotes of an answer are for these totals, the running term's and the next one's.
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

    fn change_request(&mut self, place: usize, wish: &Wish) -> UpdateDomainsRequest {
        let named: Names = wish.named.into_iter().collect();
        UpdateDomainsRequest {
            order_id: self.orders[place].id.clone(),
            add_domains: self.spelled(&wish.added),
            remove_domains: self.spelled(&wish.removed),
            common_name: self.spelled(&named).pop().unwrap_or_default(),
            request_id: request_id(),
            ..UpdateDomainsRequest::default()
        }
    }

    /// A change is looked at, and leaves a quote where it costs something (MD-6).
    pub(super) async fn preview(&mut self) -> String {
        let place = self.some_order();
        let wish = self.some_change(place);
        if wish.added.is_empty() && wish.removed.is_empty() && wish.named.is_none() {
            return "idle".to_owned();
        }
        let foretold = self.orders[place].may_change(&wish);
        let request = self.change_request(place, &wish).trial().unwrap();
        let answer = request.send(self.world.orders_channel()).await;
        println!("    looks at {wish:?}: {foretold:?}");
        let (change, answer) = match agree(foretold, answer) {
            Ok(both) => both,
            Err(reason) => return reason,
        };
        let order = &self.orders[place];
        let totals = self.totals(order, &change);
        self.check_totals(order, &answer, &totals);
        let named = match totals.first() {
            None => return "free".to_owned(),
            Some((term, _)) if *term == order.running => answer.quote,
            Some(_) => answer.next_term_quote,
        };
        let named = named.unwrap();
        assert_eq!(
            instant(named.expire_time),
            shifted(order.now, OFFERED_MICROS)
        );
        let offer = Offer {
            quote_id: named.quote_id,
            wish: in_words(order, &wish),
            moves: order.moves,
            expires: shifted(order.now, OFFERED_MICROS),
            totals,
        };
        self.orders[place].offers.push(offer);
        // Mostly it is taken up soon.
        if self.random.below(2) > 0 {
            return self.take_up(place, &wish).await;
        }
        "done".to_owned()
    }

    /// A change is made by its quote, at once or some minutes later (MD-6).
    async fn take_up(&mut self, place: usize, wish: &Wish) -> String {
        if self.random.below(5) == 0 {
            // Now it is another order (MD-6).
            self.set_software(place).await;
        }
        let minutes = [0, 14, 15, 16][self.random.index(4)];
        let later = shifted(self.now(), minutes * 60_000_000);
        self.world.time.move_to(later);
        self.orders.iter_mut().for_each(|order| order.pass(later));
        let offer = self.orders[place].offers.last().unwrap().clone();
        let mut named = self.change_request(place, wish);
        named.quote_id = offer.quote_id.clone();
        self.make_change(place, wish, named, Some(&offer)).await
    }

    pub(super) async fn change(&mut self) -> String {
        let place = self.some_order();
        let wish = self.some_change(place);
        if wish.added.is_empty() && wish.removed.is_empty() && wish.named.is_none() {
            return "idle".to_owned();
        }
        let mut request = self.change_request(place, &wish);
        let order = &self.orders[place];
        // One that ended longer ago may be forgotten, or not yet.
        let known = |offer: &&Offer| order.now <= shifted(offer.expires, 90 * DAY_MICROS);
        let offers: Vec<_> = order.offers.iter().filter(known).cloned().collect();
        // Now and then by a quote, which is mostly one for something else.
        let offer = match offers.is_empty() || self.random.below(2) > 0 {
            true => None,
            false => Some(&offers[self.random.index(offers.len())]),
        };
        if let Some(offer) = offer {
            request.quote_id.clone_from(&offer.quote_id);
        }
        self.make_change(place, &wish, request, offer).await
    }

    async fn make_change(
        &mut self,
        place: usize,
        wish: &Wish,
        request: UpdateDomainsRequest,
        offer: Option<&Offer>,
    ) -> String {
        let order = &self.orders[place];
        let foretold = order.may_change(wish).and_then(|change| {
            let fresh = self.totals(order, &change);
            let Some(offer) = offer else {
                return Ok((change, fresh));
            };
            // A free change takes no quote.
            let is_another = offer.wish != in_words(order, wish);
            if fresh.is_empty() || is_another || offer.moves != order.moves {
                return Err(vec!["QUOTE_STALE"]);
            }
            if order.now >= offer.expires {
                return Err(vec!["QUOTE_EXPIRED"]);
            }
            Ok((change, offer.totals.clone()))
        });
        println!("    {wish:?} by {offer:?}: {foretold:?}");
        let answer = match offer {
            Some(_) => self.ask_as_offered(request).await,
            None => self.ask(request).await,
        };
        // What the balance does not have is refused, for both terms at once and without a trace (BL-6).
        let foretold = foretold.and_then(|(change, totals)| {
            self.spend(totals.iter().map(|(_, total)| total).sum())?;
            Ok((change, totals))
        });
        let ((change, totals), answer) = match agree(foretold, answer) {
            Ok(both) => both,
            Err(reason) => return reason,
        };
        self.check_totals(&self.orders[place], &answer, &totals);
        self.balance -= totals.iter().map(|(_, total)| total).sum::<i64>();
        let moves = change.moved.is_some();
        self.orders[place].change(change, &totals);
        match offer {
            Some(_) => "as offered".to_owned(),
            None if moves => "moved".to_owned(),
            None => "done".to_owned(),
        }
    }

    pub(super) async fn take_back(&mut self) -> String {
        let place = self.some_order();
        let order = &self.orders[place];
        let foretold = match (order.may(false), &order.change) {
            (Err(reason), _) => Err(vec![reason]),
            (Ok(()), None) => Err(vec!["NO_CHANGE_PENDING"]),
            (Ok(()), Some(_)) => Ok(()),
        };
        let request = CancelDomainChangeRequest {
            order_id: order.id.clone(),
            request_id: request_id(),
            ..CancelDomainChangeRequest::default()
        };
        match agree(foretold, self.ask(request).await) {
            Ok(_) => {
                let moves = self.orders[place].moves_common_name();
                self.balance += self.orders[place].take_back();
                if moves { "moved back" } else { "done" }.to_owned()
            }
            Err(reason) => reason,
        }
    }

    pub(super) async fn reissue(&mut self) -> String {
        let place = self.some_order();
        let order = &self.orders[place];
        let foretold = may_reissue(order);
        let request = RequestReissueRequest {
            order_id: order.id.clone(),
            request_id: request_id(),
            ..RequestReissueRequest::default()
        };
        match agree(foretold, self.ask(request).await) {
            Ok(_) => {
                self.orders[place].reissue();
                "done".to_owned()
            }
            Err(reason) => reason,
        }
    }

    /// The authority reports a certificate: the one that is awaited, or one that does not fit.
    pub(super) async fn issue(&mut self) -> String {
        let place = self.some_order();
        let order = &self.orders[place];
        let (mut names, longest) = (order.wanted(), order.longest_days());
        let mut common_name = order.wanted_common_name();
        // Of a private product one may be good to the end, and beyond the term's.
        let most = [30, 90, 800][self.random.index(3)];
        let mut days = longest.clamp(1, most);
        let mut fits = true;
        match self.random.below(12) {
            0 => fits = !names.insert("x.test"),
            1 if longest > 0 => {
                // Its times are whole seconds, so that one day more may still just fit.
                days = longest + 2;
                fits = false;
            }
            2 => {
                let others: Vec<_> = names.iter().filter(|name| **name != common_name).collect();
                if let Some(other) = others.first() {
                    common_name = other;
                    fits = false;
                }
            }
            _ => {}
        }
        let order = &self.orders[place];
        let foretold = match order.may(false) {
            Err("ORDER_DELETED") => Ok(()),
            Err(reason) => Err(vec![reason]),
            Ok(()) if order.pending_since().is_none() => Err(vec!["ISSUANCE_NOT_PENDING"]),
            Ok(()) if !fits => Err(vec!["CERTIFICATE_MISMATCH"]),
            Ok(()) => Ok(()),
        };
        let list: Vec<String> = names.iter().map(ToString::to_string).collect();
        let list = crate::harness::samples::common_name_first(list, common_name);
        let chain = certificates::chain_for(&list, order.now, days);
        let request = issuance_of(&order.id, chain);
        println!("    certificate for {common_name}, {names:?}, {days} days: {foretold:?}");
        let ((), answer) = match agree(foretold, self.ask(request).await) {
            Ok(both) => both,
            Err(reason) => return reason,
        };
        let found = answer.certificate.unwrap();
        let order = &mut self.orders[place];
        // A certificate's times are whole seconds.
        let end = order.now.as_micros() + days * DAY_MICROS;
        let active_until = shifted(order.now, days * DAY_MICROS - end.rem_euclid(1_000_000));
        let state = found.state();
        order.issue(found.certificate_id, active_until);
        match state == CertificateState::ToRevoke {
            true => "TO_REVOKE".to_owned(),
            false => "done".to_owned(),
        }
    }
}

/// What a quote of a change is bound to (MD-6).
fn in_words(order: &Order, wish: &Wish) -> String {
    let names = &(&order.term().names - &wish.removed) | &wish.added;
    let common_name = wish.named.unwrap_or(order.common_name);
    format!("{names:?} {common_name}")
}

pub(super) fn may_reissue(order: &Order) -> Result<(), Vec<&'static str>> {
    order.may(false).map_err(|reason| vec![reason])?;
    match order.change {
        Some(_) => Err(vec!["CHANGE_IN_PROGRESS"]),
        None => Ok(()),
    }
}
