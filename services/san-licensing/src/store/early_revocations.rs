//! Revocations that arrived before their certificates (SL-15).

use licet_domain::{clock::Instant, revocation::RevocationReason};
use licet_runtime::{
    all_accounts::AllAccounts,
    database::Tx,
    fault::Fault,
    stored::{instant_if, parsed},
};
use sea_orm::{ConnectionTrait, FromQueryResult, Statement, Value};

use super::{
    certificates::key_rows,
    query::{Query, insert},
};
use crate::rules::{
    certificate::{CertificateKey, EarlyRevocation},
    feed::ReportedRevocation,
};

/// Inserts revocations at `stored_us`, in microseconds of real time.
pub(crate) async fn insert_all(
    tx: &Tx,
    early: &[(CertificateKey, EarlyRevocation)],
    now: Instant,
    stored_us: i64,
) -> Result<(), Fault> {
    let rows = key_rows(early, |(key, _)| key)
        .text("reason", |(_, revocation)| revocation.reason.as_str())
        .optional_long("ca_revoke_us", |(_, revocation)| {
            revocation.ca_time.map(Instant::as_micros)
        })
        .long("record_us", |_| now.as_micros())
        .long("kept_us", |_| stored_us);
    insert(tx, "early_revocation", rows).await
}

/// Deletes revocations that have been applied to their certificates.
pub(crate) async fn delete(tx: &Tx, keys: &[CertificateKey]) -> Result<(), Fault> {
    let query = Query::on(tx).rows("applied", key_rows(keys, |key| key));
    let query = query.statement(include_str!("sql/delete_early_revocations.sql"))?;
    tx.execute_raw(query).await?;
    Ok(())
}

/// Revocations inserted since `stored_us` whose certificates exist: revocation and certificate were recorded at the
/// same time, by transactions that did not see each other.
pub(crate) async fn list_missed(
    tx: &Tx,
    stored_us: i64,
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
    let text = "SELECT early.account_id, early.issuer_sha256, early.serial_hex, early.reason, \
        early.ca_revoke_us FROM early_revocation AS early JOIN certificate \
        ON certificate.account_id = early.account_id \
        AND certificate.issuer_sha256 = early.issuer_sha256 \
        AND certificate.serial_hex = early.serial_hex \
        WHERE early.kept_us > $1 ORDER BY early.kept_us LIMIT $2";
    let values: [Value; 2] = [stored_us.into(), limit.into()];
    let query = Statement::from_sql_and_values(tx.get_database_backend(), text, values);
    let reads = AllAccounts::new(tx, "revocations to be applied");
    let rows = Row::find_by_statement(query).all(&reads).await?;
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
