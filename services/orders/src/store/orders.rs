//! Orders with their term, their names and the change that waits. An order is written by what
//! differs from the one that was read, under the lock on its row.

use std::collections::{BTreeMap, BTreeSet};

use licet_domain::{
    clock::Instant,
    ids::{AccountId, OrderId},
    san::San,
};
use licet_runtime::{
    caller::AccountScope, database::Tx, fault::Fault, page::Page, stored::in_scope,
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel,
    Order::{Asc, Desc},
    QueryFilter, QueryOrder, QuerySelect, Set,
    sea_query::Query,
};

use super::{
    order_rows::{
        change_columns, change_row, name_row, order_columns, order_row, read_order, term_columns,
        term_row,
    },
    stored_name,
};
use crate::rules::{
    listing::OrderFilter,
    not_found,
    order::{ChangeProgress, Order, OrderState, Progress},
};

/// An order that the caller sees, read only. NOT_FOUND when there is none.
pub(crate) async fn get(tx: &Tx, scope: &AccountScope, id: OrderId) -> Result<Order, Fault> {
    load_one(tx, scope, id, false).await
}

/// As [`get`], and nobody else changes the order before this transaction ends.
pub(crate) async fn lock(tx: &Tx, scope: &AccountScope, id: OrderId) -> Result<Order, Fault> {
    load_one(tx, scope, id, true).await
}

async fn load_one(tx: &Tx, scope: &AccountScope, id: OrderId, lock: bool) -> Result<Order, Fault> {
    let mut query = order_row::Entity::find_by_id(id.to_string())
        .filter(in_scope(scope, order_row::Column::AccountId));
    if lock {
        query = query.lock_exclusive();
    }
    let row = query.one(tx).await?.ok_or_else(|| not_found("order", id))?;
    let mut orders = assemble(tx, vec![row]).await?;
    orders
        .pop()
        .ok_or_else(|| Fault::internal(format!("order {id} has no term")))
}

/// The orders of a page, newest first.
pub(crate) async fn list(
    tx: &Tx,
    scope: &AccountScope,
    filter: &OrderFilter,
    page: &Page,
) -> Result<Vec<Order>, Fault> {
    use order_row::Column;
    let mut wanted = in_scope(scope, Column::AccountId).add_option(
        filter
            .account_id
            .map(|id| Column::AccountId.eq(id.to_string())),
    );
    if let Some(state) = filter.state {
        wanted = wanted.add(in_state(state, page.as_of));
    }
    if let Some(name) = &filter.name {
        let of_name = Query::select()
            .column(name_row::Column::OrderId)
            .from(name_row::Entity)
            .and_where(name_row::Column::Name.eq(name.value()))
            .to_owned();
        wanted = wanted.add(Column::OrderId.in_subquery(of_name));
    }
    let rows = order_row::Entity::find()
        .filter(wanted)
        .filter(page.rows_after(&Desc, Column::CreateUs, Column::OrderId)?)
        .order_by_desc(Column::CreateUs)
        .order_by_desc(Column::OrderId)
        .limit(page.limit())
        .all(tx)
        .await?;
    assemble(tx, rows).await
}

/// The rows that are in a state at an instant: an order ends by time alone.
fn in_state(state: OrderState, now: Instant) -> Condition {
    use order_row::Column;
    let running = || Column::EndUs.gt(now.as_micros());
    match state {
        OrderState::Pending => {
            Condition::all().add(Column::Progress.eq(Progress::Pending.as_str()))
        }
        OrderState::Paid => Condition::all()
            .add(Column::Progress.eq(Progress::Paid.as_str()))
            .add(running()),
        OrderState::Issued => Condition::all()
            .add(Column::Progress.eq(Progress::Issued.as_str()))
            .add(running()),
        OrderState::Ended => Condition::all()
            .add(Column::Progress.is_in([Progress::Paid, Progress::Issued].map(Progress::as_str)))
            .add(Column::EndUs.lte(now.as_micros())),
        OrderState::Deleted => {
            Condition::all().add(Column::Progress.eq(Progress::Deleted.as_str()))
        }
    }
}

/// Orders that wait for a certificate, longest waiting first; an ended order waits no longer. One
/// whose change is being charged is left out: its names are about to change, and a certificate for
/// the present ones would not be recorded meanwhile.
pub(crate) async fn list_pending(
    tx: &Tx,
    scope: &AccountScope,
    account_id: Option<AccountId>,
    page: &Page,
) -> Result<Vec<Order>, Fault> {
    use order_row::Column;
    let charging = Query::select()
        .column(change_row::Column::OrderId)
        .from(change_row::Entity)
        .and_where(change_row::Column::Progress.eq(ChangeProgress::Charging.as_str()))
        .to_owned();
    let wanted = in_scope(scope, Column::AccountId)
        .add_option(account_id.map(|id| Column::AccountId.eq(id.to_string())))
        .add(Column::IssuancePendingUs.is_not_null())
        .add(Column::EndUs.gt(page.as_of.as_micros()))
        .add(Column::OrderId.not_in_subquery(charging));
    let rows = order_row::Entity::find()
        .filter(wanted)
        .filter(page.rows_after(&Asc, Column::IssuancePendingUs, Column::OrderId)?)
        .order_by_asc(Column::IssuancePendingUs)
        .order_by_asc(Column::OrderId)
        .limit(page.limit())
        .all(tx)
        .await?;
    assemble(tx, rows).await
}

/// Reads what belongs to some orders in one query per table and puts it together, keeping the
/// orders' order.
async fn assemble(tx: &Tx, rows: Vec<order_row::Model>) -> Result<Vec<Order>, Fault> {
    let ids: Vec<&str> = rows.iter().map(|row| row.order_id.as_str()).collect();
    let mut terms = BTreeMap::new();
    for term in term_row::Entity::find()
        .filter(term_row::Column::OrderId.is_in(ids.iter().copied()))
        .all(tx)
        .await?
    {
        terms.insert((term.order_id.clone(), term.term_index), term);
    }
    let mut names: BTreeMap<String, BTreeSet<San>> = BTreeMap::new();
    for name in name_row::Entity::find()
        .filter(name_row::Column::OrderId.is_in(ids.iter().copied()))
        .all(tx)
        .await?
    {
        names
            .entry(name.order_id)
            .or_default()
            .insert(stored_name("name", &name.name)?);
    }
    let mut changes = BTreeMap::new();
    for change in change_row::Entity::find()
        .filter(change_row::Column::OrderId.is_in(ids.iter().copied()))
        .all(tx)
        .await?
    {
        changes.insert(change.order_id.clone(), change);
    }
    rows.into_iter()
        .map(|row| {
            let term = terms
                .remove(&(row.order_id.clone(), row.term_index))
                .ok_or_else(|| Fault::internal(format!("order {} has no term", row.order_id)))?;
            let names = names.remove(&row.order_id).unwrap_or_default();
            let change = changes.remove(&row.order_id);
            read_order(row, &term, names, change)
        })
        .collect()
}

/// Writes a new order.
pub(crate) async fn insert(tx: &Tx, order: &Order) -> Result<(), Fault> {
    order_columns(order)?.into_active_model().insert(tx).await?;
    term_columns(order)?.into_active_model().insert(tx).await?;
    insert_names(tx, order, order.names.iter()).await
}

/// Writes what `after` changed of `before`, which was read under the order's lock.
pub(crate) async fn save(tx: &Tx, before: &Order, after: &Order) -> Result<(), Fault> {
    if before == after {
        return Ok(());
    }
    order_columns(after)?
        .into_active_model()
        .reset_all()
        .update(tx)
        .await?;
    if before.term != after.term {
        term_columns(after)?
            .into_active_model()
            .reset_all()
            .update(tx)
            .await?;
    }
    let gone: Vec<&str> = before
        .names
        .difference(&after.names)
        .map(San::value)
        .collect();
    if !gone.is_empty() {
        name_row::Entity::delete_many()
            .filter(name_row::Column::OrderId.eq(after.id.to_string()))
            .filter(name_row::Column::Name.is_in(gone))
            .exec(tx)
            .await?;
    }
    insert_names(tx, after, after.names.difference(&before.names)).await?;
    match (&before.change, &after.change) {
        (None, Some(change)) => {
            change_columns(after, change)?
                .into_active_model()
                .insert(tx)
                .await?;
        }
        (Some(_), Some(change)) if before.change != after.change => {
            change_columns(after, change)?
                .into_active_model()
                .reset_all()
                .update(tx)
                .await?;
        }
        (Some(_), None) => {
            change_row::Entity::delete_by_id(after.id.to_string())
                .exec(tx)
                .await?;
        }
        (_, _) => {}
    }
    Ok(())
}

async fn insert_names(
    tx: &Tx,
    order: &Order,
    names: impl Iterator<Item = &San>,
) -> Result<(), Fault> {
    let rows: Vec<_> = names
        .map(|name| name_row::ActiveModel {
            account_id: Set(order.account_id.to_string()),
            order_id: Set(order.id.to_string()),
            name: Set(name.value().to_owned()),
        })
        .collect();
    if !rows.is_empty() {
        name_row::Entity::insert_many(rows)
            .exec_without_returning(tx)
            .await?;
    }
    Ok(())
}

/// Removes an order whose placing was refused: it never was.
pub(crate) async fn remove(tx: &Tx, id: OrderId) -> Result<(), Fault> {
    let id = id.to_string();
    name_row::Entity::delete_many()
        .filter(name_row::Column::OrderId.eq(&id))
        .exec(tx)
        .await?;
    term_row::Entity::delete_many()
        .filter(term_row::Column::OrderId.eq(&id))
        .exec(tx)
        .await?;
    order_row::Entity::delete_by_id(id).exec(tx).await?;
    Ok(())
}
