//! Pages of the seals of one table.

use licet_runtime::seal::Seal;

/// How many rows a page reads.
pub(super) const ROWS_PER_PAGE: u64 = 200;

/// Seals of some rows of one table, in the order of the rows' ids.
pub(super) struct SealPage {
    pub(super) seals: Vec<Seal>,
    /// The id of the last row; `None`: there are no more.
    pub(super) last: Option<String>,
}
