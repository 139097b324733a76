//! Reads, each from one snapshot of the database and within the accounts that the caller sees.

pub(crate) mod certificates;
pub(crate) mod history;
pub(crate) mod order_view;
pub(crate) mod orders;
pub(crate) mod servers;

use licet_domain::san::San;

/// The approximate size of domains in a response, in bytes.
fn name_bytes<'a>(names: impl IntoIterator<Item = &'a San>) -> usize {
    names.into_iter().map(|name| name.value().len() + 3).sum()
}
