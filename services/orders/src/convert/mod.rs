//! Converts between the contract's messages and the values that Orders works with, a file per noun.
//! Requests are parsed here; the rules judge them.

pub(crate) mod cancellation;
pub(crate) mod certificate;
pub(crate) mod clue;
pub(crate) mod deletion;
pub(crate) mod domains;
pub(crate) mod history;
pub(crate) mod options;
pub(crate) mod order;
pub(crate) mod reissue;
pub(crate) mod renewal;
pub(crate) mod revocation;
pub(crate) mod server;

use licet_domain::san::San;

fn texts<'a>(names: impl IntoIterator<Item = &'a San>) -> Vec<String> {
    names
        .into_iter()
        .map(|name| name.value().to_owned())
        .collect()
}
