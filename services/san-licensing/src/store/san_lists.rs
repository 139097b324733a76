//! Columns of packed SANs, one per line.

use crate::rules::packed_san::PackedSan;

/// The SANs of a column.
pub(super) fn split_sans(sans: &str) -> Vec<PackedSan> {
    sans.lines().map(PackedSan::from).collect()
}

/// SANs for a column.
pub(super) fn join_sans(sans: &[PackedSan]) -> String {
    sans.join("\n")
}
