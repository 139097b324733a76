//! The next turn of each licence (SL-17). A row means that the alerts of all turns before its instant are
//! emitted.

use licet_domain::clock::Instant;
use licet_runtime::{
    all_accounts::AllAccounts,
    database::Tx,
    fault::Fault,
    stored::{instant, parsed},
};
use row::{ActiveModel, Column, Entity};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set,
    sea_query::{Expr, OnConflict},
};

use crate::rules::license::{License, LicenseKey};

mod row {
    //! A licence with a turn to come.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "usage_turn")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) account_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) license_id: String,
        pub(super) next_us: i64,
    }

    licet_runtime::plain_entity!(pub(super));
}

/// The most licences of one round.
const MAX_AT_ONCE: u64 = 100;

/// Schedules a licence's next turn after `now`, unless an earlier one is scheduled.
pub(crate) async fn schedule(tx: &Tx, license: &License, now: Instant) -> Result<(), Fault> {
    let mut turns = license.turns(now, Instant::MAX).into_iter();
    let Some(next) = turns.find(|turn| turn.time > now) else {
        return Ok(());
    };
    let row = ActiveModel {
        account_id: Set(license.account_id.to_string()),
        license_id: Set(license.id.to_string()),
        next_us: Set(next.time.as_micros()),
    };
    Entity::insert(row)
        .on_conflict(
            OnConflict::columns([Column::AccountId, Column::LicenseId])
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Licences with a due turn, and its instant.
pub(crate) async fn list_due(tx: &Tx, now: Instant) -> Result<Vec<(LicenseKey, Instant)>, Fault> {
    let rows = Entity::find()
        .filter(Column::NextUs.lte(now.as_micros()))
        .order_by_asc(Column::NextUs)
        .order_by_asc(Column::LicenseId)
        .limit(MAX_AT_ONCE)
        .all(&AllAccounts::new(tx, "turns that are due"))
        .await?;
    rows.into_iter()
        .map(|row| {
            let license = LicenseKey {
                account_id: parsed("account_id", &row.account_id)?,
                id: parsed("license_id", &row.license_id)?,
            };
            Ok((license, instant("next_us", row.next_us)?))
        })
        .collect()
}

/// Completes a licence's turns from `from` on, and schedules the next one, if any. Returns `false` if another
/// instance did so before.
pub(crate) async fn complete(
    tx: &Tx,
    license: LicenseKey,
    from: Instant,
    next: Option<Instant>,
) -> Result<bool, Fault> {
    let scheduled = Condition::all()
        .add(Column::AccountId.eq(license.account_id.to_string()))
        .add(Column::LicenseId.eq(license.id.to_string()))
        .add(Column::NextUs.eq(from.as_micros()));
    let changed = match next {
        Some(next) => {
            Entity::update_many()
                .col_expr(Column::NextUs, Expr::value(next.as_micros()))
                .filter(scheduled)
                .exec(tx)
                .await?
                .rows_affected
        }
        None => {
            Entity::delete_many()
                .filter(scheduled)
                .exec(tx)
                .await?
                .rows_affected
        }
    };
    Ok(changed > 0)
}
