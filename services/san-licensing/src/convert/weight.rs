//! Weights and counts in the contract's form.

/// A weight in the contract's form.
pub(super) fn encode_weight(weight: u64) -> i64 {
    i64::try_from(weight).unwrap_or(i64::MAX)
}
