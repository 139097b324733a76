//! Migration: rewrites terms that an earlier version stored with the common name of a pending move,
//! as they are without it (MD-5). The column `common_name` is no longer read.

use std::collections::BTreeSet;

use licet_domain::san::San;
use licet_runtime::{
    fault::Fault,
    stored::{from_json, to_json, to_json_if},
};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, FromQueryResult, Statement, Value};

use super::columns::stored_name;
use crate::rules::name_sets::with_common_name;

pub(super) const MIGRATION: &str = "orders_0014_moved_terms";

/// Terms in memory at a time.
const CHUNK: i64 = 200;

const MOVED: &str = "SELECT t.account_id, t.order_id, t.term_index, t.common_name AS moved, t.names_json, \
        o.common_name, o.term_index AS running_index \
    FROM order_term AS t JOIN certificate_order AS o \
        ON o.account_id = t.account_id AND o.order_id = t.order_id \
    WHERE t.common_name IS NOT NULL ORDER BY t.order_id, t.term_index LIMIT $1";

const NAMES: &str = "SELECT name FROM order_name WHERE account_id = $1 AND order_id = $2";

const KEEP: &str = "UPDATE order_term SET names_json = $1, common_name = NULL \
    WHERE account_id = $2 AND order_id = $3 AND term_index = $4";

/// An order no longer awaits a certificate if nothing else is pending and its terms are for the
/// domains ($3) that its certificates carry.
const WAIT_NO_LONGER: &str = "UPDATE certificate_order AS o SET issuance_pending_us = NULL \
    WHERE account_id = $1 AND order_id = $2 AND progress = 'ISSUED' AND reissue_us IS NULL \
    AND NOT EXISTS (SELECT 1 FROM domain_change AS c \
        WHERE c.account_id = o.account_id AND c.order_id = o.order_id) \
    AND NOT EXISTS (SELECT 1 FROM order_term AS t \
        WHERE t.account_id = o.account_id AND t.order_id = o.order_id \
        AND t.term_index >= o.term_index AND t.names_json <> $3)";

#[derive(FromQueryResult)]
struct Moved {
    account_id: String,
    order_id: String,
    term_index: i64,
    moved: String,
    names_json: Option<String>,
    common_name: String,
    running_index: i64,
}

#[derive(FromQueryResult)]
struct Name {
    name: String,
}

/// Removes the moves from running and future terms.
pub(super) async fn rewrite(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    loop {
        let rows = Moved::find_by_statement(statement(tx, MOVED, [CHUNK.into()]));
        let rows = rows.all(tx).await?;
        if rows.is_empty() {
            return Ok(());
        }
        for row in rows {
            let key = || [&row.account_id, &row.order_id].map(|id| Value::from(id.as_str()));
            let query = statement(tx, NAMES, key());
            let carried = Name::find_by_statement(query).all(tx).await?;
            let (names_json, carried_json) =
                without_move(&row, &carried).map_err(|fault| unread(&fault))?;
            let [account_id, order_id] = key();
            let term_index = row.term_index.into();
            let values = [names_json.into(), account_id, order_id, term_index];
            tx.execute_raw(statement(tx, KEEP, values)).await?;
            let [account_id, order_id] = key();
            let values = [account_id, order_id, carried_json.into()];
            tx.execute_raw(statement(tx, WAIT_NO_LONGER, values))
                .await?;
        }
    }
}

fn statement<const N: usize>(tx: &DatabaseTransaction, sql: &str, values: [Value; N]) -> Statement {
    Statement::from_sql_and_values(tx.get_database_backend(), sql, values)
}

fn unread(fault: &Fault) -> DbErr {
    DbErr::Custom(format!("{fault:?}"))
}

/// The domains of the term as stored now, and those that the order's certificates carry, as JSON.
fn without_move(row: &Moved, carried: &[Name]) -> Result<(Option<String>, String), Fault> {
    let carried = carried.iter().map(|row| stored_name("name", &row.name));
    let carried = carried.collect::<Result<BTreeSet<San>, Fault>>()?;
    let carried_json = to_json("names_json", &carried)?;
    let kept = row.names_json.as_deref();
    let Some(kept) = kept.filter(|_| row.term_index >= row.running_index) else {
        return Ok((row.names_json.clone(), carried_json));
    };
    let names: BTreeSet<San> = from_json("names_json", kept)?;
    let moved = stored_name("common_name", &row.moved)?;
    let common_name = stored_name("common_name", &row.common_name)?;
    let names = with_common_name(&names, &moved, &common_name);
    // A running term for the present domains needs no other certificate.
    let is_carried = row.term_index == row.running_index && names == carried;
    let names = to_json_if("names_json", (!is_carried).then_some(&names))?;
    Ok((names, carried_json))
}
