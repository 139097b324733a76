//! Accounts and ledger entries: messages to values, and back.

use licet_contracts::{billing::v1 as billing, types::v1 as types};
use licet_runtime::{
    fault::Fault,
    field::{Field, Fields},
    wire::{decode_money, encode_count, encode_money, encode_time},
};

use super::{decode_name, decode_required_name, price::decode_new_currency};
use crate::{
    rules::{
        account::{AccountView, CreditTerms, PaymentTerms},
        id_text,
        ledger::{BookedEntry, Cause, EntryKind, LedgerAccount, LedgerEntry, Posting},
    },
    use_cases::{
        create_account::CreateAccount,
        deposit::{Deposit, Transfer},
        reverse_entry::ReverseEntry,
        update_account::UpdateAccount,
        withdraw::Withdraw,
    },
};

/// The longest time until an invoice is due, and the longest grace, in days.
const MAX_TERMS_DAYS: u32 = 365;

/// Decodes CreateAccount.
pub(crate) fn decode_create(
    message: &billing::CreateAccountRequest,
) -> Result<CreateAccount, Fault> {
    let mut fields = Fields::new();
    fields.request_id(message);
    let display_name = decode_required_name(&mut fields, "display_name", &message.display_name);
    let currency = decode_new_currency(&mut fields, &message.currency_code);
    let terms = decode_terms(&mut fields, message.kind, message.terms.as_ref());
    if let (Ok(currency), Ok(Some(PaymentTerms::OnTerms(terms)))) = (&currency, &terms) {
        fields.check(
            "terms.credit_limit.currency_code",
            terms.credit_limit.currency() == *currency,
            "must be the currency of the account",
        );
    }
    fields.build(|| {
        Ok(CreateAccount {
            display_name: display_name?,
            currency: currency?,
            terms: terms?.unwrap_or(PaymentTerms::Prepaid),
        })
    })
}

/// Decodes UpdateAccount.
pub(crate) fn decode_update(
    message: &billing::UpdateAccountRequest,
) -> Result<UpdateAccount, Fault> {
    let mut fields = Fields::new();
    fields.request_id(message);
    let account_id = fields.required("account_id", &message.account_id);
    let display_name = decode_name(&mut fields, "display_name", &message.display_name);
    let terms = decode_terms(&mut fields, message.kind, message.terms.as_ref());
    if let (Ok(name), Ok(None)) = (&display_name, &terms) {
        fields.check(
            "display_name",
            !name.is_empty(),
            "is required unless kind is given",
        );
    }
    fields.build(|| {
        Ok(UpdateAccount {
            account_id: account_id?,
            display_name: Some(display_name?).filter(|name| !name.is_empty()),
            terms: terms?,
        })
    })
}

/// How an account pays; `None`: the request does not say.
fn decode_terms(
    fields: &mut Fields,
    kind: i32,
    message: Option<&billing::PaymentTerms>,
) -> Field<Option<PaymentTerms>> {
    let terms = match billing::AccountKind::try_from(kind) {
        Err(_) => return Err(fields.note("kind", "must be PREPAID or ON_TERMS")),
        Ok(billing::AccountKind::OnTerms) => {
            let Some(message) = message else {
                return Err(fields.note("terms", "is required with ON_TERMS"));
            };
            return decode_credit_terms(fields, message)
                .map(|terms| Some(PaymentTerms::OnTerms(terms)));
        }
        Ok(billing::AccountKind::Prepaid) => Some(PaymentTerms::Prepaid),
        Ok(billing::AccountKind::Unspecified) => None,
    };
    match message {
        None => Ok(terms),
        Some(_) => Err(fields.note("terms", "is allowed with kind ON_TERMS only")),
    }
}

fn decode_credit_terms(fields: &mut Fields, message: &billing::PaymentTerms) -> Field<CreditTerms> {
    let path = "terms.credit_limit";
    let credit_limit = fields.message(path, message.credit_limit.as_ref(), decode_money);
    if let Ok(limit) = &credit_limit {
        let value = "terms.credit_limit.value";
        fields.check(value, limit.minor() >= 0, "must not be negative");
    }
    let net_days = decode_days(fields, "terms.net_days", message.net_days);
    let grace = message.overdue_grace_days;
    let overdue_grace_days = decode_days(fields, "terms.overdue_grace_days", grace);
    Ok(CreditTerms {
        credit_limit: credit_limit?,
        net_days: net_days?,
        overdue_grace_days: overdue_grace_days?,
    })
}

fn decode_days(fields: &mut Fields, path: &str, days: i32) -> Field<u32> {
    match u32::try_from(days) {
        Ok(days) if days <= MAX_TERMS_DAYS => Ok(days),
        Ok(_) | Err(_) => Err(fields.note(path, format!("must be 0 to {MAX_TERMS_DAYS}"))),
    }
}

/// Decodes Deposit.
pub(crate) fn decode_deposit(message: &billing::DepositRequest) -> Result<Deposit, Fault> {
    let mut fields = Fields::new();
    fields.request_id(message);
    let transfer = decode_transfer(
        &mut fields,
        &message.account_id,
        message.amount.as_ref(),
        &message.reference,
    );
    fields.build(|| {
        Ok(Deposit {
            transfer: transfer?,
        })
    })
}

/// Decodes Withdraw.
pub(crate) fn decode_withdraw(message: &billing::WithdrawRequest) -> Result<Withdraw, Fault> {
    let mut fields = Fields::new();
    fields.request_id(message);
    let transfer = decode_transfer(
        &mut fields,
        &message.account_id,
        message.amount.as_ref(),
        &message.reference,
    );
    fields.build(|| {
        Ok(Withdraw {
            transfer: transfer?,
        })
    })
}

fn decode_transfer(
    fields: &mut Fields,
    account_id: &str,
    amount: Option<&types::Money>,
    reference: &str,
) -> Field<Transfer> {
    let account_id = fields.required("account_id", account_id);
    let amount = fields.message("amount", amount, decode_money);
    if let Ok(amount) = &amount {
        fields.check("amount.value", amount.minor() > 0, "must be above zero");
    }
    let reference = decode_name(fields, "reference", reference);
    Ok(Transfer {
        account_id: account_id?,
        amount: amount?,
        reference: reference?,
    })
}

/// Decodes ReverseEntry.
pub(crate) fn decode_reverse(
    message: &billing::ReverseEntryRequest,
) -> Result<ReverseEntry, Fault> {
    let mut fields = Fields::new();
    fields.request_id(message);
    let entry_id = fields.required("entry_id", &message.entry_id);
    let reason = decode_required_name(&mut fields, "reason", &message.reason);
    fields.build(|| {
        Ok(ReverseEntry {
            entry_id: entry_id?,
            reason: reason?,
        })
    })
}

/// An account.
pub(crate) fn encode(view: &AccountView) -> billing::Account {
    let account = &view.account;
    let (kind, terms) = match &account.terms {
        PaymentTerms::Prepaid => (billing::AccountKind::Prepaid, None),
        PaymentTerms::OnTerms(terms) => (
            billing::AccountKind::OnTerms,
            Some(billing::PaymentTerms {
                credit_limit: Some(encode_money(terms.credit_limit)),
                net_days: encode_count(terms.net_days),
                overdue_grace_days: encode_count(terms.overdue_grace_days),
            }),
        ),
    };
    billing::Account {
        account_id: account.account_id.to_string(),
        display_name: account.display_name.clone(),
        currency_code: account.currency().code().to_owned(),
        state: billing::AccountState::Active.into(),
        balance: Some(encode_money(account.balance)),
        due: Some(encode_money(account.due)),
        create_time: Some(encode_time(account.created)),
        kind: kind.into(),
        terms,
        overdue_since_time: view.overdue_since.map(encode_time),
    }
}

/// A new account.
pub(crate) fn encode_created(view: &AccountView) -> billing::CreateAccountResponse {
    billing::CreateAccountResponse {
        account: Some(encode(view)),
    }
}

/// An account after a change.
pub(crate) fn encode_updated(view: &AccountView) -> billing::UpdateAccountResponse {
    billing::UpdateAccountResponse {
        account: Some(encode(view)),
    }
}

/// A deposit, and the balance after it.
pub(crate) fn encode_deposit(booked: &BookedEntry) -> billing::DepositResponse {
    billing::DepositResponse {
        entry: Some(encode_entry(&booked.entry)),
        balance: Some(encode_money(booked.balance)),
    }
}

/// A withdrawal, and the balance after it.
pub(crate) fn encode_withdrawal(booked: &BookedEntry) -> billing::WithdrawResponse {
    billing::WithdrawResponse {
        entry: Some(encode_entry(&booked.entry)),
        balance: Some(encode_money(booked.balance)),
    }
}

/// A reversal, and the balance after it.
pub(crate) fn encode_reversal(booked: &BookedEntry) -> billing::ReverseEntryResponse {
    billing::ReverseEntryResponse {
        entry: Some(encode_entry(&booked.entry)),
        balance: Some(encode_money(booked.balance)),
    }
}

/// The kind of an entry.
pub(crate) fn encode_entry_kind(kind: EntryKind) -> billing::EntryKind {
    match kind {
        EntryKind::Deposit => billing::EntryKind::Deposit,
        EntryKind::Invoice => billing::EntryKind::Invoice,
        EntryKind::Payment => billing::EntryKind::Payment,
        EntryKind::CreditNote => billing::EntryKind::CreditNote,
        EntryKind::Withdrawal => billing::EntryKind::Withdrawal,
        EntryKind::Reversal => billing::EntryKind::Reversal,
    }
}

/// A ledger entry.
pub(crate) fn encode_entry(entry: &LedgerEntry) -> billing::LedgerEntry {
    let mut message = billing::LedgerEntry {
        entry_id: id_text(entry.entry_id),
        account_id: entry.account_id.to_string(),
        kind: encode_entry_kind(entry.kind).into(),
        postings: entry.postings.iter().map(encode_posting).collect(),
        entry_time: Some(encode_time(entry.time)),
        ..billing::LedgerEntry::default()
    };
    match &entry.cause {
        Cause::Transfer(reference) => message.reference.clone_from(reference),
        Cause::Invoice(id) => message.invoice_id = id.to_string(),
        Cause::CreditNote(id) => message.credit_note_id = id.to_string(),
        Cause::Reversal { reverses, reason } => {
            message.reverses_entry_id = reverses.to_string();
            message.reference.clone_from(reason);
        }
    }
    message
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
