//! Recorded certificates. Their own facts are written once; what changes is from when on they
//! count as superseded or revoked.

use std::collections::BTreeSet;

use licet_domain::{
    clock::Instant,
    ids::{AccountId, CertificateId, OrderId},
    refusal::{Reason, Refusal},
    san::San,
};
use licet_runtime::{caller::AccountScope, database::Tx, fault::Fault, page::Page};
use row::{ActiveModel, Column, Entity, Model};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, Set, sea_query::Expr,
};

use super::{
    after_instant, digest, from_json, in_scope, instant, optional_instant, parsed, stored_name,
    to_json,
};
use crate::rules::{
    certificate::{Certificate, CertificateState},
    listing::CertificateFilter,
};

mod row {
    //! A certificate recorded for an order.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "certificate")]
    pub(super) struct Model {
        pub(super) account_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) certificate_id: String,
        pub(super) order_id: String,
        pub(super) chain_pem: String,
        pub(super) fingerprint_sha256: Vec<u8>,
        pub(super) serial_hex: String,
        pub(super) issuer: String,
        pub(super) subject: String,
        pub(super) common_name: String,
        pub(super) key_type: String,
        pub(super) names_json: String,
        pub(super) not_before_us: i64,
        pub(super) not_after_us: i64,
        pub(super) record_us: i64,
        pub(super) superseded_us: Option<i64>,
        pub(super) revoke_us: Option<i64>,
        pub(super) to_revoke: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A certificate that the caller sees.
pub(crate) async fn find(
    tx: &Tx,
    scope: &AccountScope,
    id: CertificateId,
) -> Result<Option<Certificate>, Fault> {
    Entity::find_by_id(id.to_string())
        .filter(in_scope(scope, Column::AccountId))
        .one(tx)
        .await?
        .map(read)
        .transpose()
}

/// As [`find`]; NOT_FOUND when there is none.
pub(crate) async fn get(
    tx: &Tx,
    scope: &AccountScope,
    id: CertificateId,
) -> Result<Certificate, Fault> {
    find(tx, scope, id).await?.ok_or_else(|| {
        Refusal::new(Reason::NotFound, format!("there is no certificate {id}"))
            .with("resource", "certificate")
            .with("id", id)
            .into()
    })
}

/// The very same certificate, if the account has it already.
pub(crate) async fn find_same(
    tx: &Tx,
    account_id: AccountId,
    fingerprint_sha256: &[u8; 32],
) -> Result<Option<Certificate>, Fault> {
    Entity::find()
        .filter(Column::AccountId.eq(account_id.to_string()))
        .filter(Column::FingerprintSha256.eq(fingerprint_sha256.to_vec()))
        .one(tx)
        .await?
        .map(read)
        .transpose()
}

/// All certificates of an order, oldest first.
pub(crate) async fn list_of(tx: &Tx, order_id: OrderId) -> Result<Vec<Certificate>, Fault> {
    let rows = Entity::find()
        .filter(Column::OrderId.eq(order_id.to_string()))
        .order_by_asc(Column::RecordUs)
        .order_by_asc(Column::CertificateId)
        .all(tx)
        .await?;
    rows.into_iter().map(read).collect()
}

/// The certificates of some orders that were not replaced, oldest first: one per order at most
/// is there to be installed.
pub(crate) async fn list_current(tx: &Tx, order_ids: &[String]) -> Result<Vec<Certificate>, Fault> {
    let rows = Entity::find()
        .filter(Column::OrderId.is_in(order_ids))
        .filter(Column::SupersededUs.is_null())
        .order_by_asc(Column::RecordUs)
        .order_by_asc(Column::CertificateId)
        .all(tx)
        .await?;
    rows.into_iter().map(read).collect()
}

/// The certificates of a page, newest first.
pub(crate) async fn list(
    tx: &Tx,
    scope: &AccountScope,
    filter: &CertificateFilter,
    page: &Page,
) -> Result<Vec<Certificate>, Fault> {
    let mut wanted = in_scope(scope, Column::AccountId)
        .add_option(
            filter
                .account_id
                .map(|id| Column::AccountId.eq(id.to_string())),
        )
        .add_option(filter.order_id.map(|id| Column::OrderId.eq(id.to_string())))
        .add_option(filter.state.map(|state| in_state(state, page.as_of)));
    if let Some((micros, id)) = after_instant(page.after.as_deref())? {
        wanted = wanted.add(
            Condition::any().add(Column::RecordUs.lt(micros)).add(
                Condition::all()
                    .add(Column::RecordUs.eq(micros))
                    .add(Column::CertificateId.lt(id)),
            ),
        );
    }
    let rows = Entity::find()
        .filter(wanted)
        .order_by_desc(Column::RecordUs)
        .order_by_desc(Column::CertificateId)
        .limit(page.limit())
        .all(tx)
        .await?;
    rows.into_iter().map(read).collect()
}

/// The rows that count as `state` at `now`; says in SQL what `Certificate::state` says.
fn in_state(state: CertificateState, now: Instant) -> Condition {
    let micros = now.as_micros();
    // notAfter is inclusive to its second.
    let last_us = micros.saturating_sub(1_000_000);
    let kept = || Condition::all().add(Column::ToRevoke.eq(0));
    let unrevoked = || {
        kept().add(
            Condition::any()
                .add(Column::RevokeUs.is_null())
                .add(Column::RevokeUs.gt(micros)),
        )
    };
    let standing = || unrevoked().add(Column::NotAfterUs.gt(last_us));
    match state {
        CertificateState::ToRevoke => Condition::all().add(Column::ToRevoke.eq(1)),
        CertificateState::Revoked => kept().add(Column::RevokeUs.lte(micros)),
        CertificateState::Expired => unrevoked().add(Column::NotAfterUs.lte(last_us)),
        CertificateState::Superseded => standing().add(Column::SupersededUs.is_not_null()),
        CertificateState::Active => standing().add(Column::SupersededUs.is_null()),
    }
}

/// Writes a certificate.
pub(crate) async fn insert(tx: &Tx, found: &Certificate) -> Result<(), Fault> {
    columns(found)?.into_active_model().insert(tx).await?;
    Ok(())
}

/// Marks every certificate of an order as replaced at `now`, and as revoked from `revoke_time` on
/// where it is not revoked earlier (MD-7).
pub(crate) async fn supersede(
    tx: &Tx,
    order_id: OrderId,
    now: Instant,
    revoke_time: Option<Instant>,
) -> Result<(), Fault> {
    Entity::update_many()
        .col_expr(Column::SupersededUs, Expr::value(now.as_micros()))
        .col_expr(
            Column::RevokeUs,
            Expr::value(revoke_time.map(Instant::as_micros)),
        )
        .filter(Column::OrderId.eq(order_id.to_string()))
        .filter(Column::SupersededUs.is_null())
        .filter(Column::RevokeUs.is_null())
        // What has expired stays expired.
        .filter(Column::NotAfterUs.gt(now.as_micros().saturating_sub(1_000_000)))
        .exec(tx)
        .await?;
    Ok(())
}

/// Makes some certificates count as revoked from `now` on, those too that were to be later, and
/// marks them for the CA to revoke.
pub(crate) async fn revoke(tx: &Tx, ids: &[CertificateId], now: Instant) -> Result<(), Fault> {
    Entity::update_many()
        .set(ActiveModel {
            revoke_us: Set(Some(now.as_micros())),
            to_revoke: Set(1),
            ..Default::default()
        })
        .filter(Column::CertificateId.is_in(ids.iter().map(ToString::to_string)))
        .exec(tx)
        .await?;
    Ok(())
}

fn columns(found: &Certificate) -> Result<Model, Fault> {
    Ok(Model {
        account_id: found.account_id.to_string(),
        certificate_id: found.id.to_string(),
        order_id: found.order_id.to_string(),
        chain_pem: found.chain_pem.clone(),
        fingerprint_sha256: found.fingerprint_sha256.to_vec(),
        serial_hex: found.serial_hex.clone(),
        issuer: found.issuer.clone(),
        subject: found.subject.clone(),
        common_name: found.common_name.value().to_owned(),
        key_type: found.key_type.clone(),
        names_json: to_json(&found.names)?,
        not_before_us: found.not_before.as_micros(),
        not_after_us: found.not_after.as_micros(),
        record_us: found.record_time.as_micros(),
        superseded_us: found.superseded_time.map(Instant::as_micros),
        revoke_us: found.revoke_time.map(Instant::as_micros),
        to_revoke: i64::from(found.to_revoke),
    })
}

fn read(row: Model) -> Result<Certificate, Fault> {
    let names: BTreeSet<San> = from_json(&row.names_json)?;
    Ok(Certificate {
        id: parsed(&row.certificate_id)?,
        account_id: parsed(&row.account_id)?,
        order_id: parsed(&row.order_id)?,
        chain_pem: row.chain_pem,
        fingerprint_sha256: digest(&row.fingerprint_sha256)?,
        serial_hex: row.serial_hex,
        issuer: row.issuer,
        subject: row.subject,
        common_name: stored_name(&row.common_name)?,
        key_type: row.key_type,
        names,
        not_before: instant(row.not_before_us)?,
        not_after: instant(row.not_after_us)?,
        record_time: instant(row.record_us)?,
        superseded_time: optional_instant(row.superseded_us)?,
        revoke_time: optional_instant(row.revoke_us)?,
        to_revoke: row.to_revoke != 0,
    })
}
