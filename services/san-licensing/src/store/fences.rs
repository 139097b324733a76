//! The fence of a licence: its last decision time, and a version that every decision under the licence
//! moves on. A decision locks the fence first.

use licet_domain::clock::Instant;
use licet_runtime::{database::Tx, fault::Fault, stored};
use sea_orm::{ConnectionTrait, FromQueryResult};

use super::query::{Query, Rows, insert, sql};
use crate::rules::{
    license::LicenseKey,
    quota::fence_version::{FenceVersion, Nonce},
};

/// Length of a hexadecimal number in `lineage`.
const DIGITS: usize = 16;

/// A licence's fence. Its version tells other instances whether to catch up.
#[derive(Clone, Debug)]
pub(crate) struct Fence {
    pub(crate) license: LicenseKey,
    pub(crate) version: FenceVersion,
    pub(crate) as_of: Instant,
    /// The last runs of moves, newest first: the nonce of each, and the number of its first version.
    lineage: Vec<(Nonce, i64)>,
}

impl Fence {
    /// How many moves led from `earlier` to this version. `None` unless `earlier` is known to have led here:
    /// it may be a version that the database has lost.
    pub(crate) fn moves_since(&self, earlier: FenceVersion) -> Option<i64> {
        let moves = self.version.number.checked_sub(earlier.number)?;
        let mut runs = self.lineage.iter();
        let run = runs.find(|(_, first)| *first <= earlier.number)?;
        (moves >= 0 && run.0 == earlier.nonce).then_some(moves)
    }
}

#[derive(FromQueryResult)]
struct FenceRow {
    account_id: String,
    license_id: String,
    version: i64,
    lineage: String,
    as_of_us: i64,
}

/// Reads a run as it is stored.
fn run(digits: &[u8]) -> Option<(Nonce, i64)> {
    let digits = std::str::from_utf8(digits).ok()?;
    let (nonce, first) = digits.split_at_checked(DIGITS)?;
    Some((Nonce::parse(nonce)?, i64::from_str_radix(first, 16).ok()?))
}

/// A run as it is stored.
fn stored_run(nonce: Nonce, first: i64) -> String {
    format!("{nonce}{first:016x}")
}

impl TryFrom<FenceRow> for Fence {
    type Error = Fault;

    fn try_from(row: FenceRow) -> Result<Self, Fault> {
        let damaged = || Fault::internal(format!("a fence has the lineage {:?}", row.lineage));
        let runs = row.lineage.as_bytes().chunks(2 * DIGITS).map(run);
        let lineage: Vec<_> = runs.collect::<Option<_>>().ok_or_else(damaged)?;
        let (nonce, _) = *lineage.first().ok_or_else(damaged)?;
        Ok(Self {
            license: LicenseKey {
                account_id: stored::parsed("account_id", &row.account_id)?,
                id: stored::parsed("license_id", &row.license_id)?,
            },
            version: FenceVersion {
                number: row.version,
                nonce,
            },
            as_of: stored::instant("as_of_us", row.as_of_us)?,
            lineage,
        })
    }
}

/// What a process remembers of a fence before it moves it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FenceMove {
    pub(crate) license: LicenseKey,
    /// The version in memory.
    pub(crate) from: FenceVersion,
    /// The nonce of a new run; `None` if this process made the move to `from`.
    pub(crate) new_run: Option<Nonce>,
    pub(crate) as_of: Instant,
}

impl FenceMove {
    /// The version after the move.
    pub(crate) fn to(&self) -> FenceVersion {
        FenceVersion {
            number: self.from.number.saturating_add(1),
            nonce: self.new_run.unwrap_or(self.from.nonce),
        }
    }
}

/// Moves as rows.
pub(super) fn rows(moves: &[FenceMove]) -> Rows<'_, FenceMove> {
    let new_run = |one: &FenceMove| {
        let nonce = one.new_run?;
        Some(stored_run(nonce, one.to().number))
    };
    Rows::of(moves)
        .text("account_id", |one| one.license.account_id)
        .text("license_id", |one| one.license.id)
        .long("version", |one| one.from.number)
        .text("nonce", |one| one.from.nonce)
        .string("new_run", move |one| new_run(one).unwrap_or_default())
        .long("as_of_us", |one| one.as_of.as_micros())
}

/// A fence to be locked and moved, whatever its version is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LockedMove {
    pub(crate) license: LicenseKey,
    /// The time that the fence is moved to, unless it is later.
    pub(crate) now: Instant,
    /// The version to which this process made the last move. Its run goes on if the fence is there.
    pub(crate) own: Option<FenceVersion>,
}

impl LockedMove {
    /// A move by one who remembers nothing of the licence.
    pub(crate) fn new(license: LicenseKey, now: Instant) -> Self {
        Self {
            license,
            now,
            own: None,
        }
    }
}

/// Locks fences and moves each on by one version. Leaves out licences without one. Invariant: `moves` are in the
/// order of their keys. PostgreSQL follows the list or the index, both in this order, so that two instances do not
/// deadlock; and a deadlock is a lost race.
pub(crate) async fn move_on(tx: &Tx, moves: &[LockedMove]) -> Result<Vec<Fence>, Fault> {
    let rows = Rows::of(moves)
        .text("account_id", |one| one.license.account_id)
        .text("license_id", |one| one.license.id)
        .long("own_version", |one| one.own.map_or(0, |own| own.number))
        .string("own_nonce", |one| {
            one.own
                .map_or_else(String::new, |own| own.nonce.to_string())
        })
        .text("nonce", |_| Nonce::draw())
        .long("now_us", |one| one.now.as_micros());
    let query = Query::on(tx).rows("moves", rows);
    let query = query.statement_of(sql!("move_fences"))?;
    let rows = FenceRow::find_by_statement(query).all(tx).await?;
    rows.into_iter().map(TryFrom::try_from).collect()
}

/// Reads fences without locking them.
pub(crate) async fn read(
    connection: &impl ConnectionTrait,
    licenses: &[LicenseKey],
) -> Result<Vec<Fence>, Fault> {
    let query = Query::on(connection).rows("licenses", license_rows(licenses));
    let query = query.statement(include_str!("sql/read_fences.sql"))?;
    let rows = FenceRow::find_by_statement(query).all(connection).await?;
    rows.into_iter().map(TryFrom::try_from).collect()
}

/// Licences as rows.
pub(super) fn license_rows(licenses: &[LicenseKey]) -> Rows<'_, LicenseKey> {
    Rows::of(licenses)
        .text("account_id", |license| license.account_id)
        .text("license_id", |license| license.id)
}

/// Inserts the fence of a new licence.
pub(crate) async fn open(tx: &Tx, license: LicenseKey, now: Instant) -> Result<(), Fault> {
    let first = FenceVersion::first();
    let rows = Rows::of(std::slice::from_ref(&first))
        .text("account_id", |_| license.account_id)
        .text("license_id", |_| license.id)
        .long("version", |first| first.number)
        .string("lineage", |first| stored_run(first.nonce, first.number))
        .long("as_of_us", |_| now.as_micros());
    insert(tx, "license_fence", rows).await
}

#[cfg(test)]
mod tests {
    use licet_domain::ids::{AccountId, LicenseId};

    use super::*;

    /// A fence at version 9: one process made the moves to 5, 6 and 7, another those to 8 and 9.
    fn fence(runs: &[(Nonce, i64)]) -> Fence {
        let lineage: String = runs
            .iter()
            .map(|(nonce, first)| stored_run(*nonce, *first))
            .collect();
        let row = FenceRow {
            account_id: AccountId::generate().to_string(),
            license_id: LicenseId::generate().to_string(),
            version: 9,
            lineage,
            as_of_us: 0,
        };
        row.try_into().unwrap()
    }

    #[test]
    fn versions_that_led_to_a_fence_are_told_from_those_that_did_not() {
        let (first, second, lost) = (Nonce::draw(), Nonce::draw(), Nonce::draw());
        let fence = fence(&[(second, 8), (first, 5)]);
        let since = |number, nonce| fence.moves_since(FenceVersion { number, nonce });
        for (number, nonce, expected) in [
            (9, second, Some(0)),
            (8, second, Some(1)),
            (7, first, Some(2)),
            (5, first, Some(4)),
            // Forgotten.
            (4, first, None),
            // Lost: made after 7 by the first, or by a third.
            (8, first, None),
            (9, first, None),
            (9, lost, None),
            (7, lost, None),
            // Not there yet.
            (10, second, None),
        ] {
            assert_eq!(since(number, nonce), expected, "{number} {nonce}");
        }
    }

    #[test]
    fn a_damaged_lineage_is_a_fault() {
        for lineage in ["", "0", "000000000000000g0000000000000001"] {
            let row = FenceRow {
                account_id: AccountId::generate().to_string(),
                license_id: LicenseId::generate().to_string(),
                version: 1,
                lineage: lineage.to_owned(),
                as_of_us: 0,
            };
            assert!(Fence::try_from(row).is_err(), "{lineage:?}");
        }
    }
}
