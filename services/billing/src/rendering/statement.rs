//! A statement as a page: the opening sums, the changes by kind and by entry, and the closing sums.

use askama::Template;
use licet_domain::money::Money;
use licet_runtime::{fault::Fault, transport::MAX_MESSAGE_BYTES};

use super::{page, span, time};
use crate::rules::{
    document::{StatementDocument, StatementEntry, check_page},
    ledger::EntryKind,
    numbers::Seller,
    statement::Sums,
};

/// Bytes of a response beside the page.
const ENVELOPE_BYTES: usize = 4 << 10;

#[derive(Template)]
#[template(path = "statement.html")]
struct Page<'a> {
    seller: &'a str,
    period: String,
    customer: &'a str,
    account_id: String,
    currency: &'static str,
    as_of: String,
    opening: (String, String),
    totals: Vec<TotalView>,
    closing: (String, String),
    rows: Vec<EntryView<'a>>,
}

struct TotalView {
    what: &'static str,
    entries: i64,
    balance_change: String,
    due_change: String,
}

struct EntryView<'a> {
    time: String,
    what: String,
    reference: &'a str,
    balance_change: String,
    due_change: String,
    balance: String,
    due: String,
}

/// The page of a statement.
///
/// # Errors
/// STATEMENT_TOO_LONG if the page does not fit into a response.
pub(crate) fn render(document: &StatementDocument) -> Result<Vec<u8>, Fault> {
    let StatementDocument {
        seller,
        account,
        statement,
        entries,
    } = document;
    let totals = statement.totals.iter().map(|total| TotalView {
        what: kind_name(total.kind),
        entries: total.entry_count,
        balance_change: change(total.balance_change),
        due_change: change(total.due_change),
    });
    let rendered = page(&Page {
        seller: seller.as_str(),
        period: span(statement.period.start, statement.period.end),
        customer: &account.display_name,
        account_id: account.account_id.to_string(),
        currency: account.currency().code(),
        as_of: time(statement.as_of),
        opening: sums(&statement.opening),
        totals: totals.collect(),
        closing: sums(&statement.closing),
        rows: entries
            .iter()
            .map(|entry| show_entry(seller, entry))
            .collect(),
    })?;
    let most = MAX_MESSAGE_BYTES - ENVELOPE_BYTES;
    check_page(statement, rendered.len(), most)?;
    Ok(rendered)
}

fn kind_name(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::Deposit => "Deposit",
        EntryKind::Invoice => "Invoice",
        EntryKind::Payment => "Payment",
        EntryKind::CreditNote => "Credit note",
        EntryKind::Withdrawal => "Withdrawal",
        EntryKind::Reversal => "Reversal",
    }
}

fn show_entry<'a>(seller: &Seller, (entry, after): &'a (StatementEntry, Sums)) -> EntryView<'a> {
    let invoice = entry.invoice_number.map(|it| seller.invoice_number(it));
    let note = entry
        .credit_note_number
        .map(|it| seller.credit_note_number(it));
    let name = kind_name(entry.kind);
    let what = match (note, invoice) {
        (None, None) => name.to_owned(),
        (None, Some(invoice)) => format!("{name} {invoice}"),
        (Some(note), None) => format!("{name} {note}"),
        (Some(note), Some(invoice)) => format!("{name} {note} on {invoice}"),
    };
    let (balance, due) = sums(after);
    EntryView {
        time: time(entry.time),
        what,
        reference: &entry.reference,
        balance_change: change(entry.change.balance),
        due_change: change(entry.change.due),
        balance,
        due,
    }
}

/// With its sign; empty for no change.
fn change(amount: Money) -> String {
    match amount.minor() {
        0 => String::new(),
        1.. => format!("+{}", amount.value()),
        _ => amount.value(),
    }
}

fn sums(sums: &Sums) -> (String, String) {
    (sums.balance.value(), sums.due.value())
}
