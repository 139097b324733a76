//! What the store has of one account, as plain values, and what must hold after every step. Every
//! sum is made again from single facts, by other means than the rules use.

use std::collections::BTreeMap;

use licet_domain::{
    clock::Instant,
    ids::{AccountId, InvoiceId, ProductId},
    money::{Currency, Money},
    term::Term,
};

use super::{Dice, Unfinished};
use crate::rules::{
    account::{Account, AccountKind, CreditTerms, PaymentTerms},
    catalog::{Product, ProductKind, ProductVersion, tests::product},
    charge::{Invoice, InvoiceState, Quote, Subject},
    credit::CreditNote,
    item::Item,
    ledger::{Entry, LedgerAccount, LedgerEntry, Movement},
    prices::PriceList,
    refund::{Refund, RefundState},
};

/// A resource that is bought term after term: an order or a licence.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Resource {
    pub(super) resource_id: String,
    pub(super) product_id: ProductId,
    pub(super) kind: ProductKind,
    pub(super) anchor: Instant,
    pub(super) months: u32,
}

impl Resource {
    pub(super) fn term(&self, index: u32) -> Term {
        Term::new(self.anchor, index * self.months, self.months).unwrap()
    }

    pub(super) fn subject(&self, term_index: u32) -> Subject {
        Subject {
            resource_id: self.resource_id.clone(),
            term_index,
        }
    }
}

/// A quote and the items that it was requested for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct StoredQuote {
    pub(super) quote: Quote,
    pub(super) items: Vec<Item>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Books {
    pub(super) now: Instant,
    pub(super) account: Account,
    pub(super) resources: Vec<Resource>,
    pub(super) versions: Vec<ProductVersion>,
    pub(super) lists: Vec<PriceList>,
    pub(super) quotes: Vec<StoredQuote>,
    pub(super) invoices: Vec<Invoice>,
    pub(super) notes: Vec<CreditNote>,
    pub(super) refunds: Vec<Refund>,
    /// The number of invoices when each refund was decided or extended.
    pub(super) seen: Vec<usize>,
    pub(super) entries: Vec<LedgerEntry>,
    /// In minor units.
    pub(super) money_in: i64,
    pub(super) money_out: i64,
}

pub(super) const DAY_MICROS: i64 = 86_400_000_000;

/// `instant` plus `micros`, which may be negative.
pub(super) fn shifted(instant: Instant, micros: i64) -> Instant {
    Instant::from_micros(instant.as_micros() + micros).unwrap()
}

fn sum(amounts: impl Iterator<Item = Money>) -> i64 {
    amounts.map(Money::minor).sum()
}

impl Books {
    /// An account and two products with their first prices.
    pub(super) fn open(dice: &mut Dice<'_>) -> Self {
        let now: Instant = "2026-01-31T09:30:00.000001Z".parse().unwrap();
        let code = ["USD", "USD", "JPY", "BHD"][usize::try_from(dice.below(4)).unwrap()];
        let currency: Currency = code.parse().unwrap();
        let zero = Money::zero(currency);
        let version = |product_id: &str, kind| ProductVersion {
            product_id: product_id.parse().unwrap(),
            version: 1,
            effective: now,
            recorded: now,
            product: Product {
                term_months: vec![1, 12],
                ..product(kind)
            },
        };
        let account = Account {
            account_id: AccountId::generate(),
            display_name: "Example".to_owned(),
            terms: PaymentTerms::Prepaid,
            balance: zero,
            due: zero,
            created: now,
            last_entry: now,
        };
        let mut books = Self {
            now,
            resources: Vec::new(),
            versions: vec![
                version("multi-domain-dv", ProductKind::MultiDomain),
                version("san-license", ProductKind::SanLicense),
            ],
            account,
            lists: Vec::new(),
            quotes: Vec::new(),
            invoices: Vec::new(),
            notes: Vec::new(),
            refunds: Vec::new(),
            seen: Vec::new(),
            entries: Vec::new(),
            money_in: 0,
            money_out: 0,
        };
        if dice.once_in(2) {
            books.account.terms = books.some_terms(dice);
        }
        books.list_first_prices(dice);
        books
    }

    pub(super) fn some_terms(&self, dice: &mut Dice<'_>) -> PaymentTerms {
        // A limit may fit one of the open quotes to the last minor unit, or fail by one.
        let waiting = self.quotes.iter().map(|kept| &kept.quote);
        let waiting: Vec<i64> = waiting
            .filter(|quote| quote.invoice_id.is_none() && !quote.total.is_zero())
            .map(|quote| self.account.due.minor() + quote.total.minor())
            .collect();
        let limit = match dice.pick(&waiting) {
            Some(needed) if dice.once_in(2) => needed - i64::from(dice.below(2)),
            Some(_) | None => dice.minor(0, 3_000_000),
        };
        PaymentTerms::OnTerms(CreditTerms {
            credit_limit: self.money(limit),
            net_days: dice.below(31),
            overdue_grace_days: dice.below(20),
        })
    }

    pub(super) fn currency(&self) -> Currency {
        self.account.currency()
    }

    pub(super) fn money(&self, minor: i64) -> Money {
        Money::from_minor(self.currency(), minor)
    }

    /// T-1: from a microsecond to a year.
    pub(super) fn let_time_pass(&mut self, dice: &mut Dice<'_>) -> Result<(), Unfinished> {
        let micros = match dice.below(8) {
            0 => 1,
            1 | 2 => dice.minor(1, 20 * 60 * 1_000_000),
            3..=6 => dice.minor(1, 20 * DAY_MICROS),
            _ => dice.minor(1, 250 * DAY_MICROS),
        };
        self.now = shifted(self.now, micros);
        Ok(())
    }

    /// Books entries, and changes the two sums of the account by them.
    pub(super) fn post(&mut self, entries: Vec<Entry>) {
        let moved = Movement::of(self.currency(), &entries).unwrap();
        self.account.balance = self.account.balance.checked_add(moved.balance).unwrap();
        self.account.due = self.account.due.checked_add(moved.due).unwrap();
        let (account_id, now) = (self.account.account_id, self.now);
        let booked = entries.into_iter().map(|entry| entry.book(account_id, now));
        self.entries.extend(booked);
    }

    /// The indexes of a subject's invoices.
    pub(super) fn of_subject(&self, subject: &Subject) -> Vec<usize> {
        let of_it = |it: &&usize| self.invoices[**it].subject.as_ref() == Some(subject);
        let all: Vec<usize> = (0..self.invoices.len()).collect();
        all.iter().filter(of_it).copied().collect()
    }

    /// What must hold after every step.
    pub(super) fn check(&self) {
        self.check_ledger();
        for invoice in &self.invoices {
            self.check_invoice(invoice);
        }
        self.check_reviews();
        self.check_money();
    }

    /// BL-3: a review may grant what is held of its term, and a term has at most one review.
    fn check_reviews(&self) {
        let is_pending = |it: &&Refund| it.decision.state == RefundState::PendingReview;
        let mut subjects = Vec::new();
        for refund in self.refunds.iter().filter(is_pending) {
            let places = self.of_subject(&refund.subject);
            let held = places.iter().map(|it| self.invoices[*it].held);
            assert_eq!(sum(held), refund.creditable.minor(), "BL-3: {refund:?}");
            assert!(!subjects.contains(&&refund.subject), "BL-3: {refund:?}");
            subjects.push(&refund.subject);
        }
    }

    /// BL-5: every entry and the whole ledger sum to zero; each ledger account agrees with the rest
    /// of the books.
    fn check_ledger(&self) {
        let mut sums: BTreeMap<LedgerAccount, i64> = BTreeMap::new();
        let mut earlier = self.entries.first().map(|entry| entry.time);
        for entry in &self.entries {
            let of_entry = sum(entry.postings.iter().map(|posting| posting.amount));
            assert_eq!(of_entry, 0, "BL-5: {entry:?}");
            assert!(entry.postings.len() >= 2, "BL-5: {entry:?}");
            assert!(earlier <= Some(entry.time), "T-5: {entry:?}");
            earlier = Some(entry.time);
            for posting in &entry.postings {
                assert_eq!(posting.amount.currency(), self.currency(), "M-4: {entry:?}");
                *sums.entry(posting.ledger_account).or_default() += posting.amount.minor();
            }
        }
        let of = |account| sums.get(&account).copied().unwrap_or_default();
        assert_eq!(sums.values().sum::<i64>(), 0, "BL-5");
        assert_eq!(of(LedgerAccount::Cash), self.money_in - self.money_out);
        assert_eq!(-of(LedgerAccount::Balance), self.account.balance.minor());
        assert_eq!(of(LedgerAccount::Receivable), self.account.due.minor());
        let kept = |invoice: &Invoice| invoice.total.minor() - invoice.credited.minor();
        let sold: i64 = self.invoices.iter().map(kept).sum();
        assert_eq!(-of(LedgerAccount::Revenue), sold);
    }

    /// BL-3, BL-4: no line and no invoice is credited or held beyond its amount, and no more
    /// returns than was paid.
    fn check_invoice(&self, invoice: &Invoice) {
        let notes = || {
            let of_it = |note: &&CreditNote| Some(note.invoice_id) == invoice.invoice_id;
            self.notes.iter().filter(of_it)
        };
        let (mut amounts, mut held) = (0, 0);
        for line in &invoice.lines {
            let line = line.creditable;
            let of_line = notes().flat_map(|note| &note.lines);
            let of_line = of_line.filter(|credit| credit.line_number == line.line_number);
            assert_eq!(
                line.credited.minor(),
                sum(of_line.map(|credit| credit.amount))
            );
            assert!(
                line.credited.minor() >= 0 && line.held.minor() >= 0,
                "BL-3: {line:?}"
            );
            let taken = line.credited.minor() + line.held.minor();
            assert!(taken <= line.amount.minor(), "BL-3: {line:?}");
            amounts += line.amount.minor();
            held += line.held.minor();
        }
        let (total, paid) = (invoice.total.minor(), invoice.paid.minor());
        let (credited, returned) = (invoice.credited.minor(), invoice.returned.minor());
        assert_eq!(total, amounts, "M-3");
        assert_eq!(credited, sum(notes().map(|note| note.total)), "BL-3");
        assert_eq!(returned, sum(notes().map(|note| note.returned)), "BL-4");
        assert_eq!(invoice.held.minor(), held, "BL-3");
        assert!(credited + held <= total, "BL-3: {invoice:?}");
        assert!(
            0 <= returned && returned <= credited.min(paid),
            "BL-4: {invoice:?}"
        );
        let due = total - paid - (credited - returned);
        assert_eq!(invoice.due().unwrap().minor(), due);
        assert!(due >= 0, "BL-4: {invoice:?}");
        let state = if due > 0 {
            InvoiceState::Open
        } else {
            InvoiceState::Paid
        };
        assert_eq!(invoice.state().unwrap(), state);
        let in_review = self.refunds.iter().any(|refund| {
            refund.decision.state == RefundState::PendingReview
                && invoice.subject.as_ref() == Some(&refund.subject)
        });
        assert!(
            held == 0 || in_review,
            "BL-3: held for nothing: {invoice:?}"
        );
    }

    /// BL-6: money received = balance + earned + paid out, and what is due is what open invoices
    /// ask.
    fn check_money(&self) {
        let (balance, due) = (self.account.balance.minor(), self.account.due.minor());
        assert!(balance >= 0 && due >= 0, "{:?}", self.account);
        let earned = |invoice: &Invoice| invoice.paid.minor() - invoice.returned.minor();
        let earned: i64 = self.invoices.iter().map(earned).sum();
        assert_eq!(self.money_in, balance + earned + self.money_out);
        let asked: i64 = self
            .invoices
            .iter()
            .map(|it| it.due().unwrap().minor())
            .sum();
        assert_eq!(due, asked);
        if self.account.terms.kind() == AccountKind::Prepaid {
            assert_eq!(due, 0, "BL-6");
        }
        let ids: Vec<InvoiceId> = self
            .invoices
            .iter()
            .filter_map(|it| it.invoice_id)
            .collect();
        let charged: Vec<InvoiceId> = self
            .quotes
            .iter()
            .filter_map(|kept| kept.quote.invoice_id)
            .collect();
        assert_eq!(charged.len(), ids.len(), "each invoice is of one quote");
    }
}
