//! The fence of a licence: its last decision time, and a version that every decision under the licence
//! increments. A decision locks the fence first.

use licet_domain::{clock::Instant, ids::LicenseId};
use licet_runtime::{database::Tx, fault::Fault, stored};
use sea_orm::{ConnectionTrait, FromQueryResult};

use super::query::{Query, Rows, insert, sql};

/// A licence's fence. Its version tells other instances whether to catch up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fence {
    pub(crate) license_id: LicenseId,
    pub(crate) version: i64,
    pub(crate) as_of: Instant,
}

#[derive(FromQueryResult)]
struct FenceRow {
    license_id: String,
    version: i64,
    as_of_us: i64,
}

impl TryFrom<FenceRow> for Fence {
    type Error = Fault;

    fn try_from(row: FenceRow) -> Result<Self, Fault> {
        Ok(Self {
            license_id: stored::parsed("license_id", &row.license_id)?,
            version: row.version,
            as_of: stored::instant("as_of_us", row.as_of_us)?,
        })
    }
}

/// Fences as rows.
pub(super) fn rows(fences: &[Fence]) -> Rows<'_, Fence> {
    Rows::of(fences)
        .text("license_id", |fence| fence.license_id)
        .long("version", |fence| fence.version)
        .long("as_of_us", |fence| fence.as_of.as_micros())
}

/// Locks fences and moves each on by one version, and to at least its instant. Leaves out licences without one.
pub(crate) async fn move_on(
    tx: &Tx,
    licenses: &[(LicenseId, Instant)],
) -> Result<Vec<Fence>, Fault> {
    let rows = Rows::of(licenses)
        .text("license_id", |(id, _)| *id)
        .long("now_us", |(_, now)| now.as_micros());
    let query = Query::on(tx).rows("licenses", rows);
    let query = query.statement_of(sql!("move_fences"))?;
    let rows = FenceRow::find_by_statement(query).all(tx).await?;
    rows.into_iter().map(TryFrom::try_from).collect()
}

/// Reads fences without locking them.
pub(crate) async fn read(
    connection: &impl ConnectionTrait,
    licenses: &[LicenseId],
) -> Result<Vec<Fence>, Fault> {
    let rows = Rows::of(licenses).text("license_id", |id| *id);
    let query = Query::on(connection).rows("licenses", rows);
    let query = query.statement_of(sql!("read_fences"))?;
    let rows = FenceRow::find_by_statement(query).all(connection).await?;
    rows.into_iter().map(TryFrom::try_from).collect()
}

/// Inserts the fence of a new licence.
pub(crate) async fn open(tx: &Tx, license_id: LicenseId, now: Instant) -> Result<(), Fault> {
    let first = Fence {
        license_id,
        version: 1,
        as_of: now,
    };
    insert(tx, "license_fence", rows(&[first])).await
}
