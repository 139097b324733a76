//! Certificates that are revoked here and still count in their SAN licence. They are revoked
//! there by a separate call, once their revocation takes effect.

use licet_domain::{
    clock::Instant,
    ids::{AccountId, CertificateId},
};
use licet_runtime::{all_accounts::AllAccounts, database::Tx, fault::Fault};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr};

use super::certificates::{
    read,
    row::{Column, Entity},
    without_chains,
};
use crate::rules::certificate::Certificate;

/// The most certificates of one round.
const MAX_AT_ONCE: u64 = 256;

/// Certificates, without their chains, that count as revoked at `now` and whose SANs are not known
/// to be free, longest waiting first.
pub(crate) async fn list_due(tx: &Tx, now: Instant) -> Result<Vec<Certificate>, Fault> {
    let rows = without_chains()
        .filter(Column::SanCertificateId.is_not_null())
        .filter(Column::SansReturnedUs.is_null())
        .filter(Column::RevokeUs.lte(now.as_micros()))
        .order_by_asc(Column::RevokeUs)
        .order_by_asc(Column::CertificateId)
        .limit(MAX_AT_ONCE)
        .all(&AllAccounts::new(tx, "revocations that are due"))
        .await?;
    rows.into_iter().map(read).collect()
}

/// Notes that the SANs of an account's certificates are free in their licence. Returns for how many
/// that is new.
pub(crate) async fn mark(
    tx: &Tx,
    account_id: AccountId,
    ids: &[CertificateId],
    now: Instant,
) -> Result<u64, Fault> {
    let result = Entity::update_many()
        .col_expr(Column::SansReturnedUs, Expr::value(now.as_micros()))
        .filter(Column::AccountId.eq(account_id.to_string()))
        .filter(Column::CertificateId.is_in(ids.iter().map(ToString::to_string)))
        .filter(Column::SansReturnedUs.is_null())
        .exec(tx)
        .await?;
    Ok(result.rows_affected)
}
