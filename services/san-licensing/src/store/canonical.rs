//! Rewrites SANs that earlier versions stored in a form that is no longer canonical, once, with a migration.
//! Otherwise a requested SAN would not match its stored form, and would count twice (SL-2, SL-4).

use std::collections::BTreeSet;

use licet_runtime::all_accounts::AllAccounts;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbErr, FromQueryResult, QueryResult, Statement, Value,
};

use crate::rules::packed_san::{PackedSan, is_wildcard, packed, unpacked};

/// The migration that runs the rewrite.
pub(super) const MIGRATION: &str = "san_licensing_0007_canonical";

/// Rows in memory at a time.
const CHUNK: i64 = 500;

/// Rewrites the SANs of certificates, decisions and counts.
pub(super) async fn rewrite(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    rewrite_lists(tx, "certificate", "certificate_id").await?;
    rewrite_lists(tx, "decision", "decision_id").await?;
    rewrite_counted(tx).await
}

/// The canonical form of a stored SAN; `None` if it has it already. A SAN that was shortened to a hash cannot
/// be restored.
fn canonical(name: &str) -> Option<PackedSan> {
    if name.contains("…sha256:") {
        return None;
    }
    let form = packed(&unpacked(name)?);
    (*form != *name).then_some(form)
}

/// The canonical form of a column of SANs, one per line; `None` if it has it already.
fn canonical_list(names: &str) -> Option<String> {
    let is_other = |name: &str| canonical(name).is_some();
    if !names.lines().any(is_other) {
        return None;
    }
    let each = names
        .lines()
        .map(|name| canonical(name).unwrap_or(name.into()));
    let distinct: BTreeSet<PackedSan> = each.collect();
    let distinct: Vec<_> = distinct.into_iter().collect();
    Some(distinct.join("\n"))
}

/// Rewrites a column of SANs. Only SANs outside of ASCII and malformed ones with a final dot can change.
async fn rewrite_lists(tx: &DatabaseTransaction, table: &str, key: &str) -> Result<(), DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        account_id: String,
        id: String,
        names: String,
    }
    let query = format!(
        "SELECT account_id, {key} AS id, names FROM {table} \
         WHERE (account_id, {key}) > ($1, $2) \
         AND (octet_length(names) <> length(names) OR names LIKE '%.' OR names LIKE $3) \
         ORDER BY account_id, {key} LIMIT $4"
    );
    let update = format!("UPDATE {table} SET names = $1 WHERE account_id = $2 AND {key} = $3");
    let mut after = [String::new(), String::new()];
    loop {
        let [account_id, id] = after.map(Value::from);
        let values = [account_id, id, "%.\n%".into(), CHUNK.into()];
        let rows: Vec<Row> = read(&all(tx, &query, values).await?)?;
        let Some(last) = rows.last() else {
            return Ok(());
        };
        after = [&last.account_id, &last.id].map(Clone::clone);
        for row in rows {
            if let Some(names) = canonical_list(&row.names) {
                let values = [names.into(), row.account_id.into(), row.id.into()];
                run(tx, &update, values).await?;
            }
        }
    }
}

/// Rewrites the counted SANs. If a certificate has two forms of one SAN, one row is deleted: both count for
/// the same time.
async fn rewrite_counted(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        account_id: String,
        license_id: String,
        name: String,
        certificate_id: String,
    }
    let query = "SELECT account_id, license_id, name, certificate_id FROM certificate_san \
         WHERE (account_id, license_id, name, certificate_id) > ($1, $2, $3, $4) \
         AND (octet_length(name) <> length(name) OR name LIKE 'd:%.') \
         ORDER BY account_id, license_id, name, certificate_id LIMIT $5";
    let rename = "UPDATE certificate_san SET name = $1, is_wildcard = $2 \
         WHERE account_id = $3 AND license_id = $4 AND name = $5 AND certificate_id = $6 \
         AND NOT EXISTS (SELECT 1 FROM certificate_san AS other WHERE other.account_id = $3 \
             AND other.license_id = $4 AND other.name = $1 AND other.certificate_id = $6)";
    let delete = "DELETE FROM certificate_san \
         WHERE account_id = $1 AND license_id = $2 AND name = $3 AND certificate_id = $4";
    let mut after = [const { String::new() }; 4];
    loop {
        let [account_id, license_id, name, certificate_id] = after.map(Value::from);
        let values = [account_id, license_id, name, certificate_id, CHUNK.into()];
        let rows: Vec<Row> = read(&all(tx, query, values).await?)?;
        let Some(last) = rows.last() else {
            return Ok(());
        };
        let columns = [
            &last.account_id,
            &last.license_id,
            &last.name,
            &last.certificate_id,
        ];
        after = columns.map(Clone::clone);
        for row in rows {
            let Some(form) = canonical(&row.name) else {
                continue;
            };
            let is_wildcard = i32::from(is_wildcard(&form));
            let of_row =
                [row.account_id, row.license_id, row.name, row.certificate_id].map(Value::from);
            let mut values = vec![form.to_string().into(), is_wildcard.into()];
            values.extend(of_row.clone());
            if run(tx, rename, values).await? == 0 {
                run(tx, delete, of_row).await?;
            }
        }
    }
}

async fn all(
    tx: &DatabaseTransaction,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<QueryResult>, DbErr> {
    let backend = tx.get_database_backend();
    let reads = AllAccounts::new(tx, "a migration");
    reads
        .query_all_raw(Statement::from_sql_and_values(backend, sql, values))
        .await
}

fn read<T: FromQueryResult>(rows: &[QueryResult]) -> Result<Vec<T>, DbErr> {
    rows.iter()
        .map(|row| T::from_query_result(row, ""))
        .collect()
}

/// Returns the number of changed rows.
async fn run(
    tx: &DatabaseTransaction,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<u64, DbErr> {
    let backend = tx.get_database_backend();
    let statement = Statement::from_sql_and_values(backend, sql, values);
    Ok(tx.execute_raw(statement).await?.rows_affected())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sl_2_a_list_has_each_name_once_in_its_form() {
        assert_eq!(canonical_list("d:a.example\nu:jos\u{e9}@corp"), None);
        assert_eq!(
            canonical_list("d:a_b.example\nd:a_b.example.\nu:jose\u{301}@corp").as_deref(),
            Some("d:a_b.example\nu:jos\u{e9}@corp")
        );
        assert_eq!(
            canonical("d:a_b\u{3002}example").as_deref(),
            Some("d:a_b.example")
        );
        assert_eq!(canonical("u:jose\u{301}…sha256:ab"), None);
    }
}
