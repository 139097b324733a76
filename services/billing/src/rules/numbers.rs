//! The numbers of invoices and credit notes as people write them.

/// An invoice's number for people.
pub(crate) fn invoice_number(number: i64) -> String {
    format!("INV-{number:06}")
}

/// The place in the series of an invoice that people know by this number.
pub(crate) fn parse_invoice_number(text: &str) -> Option<i64> {
    let number = text.strip_prefix("INV-")?.parse().ok()?;
    (invoice_number(number) == text).then_some(number)
}

/// A credit note's number for people.
pub(crate) fn credit_note_number(number: i64) -> String {
    format!("CDN-{number:06}")
}
