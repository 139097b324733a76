//! A licence's usage as of any instant, counted from what is kept (SL-17). What is used now is
//! known without counting and does not come from here.

use licet_domain::{clock::Instant, ids::LicenseId};
use licet_runtime::{database::Tx, fault::Fault, stored::instant};
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement, Value};

use super::quota::statement;
use crate::quota::known::Counts;

/// Distinct SANs, those that are wildcards apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Distinct {
    /// No wildcards; each weighs 1.
    pub(crate) plain: u64,
    /// Each weighs the licence's multiplier (SL-3).
    pub(crate) wildcards: u64,
}

fn count(column: &str, number: i64) -> Result<u64, Fault> {
    u64::try_from(number).map_err(|error| Fault::internal(format!("{column}: {error}")))
}

fn distinct(all: i64, wildcards: i64) -> Result<Distinct, Fault> {
    Ok(Distinct {
        plain: count("plain", all - wildcards)?,
        wildcards: count("wildcards", wildcards)?,
    })
}

/// The distinct SANs on certificates that are active at `at`.
pub(crate) async fn find_active(
    tx: &Tx,
    license_id: LicenseId,
    at: Instant,
) -> Result<Counts, Fault> {
    #[derive(FromQueryResult)]
    struct Row {
        distinct_sans: i64,
        wildcards: i64,
        dns_names: i64,
        ip_addresses: i64,
        rfc822_names: i64,
    }
    let query = statement!(tx, "usage_at", [license_id.to_string(), at.as_micros()]);
    let row = Row::find_by_statement(query).one(tx).await?;
    let row = row.ok_or_else(|| Fault::internal("an aggregate has no row"))?;
    let upns = row.distinct_sans - row.dns_names - row.ip_addresses - row.rfc822_names;
    Ok(Counts {
        dns_names: count("dns_names", row.dns_names)?,
        ip_addresses: count("ip_addresses", row.ip_addresses)?,
        rfc822_names: count("rfc822_names", row.rfc822_names)?,
        upns: count("upns", upns)?,
        wildcards: count("wildcards", row.wildcards)?,
    })
}

/// The distinct SANs that reservations hold at `at` and no active certificate does (SL-13).
pub(crate) async fn find_reserved(
    tx: &Tx,
    license_id: LicenseId,
    at: Instant,
) -> Result<Distinct, Fault> {
    #[derive(FromQueryResult)]
    struct Row {
        distinct_sans: i64,
        wildcards: i64,
    }
    let query = statement!(tx, "reserved_at", [license_id.to_string(), at.as_micros()]);
    let row = Row::find_by_statement(query).one(tx).await?;
    let row = row.ok_or_else(|| Fault::internal("an aggregate has no row"))?;
    distinct(row.distinct_sans, row.wildcards)
}

/// The next `most` instants after `at` at which SANs that are active at it return.
pub(crate) async fn find_returns(
    tx: &Tx,
    license_id: LicenseId,
    at: Instant,
    most: u32,
) -> Result<Vec<(Instant, Distinct)>, Fault> {
    #[derive(FromQueryResult)]
    struct Row {
        return_us: i64,
        distinct_sans: i64,
        wildcards: i64,
    }
    let query = statement!(
        tx,
        "returns_at",
        [license_id.to_string(), at.as_micros(), i64::from(most)]
    );
    let rows = Row::find_by_statement(query).all(tx).await?;
    rows.into_iter()
        .map(|row| {
            let names = distinct(row.distinct_sans, row.wildcards)?;
            Ok((instant("until_us", row.return_us)?, names))
        })
        .collect()
}
