//! The event types of Billing: a struct each, whose fields are the keys of the data, and its type in
//! the table at the end. Amounts are decimals with the digits of their currency (`"24.50"`), times are RFC 3339 in UTC.

use licet_domain::{
    clock::Instant,
    ids::{CreditNoteId, EntryId, InvoiceId, QuoteId},
    money::{Currency, Money},
};
use licet_runtime::{database::Number, event_types};
use serde::{Serialize, Serializer};

use crate::rules::{
    account::AccountKind, catalog::Product, charge::Subject, refund::RefundState,
    refund_policy::RefundCount,
};

/// An account was opened (M-4).
#[derive(Serialize)]
pub(crate) struct AccountCreated<'a> {
    /// A name for people.
    pub(crate) display_name: &'a str,
    /// The currency of everything on the account; never changes.
    pub(crate) currency_code: Currency,
    /// How it pays.
    pub(crate) kind: AccountKind,
}

/// The name or the payment terms of an account changed (BL-6).
#[derive(Serialize)]
pub(crate) struct AccountUpdated<'a> {
    /// A name for people.
    pub(crate) display_name: &'a str,
    /// The currency of everything on the account.
    pub(crate) currency_code: Currency,
    /// How it pays from now on.
    pub(crate) kind: AccountKind,
    /// Its credit terms; null: it pays in advance.
    pub(crate) terms: Option<AccountTerms>,
}

/// The credit terms of an account (BL-6).
#[derive(Serialize)]
pub(crate) struct AccountTerms {
    /// The most that may be due at any time.
    #[serde(serialize_with = "decimal")]
    pub(crate) credit_limit: Money,
    /// Days of 24 hours until an invoice is due (T-1).
    pub(crate) net_days: u32,
    /// Days of 24 hours after that until charges are refused.
    pub(crate) overdue_grace_days: u32,
}

/// Money was received from a customer (BL-5).
#[derive(Serialize)]
pub(crate) struct AccountDeposited<'a> {
    /// The ledger entry.
    pub(crate) entry_id: Option<EntryId>,
    /// What was received.
    #[serde(serialize_with = "decimal")]
    pub(crate) amount: Money,
    /// The balance afterwards.
    #[serde(serialize_with = "decimal")]
    pub(crate) balance: Money,
    /// The currency of both amounts.
    pub(crate) currency_code: Currency,
    /// The payment's reference.
    pub(crate) reference: &'a str,
}

/// Money was paid out to a customer (BL-5); the fields are those of a deposit.
#[derive(Serialize)]
pub(crate) struct AccountWithdrawn<'a>(pub(crate) AccountDeposited<'a>);

/// A deposit or a withdrawal was reversed (BL-5).
#[derive(Serialize)]
pub(crate) struct AccountEntryReversed {
    /// The new entry, which reverses the other.
    pub(crate) entry_id: Option<EntryId>,
    /// The reversed entry.
    pub(crate) reverses_entry_id: EntryId,
    /// The balance afterwards.
    #[serde(serialize_with = "decimal")]
    pub(crate) balance: Money,
    /// The currency of the balance.
    pub(crate) currency_code: Currency,
}

/// A product was added, in version 1 (BL-8).
#[derive(Serialize)]
pub(crate) struct ProductCreated<'a> {
    /// The number of the version.
    pub(crate) version: u32,
    /// When the version takes effect.
    pub(crate) effective_time: Instant,
    /// The content of the version.
    pub(crate) product: &'a Product,
}

/// A version of a product was added (BL-8); the fields are those of a new product.
#[derive(Serialize)]
pub(crate) struct ProductUpdated<'a>(pub(crate) ProductCreated<'a>);

/// A price list was set for a product (BL-8).
#[derive(Serialize)]
pub(crate) struct PricesSet {
    /// The currency of the list.
    pub(crate) currency_code: Currency,
    /// When the list takes effect.
    pub(crate) effective_time: Instant,
    /// The lengths of term with a price, in months; empty for a list by volume.
    pub(crate) term_months: Vec<u32>,
    /// The smallest quota of each tier, in SANs; empty for a list by term (SL-7).
    pub(crate) from_quantities: Vec<u32>,
}

/// The term that a quote or an invoice is for; both null if it names none.
#[derive(Serialize)]
pub(crate) struct SubjectFields<'a> {
    /// The order or the licence.
    pub(crate) resource_id: Option<&'a str>,
    /// The index of its term, 0 for the first.
    pub(crate) term_index: Option<u32>,
}

impl<'a> SubjectFields<'a> {
    /// The fields of a subject.
    pub(crate) fn of(subject: Option<&'a Subject>) -> Self {
        Self {
            resource_id: subject.map(|subject| subject.resource_id.as_str()),
            term_index: subject.map(|subject| subject.term_index),
        }
    }
}

/// A quote was made (BL-1).
#[derive(Serialize)]
pub(crate) struct QuoteCreated<'a> {
    /// What a charge would take.
    #[serde(serialize_with = "decimal")]
    pub(crate) total: Money,
    /// The currency of the total.
    pub(crate) currency_code: Currency,
    /// It cannot be accepted from here on (MD-6).
    pub(crate) expire_time: Instant,
    /// What it is for.
    #[serde(flatten)]
    pub(crate) subject: SubjectFields<'a>,
}

/// Quotes that had expired without being charged were deleted, each long after it could be accepted (MD-6).
#[derive(Serialize)]
pub(crate) struct QuotesPruned<'a> {
    /// The deleted rows, as the events that wrote them name their seals.
    pub(crate) unsealed: &'a [String],
}

/// A quote was charged (BL-1).
#[derive(Serialize)]
pub(crate) struct InvoiceIssued<'a> {
    /// Who issued it.
    pub(crate) seller: &'a str,
    /// Its number in the seller's series (BL-8).
    pub(crate) number: Number,
    /// The charged quote.
    pub(crate) quote_id: QuoteId,
    /// The sum of its lines.
    #[serde(serialize_with = "decimal")]
    pub(crate) total: Money,
    /// The currency of the total.
    pub(crate) currency_code: Currency,
    /// When it is due; null: the balance paid it at its issue.
    pub(crate) due_time: Option<Instant>,
    /// What it is for.
    #[serde(flatten)]
    pub(crate) subject: SubjectFields<'a>,
}

/// An invoice, or a part of it, was paid from the balance (BL-6).
#[derive(Serialize)]
pub(crate) struct InvoicePaid {
    /// The ledger entry.
    pub(crate) entry_id: Option<EntryId>,
    /// What was paid.
    #[serde(serialize_with = "decimal")]
    pub(crate) amount: Money,
    /// What is still due on the invoice.
    #[serde(serialize_with = "decimal")]
    pub(crate) due: Money,
    /// The balance afterwards.
    #[serde(serialize_with = "decimal")]
    pub(crate) balance: Money,
    /// The currency of the amounts.
    pub(crate) currency_code: Currency,
}

/// An invoice was credited, as goodwill or for a cancelled domain change (BL-3, BL-4).
#[derive(Serialize)]
pub(crate) struct CreditNoteIssued<'a> {
    /// Who issued it.
    pub(crate) seller: &'a str,
    /// Its number in the seller's series (BL-8).
    pub(crate) number: Number,
    /// The credited invoice.
    pub(crate) invoice_id: InvoiceId,
    /// The sum of its lines.
    #[serde(serialize_with = "decimal")]
    pub(crate) total: Money,
    /// The part that returned to the balance; the rest lowered what was due.
    #[serde(serialize_with = "decimal")]
    pub(crate) returned: Money,
    /// What is still due on the invoice.
    #[serde(serialize_with = "decimal")]
    pub(crate) due: Money,
    /// The currency of the amounts.
    pub(crate) currency_code: Currency,
}

/// A refund was requested and decided (AL-4).
#[derive(Serialize)]
pub(crate) struct RefundDecided<'a> {
    /// The order or the licence.
    pub(crate) resource_id: &'a str,
    /// The index of its refunded term, 0 for the first.
    pub(crate) term_index: u32,
    /// What of the term was not credited yet.
    #[serde(serialize_with = "decimal")]
    pub(crate) creditable: Money,
    /// What was credited; zero unless refunded.
    #[serde(serialize_with = "decimal")]
    pub(crate) refunded: Money,
    /// The currency of the amounts.
    pub(crate) currency_code: Currency,
    /// The credit notes of the refund.
    pub(crate) credit_note_ids: &'a [CreditNoteId],
    /// What the refund days count from.
    pub(crate) counted_from: RefundCount,
}

/// A refund in review was extended by what was invoiced since (AL-4); the fields are those of a
/// decision.
#[derive(Serialize)]
pub(crate) struct RefundExtended<'a>(pub(crate) RefundDecided<'a>);

/// A refund in review holds less, because something else credits it (MD-7, AL-4).
#[derive(Serialize)]
pub(crate) struct RefundLowered<'a> {
    /// The order or the licence.
    pub(crate) resource_id: &'a str,
    /// The index of its refunded term, 0 for the first.
    pub(crate) term_index: u32,
    /// The state of the refund.
    pub(crate) state: RefundState,
    /// What the refund holds, or held until it was rejected.
    #[serde(serialize_with = "decimal")]
    pub(crate) creditable: Money,
    /// The currency of the amount.
    pub(crate) currency_code: Currency,
}

/// A refund in review was rejected (AL-4); the fields are those of a lowered refund.
#[derive(Serialize)]
pub(crate) struct RefundRejected<'a>(pub(crate) RefundLowered<'a>);

/// A refund in review was approved, in full or in part (AL-4).
#[derive(Serialize)]
pub(crate) struct RefundApproved<'a> {
    /// The order or the licence.
    pub(crate) resource_id: &'a str,
    /// The index of its refunded term, 0 for the first.
    pub(crate) term_index: u32,
    /// The state of the refund.
    pub(crate) state: RefundState,
    /// What the refund held.
    #[serde(serialize_with = "decimal")]
    pub(crate) creditable: Money,
    /// What was credited of it.
    #[serde(serialize_with = "decimal")]
    pub(crate) refunded: Money,
    /// The currency of the amounts.
    pub(crate) currency_code: Currency,
    /// The credit notes of the refund.
    pub(crate) credit_note_ids: &'a [CreditNoteId],
}

/// An amount without its currency.
fn decimal<S: Serializer>(amount: &Money, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&amount.value())
}

event_types! {
    AccountCreated<'_> => "licet.billing.account.created.v1",
    AccountUpdated<'_> => "licet.billing.account.updated.v1",
    AccountDeposited<'_> => "licet.billing.account.deposited.v1",
    AccountWithdrawn<'_> => "licet.billing.account.withdrawn.v1",
    AccountEntryReversed => "licet.billing.account.entry_reversed.v1",
    ProductCreated<'_> => "licet.billing.product.created.v1",
    ProductUpdated<'_> => "licet.billing.product.updated.v1",
    PricesSet => "licet.billing.prices.set.v1",
    QuoteCreated<'_> => "licet.billing.quote.created.v1",
    QuotesPruned<'_> => "licet.billing.quotes.pruned.v1",
    InvoiceIssued<'_> => "licet.billing.invoice.issued.v1",
    InvoicePaid => "licet.billing.invoice.paid.v1",
    CreditNoteIssued<'_> => "licet.billing.credit_note.issued.v1",
    RefundDecided<'_> => "licet.billing.refund.decided.v1",
    RefundExtended<'_> => "licet.billing.refund.extended.v1",
    RefundLowered<'_> => "licet.billing.refund.lowered.v1",
    RefundRejected<'_> => "licet.billing.refund.rejected.v1",
    RefundApproved<'_> => "licet.billing.refund.approved.v1",
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn usd(minor: i64) -> Money {
        Money::from_minor("USD".parse().unwrap(), minor)
    }

    /// amounts are decimals, a missing subject is two nulls, and a type that shares the fields of
    /// another has them at the top.
    #[test]
    fn x_5_data_as_consumers_read_it() {
        let quote = QuoteCreated {
            total: usd(2_450),
            currency_code: usd(0).currency(),
            expire_time: "2026-01-01T00:15:00Z".parse().unwrap(),
            subject: SubjectFields::of(None),
        };
        assert_eq!(
            serde_json::to_value(&quote).unwrap(),
            json!({
                "total": "24.50",
                "currency_code": "USD",
                "expire_time": "2026-01-01T00:15:00.000000Z",
                "resource_id": null,
                "term_index": null,
            })
        );
        let subject = Subject {
            resource_id: "ord_1".to_owned(),
            term_index: 2,
        };
        let fields = serde_json::to_value(SubjectFields::of(Some(&subject))).unwrap();
        assert_eq!(fields, json!({ "resource_id": "ord_1", "term_index": 2 }));
        let withdrawn = AccountWithdrawn(AccountDeposited {
            entry_id: None,
            amount: usd(100),
            balance: usd(0),
            currency_code: usd(0).currency(),
            reference: "wire",
        });
        assert_eq!(
            serde_json::to_value(&withdrawn).unwrap(),
            json!({
                "entry_id": null,
                "amount": "1.00",
                "balance": "0.00",
                "currency_code": "USD",
                "reference": "wire",
            })
        );
    }
}
