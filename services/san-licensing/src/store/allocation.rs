//! Allocation of certificates to a licence: unallocated ones, and those of an earlier licence (SL-16, SL-20).

use std::collections::BTreeMap;

use licet_domain::{
    clock::Instant,
    ids::{AccountId, LicenseId, ProductId},
};
use licet_runtime::{all_accounts::AllAccounts, database::Tx, fault::Fault, stored::parsed};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult};

use super::{
    certificates::{self, COLUMNS},
    query::{Query, Rows, insert},
    sans::{self, CountedCertificate},
};
use crate::rules::{certificate::Certificate, license::LicenseKey};

/// A certificate that is allocated to a licence, from another one or for the first time.
#[derive(Clone, Debug)]
pub(crate) struct Allocation {
    /// The certificate after the change.
    pub(crate) certificate: Certificate,
    /// Version of the new licence's fence.
    pub(crate) version: i64,
    /// The licence that it left.
    pub(crate) left: Option<Departure>,
}

/// The licence that a certificate left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Departure {
    pub(crate) license_id: LicenseId,
    /// Version of its fence.
    pub(crate) version: i64,
    /// The first instant at which the certificate no longer counts there.
    pub(crate) time: Instant,
}

/// Allocates certificates. Their usage until now stays with the licence that they left (T-6).
///
/// # Errors
/// [`Fault::Contention`] if one was allocated elsewhere since it was read.
pub(crate) async fn allocate(tx: &Tx, allocated: &[Allocation]) -> Result<(), Fault> {
    let since = |certificate: &Certificate| {
        let time = certificate.allocate_time;
        time.unwrap_or(certificate.record_time)
    };
    let rows = Rows::of(allocated)
        .text("account_id", |one| one.certificate.key.account_id)
        .text("certificate_id", |one| one.certificate.id)
        .optional_text("license_id", |one| one.certificate.license_id)
        .long("version", |one| one.version)
        .long("allocate_us", |one| since(&one.certificate).as_micros())
        .string("from_license_id", |one| {
            one.left
                .map_or_else(String::new, |left| left.license_id.to_string())
        });
    let query = Query::on(tx).rows("allocated", rows);
    let query = query.statement(include_str!("sql/allocate_certificates.sql"))?;
    let updated = tx.execute_raw(query).await?.rows_affected();
    if usize::try_from(updated) != Ok(allocated.len()) {
        return Err(Fault::Contention(DbErr::RecordNotUpdated));
    }
    let left: Vec<_> = allocated
        .iter()
        .filter_map(|one| Some((&one.certificate, one.left?)))
        .collect();
    if !left.is_empty() {
        depart(tx, &left).await?;
    }
    // A certificate that is already over does not count.
    let each = allocated.iter().map(|one| &one.certificate);
    let active: Vec<_> = each
        .filter(|certificate| certificate.until > since(certificate))
        .filter_map(|certificate| CountedCertificate::from(certificate, since(certificate)))
        .collect();
    sans::insert_all(tx, &active).await
}

async fn depart(tx: &Tx, left: &[(&Certificate, Departure)]) -> Result<(), Fault> {
    let rows = Rows::of(left)
        .text("account_id", |(certificate, _)| certificate.key.account_id)
        .text("license_id", |(_, left)| left.license_id)
        .long("version", |(_, left)| left.version)
        .text("certificate_id", |(certificate, _)| certificate.id)
        .optional_text("to_license_id", |(certificate, _)| certificate.license_id)
        .long("depart_us", |(_, left)| left.time.as_micros());
    insert(tx, "departure", rows).await?;
    let ended: Vec<_> = left
        .iter()
        .map(|(certificate, left)| CountedCertificate {
            certificate,
            license_id: left.license_id,
            time: left.time,
        })
        .collect();
    sans::end_all(tx, &ended).await
}

/// Position of a pass over a licence's certificates.
#[derive(Clone, Debug)]
pub(crate) struct After {
    pub(crate) record_us: i64,
    pub(crate) certificate_id: String,
}

impl After {
    /// Before the first certificate.
    pub(crate) fn start() -> Self {
        Self {
            record_us: i64::MIN,
            certificate_id: String::new(),
        }
    }
}

/// Certificates of a product that a licence still counts at `now`, in the order of their record. Leaves out
/// those that left `target` before: their SANs have ended there, and they cannot return.
pub(crate) async fn list_active(
    tx: &Tx,
    license: LicenseKey,
    product_id: &ProductId,
    target: LicenseId,
    now: Instant,
    after: &After,
    limit: u64,
) -> Result<Vec<Certificate>, Fault> {
    let query = Query::on(tx)
        .part("certificate_columns", COLUMNS)
        .value("account_id", license.account_id.to_string())
        .value("license_id", license.id.to_string())
        .value("product_id", product_id.as_str())
        .value("target", target.to_string())
        .value("now_us", now.as_micros())
        .value("after_us", after.record_us)
        .value("after_id", after.certificate_id.as_str())
        .value("limit", limit);
    let text = "SELECT {certificate_columns} FROM certificate \
        WHERE account_id = {account_id} AND license_id = {license_id} \
        AND (record_us, certificate_id) > ({after_us}, {after_id}) AND product_id = {product_id} \
        AND until_us > {now_us} \
        AND NOT EXISTS (SELECT 1 FROM departure WHERE departure.account_id = {account_id} \
            AND departure.license_id = {target} \
            AND departure.certificate_id = certificate.certificate_id) \
        ORDER BY record_us, certificate_id LIMIT {limit}";
    certificates::read(tx, query.statement(text)?).await
}

/// Unallocated certificates of a product, locked against allocation and revocation by others.
pub(crate) async fn lock_unallocated(
    tx: &Tx,
    account_id: AccountId,
    product_id: &ProductId,
    limit: u64,
) -> Result<Vec<Certificate>, Fault> {
    let query = Query::on(tx)
        .part("certificate_columns", COLUMNS)
        .value("account_id", account_id.to_string())
        .value("product_id", product_id.as_str())
        .value("limit", limit);
    let text = "SELECT {certificate_columns} FROM certificate WHERE license_id IS NULL \
        AND account_id = {account_id} AND product_id = {product_id} \
        ORDER BY certificate_id LIMIT {limit}";
    certificates::read(tx, query.statement(&locking(tx, text))?).await
}

/// How many of some certificates are still unallocated. Locks them against allocation by others.
pub(crate) async fn count_unallocated(
    tx: &Tx,
    unallocated: &[&Certificate],
) -> Result<usize, Fault> {
    if tx.get_database_backend() == DbBackend::Sqlite {
        // SQLite has one writer at a time: they cannot have changed since they were read.
        return Ok(unallocated.len());
    }
    let mut by_account = BTreeMap::<_, Vec<_>>::new();
    for certificate in unallocated {
        let of_account = by_account.entry(certificate.key.account_id).or_default();
        of_account.push(certificate.id.to_string());
    }
    let text = "SELECT certificate_id FROM certificate \
        WHERE account_id = {account_id} AND certificate_id = ANY({ids}::TEXT[]) AND license_id IS NULL \
        ORDER BY certificate_id";
    let mut count = 0;
    // A sharded database locks the rows of one account at a time.
    for (account_id, ids) in by_account {
        let query = Query::on(tx)
            .value("account_id", account_id.to_string())
            .value("ids", ids);
        let query = query.statement(&locking(tx, text))?;
        count += tx.query_all_raw(query).await?.len();
    }
    Ok(count)
}

/// Adds `FOR UPDATE` on PostgreSQL. SQLite has one writer at a time, and no such clause.
fn locking(tx: &Tx, text: &str) -> String {
    if tx.get_database_backend() == DbBackend::Postgres {
        format!("{text} FOR UPDATE")
    } else {
        text.to_owned()
    }
}

/// An account and a product: they have at most one licence at a time (SL-20).
pub(crate) type Pair = (AccountId, ProductId);

#[derive(FromQueryResult)]
struct PairRow {
    account_id: String,
    product_id: String,
}

fn pairs(rows: Vec<PairRow>) -> Result<Vec<Pair>, Fault> {
    rows.into_iter()
        .map(|row| {
            let account_id = parsed("account_id", &row.account_id)?;
            Ok((account_id, parsed("product_id", &row.product_id)?))
        })
        .collect()
}

fn after_pair(tx: &Tx, after: Option<&Pair>, limit: u64) -> Query {
    let (account_id, product_id) = after.map_or_else(Default::default, |(account, product)| {
        (account.to_string(), product.to_string())
    });
    Query::on(tx)
        .value("after_account_id", account_id)
        .value("after_product_id", product_id)
        .value("limit", limit)
}

/// The pair of each unallocated certificate, ascending.
pub(crate) async fn list_unallocated_pairs(
    tx: &Tx,
    after: Option<&Pair>,
    limit: u64,
) -> Result<Vec<Pair>, Fault> {
    let query = after_pair(tx, after, limit);
    let query = query.statement(include_str!("sql/list_unallocated_pairs.sql"))?;
    let reads = AllAccounts::new(tx, "certificates to be allocated");
    pairs(PairRow::find_by_statement(query).all(&reads).await?)
}

/// Pairs whose licence may not have all certificates of an earlier one yet, ascending.
pub(crate) async fn list_incomplete_pairs(
    tx: &Tx,
    after: Option<&Pair>,
    limit: u64,
) -> Result<Vec<Pair>, Fault> {
    let text = "SELECT account_id, product_id FROM license_product WHERE settled_us IS NULL \
        AND (account_id, product_id) > ({after_account_id}, {after_product_id}) \
        ORDER BY account_id, product_id LIMIT {limit}";
    let query = after_pair(tx, after, limit).statement(text)?;
    let reads = AllAccounts::new(tx, "licences that may lack certificates");
    pairs(PairRow::find_by_statement(query).all(&reads).await?)
}

/// Marks that the pair's licence has all certificates of earlier ones.
pub(crate) async fn mark_complete(
    tx: &Tx,
    (account_id, product_id): &Pair,
    license_id: LicenseId,
    now: Instant,
) -> Result<(), Fault> {
    let query = Query::on(tx)
        .value("account_id", account_id.to_string())
        .value("product_id", product_id.as_str())
        .value("license_id", license_id.to_string())
        .value("now_us", now.as_micros());
    let text = "UPDATE license_product SET settled_us = {now_us} WHERE account_id = {account_id} \
        AND product_id = {product_id} AND license_id = {license_id}";
    tx.execute_raw(query.statement(text)?).await?;
    Ok(())
}
