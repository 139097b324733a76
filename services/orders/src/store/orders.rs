//! Orders with their terms, domains and pending domain change. Under the lock on its row, an order
//! is saved by what differs from what was read.

use std::collections::{BTreeMap, BTreeSet};

use licet_domain::{
    clock::Instant,
    ids::{AccountId, OrderId},
    san::San,
};
use licet_runtime::{
    all_accounts::AllAccounts,
    caller::AccountScope,
    database::Tx,
    fault::Fault,
    page::Page,
    stored::{changed, from_json, in_scope, instant, parsed},
};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult,
    IntoActiveModel,
    Order::{Asc, Desc},
    QueryFilter, QueryOrder, QuerySelect, Set, Statement,
    sea_query::{Expr, ExprTrait, Query, SelectStatement, UnionType},
};

use super::{
    columns::stored_name,
    keys::OrderKeys,
    order_rows::{
        change_columns, change_row, name_row, order_columns, order_row, read_order, read_term,
        term_columns, term_row,
    },
    owner::{self, BY_ID, LIST},
};
use crate::rules::{
    listing::{Clues, OrderFilter},
    not_found,
    order::{ChangeProgress, Order, OrderState, OrderTerm, Progress},
    refund_count::MAX_OPEN_TERMS,
};

/// An order within the caller's scope, read only; NOT_FOUND if there is none.
pub(crate) async fn get(tx: &Tx, scope: &AccountScope, id: OrderId) -> Result<Order, Fault> {
    let reads = AllAccounts::unless_of(scope.only_account(), tx, BY_ID);
    let row = order_row::Entity::find()
        .filter(order_row::Column::OrderId.eq(id.to_string()))
        .filter(in_scope(scope, order_row::Column::AccountId))
        .one(&reads)
        .await?;
    complete(tx, id, row).await
}

/// Like [`get`], and locks the order until the transaction ends. Without a scope of one account it must
/// be the transaction's first statement.
pub(crate) async fn lock(tx: &Tx, scope: &AccountScope, id: OrderId) -> Result<Order, Fault> {
    let account_id = owner::of_order(tx, scope, id).await?;
    let row = order_row::Entity::find_by_id((account_id.to_string(), id.to_string()))
        .lock_exclusive()
        .one(tx)
        .await?;
    complete(tx, id, row).await
}

async fn complete(tx: &Tx, id: OrderId, row: Option<order_row::Model>) -> Result<Order, Fault> {
    let row = row.ok_or_else(|| not_found("order", id))?;
    let mut orders = assemble(tx, vec![row]).await?;
    orders
        .pop()
        .ok_or_else(|| Fault::internal(format!("order {id} has no term")))
}

/// When orders were last decided about; they are never shown as of an earlier instant (T-5).
pub(crate) async fn decision_times(
    tx: &Tx,
    keys: &OrderKeys,
) -> Result<BTreeMap<OrderId, Instant>, Fault> {
    use order_row::Column;
    let rows: Vec<(String, i64)> = order_row::Entity::find()
        .select_only()
        .columns([Column::OrderId, Column::DecisionUs])
        .filter(keys.condition(tx)?)
        .into_tuple()
        .all(&keys.reads(tx))
        .await?;
    rows.iter()
        .map(|(id, decision_us)| {
            Ok((
                parsed("order_id", id)?,
                instant("decision_us", *decision_us)?,
            ))
        })
        .collect()
}

/// A page of orders, newest first.
pub(crate) async fn list(
    tx: &Tx,
    scope: &AccountScope,
    filter: &OrderFilter,
    page: &Page,
) -> Result<Vec<Order>, Fault> {
    use order_row::Column;
    let account_id = filter.account_id.or_else(|| scope.only_account());
    let end_from = filter.end_from.map(Instant::as_micros);
    let end_before = filter.end_before.map(Instant::as_micros);
    let of_name = filter.name.as_ref().map(|name| vec![of_name(name)]);
    let led_to = filter.clues.as_ref().map(led_to);
    let wanted = in_scope(scope, Column::AccountId)
        .add_option(account_id.map(|id| Column::AccountId.eq(id.to_string())))
        .add_option(end_from.map(|from| Column::EndUs.gte(from)))
        .add_option(end_before.map(|before| Column::EndUs.lt(before)))
        .add_option(filter.state.map(|state| in_state(state, page.as_of)))
        .add_option(of_name.map(|found| is_in(found, account_id)))
        .add_option(led_to.map(|found| is_in(found, account_id)));
    let rows = order_row::Entity::find()
        .filter(wanted)
        .filter(page.rows_after(&Desc, Column::CreateUs, Column::OrderId)?)
        .order_by_desc(Column::CreateUs)
        .order_by_desc(Column::OrderId)
        .limit(page.limit())
        .all(&AllAccounts::unless_of(account_id, tx, LIST))
        .await?;
    assemble(tx, rows).await
}

fn of_name(name: &San) -> SelectStatement {
    keys_in("order_name", "order_id", Expr::col("name").eq(name.value()))
}

/// The keys of orders in the rows that meet the condition; `column` has the order's id.
fn keys_in(table: &'static str, column: &'static str, holds: Expr) -> SelectStatement {
    let mut keys = Query::select();
    keys.columns(["account_id", column]).from(table);
    keys.and_where(holds).to_owned()
}

/// Selects the orders whose keys one of the selections finds. With an account, each looks only there.
fn is_in(found: Vec<SelectStatement>, account_id: Option<AccountId>) -> Expr {
    use order_row::{Column, Entity};
    let account_id = account_id.map(|id| id.to_string());
    let narrowed = found.into_iter().map(|mut keys| {
        if let Some(id) = &account_id {
            keys.and_where(Expr::col("account_id").eq(id));
        }
        keys
    });
    let united = narrowed.reduce(|mut all, keys| all.union(UnionType::Distinct, keys).to_owned());
    let key = [Column::AccountId, Column::OrderId].map(|column| Expr::col((Entity, column)));
    Expr::tuple(key).in_subquery(united.unwrap_or_default())
}

/// The orders that the clues lead to; each clue uses its own index.
fn led_to(clues: &Clues) -> Vec<SelectStatement> {
    let order_id = clues.order_id.as_ref();
    let order = order_id.map(|id| Expr::col("order_id").eq(id.to_string()));
    let of_certificate = |holds| keys_in("certificate", "order_id", holds);
    let serial = clues.serial_hex.as_ref();
    let serial = serial.map(|serial| Expr::col("serial_hex").eq(serial.as_str()));
    let fingerprint = clues.fingerprint_sha256.as_ref();
    let fingerprint =
        fingerprint.map(|fingerprint| Expr::col("fingerprint_sha256").eq(fingerprint.to_vec()));
    let invoice = clues.invoice_id.as_ref();
    let invoice = invoice.map(|id| Expr::col("invoice_id").eq(id.to_string()));
    let requests = Expr::col("request_id").is_in(clues.request_ids.iter().map(String::as_str));
    let found = [
        order.map(|holds| keys_in("certificate_order", "order_id", holds)),
        serial.map(of_certificate),
        fingerprint.map(of_certificate),
        clues.name.as_ref().map(of_name),
        invoice.map(|holds| keys_in("order_invoice", "order_id", holds)),
        Some(keys_in("event", "resource_id", requests.clone())),
        // The latest events have no position in the log yet.
        Some(keys_in("outbox", "resource_id", requests)),
    ];
    found.into_iter().flatten().collect()
}

/// The rows whose instant has come by `now`, or by their last decision if another instance's clock
/// was ahead (T-5).
fn has_come(instant_us: order_row::Column, now: Instant) -> Condition {
    use order_row::Column;
    Condition::any().add(instant_us.lte(now.as_micros())).add(
        Expr::col((order_row::Entity, instant_us))
            .lte(Expr::col((order_row::Entity, Column::DecisionUs))),
    )
}

/// The rows in a state at `now`; an order ends by time alone.
fn in_state(state: OrderState, now: Instant) -> Condition {
    use order_row::Column;
    let at = |progress: Progress| Condition::all().add(Column::Progress.eq(progress.as_str()));
    let over = || has_come(Column::EndUs, now);
    match state {
        OrderState::Pending => at(Progress::Pending),
        OrderState::Paid => at(Progress::Paid).add(over().not()),
        OrderState::Issued => at(Progress::Issued).add(over().not()),
        OrderState::Ended => Condition::all()
            .add(Column::Progress.is_in([Progress::Paid, Progress::Issued].map(Progress::as_str)))
            .add(over()),
        OrderState::Deleted => at(Progress::Deleted),
    }
}

/// A page of orders that await a certificate, longest waiting first; an ended order awaits none.
/// Leaves out orders whose domain change is being charged: a certificate for the present domains
/// would not be recorded.
pub(crate) async fn list_pending(
    tx: &Tx,
    scope: &AccountScope,
    account_id: Option<AccountId>,
    page: &Page,
) -> Result<Vec<Order>, Fault> {
    use order_row::Column;
    let account_id = account_id.or_else(|| scope.only_account());
    let same = |of_change, of_order| {
        Expr::col((change_row::Entity, of_change)).equals((order_row::Entity, of_order))
    };
    let charging = Query::select()
        .expr(Expr::val(1))
        .from(change_row::Entity)
        .and_where(same(change_row::Column::AccountId, Column::AccountId))
        .and_where(same(change_row::Column::OrderId, Column::OrderId))
        .and_where(change_row::Column::Progress.eq(ChangeProgress::Charging.as_str()))
        .to_owned();
    let wanted = in_scope(scope, Column::AccountId)
        .add_option(account_id.map(|id| Column::AccountId.eq(id.to_string())))
        // Leaves out what only a future term will need.
        .add(has_come(Column::IssuancePendingUs, page.as_of))
        .add(has_come(Column::EndUs, page.as_of).not())
        .add(Expr::not_exists(charging));
    let rows = order_row::Entity::find()
        .filter(wanted)
        .filter(page.rows_after(&Asc, Column::IssuancePendingUs, Column::OrderId)?)
        .order_by_asc(Column::IssuancePendingUs)
        .order_by_asc(Column::OrderId)
        .limit(page.limit())
        .all(&AllAccounts::unless_of(account_id, tx, LIST))
        .await?;
    assemble(tx, rows).await
}

/// The most orders of one round of the timer.
const MAX_TURNED_AT_ONCE: u64 = 256;

/// Orders with a turn that has come by `now` and is not written, with their accounts, longest due
/// first. Orders with a running operation wait for its end.
pub(crate) async fn list_to_turn(
    tx: &Tx,
    now: Instant,
) -> Result<Vec<(AccountId, OrderId)>, Fault> {
    let statement = Statement::from_sql_and_values(
        tx.get_database_backend(),
        "SELECT account_id, order_id FROM certificate_order WHERE turn_us <= $1 AND NOT EXISTS \
         (SELECT 1 FROM operation WHERE operation.account_id = certificate_order.account_id \
         AND resource_id = order_id AND state = 'RUNNING') ORDER BY turn_us, order_id LIMIT $2",
        [now.as_micros().into(), MAX_TURNED_AT_ONCE.into()],
    );
    let reads = AllAccounts::new(tx, "turns that are due");
    let rows = reads.query_all_raw(statement).await?;
    rows.iter()
        .map(|row| {
            let account_id: String = row.try_get("", "account_id")?;
            let order_id: String = row.try_get("", "order_id")?;
            Ok((
                parsed("account_id", &account_id)?,
                parsed("order_id", &order_id)?,
            ))
        })
        .collect()
}

/// The most orders whose refunds one round asks for.
pub(crate) const MAX_REVIEWED_AT_ONCE: u64 = 256;

/// Orders with a refund in review, ascending by id, starting after `after`.
pub(crate) async fn list_in_review(tx: &Tx, after: Option<OrderId>) -> Result<Vec<Order>, Fault> {
    use order_row::Column;
    let wanted = Condition::all()
        .add(Column::RefundInReview.eq(1))
        .add_option(after.map(|id| Column::OrderId.gt(id.to_string())));
    let rows = order_row::Entity::find()
        .filter(wanted)
        .order_by_asc(Column::OrderId)
        .limit(MAX_REVIEWED_AT_ONCE)
        .all(&AllAccounts::new(tx, "reviews to ask for"))
        .await?;
    assemble(tx, rows).await
}

/// Completes orders from their rows: reads all other tables in one query, and keeps the orders'
/// order.
async fn assemble(tx: &Tx, rows: Vec<order_row::Model>) -> Result<Vec<Order>, Fault> {
    #[derive(FromQueryResult)]
    struct Part {
        part: String,
        cells: String,
    }
    let keys = rows.iter().map(|row| {
        let account_id = parsed("account_id", &row.account_id)?;
        Ok((account_id, parsed("order_id", &row.order_id)?))
    });
    let keys: OrderKeys = keys.collect::<Result<_, Fault>>()?;
    let backend = tx.get_database_backend();
    let text = if backend == DbBackend::Postgres {
        include_str!("sql/postgres/order_parts.sql")
    } else {
        include_str!("sql/sqlite/order_parts.sql")
    };
    let (of_orders, values) = keys.sql(backend)?;
    let text = text.replace("{of_orders}", of_orders);
    let query = Statement::from_sql_and_values(backend, text, values);
    let mut terms = BTreeMap::new();
    let mut names: BTreeMap<String, BTreeSet<San>> = BTreeMap::new();
    let mut changes = BTreeMap::new();
    for Part { part, cells } in Part::find_by_statement(query).all(&keys.reads(tx)).await? {
        match part.as_str() {
            "term" => {
                let term: term_row::Model = from_json("term", &cells)?;
                terms.insert((term.order_id.clone(), term.term_index), term);
            }
            "name" => {
                let name: name_row::Model = from_json("name", &cells)?;
                let found = names.entry(name.order_id).or_default();
                found.insert(stored_name("name", &name.name)?);
            }
            _ => {
                let change: change_row::Model = from_json("change", &cells)?;
                changes.insert(change.order_id.clone(), change);
            }
        }
    }
    rows.into_iter()
        .map(|row| {
            let term = terms
                .remove(&(row.order_id.clone(), row.term_index))
                .ok_or_else(|| Fault::internal(format!("order {} has no term", row.order_id)))?;
            let next = terms.remove(&(row.order_id.clone(), row.term_index + 1));
            let names = names.remove(&row.order_id).unwrap_or_default();
            let change = changes.remove(&row.order_id);
            read_order(row, &term, next.as_ref(), names, change)
        })
        .collect()
}

/// The past terms of an order, newest first, no more than can still be refunded.
pub(crate) async fn list_past_terms(tx: &Tx, order: &Order) -> Result<Vec<OrderTerm>, Fault> {
    let rows = term_row::Entity::find()
        .filter(term_row::Column::AccountId.eq(order.account_id.to_string()))
        .filter(term_row::Column::OrderId.eq(order.id.to_string()))
        .filter(term_row::Column::TermIndex.lt(i64::from(order.term.index)))
        .order_by_desc(term_row::Column::TermIndex)
        .limit(MAX_OPEN_TERMS)
        .all(tx)
        .await?;
    rows.iter().map(read_term).collect()
}

/// Inserts an order.
pub(crate) async fn insert(tx: &Tx, order: &Order) -> Result<(), Fault> {
    let order_row = order_columns(order)?.into_active_model();
    let terms = term_columns(order)?.into_iter();
    let terms = terms.map(term_row::Model::into_active_model);
    let names = name_columns(order, order.names.iter());
    tx.later(order_row::Entity, order_row::Entity::insert(order_row))
        .await?;
    tx.later(term_row::Entity, term_row::Entity::insert_many(terms))
        .await?;
    tx.later(name_row::Entity, name_row::Entity::insert_many(names))
        .await?;
    Ok(())
}

/// Saves what `after` changed of `before`, which was read under the order's lock.
pub(crate) async fn save(tx: &Tx, before: &Order, after: &Order) -> Result<(), Fault> {
    if before == after {
        return Ok(());
    }
    let (old, new) = (order_columns(before)?, order_columns(after)?);
    if old != new {
        let columns = changed::<order_row::Entity>(&old, &new);
        tx.later(
            order_row::Entity,
            order_row::Entity::update(columns).validate()?,
        )
        .await?;
    }
    save_terms(tx, before, after).await?;
    save_names(tx, before, after).await?;
    save_change(tx, before, after).await
}

/// The rows of past terms stay.
async fn save_terms(tx: &Tx, before: &Order, after: &Order) -> Result<(), Fault> {
    if (&before.term, &before.next_term) == (&after.term, &after.next_term) {
        return Ok(());
    }
    let old = term_columns(before)?;
    for term in term_columns(after)? {
        match old.iter().find(|old| old.term_index == term.term_index) {
            Some(old) if *old == term => {}
            Some(old) => {
                let columns = changed::<term_row::Entity>(old, &term);
                let update = term_row::Entity::update(columns).validate()?;
                tx.later(term_row::Entity, update).await?;
            }
            None => {
                let insert = term_row::Entity::insert(term.into_active_model());
                tx.later(term_row::Entity, insert).await?;
            }
        }
    }
    Ok(())
}

async fn save_names(tx: &Tx, before: &Order, after: &Order) -> Result<(), Fault> {
    let gone: Vec<&str> = before
        .names
        .difference(&after.names)
        .map(San::value)
        .collect();
    if !gone.is_empty() {
        let delete = name_row::Entity::delete_many()
            .filter(name_row::Column::AccountId.eq(after.account_id.to_string()))
            .filter(name_row::Column::OrderId.eq(after.id.to_string()))
            .filter(name_row::Column::Name.is_in(gone));
        tx.later(name_row::Entity, delete).await?;
    }
    let mut new = name_columns(after, after.names.difference(&before.names)).peekable();
    if new.peek().is_some() {
        tx.later(name_row::Entity, name_row::Entity::insert_many(new))
            .await?;
    }
    Ok(())
}

async fn save_change(tx: &Tx, before: &Order, after: &Order) -> Result<(), Fault> {
    match (&before.change, &after.change) {
        (None, Some(change)) => {
            let columns = change_columns(after, change)?.into_active_model();
            let insert = change_row::Entity::insert(columns);
            tx.later(change_row::Entity, insert).await?;
        }
        (Some(old), Some(new)) if old != new => {
            let (old, new) = (change_columns(before, old)?, change_columns(after, new)?);
            if old != new {
                let columns = changed::<change_row::Entity>(&old, &new);
                let update = change_row::Entity::update(columns).validate()?;
                tx.later(change_row::Entity, update).await?;
            }
        }
        (Some(_), None) => {
            let key = (after.account_id.to_string(), after.id.to_string());
            let delete = change_row::Entity::delete_by_id(key);
            tx.later(change_row::Entity, delete).await?;
        }
        (_, _) => {}
    }
    Ok(())
}

fn name_columns<'a>(
    order: &Order,
    names: impl Iterator<Item = &'a San>,
) -> impl Iterator<Item = name_row::ActiveModel> {
    names.map(|name| name_row::ActiveModel {
        account_id: Set(order.account_id.to_string()),
        order_id: Set(order.id.to_string()),
        name: Set(name.value().to_owned()),
    })
}

/// Removes an order that was refused: it never existed.
pub(crate) async fn remove(tx: &Tx, order: &Order) -> Result<(), Fault> {
    let (account_id, id) = (order.account_id.to_string(), order.id.to_string());
    let names = name_row::Entity::delete_many()
        .filter(name_row::Column::AccountId.eq(&account_id))
        .filter(name_row::Column::OrderId.eq(&id));
    tx.later(name_row::Entity, names).await?;
    let terms = term_row::Entity::delete_many()
        .filter(term_row::Column::AccountId.eq(&account_id))
        .filter(term_row::Column::OrderId.eq(&id));
    tx.later(term_row::Entity, terms).await?;
    let order = order_row::Entity::delete_by_id((account_id, id));
    tx.later(order_row::Entity, order).await?;
    Ok(())
}
