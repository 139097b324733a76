//! An invoice as a page: its lines with their computation (BL-7), its credit notes, and what is
//! due.

use askama::Template;
use licet_domain::money::Fraction;
use licet_runtime::fault::Fault;

use super::{page, span, time, unless_zero};
use crate::rules::{
    charge::{Invoice, InvoiceLine, InvoiceState},
    credit::CreditNote,
    document::InvoiceDocument,
    id_text,
    numbers::DocumentNumber,
    proration::Convention,
    quote::Line,
};

#[derive(Template)]
#[template(path = "invoice.html")]
struct Page<'a> {
    seller: &'a str,
    number: String,
    state: &'static str,
    customer: &'a str,
    account_id: String,
    issued: String,
    as_of: String,
    due_time: Option<String>,
    subject: Option<String>,
    invoice_id: String,
    quote_id: String,
    lines: Vec<LineView<'a>>,
    sums: Vec<(&'static str, String)>,
    due: String,
    notes: Vec<NoteView<'a>>,
    unlisted: Option<String>,
}

struct LineView<'a> {
    number: u32,
    description: &'a str,
    product: String,
    term: String,
    charged: String,
    part: String,
    convention: &'static str,
    price: String,
    rule: &'a str,
    explanation: &'a str,
    corrected: Option<String>,
    quantity: u32,
    unit_price: String,
    amount: String,
}

struct NoteView<'a> {
    number: String,
    issued: String,
    reason: &'a str,
    lines: String,
    returned: String,
    total: String,
}

/// The page of an invoice.
///
/// # Errors
/// [`Fault::Internal`] if the invoice breaks its invariant.
pub(crate) fn render(document: &InvoiceDocument) -> Result<Vec<u8>, Fault> {
    let InvoiceDocument {
        seller,
        account,
        invoice,
        notes,
        unlisted,
        as_of,
    } = document;
    let state = match invoice.state().map_err(Fault::internal)? {
        InvoiceState::Paid => "Nothing is due",
        InvoiceState::Open if invoice.due_time.is_some_and(|due_time| due_time < *as_of) => {
            "Overdue"
        }
        InvoiceState::Open => "To be paid",
    };
    let subject = invoice.subject.as_ref().map(|subject| {
        let term = u64::from(subject.term_index) + 1;
        format!("{}, term {term}", subject.resource_id)
    });
    page(&Page {
        seller: seller.as_str(),
        number: invoice
            .number
            .as_ref()
            .map_or_else(String::new, DocumentNumber::of_invoice),
        state,
        customer: &account.display_name,
        account_id: invoice.account_id.to_string(),
        issued: time(invoice.issued),
        as_of: time(*as_of),
        due_time: invoice.due_time.map(time),
        subject,
        invoice_id: id_text(invoice.invoice_id),
        quote_id: invoice.quote_id.to_string(),
        lines: invoice.lines.iter().map(show_line).collect(),
        sums: sums(invoice),
        due: invoice.due().map_err(Fault::internal)?.to_string(),
        notes: notes.iter().map(show_note).collect(),
        unlisted: unless_zero(*unlisted),
    })
}

/// The sums between the total and what is due; corrections of zero are left out.
fn sums(invoice: &Invoice) -> Vec<(&'static str, String)> {
    let mut sums = vec![
        ("Total", invoice.total.to_string()),
        ("Paid from the balance", invoice.paid.to_string()),
    ];
    let corrections = [
        ("Credited", invoice.credited),
        ("of that, returned to the balance", invoice.returned),
        ("Held by a refund in review", invoice.held),
    ];
    for (what, amount) in corrections {
        sums.extend(unless_zero(amount).map(|amount| (what, amount)));
    }
    sums
}

fn show_line(InvoiceLine { line, creditable }: &InvoiceLine) -> LineView<'_> {
    let convention = match line.convention {
        Convention::Monthly => "counted by months of equal weight",
        Convention::Daily => "counted by days",
        Convention::Linear => "counted by the microsecond",
    };
    let price = match line.price_effective {
        Some(effective) => format!(
            "Price list of {}, as of {}",
            time(effective),
            time(line.price_time)
        ),
        None => format!("Price agreed, as of {}", time(line.price_time)),
    };
    let part = if line.fraction == Fraction::one() {
        "the whole term".to_owned()
    } else {
        format!("{} of the term", line.fraction)
    };
    let corrections: Vec<String> = [("credited", creditable.credited), ("held", creditable.held)]
        .into_iter()
        .filter_map(|(what, amount)| Some(format!("{what} {}", unless_zero(amount)?)))
        .collect();
    LineView {
        number: creditable.line_number,
        description: &line.description,
        product: format!(
            "{}, version {}",
            line.product_id.as_str(),
            line.product_version
        ),
        term: show_term(line),
        charged: span(line.charged_from, line.term_end),
        part,
        convention,
        price,
        rule: &line.rule,
        explanation: &line.explanation,
        corrected: Some(corrections.join(", ")).filter(|text| !text.is_empty()),
        quantity: line.quantity,
        unit_price: line.unit_price.to_string(),
        amount: line.amount.to_string(),
    }
}

/// The term. The months of a later term are counted from the anchor (T-2), so it is shown.
fn show_term(line: &Line) -> String {
    let term = span(line.term_start, line.term_end);
    if line.term_first_month == 0 {
        return term;
    }
    let (first, months) = (
        u64::from(line.term_first_month),
        u64::from(line.term_months),
    );
    format!(
        "{term}, months {} to {} from {}",
        first + 1,
        first + months,
        time(line.term_anchor)
    )
}

fn show_note(note: &CreditNote) -> NoteView<'_> {
    let lines: Vec<String> = note
        .lines
        .iter()
        .map(|line| format!("{}: {}", line.line_number, line.amount.value()))
        .collect();
    NoteView {
        number: note
            .number
            .as_ref()
            .map_or_else(String::new, DocumentNumber::of_credit_note),
        issued: time(note.issued),
        reason: &note.reason,
        lines: lines.join(", "),
        returned: note.returned.to_string(),
        total: note.total.to_string(),
    }
}
