//! The oracle: the business rules written from their text in plain numbers. Random histories compare it with
//! the rules' code and with running services. It shares no decision with the product: of its crates it may
//! use only `licet-domain`, for instants and reasons.

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

/// The instant `micros` after another, or before it if negative.
pub fn micros_later(instant: Instant, micros: i64) -> Instant {
    Instant::from_micros(instant.as_micros() + micros).unwrap()
}

/// Compares a state of the product with the oracle's by their `Debug` texts.
#[track_caller]
pub fn assert_same(seen: impl Debug, expected: impl Debug, rules: &str) {
    assert_eq!(format!("{seen:?}"), format!("{expected:?}"), "{rules}");
}
