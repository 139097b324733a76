//! Weights, counts and quotas.

use licet_runtime::field::{Field, Fields};

/// The largest quota.
const MAX_QUOTA: u64 = 1_000_000_000;

/// Encodes a weight or a count.
pub(super) fn encode_weight(weight: u64) -> i64 {
    i64::try_from(weight).unwrap_or(i64::MAX)
}

/// Decodes a quota.
pub(super) fn quota(fields: &mut Fields, quota: i64) -> Field<u64> {
    match u64::try_from(quota) {
        Ok(quota @ 1..=MAX_QUOTA) => Ok(quota),
        Ok(_) | Err(_) => Err(fields.note("quota", format!("must be 1 to {MAX_QUOTA}"))),
    }
}
