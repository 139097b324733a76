//! Stores and finds certificates.

use std::collections::HashMap;

use licet_domain::{
    clock::Instant,
    ids::{AccountId, CertificateId, LicenseId, ProductId, ReservationId},
    revocation::RevocationReason,
};
use licet_runtime::{
    all_accounts::AllAccounts,
    caller::AccountScope,
    database::Tx,
    fault::Fault,
    page::Page,
    stored::{in_scope, instant, instant_if, parsed, parsed_if},
};
use row::{Column, Entity, Model};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, Order,
    QueryFilter, QueryOrder, QuerySelect, Statement, sea_query,
};

use super::{
    query::{Query, Rows, insert, sql},
    san_lists::{join_sans, split_sans},
    sans::{
        self, CountedCertificate,
        row::{Column as SanColumn, Entity as SanEntity},
    },
};
use crate::rules::{
    certificate::{Certificate, CertificateKey, CertificateState, EarlyRevocation},
    filters::CertificateFilter,
    license::KeyType,
};

mod row {
    //! A recorded certificate.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "certificate")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) account_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) certificate_id: String,
        pub(super) license_id: Option<String>,
        pub(super) issuer_sha256: String,
        pub(super) serial_hex: String,
        pub(super) product_id: String,
        pub(super) key_type: Option<String>,
        pub(super) names: String,
        pub(super) not_before_us: i64,
        pub(super) not_after_us: i64,
        pub(super) record_us: i64,
        pub(super) until_us: i64,
        pub(super) revoke_us: Option<i64>,
        pub(super) revoke_reason: Option<String>,
        pub(super) ca_revoke_us: Option<i64>,
        pub(super) allocate_us: Option<i64>,
        pub(super) reservation_id: Option<String>,
    }

    licet_runtime::plain_entity!(pub(super));
}

/// All columns, for hand-written statements.
pub(super) const COLUMNS: &str = "certificate.account_id, certificate.certificate_id, \
    certificate.license_id, certificate.issuer_sha256, certificate.serial_hex, \
    certificate.product_id, certificate.key_type, certificate.names, certificate.not_before_us, \
    certificate.not_after_us, certificate.record_us, certificate.until_us, certificate.revoke_us, \
    certificate.revoke_reason, certificate.ca_revoke_us, certificate.allocate_us, \
    certificate.reservation_id";

impl TryFrom<Model> for Certificate {
    type Error = Fault;

    fn try_from(row: Model) -> Result<Self, Fault> {
        Ok(Self {
            id: parsed("certificate_id", &row.certificate_id)?,
            license_id: parsed_if("license_id", row.license_id.as_deref())?,
            key: CertificateKey {
                account_id: parsed::<AccountId>("account_id", &row.account_id)?,
                issuer_sha256: row.issuer_sha256,
                serial_hex: row.serial_hex,
            },
            product_id: parsed::<ProductId>("product_id", &row.product_id)?,
            key_type: parsed_if::<KeyType>("key_type", row.key_type.as_deref())?,
            sans: split_sans(&row.names),
            not_before: instant("not_before_us", row.not_before_us)?,
            not_after: instant("not_after_us", row.not_after_us)?,
            record_time: instant("record_us", row.record_us)?,
            until: instant("until_us", row.until_us)?,
            revoke_time: instant_if("revoke_us", row.revoke_us)?,
            revoke_reason: parsed_if::<RevocationReason>(
                "revoke_reason",
                row.revoke_reason.as_deref(),
            )?,
            ca_revoke_time: instant_if("ca_revoke_us", row.ca_revoke_us)?,
            allocate_time: instant_if("allocate_us", row.allocate_us)?,
            reservation_id: parsed_if("reservation_id", row.reservation_id.as_deref())?,
        })
    }
}

/// The records under some keys.
#[derive(Debug, Default)]
pub(crate) struct FoundByKey {
    pub(crate) certificates: HashMap<CertificateKey, Certificate>,
    /// Revocations that arrived before their certificates (SL-15).
    pub(crate) early: HashMap<CertificateKey, EarlyRevocation>,
}

/// Finds the certificates under some keys, and the revocations that arrived before their certificates.
pub(crate) async fn find_by_key(
    connection: &impl ConnectionTrait,
    keys: &[&CertificateKey],
) -> Result<FoundByKey, Fault> {
    #[derive(FromQueryResult)]
    struct Early {
        account_id: String,
        issuer_sha256: String,
        serial_hex: String,
        revoke_reason: String,
        ca_revoke_us: Option<i64>,
    }
    let query = Query::on(connection)
        .part("certificate_columns", COLUMNS)
        .rows("wanted", key_rows(keys, |key| key));
    let query = query.statement(include_str!("sql/find_certificates.sql"))?;
    let mut found = FoundByKey::default();
    for row in connection.query_all_raw(query).await? {
        let id = row.try_get::<Option<String>>("", "certificate_id")?;
        if id.is_some() {
            let certificate = Certificate::try_from(Model::from_query_result(&row, "")?)?;
            found
                .certificates
                .insert(certificate.key.clone(), certificate);
        } else {
            let row = Early::from_query_result(&row, "")?;
            let key = CertificateKey {
                account_id: parsed("account_id", &row.account_id)?,
                issuer_sha256: row.issuer_sha256,
                serial_hex: row.serial_hex,
            };
            let revocation = EarlyRevocation {
                reason: parsed("reason", &row.revoke_reason)?,
                ca_time: instant_if("ca_revoke_us", row.ca_revoke_us)?,
            };
            found.early.insert(key, revocation);
        }
    }
    Ok(found)
}

/// Finds certificates by their accounts and ids.
pub(crate) async fn find_by_id(
    tx: &Tx,
    ids: &[(AccountId, CertificateId)],
) -> Result<HashMap<CertificateId, Certificate>, Fault> {
    let wanted = Rows::of(ids)
        .text("account_id", |(account_id, _)| account_id)
        .text("certificate_id", |(_, id)| id);
    let query = Query::on(tx)
        .part("certificate_columns", COLUMNS)
        .rows("wanted", wanted);
    let query = query.statement(include_str!("sql/find_certificates_by_id.sql"))?;
    let certificates = read(tx, query).await?;
    Ok(certificates
        .into_iter()
        .map(|certificate| (certificate.id, certificate))
        .collect())
}

/// The certificates that a statement selects.
pub(super) async fn read(tx: &Tx, query: Statement) -> Result<Vec<Certificate>, Fault> {
    let rows = Model::find_by_statement(query).all(tx).await?;
    rows.into_iter().map(Certificate::try_from).collect()
}

/// The licences of an account that may count a certificate.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CoveringLicenses {
    /// The active one that holds its product (SL-20).
    pub(crate) by_product: Option<LicenseId>,
    /// The one that its reservation was granted under, in any state.
    pub(crate) by_reservation: Option<LicenseId>,
    /// Whether that one is active.
    pub(crate) reservation_runs: bool,
}

/// The data of a certificate by which its licence is looked up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CoverageQuery<'a> {
    pub(crate) account_id: AccountId,
    pub(crate) product_id: &'a ProductId,
    pub(crate) reservation_id: Option<ReservationId>,
    pub(crate) now: Instant,
}

impl<'a> CoverageQuery<'a> {
    /// Looks up the licence of a certificate as of `now`.
    pub(crate) fn of(certificate: &'a Certificate, now: Instant) -> Self {
        Self {
            account_id: certificate.key.account_id,
            product_id: &certificate.product_id,
            reservation_id: certificate.reservation_id,
            now,
        }
    }
}

/// Finds the licences for the products and reservations of certificates, each as of its own instant, in the
/// order of `wanted`. An ended licence covers nothing (SL-16).
pub(crate) async fn find_covering(
    connection: &impl ConnectionTrait,
    wanted: &[CoverageQuery<'_>],
) -> Result<Vec<CoveringLicenses>, Fault> {
    #[derive(FromQueryResult)]
    struct Row {
        position: i64,
        is_reserved: bool,
        license_id: String,
        is_active: bool,
    }
    let numbered: Vec<_> = (0..).zip(wanted).collect();
    let rows = Rows::of(&numbered)
        .long("position", |(position, _)| *position)
        .text("account_id", |(_, wanted)| wanted.account_id)
        .text("product_id", |(_, wanted)| wanted.product_id.as_str())
        .optional_text("reservation_id", |(_, wanted)| {
            wanted.reservation_id.map(|id| id.uuid())
        })
        .long("now_us", |(_, wanted)| wanted.now.as_micros());
    let query = Query::on(connection).rows("wanted", rows);
    let query = query.statement_of(sql!("find_covering"))?;
    let mut covering = vec![CoveringLicenses::default(); wanted.len()];
    for row in Row::find_by_statement(query).all(connection).await? {
        let found = usize::try_from(row.position).ok();
        let found = found.and_then(|position| covering.get_mut(position));
        let found = found.ok_or_else(|| {
            Fault::internal("the lookup of licences returned a row for no certificate")
        })?;
        let license_id = Some(parsed("license_id", &row.license_id)?);
        if row.is_reserved {
            found.by_reservation = license_id;
            found.reservation_runs = row.is_active;
        } else {
            found.by_product = license_id;
        }
    }
    Ok(covering)
}

/// A certificate to be inserted or changed, and the version of its licence's fence.
pub(crate) type Versioned = (Certificate, i64);

/// Inserts certificates.
pub(crate) async fn insert_all(tx: &Tx, certificates: &[Versioned]) -> Result<(), Fault> {
    let rows = key_rows(certificates, |(certificate, _)| &certificate.key)
        .text("certificate_id", |(certificate, _)| certificate.id)
        .optional_text("license_id", |(certificate, _)| certificate.license_id)
        .long("version", |(_, version)| *version)
        .text("product_id", |(certificate, _)| {
            certificate.product_id.as_str()
        })
        .optional_text("key_type", |(certificate, _)| {
            certificate.key_type.map(KeyType::as_str)
        })
        .string("names", |(certificate, _)| join_sans(&certificate.sans))
        .long("not_before_us", |(certificate, _)| {
            certificate.not_before.as_micros()
        })
        .long("not_after_us", |(certificate, _)| {
            certificate.not_after.as_micros()
        })
        .long("record_us", |(certificate, _)| {
            certificate.record_time.as_micros()
        })
        .long("until_us", |(certificate, _)| certificate.until.as_micros())
        .optional_text("reservation_id", |(certificate, _)| {
            certificate.reservation_id
        });
    insert(tx, "certificate", rows).await?;
    let each = certificates.iter().map(|(certificate, _)| certificate);
    let counted: Vec<_> = each
        .filter_map(|certificate| CountedCertificate::from(certificate, certificate.record_time))
        .collect();
    sans::insert_all(tx, &counted).await
}

/// Revokes certificates.
pub(crate) async fn revoke(tx: &Tx, revoked: &[Versioned]) -> Result<(), Fault> {
    // A revoked certificate always has its time.
    let time = |certificate: &Certificate| certificate.revoke_time.unwrap_or(certificate.until);
    let rows = Rows::of(revoked)
        .text("account_id", |(certificate, _)| certificate.key.account_id)
        .text("certificate_id", |(certificate, _)| certificate.id)
        .long("version", |(_, version)| *version)
        .long("revoke_us", |(certificate, _)| {
            time(certificate).as_micros()
        })
        .optional_text("revoke_reason", |(certificate, _)| {
            certificate.revoke_reason.map(RevocationReason::as_str)
        })
        .optional_long("ca_revoke_us", |(certificate, _)| {
            certificate.ca_revoke_time.map(Instant::as_micros)
        });
    let query = Query::on(tx).rows("revoked", rows);
    let query = query.statement_of(sql!("revoke_certificates"))?;
    tx.execute_raw(query).await?;
    let each = revoked.iter().map(|(certificate, _)| certificate);
    let ended: Vec<_> = each
        .filter_map(|certificate| CountedCertificate::from(certificate, time(certificate)))
        .collect();
    sans::end_all(tx, &ended).await
}

/// Corrects the products of unallocated certificates (SL-14).
///
/// # Errors
/// [`Fault::Contention`] if one was allocated since it was read.
pub(crate) async fn correct_products(tx: &Tx, corrected: &[Certificate]) -> Result<(), Fault> {
    let rows = Rows::of(corrected)
        .text("account_id", |certificate| certificate.key.account_id)
        .text("certificate_id", |certificate| certificate.id)
        .text("product_id", |certificate| certificate.product_id.as_str());
    let query = Query::on(tx).rows("corrected", rows);
    let query = query.statement(include_str!("sql/correct_products.sql"))?;
    let updated = tx.execute_raw(query).await?.rows_affected();
    if usize::try_from(updated) != Ok(corrected.len()) {
        return Err(Fault::Contention(DbErr::RecordNotUpdated));
    }
    Ok(())
}

/// Rows with the columns of certificate keys.
pub(super) fn key_rows<'a, T>(
    items: &'a [T],
    key: impl Fn(&'a T) -> &'a CertificateKey,
) -> Rows<'a, T> {
    Rows::of(items)
        .text("account_id", |item| key(item).account_id)
        .text("issuer_sha256", |item| &key(item).issuer_sha256)
        .text("serial_hex", |item| &key(item).serial_hex)
}

/// A page of certificates, newest first.
pub(crate) async fn list(
    tx: &Tx,
    account_id: AccountId,
    filter: &CertificateFilter,
    page: &Page,
) -> Result<Vec<Certificate>, Fault> {
    let (of_account, license_id) = (account_id.to_string(), filter.license_id.to_string());
    let mut wanted = Condition::all()
        .add(Column::AccountId.eq(&of_account))
        .add(Column::LicenseId.eq(&license_id));
    if let Some(san) = &filter.san {
        let holders = sea_query::Query::select()
            .column(SanColumn::CertificateId)
            .from(SanEntity)
            .and_where(SanColumn::AccountId.eq(&of_account))
            .and_where(SanColumn::LicenseId.eq(&license_id))
            .and_where(SanColumn::Name.eq(san.as_ref()))
            .to_owned();
        wanted = wanted.add(Column::CertificateId.in_subquery(holders));
    }
    let until_before = filter.until_before.map(Instant::as_micros);
    let wanted = wanted
        .add_option(filter.state.map(|state| in_state(state, page.as_of)))
        .add_option(until_before.map(|before| Column::UntilUs.lt(before)));
    read_page(tx, wanted, Some(account_id), page).await
}

/// A page of the `wanted` certificates, which are those of an account, if one is given.
async fn read_page(
    tx: &Tx,
    wanted: Condition,
    account_id: Option<AccountId>,
    page: &Page,
) -> Result<Vec<Certificate>, Fault> {
    let rows = Entity::find()
        .filter(wanted)
        .filter(page.rows_after(&Order::Desc, Column::RecordUs, Column::CertificateId)?)
        .order_by_desc(Column::RecordUs)
        .order_by_desc(Column::CertificateId)
        .limit(page.limit())
        .all(&AllAccounts::unless_of(
            account_id,
            tx,
            "a list of certificates",
        ))
        .await?;
    rows.into_iter().map(Certificate::try_from).collect()
}

/// A page of unallocated certificates of the accounts in scope, newest first.
pub(crate) async fn list_unallocated(
    tx: &Tx,
    scope: &AccountScope,
    account_id: Option<AccountId>,
    page: &Page,
) -> Result<Vec<Certificate>, Fault> {
    let of_account = account_id.map(|id| Column::AccountId.eq(id.to_string()));
    let wanted = in_scope(scope, Column::AccountId)
        .add(Column::LicenseId.is_null())
        .add_option(of_account);
    read_page(tx, wanted, account_id.or(scope.only_account()), page).await
}

/// The rows in `state` at `now`. Must agree with `Certificate::state`.
fn in_state(state: CertificateState, now: Instant) -> Condition {
    let micros = now.as_micros();
    let unrevoked = || {
        Condition::all().add(
            Condition::any()
                .add(Column::RevokeUs.is_null())
                .add(Column::RevokeUs.gt(micros)),
        )
    };
    match state {
        CertificateState::Revoked => Condition::all().add(Column::RevokeUs.lte(micros)),
        CertificateState::Expired => unrevoked().add(Column::UntilUs.lte(micros)),
        CertificateState::Active => unrevoked().add(Column::UntilUs.gt(micros)),
    }
}
