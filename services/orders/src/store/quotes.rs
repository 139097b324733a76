//! The quotes from previews of domain changes and renewals (MD-6). Only these may pay for a change,
//! so that a quote for something cheaper cannot.

use licet_domain::{clock::Instant, ids::QuoteId};
use licet_runtime::{
    all_accounts::AllAccounts,
    database::{Tx, Work},
    fault::Fault,
    stored::{from_json_if, instant, parsed, to_json_if},
};
use row::{Column, Entity, Model};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect,
};

use super::keyed::delete_keyed;
use crate::rules::{
    not_found,
    order::{Order, SoldProduct},
};

mod row {
    //! A quote from a preview.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "domain_quote")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
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

    licet_runtime::plain_entity!(pub(super));
}

/// A quote for a domain change or a renewal of an order.
#[derive(Debug, Clone)]
pub(crate) struct OrderQuote {
    pub(crate) id: QuoteId,
    /// What it was made for: a hash over the order, its revision and the request.
    pub(crate) pin: String,
    pub(crate) expire_time: Instant,
    /// The quote, encoded as Billing returned it.
    pub(crate) encoded: Vec<u8>,
    /// The quote of the next term, if a domain change is charged in both (MD-8).
    pub(crate) next_encoded: Option<Vec<u8>>,
    /// What a renewal would be sold with; absent for a domain change.
    pub(crate) sold: Option<SoldProduct>,
}

async fn insert(tx: &Tx, order: &Order, quote: &OrderQuote) -> Result<(), Fault> {
    Model {
        account_id: order.account_id.to_string(),
        quote_id: quote.id.to_string(),
        order_id: order.id.to_string(),
        pin: quote.pin.clone(),
        expire_us: quote.expire_time.as_micros(),
        quote: quote.encoded.clone(),
        next_quote: quote.next_encoded.clone(),
        sold_json: to_json_if("sold_json", quote.sold.as_ref())?,
    }
    .into_active_model()
    .insert(tx)
    .await?;
    Ok(())
}

/// Deletes up to `limit` quotes that expired before `before` and are older than it in real time, which the id tells:
/// the oldest first. Returns how many.
pub(crate) async fn prune(tx: &Tx, before: Instant, limit: u64) -> Result<u64, Fault> {
    let keys = Entity::find()
        .select_only()
        .columns([Column::AccountId, Column::QuoteId])
        .filter(Column::QuoteId.lt(QuoteId::least_from(before).to_string()))
        .filter(Column::ExpireUs.lt(before.as_micros()))
        .order_by_asc(Column::QuoteId)
        .limit(limit)
        .into_tuple::<(String, String)>()
        .all(&AllAccounts::new(tx, "quotes of any account expire"))
        .await?;
    delete_keyed(tx, "domain_quote", "quote_id", keys.into_iter()).await
}

/// A quote from a preview of this order; NOT_FOUND if there is none.
pub(crate) async fn get(tx: &Tx, order: &Order, id: QuoteId) -> Result<OrderQuote, Fault> {
    let row = Entity::find_by_id((order.account_id.to_string(), id.to_string()))
        .filter(Column::OrderId.eq(order.id.to_string()))
        .one(tx)
        .await?;
    let row = row.ok_or_else(|| not_found("quote", id))?;
    Ok(OrderQuote {
        id: parsed("quote_id", &row.quote_id)?,
        pin: row.pin,
        expire_time: instant("expire_us", row.expire_us)?,
        encoded: row.quote,
        next_encoded: row.next_quote,
        sold: from_json_if("sold_json", row.sold_json.as_deref())?,
    })
}

/// Stores the quote of a preview.
pub(crate) struct StoreQuote<'a> {
    pub(crate) order: &'a Order,
    pub(crate) quote: &'a OrderQuote,
}

impl Work for StoreQuote<'_> {
    type Output = ();

    async fn run(&self, tx: &Tx) -> Result<(), Fault> {
        insert(tx, self.order, self.quote).await
    }
}
