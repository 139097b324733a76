//! Reads reservations. `decisions` writes them.

use licet_domain::{clock::Instant, ids::ReservationId};
use licet_runtime::{
    database::Tx,
    fault::Fault,
    page::Page,
    stored::{instant, parsed},
};
use row::{Column, Entity, Model};
use sea_orm::{ColumnTrait, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::san_lists::split_sans;
use crate::rules::{
    license::LicenseKey,
    reservation::{Reservation, ReservationProgress},
};

mod row {
    //! A decision; a granted one is a reservation.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "decision")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) account_id: String,
        pub(super) license_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) decision_id: String,
        pub(super) state: String,
        pub(super) names: String,
        pub(super) decided_us: i64,
        pub(super) expire_us: i64,
    }

    licet_runtime::plain_entity!(pub(super));
}

/// A page of the reservations that hold SANs at `now`, oldest first.
pub(crate) async fn list_held(
    tx: &Tx,
    license: LicenseKey,
    now: Instant,
    page: &Page,
) -> Result<Vec<Reservation>, Fault> {
    let rows = Entity::find()
        .filter(Column::AccountId.eq(license.account_id.to_string()))
        .filter(Column::LicenseId.eq(license.id.to_string()))
        .filter(Column::State.eq(ReservationProgress::Granted.as_str()))
        .filter(Column::ExpireUs.gt(now.as_micros()))
        .filter(page.rows_after(&Order::Asc, Column::DecidedUs, Column::DecisionId)?)
        .order_by_asc(Column::DecidedUs)
        .order_by_asc(Column::DecisionId)
        .limit(page.limit())
        .all(tx)
        .await?;
    rows.iter().map(read).collect()
}

fn read(row: &Model) -> Result<Reservation, Fault> {
    let id: Uuid = parsed("decision_id", &row.decision_id)?;
    Ok(Reservation {
        id: ReservationId::from_uuid(id),
        license_id: parsed("license_id", &row.license_id)?,
        sans: split_sans(&row.names),
        decide_time: instant("decided_us", row.decided_us)?,
        expire_time: instant("expire_us", row.expire_us)?,
        progress: parsed("state", &row.state)?,
    })
}
