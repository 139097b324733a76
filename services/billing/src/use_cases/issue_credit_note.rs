//! Crediting an invoice as goodwill, or for a change that was taken back (BL-3, BL-4).

use licet_domain::ids::InvoiceId;
use licet_runtime::{
    caller::Call,
    database::{Database, Tx},
    door::{Asked, Preview, Verb},
    fault::Fault,
    outbox::{self, Event},
};
use serde_json::json;

use super::credit_invoices::{check_balance, credit_invoices, draft_notes};
use crate::{
    rules::{
        account::Account,
        charge::Invoice,
        credit::{self, CreditNote, InvoiceCredit, LineCredit},
        not_found, sum_refused,
    },
    store,
};

/// Credits what is neither credited nor held of an invoice, or the lines of it that are named.
///
/// Refusals: NOT_FOUND, CURRENCY_MISMATCH, CREDIT_EXCEEDS_INVOICE, AMOUNT_OUT_OF_RANGE.
#[derive(Debug, Clone)]
pub(crate) struct IssueCreditNote {
    /// The invoice.
    pub(crate) invoice_id: InvoiceId,
    /// What off which line, each line once; empty: all that is left.
    pub(crate) lines: Vec<LineCredit>,
    /// Why.
    pub(crate) reason: String,
}

/// A credit note, and its invoice as it is after it.
pub(crate) struct Issued {
    /// The credit note.
    pub(crate) note: CreditNote,
    /// The invoice.
    pub(crate) invoice: Invoice,
}

impl Preview for IssueCreditNote {
    type Answer = Issued;
    type Within = Database;

    async fn preview(&self, call: &Call, database: &Database) -> Result<Issued, Fault> {
        let tx = &database.read();
        let invoice = self.find(call, tx).await?;
        let account = store::accounts::find(tx, &call.caller, invoice.account_id)
            .await?
            .ok_or_else(|| not_found("account", invoice.account_id))?;
        let credit = credit::plan_goodwill(&invoice, &self.lines)?;
        check_balance(&account, std::slice::from_ref(&credit))?;
        let notes = draft_notes(call, &account, std::slice::from_ref(&credit), &self.reason);
        issued(notes, invoice, &credit)
    }
}

impl IssueCreditNote {
    async fn find(&self, call: &Call, tx: &Tx) -> Result<Invoice, Fault> {
        let id = self.invoice_id;
        let found = store::invoices::find(tx, &call.caller, id).await?;
        Ok(found.ok_or_else(|| not_found("invoice", id))?)
    }

    /// The account, and then the invoice, locked in this order: the invoice says whose it is, and
    /// is read again once nobody else can change it.
    async fn lock(&self, call: &Call, tx: &Tx) -> Result<(Account, Invoice), Fault> {
        let account_id = self.find(call, tx).await?.account_id;
        let account = store::accounts::lock(tx, &call.caller, account_id)
            .await?
            .ok_or_else(|| not_found("account", account_id))?;
        let id = self.invoice_id;
        let invoice = store::invoices::lock(tx, &call.caller, id)
            .await?
            .ok_or_else(|| not_found("invoice", id))?;
        Ok((account, invoice))
    }
}

impl Verb for IssueCreditNote {
    type Answer = Issued;

    async fn run(&self, asked: &Asked, tx: &Tx) -> Result<Issued, Fault> {
        let (account, invoice) = self.lock(&asked.call, tx).await?;
        let credit = credit::plan_goodwill(&invoice, &self.lines)?;
        let reason = &self.reason;
        let credits = std::slice::from_ref(&credit);
        let notes = credit_invoices(tx, &asked.call, &account, credits, reason).await?;
        let issued = issued(notes, invoice, &credit)?;
        let note = &issued.note;
        let event = Event {
            kind: "licet.billing.credit_note.issued.v1",
            resource_id: note
                .credit_note_id
                .map_or_else(String::new, |id| id.to_string()),
            account_id: Some(account.account_id),
            time: asked.call.now,
            origin: &asked.origin(),
            why: reason.clone(),
            outcome: note.explanation(),
            data: json!({
                "number": note.number,
                "invoice_id": note.invoice_id,
                "total": note.total.value(),
                "returned": note.returned.value(),
                "due": credit.due.value(),
                "currency_code": note.total.currency().code(),
            }),
        };
        outbox::emit(tx, event).await?;
        Ok(issued)
    }
}

fn issued(
    notes: Vec<CreditNote>,
    invoice: Invoice,
    credit: &InvoiceCredit,
) -> Result<Issued, Fault> {
    let currency = invoice.total.currency();
    let note = notes.into_iter().next();
    let note = note.ok_or_else(|| Fault::internal("a credit left no credit note"))?;
    let invoice =
        credit::credited(invoice, credit).map_err(|error| sum_refused(currency, &error))?;
    Ok(Issued { note, invoice })
}
