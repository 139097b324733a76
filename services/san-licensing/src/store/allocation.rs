//! Certificates on their way into a licence: unallocated ones, and those of a licence that is over
//! (SL-16, SL-20); with the revocations that came before their certificates (SL-15).

use licet_domain::{
    clock::Instant,
    ids::{AccountId, LicenseId, ProductId},
};
use licet_runtime::{
    database::Tx,
    fault::Fault,
    stored::{instant_if, parsed},
};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Statement, Value};

use super::{
    cells::{Cells, parameters},
    quota::{CertificateRow, end_sans, insert_sans, of_rows, optional, statement},
};
use crate::rules::{
    certificate::{Certificate, CertificateKey, EarlyRevocation, RevocationReason},
    feed::ReportedRevocation,
};

/// A certificate that counts in another licence than before, or in one for the first time.
#[derive(Clone, Debug)]
pub(crate) struct Allocated {
    /// As it is now.
    pub(crate) certificate: Certificate,
    /// Of the new licence's fence.
    pub(crate) version: i64,
    /// The licence that it left.
    pub(crate) left: Option<Left>,
}

/// The licence that a certificate left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Left {
    pub(crate) license_id: LicenseId,
    /// Of its fence.
    pub(crate) version: i64,
    /// From when on the certificate does not count there any more.
    pub(crate) time: Instant,
}

/// Lets certificates count where they are allocated to. What counted until now stays in the licence
/// that they left (T-6).
///
/// # Errors
/// [`Fault::Contention`] when one was taken elsewhere meanwhile.
pub(crate) async fn allocate(tx: &Tx, allocated: &[Allocated]) -> Result<(), Fault> {
    let each = || allocated.iter().map(|one| &one.certificate);
    let since = |certificate: &Certificate| {
        let time = certificate.allocate_time.unwrap_or(certificate.record_time);
        time.as_micros()
    };
    let query = of_rows!(
        tx,
        "allocate_certificates",
        [
            Cells::text(each().map(|certificate| certificate.id)),
            optional(each().map(|certificate| certificate.license_id)),
            Cells::long(allocated.iter().map(|one| one.version)),
            Cells::long(each().map(since)),
            optional(
                allocated
                    .iter()
                    .map(|one| one.left.map(|left| left.license_id))
            ),
        ]
    );
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
    // What is over already counts nowhere.
    let active: Vec<_> = each()
        .filter(|certificate| certificate.until.as_micros() > since(certificate))
        .map(|certificate| (certificate, since(certificate)))
        .collect();
    insert_sans(tx, &active).await
}

/// Gives certificates that count nowhere yet the products that they have now (SL-14).
///
/// # Errors
/// [`Fault::Contention`] when one came to count meanwhile.
pub(crate) async fn correct_products(tx: &Tx, corrected: &[Certificate]) -> Result<(), Fault> {
    let query = of_rows!(
        tx,
        "correct_products",
        [
            Cells::text(corrected.iter().map(|certificate| certificate.id)),
            Cells::text(corrected.iter().map(|certificate| &certificate.product_id)),
        ]
    );
    let updated = tx.execute_raw(query).await?.rows_affected();
    if usize::try_from(updated) != Ok(corrected.len()) {
        return Err(Fault::Contention(DbErr::RecordNotUpdated));
    }
    Ok(())
}

async fn depart(tx: &Tx, left: &[(&Certificate, Left)]) -> Result<(), Fault> {
    let query = of_rows!(
        tx,
        "insert_departures",
        [
            Cells::text(left.iter().map(|(_, left)| left.license_id)),
            Cells::long(left.iter().map(|(_, left)| left.version)),
            Cells::text(left.iter().map(|(certificate, _)| certificate.id)),
            optional(left.iter().map(|(certificate, _)| certificate.license_id)),
            Cells::long(left.iter().map(|(_, left)| left.time.as_micros())),
        ]
    );
    tx.execute_raw(query).await?;
    let ended: Vec<_> = left
        .iter()
        .map(|(certificate, left)| (*certificate, Some(left.license_id), left.time))
        .collect();
    end_sans(tx, &ended).await
}

/// Where a pass over a licence's certificates stands.
#[derive(Clone, Debug)]
pub(crate) struct After {
    pub(crate) record_us: i64,
    pub(crate) certificate_id: String,
}

impl After {
    /// Before the first one.
    pub(crate) fn start() -> Self {
        Self {
            record_us: i64::MIN,
            certificate_id: String::new(),
        }
    }
}

/// Certificates of a product that a licence still counts at `now`, in the order of their record,
/// without those that left `target` before: they do not go back, as their SANs ended there.
pub(crate) async fn list_active(
    tx: &Tx,
    license_id: LicenseId,
    product_id: &ProductId,
    target: LicenseId,
    now: Instant,
    after: &After,
    limit: u64,
) -> Result<Vec<Certificate>, Fault> {
    let values: [Value; 7] = [
        license_id.to_string().into(),
        after.record_us.into(),
        after.certificate_id.clone().into(),
        product_id.as_str().into(),
        now.as_micros().into(),
        target.to_string().into(),
        limit.into(),
    ];
    let text = "SELECT * FROM certificate WHERE license_id = $1 \
        AND (record_us, certificate_id) > ($2, $3) AND product_id = $4 AND until_us > $5 \
        AND NOT EXISTS (SELECT 1 FROM departure WHERE departure.license_id = $6 \
            AND departure.certificate_id = certificate.certificate_id) \
        ORDER BY record_us, certificate_id LIMIT $7";
    read(tx, text, values.to_vec()).await
}

/// Unallocated certificates of a product; nobody else allocates or revokes them before this
/// transaction ends.
pub(crate) async fn lock_unallocated(
    tx: &Tx,
    account_id: AccountId,
    product_id: &ProductId,
    limit: u64,
) -> Result<Vec<Certificate>, Fault> {
    let text = "SELECT * FROM certificate WHERE license_id IS NULL AND account_id = $1 \
        AND product_id = $2 ORDER BY certificate_id LIMIT $3";
    let values: [Value; 3] = [
        account_id.to_string().into(),
        product_id.as_str().into(),
        limit.into(),
    ];
    read(tx, &locking(tx, text), values.to_vec()).await
}

/// How many of some certificates are unallocated still; nobody else allocates them before this
/// transaction ends.
pub(crate) async fn count_unallocated(
    tx: &Tx,
    certificates: &[&Certificate],
) -> Result<usize, Fault> {
    if tx.get_database_backend() == DbBackend::Sqlite {
        // One writer at a time: what was read stands.
        return Ok(certificates.len());
    }
    let ids: Vec<String> = certificates
        .iter()
        .map(|found| found.id.to_string())
        .collect();
    let text = "SELECT * FROM certificate WHERE certificate_id = ANY($1::TEXT[]) \
        AND license_id IS NULL ORDER BY certificate_id";
    let found = read(tx, &locking(tx, text), vec![ids.into()]).await?;
    Ok(found.len())
}

/// SQLite has one writer at a time anyway, and no such words.
fn locking(tx: &Tx, text: &str) -> String {
    if tx.get_database_backend() == DbBackend::Postgres {
        format!("{text} FOR UPDATE")
    } else {
        text.to_owned()
    }
}

async fn read(tx: &Tx, text: &str, values: Vec<Value>) -> Result<Vec<Certificate>, Fault> {
    let query = Statement::from_sql_and_values(tx.get_database_backend(), text, values);
    let rows = CertificateRow::find_by_statement(query).all(tx).await?;
    rows.into_iter().map(Certificate::try_from).collect()
}

/// An account and a product, which have one licence at a time (SL-20).
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

fn pair_values(after: Option<&Pair>, limit: u64) -> Vec<Value> {
    let (account_id, product_id) = after.map_or_else(Default::default, |(account, product)| {
        (account.to_string(), product.to_string())
    });
    vec![account_id.into(), product_id.into(), limit.into()]
}

/// Pairs that have unallocated certificates, ascending.
pub(crate) async fn list_unallocated_pairs(
    tx: &Tx,
    after: Option<&Pair>,
    limit: u64,
) -> Result<Vec<Pair>, Fault> {
    let query = statement!(tx, "list_unallocated_pairs", pair_values(after, limit));
    pairs(PairRow::find_by_statement(query).all(tx).await?)
}

/// Pairs whose licence may still have to take certificates over from one before it, ascending.
pub(crate) async fn list_unsettled_pairs(
    tx: &Tx,
    after: Option<&Pair>,
    limit: u64,
) -> Result<Vec<Pair>, Fault> {
    let text = "SELECT account_id, product_id FROM license_product WHERE settled_us IS NULL \
        AND (account_id, product_id) > ($1, $2) ORDER BY account_id, product_id LIMIT $3";
    let values = pair_values(after, limit);
    let query = Statement::from_sql_and_values(tx.get_database_backend(), text, values);
    pairs(PairRow::find_by_statement(query).all(tx).await?)
}

/// The pair's licence has taken over what it had to.
pub(crate) async fn settle(
    tx: &Tx,
    (account_id, product_id): &Pair,
    license_id: LicenseId,
    now: Instant,
) -> Result<(), Fault> {
    let text = "UPDATE license_product SET settled_us = $4 \
        WHERE account_id = $1 AND product_id = $2 AND license_id = $3";
    let values: [Value; 4] = [
        account_id.to_string().into(),
        product_id.as_str().into(),
        license_id.to_string().into(),
        now.as_micros().into(),
    ];
    let query = Statement::from_sql_and_values(tx.get_database_backend(), text, values);
    tx.execute_raw(query).await?;
    Ok(())
}

/// Keeps revocations whose certificates are not known (SL-15). `kept_us`: real time.
pub(crate) async fn keep_early(
    tx: &Tx,
    early: &[(CertificateKey, EarlyRevocation)],
    now: Instant,
    kept_us: i64,
) -> Result<(), Fault> {
    let each = || early.iter().map(|(_, revocation)| revocation);
    let [accounts, issuers, serials] = key_cells(early.iter().map(|(key, _)| key));
    let query = of_rows!(
        tx,
        "keep_early_revocations",
        [
            accounts,
            issuers,
            serials,
            Cells::text(each().map(|revocation| revocation.reason.as_str())),
            optional(each().map(|revocation| revocation.ca_time.map(Instant::as_micros))),
        ],
        now.as_micros(),
        kept_us
    );
    tx.execute_raw(query).await?;
    Ok(())
}

/// Revocations that were applied are kept on their certificates.
pub(crate) async fn delete_early(tx: &Tx, keys: &[CertificateKey]) -> Result<(), Fault> {
    let [accounts, issuers, serials] = key_cells(keys.iter());
    let query = of_rows!(tx, "delete_early_revocations", [accounts, issuers, serials]);
    tx.execute_raw(query).await?;
    Ok(())
}

/// What names certificates, a column each.
pub(super) fn key_cells<'a>(keys: impl Iterator<Item = &'a CertificateKey> + Clone) -> [Cells; 3] {
    [
        Cells::text(keys.clone().map(|key| key.account_id)),
        Cells::text(keys.clone().map(|key| &key.issuer_sha256)),
        Cells::text(keys.map(|key| &key.serial_hex)),
    ]
}

/// Revocations kept since `kept_us` whose certificates are known all the same: the two passed each
/// other by in transactions that did not see one another.
pub(crate) async fn list_passed_by(
    tx: &Tx,
    kept_us: i64,
    limit: u64,
) -> Result<Vec<ReportedRevocation>, Fault> {
    #[derive(FromQueryResult)]
    struct Row {
        account_id: String,
        issuer_sha256: String,
        serial_hex: String,
        reason: String,
        ca_revoke_us: Option<i64>,
    }
    let text = "SELECT early.* FROM early_revocation AS early JOIN certificate \
        ON certificate.account_id = early.account_id \
        AND certificate.issuer_sha256 = early.issuer_sha256 \
        AND certificate.serial_hex = early.serial_hex \
        WHERE early.kept_us > $1 ORDER BY early.kept_us LIMIT $2";
    let values: [Value; 2] = [kept_us.into(), limit.into()];
    let query = Statement::from_sql_and_values(tx.get_database_backend(), text, values);
    let rows = Row::find_by_statement(query).all(tx).await?;
    rows.into_iter()
        .map(|row| {
            Ok(ReportedRevocation {
                key: CertificateKey {
                    account_id: parsed("account_id", &row.account_id)?,
                    issuer_sha256: row.issuer_sha256,
                    serial_hex: row.serial_hex,
                },
                revocation: EarlyRevocation {
                    reason: parsed::<RevocationReason>("reason", &row.reason)?,
                    ca_time: instant_if("ca_revoke_us", row.ca_revoke_us)?,
                },
            })
        })
        .collect()
}
