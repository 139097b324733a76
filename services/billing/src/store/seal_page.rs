//! Seals of the rows of one table, a page at a time.

use licet_runtime::seal::Seal;

/// How many rows are read at once.
pub(super) const ROWS_PER_PAGE: u64 = 200;

/// Seals of some rows of one table, in the order of their ids.
pub(super) struct SealPage {
    pub(super) seals: Vec<Seal>,
    /// The last row's id; `None`: there are no more rows.
    pub(super) last: Option<String>,
}
