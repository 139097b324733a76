//! Deletes rows by their keys, in one statement.

use licet_runtime::{database::Tx, fault::Fault};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::json;

/// Deletes the rows of `table` with these accounts and ids. Returns how many.
pub(super) async fn delete_keyed(
    tx: &Tx,
    table: &str,
    id: &str,
    keys: impl Iterator<Item = (String, String)>,
) -> Result<u64, Fault> {
    let keys: Vec<_> = keys
        .map(|(account_id, id)| json!({ "a": account_id, "i": id }))
        .collect();
    if keys.is_empty() {
        return Ok(0);
    }
    let backend = tx.get_database_backend();
    let text = if backend == DbBackend::Postgres {
        format!(
            "DELETE FROM {table} USING json_to_recordset($1::json) AS given(a TEXT, i TEXT) \
             WHERE {table}.account_id = given.a AND {table}.{id} = given.i"
        )
    } else {
        format!(
            "DELETE FROM {table} WHERE (account_id, {id}) IN \
             (SELECT value ->> 'a', value ->> 'i' FROM json_each($1))"
        )
    };
    let delete = Statement::from_sql_and_values(backend, text, [json!(keys).to_string().into()]);
    Ok(tx.execute_raw(delete).await?.rows_affected())
}
