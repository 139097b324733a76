//! Pages of the seals of one table.

use licet_runtime::seal::Seal;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

/// How many rows a page reads.
const ROWS_PER_PAGE: u64 = 200;

/// Seals of some rows of one table, in the order of the rows' ids.
pub(super) struct SealPage {
    pub(super) seals: Vec<Seal>,
    /// The id of the last row; `None`: there are no more.
    pub(super) last: Option<String>,
}

/// The rows of a page: the first after the id `after`, by `id`.
pub(super) async fn rows_after<E: EntityTrait>(
    connection: &impl ConnectionTrait,
    id: E::Column,
    after: &str,
) -> Result<Vec<E::Model>, DbErr> {
    E::find()
        .filter(id.gt(after))
        .order_by_asc(id)
        .limit(ROWS_PER_PAGE)
        .all(connection)
        .await
}
