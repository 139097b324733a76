//! Rows of one table with their parts in another, such as invoices with their lines.

use std::collections::BTreeMap;

/// Each row with those of `parts` that belong to it, in their order.
pub(super) fn with_parts<R, P>(
    rows: Vec<R>,
    row_id: impl Fn(&R) -> &str,
    parts: Vec<P>,
    owner_id: impl Fn(&P) -> &str,
) -> Vec<(R, Vec<P>)> {
    let mut by_owner: BTreeMap<String, Vec<P>> = BTreeMap::new();
    for part in parts {
        let owner = owner_id(&part).to_owned();
        by_owner.entry(owner).or_default().push(part);
    }
    let rows = rows.into_iter().map(|row| {
        let parts = by_owner.remove(row_id(&row)).unwrap_or_default();
        (row, parts)
    });
    rows.collect()
}
