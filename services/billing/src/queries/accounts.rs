//! Accounts and their ledger entries.

use licet_domain::{ids::AccountId, term::Period};
use licet_runtime::{
    caller::Call,
    database::Database,
    fault::Fault,
    page::{Page, time_key},
};

use crate::{
    rules::{account::AccountView, id_text, ledger::LedgerEntry},
    store,
};

/// The account, or NOT_FOUND.
pub(crate) async fn get(
    database: &Database,
    call: &Call,
    account_id: AccountId,
) -> Result<AccountView, Fault> {
    let tx = database.read();
    let account = store::accounts::get(&tx, &call.caller, account_id).await?;
    let first_due = store::invoices::find_first_due(&tx, account_id).await?;
    Ok(account.view(first_due.map(|first| first.due_time), call.now))
}

/// A page of accounts, and the token of the next page.
pub(crate) async fn list(
    database: &Database,
    call: &Call,
    page: &Page,
) -> Result<(Vec<AccountView>, String), Fault> {
    let tx = database.read();
    let rows = store::accounts::list(&tx, &call.caller, page).await?;
    let (accounts, next) = page.finish(rows, |account| vec![account.account_id.to_string()]);
    let ids: Vec<AccountId> = accounts.iter().map(|account| account.account_id).collect();
    let first_due = store::invoices::first_due_times(&tx, &ids).await?;
    let views = accounts.into_iter().map(|account| {
        let first_due = first_due.get(&account.account_id).copied();
        account.view(first_due, call.now)
    });
    Ok((views.collect(), next))
}

/// A page of the ledger entries of an account, and the token of the next page; or NOT_FOUND.
pub(crate) async fn list_entries(
    database: &Database,
    call: &Call,
    account_id: AccountId,
    period: Option<Period>,
    page: &Page,
) -> Result<(Vec<LedgerEntry>, String), Fault> {
    let tx = database.read();
    store::accounts::get(&tx, &call.caller, account_id).await?;
    let rows = store::ledger::list(&tx, account_id, period, page).await?;
    Ok(page.finish(rows, |entry| {
        let id = id_text(entry.entry_id);
        time_key(entry.time, id)
    }))
}
