//! Finds the account of a row that a request names by its id alone. The key of every row begins with its account,
//! so rows are locked and changed only once the account is known.

use std::fmt::Display;

use licet_domain::ids::{AccountId, InvoiceId, RefundId};
use licet_runtime::{
    all_accounts::{AllAccounts, find_account},
    caller::Caller,
    database::Tx,
    fault::Fault,
};

use crate::rules::not_found;

/// Reads rows that are named by their ids alone, within the caller's scope.
pub(super) fn by_id<'a, C>(connection: &'a C, caller: &Caller) -> AllAccounts<'a, C> {
    let only = caller.accounts.only_account();
    AllAccounts::unless_of(only, connection, "the request names an id, not its account")
}

/// Reads a page of rows of `account_id`, or of all accounts within the caller's scope.
pub(super) fn listing<'a, C>(
    connection: &'a C,
    caller: &Caller,
    account_id: Option<AccountId>,
) -> AllAccounts<'a, C> {
    let only = account_id.or(caller.accounts.only_account());
    AllAccounts::unless_of(only, connection, "a list over several accounts")
}

/// The account of an invoice; NOT_FOUND if the caller does not see it. Call it before the transaction's first
/// statement.
pub(crate) async fn of_invoice(
    tx: &Tx,
    caller: &Caller,
    invoice_id: InvoiceId,
) -> Result<AccountId, Fault> {
    find(tx, caller, "invoice", "invoice_id", invoice_id).await
}

/// As [`of_invoice`], for a refund.
pub(crate) async fn of_refund(
    tx: &Tx,
    caller: &Caller,
    refund_id: RefundId,
) -> Result<AccountId, Fault> {
    find(tx, caller, "refund", "refund_id", refund_id).await
}

/// `table` is also the word for its rows.
async fn find(
    tx: &Tx,
    caller: &Caller,
    table: &'static str,
    column: &'static str,
    id: impl Display + Copy,
) -> Result<AccountId, Fault> {
    let text = id.to_string();
    let found = find_account(tx.before()?, &caller.accounts, (column, table), &text).await?;
    Ok(found.ok_or_else(|| not_found(table, id))?)
}
