//! Queries, each on one snapshot of the database and within the caller's accounts.

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

/// Approximate bytes of SANs in a response.
fn san_bytes(sans: &[PackedSan]) -> usize {
    sans.iter().map(|san| san.len() + 8).sum()
}
