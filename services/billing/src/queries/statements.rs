//! Statements: all figures of one are read from the same snapshot.

use licet_domain::{ids::AccountId, term::Period};
use licet_runtime::{
    caller::Call,
    database::{Database, Tx},
    fault::Fault,
};

use crate::{
    rules::{
        money_refusal,
        statement::{Statement, assemble, statement_end},
    },
    store,
};

/// The account's statement over the period, or NOT_FOUND.
pub(crate) async fn get(
    database: &Database,
    call: &Call,
    account_id: AccountId,
    period: Period,
) -> Result<Statement, Fault> {
    let tx = database.read();
    read(&tx, call, account_id, period).await
}

/// As [`get`], within a transaction that reads more.
pub(crate) async fn read(
    tx: &Tx,
    call: &Call,
    account_id: AccountId,
    period: Period,
) -> Result<Statement, Fault> {
    let account = store::accounts::get(tx, &call.caller, account_id).await?;
    let now = account.seen_at(call.now);
    let until = statement_end(period, now);
    let moved = store::statements::sum_postings(tx, account_id, period, until).await?;
    let counts = store::statements::count_entries(tx, account_id, period, until).await?;
    let currency = account.currency();
    assemble(account_id, currency, period, now, &moved, &counts)
        .map_err(|error| money_refusal(currency, &error).into())
}
