//! Changes to sets of domains.

use std::collections::BTreeSet;

use licet_domain::san::San;

/// The domains once these are removed and those added.
pub(crate) fn changed_names(
    names: &BTreeSet<San>,
    added: &BTreeSet<San>,
    removed: &BTreeSet<San>,
) -> BTreeSet<San> {
    names.difference(removed).chain(added).cloned().collect()
}

/// The domains with `new` as the common name. If `new` is not among them it replaces `old`, so that
/// their number stays.
pub(crate) fn with_common_name(names: &BTreeSet<San>, old: &San, new: &San) -> BTreeSet<San> {
    let mut names = names.clone();
    if !names.contains(new) {
        names.remove(old);
        names.insert(new.clone());
    }
    names
}
