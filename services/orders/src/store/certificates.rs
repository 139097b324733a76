//! Recorded certificates. After the insert only supersession, revocation and the licence record
//! change.

use std::collections::{BTreeMap, BTreeSet};

use licet_domain::{
    clock::Instant,
    ids::{AccountId, CertificateId, OrderId},
    san::San,
};
use licet_runtime::{
    all_accounts::AllAccounts,
    caller::AccountScope,
    database::Tx,
    fault::Fault,
    page::Page,
    stored::{from_json, in_scope, instant, instant_if, parsed, parsed_if, to_json},
};
use row::{ActiveModel, Column, Entity, Model};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel, Iterable,
    Order::Desc,
    QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select, Set, SqlErr,
    sea_query::{Expr, ExprTrait},
};

use super::{
    columns::{digest, stored_name},
    keys::OrderKeys,
    order_rows::order_row,
    owner::{BY_ID, LIST},
};
use crate::rules::{
    certificate::{Certificate, CertificateLifecycle, CertificateState, LicenseRecord},
    listing::CertificateFilter,
    not_found,
    order::Order,
    refund_count::ValidPeriod,
};

pub(super) mod row {
    //! A certificate recorded for an order.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "certificate")]
    pub(in crate::store) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::store) account_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::store) certificate_id: String,
        pub(in crate::store) order_id: String,
        pub(in crate::store) chain_pem: String,
        pub(in crate::store) fingerprint_sha256: Vec<u8>,
        pub(in crate::store) serial_hex: String,
        pub(in crate::store) issuer: String,
        pub(in crate::store) subject: String,
        pub(in crate::store) common_name: String,
        pub(in crate::store) key_type: String,
        pub(in crate::store) names_json: String,
        pub(in crate::store) not_before_us: i64,
        pub(in crate::store) not_after_us: i64,
        pub(in crate::store) record_us: i64,
        pub(in crate::store) superseded_us: Option<i64>,
        pub(in crate::store) revoke_us: Option<i64>,
        pub(in crate::store) to_revoke: i64,
        pub(in crate::store) san_license_id: Option<String>,
        pub(in crate::store) san_certificate_id: Option<String>,
        pub(in crate::store) sans_returned_us: Option<i64>,
        pub(in crate::store) revoke_reason: Option<String>,
        pub(in crate::store) issuer_sha256: Option<Vec<u8>>,
    }

    licet_runtime::plain_entity!(pub(in crate::store));
}

/// A certificate within the caller's scope; NOT_FOUND if there is none.
pub(crate) async fn get(
    tx: &Tx,
    scope: &AccountScope,
    id: CertificateId,
) -> Result<Certificate, Fault> {
    let reads = AllAccounts::unless_of(scope.only_account(), tx, BY_ID);
    let row = Entity::find()
        .filter(Column::CertificateId.eq(id.to_string()))
        .filter(in_scope(scope, Column::AccountId))
        .one(&reads)
        .await?;
    read(row.ok_or_else(|| not_found("certificate", id))?)
}

/// The same certificate, if the account has recorded it.
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

/// The certificates of an account with a serial number, including their chains, oldest first: one
/// per issuer, except those recorded before issuers were compared.
pub(crate) async fn list_by_serial(
    tx: &Tx,
    account_id: AccountId,
    serial_hex: &str,
) -> Result<Vec<Certificate>, Fault> {
    let rows = Entity::find()
        .filter(Column::AccountId.eq(account_id.to_string()))
        .filter(Column::SerialHex.eq(serial_hex))
        .order_by_asc(Column::RecordUs)
        .order_by_asc(Column::CertificateId)
        .all(tx)
        .await?;
    rows.into_iter().map(read).collect()
}

/// Selects certificates without their chains, which are large and needed one at a time.
pub(super) fn without_chains() -> Select<Entity> {
    let columns = Column::iter().filter(|column| !matches!(column, Column::ChainPem));
    Entity::find()
        .select_only()
        .columns(columns)
        .column_as(Expr::value(""), Column::ChainPem)
}

fn of_order(order: &Order) -> Condition {
    Condition::all()
        .add(Column::AccountId.eq(order.account_id.to_string()))
        .add(Column::OrderId.eq(order.id.to_string()))
}

/// All certificates of an order without their chains, oldest first.
pub(crate) async fn list_of(tx: &Tx, order: &Order) -> Result<Vec<Certificate>, Fault> {
    let rows = without_chains()
        .filter(of_order(order))
        .order_by_asc(Column::RecordUs)
        .order_by_asc(Column::CertificateId)
        .all(tx)
        .await?;
    rows.into_iter().map(read).collect()
}

/// The account's certificates with these ids in SanLicensing, without their chains.
pub(crate) async fn list_by_license_records(
    tx: &Tx,
    account_id: AccountId,
    san_certificate_ids: &[CertificateId],
) -> Result<Vec<Certificate>, Fault> {
    let ids = san_certificate_ids.iter().map(ToString::to_string);
    let rows = without_chains()
        .filter(Column::AccountId.eq(account_id.to_string()))
        .filter(Column::SanCertificateId.is_in(ids))
        .all(tx)
        .await?;
    rows.into_iter().map(read).collect()
}

/// A certificate that was not replaced, as its order shows it.
#[derive(Debug)]
pub(crate) struct CurrentCertificate {
    pub(crate) order_id: OrderId,
    pub(crate) id: CertificateId,
    pub(crate) lifecycle: CertificateLifecycle,
}

/// The certificates of orders that were not replaced, oldest first; at most one per order is
/// active.
pub(crate) async fn list_current(
    tx: &Tx,
    orders: &OrderKeys,
) -> Result<Vec<CurrentCertificate>, Fault> {
    let rows: Vec<(String, String, i64, Option<i64>, i64)> = Entity::find()
        .select_only()
        .columns([
            Column::OrderId,
            Column::CertificateId,
            Column::NotAfterUs,
            Column::RevokeUs,
            Column::ToRevoke,
        ])
        .filter(orders.condition(tx)?)
        .filter(Column::SupersededUs.is_null())
        .order_by_asc(Column::RecordUs)
        .order_by_asc(Column::CertificateId)
        .into_tuple()
        .all(&orders.reads(tx))
        .await?;
    rows.into_iter()
        .map(|(order_id, id, not_after_us, revoke_us, to_revoke)| {
            Ok(CurrentCertificate {
                order_id: parsed("order_id", &order_id)?,
                id: parsed("certificate_id", &id)?,
                lifecycle: CertificateLifecycle {
                    not_after: instant("not_after_us", not_after_us)?,
                    superseded_time: None,
                    revoke_time: instant_if("revoke_us", revoke_us)?,
                    to_revoke: to_revoke != 0,
                },
            })
        })
        .collect()
}

/// The valid periods of the certificates of orders, by order.
pub(crate) async fn list_valid_periods(
    tx: &Tx,
    orders: &OrderKeys,
) -> Result<BTreeMap<String, Vec<ValidPeriod>>, Fault> {
    if orders.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows: Vec<(String, i64, i64, Option<i64>)> = Entity::find()
        .select_only()
        .columns([
            Column::OrderId,
            Column::RecordUs,
            Column::NotAfterUs,
            Column::RevokeUs,
        ])
        .filter(orders.condition(tx)?)
        .into_tuple()
        .all(&orders.reads(tx))
        .await?;
    let mut found: BTreeMap<String, Vec<ValidPeriod>> = BTreeMap::new();
    for (order_id, record_us, not_after_us, revoke_us) in rows {
        found.entry(order_id).or_default().push(ValidPeriod {
            record_time: instant("record_us", record_us)?,
            not_after: instant("not_after_us", not_after_us)?,
            revoke_time: instant_if("revoke_us", revoke_us)?,
        });
    }
    Ok(found)
}

/// A page of certificates without their chains, newest first.
pub(crate) async fn list(
    tx: &Tx,
    scope: &AccountScope,
    filter: &CertificateFilter,
    page: &Page,
) -> Result<Vec<Certificate>, Fault> {
    let account_id = filter.account_id.or_else(|| scope.only_account());
    let wanted = in_scope(scope, Column::AccountId)
        .add_option(account_id.map(|id| Column::AccountId.eq(id.to_string())))
        .add_option(filter.order_id.map(|id| Column::OrderId.eq(id.to_string())))
        .add_option(filter.state.map(|state| in_state(state, page.as_of)));
    let rows = without_chains()
        .filter(wanted)
        .filter(page.rows_after(&Desc, Column::RecordUs, Column::CertificateId)?)
        .order_by_desc(Column::RecordUs)
        .order_by_desc(Column::CertificateId)
        .limit(page.limit())
        .all(&AllAccounts::unless_of(account_id, tx, LIST))
        .await?;
    rows.into_iter().map(read).collect()
}

/// The rows whose instant has come by `now`, or by their order's last decision if another
/// instance's clock was ahead (T-5). Never a row without the instant.
fn has_come(instant_us: &Expr, now: Instant) -> Condition {
    let same = |of_order, of_row| Expr::col((order_row::Entity, of_order)).equals((Entity, of_row));
    let decided = order_row::Entity::find()
        .select_only()
        .column(order_row::Column::DecisionUs)
        .filter(same(order_row::Column::AccountId, Column::AccountId))
        .filter(same(order_row::Column::OrderId, Column::OrderId))
        .into_query();
    let decided = Expr::SubQuery(None, Box::new(decided.into()));
    Condition::any()
        .add(instant_us.clone().lte(now.as_micros()))
        .add(instant_us.clone().lte(decided))
}

/// The rows in `state` at `now`; the SQL counterpart of `Certificate::state`.
fn in_state(state: CertificateState, now: Instant) -> Condition {
    let revoke_us = Expr::col((Entity, Column::RevokeUs));
    // notAfter includes its second.
    let end_us = Expr::col((Entity, Column::NotAfterUs)).add(1_000_000);
    let kept = || Condition::all().add(Column::ToRevoke.eq(0));
    let unrevoked = || {
        kept().add(
            Condition::any()
                .add(Column::RevokeUs.is_null())
                .add(has_come(&revoke_us, now).not()),
        )
    };
    let standing = || unrevoked().add(has_come(&end_us, now).not());
    match state {
        CertificateState::ToRevoke => Condition::all().add(Column::ToRevoke.eq(1)),
        CertificateState::Revoked => kept().add(has_come(&revoke_us, now)),
        CertificateState::Expired => unrevoked().add(has_come(&end_us, now)),
        CertificateState::Superseded => standing().add(Column::SupersededUs.is_not_null()),
        CertificateState::Active => standing().add(Column::SupersededUs.is_null()),
    }
}

/// Inserts a certificate. If the same one, or another of its issuer and serial, is being recorded
/// for another order of the account, waits for that and fails with contention, so that the work
/// runs again and finds it.
pub(crate) async fn insert(tx: &Tx, found: &Certificate) -> Result<(), Fault> {
    match columns(found)?.into_active_model().insert(tx).await {
        Ok(_) => Ok(()),
        Err(error) => match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(_)) => Err(Fault::Contention(error)),
            Some(_) | None => Err(error.into()),
        },
    }
}

/// Marks every certificate of an order as replaced at `now`, and as revoked from `revoke_time` on
/// unless it is revoked earlier (MD-7).
pub(crate) async fn supersede(
    tx: &Tx,
    order: &Order,
    now: Instant,
    revoke_time: Option<Instant>,
) -> Result<(), Fault> {
    if let Some(time) = revoke_time {
        // An earlier replacement may have had a later notBefore, and so set a later revocation:
        // bring it forward.
        Entity::update_many()
            .col_expr(Column::RevokeUs, Expr::value(time.as_micros()))
            .filter(of_order(order))
            .filter(Column::SupersededUs.is_not_null())
            .filter(Column::RevokeUs.gt(time.as_micros()))
            .filter(Column::NotAfterUs.gt(now.as_micros().saturating_sub(1_000_000)))
            .exec(tx)
            .await?;
    }
    Entity::update_many()
        .col_expr(Column::SupersededUs, Expr::value(now.as_micros()))
        .col_expr(
            Column::RevokeUs,
            Expr::value(revoke_time.map(Instant::as_micros)),
        )
        .filter(of_order(order))
        .filter(Column::SupersededUs.is_null())
        .filter(Column::RevokeUs.is_null())
        // An expired certificate stays expired.
        .filter(Column::NotAfterUs.gt(now.as_micros().saturating_sub(1_000_000)))
        .exec(tx)
        .await?;
    Ok(())
}

/// Revokes certificates of an account at `now`, including those that were to be revoked later, and marks them for
/// the CA to revoke.
pub(crate) async fn revoke(
    tx: &Tx,
    account_id: AccountId,
    ids: &[CertificateId],
    now: Instant,
) -> Result<(), Fault> {
    Entity::update_many()
        .set(ActiveModel {
            revoke_us: Set(Some(now.as_micros())),
            to_revoke: Set(1),
            ..Default::default()
        })
        .filter(Column::AccountId.eq(account_id.to_string()))
        .filter(Column::CertificateId.is_in(ids.iter().map(ToString::to_string)))
        .exec(tx)
        .await?;
    Ok(())
}

/// Writes since when, and why, a certificate counts as revoked.
pub(crate) async fn set_revoked(tx: &Tx, found: &Certificate) -> Result<(), Fault> {
    Entity::update_many()
        .set(ActiveModel {
            revoke_us: Set(found.revoke_time.map(Instant::as_micros)),
            revoke_reason: Set(found.revoke_reason.map(|reason| reason.as_str().to_owned())),
            to_revoke: Set(i64::from(found.to_revoke)),
            ..Default::default()
        })
        .filter(Column::AccountId.eq(found.account_id.to_string()))
        .filter(Column::CertificateId.eq(found.id.to_string()))
        .exec(tx)
        .await?;
    Ok(())
}

/// Writes the licence record of a certificate that has none.
pub(crate) async fn set_license_record(
    tx: &Tx,
    found: &Certificate,
    license_record: LicenseRecord,
) -> Result<(), Fault> {
    Entity::update_many()
        .set(ActiveModel {
            san_license_id: Set(Some(license_record.license_id.to_string())),
            san_certificate_id: Set(Some(license_record.certificate_id.to_string())),
            ..Default::default()
        })
        .filter(Column::AccountId.eq(found.account_id.to_string()))
        .filter(Column::CertificateId.eq(found.id.to_string()))
        .filter(Column::SanCertificateId.is_null())
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
        names_json: to_json("names_json", &found.names)?,
        not_before_us: found.not_before.as_micros(),
        not_after_us: found.not_after.as_micros(),
        record_us: found.record_time.as_micros(),
        superseded_us: found.superseded_time.map(Instant::as_micros),
        revoke_us: found.revoke_time.map(Instant::as_micros),
        to_revoke: i64::from(found.to_revoke),
        san_license_id: found
            .license_record
            .map(|record| record.license_id.to_string()),
        san_certificate_id: found
            .license_record
            .map(|record| record.certificate_id.to_string()),
        sans_returned_us: None,
        revoke_reason: found.revoke_reason.map(|reason| reason.as_str().to_owned()),
        issuer_sha256: found.issuer_sha256.map(|digest| digest.to_vec()),
    })
}

pub(super) fn read(row: Model) -> Result<Certificate, Fault> {
    let license_record = match (&row.san_license_id, &row.san_certificate_id) {
        (Some(license_id), Some(certificate_id)) => Some(LicenseRecord {
            license_id: parsed("san_license_id", license_id)?,
            certificate_id: parsed("san_certificate_id", certificate_id)?,
        }),
        (_, _) => None,
    };
    let names: BTreeSet<San> = from_json("names_json", &row.names_json)?;
    let issuer_sha256 = row.issuer_sha256.as_deref();
    let issuer_sha256 = issuer_sha256.map(|bytes| digest("issuer_sha256", bytes));
    Ok(Certificate {
        id: parsed("certificate_id", &row.certificate_id)?,
        account_id: parsed("account_id", &row.account_id)?,
        order_id: parsed("order_id", &row.order_id)?,
        chain_pem: row.chain_pem,
        fingerprint_sha256: digest("fingerprint_sha256", &row.fingerprint_sha256)?,
        issuer_sha256: issuer_sha256.transpose()?,
        serial_hex: row.serial_hex,
        issuer: row.issuer,
        subject: row.subject,
        common_name: stored_name("common_name", &row.common_name)?,
        key_type: row.key_type,
        names,
        not_before: instant("not_before_us", row.not_before_us)?,
        not_after: instant("not_after_us", row.not_after_us)?,
        record_time: instant("record_us", row.record_us)?,
        superseded_time: instant_if("superseded_us", row.superseded_us)?,
        revoke_time: instant_if("revoke_us", row.revoke_us)?,
        revoke_reason: parsed_if("revoke_reason", row.revoke_reason.as_deref())?,
        to_revoke: row.to_revoke != 0,
        license_record,
    })
}
