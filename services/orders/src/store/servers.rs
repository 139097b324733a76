//! Servers of orders, including those that left.

use licet_domain::ids::ServerId;
use licet_runtime::{
    all_accounts::AllAccounts,
    caller::AccountScope,
    database::Tx,
    fault::Fault,
    page::Page,
    stored::{in_scope, instant, parsed},
};
use row::{ActiveModel, Column, Entity, Model};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel, Order::Asc,
    QueryFilter, QueryOrder, QuerySelect, Set,
};

use super::{columns::stored_name, owner::BY_ID};
use crate::rules::{
    not_found,
    order::Order,
    servers::{Server, ServerState},
};

mod row {
    //! A server that uses, or used, an order's certificate.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "server")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) account_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) server_id: String,
        pub(super) order_id: String,
        pub(super) host_name: String,
        pub(super) server_software: String,
        pub(super) common_name: String,
        pub(super) is_primary: i64,
        pub(super) state: String,
        pub(super) register_us: i64,
    }

    licet_runtime::plain_entity!(pub(super));
}

/// A server as stored, within the caller's scope; NOT_FOUND if there is none.
pub(crate) async fn get(tx: &Tx, scope: &AccountScope, id: ServerId) -> Result<Server, Fault> {
    let reads = AllAccounts::unless_of(scope.only_account(), tx, BY_ID);
    let row = Entity::find()
        .filter(Column::ServerId.eq(id.to_string()))
        .filter(in_scope(scope, Column::AccountId))
        .one(&reads)
        .await?
        .ok_or_else(|| not_found("server", id))?;
    read(row)
}

fn of_order(order: &Order) -> Condition {
    Condition::all()
        .add(Column::AccountId.eq(order.account_id.to_string()))
        .add(Column::OrderId.eq(order.id.to_string()))
}

/// All servers of an order with their states on it, oldest first.
pub(crate) async fn list_of(tx: &Tx, order: &Order) -> Result<Vec<Server>, Fault> {
    let rows = Entity::find()
        .filter(of_order(order))
        .order_by_asc(Column::RegisterUs)
        .order_by_asc(Column::ServerId)
        .all(tx)
        .await?;
    let servers = rows.into_iter().map(read);
    servers.map(|found| Ok(found?.with_lapse(order))).collect()
}

/// A page of an order's servers with their states on it, oldest first.
pub(crate) async fn list(tx: &Tx, order: &Order, page: &Page) -> Result<Vec<Server>, Fault> {
    let rows = Entity::find()
        .filter(of_order(order))
        .filter(page.rows_after(&Asc, Column::RegisterUs, Column::ServerId)?)
        .order_by_asc(Column::RegisterUs)
        .order_by_asc(Column::ServerId)
        .limit(page.limit())
        .all(tx)
        .await?;
    let servers = rows.into_iter().map(read);
    servers.map(|found| Ok(found?.with_lapse(order))).collect()
}

/// Inserts a server of an order.
pub(crate) async fn insert(tx: &Tx, order: &Order, server: &Server) -> Result<(), Fault> {
    Model {
        account_id: order.account_id.to_string(),
        server_id: server.id.to_string(),
        order_id: server.order_id.to_string(),
        host_name: server.host_name.clone(),
        server_software: server.server_software.clone(),
        common_name: server.common_name.value().to_owned(),
        is_primary: i64::from(server.primary),
        state: server.state.as_str().to_owned(),
        register_us: server.register_time.as_micros(),
    }
    .into_active_model()
    .insert(tx)
    .await?;
    Ok(())
}

/// Marks a server as unregistered.
pub(crate) async fn unregister(tx: &Tx, order: &Order, id: ServerId) -> Result<(), Fault> {
    set_state(tx, order, &[id], ServerState::Unregistered).await
}

/// Marks servers of a deleted order as invalidated (AL-7).
pub(crate) async fn invalidate(tx: &Tx, order: &Order, ids: &[ServerId]) -> Result<(), Fault> {
    set_state(tx, order, ids, ServerState::Invalidated).await
}

async fn set_state(
    tx: &Tx,
    order: &Order,
    ids: &[ServerId],
    state: ServerState,
) -> Result<(), Fault> {
    let columns = ActiveModel {
        state: Set(state.as_str().to_owned()),
        ..Default::default()
    };
    update(tx, order, ids, columns).await
}

/// Sets the software of servers of an order (AL-6).
pub(crate) async fn set_software(
    tx: &Tx,
    order: &Order,
    ids: &[ServerId],
    server_software: &str,
) -> Result<(), Fault> {
    let columns = ActiveModel {
        server_software: Set(server_software.to_owned()),
        ..Default::default()
    };
    update(tx, order, ids, columns).await
}

/// Sets the common name of servers of an order to the order's (MD-5).
pub(crate) async fn set_common_name(tx: &Tx, order: &Order, ids: &[ServerId]) -> Result<(), Fault> {
    let columns = ActiveModel {
        common_name: Set(order.common_name.value().to_owned()),
        ..Default::default()
    };
    update(tx, order, ids, columns).await
}

async fn update(
    tx: &Tx,
    order: &Order,
    ids: &[ServerId],
    columns: ActiveModel,
) -> Result<(), Fault> {
    Entity::update_many()
        .set(columns)
        .filter(Column::AccountId.eq(order.account_id.to_string()))
        .filter(Column::ServerId.is_in(ids.iter().map(ToString::to_string)))
        .exec(tx)
        .await?;
    Ok(())
}

fn read(row: Model) -> Result<Server, Fault> {
    Ok(Server {
        id: parsed("server_id", &row.server_id)?,
        order_id: parsed("order_id", &row.order_id)?,
        host_name: row.host_name,
        server_software: row.server_software,
        common_name: stored_name("common_name", &row.common_name)?,
        primary: row.is_primary != 0,
        state: parsed("state", &row.state)?,
        register_time: instant("register_us", row.register_us)?,
    })
}
