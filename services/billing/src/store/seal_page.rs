//! Pages of the seals of one table.

use licet_runtime::{all_accounts::AllAccounts, seal::Seal};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait},
};

use super::parts::RowKey;

/// How many rows a page reads.
const ROWS_PER_PAGE: u64 = 200;

/// Seals of some rows of one table, in the order of the rows' keys.
pub(super) struct SealPage {
    pub(super) seals: Vec<Seal>,
    /// The key of the last row; `None`: there are no more.
    pub(super) last: Option<RowKey>,
}

/// The connection for reads of the rows of all accounts.
pub(super) fn all_accounts<C>(connection: &C) -> AllAccounts<'_, C> {
    AllAccounts::new(connection, "every row is compared with its seal")
}

/// The rows of a page: the first after the key `after`, by account and id.
pub(super) async fn rows_after<E: EntityTrait>(
    connection: &impl ConnectionTrait,
    (account_id, id): (E::Column, E::Column),
    after: &RowKey,
) -> Result<Vec<E::Model>, DbErr> {
    let key = Expr::tuple([account_id.into_expr(), id.into_expr()]);
    let after = Expr::tuple([Expr::value(&after.0), Expr::value(&after.1)]);
    E::find()
        .filter(key.gt(after))
        .order_by_asc(account_id)
        .order_by_asc(id)
        .limit(ROWS_PER_PAGE)
        .all(&all_accounts(connection))
        .await
}

/// As [`rows_after`], of a table whose rows have a single id.
pub(super) async fn rows_after_id<E: EntityTrait>(
    connection: &impl ConnectionTrait,
    id: E::Column,
    after: &RowKey,
) -> Result<Vec<E::Model>, DbErr> {
    E::find()
        .filter(ColumnTrait::gt(&id, after.0.as_str()))
        .order_by_asc(id)
        .limit(ROWS_PER_PAGE)
        .all(connection)
        .await
}

/// The key of a row with a single id.
pub(super) fn single(id: &str) -> RowKey {
    (id.to_owned(), String::new())
}
