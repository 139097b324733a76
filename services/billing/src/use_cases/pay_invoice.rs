//! Pays open invoices from the account's balance.

use licet_domain::{ids::InvoiceId, money::Money};
use licet_runtime::{
    caller::{Call, Caller},
    database::{Database, Tx},
    door::{ChangeRequest, Preview, Verb},
    fault::Fault,
};

use super::event::emit;
use crate::{
    events::InvoicePaid,
    rules::{account::Account, charge::Invoice, ledger::Entry, money_refusal},
    store,
};

/// Pays an invoice, or a part of it (BL-6).
///
/// Refusals: NOT_FOUND, INVOICE_NOT_OPEN, CURRENCY_MISMATCH, PAYMENT_EXCEEDS_DUE, INSUFFICIENT_FUNDS.
#[derive(Debug, Clone)]
pub(crate) struct PayInvoice {
    /// The invoice.
    pub(crate) invoice_id: InvoiceId,
    /// Above zero; `None`: all that is due.
    pub(crate) amount: Option<Money>,
}

/// An invoice after a payment.
pub(crate) struct PaidInvoice {
    /// The invoice.
    pub(crate) invoice: Invoice,
    /// What was paid.
    pub(crate) amount: Money,
    /// The account's balance afterwards.
    pub(crate) balance: Money,
}

impl Preview for PayInvoice {
    type Output = PaidInvoice;
    type Context = Database;

    async fn preview(&self, call: &Call, database: &Database) -> Result<PaidInvoice, Fault> {
        let tx = &database.read();
        let invoice = store::invoices::get(tx, &call.caller, self.invoice_id).await?;
        let account = store::accounts::get(tx, &call.caller, invoice.account_id).await?;
        self.plan(&account, invoice)
    }
}

impl PayInvoice {
    fn plan(&self, account: &Account, invoice: Invoice) -> Result<PaidInvoice, Fault> {
        let (invoice, amount) = invoice.pay(self.amount)?;
        let balance = account.balance_without(amount)?;
        Ok(PaidInvoice {
            invoice,
            amount,
            balance,
        })
    }
}

/// Locks the account and then the invoice, as everyone does who locks both.
pub(super) async fn lock_with_account(
    tx: &Tx,
    caller: &Caller,
    invoice_id: InvoiceId,
) -> Result<(Account, Invoice), Fault> {
    let account_id = store::owner::of_invoice(tx, caller, invoice_id).await?;
    let account = store::accounts::lock(tx, caller, account_id).await?;
    let invoice = store::invoices::lock(tx, account_id, invoice_id).await?;
    Ok((account, invoice))
}

impl Verb for PayInvoice {
    type Output = PaidInvoice;

    async fn run(&self, request: &ChangeRequest, tx: &Tx) -> Result<PaidInvoice, Fault> {
        let caller = &request.call.caller;
        let (account, invoice) = lock_with_account(tx, caller, self.invoice_id).await?;
        let paid = self.plan(&account, invoice)?;
        let PaidInvoice {
            invoice,
            amount,
            balance,
        } = &paid;
        let (invoice_id, currency) = (self.invoice_id, amount.currency());
        let refused = |error| money_refusal(currency, &error);
        let entry = Entry::payment(*amount, invoice_id).map_err(refused)?;
        let entry =
            store::ledger::post_one(tx, invoice.account_id, entry, request.call.now).await?;
        store::invoices::set_paid(tx, invoice_id, invoice).await?;
        let due = invoice.due().map_err(refused)?;
        let data = InvoicePaid {
            entry_id: entry.entry_id,
            amount: *amount,
            due,
            balance: *balance,
            currency_code: currency,
        };
        let account_id = invoice.account_id;
        let outcome = format!("{amount} paid from the balance; {due} is still due");
        emit(tx, request, invoice_id, account_id, "BL-6", outcome, &data).await?;
        Ok(paid)
    }
}
