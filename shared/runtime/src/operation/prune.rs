//! Deletes operations that ended long ago. The replay record of its request leads to an operation: every
//! operation has one, so no index of ended operations is needed.

use std::collections::HashMap;

use chrono::TimeDelta;
use licet_domain::clock::Instant;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, QueryFilter,
    QuerySelect, Statement,
};
use serde_json::json;

use super::record::{ID_ALONE, State, row};
use crate::{all_accounts::AllAccounts, database::Tx, fault::Fault, retention::REPLAY_DAYS};

/// Which operations are kept, and which are old enough to be deleted.
pub(crate) struct Kept {
    /// The operations that are kept, by id, each with the real time that its period counts from: its end, or now
    /// while it runs.
    pub(crate) from: HashMap<String, i64>,
    /// Account and id of those that ended long ago.
    pub(crate) ended: Vec<(String, String)>,
}

#[derive(FromQueryResult)]
struct EndRow {
    account_id: String,
    operation_id: String,
    state: String,
    due_us: i64,
}

/// Which of the operations are kept, if those that ended before `before` are not.
pub(crate) async fn find_kept(
    tx: &Tx,
    operation_ids: Vec<String>,
    before: Instant,
) -> Result<Kept, Fault> {
    let mut kept = Kept {
        from: HashMap::new(),
        ended: Vec::new(),
    };
    if operation_ids.is_empty() {
        return Ok(kept);
    }
    let found = row::Entity::find()
        .select_only()
        .columns([
            row::Column::AccountId,
            row::Column::OperationId,
            row::Column::State,
            row::Column::DueUs,
        ])
        .filter(row::Column::OperationId.is_in(operation_ids))
        .into_model::<EndRow>()
        .all(&AllAccounts::new(tx, ID_ALONE))
        .await?;
    let now = before.checked_add(TimeDelta::days(REPLAY_DAYS));
    let now = now.unwrap_or(Instant::MAX).as_micros();
    for row in found {
        if row.state == State::Running.as_str() {
            kept.from.insert(row.operation_id, now);
        } else if row.due_us >= before.as_micros() {
            kept.from.insert(row.operation_id, row.due_us);
        } else {
            kept.ended.push((row.account_id, row.operation_id));
        }
    }
    Ok(kept)
}

/// Deletes operations that ended before `before`. One that a request has renewed meanwhile stays.
pub(crate) async fn delete_ended(
    tx: &Tx,
    ended: &[(String, String)],
    before: Instant,
) -> Result<(), Fault> {
    if ended.is_empty() {
        return Ok(());
    }
    let keys = ended
        .iter()
        .map(|(account_id, operation_id)| json!({ "a": account_id, "o": operation_id }));
    let keys = json!(keys.collect::<Vec<_>>()).to_string();
    let backend = tx.get_database_backend();
    let text = if backend == DbBackend::Postgres {
        "DELETE FROM operation USING json_to_recordset($1::json) AS given(a TEXT, o TEXT) \
         WHERE operation.account_id = given.a AND operation.operation_id = given.o \
         AND operation.state <> 'RUNNING' AND operation.due_us < $2"
    } else {
        "DELETE FROM operation WHERE (account_id, operation_id) IN \
         (SELECT value ->> 'a', value ->> 'o' FROM json_each($1)) \
         AND state <> 'RUNNING' AND due_us < $2"
    };
    let values = [keys.into(), before.as_micros().into()];
    tx.execute_raw(Statement::from_sql_and_values(backend, text, values))
        .await?;
    Ok(())
}
