//! SANs as a column holds them: a line each.

use crate::rules::name::Name;

/// The SANs of a column.
pub(super) fn split_names(names: &str) -> Vec<Name> {
    names.lines().map(Name::from).collect()
}

/// SANs for a column.
pub(super) fn join_names(names: &[Name]) -> String {
    names.join("\n")
}
