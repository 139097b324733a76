//! The invoices of Billing for an order's terms.

use std::collections::BTreeMap;

use licet_domain::{clock::Instant, ids::InvoiceId, money::Money};
use licet_runtime::{database::Tx, fault::Fault};
use row::{Column, Entity, Model};
use sea_orm::{EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};

use super::keys::OrderKeys;
use crate::rules::order::Order;

mod row {
    //! An invoice of an order's term.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "order_invoice")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) account_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) order_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) invoice_id: String,
        pub(super) term_index: i64,
        pub(super) total_minor: i64,
        pub(super) currency: String,
        pub(super) accept_us: i64,
    }

    licet_runtime::plain_entity!(pub(super));
}

/// Stores an invoice of one of the order's terms.
pub(crate) async fn insert(
    tx: &Tx,
    order: &Order,
    term_index: u32,
    invoice_id: InvoiceId,
    total: Money,
    accept_time: Instant,
) -> Result<(), Fault> {
    let row = Model {
        account_id: order.account_id.to_string(),
        order_id: order.id.to_string(),
        invoice_id: invoice_id.to_string(),
        term_index: i64::from(term_index),
        total_minor: total.minor(),
        currency: total.currency().code().to_owned(),
        accept_us: accept_time.as_micros(),
    };
    let insert = Entity::insert(row.into_active_model());
    Ok(tx.later(Entity, insert).await?)
}

/// The invoices of orders, by order and term index, oldest first.
pub(crate) async fn list_ids(
    tx: &Tx,
    orders: &OrderKeys,
) -> Result<BTreeMap<(String, i64), Vec<String>>, Fault> {
    let rows = Entity::find()
        .filter(orders.condition(tx)?)
        .order_by_asc(Column::AcceptUs)
        .order_by_asc(Column::InvoiceId)
        .all(&orders.reads(tx))
        .await?;
    let mut found: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for row in rows {
        found
            .entry((row.order_id, row.term_index))
            .or_default()
            .push(row.invoice_id);
    }
    Ok(found)
}
