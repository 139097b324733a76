//! Accounts and ledger entries between the contract and the rules.

use licet_contracts::billing::v1 as billing;
use licet_domain::{
    ids::AccountId,
    money::{Currency, Money},
};
use licet_runtime::{
    fault::Fault,
    field::Fields,
    wire::{decode_money, encode_money, encode_time},
};

use super::{decode_name, decode_required_name};
use crate::rules::{
    account::Account,
    ledger::{Cause, Deposited, EntryKind, LedgerAccount, LedgerEntry, Posting},
};

/// An account that is to be opened.
#[derive(Debug, Clone)]
pub(crate) struct Opening {
    /// For people.
    pub(crate) display_name: String,
    /// For good (M-4).
    pub(crate) currency: Currency,
}

/// Money that was received from a customer.
#[derive(Debug, Clone)]
pub(crate) struct Receipt {
    /// The account.
    pub(crate) account_id: AccountId,
    /// More than nothing.
    pub(crate) amount: Money,
    /// What the payment is known by.
    pub(crate) reference: String,
}

/// Reads the request for a new account.
pub(crate) fn decode_create(message: &billing::CreateAccountRequest) -> Result<Opening, Fault> {
    let mut fields = Fields::new();
    fields.request_id(message);
    let display_name = decode_required_name(&mut fields, "display_name", &message.display_name);
    let currency = fields.required("currency_code", &message.currency_code);
    fields.build(|| {
        Ok(Opening {
            display_name: display_name?,
            currency: currency?,
        })
    })
}

/// Reads the request to book money received.
pub(crate) fn decode_deposit(message: &billing::DepositRequest) -> Result<Receipt, Fault> {
    let mut fields = Fields::new();
    fields.request_id(message);
    let account_id = fields.required("account_id", &message.account_id);
    let amount = fields.message("amount", message.amount.as_ref(), decode_money);
    if let Ok(amount) = &amount {
        fields.check("amount.value", amount.minor() > 0, "must be above zero");
    }
    let reference = decode_name(&mut fields, "reference", &message.reference);
    fields.build(|| {
        Ok(Receipt {
            account_id: account_id?,
            amount: amount?,
            reference: reference?,
        })
    })
}

/// Reads an account's id that must be there.
pub(crate) fn decode_account_id(account_id: &str) -> Result<AccountId, Fault> {
    let mut fields = Fields::new();
    let id = fields.required("account_id", account_id);
    fields.build(|| id)
}

/// An account.
pub(crate) fn encode(account: &Account) -> billing::Account {
    billing::Account {
        account_id: account.account_id.to_string(),
        display_name: account.display_name.clone(),
        currency_code: account.currency().code().to_owned(),
        state: billing::AccountState::Active.into(),
        balance: Some(encode_money(account.balance)),
        // A prepaid account pays as it is charged, so nothing is ever due.
        due: Some(encode_money(Money::zero(account.currency()))),
        create_time: Some(encode_time(account.created)),
    }
}

/// A deposit, and the balance after it.
pub(crate) fn encode_deposit(deposited: &Deposited) -> billing::DepositResponse {
    billing::DepositResponse {
        entry: Some(encode_entry(&deposited.entry)),
        balance: Some(encode_money(deposited.balance)),
    }
}

/// A ledger entry.
pub(crate) fn encode_entry(entry: &LedgerEntry) -> billing::LedgerEntry {
    let kind = match entry.kind {
        EntryKind::Deposit => billing::EntryKind::Deposit,
        EntryKind::Invoice => billing::EntryKind::Invoice,
        EntryKind::Payment => billing::EntryKind::Payment,
        EntryKind::CreditNote => billing::EntryKind::CreditNote,
    };
    let (invoice_id, credit_note_id, reference) = match &entry.cause {
        Cause::Deposit(reference) => (String::new(), String::new(), reference.clone()),
        Cause::Invoice(id) => (id.to_string(), String::new(), String::new()),
        Cause::CreditNote(id) => (String::new(), id.to_string(), String::new()),
    };
    billing::LedgerEntry {
        entry_id: entry.entry_id.to_string(),
        account_id: entry.account_id.to_string(),
        kind: kind.into(),
        postings: entry.postings.iter().map(encode_posting).collect(),
        invoice_id,
        credit_note_id,
        reference,
        entry_time: Some(encode_time(entry.time)),
    }
}

fn encode_posting(posting: &Posting) -> billing::Posting {
    let ledger_account = match posting.ledger_account {
        LedgerAccount::Cash => billing::LedgerAccount::Cash,
        LedgerAccount::Balance => billing::LedgerAccount::Balance,
        LedgerAccount::Receivable => billing::LedgerAccount::Receivable,
        LedgerAccount::Revenue => billing::LedgerAccount::Revenue,
    };
    billing::Posting {
        ledger_account: ledger_account.into(),
        amount: Some(encode_money(posting.amount)),
    }
}
