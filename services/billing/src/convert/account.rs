//! Accounts and ledger entries between the contract and the rules.

use licet_contracts::billing::v1 as pb;
use licet_domain::Money;
use licet_runtime::{caller::Call, fault::Fault, field::Fields};

use super::{decode_name, decode_required_name};
use crate::{
    rules::{
        account::Account,
        ledger::{Cause, EntryKind, LedgerAccount, LedgerEntry, Posting},
    },
    use_cases::{
        create_account::CreateAccount,
        deposit::{Deposit, Deposited},
    },
};
use licet_runtime::wire::{decode_money, encode_money, encode_time};

pub(crate) fn decode_create<'a>(
    call: &'a Call,
    message: &'a pb::CreateAccountRequest,
) -> Result<CreateAccount<'a>, Fault> {
    let mut fields = Fields::new();
    fields.request_id(message);
    let display_name = decode_required_name(&mut fields, "display_name", &message.display_name);
    let currency = fields.required("currency_code", &message.currency_code);
    fields.build(|| {
        Ok(CreateAccount {
            call,
            request_id: &message.request_id,
            display_name: display_name?,
            currency: currency?,
        })
    })
}

pub(crate) fn decode_deposit<'a>(
    call: &'a Call,
    message: &'a pb::DepositRequest,
) -> Result<Deposit<'a>, Fault> {
    let mut fields = Fields::new();
    fields.request_id(message);
    let account_id = fields.required("account_id", &message.account_id);
    let amount = fields.message("amount", message.amount.as_ref(), decode_money);
    if let Ok(amount) = &amount {
        fields.check("amount.value", amount.minor() > 0, "must be above zero");
    }
    let reference = decode_name(&mut fields, "reference", &message.reference);
    fields.build(|| {
        Ok(Deposit {
            call,
            request_id: &message.request_id,
            account_id: account_id?,
            amount: amount?,
            reference: reference?,
        })
    })
}

pub(crate) fn encode(account: &Account) -> pb::Account {
    pb::Account {
        account_id: account.account_id.to_string(),
        display_name: account.display_name.clone(),
        currency_code: account.currency().code().to_owned(),
        state: pb::AccountState::Active.into(),
        balance: Some(encode_money(account.balance)),
        // A prepaid account pays as it is charged, so nothing is ever due.
        due: Some(encode_money(Money::zero(account.currency()))),
        create_time: Some(encode_time(account.created)),
    }
}

pub(crate) fn encode_deposit(deposited: &Deposited) -> pb::DepositResponse {
    pb::DepositResponse {
        entry: Some(encode_entry(&deposited.entry)),
        balance: Some(encode_money(deposited.balance)),
    }
}

pub(crate) fn encode_entry(entry: &LedgerEntry) -> pb::LedgerEntry {
    let kind = match entry.kind {
        EntryKind::Deposit => pb::EntryKind::Deposit,
        EntryKind::Invoice => pb::EntryKind::Invoice,
        EntryKind::Payment => pb::EntryKind::Payment,
        EntryKind::CreditNote => pb::EntryKind::CreditNote,
    };
    let (invoice_id, credit_note_id, reference) = match &entry.cause {
        Cause::Deposit(reference) => (String::new(), String::new(), reference.clone()),
        Cause::Invoice(id) => (id.to_string(), String::new(), String::new()),
        Cause::CreditNote(id) => (String::new(), id.to_string(), String::new()),
    };
    pb::LedgerEntry {
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

fn encode_posting(posting: &Posting) -> pb::Posting {
    let ledger_account = match posting.ledger_account {
        LedgerAccount::Cash => pb::LedgerAccount::Cash,
        LedgerAccount::Balance => pb::LedgerAccount::Balance,
        LedgerAccount::Receivable => pb::LedgerAccount::Receivable,
        LedgerAccount::Revenue => pb::LedgerAccount::Revenue,
    };
    pb::Posting {
        ledger_account: ledger_account.into(),
        amount: Some(encode_money(posting.amount)),
    }
}
