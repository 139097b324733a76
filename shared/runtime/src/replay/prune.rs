//! Deletes old replay records, with the operations that they refer to.

use licet_domain::clock::Instant;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, Statement,
};
use serde_json::json;

use super::row;
use crate::{
    database::Tx,
    fault::Fault,
    operation::prune::{delete_ended, find_kept},
    retention::{REPLAY_DAYS, Retention},
};

/// How long the replay records and the ended operations of every service are kept.
pub(crate) const RETENTION: Retention = Retention {
    name: "prune replay records and ended operations",
    days: REPLAY_DAYS,
    prune: |tx, before| Box::pin(prune(tx, before)),
};

const PRUNED_AT_ONCE: u64 = 1000;

/// A record that is old enough to be deleted.
#[derive(FromQueryResult)]
struct Prunable {
    caller: String,
    method: String,
    request_id: String,
    operation_id: Option<String>,
}

/// Deletes a batch of the records older than `before`, with the operations that they refer to. Returns how many
/// records it was about.
async fn prune(tx: &Tx, before: Instant) -> Result<u64, Fault> {
    let records: Vec<Prunable> = row::Entity::find()
        .select_only()
        .columns([
            row::Column::Caller,
            row::Column::Method,
            row::Column::RequestId,
            row::Column::OperationId,
        ])
        .filter(row::Column::RecordedUs.lt(before.as_micros()))
        .order_by_asc(row::Column::RecordedUs)
        .limit(PRUNED_AT_ONCE)
        .into_model()
        .all(tx)
        .await?;
    let operations = records
        .iter()
        .filter_map(|record| record.operation_id.clone());
    let operations = find_kept(tx, operations.collect(), before).await?;
    let count = u64::try_from(records.len()).map_err(Fault::internal)?;
    let (mut renewed, mut pruned) = (Vec::new(), Vec::new());
    for record in records {
        let operation = record.operation_id.as_ref();
        match operation.and_then(|id| operations.from.get(id)) {
            Some(from) => renewed.push((record, *from)),
            None => pruned.push(record),
        }
    }
    renew(tx, &renewed).await?;
    delete(tx, &pruned).await?;
    delete_ended(tx, &operations.ended, before).await?;
    Ok(count)
}

/// The request of an operation may be repeated while the operation is kept: its record starts a new period. Otherwise
/// such records would fill every batch in the end.
async fn renew(tx: &Tx, records: &[(Prunable, i64)]) -> Result<(), Fault> {
    if records.is_empty() {
        return Ok(());
    }
    let given = records.iter().map(|(record, from)| {
        json!({ "c": record.caller, "m": record.method, "r": record.request_id, "u": from })
    });
    let given = json!(given.collect::<Vec<_>>()).to_string();
    let backend = tx.get_database_backend();
    let rows = if backend == DbBackend::Postgres {
        "json_to_recordset($1::json) AS given(c TEXT, m TEXT, r TEXT, u BIGINT)"
    } else {
        "(SELECT value ->> 'c' AS c, value ->> 'm' AS m, value ->> 'r' AS r, value ->> 'u' AS u \
         FROM json_each($1)) AS given"
    };
    let text = format!(
        "UPDATE replay SET recorded_us = given.u FROM {rows} \
         WHERE caller = given.c AND method = given.m AND request_id = given.r"
    );
    tx.execute_raw(Statement::from_sql_and_values(
        backend,
        text,
        [given.into()],
    ))
    .await?;
    Ok(())
}

async fn delete(tx: &Tx, records: &[Prunable]) -> Result<(), Fault> {
    if records.is_empty() {
        return Ok(());
    }
    let given = records
        .iter()
        .map(|record| json!({ "c": record.caller, "m": record.method, "r": record.request_id }));
    let given = json!(given.collect::<Vec<_>>()).to_string();
    let backend = tx.get_database_backend();
    let keys = if backend == DbBackend::Postgres {
        "SELECT c, m, r FROM json_to_recordset($1::json) AS given(c TEXT, m TEXT, r TEXT)"
    } else {
        "SELECT value ->> 'c', value ->> 'm', value ->> 'r' FROM json_each($1)"
    };
    let text = format!("DELETE FROM replay WHERE (caller, method, request_id) IN ({keys})");
    tx.execute_raw(Statement::from_sql_and_values(
        backend,
        text,
        [given.into()],
    ))
    .await?;
    Ok(())
}
