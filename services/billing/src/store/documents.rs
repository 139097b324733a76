//! Reads for printed documents: ledger entries with the numbers of their invoices and credit notes.

use licet_domain::{clock::Instant, money::Money};
use licet_runtime::{
    database::Tx,
    fault::Fault,
    stored::{instant, parsed},
};
use sea_orm::{ConnectionTrait, FromQueryResult, Statement};

use crate::rules::{account::Account, document::StatementEntry, statement::Sums};

#[derive(FromQueryResult)]
struct EntryRow {
    entry_us: i64,
    kind: String,
    reference: String,
    invoice_number: Option<i64>,
    credit_note_number: Option<i64>,
    balance_minor: i64,
    due_minor: i64,
}

/// All entries of the account from `start` to before `end`, oldest first. The caller has checked
/// that there are not too many.
pub(crate) async fn list_entries(
    tx: &Tx,
    account: &Account,
    start: Instant,
    end: Instant,
) -> Result<Vec<StatementEntry>, Fault> {
    let statement = Statement::from_sql_and_values(
        tx.get_database_backend(),
        include_str!("sql/statement_entries.sql"),
        [
            account.account_id.to_string().into(),
            start.as_micros().into(),
            end.as_micros().into(),
        ],
    );
    let rows = EntryRow::find_by_statement(statement).all(tx).await?;
    let money = |minor| Money::from_minor(account.currency(), minor);
    rows.into_iter()
        .map(|row| {
            Ok(StatementEntry {
                time: instant("entry_us", row.entry_us)?,
                kind: parsed("kind", &row.kind)?,
                invoice_number: row.invoice_number,
                credit_note_number: row.credit_note_number,
                reference: row.reference,
                change: Sums {
                    balance: money(row.balance_minor),
                    due: money(row.due_minor),
                },
            })
        })
        .collect()
}
