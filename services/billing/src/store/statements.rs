//! Sums and counts of the entries of an account, computed by the database.

use licet_domain::{clock::Instant, ids::AccountId, term::Period};
use licet_runtime::{
    database::Tx,
    fault::Fault,
    stored::{parsed, parsed_if},
};
use sea_orm::{ConnectionTrait, FromQueryResult, Statement};

use crate::rules::{ledger::EntryKind, statement::PostingSum};

#[derive(FromQueryResult)]
struct SumRow {
    kind: Option<String>,
    ledger_account: String,
    high: i64,
    low: i64,
}

#[derive(FromQueryResult)]
struct CountRow {
    kind: String,
    entries: i64,
}

/// The sums of an account's postings before `until`, by kind and ledger account; postings from
/// before the period have no kind.
pub(crate) async fn sum_postings(
    tx: &Tx,
    account_id: AccountId,
    period: Period,
    until: Instant,
) -> Result<Vec<PostingSum>, Fault> {
    let text = include_str!("sql/statement_sums.sql");
    let rows = SumRow::find_by_statement(query(tx, text, account_id, period, until))
        .all(tx)
        .await?;
    rows.into_iter()
        .map(|row| {
            Ok(PostingSum {
                kind: parsed_if("kind", row.kind.as_deref())?,
                ledger_account: parsed("ledger_account", &row.ledger_account)?,
                sum_minor: (i128::from(row.high) << 32) + i128::from(row.low),
            })
        })
        .collect()
}

/// The number of entries of each kind within the period and before `until`.
pub(crate) async fn count_entries(
    tx: &Tx,
    account_id: AccountId,
    period: Period,
    until: Instant,
) -> Result<Vec<(EntryKind, i64)>, Fault> {
    let text = include_str!("sql/statement_counts.sql");
    let rows = CountRow::find_by_statement(query(tx, text, account_id, period, until))
        .all(tx)
        .await?;
    rows.into_iter()
        .map(|row| Ok((parsed("kind", &row.kind)?, row.entries)))
        .collect()
}

fn query(tx: &Tx, text: &str, account_id: AccountId, period: Period, until: Instant) -> Statement {
    let values = [
        account_id.to_string().into(),
        period.start.as_micros().into(),
        until.as_micros().into(),
    ];
    Statement::from_sql_and_values(tx.get_database_backend(), text, values)
}
