//! The gapless number series of the seller (BL-8). Assign a number as late as possible: every other
//! charge waits from then until the transaction ends.

use licet_domain::worded;
use licet_runtime::{database::Tx, fault::Fault};
use sea_orm::{
    EntityTrait, Set,
    sea_query::{Expr, ExprTrait, OnConflict},
};

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

/// The only seller of an installation.
pub(crate) const SELLER: &str = "licet";

worded! {
    /// What is numbered.
    pub(crate) enum Series {
        /// Invoices.
        Invoice = "INVOICE",
        /// Credit notes.
        CreditNote = "CREDIT_NOTE",
    }
}

/// Assigns the next `count` numbers and returns the first of them.
pub(crate) async fn assign(tx: &Tx, series: Series, count: usize) -> Result<i64, Fault> {
    let count = i64::try_from(count).map_err(Fault::internal)?;
    let advanced = Expr::col((row::Entity, row::Column::LastNumber)).add(count);
    let fresh = row::ActiveModel {
        seller: Set(SELLER.to_owned()),
        series: Set(series.as_str().to_owned()),
        last_number: Set(count),
    };
    let assigned = row::Entity::insert(fresh)
        .on_conflict(
            OnConflict::columns([row::Column::Seller, row::Column::Series])
                .value(row::Column::LastNumber, advanced)
                .to_owned(),
        )
        .exec_with_returning(tx)
        .await?;
    Ok(assigned.last_number - count + 1)
}
