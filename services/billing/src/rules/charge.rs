//! Quotes, the conditions for charging them (MD-6), and invoices. Amounts are never computed here:
//! an invoice has its quote's lines unchanged (BL-1).

use licet_domain::{
    clock::Instant,
    ids::{AccountId, InvoiceId, QuoteId},
    money::{Money, MoneyError},
    refusal::{Reason, Refusal},
    worded,
};

use super::{
    account::CreditTerms, currency_mismatch, id_text, money_refusal, numbers::DocumentNumber,
    quote::Line,
};

/// What a quote, an invoice or a refund is for: one term of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    /// Id of the resource, such as an order.
    pub(crate) resource_id: String,
    /// The index of its term, 0 for the first.
    pub(crate) term_index: u32,
}

/// A quote, with everything that it was computed from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Quote {
    /// `None`: a preview, not stored.
    pub(crate) quote_id: Option<QuoteId>,
    /// The account to be charged.
    pub(crate) account_id: AccountId,
    /// The text that a charge must repeat (MD-6).
    pub(crate) pin: String,
    /// What it is for.
    pub(crate) subject: Option<Subject>,
    /// The lines to be charged.
    pub(crate) lines: Vec<Line>,
    /// Their sum.
    pub(crate) total: Money,
    /// The decision time.
    pub(crate) decision: Instant,
    /// It cannot be accepted from here on.
    pub(crate) expires: Instant,
    /// The invoice that charged it.
    pub(crate) invoice_id: Option<InvoiceId>,
}

impl Quote {
    /// Whether the quote can be charged with `pin` by a request accepted at `accepted` (MD-6).
    ///
    /// # Errors
    /// QUOTE_SPENT, QUOTE_STALE, QUOTE_EXPIRED, in this order.
    pub(crate) fn check_charge(&self, pin: &str, accepted: Instant) -> Result<(), Refusal> {
        let id = id_text(self.quote_id);
        if let Some(invoice_id) = self.invoice_id {
            return Err(Refusal::new(
                Reason::QuoteSpent,
                format!("quote {id} is already charged, as invoice {invoice_id}"),
            )
            .with("quote_id", id)
            .with("invoice_id", invoice_id));
        }
        if self.pin != pin {
            return Err(Refusal::new(
                Reason::QuoteStale,
                format!("the pin of quote {id} differs: what it was made for has changed. Create a new quote"),
            )
            .with("quote_id", id)
            .with("quote_pin", &self.pin)
            .with("pin", pin));
        }
        if accepted >= self.expires {
            return Err(Refusal::new(
                Reason::QuoteExpired,
                format!(
                    "quote {id} expired at {}, before it was accepted at {accepted}. Create a new quote",
                    self.expires
                ),
            )
            .with("quote_id", id)
            .with("expire_time", self.expires)
            .with("accept_time", accepted));
        }
        Ok(())
    }
}

worded! {
    /// Whether an invoice is paid.
    pub(crate) enum InvoiceState {
        /// Nothing is due.
        Paid = "PAID",
        /// Something is due; only on credit terms.
        Open = "OPEN",
    }
}

/// The amounts of an invoice line that decide what can be credited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CreditableLine {
    /// Its number on the invoice, from 1.
    pub(crate) line_number: u32,
    /// What was invoiced.
    pub(crate) amount: Money,
    /// The sum of its credit notes.
    pub(crate) credited: Money,
    /// What a refund in review holds.
    pub(crate) held: Money,
}

impl CreditableLine {
    /// What can still be credited.
    pub(crate) fn creditable(&self) -> Result<Money, MoneyError> {
        self.amount
            .checked_sub(self.credited)?
            .checked_sub(self.held)
    }
}

/// An invoice line and its corrections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InvoiceLine {
    /// The quote's line, unchanged.
    pub(crate) line: Line,
    /// Its amount, and how much of it is credited or held.
    pub(crate) creditable: CreditableLine,
}

/// An invoice. After its issue only what is paid, credited, returned and held changes (BL-3).
///
/// Invariant: due = total − paid − (credited − returned), and never below zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Invoice {
    /// `None`: a preview, not issued.
    pub(crate) invoice_id: Option<InvoiceId>,
    /// `None`: a preview, or not committed yet.
    pub(crate) number: Option<DocumentNumber>,
    /// The charged account.
    pub(crate) account_id: AccountId,
    /// The charged quote.
    pub(crate) quote_id: QuoteId,
    /// What it is for.
    pub(crate) subject: Option<Subject>,
    /// The quote's lines.
    pub(crate) lines: Vec<InvoiceLine>,
    /// Their sum.
    pub(crate) total: Money,
    /// What the balance paid.
    pub(crate) paid: Money,
    /// The sum of its credit notes.
    pub(crate) credited: Money,
    /// The part of `credited` that went back to the balance (BL-4).
    pub(crate) returned: Money,
    /// What a refund in review holds of it (BL-3).
    pub(crate) held: Money,
    /// When the charge was accepted (T-3). A term counts as bought when its first charge was
    /// accepted.
    pub(crate) accepted: Instant,
    /// When its issue was recorded (T-6).
    pub(crate) issued: Instant,
    /// When it is due; `None`: it was paid at its issue.
    pub(crate) due_time: Option<Instant>,
}

impl Invoice {
    /// The invoice that charging `quote` makes, without id and number: owed on `terms`, or paid
    /// from the balance if there are none.
    pub(crate) fn from_quote(
        quote: &Quote,
        quote_id: QuoteId,
        terms: Option<&CreditTerms>,
        accepted: Instant,
        now: Instant,
    ) -> Self {
        let zero = Money::zero(quote.total.currency());
        let lines = (1..)
            .zip(&quote.lines)
            .map(|(line_number, line)| InvoiceLine {
                line: line.clone(),
                creditable: CreditableLine {
                    line_number,
                    amount: line.amount,
                    credited: zero,
                    held: zero,
                },
            });
        Self {
            invoice_id: None,
            number: None,
            account_id: quote.account_id,
            quote_id,
            subject: quote.subject.clone(),
            lines: lines.collect(),
            total: quote.total,
            paid: terms.map_or(quote.total, |_| zero),
            credited: zero,
            returned: zero,
            held: zero,
            accepted,
            issued: now,
            due_time: terms.map(|terms| terms.due_time(now)),
        }
    }

    /// What is due.
    ///
    /// # Errors
    /// Never while the invariant holds.
    pub(crate) fn due(&self) -> Result<Money, MoneyError> {
        let unpaid = self.total.checked_sub(self.paid)?;
        unpaid.checked_sub(self.credited.checked_sub(self.returned)?)
    }

    /// Whether something is due.
    ///
    /// # Errors
    /// As [`Invoice::due`].
    pub(crate) fn state(&self) -> Result<InvoiceState, MoneyError> {
        Ok(if self.due()?.is_zero() {
            InvoiceState::Paid
        } else {
            InvoiceState::Open
        })
    }

    /// Pays `amount` from the balance; `None`: all that is due. Returns the invoice after it, and
    /// the amount paid.
    ///
    /// # Errors
    /// INVOICE_NOT_OPEN, CURRENCY_MISMATCH, PAYMENT_EXCEEDS_DUE.
    pub(crate) fn pay(mut self, amount: Option<Money>) -> Result<(Self, Money), Refusal> {
        let currency = self.total.currency();
        let refused = |error: MoneyError| money_refusal(currency, &error);
        let id = id_text(self.invoice_id);
        let due = self.due().map_err(refused)?;
        if due.is_zero() {
            return Err(Refusal::new(
                Reason::InvoiceNotOpen,
                format!("nothing is due on invoice {id}"),
            )
            .with("invoice_id", id)
            .with("state", InvoiceState::Paid.as_str())
            .with("total", self.total.value())
            .with("paid", self.paid.value())
            .with("credited", self.credited.value())
            .with("returned", self.returned.value())
            .with("currency", currency.code()));
        }
        let amount = amount.unwrap_or(due);
        if amount.currency() != currency {
            return Err(currency_mismatch(currency, amount.currency()));
        }
        if amount.minor() > due.minor() {
            return Err(Refusal::new(
                Reason::PaymentExceedsDue,
                format!("the payment of {amount} exceeds the {due} due on invoice {id}"),
            )
            .with("invoice_id", id)
            .with("due", due.value())
            .with("asked", amount.value())
            .with("currency", currency.code()));
        }
        self.paid = self.paid.checked_add(amount).map_err(refused)?;
        Ok((self, amount))
    }

    /// What of each line can be credited.
    pub(crate) fn creditable_lines(&self) -> Vec<CreditableLine> {
        self.lines.iter().map(|line| line.creditable).collect()
    }

    /// The earliest start of its lines' terms.
    pub(crate) fn term_start(&self) -> Option<Instant> {
        self.lines.iter().map(|line| line.line.term_start).min()
    }

    /// The latest end of its lines' terms.
    pub(crate) fn term_end(&self) -> Option<Instant> {
        self.lines.iter().map(|line| line.line.term_end).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Instant {
        text.parse().unwrap()
    }

    fn usd(minor: i64) -> Money {
        Money::from_minor("USD".parse().unwrap(), minor)
    }

    fn quote(total_minor: i64) -> Quote {
        Quote {
            quote_id: Some(QuoteId::generate()),
            account_id: AccountId::generate(),
            pin: "r7".to_owned(),
            subject: None,
            lines: Vec::new(),
            total: usd(total_minor),
            decision: at("2026-01-01T00:00:00Z"),
            expires: at("2026-01-01T00:15:00Z"),
            invoice_id: None,
        }
    }

    fn invoice(total_minor: i64, terms: Option<CreditTerms>) -> Invoice {
        let now = at("2026-01-31T12:00:00Z");
        Invoice::from_quote(
            &quote(total_minor),
            QuoteId::generate(),
            terms.as_ref(),
            now,
            now,
        )
    }

    fn on_terms() -> Option<CreditTerms> {
        Some(CreditTerms {
            credit_limit: usd(10_000),
            net_days: 30,
            overdue_grace_days: 0,
        })
    }

    /// BL-6: on terms an invoice is open and due after days of 24 hours (T-1); otherwise it is
    /// paid.
    #[test]
    fn owed_or_paid() {
        let open = invoice(4_900, on_terms());
        assert_eq!(open.due_time, Some(at("2026-03-02T12:00:00Z")));
        assert_eq!(open.due(), Ok(usd(4_900)));
        assert_eq!(open.state(), Ok(InvoiceState::Open));
        let paid = invoice(4_900, None);
        assert_eq!((paid.due(), paid.due_time), (Ok(usd(0)), None));
        assert_eq!(paid.state(), Ok(InvoiceState::Paid));
    }

    /// BL-4: what is credited and not returned lowers what is due; a payment never exceeds that.
    #[test]
    fn paying() {
        let reason =
            |paid: Result<(Invoice, Money), Refusal>| paid.err().map(|refused| refused.reason);
        let open = Invoice {
            credited: usd(900),
            ..invoice(4_900, on_terms())
        };
        assert_eq!(
            reason(open.clone().pay(Some(usd(4_001)))),
            Some(Reason::PaymentExceedsDue)
        );
        let eur = Money::from_minor("EUR".parse().unwrap(), 1);
        assert_eq!(
            reason(open.clone().pay(Some(eur))),
            Some(Reason::CurrencyMismatch)
        );
        let (part, amount) = open.pay(Some(usd(1_000))).unwrap();
        assert_eq!((amount, part.due()), (usd(1_000), Ok(usd(3_000))));
        let (whole, amount) = part.pay(None).unwrap();
        assert_eq!((amount, whole.due()), (usd(3_000), Ok(usd(0))));
        let refusal = whole.pay(None).unwrap_err();
        assert_eq!(refusal.reason, Reason::InvoiceNotOpen);
        let said = ["total", "paid", "credited", "returned"].map(|key| &*refusal.metadata[key]);
        assert_eq!(said, ["49.00", "40.00", "9.00", "0.00"]);
    }

    /// MD-6: the pin, one charge only, and expiry at the time of acceptance.
    #[test]
    fn what_stops_a_charge() {
        let open = quote(0);
        let spent = Quote {
            invoice_id: Some(InvoiceId::generate()),
            ..open.clone()
        };
        let reason = |quote: &Quote, pin: &str, accepted: &str| {
            quote
                .check_charge(pin, at(accepted))
                .err()
                .map(|refusal| refusal.reason)
        };
        let in_time = "2026-01-01T00:14:59.999999Z";
        let late = "2026-01-01T00:15:00Z";
        assert_eq!(reason(&open, "r7", in_time), None);
        assert_eq!(reason(&open, "r7", late), Some(Reason::QuoteExpired));
        assert_eq!(reason(&open, "r8", in_time), Some(Reason::QuoteStale));
        let stale = open.check_charge("r8", at(in_time)).unwrap_err();
        assert_eq!(
            (&stale.metadata["quote_pin"], &*stale.metadata["pin"]),
            (&open.pin, "r8")
        );
        assert_eq!(reason(&spent, "r7", in_time), Some(Reason::QuoteSpent));
        assert_eq!(reason(&spent, "r8", late), Some(Reason::QuoteSpent));
    }
}
