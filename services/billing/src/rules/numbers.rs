//! The written form of invoice and credit note numbers.

/// An invoice's number: `INV-000001`.
pub(crate) fn invoice_number(number: i64) -> String {
    format!("INV-{number:06}")
}

/// The number that `text` writes; `None` if it is not an invoice's.
pub(crate) fn parse_invoice_number(text: &str) -> Option<i64> {
    let number = text.strip_prefix("INV-")?.parse().ok()?;
    (invoice_number(number) == text).then_some(number)
}

/// A credit note's number: `CDN-000001`.
pub(crate) fn credit_note_number(number: i64) -> String {
    format!("CDN-{number:06}")
}
