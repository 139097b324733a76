//! Steps that sell: quotes and charges. A charge takes what its quote said, whatever changed in the
//! catalogue since.

use std::cmp::Ordering;

use licet_domain::{
    clock::Instant,
    ids::{InvoiceId, QuoteId},
    money::{Fraction, Money},
    refusal::{Reason, Refusal},
};

use super::{
    Dice, Unfinished,
    books::{Books, DAY_MICROS, Resource, StoredQuote, shifted},
    catalogue::some_price,
};
use crate::rules::{
    account::{FirstDue, PaymentTerms},
    catalog::{ProductKind, ProductVersion},
    charge::{Invoice, Quote},
    item::{Item, ItemKind, Pricing},
    ledger::Entry,
    numbers::DocumentNumber,
    prices::{PriceList, Prices},
    quote::{ComputedQuote, Line, PriceBasis, compute},
};

impl Books {
    fn some_resource(&self, dice: &mut Dice<'_>) -> Resource {
        if let Some(known) = dice.pick(&self.resources).filter(|_| !dice.once_in(3)) {
            return known.clone();
        }
        let kinds = [
            ProductKind::MultiDomain,
            ProductKind::MultiDomain,
            ProductKind::SanLicense,
        ];
        let kind = *dice.pick(&kinds).unwrap();
        Resource {
            resource_id: format!("resource {}", self.resources.len()),
            product_id: self.newest(kind).product_id.clone(),
            kind,
            anchor: self.now,
            months: [12, 12, 1, 24][usize::try_from(dice.below(4)).unwrap()],
        }
    }

    fn some_item(&self, dice: &mut Dice<'_>, resource: &Resource, index: u32) -> Item {
        let kinds: &[ItemKind] = match resource.kind {
            ProductKind::SanLicense => &[ItemKind::SanQuota, ItemKind::SanQuotaIncrease],
            ProductKind::SingleDomain | ProductKind::MultiDomain => &[
                ItemKind::Certificate,
                ItemKind::Domain,
                ItemKind::Domain,
                ItemKind::WildcardDomain,
                ItemKind::WildcardDifference,
                ItemKind::AdditionalLicense,
            ],
        };
        let kind = *dice.pick(kinds).unwrap();
        let currency = self.currency();
        let is_san = resource.kind == ProductKind::SanLicense;
        let pricing = match kind {
            ItemKind::SanQuotaIncrease if dice.once_in(16) => {
                let foreign = "EUR".parse().unwrap();
                Pricing::UnitPrice(some_price(foreign, dice, 2_000_000))
            }
            ItemKind::SanQuotaIncrease => Pricing::UnitPrice(some_price(currency, dice, 2_000_000)),
            ItemKind::SanQuota if dice.once_in(3) => {
                Pricing::Amount(Money::from_minor(currency, dice.minor(0, 200_000)))
            }
            ItemKind::SanQuota
            | ItemKind::Certificate
            | ItemKind::Domain
            | ItemKind::WildcardDomain
            | ItemKind::WildcardDifference
            | ItemKind::AdditionalLicense => Pricing::Listed,
        };
        let is_change = !matches!(kind, ItemKind::Certificate | ItemKind::SanQuota);
        // Sometimes long before now, but rarely before the catalogue existed.
        let price_time = match dice.below(30) {
            0 => shifted(self.now, -dice.minor(1, 90 * DAY_MICROS)),
            1..=5 => {
                let earlier = shifted(self.now, -dice.minor(1, 90 * DAY_MICROS));
                earlier.max(self.account.created)
            }
            _ => self.now,
        };
        let of_product = self
            .versions
            .iter()
            .filter(|it| it.product_id == resource.product_id);
        let numbers: Vec<u32> = of_product.map(|it| it.version).collect();
        Item {
            kind: if dice.once_in(40) {
                ItemKind::SanQuota
            } else {
                kind
            },
            quantity: 1 + dice.below(if is_san { 2_000 } else { 5 }),
            product_id: if dice.once_in(60) {
                "unheard-of".parse().unwrap()
            } else {
                resource.product_id.clone()
            },
            product_version: dice.once_in(4).then(|| *dice.pick(&numbers).unwrap()),
            price_time,
            term: resource.term(index),
            change_time: (is_change && !dice.once_in(3)).then_some(self.now),
            pricing,
        }
    }

    fn priced(&self, items: &[Item], decision: Instant) -> Result<ComputedQuote, Refusal> {
        let currency = self.currency();
        let lists = self
            .lists
            .iter()
            .filter(|it| it.currency == currency)
            .cloned();
        let lists: Vec<PriceList> = lists.collect();
        let basis = items.iter().map(|item| {
            let basis = PriceBasis::find(item, &self.versions, &lists, decision)?;
            Ok((item.clone(), basis))
        });
        compute(&basis.collect::<Result<Vec<_>, Refusal>>()?, currency)
    }

    /// BL-1, BL-7: a quote can be computed again by hand, line by line.
    pub(super) fn quote(&mut self, dice: &mut Dice<'_>) -> Result<(), Unfinished> {
        let resource = self.some_resource(dice);
        let index = u32::from(dice.once_in(4));
        let count = 1 + dice.below(3);
        let items = (0..count).map(|_| self.some_item(dice, &resource, index));
        let items: Vec<Item> = items.collect();
        let valid = dice.minor(1, 10 * DAY_MICROS);
        let computed = match self.priced(&items, self.now) {
            Ok(computed) => computed,
            Err(refusal) => {
                self.check_refused(&items, &refusal);
                return Err(Unfinished::Refused(refusal.reason));
            }
        };
        assert_eq!(computed.lines.len(), items.len());
        for (line, item) in computed.lines.iter().zip(&items) {
            redo(line, item);
        }
        let total: i64 = computed.lines.iter().map(|line| line.amount.minor()).sum();
        assert_eq!(computed.total.minor(), total, "M-3");
        self.quotes.push(StoredQuote {
            quote: Quote {
                quote_id: Some(QuoteId::generate()),
                account_id: self.account.account_id,
                pin: format!("revision {}", dice.below(2)),
                subject: Some(resource.subject(index)),
                lines: computed.lines,
                total: computed.total,
                decision: self.now,
                expires: shifted(self.now, valid),
                invoice_id: None,
            },
            items,
        });
        if !self.resources.contains(&resource) {
            self.resources.push(resource);
        }
        Ok(())
    }

    /// A quote may be refused only for a reason that one of its items gives.
    fn check_refused(&self, items: &[Item], refusal: &Refusal) {
        let gives: Option<fn(&Self, &Item) -> bool> = [
            (
                Reason::TermEnded,
                Self::is_ended as fn(&Self, &Item) -> bool,
            ),
            (Reason::CurrencyMismatch, Self::is_foreign),
            (Reason::ProductKindMismatch, Self::is_of_another_kind),
            (Reason::NotFound, Self::is_unknown),
            (Reason::TermNotSold, Self::is_of_unsold_term),
            (Reason::PriceNotSet, Self::is_unpriced),
        ]
        .into_iter()
        .find_map(|(reason, gives)| (reason == refusal.reason).then_some(gives));
        let gives =
            gives.unwrap_or_else(|| panic!("a quote was refused without cause: {refusal:?}"));
        let found = items.iter().any(|item| gives(self, item));
        assert!(found, "{refusal:?} of {items:?}");
    }

    fn is_ended(&self, item: &Item) -> bool {
        item.change_time
            .is_some_and(|it| it >= item.term.end() && it <= self.now)
    }

    fn is_foreign(&self, item: &Item) -> bool {
        matches!(item.pricing, Pricing::UnitPrice(it) if it.currency() != self.currency())
    }

    fn is_of_another_kind(&self, item: &Item) -> bool {
        let is_san = matches!(item.kind, ItemKind::SanQuota | ItemKind::SanQuotaIncrease);
        let sans = &self.newest(ProductKind::SanLicense).product_id;
        is_san != (item.product_id == *sans)
    }

    fn versions_of(&self, item: &Item) -> impl Iterator<Item = &ProductVersion> {
        let product_id = item.product_id.clone();
        let versions = self.versions.iter();
        versions.filter(move |it| it.product_id == product_id)
    }

    fn is_unknown(&self, item: &Item) -> bool {
        let applies = |it: &ProductVersion| match item.product_version {
            Some(number) => it.version == number && it.effective <= self.now,
            None => it.effective <= item.price_time,
        };
        !self.versions_of(item).any(applies)
    }

    fn is_of_unsold_term(&self, item: &Item) -> bool {
        let months = item.term.months();
        self.versions_of(item)
            .any(|it| !it.product.term_months.contains(&months))
    }

    fn is_unpriced(&self, item: &Item) -> bool {
        let in_force = self
            .lists
            .iter()
            .filter(|it| it.product_id == item.product_id && it.effective <= item.price_time)
            .max_by_key(|it| it.effective);
        let Some(Prices::ByTerm(terms)) = in_force.map(|it| &it.prices) else {
            return in_force.is_none();
        };
        let of_term = terms.iter().find(|it| it.months == item.term.months());
        of_term.is_none_or(|it| it.wildcard_domain.is_none())
    }

    /// BL-1, BL-6, MD-6: a charge takes what the quote said, once, or nothing.
    pub(super) fn charge(&mut self, dice: &mut Dice<'_>) -> Result<(), Unfinished> {
        let open = |it: &usize| self.quotes[*it].quote.invoice_id.is_none();
        let all: Vec<usize> = (0..self.quotes.len()).collect();
        let opens: Vec<usize> = all.iter().copied().filter(open).collect();
        let place = if dice.once_in(8) {
            dice.pick(&all)
        } else {
            dice.pick(&opens)
        };
        let place = *place.ok_or(Unfinished::Idle)?;
        let StoredQuote { quote, items } = self.quotes[place].clone();
        let pin = if dice.once_in(12) {
            "another"
        } else {
            &quote.pin
        };
        // Accepted now, or earlier if the charge took long (T-3).
        let accepted = match dice.below(5) {
            0 => quote.decision,
            1 => shifted(quote.expires, -1).min(self.now),
            2 => quote.expires.min(self.now),
            _ => self.now,
        };
        let reason = self.foretell_charge(&quote, pin, accepted);
        let first_due = self.first_due();
        let terms = quote.check_charge(pin, accepted).and_then(|()| {
            if quote.total.is_zero() {
                return Ok(None);
            }
            self.account.check_charge(quote.total, first_due, accepted)
        });
        let terms = Unfinished::foretold(terms, reason.as_slice())?;
        let quote_id = quote.quote_id.unwrap();
        let preview = Invoice::from_quote(&quote, quote_id, terms.as_ref(), accepted, self.now);
        self.check_still_so(&quote, &items);

        let before = self.account.clone();
        let invoice_id = InvoiceId::generate();
        let mut entries = Vec::new();
        if !quote.total.is_zero() {
            entries.push(Entry::invoice(quote.total, invoice_id).unwrap());
            if terms.is_none() {
                entries.push(Entry::payment(quote.total, invoice_id).unwrap());
            }
        }
        self.post(entries);
        let spent = before.balance.minor() - self.account.balance.minor();
        let owed = self.account.due.minor() - before.due.minor();
        assert_eq!(spent, preview.paid.minor(), "BL-1: what the preview said");
        assert_eq!(
            owed,
            preview.due().unwrap().minor(),
            "BL-1: what the preview said"
        );
        assert_eq!(spent + owed, quote.total.minor(), "BL-1");
        let of_invoice: Vec<Line> = preview.lines.iter().map(|it| it.line.clone()).collect();
        assert_eq!(
            (&of_invoice, preview.total),
            (&quote.lines, quote.total),
            "BL-1"
        );
        if let PaymentTerms::OnTerms(terms) = self.account.terms
            && owed > 0
        {
            assert!(
                self.account.due.minor() <= terms.credit_limit.minor(),
                "BL-6"
            );
            let net = i64::from(terms.net_days) * DAY_MICROS;
            assert_eq!(preview.due_time, Some(shifted(self.now, net)));
        }
        self.quotes[place].quote.invoice_id = Some(invoice_id);
        let number = i64::try_from(self.invoices.len() + 1).ok();
        self.invoices.push(Invoice {
            invoice_id: Some(invoice_id),
            number: number.map(DocumentNumber::sample),
            ..preview
        });
        Ok(())
    }

    fn first_due(&self) -> Option<FirstDue> {
        let open = self
            .invoices
            .iter()
            .filter(|it| it.due().unwrap().minor() > 0);
        let first = open.min_by_key(|it| (it.due_time, it.invoice_id))?;
        Some(FirstDue {
            invoice_id: first.invoice_id?,
            number: first.number.clone()?,
            due_time: first.due_time?,
        })
    }

    /// The reason why a charge must be refused, from the account's balance and what is due.
    fn foretell_charge(&self, quote: &Quote, pin: &str, accepted: Instant) -> Option<Reason> {
        let total = quote.total.minor();
        if quote.invoice_id.is_some() {
            return Some(Reason::QuoteSpent);
        }
        if quote.pin != pin {
            return Some(Reason::QuoteStale);
        }
        if accepted.cmp(&quote.expires) != Ordering::Less {
            return Some(Reason::QuoteExpired);
        }
        if total == 0 {
            return None;
        }
        match self.account.terms {
            PaymentTerms::Prepaid => {
                (total > self.account.balance.minor()).then_some(Reason::InsufficientFunds)
            }
            PaymentTerms::OnTerms(terms) => {
                let grace = i64::from(terms.overdue_grace_days) * DAY_MICROS;
                let is_late = |it: &Invoice| {
                    it.due().unwrap().minor() > 0
                        && it.due_time.unwrap().micros_until(accepted) > grace
                };
                if self.invoices.iter().any(is_late) {
                    Some(Reason::AccountOverdue)
                } else if self.account.due.minor() + total > terms.credit_limit.minor() {
                    Some(Reason::CreditLimitExceeded)
                } else {
                    None
                }
            }
        }
    }

    /// BL-8: quoted again as it was sold, it costs the same, whatever was listed since.
    fn check_still_so(&self, quote: &Quote, items: &[Item]) {
        let pinned = quote.lines.iter().zip(items).map(|(line, item)| Item {
            product_version: Some(line.product_version),
            price_time: line.price_effective.unwrap_or(item.price_time),
            ..item.clone()
        });
        let pinned: Vec<Item> = pinned.collect();
        let again = self.priced(&pinned, quote.decision).unwrap();
        for (line, again) in quote.lines.iter().zip(again.lines) {
            let price_time = line.price_time;
            assert_eq!(
                *line,
                Line {
                    price_time,
                    ..again
                },
                "BL-8"
            );
        }
    }
}

/// Computes the amount of a line again from its own figures, in integers (BL-7, M-2).
fn redo(line: &Line, item: &Item) {
    assert!(Fraction::zero() <= line.fraction && line.fraction <= Fraction::one());
    assert!(
        line.explanation.contains(&line.amount.to_string()),
        "{line:?}"
    );
    let end = line
        .term_anchor
        .checked_add_months(line.term_first_month + line.term_months);
    assert_eq!(end, Some(line.term_end), "T-2");
    if let Pricing::Amount(amount) = item.pricing {
        assert_eq!(line.amount, amount, "SL-7");
        return;
    }
    let text = line.fraction.to_string();
    let (above, below) = text.split_once('/').unwrap_or((&text, "1"));
    let (mut above, mut below): (i128, i128) = (above.parse().unwrap(), below.parse().unwrap());
    if matches!(line.kind, ItemKind::SanQuota | ItemKind::SanQuotaIncrease) {
        above *= i128::from(line.term_months);
        below *= 12;
    }
    above *= i128::from(line.unit_price.micros()) * i128::from(line.quantity);
    above *= 10_i128.pow(line.amount.currency().minor_digits());
    below *= 1_000_000;
    let rounded = (2 * above + below) / (2 * below);
    assert_eq!(i128::from(line.amount.minor()), rounded, "BL-7: {line:?}");
}
