//! Accounts and their ledger entries.

use licet_domain::ids::AccountId;
use licet_runtime::{
    caller::Call,
    database::Database,
    fault::Fault,
    page::{Page, time_key},
};

use crate::{
    rules::{account::Account, ledger::LedgerEntry, not_found},
    store,
};

/// The account, or NOT_FOUND.
pub(crate) async fn get(
    database: &Database,
    call: &Call,
    account_id: AccountId,
) -> Result<Account, Fault> {
    let tx = database.read().await?;
    let found = store::accounts::find(&tx, &call.caller, account_id).await?;
    Ok(found.ok_or_else(|| not_found("account", account_id))?)
}

/// A page of accounts, and the next one's token.
pub(crate) async fn list(
    database: &Database,
    call: &Call,
    page_size: i32,
    page_token: &str,
) -> Result<(Vec<Account>, String), Fault> {
    let page = Page::decode(page_size, page_token, "accounts", call.now)?;
    let tx = database.read().await?;
    let rows = store::accounts::list(&tx, &call.caller, &page).await?;
    Ok(page.finish(rows, |account| vec![account.account_id.to_string()]))
}

/// A page of an account's ledger entries, and the next one's token; or NOT_FOUND.
pub(crate) async fn list_entries(
    database: &Database,
    call: &Call,
    account_id: AccountId,
    page_size: i32,
    page_token: &str,
) -> Result<(Vec<LedgerEntry>, String), Fault> {
    let page = Page::decode(
        page_size,
        page_token,
        &format!("entries {account_id}"),
        call.now,
    )?;
    let tx = database.read().await?;
    if store::accounts::find(&tx, &call.caller, account_id)
        .await?
        .is_none()
    {
        return Err(not_found("account", account_id).into());
    }
    let rows = store::ledger::list(&tx, account_id, &page).await?;
    Ok(page.finish(rows, |entry| time_key(entry.time, entry.entry_id)))
}
