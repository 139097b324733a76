//! Reads: each from one snapshot of the database, each within the accounts that the caller sees.

pub(crate) mod certificates;
pub(crate) mod feeds;
pub(crate) mod license_view;
pub(crate) mod licenses;
pub(crate) mod reservations;
pub(crate) mod revocation_preview;
pub(crate) mod sans;
mod seen;
pub(crate) mod usage;
pub(crate) mod watch;

use crate::rules::name::Name;

/// About how many bytes some names take in an answer.
fn name_bytes(names: &[Name]) -> usize {
    names.iter().map(|name| name.len() + 8).sum()
}
