//! What must be true of a store: each claim is SQL that returns its contradictions. Reads whole
//! tables, and is never part of a client's call.

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

/// A claim, and the statement that finds its contradictions: rows of `subject`, `currency`,
/// `expected` and `found`. The last two are in minor units of the currency unless that is NULL.
pub(crate) struct Claim {
    name: &'static str,
    claim: &'static str,
    /// The table whose rows are checked, with a condition if not all are.
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

/// A text for each database, because their JSON functions differ.
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

/// The ledger, then accounts, invoices, credit notes, refunds, numbers, quotes and what belongs to
/// them.
pub(crate) const CLAIMS: [Claim; 25] = [
    claim!(
        "entry_sums",
        "ledger_entry",
        "every entry has postings that sum to zero (BL-5)"
    ),
    claim!(
        "entry_postings",
        "posting",
        "every posting fits the kind and the account of its entry (BL-5)"
    ),
    claim!(
        "reversals",
        "ledger_entry WHERE kind = 'REVERSAL'",
        "a reversal negates one deposit or withdrawal, each reversed at most once"
    ),
    claim!(
        "entry_times",
        "account",
        "an account has the time of its last entry (T-5)"
    ),
    claim!(
        "balances",
        "account",
        "a balance is the sum of its postings (BL-5)"
    ),
    claim!(
        "receivables",
        "account",
        "what is due on an account is the sum of its postings (BL-5)"
    ),
    claim!(
        "dues",
        "account",
        "what is due on an account is what is due on its invoices (BL-6)"
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
        "what is paid on an invoice is the sum of its payments (BL-5)"
    ),
    claim!(
        "invoice_credits",
        "invoice",
        "what is credited on an invoice is the sum of its credit notes (BL-3)"
    ),
    claim!(
        "line_credits",
        "invoice_line",
        "what is credited on a line is the sum of the credit notes on it (BL-3)"
    ),
    claim!(
        "invoice_returns",
        "invoice",
        "what is returned on an invoice is what its credit notes moved to the balance (BL-4)"
    ),
    claim!(
        "invoice_states",
        "invoice",
        "an invoice is open exactly while something is due on it, which is never negative"
    ),
    claim!(
        "credit_limits",
        "invoice_line",
        "what is credited and held on a line never exceeds its amount (BL-3)"
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
        "what is held on invoices is what refunds in review hold, line by line (BL-3)"
    ),
    claim_on_json!(
        "refund_credits",
        "refund",
        "what was refunded is the sum of the refund's credit notes (AL-4)"
    ),
    claim!(
        "numbers",
        "number_series",
        "a seller's invoice numbers run from 1 without a gap, and so do its credit note numbers (BL-8)"
    ),
    claim!(
        "quotes",
        "quote WHERE invoice_id IS NOT NULL",
        "a charged quote has one invoice, of its account and total, and every invoice has its quote (BL-1)"
    ),
    claim!(
        "orphans",
        "product",
        "every version, price list, line and posting belongs to an existing row"
    ),
    claim_on_json!(
        "quote_lines",
        "quote WHERE invoice_id IS NOT NULL",
        "an invoice has its quote's lines, unchanged (BL-1)"
    ),
];

/// Begins each statement of a verification.
const MARK: &str = "/* all accounts: the store is verified */ ";

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

/// Checks a claim on the store.
pub(crate) async fn check(tx: &Tx, claim: &Claim) -> Result<Check, Fault> {
    let backend = tx.get_database_backend();
    let text = if backend == DbBackend::Postgres {
        claim.postgres
    } else {
        claim.sqlite
    };
    let counted = Statement::from_string(
        backend,
        format!("{MARK}SELECT COUNT(*) AS rows FROM {}", claim.of),
    );
    let counted = CountRow::find_by_statement(counted).one(tx).await?;
    let differing = Statement::from_string(
        backend,
        format!(
            "{MARK}SELECT subject, currency, expected, found, COUNT(*) OVER () AS differences \
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

/// Values that do not parse are shown as they are: this is where corrupt rows come to light.
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

/// Computes every line of every invoice again, from its own figures.
pub(crate) async fn check_lines(tx: &Tx) -> Result<Check, Fault> {
    let all = Statement::from_string(
        tx.get_database_backend(),
        format!("{MARK}SELECT invoice_id, line_number, amount_minor, line FROM invoice_line"),
    );
    let mut check = Check {
        name: "line_amounts",
        claim: "a line's amount follows from its price, quantity, term and fraction (BL-7)",
        checked: 0,
        differences: 0,
        shown: Vec::new(),
    };
    // Streamed: all lines ever charged may not fit into memory.
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
        let stored = Money::from_minor(line.amount.currency(), row.amount_minor);
        return Some((line.amount.to_string(), stored.to_string()));
    }
    line.find_difference()
}
