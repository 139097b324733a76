//! Turning a quote into an invoice, paid from the balance or owed on terms. Nothing is computed here:
//! the quote's lines are charged as they are (BL-1).

use licet_domain::{
    clock::Instant,
    ids::InvoiceId,
    money::{Money, MoneyError},
};
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
        account::{Account, AccountKind, CreditTerms},
        charge::{Invoice, Quote},
        ledger::{Entry, LedgerEntry},
        not_found, sum_refused,
    },
    store,
};

/// Charges a quote to its account: invoice, postings and number, or nothing (BL-6).
///
/// Refusals: NOT_FOUND, QUOTE_STALE, QUOTE_EXPIRED, QUOTE_SPENT, INSUFFICIENT_FUNDS, ACCOUNT_OVERDUE,
/// CREDIT_LIMIT_EXCEEDED.
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
        let found = store::quotes::find(tx, &self.call.caller, self.charge.quote_id).await?;
        let quote = self.check(found)?;
        let account = store::accounts::find(tx, &self.call.caller, quote.account_id).await?;
        let terms = self.check_account(tx, account, &quote).await?;
        Ok(self.draft(&quote, terms.as_ref(), self.call.now))
    }

    fn check(&self, quote: Option<Quote>) -> Result<Quote, Fault> {
        let quote = quote.ok_or_else(|| not_found("quote", self.charge.quote_id))?;
        quote.check_charge(&self.charge.pin, self.charge.accepted)?;
        Ok(quote)
    }

    /// The invoice of a quote, before it has an id and a number.
    fn draft(&self, quote: &Quote, terms: Option<&CreditTerms>, issued: Instant) -> Invoice {
        Invoice::from_quote(quote, self.charge.quote_id, terms, issued)
    }

    /// The terms that the charge is owed on; `None`: it is paid from the balance, or free. Judged as
    /// of the time of acceptance, however late the charge completes (T-3).
    async fn check_account(
        &self,
        tx: &Tx,
        account: Option<Account>,
        quote: &Quote,
    ) -> Result<Option<CreditTerms>, Fault> {
        let account = account.ok_or_else(|| not_found("account", quote.account_id))?;
        if quote.total.is_zero() {
            return Ok(None);
        }
        let first_due = match account.terms.kind() {
            AccountKind::Prepaid => None,
            AccountKind::OnTerms => store::invoices::find_first_due(tx, quote.account_id).await?,
        };
        Ok(account.check_charge(quote.total, first_due, self.charge.accepted)?)
    }

    /// Books the sale, and its payment unless it is owed; answers the invoice, and the entries that are
    /// to be written.
    async fn book(
        &self,
        tx: &Tx,
        quote: &Quote,
        invoice_id: InvoiceId,
    ) -> Result<(Invoice, Vec<LedgerEntry>), Fault> {
        let (account_id, total, now) = (quote.account_id, quote.total, self.call.now);
        if total.is_zero() {
            return Ok((self.draft(quote, None, now), Vec::new()));
        }
        let entries = |terms: Option<&CreditTerms>| entries(total, terms, invoice_id);
        // What nearly every charge comes to, without a statement that only reads the account.
        let prepaid = Some(AccountKind::Prepaid);
        if let Some(booked) =
            store::ledger::book(tx, account_id, entries(None)?, prepaid, now).await?
        {
            return Ok((self.draft(quote, None, issued(&booked, now)), booked));
        }
        // Its balance may have changed since, or it pays on terms: the locked account tells.
        let account = store::accounts::lock(tx, &self.call.caller, account_id).await?;
        let terms = self.check_account(tx, account, quote).await?;
        let entries = entries(terms.as_ref())?;
        let booked = store::ledger::book(tx, account_id, entries, None, now)
            .await?
            .ok_or_else(|| Fault::internal("a charge that is covered was not booked"))?;
        let invoice = self.draft(quote, terms.as_ref(), issued(&booked, now));
        Ok((invoice, booked))
    }
}

/// The sale, and its payment where it is not owed.
fn entries(
    total: Money,
    terms: Option<&CreditTerms>,
    invoice_id: InvoiceId,
) -> Result<Vec<Entry>, Fault> {
    let refused = |error: MoneyError| sum_refused(total.currency(), &error);
    let mut entries = vec![Entry::invoice(total, invoice_id).map_err(refused)?];
    if terms.is_none() {
        entries.push(Entry::payment(total, invoice_id).map_err(refused)?);
    }
    Ok(entries)
}

/// When the sale was booked, which is when its invoice is issued.
fn issued(booked: &[LedgerEntry], now: Instant) -> Instant {
    booked.first().map_or(now, |entry| entry.time)
}

impl Work for ChargeQuote<'_> {
    type Answer = Invoice;

    async fn run(&self, tx: &Tx) -> Result<Invoice, Fault> {
        let found = store::quotes::lock(tx, &self.call.caller, self.charge.quote_id).await?;
        let quote = self.check(found)?;
        let invoice_id = InvoiceId::generate();
        let (mut invoice, booked) = self.book(tx, &quote, invoice_id).await?;
        let number = store::invoices::issue(tx, invoice_id, &invoice).await?;
        store::ledger::insert(tx, &booked).await?;
        invoice.invoice_id = Some(invoice_id);
        invoice.number = Some(number);
        let event = Event {
            kind: "licet.billing.invoice.issued.v1",
            resource_id: invoice_id.to_string(),
            account_id: Some(invoice.account_id),
            time: self.call.now,
            origin: &self.call.origin(self.request_id),
            why: "BL-1".to_owned(),
            outcome: match invoice.due_time {
                None => format!("{} paid from the balance", invoice.total),
                Some(due_time) => format!("{} due by {due_time}", invoice.total),
            },
            data: json!({
                "number": number,
                "quote_id": self.charge.quote_id,
                "total": invoice.total.value(),
                "currency_code": invoice.total.currency().code(),
                "due_time": invoice.due_time,
                "resource_id": invoice.subject.as_ref().map(|subject| &subject.resource_id),
                "term_index": invoice.subject.as_ref().map(|subject| subject.term_index),
            }),
        };
        outbox::emit(tx, event).await?;
        Ok(invoice)
    }
}
