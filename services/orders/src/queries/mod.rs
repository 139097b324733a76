//! Reads: each from one snapshot of the database, each within the accounts that the caller sees.

pub(crate) mod certificates;
pub(crate) mod operations;
pub(crate) mod order_view;
pub(crate) mod orders;
pub(crate) mod servers;

use licet_domain::clock::Instant;

/// The key of a row in a listing by time and id.
fn time_key(time: Instant, id: impl std::fmt::Display) -> Vec<String> {
    vec![time.as_micros().to_string(), id.to_string()]
}

/// The text of an optional filter, for page tokens.
fn filter_text<T: std::fmt::Display>(value: Option<T>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}
