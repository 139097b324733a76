//! The gapless number series of the seller (BL-8), and the seller.

use std::{collections::BTreeMap, fmt::Display, str::FromStr};

use licet_domain::worded;
use licet_runtime::{
    database::{Database, Number, Tx, Work},
    fault::Fault,
    stored::parsed,
};
use sea_orm::{
    EntityTrait, QueryTrait, Set,
    sea_query::{Expr, ExprTrait, OnConflict, Query},
};

use crate::rules::numbers::{DocumentNumber, Seller};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "number_series")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) seller: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) series: String,
        pub(super) last_number: i64,
    }

    licet_runtime::plain_entity!(pub(super));
}

mod seller_row {
    //! The only row has the only seller of the store.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "seller")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) place: i32,
        pub(super) seller: String,
    }

    licet_runtime::plain_entity!(pub(super));
}

worded! {
    /// What is numbered.
    pub(crate) enum Series {
        /// Invoices.
        Invoice = "INVOICE",
        /// Credit notes.
        CreditNote = "CREDIT_NOTE",
    }
}

/// Takes the next `count` numbers, in order. What contains them is written with [`Tx::last`].
pub(crate) async fn take(
    tx: &Tx,
    seller: &Seller,
    series: Series,
    count: usize,
) -> Result<Vec<Number>, Fault> {
    let more = i64::try_from(count).map_err(Fault::internal)?;
    let advanced = Expr::col((row::Entity, row::Column::LastNumber)).add(more);
    let fresh = row::ActiveModel {
        seller: Set(seller.to_string()),
        series: Set(series.as_str().to_owned()),
        last_number: Set(more),
    };
    let mut advance = row::Entity::insert(fresh)
        .on_conflict(
            OnConflict::columns([row::Column::Seller, row::Column::Series])
                .value(row::Column::LastNumber, advanced)
                .to_owned(),
        )
        .into_query();
    advance.returning(Query::returning().column(row::Column::LastNumber));
    Ok(tx.take_numbers(advance, count).await?)
}

/// A number from its columns.
pub(super) fn document_number(seller: &str, number: i64) -> Result<DocumentNumber, Fault> {
    Ok(DocumentNumber {
        seller: parsed("seller", seller)?,
        number,
    })
}

/// The numbers of documents, from rows of id, seller and number; `column` is that of the id.
pub(super) fn by_id<I: FromStr<Err: Display> + Ord>(
    column: &str,
    rows: Vec<(String, String, i64)>,
) -> Result<BTreeMap<I, DocumentNumber>, Fault> {
    let rows = rows.into_iter();
    rows.map(|(id, seller, number)| Ok((parsed(column, &id)?, document_number(&seller, number)?)))
        .collect()
}

/// The seller of the store. The first start stores `wanted`, or else the default.
///
/// # Errors
/// When the store has another seller than `wanted`.
pub(crate) async fn seller(database: &Database, wanted: Option<&Seller>) -> Result<Seller, Fault> {
    let seller = database.transact(&FindSeller { wanted }).await?;
    match wanted {
        Some(wanted) if *wanted != seller => Err(Fault::internal(format!(
            "the store issues invoices as {seller}, not as {wanted}: a store has one seller (BL-8). Leave --seller \
             (LICET_SELLER) out, or start {wanted} on a store of its own"
        ))),
        _ => Ok(seller),
    }
}

struct FindSeller<'a> {
    wanted: Option<&'a Seller>,
}

impl Work for FindSeller<'_> {
    type Output = Seller;

    async fn run(&self, tx: &Tx) -> Result<Seller, Fault> {
        if let Some(found) = find_seller(tx).await? {
            return Ok(found);
        }
        // Of two first starts, one loses the race for the row, and then finds it.
        let seller = self.wanted.cloned().unwrap_or_default();
        let row = seller_row::ActiveModel {
            place: Set(1),
            seller: Set(seller.to_string()),
        };
        seller_row::Entity::insert(row)
            .exec_without_returning(tx)
            .await?;
        Ok(seller)
    }
}

async fn find_seller(tx: &Tx) -> Result<Option<Seller>, Fault> {
    let found = seller_row::Entity::find().one(tx).await?;
    found.map(|row| parsed("seller", &row.seller)).transpose()
}
