//! Sets of names as they are once something is changed in them.

use std::collections::BTreeSet;

use licet_domain::san::San;

/// A change as it was kept: the names after it are those of the order with the change made.
pub(crate) fn changed_names(
    names: &BTreeSet<San>,
    added: &BTreeSet<San>,
    removed: &BTreeSet<San>,
) -> BTreeSet<San> {
    names.difference(removed).chain(added).cloned().collect()
}

/// The names with `new` for their common name, in the place of `old` where it is not one of them: as
/// many as before.
pub(crate) fn with_common_name(names: &BTreeSet<San>, old: &San, new: &San) -> BTreeSet<San> {
    let mut names = names.clone();
    if !names.contains(new) {
        names.remove(old);
        names.insert(new.clone());
    }
    names
}
