//! Rows of one table with their parts in another, such as invoices with their lines.

use std::collections::BTreeMap;

use licet_runtime::all_accounts::AllAccounts;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, IdenStatic, QueryFilter,
    QueryOrder, sea_query::Expr,
};
use serde_json::json;

/// The account and the id of a row. Its parts have both.
pub(super) type RowKey = (String, String);

/// How the parts of a table belong to their rows.
pub(super) struct PartColumns<E: EntityTrait> {
    pub(super) account_id: E::Column,
    /// The id of the row.
    pub(super) id: E::Column,
    /// The parts of a row are in the order of this column.
    pub(super) order: E::Column,
}

/// Each row with its parts, in order. The parts of all of them are read at once.
pub(super) async fn with_parts<E: EntityTrait, R>(
    connection: &impl ConnectionTrait,
    rows: Vec<R>,
    key_of_row: impl Fn(&R) -> RowKey,
    columns: PartColumns<E>,
    key_of_part: impl Fn(&E::Model) -> RowKey,
) -> Result<Vec<(R, Vec<E::Model>)>, DbErr> {
    let keys: Vec<_> = rows.iter().map(key_of_row).collect();
    let mut parts: BTreeMap<RowKey, Vec<E::Model>> = BTreeMap::new();
    for part in read_parts(connection, &keys, columns).await? {
        parts.entry(key_of_part(&part)).or_default().push(part);
    }
    let rows = rows.into_iter().zip(keys);
    let rows = rows.map(|(row, key)| (row, parts.remove(&key).unwrap_or_default()));
    Ok(rows.collect())
}

async fn read_parts<E: EntityTrait>(
    connection: &impl ConnectionTrait,
    keys: &[RowKey],
    columns: PartColumns<E>,
) -> Result<Vec<E::Model>, DbErr> {
    let Some((first, _)) = keys.first() else {
        return Ok(Vec::new());
    };
    let PartColumns {
        account_id,
        id,
        order,
    } = columns;
    if keys.iter().all(|(account, _)| account == first) {
        return E::find()
            .filter(account_id.eq(first))
            .filter(id.is_in(keys.iter().map(|(_, id)| id)))
            .order_by_asc(order)
            .all(connection)
            .await;
    }
    let columns = format!("({}, {})", account_id.as_str(), id.as_str());
    let is_wanted = if connection.get_database_backend() == DbBackend::Postgres {
        let (accounts, ids): (Vec<_>, Vec<_>) = keys.iter().cloned().unzip();
        Expr::cust_with_values(
            format!(
                "{columns} IN (SELECT account, id FROM unnest($1::TEXT[], $2::TEXT[]) AS wanted (account, id))"
            ),
            [accounts, ids],
        )
    } else {
        Expr::cust_with_values(
            format!("{columns} IN (SELECT value ->> 0, value ->> 1 FROM json_each(?))"),
            [json!(keys).to_string()],
        )
    };
    E::find()
        .filter(is_wanted)
        .order_by_asc(order)
        .all(&AllAccounts::new(
            connection,
            "the parts of rows of several accounts",
        ))
        .await
}
