//! What must be true of the store, each claim as SQL that answers what contradicts it. It reads
//! whole tables, set by set, and is no part of any call that a client waits for.

use futures::TryStreamExt;
use licet_domain::money::{Currency, Money};
use licet_runtime::{
    database::Tx,
    fault::Fault,
    stored::from_json,
    verification::{Check, Difference, MOST_SHOWN},
};
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement};

use crate::rules::quote::Line;

/// A claim, and the statement that finds what contradicts it: rows of `subject`, `currency`,
/// `expected` and `found`, the last two in minor units of the currency unless that is NULL.
pub(crate) struct Claim {
    name: &'static str,
    claim: &'static str,
    /// The table whose rows are held against the claim, and a condition if not all of them are.
    of: &'static str,
    postgres: &'static str,
    sqlite: &'static str,
}

/// One text for both databases.
macro_rules! claim {
    ($name:literal, $of:literal, $claim:literal) => {
        Claim {
            name: $name,
            claim: $claim,
            of: $of,
            postgres: include_str!(concat!("sql/verify/", $name, ".sql")),
            sqlite: include_str!(concat!("sql/verify/", $name, ".sql")),
        }
    };
}

/// A text for each database, because they read JSON each in its own way.
macro_rules! claim_on_json {
    ($name:literal, $of:literal, $claim:literal) => {
        Claim {
            name: $name,
            claim: $claim,
            of: $of,
            postgres: include_str!(concat!("sql/postgres/", $name, ".sql")),
            sqlite: include_str!(concat!("sql/sqlite/", $name, ".sql")),
        }
    };
}

/// All claims: the ledger, then accounts, invoices, credit notes, refunds, numbers, quotes and what belongs to them.
pub(crate) const CLAIMS: [Claim; 25] = [
    claim!(
        "entry_sums",
        "ledger_entry",
        "every entry has postings that sum to zero (BL-5)"
    ),
    claim!(
        "entry_postings",
        "posting",
        "every posting moves what its entry's kind moves, in the entry's own account (BL-5)"
    ),
    claim!(
        "reversals",
        "ledger_entry WHERE kind = 'REVERSAL'",
        "a reversal mirrors one deposit or withdrawal, each reversed once at most"
    ),
    claim!(
        "entry_times",
        "account",
        "an account knows the time of its last entry (T-5)"
    ),
    claim!(
        "balances",
        "account",
        "a balance is what its postings sum to (BL-5)"
    ),
    claim!(
        "receivables",
        "account",
        "what is due on an account is what its postings sum to (BL-5)"
    ),
    claim!(
        "dues",
        "account",
        "what is due on an account is what its invoices ask (BL-6)"
    ),
    claim!(
        "currencies",
        "account",
        "everything on an account is in its currency (M-4)"
    ),
    claim!(
        "invoice_totals",
        "invoice",
        "an invoice's total is the sum of its lines, numbered from 1"
    ),
    claim!(
        "invoice_sales",
        "invoice",
        "an invoice was booked once, with its total (BL-5)"
    ),
    claim!(
        "invoice_payments",
        "invoice",
        "what is paid of an invoice is what its payments moved (BL-5)"
    ),
    claim!(
        "invoice_credits",
        "invoice",
        "what is credited of an invoice is the sum of its credit notes (BL-3)"
    ),
    claim!(
        "line_credits",
        "invoice_line",
        "what is credited of a line is the sum of the credit notes on it (BL-3)"
    ),
    claim!(
        "invoice_returns",
        "invoice",
        "what an invoice returned is what its credit notes moved to the balance (BL-4)"
    ),
    claim!(
        "invoice_states",
        "invoice",
        "an invoice is open while something is due on it, and never asks less than nothing"
    ),
    claim!(
        "credit_limits",
        "invoice_line",
        "what is credited and held of a line never exceeds it (BL-3)"
    ),
    claim!(
        "credit_note_totals",
        "credit_note",
        "a credit note's total is the sum of its lines"
    ),
    claim!(
        "credit_note_entries",
        "credit_note",
        "a credit note was booked once, with its total, on its invoice's account (BL-5)"
    ),
    claim!(
        "credit_note_returns",
        "credit_note",
        "what a credit note returned is what it moved to the balance (BL-4)"
    ),
    claim!(
        "holds",
        "invoice",
        "what is held of invoices is what refunds in review hold, line by line (BL-3)"
    ),
    claim_on_json!(
        "refund_credits",
        "refund",
        "what was refunded is the sum of the refund's credit notes (AL-4)"
    ),
    claim!(
        "numbers",
        "number_series",
        "a seller's numbers run from 1 without a gap (BL-8)"
    ),
    claim!(
        "quotes",
        "quote WHERE invoice_id IS NOT NULL",
        "a charged quote became one invoice of its account and total, and every invoice was one (BL-1)"
    ),
    claim!(
        "orphans",
        "product",
        "versions, prices, lines and postings belong to something that is there"
    ),
    claim_on_json!(
        "quote_lines",
        "quote WHERE invoice_id IS NOT NULL",
        "an invoice has its quote's lines, as they were (BL-1)"
    ),
];

#[derive(FromQueryResult)]
struct CountRow {
    rows: i64,
}

#[derive(FromQueryResult)]
struct DifferenceRow {
    subject: String,
    currency: Option<String>,
    expected: String,
    found: String,
    differences: i64,
}

/// Holds the store against `claim`.
pub(crate) async fn check(tx: &Tx, claim: &Claim) -> Result<Check, Fault> {
    let backend = tx.get_database_backend();
    let text = if backend == DbBackend::Postgres {
        claim.postgres
    } else {
        claim.sqlite
    };
    let counted = Statement::from_string(
        backend,
        format!("SELECT COUNT(*) AS rows FROM {}", claim.of),
    );
    let counted = CountRow::find_by_statement(counted).one(tx).await?;
    let differing = Statement::from_string(
        backend,
        format!(
            "SELECT subject, currency, expected, found, COUNT(*) OVER () AS differences \
             FROM (\n{text}) AS difference LIMIT {MOST_SHOWN}"
        ),
    );
    let rows = DifferenceRow::find_by_statement(differing).all(tx).await?;
    let differences = rows.first().map_or(0, |row| row.differences);
    let mut shown: Vec<_> = rows.into_iter().map(decode).collect();
    shown.sort();
    Ok(Check {
        name: claim.name,
        claim: claim.claim,
        checked: unsigned(counted.map_or(0, |counted| counted.rows))?,
        differences: unsigned(differences)?,
        shown,
    })
}

fn unsigned(count: i64) -> Result<u64, Fault> {
    u64::try_from(count).map_err(Fault::internal)
}

/// What does not read as it should is shown as it is: this is where spoilt rows come to light.
fn decode(row: DifferenceRow) -> Difference {
    let currency: Option<Currency> = row.currency.and_then(|code| code.parse().ok());
    let shown = |text: String| match (currency, text.parse()) {
        (Some(currency), Ok(minor)) => Money::from_minor(currency, minor).to_string(),
        (_, _) => text,
    };
    Difference {
        subject: row.subject,
        expected: shown(row.expected),
        found: shown(row.found),
    }
}

#[derive(FromQueryResult)]
struct LineRow {
    invoice_id: String,
    line_number: i32,
    amount_minor: i64,
    line: String,
}

/// Computes every line of every invoice once more, from what it says of itself.
pub(crate) async fn check_lines(tx: &Tx) -> Result<Check, Fault> {
    let all = Statement::from_string(
        tx.get_database_backend(),
        "SELECT invoice_id, line_number, amount_minor, line FROM invoice_line",
    );
    let mut check = Check {
        name: "line_amounts",
        claim: "a line's amount is what its price, quantity, term and fraction come to (BL-7)",
        checked: 0,
        differences: 0,
        shown: Vec::new(),
    };
    // One at a time: all lines ever charged need not fit into memory.
    let mut rows = LineRow::find_by_statement(all).stream(tx).await?;
    while let Some(row) = rows.try_next().await? {
        check.checked += 1;
        let Some((expected, found)) = line_difference(&row) else {
            continue;
        };
        check.differences += 1;
        if check.shown.len() < MOST_SHOWN {
            check.shown.push(Difference {
                subject: format!("{}, line {}", row.invoice_id, row.line_number),
                expected,
                found,
            });
        }
    }
    check.shown.sort();
    Ok(check)
}

fn line_difference(row: &LineRow) -> Option<(String, String)> {
    let Ok(line) = from_json::<Line>("line", &row.line) else {
        return Some(("a line".to_owned(), row.line.clone()));
    };
    if line.amount.minor() != row.amount_minor {
        let kept = Money::from_minor(line.amount.currency(), row.amount_minor);
        return Some((line.amount.to_string(), kept.to_string()));
    }
    line.find_difference()
}
