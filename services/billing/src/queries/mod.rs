//! Reads: each one snapshot of the database, each within the accounts that the caller sees.

pub(crate) mod accounts;
pub(crate) mod catalog;
pub(crate) mod charges;
pub(crate) mod refunds;

use licet_domain::{AccountId, Instant};

/// The key of a row in a listing by time and id.
fn time_key(time: Instant, id: impl std::fmt::Display) -> Vec<String> {
    vec![time.as_micros().to_string(), id.to_string()]
}

/// The text of an account filter, for page tokens.
fn account_text(account_id: Option<AccountId>) -> String {
    account_id.map_or_else(String::new, |id| id.to_string())
}
