//! Computes from a plain list of events what Billing must show of one account; stores no sums. Amounts are
//! minor units.

use std::fmt::Display;

use licet_contracts::{
    billing::v1::{EntryKind, LedgerAccount, RefundState},
    types::v1 as types,
};
use licet_domain::{
    clock::Instant,
    money::{Currency, Money},
};

use crate::harness::{clock::shifted, samples::money};

pub(super) const DAY_MICROS: i64 = 86_400_000_000;

/// A refusal: its reason and its metadata.
#[derive(Debug)]
pub(super) struct No {
    pub(super) reason: &'static str,
    pub(super) numbers: Vec<(&'static str, String)>,
}

pub(super) fn no(reason: &'static str) -> No {
    No {
        reason,
        numbers: vec![],
    }
}

impl No {
    pub(super) fn with(mut self, key: &'static str, value: impl Display) -> Self {
        self.numbers.push((key, format!("{value}")));
        self
    }
}

/// The payment terms of an account.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) limit: i64,
    pub(super) net_days: i64,
    pub(super) grace_days: i64,
}

/// A term of a resource.
pub(super) type Subject = (String, i32);

#[derive(Clone, Debug)]
pub(super) struct Quote {
    pub(super) id: String,
    pub(super) pin: String,
    pub(super) subject: Option<Subject>,
    pub(super) lines: Vec<i64>,
    /// From the first start to the last end of its terms.
    pub(super) term: (Instant, Instant),
    pub(super) expires: Instant,
    /// The index of the invoice that charged it.
    pub(super) charged: Option<usize>,
}

impl Quote {
    pub(super) fn total(&self) -> i64 {
        self.lines.iter().sum()
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Line {
    pub(super) amount: i64,
    pub(super) credited: i64,
    pub(super) held: i64,
}

#[derive(Clone, Debug)]
pub(super) struct Invoice {
    pub(super) id: String,
    pub(super) number: String,
    pub(super) subject: Option<Subject>,
    pub(super) lines: Vec<Line>,
    pub(super) paid: i64,
    pub(super) returned: i64,
    pub(super) issued: Instant,
    pub(super) due_time: Option<Instant>,
    pub(super) accepted: Instant,
    pub(super) term: (Instant, Instant),
}

impl Invoice {
    fn sum(&self, part: fn(&Line) -> i64) -> i64 {
        self.lines.iter().map(part).sum()
    }

    pub(super) fn total(&self) -> i64 {
        self.sum(|line| line.amount)
    }

    pub(super) fn credited(&self) -> i64 {
        self.sum(|line| line.credited)
    }

    pub(super) fn held(&self) -> i64 {
        self.sum(|line| line.held)
    }

    pub(super) fn due(&self) -> i64 {
        self.total() - self.paid - (self.credited() - self.returned)
    }

    /// BL-3, BL-4: credited, held, paid and returned amounts never exceed the invoiced ones.
    fn check(&self) {
        for line in &self.lines {
            assert!(line.credited >= 0 && line.held >= 0, "{self:?}");
            assert!(line.credited + line.held <= line.amount, "BL-3: {self:?}");
        }
        assert!(self.due() >= 0 && self.returned >= 0, "{self:?}");
        assert!(self.returned <= self.paid, "BL-4: {self:?}");
    }
}

/// A refund requested for a term.
#[derive(Clone, Debug)]
pub(super) struct Refund {
    pub(super) id: String,
    pub(super) subject: Subject,
    pub(super) state: RefundState,
    pub(super) creditable: i64,
    pub(super) refunded: i64,
    pub(super) decided: Instant,
    /// How many invoices existed at the decision, or when something was last added to the refund.
    pub(super) seen: usize,
}

/// A ledger entry with the id of its cause and, if it can be reversed, its own id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) time: Instant,
    pub(super) kind: EntryKind,
    pub(super) postings: Vec<(LedgerAccount, i64)>,
    pub(super) cause: String,
    pub(super) id: String,
}

/// One account.
#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) currency: Currency,
    pub(super) terms: Option<Terms>,
    pub(super) quotes: Vec<Quote>,
    pub(super) invoices: Vec<Invoice>,
    pub(super) refunds: Vec<Refund>,
    pub(super) entries: Vec<Entry>,
    /// The days after which there is no full refund, and no refund at all (AL-4).
    pub(super) refund_days: (i64, i64),
    /// Whether the refund period starts at the purchase; otherwise it starts at the first issuance.
    pub(super) counts_from_purchase: bool,
}

impl Model {
    pub(super) fn text(&self, minor: i64) -> String {
        Money::from_minor(self.currency, minor).value()
    }

    pub(super) fn money(&self, minor: i64) -> Option<types::Money> {
        money(self.currency.code(), &self.text(minor))
    }

    fn moved(&self, ledger_account: LedgerAccount) -> i64 {
        let postings = self.entries.iter().flat_map(|it| &it.postings);
        let of_it = postings.filter(|(account, _)| *account == ledger_account);
        of_it.map(|(_, minor)| minor).sum()
    }

    pub(super) fn balance(&self) -> i64 {
        -self.moved(LedgerAccount::Balance)
    }

    pub(super) fn due(&self) -> i64 {
        self.invoices.iter().map(Invoice::due).sum()
    }

    /// BL-5: each entry sums to zero; all money received is held, earned or returned; ledger and invoices
    /// agree.
    pub(super) fn check(&self) {
        for entry in &self.entries {
            let sum: i64 = entry.postings.iter().map(|(_, minor)| minor).sum();
            assert_eq!(sum, 0, "{entry:?}");
        }
        self.invoices.iter().for_each(Invoice::check);
        let (total, credited, paid, returned) =
            self.invoices
                .iter()
                .fold((0, 0, 0, 0), |(total, credited, paid, returned), it| {
                    let credited = credited + it.credited();
                    (
                        total + it.total(),
                        credited,
                        paid + it.paid,
                        returned + it.returned,
                    )
                });
        assert!(self.balance() >= 0, "BL-6");
        assert_eq!(self.moved(LedgerAccount::Receivable), self.due());
        assert_eq!(-self.moved(LedgerAccount::Revenue), total - credited);
        let received = self.moved(LedgerAccount::Cash);
        assert_eq!(received, self.balance() + paid - returned);
        if self.terms.is_none() {
            assert_eq!(self.due(), 0, "BL-6");
        }
    }

    pub(super) fn book(
        &mut self,
        time: Instant,
        kind: EntryKind,
        postings: &[(LedgerAccount, i64)],
        (cause, id): (&str, &str),
    ) {
        let moved = postings.iter().filter(|(_, minor)| *minor != 0);
        self.entries.push(Entry {
            time,
            kind,
            postings: moved.copied().collect(),
            cause: cause.to_owned(),
            id: id.to_owned(),
        });
    }

    /// Refuses with INSUFFICIENT_FUNDS and the missing amount (BL-6).
    pub(super) fn spend(&self, minor: i64) -> Result<(), No> {
        let missing = minor - self.balance();
        if missing <= 0 {
            return Ok(());
        }
        Err(no("INSUFFICIENT_FUNDS")
            .with("missing", self.text(missing))
            .with("available", self.text(self.balance()))
            .with("required", self.text(minor))
            .with("currency", self.currency.code()))
    }

    pub(super) fn first_due(&self) -> Option<&Invoice> {
        let open = self.invoices.iter().filter(|it| it.due() > 0);
        open.min_by_key(|it| (it.due_time, it.id.clone()))
    }

    /// The credit terms of a charge accepted at `accepted`; `None` if it is paid at once (BL-6, MD-6).
    pub(super) fn may_charge(
        &self,
        quote: &Quote,
        pin: &str,
        accepted: Instant,
    ) -> Result<Option<Terms>, No> {
        let total = quote.total();
        if let Some(place) = quote.charged {
            return Err(no("QUOTE_SPENT").with("invoice_id", &self.invoices[place].id));
        }
        if quote.pin != pin {
            return Err(no("QUOTE_STALE").with("quote_id", &quote.id));
        }
        if accepted >= quote.expires {
            return Err(no("QUOTE_EXPIRED")
                .with("expire_time", quote.expires)
                .with("accept_time", accepted));
        }
        let Some(terms) = self.terms.filter(|_| total > 0) else {
            return self.spend(total).map(|()| None);
        };
        if let Some(first) = self.first_due() {
            let due_time = first.due_time.unwrap();
            let late = due_time.micros_until(accepted);
            if late > terms.grace_days * DAY_MICROS {
                return Err(no("ACCOUNT_OVERDUE")
                    .with("invoice_id", &first.id)
                    .with("number", &first.number)
                    .with("due_time", due_time)
                    .with("overdue_days", late / DAY_MICROS)
                    .with("grace_days", terms.grace_days));
            }
        }
        let missing = self.due() + total - terms.limit;
        if missing > 0 {
            return Err(no("CREDIT_LIMIT_EXCEEDED")
                .with("limit", self.text(terms.limit))
                .with("due", self.text(self.due()))
                .with("required", self.text(total))
                .with("missing", self.text(missing)));
        }
        Ok(Some(terms))
    }

    pub(super) fn charge(
        &mut self,
        place: usize,
        (id, number): (String, String),
        terms: Option<Terms>,
        accepted: Instant,
        now: Instant,
    ) {
        let quote = self.quotes[place].clone();
        let total = quote.total();
        if total > 0 {
            let sale = [
                (LedgerAccount::Receivable, total),
                (LedgerAccount::Revenue, -total),
            ];
            self.book(now, EntryKind::Invoice, &sale, (&id, ""));
        }
        let lines = quote.lines.iter().map(|&amount| Line {
            amount,
            ..Line::default()
        });
        self.quotes[place].charged = Some(self.invoices.len());
        self.invoices.push(Invoice {
            id,
            number,
            subject: quote.subject,
            lines: lines.collect(),
            paid: 0,
            returned: 0,
            issued: now,
            due_time: terms.map(|terms| shifted(now, terms.net_days * DAY_MICROS)),
            accepted,
            term: quote.term,
        });
        if terms.is_none() && total > 0 {
            self.pay(self.invoices.len() - 1, total, now);
        }
    }

    /// The amount to pay; `None` asks for everything due.
    pub(super) fn may_pay(&self, place: usize, amount: Option<i64>) -> Result<i64, No> {
        let invoice = &self.invoices[place];
        let due = invoice.due();
        if due == 0 {
            return Err(no("INVOICE_NOT_OPEN").with("invoice_id", &invoice.id));
        }
        let amount = amount.unwrap_or(due);
        if amount > due {
            return Err(no("PAYMENT_EXCEEDS_DUE")
                .with("due", self.text(due))
                .with("asked", self.text(amount)));
        }
        self.spend(amount).map(|()| amount)
    }

    pub(super) fn pay(&mut self, place: usize, amount: i64, now: Instant) {
        let invoice = &mut self.invoices[place];
        invoice.paid += amount;
        let id = invoice.id.clone();
        let payment = [
            (LedgerAccount::Balance, amount),
            (LedgerAccount::Receivable, -amount),
        ];
        self.book(now, EntryKind::Payment, &payment, (&id, ""));
    }
}
