//! Turning a quote into a paid invoice. Nothing is computed here: the quote's lines are charged as
//! they are (BL-1).

use licet_domain::{ids::InvoiceId, refusal::Refusal};
use licet_runtime::{
    caller::Call,
    database::{Tx, Work},
    fault::Fault,
    outbox::{self, Event},
};
use serde_json::json;

use crate::{
    convert::invoice::Charge,
    rules::{
        account::Account,
        charge::{Invoice, Quote},
        ledger::{Cause, Entry, LedgerEntry},
        not_found, sum_refused,
    },
    store::{self, numbers::Series},
};

/// Charges a quote to its account's balance: invoice, postings and number, or nothing (BL-6).
///
/// Refusals: NOT_FOUND, QUOTE_STALE, QUOTE_EXPIRED, QUOTE_SPENT, INSUFFICIENT_FUNDS.
pub(crate) struct ChargeQuote<'a> {
    /// What was accepted.
    pub(crate) call: &'a Call,
    /// The attempt's id.
    pub(crate) request_id: &'a str,
    /// What is to be charged.
    pub(crate) charge: &'a Charge,
}

impl ChargeQuote<'_> {
    /// The invoice that the charge would make; nothing is written.
    pub(crate) async fn preview(&self, tx: &Tx) -> Result<Invoice, Fault> {
        let quote = store::quotes::find(tx, &self.call.caller, self.charge.quote_id).await?;
        let invoice = self.draft(quote)?;
        let account = store::accounts::find(tx, &self.call.caller, invoice.account_id).await?;
        Self::check_funds(account, &invoice)?;
        Ok(invoice)
    }

    /// The invoice of a quote that can be charged, before it has an id and a number.
    fn draft(&self, quote: Option<Quote>) -> Result<Invoice, Fault> {
        let quote = quote.ok_or_else(|| not_found("quote", self.charge.quote_id))?;
        quote.check_charge(&self.charge.pin, self.charge.accepted)?;
        Ok(Invoice::from_quote(
            &quote,
            self.charge.quote_id,
            self.call.now,
        ))
    }

    fn check_funds(account: Option<Account>, invoice: &Invoice) -> Result<(), Refusal> {
        account
            .ok_or_else(|| not_found("account", invoice.account_id))?
            .balance_without(invoice.total)
            .map(drop)
    }

    /// Takes the total off the balance, and books the sale and its payment.
    async fn pay(&self, tx: &Tx, invoice: &Invoice, invoice_id: InvoiceId) -> Result<(), Fault> {
        let (account_id, total) = (invoice.account_id, invoice.total);
        if total.is_zero() {
            return Ok(());
        }
        if !store::accounts::debit(tx, account_id, total).await? {
            // A deposit may have come in since: what the locked balance covers can be taken.
            let account = store::accounts::lock(tx, &self.call.caller, account_id).await?;
            Self::check_funds(account, invoice)?;
            if !store::accounts::debit(tx, account_id, total).await? {
                return Err(Fault::internal("a charge that is covered was not debited"));
            }
        }
        let book = |entry: Entry| {
            LedgerEntry::book(
                account_id,
                &entry,
                Cause::Invoice(invoice_id),
                self.call.now,
            )
        };
        let sale = Entry::invoice(total).map_err(|error| sum_refused(total.currency(), &error))?;
        let payment =
            Entry::payment(total).map_err(|error| sum_refused(total.currency(), &error))?;
        store::ledger::insert(tx, total.currency(), &[book(sale), book(payment)]).await
    }
}

impl Work for ChargeQuote<'_> {
    type Answer = Invoice;

    async fn run(&self, tx: &Tx) -> Result<Invoice, Fault> {
        let quote = store::quotes::lock(tx, &self.call.caller, self.charge.quote_id).await?;
        let mut invoice = self.draft(quote)?;
        let invoice_id = InvoiceId::generate();
        self.pay(tx, &invoice, invoice_id).await?;
        store::quotes::set_charged(tx, self.charge.quote_id, invoice_id).await?;
        let number = store::numbers::take(tx, Series::Invoice, 1).await?;
        store::invoices::insert(tx, invoice_id, number, &invoice).await?;
        invoice.invoice_id = Some(invoice_id);
        invoice.number = Some(number);
        let event = Event {
            kind: "licet.billing.invoice.issued.v1",
            resource_id: invoice_id.to_string(),
            account_id: Some(invoice.account_id),
            time: self.call.now,
            origin: &self.call.origin(self.request_id),
            why: "BL-1".to_owned(),
            outcome: format!("{} paid from the balance", invoice.total),
            data: json!({
                "number": number,
                "quote_id": self.charge.quote_id,
                "total": invoice.total.value(),
                "currency_code": invoice.total.currency().code(),
                "resource_id": invoice.subject.as_ref().map(|subject| &subject.resource_id),
                "term_index": invoice.subject.as_ref().map(|subject| subject.term_index),
            }),
        };
        outbox::emit(tx, event).await?;
        Ok(invoice)
    }
}
