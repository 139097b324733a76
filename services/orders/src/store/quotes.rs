//! The quotes that previews of domain changes and renewals left at Billing (MD-6). Only these may pay for a
//! change: a quote that a customer had Billing make for something cheaper is none of them.

use licet_domain::{
    clock::Instant,
    ids::{OrderId, QuoteId},
};
use licet_runtime::{
    database::{Tx, Work},
    fault::Fault,
    stored::{from_json, instant, parsed, to_json},
};
use row::{Column, Entity, Model};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};

use crate::rules::order::{Order, SoldProduct};

mod row {
    //! A quote that a preview of a change of names left at Billing.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "domain_quote")]
    pub(super) struct Model {
        pub(super) account_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) quote_id: String,
        pub(super) order_id: String,
        pub(super) pin: String,
        pub(super) expire_us: i64,
        pub(super) quote: Vec<u8>,
        pub(super) next_quote: Option<Vec<u8>>,
        pub(super) sold_json: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A quote for a change of an order's names, or for its renewal.
#[derive(Debug, Clone)]
pub(crate) struct OrderQuote {
    pub(crate) id: QuoteId,
    /// What it was made for: the order, its revision and the names.
    pub(crate) pin: String,
    pub(crate) expire_time: Instant,
    /// The quote as Billing answered it, encoded.
    pub(crate) encoded: Vec<u8>,
    /// That of the next term, where a change of names is charged in both (MD-8), likewise.
    pub(crate) next_encoded: Option<Vec<u8>>,
    /// What a renewal would be sold with; absent for a change of names.
    pub(crate) sold: Option<SoldProduct>,
}

/// How long after its end a quote is still known, so that its use is answered QUOTE_EXPIRED.
const RETENTION_DAYS: i64 = 90;

/// Keeps a quote, and forgets those of the same order that ended long ago.
async fn insert(tx: &Tx, order: &Order, quote: &OrderQuote, now: Instant) -> Result<(), Fault> {
    if let Some(before) = now.checked_add(-chrono::TimeDelta::days(RETENTION_DAYS)) {
        Entity::delete_many()
            .filter(Column::OrderId.eq(order.id.to_string()))
            .filter(Column::ExpireUs.lt(before.as_micros()))
            .exec(tx)
            .await?;
    }
    Model {
        account_id: order.account_id.to_string(),
        quote_id: quote.id.to_string(),
        order_id: order.id.to_string(),
        pin: quote.pin.clone(),
        expire_us: quote.expire_time.as_micros(),
        quote: quote.encoded.clone(),
        next_quote: quote.next_encoded.clone(),
        sold_json: quote
            .sold
            .as_ref()
            .map(|sold| to_json("sold_json", sold))
            .transpose()?,
    }
    .into_active_model()
    .insert(tx)
    .await?;
    Ok(())
}

/// A quote that a preview of this order left.
pub(crate) async fn find(
    tx: &Tx,
    order_id: OrderId,
    id: QuoteId,
) -> Result<Option<OrderQuote>, Fault> {
    let row = Entity::find_by_id(id.to_string())
        .filter(Column::OrderId.eq(order_id.to_string()))
        .one(tx)
        .await?;
    row.map(|row| {
        Ok(OrderQuote {
            id: parsed("quote_id", &row.quote_id)?,
            pin: row.pin,
            expire_time: instant("expire_us", row.expire_us)?,
            encoded: row.quote,
            next_encoded: row.next_quote,
            sold: row
                .sold_json
                .as_deref()
                .map(|text| from_json("sold_json", text))
                .transpose()?,
        })
    })
    .transpose()
}

/// Remembers that a quote came from a preview here.
pub(crate) struct StoreQuote<'a> {
    pub(crate) order: &'a Order,
    pub(crate) quote: &'a OrderQuote,
    pub(crate) now: Instant,
}

impl Work for StoreQuote<'_> {
    type Output = ();

    async fn run(&self, tx: &Tx) -> Result<(), Fault> {
        insert(tx, self.order, self.quote, self.now).await
    }
}
