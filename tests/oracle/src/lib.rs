//! What the business rules say, written from their text in plain numbers: the oracle that random
//! histories compare the rules' code and the running services with. It shares no decision with the
//! product: of the product's crates it may use `licet-domain` only, for instants and reasons.

#![expect(
    clippy::unwrap_used,
    reason = "a test must stop where the oracle does not know the answer"
)]

pub mod licenses;
pub mod orders;

use std::fmt::Debug;

use licet_domain::clock::Instant;

/// A day of 86 400 seconds.
pub const DAY_MICROS: i64 = 86_400_000_000;

/// The instant so many microseconds after another, or before it.
pub fn micros_later(instant: Instant, micros: i64) -> Instant {
    Instant::from_micros(instant.as_micros() + micros).unwrap()
}

/// Compares a state of the product with the oracle's, by their names.
#[track_caller]
pub fn assert_same(seen: impl Debug, expected: impl Debug, rules: &str) {
    assert_eq!(format!("{seen:?}"), format!("{expected:?}"), "{rules}");
}
