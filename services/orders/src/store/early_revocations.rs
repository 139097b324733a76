//! Revocations that SanLicensing reported before their certificates were recorded here,
//! stored until then, as SanLicensing stores the CA's (SL-15).

use licet_domain::{
    clock::Instant,
    ids::{AccountId, CertificateId},
};
use licet_runtime::{
    all_accounts::AllAccounts,
    caller::Origin,
    clock::real_now,
    database::Tx,
    fault::Fault,
    stored::{instant, parsed},
};
use row::{ActiveModel, Column, Entity, Model};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, Statement, sea_query::OnConflict,
};

use super::keyed::delete_keyed;
use crate::rules::revocation::ReportedRevocation;

mod row {
    //! A revocation that waits for its certificate.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "early_revocation")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) account_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) san_certificate_id: String,
        pub(super) reason: String,
        pub(super) san_revoke_us: i64,
        pub(super) caller: String,
        pub(super) method: String,
        pub(super) request_id: String,
        /// When it was stored, in real time.
        pub(super) kept_us: i64,
    }

    licet_runtime::plain_entity!(pub(super));
}

/// Serialises the record of a certificate and its revocation: the second sees what the first wrote.
/// SQLite has one writer anyway.
pub(crate) async fn lock(tx: &Tx, ids: &[CertificateId]) -> Result<(), Fault> {
    if tx.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let ids = serde_json::json!(ids).to_string();
    let statement = Statement::from_sql_and_values(
        DbBackend::Postgres,
        include_str!("sql/postgres/lock_san_certificates.sql"),
        [ids.into()],
    );
    tx.query_all_raw(statement).await?;
    Ok(())
}

/// Stores revocations of unknown certificates of an account; one already stored stays as it is.
pub(crate) async fn insert(
    tx: &Tx,
    account_id: AccountId,
    early: &[(ReportedRevocation, Origin)],
) -> Result<(), Fault> {
    let rows: Vec<ActiveModel> = early
        .iter()
        .map(|(reported, origin)| columns(account_id, reported, origin).into_active_model())
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let known = OnConflict::columns([Column::AccountId, Column::SanCertificateId])
        .do_nothing()
        .to_owned();
    Entity::insert_many(rows)
        .on_conflict(known)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Removes and returns the revocation that waits for a certificate.
pub(crate) async fn remove(
    tx: &Tx,
    account_id: AccountId,
    san_certificate_id: CertificateId,
) -> Result<Option<(ReportedRevocation, Origin)>, Fault> {
    lock(tx, &[san_certificate_id]).await?;
    let key = (account_id.to_string(), san_certificate_id.to_string());
    let Some(row) = Entity::find_by_id(key.clone()).one(tx).await? else {
        return Ok(None);
    };
    Entity::delete_by_id(key).exec(tx).await?;
    read(row).map(Some)
}

/// Deletes up to `limit` revocations that were stored before `before`, the oldest first. Returns how many.
pub(crate) async fn prune(tx: &Tx, before: Instant, limit: u64) -> Result<u64, Fault> {
    let old = Entity::find()
        .filter(Column::KeptUs.lt(before.as_micros()))
        .order_by_asc(Column::KeptUs)
        .limit(limit)
        .all(&AllAccounts::new(
            tx,
            "revocations of any account may be old",
        ))
        .await?;
    let keys = old
        .into_iter()
        .map(|row| (row.account_id, row.san_certificate_id));
    delete_keyed(tx, "early_revocation", "san_certificate_id", keys).await
}

fn columns(account_id: AccountId, reported: &ReportedRevocation, origin: &Origin) -> Model {
    Model {
        account_id: account_id.to_string(),
        san_certificate_id: reported.san_certificate_id.to_string(),
        reason: reported.reason.as_str().to_owned(),
        san_revoke_us: reported.san_revoke_time.as_micros(),
        caller: origin.caller.clone(),
        method: origin.method.clone(),
        request_id: origin.request_id.clone(),
        kept_us: real_now().as_micros(),
    }
}

fn read(row: Model) -> Result<(ReportedRevocation, Origin), Fault> {
    let reported = ReportedRevocation {
        san_certificate_id: parsed("san_certificate_id", &row.san_certificate_id)?,
        reason: parsed("reason", &row.reason)?,
        san_revoke_time: instant("san_revoke_us", row.san_revoke_us)?,
    };
    let origin = Origin {
        caller: row.caller,
        method: row.method,
        request_id: row.request_id,
    };
    Ok((reported, origin))
}
