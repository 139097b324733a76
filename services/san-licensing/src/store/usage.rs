//! Reads the rows from which a licence's past and future usage is counted (SL-17), grouped by SAN. The quota
//! engine knows the present usage without counting.

use futures::TryStreamExt;
use licet_domain::{clock::Instant, term::Period};
use licet_runtime::{database::Tx, fault::Fault, stored::instant};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect,
};

use super::{
    query::{Query, sql},
    sans::row::{Column, Entity},
};
use crate::rules::{
    counting::{DayCount, DistinctSans, InstantCount},
    license::LicenseKey,
};

/// Passes each `wanted` row of a licence to `visit`, one at a time: all of them may not fit into memory.
async fn read_rows(
    tx: &Tx,
    license: LicenseKey,
    wanted: Condition,
    mut visit: impl FnMut(String, Instant, Instant),
) -> Result<(), Fault> {
    let mut rows = Entity::find()
        .select_only()
        .columns([Column::Name, Column::RecordUs, Column::UntilUs])
        .filter(Column::AccountId.eq(license.account_id.to_string()))
        .filter(Column::LicenseId.eq(license.id.to_string()))
        .filter(wanted)
        // The order of the primary key needs no sort.
        .order_by_asc(Column::AccountId)
        .order_by_asc(Column::LicenseId)
        .order_by_asc(Column::Name)
        .into_tuple::<(String, i64, i64)>()
        .stream(tx)
        .await?;
    while let Some((name, record_us, until_us)) = rows.try_next().await? {
        let record = instant("record_us", record_us)?;
        visit(name, record, instant("until_us", until_us)?);
    }
    Ok(())
}

/// Counts the distinct SANs on certificates that are active at `at`.
pub(crate) async fn count_active(
    tx: &Tx,
    license: LicenseKey,
    at: Instant,
    count: InstantCount,
) -> Result<InstantCount, Fault> {
    count_recorded(tx, license, at, at, count).await
}

/// As [`count_active`], of certificates recorded up to `record`.
pub(crate) async fn count_recorded(
    tx: &Tx,
    license: LicenseKey,
    record: Instant,
    at: Instant,
    mut count: InstantCount,
) -> Result<InstantCount, Fault> {
    let active = Condition::all()
        .add(Column::RecordUs.lte(record.as_micros()))
        .add(Column::UntilUs.gt(at.as_micros()));
    let visit = |name, _, until| count.add(name, until);
    read_rows(tx, license, active, visit).await?;
    Ok(count)
}

/// Counts the distinct SANs day by day, of certificates recorded up to `as_of`.
pub(crate) async fn count_days(
    tx: &Tx,
    license: LicenseKey,
    as_of: Instant,
    mut count: DayCount,
) -> Result<DayCount, Fault> {
    let whole = count.whole();
    let within = Condition::all()
        .add(Column::RecordUs.lte(as_of.as_micros()))
        .add(Column::RecordUs.lt(whole.end.as_micros()))
        .add(Column::UntilUs.gt(whole.start.as_micros()));
    let visit = |name: String, record, until| {
        // A certificate that was over when it was recorded never counted.
        if let Some(held) = Period::new(record, until) {
            count.add(&name, held);
        }
    };
    read_rows(tx, license, within, visit).await?;
    Ok(count)
}

/// Counts the distinct SANs that reservations, but no active certificates, hold at `at` (SL-13).
pub(crate) async fn find_reserved(
    tx: &Tx,
    license: LicenseKey,
    at: Instant,
) -> Result<DistinctSans, Fault> {
    #[derive(FromQueryResult)]
    struct Row {
        distinct_sans: i64,
        wildcards: i64,
    }
    let count = |column: &str, number: i64| {
        u64::try_from(number).map_err(|error| Fault::internal(format!("{column}: {error}")))
    };
    let query = Query::on(tx)
        .value("account_id", license.account_id.to_string())
        .value("license_id", license.id.to_string())
        .value("at_us", at.as_micros());
    let query = query.statement_of(sql!("reserved_at"))?;
    let row = Row::find_by_statement(query).one(tx).await?;
    let row = row.ok_or_else(|| Fault::internal("the count of reserved SANs returned no row"))?;
    Ok(DistinctSans {
        plain: count("plain", row.distinct_sans - row.wildcards)?,
        wildcards: count("wildcards", row.wildcards)?,
    })
}
