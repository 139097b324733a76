//! The selling steps of a random history: the clock, prices, quotes and charges. Each response must match the
//! model's prediction.

use licet_contracts::billing::v1::{
    ChargeQuoteRequest, CreateQuoteRequest, LineKind, Quote as Offer, QuoteItem, SetPricesRequest,
    Subject, TermPrice, TermRef, VolumeTier,
};
use licet_domain::{clock::Instant, money::Price as DomainPrice};

use super::{
    billing_histories::{History, Resource, agree},
    billing_model::{DAY_MICROS, Model, Quote, no},
    billing_prices::{Item, List, Prices, Pricing, Product},
};
use crate::harness::{
    clock::{instant, shifted, timestamp},
    request_id,
    selling::price_in,
};

const DAY: u64 = DAY_MICROS.unsigned_abs();

impl History<'_> {
    /// A later instant, mostly at or beside one at which something starts or ends.
    fn later(&mut self) -> Instant {
        let now = self.now();
        let model = &self.model;
        let (full, none) = model.refund_days;
        let grace = model.terms.map_or(0, |terms| terms.grace_days) * DAY_MICROS;
        let mut marks: Vec<Instant> = model.quotes.iter().map(|quote| quote.expires).collect();
        for invoice in &model.invoices {
            if let Some(due_time) = invoice.due_time {
                marks.extend([due_time, shifted(due_time, grace)]);
            }
            marks.push(shifted(invoice.accepted, full * DAY_MICROS));
            marks.push(shifted(invoice.accepted, none * DAY_MICROS));
            marks.extend([invoice.term.0, invoice.term.1]);
        }
        let lists = self.products.iter().flat_map(|product| &product.lists);
        marks.extend(lists.map(|list| list.effective));
        marks.retain(|mark| *mark > now);
        marks.sort_unstable();
        marks.dedup();
        if marks.is_empty() || self.random.below(3) == 0 {
            let most = [1, DAY, 10 * DAY, 40 * DAY][self.random.index(4)];
            return shifted(now, self.minor(1, most));
        }
        let reach = marks.len().min(4);
        let mark = marks[self.random.index(reach)];
        shifted(mark, [-1, 0, 1][self.random.index(3)]).max(now)
    }

    pub(super) fn let_time_pass(&mut self) -> &'static str {
        let later = self.later();
        self.world.time.move_to(later);
        "done"
    }

    /// A price in millionths, often with a fraction of the minor unit.
    fn price(&mut self, least_minor: u64, most_minor: u64) -> i64 {
        let whole = self.minor(least_minor, most_minor) * self.minor_micros();
        if self.random.below(3) == 0 {
            return whole + self.minor(0, 9_999);
        }
        whole
    }

    fn minor_micros(&self) -> i64 {
        10_i64.pow(6 - self.model.currency.minor_digits())
    }

    pub(super) async fn set_prices(&mut self) -> &'static str {
        let place = self.random.index(2);
        let effective = match self.random.below(8) {
            0 => shifted(self.now(), -1),
            1..=2 => shifted(self.now(), self.minor(1, 20 * DAY)),
            _ => self.now(),
        };
        let prices = if self.products[place].is_license {
            self.tiers()
        } else {
            self.term_prices()
        };
        self.list_prices(place, effective, prices).await
    }

    pub(super) fn tiers(&mut self) -> Prices {
        let first = self.price(10, 500);
        let rises = self.random.below(12) == 0;
        let second = if rises { first + 1 } else { first * 3 / 4 };
        let from = if self.random.below(6) == 0 { 20 } else { 1 };
        Prices::ByVolume(vec![(from, first), (100, second)])
    }

    pub(super) fn term_prices(&mut self) -> Prices {
        let months = match self.random.below(24) {
            0 => vec![1],
            1 => vec![6],
            2..=3 => vec![1, 12],
            _ => vec![1, 12, 24],
        };
        let prices = months.into_iter().map(|months| {
            let certificate = self.price(1_000, 20_000);
            let additional = match self.random.below(24) {
                0 => certificate,
                _ => self.price(0, 999),
            };
            let domain = self.price(0, 9_999);
            let wildcard = match self.random.below(24) {
                0 => domain - 1,
                _ => domain + self.price(0, 20_000),
            };
            let wildcard = wildcard.max(0);
            let is_sold = self.random.below(24) > 0;
            let all = [
                Some(certificate),
                Some(domain),
                Some(wildcard).filter(|_| is_sold),
                Some(additional),
            ];
            (months, all)
        });
        Prices::ByTerm(prices.collect())
    }

    /// Sets prices; the catalogue must refuse invalid ones (AL-10, MD-4, SL-7, BL-8).
    pub(super) async fn list_prices(
        &mut self,
        place: usize,
        effective: Instant,
        prices: Prices,
    ) -> &'static str {
        let code = self.model.currency.code();
        let product = &self.products[place];
        let expected = product.may_list(effective, &prices, self.now()).map_err(no);
        let text = |micros: i64| {
            let price = DomainPrice::from_micros(self.model.currency, micros).unwrap();
            price_in(code, &price.value())
        };
        let mut request = SetPricesRequest {
            product_id: product.id.clone(),
            currency_code: code.to_owned(),
            effective_time: Some(timestamp(effective)),
            request_id: request_id(),
            ..SetPricesRequest::default()
        };
        match &prices {
            Prices::ByTerm(terms) => {
                let each = terms.iter().map(|(months, all)| TermPrice {
                    term_months: *months,
                    certificate: all[0].and_then(text),
                    domain: all[1].and_then(text),
                    wildcard_domain: all[2].and_then(text),
                    additional_license: all[3].and_then(text),
                });
                request.prices = each.collect();
            }
            Prices::ByVolume(tiers) => {
                let each = tiers.iter().map(|(from, micros)| VolumeTier {
                    from_quantity: (*from).into(),
                    price_12_months: text(*micros),
                });
                request.san_tiers = each.collect();
            }
        }
        let answer = self.ask(request).await;
        if let Err(reason) = agree(expected, answer) {
            return reason;
        }
        self.products[place].lists.push(List { effective, prices });
        "done"
    }

    /// A resource whose terms were sold, or a new one.
    fn resource(&mut self) -> Resource {
        if !self.resources.is_empty() && self.random.below(3) > 0 {
            let place = self.random.index(self.resources.len());
            return self.resources[place].clone();
        }
        let resource = Resource {
            id: format!("thing-{}", self.resources.len()),
            product: usize::from(self.random.below(3) == 0),
            anchor: self.now(),
            months: [12, 12, 1, 24][self.random.index(4)],
        };
        self.resources.push(resource.clone());
        resource
    }

    fn item(&mut self, resource: &Resource, term_index: u32) -> Item {
        let now = self.now();
        let is_license = self.products[resource.product].is_license != (self.random.below(60) == 0);
        let kinds = if is_license {
            &[LineKind::SanQuota, LineKind::SanQuotaIncrease][..]
        } else {
            &[
                LineKind::Certificate,
                LineKind::Domain,
                LineKind::WildcardDomain,
                LineKind::WildcardDifference,
                LineKind::AdditionalLicense,
            ]
        };
        let kind = kinds[self.random.index(kinds.len())];
        let is_whole = matches!(kind, LineKind::Certificate | LineKind::SanQuota);
        let change = match self.random.below(5) {
            _ if is_whole => None,
            0 => None,
            1 => Some(shifted(now, self.minor(0, 100 * DAY))),
            _ => Some(now),
        };
        let pricing = match kind {
            LineKind::SanQuotaIncrease => Pricing::Each(self.price(0, 500)),
            LineKind::SanQuota if self.random.below(4) == 0 => {
                let is_free = self.random.below(3) == 0;
                Pricing::All(if is_free { 0 } else { self.minor(1, 50_000) })
            }
            LineKind::SanQuota
            | LineKind::Certificate
            | LineKind::Domain
            | LineKind::WildcardDomain
            | LineKind::WildcardDifference
            | LineKind::AdditionalLicense
            | LineKind::Unspecified => Pricing::Listed,
        };
        let age = self.start.micros_until(now).unsigned_abs();
        let price_time = match self.random.below(40) {
            0 => shifted(self.start, -1),
            1..=6 => shifted(now, -self.minor(0, age)),
            _ => now,
        };
        Item {
            kind,
            quantity: 1 + i32::try_from(self.random.below(if is_license { 300 } else { 4 }))
                .unwrap(),
            anchor: resource.anchor,
            first_month: term_index * resource.months.unsigned_abs(),
            months: match self.random.below(50) {
                0 => 6,
                _ => resource.months,
            },
            change,
            price_time,
            pricing,
        }
    }

    fn written(&self, product: &Product, item: &Item) -> QuoteItem {
        let currency = self.model.currency;
        let is_new = item.anchor == self.now() && item.first_month == 0;
        let term = TermRef {
            anchor_time: Some(timestamp(item.anchor)),
            first_month: item.first_month.cast_signed(),
            months: item.months,
        };
        let mut written = QuoteItem {
            kind: item.kind.into(),
            product_id: product.id.clone(),
            quantity: item.quantity,
            term: (!is_new).then_some(term),
            term_months: if is_new { item.months } else { 0 },
            change_time: item.change.map(timestamp),
            price_time: (item.price_time != self.now()).then(|| timestamp(item.price_time)),
            ..QuoteItem::default()
        };
        match item.pricing {
            Pricing::Listed => {}
            Pricing::Each(micros) => {
                let price = DomainPrice::from_micros(currency, micros).unwrap();
                written.unit_price = price_in(currency.code(), &price.value());
            }
            Pricing::All(minor) => written.hand_amount = self.model.money(minor),
        }
        written
    }

    /// BL-1, BL-7, M-2: the quote must have the amounts that the model computed.
    pub(super) async fn quote(&mut self) -> &'static str {
        let now = self.now();
        let resource = self.resource();
        let index = u32::from(self.random.below(5) == 0);
        let count = 1 + self.random.below(3);
        let mut items: Vec<Item> = (0..count).map(|_| self.item(&resource, index)).collect();
        // All items of one subject share a term.
        let months = items[0].months;
        for item in &mut items {
            item.months = months;
        }
        let product = self.products[resource.product].clone();
        let subject = Some((resource.id, index.cast_signed())).filter(|_| self.random.below(6) > 0);
        let most = [60_000_000, 10 * DAY, 90 * DAY][self.random.index(3)];
        let valid = self.minor(1, most);
        let request = CreateQuoteRequest {
            account_id: self.account_id.clone(),
            items: items
                .iter()
                .map(|item| self.written(&product, item))
                .collect(),
            pin: format!("revision {}", self.random.below(2)),
            subject: subject.clone().map(|(resource_id, term_index)| Subject {
                resource_id,
                term_index,
            }),
            valid_for: Some(prost_types::Duration {
                seconds: valid / 1_000_000,
                nanos: i32::try_from(valid % 1_000_000).unwrap() * 1000,
            }),
            request_id: request_id(),
            ..CreateQuoteRequest::default()
        };
        let pin = request.pin.clone();
        println!("    quotes {items:?}");
        let expected = product.cost(&items, self.model.currency.minor_digits());
        let answer = self.ask(request).await;
        let (amounts, answer) = match agree(expected.map_err(no), answer) {
            Ok(both) => both,
            Err(reason) => return reason,
        };
        let offer = answer.quote.unwrap();
        check_offer(&self.model, &offer, &items, &amounts);
        assert_eq!(instant(offer.decision_time), now);
        let quote = Quote {
            id: offer.quote_id,
            pin,
            subject,
            lines: amounts,
            term: (
                items.iter().map(Item::start).min().unwrap(),
                items.iter().map(Item::end).max().unwrap(),
            ),
            expires: shifted(now, valid),
            charged: None,
        };
        assert_eq!(instant(offer.expire_time), quote.expires);
        self.model.quotes.push(quote);
        "done"
    }

    /// BL-1, BL-6, MD-6: charges exactly the quoted amount once, or nothing.
    pub(super) async fn charge(&mut self) -> &'static str {
        let now = self.now();
        let quotes = &self.model.quotes;
        let mut places: Vec<usize> = (0..quotes.len()).collect();
        if self.random.below(8) > 0 {
            places.retain(|place| quotes[*place].charged.is_none());
        }
        if self.random.below(4) > 0 {
            places.retain(|place| quotes[*place].expires > now);
        }
        if places.is_empty() {
            return "idle";
        }
        let place = places[self.random.index(places.len())];
        let quote = quotes[place].clone();
        let accepted = match self.random.below(6) {
            0 => Some(shifted(quote.expires, -1).min(now)),
            1 => Some(quote.expires.min(now)),
            _ => None,
        };
        let pin = match self.random.below(16) {
            0 => "another".to_owned(),
            _ => quote.pin.clone(),
        };
        let expected = self.model.may_charge(&quote, &pin, accepted.unwrap_or(now));
        let request = ChargeQuoteRequest {
            quote_id: quote.id.clone(),
            pin,
            accept_time: accepted.map(timestamp),
            request_id: request_id(),
            ..ChargeQuoteRequest::default()
        };
        println!("    charges {quote:?} accepted {accepted:?}: {expected:?}");
        let answer = self.ask(request).await;
        let (terms, answer) = match agree(expected, answer) {
            Ok(both) => both,
            Err(reason) => return reason,
        };
        let invoice = answer.invoice.unwrap();
        assert_eq!(invoice.quote_id, quote.id);
        let terms = terms.filter(|_| quote.total() > 0);
        let ids = (invoice.invoice_id.clone(), invoice.number.clone());
        let accepted = accepted.unwrap_or(now);
        assert_eq!(instant(invoice.accept_time), accepted, "T-3");
        self.model.charge(place, ids, terms, accepted, now);
        self.check_invoice(&invoice, self.model.invoices.last().unwrap());
        "done"
    }
}

#[track_caller]
fn check_offer(model: &Model, offer: &Offer, items: &[Item], amounts: &[i64]) {
    assert_eq!(offer.lines.len(), items.len());
    for (place, line) in offer.lines.iter().enumerate() {
        let (item, amount) = (&items[place], amounts[place]);
        assert_eq!(line.number, i32::try_from(place + 1).unwrap());
        assert_eq!(line.amount, model.money(amount), "{line:?}");
        let term = line.term_period.unwrap();
        let charged = line.charged_period.unwrap();
        assert_eq!(
            (instant(term.start_time), instant(term.end_time)),
            (item.start(), item.end())
        );
        assert_eq!(
            (instant(charged.start_time), instant(charged.end_time)),
            (item.charged_from(), item.end())
        );
        assert!(line.explanation.contains(&model.text(amount)), "{line:?}");
    }
    assert_eq!(offer.total, model.money(amounts.iter().sum()));
}
