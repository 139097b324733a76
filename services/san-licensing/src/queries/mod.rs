//! Reads: each from one snapshot of the database, each within the accounts that the caller sees.

pub(crate) mod certificates;
pub(crate) mod feeds;
pub(crate) mod license_view;
pub(crate) mod licenses;
pub(crate) mod reservations;
pub(crate) mod revocation_preview;
pub(crate) mod sans;
pub(crate) mod usage;
mod visible_license;
pub(crate) mod watch;

use crate::rules::packed_san::PackedSan;

/// About how many bytes some names take in an answer.
fn san_bytes(sans: &[PackedSan]) -> usize {
    sans.iter().map(|san| san.len() + 8).sum()
}
