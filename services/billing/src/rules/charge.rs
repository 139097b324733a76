//! A kept quote, the invoice it becomes, and whether it still can (MD-6). Amounts are never
//! computed here: an invoice bears its quote's lines as they are (BL-1).

use licet_domain::{
    clock::Instant,
    ids::{AccountId, InvoiceId, QuoteId},
    money::Money,
    refusal::{Reason, Refusal},
    worded,
};

use super::{credit::CreditableLine, quote::Line};

/// What a quote, an invoice or a refund is about: one term of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    /// Id of the thing, such as an order's.
    pub(crate) resource_id: String,
    /// Which of its terms, 0 for the first.
    pub(crate) term_index: u32,
}

/// An offer, with all that it was computed from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Quote {
    /// `None`: computed only, not kept.
    pub(crate) quote_id: Option<QuoteId>,
    /// The account to be charged.
    pub(crate) account_id: AccountId,
    /// What a charge must repeat.
    pub(crate) pin: String,
    /// What it is about.
    pub(crate) subject: Option<Subject>,
    /// The lines that would be charged.
    pub(crate) lines: Vec<Line>,
    /// Their sum.
    pub(crate) total: Money,
    /// The instant as of which it was computed.
    pub(crate) decision: Instant,
    /// From here on it cannot be accepted.
    pub(crate) expires: Instant,
    /// The invoice that it became.
    pub(crate) invoice_id: Option<InvoiceId>,
}

impl Quote {
    /// Whether the quote can be charged with `pin` by a change accepted at `accepted` (MD-6).
    ///
    /// # Errors
    /// QUOTE_SPENT, QUOTE_STALE, QUOTE_EXPIRED, in this order.
    pub(crate) fn check_charge(&self, pin: &str, accepted: Instant) -> Result<(), Refusal> {
        let id = self.quote_id.map_or_else(String::new, |id| id.to_string());
        if let Some(invoice_id) = self.invoice_id {
            return Err(Refusal::new(
                Reason::QuoteSpent,
                format!("quote {id} was charged already, as invoice {invoice_id}"),
            )
            .with("quote_id", id)
            .with("invoice_id", invoice_id));
        }
        if self.pin != pin {
            return Err(Refusal::new(
                Reason::QuoteStale,
                format!("quote {id} was computed for something else: its pin differs"),
            )
            .with("quote_id", id));
        }
        if accepted >= self.expires {
            return Err(Refusal::new(
                Reason::QuoteExpired,
                format!(
                    "quote {id} held until {}; it was accepted at {accepted}",
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
        /// In full, from the balance.
        Paid = "PAID",
        /// Not yet, on terms of payment.
        Open = "OPEN",
    }
}

/// A line of an invoice, and what corrections left of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InvoiceLine {
    /// The quote's line, as it was.
    pub(crate) line: Line,
    /// Its amount and what of it is credited or held.
    pub(crate) creditable: CreditableLine,
}

/// A charge. Only what is credited and held of it changes (BL-3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Invoice {
    /// `None`: tried only, not issued.
    pub(crate) invoice_id: Option<InvoiceId>,
    /// Its place in the seller's series, from 1; `None` likewise.
    pub(crate) number: Option<i64>,
    /// The account charged.
    pub(crate) account_id: AccountId,
    /// The quote that it was charged from.
    pub(crate) quote_id: QuoteId,
    /// What it is about.
    pub(crate) subject: Option<Subject>,
    /// The quote's lines.
    pub(crate) lines: Vec<InvoiceLine>,
    /// Their sum.
    pub(crate) total: Money,
    /// The sum of its credit notes.
    pub(crate) credited: Money,
    /// Whether it is paid.
    pub(crate) state: InvoiceState,
    /// When it was issued: our record time (T-6).
    pub(crate) issued: Instant,
}

impl Invoice {
    /// The invoice that charging `quote` makes, paid, before it has an id and a number.
    pub(crate) fn from_quote(quote: &Quote, quote_id: QuoteId, now: Instant) -> Self {
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
            credited: zero,
            state: InvoiceState::Paid,
            issued: now,
        }
    }

    /// The lines as far as crediting them goes.
    pub(crate) fn creditable_lines(&self) -> Vec<CreditableLine> {
        self.lines.iter().map(|line| line.creditable).collect()
    }

    /// The latest end of the terms that its lines are for.
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

    /// MD-6: the pin, one charge only, and expiry judged by the time of acceptance.
    #[test]
    fn what_stops_a_charge() {
        let open = Quote {
            quote_id: Some(QuoteId::generate()),
            account_id: AccountId::generate(),
            pin: "r7".to_owned(),
            subject: None,
            lines: Vec::new(),
            total: Money::zero("USD".parse().unwrap()),
            decision: at("2026-01-01T00:00:00Z"),
            expires: at("2026-01-01T00:15:00Z"),
            invoice_id: None,
        };
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
        assert_eq!(reason(&spent, "r7", in_time), Some(Reason::QuoteSpent));
        assert_eq!(reason(&spent, "r8", late), Some(Reason::QuoteSpent));
    }
}
