//! Licences, and which licence holds a product of an account (SL-20). A licence is locked by its fence:
//! every change moves the fence first.

use std::collections::{BTreeSet, HashMap};

use licet_domain::{
    clock::Instant,
    ids::{AccountId, LicenseId, ProductId},
};
use licet_runtime::{
    all_accounts::AllAccounts,
    caller::AccountScope,
    database::Tx,
    fault::Fault,
    page::Page,
    stored::{from_json, in_scope, instant, instant_if, parsed, to_json},
};
use row::{Column, Entity, Model};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel,
    Order::Desc,
    QueryFilter, QueryOrder, QuerySelect, Set,
    sea_query::{Expr, OnConflict, Query},
};

use super::{
    fences::{self, LockedMove, license_rows},
    query,
    terms::{self, LicenseTerms},
};
use crate::rules::{
    filters::LicenseFilter,
    license::{License, LicenseKey, LicenseProgress, LicenseState},
    not_found,
};

mod row {
    //! A licence. `start_us` is the start of its first term, `end_us` the end of its last.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "license")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) account_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) license_id: String,
        pub(super) progress: String,
        pub(super) products_json: String,
        pub(super) asked_start_us: Option<i64>,
        pub(super) start_us: i64,
        pub(super) end_us: i64,
        pub(super) renewing: i64,
        pub(super) valid_until_us: i64,
        pub(super) cancel_us: Option<i64>,
        pub(super) invoices_json: String,
        pub(super) revision: i64,
        pub(super) create_us: i64,
        pub(super) decision_us: i64,
    }

    licet_runtime::plain_entity!(pub(super));
}

mod product_row {
    //! The licence that holds a product of an account.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "license_product")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) account_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) product_id: String,
        pub(super) license_id: String,
    }

    licet_runtime::plain_entity!(pub(super));
}

pub(super) fn unsigned(column: &str, number: i64) -> Result<u64, Fault> {
    u64::try_from(number).map_err(|_| {
        Fault::internal(format!(
            "column {column} holds {number}, which is not a count"
        ))
    })
}

pub(super) fn signed(column: &str, number: u64) -> Result<i64, Fault> {
    i64::try_from(number).map_err(|_| {
        Fault::internal(format!(
            "column {column} cannot hold {number}: it is too large"
        ))
    })
}

fn read(row: &Model, terms: LicenseTerms) -> Result<License, Fault> {
    let (first, renewals) = terms;
    Ok(License {
        id: parsed("license_id", &row.license_id)?,
        account_id: parsed("account_id", &row.account_id)?,
        progress: parsed("progress", &row.progress)?,
        products: from_json("products_json", &row.products_json)?,
        asked_start: instant_if("asked_start_us", row.asked_start_us)?,
        first,
        renewals,
        renewing: row.renewing != 0,
        valid_until: instant("valid_until_us", row.valid_until_us)?,
        invoices: from_json("invoices_json", &row.invoices_json)?,
        cancel_time: instant_if("cancel_us", row.cancel_us)?,
        revision: unsigned("revision", row.revision)?,
        create_time: instant("create_us", row.create_us)?,
        decision_time: instant("decision_us", row.decision_us)?,
    })
}

/// Reads licences with their terms, in the order of the rows.
async fn read_all(tx: &Tx, rows: Vec<Model>) -> Result<Vec<License>, Fault> {
    let keys: Vec<_> = rows.iter().map(key).collect::<Result<_, _>>()?;
    let mut terms = terms::find(tx, &keys).await?;
    rows.iter()
        .map(|row| {
            let terms = terms.remove(&row.license_id);
            let terms = terms.ok_or_else(|| {
                Fault::internal(format!("licence {} has no term", row.license_id))
            })?;
            read(row, terms)
        })
        .collect()
}

fn columns(license: &License) -> Result<Model, Fault> {
    Ok(Model {
        account_id: license.account_id.to_string(),
        license_id: license.id.to_string(),
        progress: license.progress.as_str().to_owned(),
        products_json: to_json("products_json", &license.products)?,
        asked_start_us: license.asked_start.map(Instant::as_micros),
        start_us: license.first.term.start().as_micros(),
        end_us: license.end().as_micros(),
        renewing: license.renewing.into(),
        valid_until_us: license.valid_until.as_micros(),
        invoices_json: to_json("invoices_json", &license.invoices)?,
        cancel_us: license.cancel_time.map(Instant::as_micros),
        revision: signed("revision", license.revision)?,
        create_us: license.create_time.as_micros(),
        decision_us: license.decision_time.as_micros(),
    })
}

fn key(row: &Model) -> Result<LicenseKey, Fault> {
    Ok(LicenseKey {
        account_id: parsed("account_id", &row.account_id)?,
        id: parsed("license_id", &row.license_id)?,
    })
}

/// The rows with some ids: requests name a licence by its id alone. The only look-up without an account.
async fn find_rows(
    connection: &impl ConnectionTrait,
    ids: &[LicenseId],
) -> Result<Vec<Model>, Fault> {
    let reads = AllAccounts::new(connection, "a licence is named by its id alone");
    let found = Entity::find().filter(Column::LicenseId.is_in(ids.iter().map(ToString::to_string)));
    Ok(found.all(&reads).await?)
}

/// The keys of licences. Leaves out those that do not exist.
pub(crate) async fn find_keys(
    connection: &impl ConnectionTrait,
    ids: &[LicenseId],
) -> Result<Vec<LicenseKey>, Fault> {
    let rows = find_rows(connection, ids).await?;
    rows.iter().map(key).collect()
}

/// The key of a licence that the caller may see; NOT_FOUND if there is none. Not looked up for a caller of one
/// account: its licence may not exist.
async fn find_key(tx: &Tx, scope: &AccountScope, id: LicenseId) -> Result<LicenseKey, Fault> {
    if let Some(account_id) = scope.only_account() {
        return Ok(LicenseKey { account_id, id });
    }
    // The transaction's first statement is to be the lock.
    let found = find_keys(tx.before()?, &[id]).await?;
    let mut seen = found.into_iter().filter(|key| scope.sees(key.account_id));
    Ok(seen.next().ok_or_else(|| not_found("license", id))?)
}

/// Finds licences, without regard to the caller. Leaves out those that do not exist.
pub(crate) async fn find_all(
    tx: &Tx,
    licenses: &[LicenseKey],
) -> Result<HashMap<LicenseId, License>, Fault> {
    let query = query::Query::on(tx).rows("licenses", license_rows(licenses));
    let query = query.statement(include_str!("sql/find_licenses.sql"))?;
    let rows = Entity::find().from_raw_sql(query).all(tx).await?;
    let licenses = read_all(tx, rows).await?;
    Ok(licenses
        .into_iter()
        .map(|license| (license.id, license))
        .collect())
}

/// A licence that the caller may see, not locked; NOT_FOUND if there is none.
pub(crate) async fn get(tx: &Tx, scope: &AccountScope, id: LicenseId) -> Result<License, Fault> {
    let mut rows = match scope.only_account() {
        Some(account_id) => {
            let key = (account_id.to_string(), id.to_string());
            Entity::find_by_id(key).all(tx).await?
        }
        None => find_rows(tx, &[id]).await?,
    };
    let is_seen = |row: &Model| key(row).is_ok_and(|key| scope.sees(key.account_id));
    rows.retain(is_seen);
    let mut found = read_all(tx, rows).await?;
    Ok(found.pop().ok_or_else(|| not_found("license", id))?)
}

/// As [`get`], and locks the licence against changes and decisions. Also returns the decision time of a
/// request accepted at `clock`: no earlier than the last decision (T-5).
pub(crate) async fn lock(
    tx: &Tx,
    scope: &AccountScope,
    id: LicenseId,
    clock: Instant,
) -> Result<(License, Instant), Fault> {
    let key = find_key(tx, scope, id).await?;
    // Always lock the fence first: decisions under the licence wait for it.
    let fences = fences::move_on(tx, &[LockedMove::new(key, clock)]).await?;
    let license = get(tx, &key.account_id.into(), id).await?;
    let as_of = fences.iter().map(|fence| fence.as_of).max();
    let now = license.decide_at(as_of.unwrap_or(clock));
    Ok((license, now))
}

/// A page of licences, newest first.
pub(crate) async fn list(
    tx: &Tx,
    scope: &AccountScope,
    filter: &LicenseFilter,
    page: &Page,
) -> Result<Vec<License>, Fault> {
    let account_id = filter.account_id.or(scope.only_account());
    let of_account = filter
        .account_id
        .map(|id| Column::AccountId.eq(id.to_string()));
    let now_us = page.as_of.as_micros();
    let wanted = in_scope(scope, Column::AccountId)
        .add_option(of_account)
        .add_option(filter.state.map(|state| in_state(state, now_us)));
    let rows = Entity::find()
        .filter(wanted)
        .filter(page.rows_after(&Desc, Column::CreateUs, Column::LicenseId)?)
        .order_by_desc(Column::CreateUs)
        .order_by_desc(Column::LicenseId)
        .limit(page.limit())
        .all(&AllAccounts::unless_of(
            account_id,
            tx,
            "a list of licences",
        ))
        .await?;
    read_all(tx, rows).await
}

/// The rows in a state at an instant. A licence ends by time alone.
fn in_state(state: LicenseState, now_us: i64) -> Condition {
    let at =
        |progress: LicenseProgress| Condition::all().add(Column::Progress.eq(progress.as_str()));
    // By the clock, or by the last decision under the licence if another instance's clock was ahead (T-5).
    let over = || {
        Condition::any()
            .add(Column::EndUs.lte(now_us))
            .add(Expr::cust(
                "end_us <= (SELECT as_of_us FROM license_fence \
             WHERE license_fence.account_id = license.account_id \
             AND license_fence.license_id = license.license_id)",
            ))
    };
    match state {
        LicenseState::Quoted => at(LicenseProgress::Quoted),
        LicenseState::Accepting => at(LicenseProgress::Accepting),
        LicenseState::Active => at(LicenseProgress::Active).add(over().not()),
        LicenseState::Ended => at(LicenseProgress::Active).add(over()),
        LicenseState::Cancelled => at(LicenseProgress::Cancelled),
    }
}

/// Inserts a licence with its fence.
pub(crate) async fn insert(tx: &Tx, license: &License) -> Result<(), Fault> {
    columns(license)?.into_active_model().insert(tx).await?;
    terms::save(tx, license).await?;
    fences::open(tx, license.key(), license.decision_time).await
}

/// Updates a licence read by [`lock`].
pub(crate) async fn save(tx: &Tx, license: &License) -> Result<(), Fault> {
    columns(license)?
        .into_active_model()
        .reset_all()
        .update(tx)
        .await?;
    terms::save(tx, license).await
}

/// The licences that hold some products of an account, including ended ones.
pub(crate) async fn find_holders(
    tx: &Tx,
    account_id: AccountId,
    products: &BTreeSet<ProductId>,
) -> Result<Vec<(ProductId, License)>, Fault> {
    let held = product_row::Entity::find()
        .filter(product_row::Column::AccountId.eq(account_id.to_string()))
        .filter(product_row::Column::ProductId.is_in(products.iter().map(ProductId::as_str)))
        .order_by_asc(product_row::Column::ProductId)
        .all(tx)
        .await?;
    let ids: BTreeSet<&str> = held.iter().map(|row| row.license_id.as_str()).collect();
    let rows = Entity::find()
        .filter(Column::AccountId.eq(account_id.to_string()))
        .filter(Column::LicenseId.is_in(ids))
        .all(tx)
        .await?;
    let licenses: HashMap<_, _> = read_all(tx, rows)
        .await?
        .into_iter()
        .map(|license| (license.id.to_string(), license))
        .collect();
    held.into_iter()
        .map(|row| {
            let license = licenses.get(&row.license_id).cloned();
            let license = license.ok_or_else(|| {
                Fault::internal(format!(
                    "licence {} holds a product but does not exist",
                    row.license_id
                ))
            })?;
            Ok((parsed("product_id", &row.product_id)?, license))
        })
        .collect()
}

/// Holds those of the licence's products that no licence holds (SL-20). The caller must check the holders of
/// the others: a concurrent transaction that holds one has committed by the time this returns.
pub(crate) async fn hold_products(tx: &Tx, license: &License) -> Result<(), Fault> {
    let rows = license
        .products
        .iter()
        .map(|product| product_row::ActiveModel {
            account_id: Set(license.account_id.to_string()),
            product_id: Set(product.to_string()),
            license_id: Set(license.id.to_string()),
        });
    let key = [
        product_row::Column::AccountId,
        product_row::Column::ProductId,
    ];
    product_row::Entity::insert_many(rows)
        .on_conflict(OnConflict::columns(key).do_nothing().to_owned())
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Releases all products that the licence holds.
pub(crate) async fn release_products(tx: &Tx, license: &License) -> Result<(), Fault> {
    product_row::Entity::delete_many()
        .filter(product_row::Column::AccountId.eq(license.account_id.to_string()))
        .filter(product_row::Column::LicenseId.eq(license.id.to_string()))
        .exec(tx)
        .await?;
    Ok(())
}

/// The licences of an account that are ended or cancelled at `now`.
pub(crate) async fn list_over(
    tx: &Tx,
    account_id: AccountId,
    now: Instant,
) -> Result<Vec<LicenseId>, Fault> {
    let rows = Entity::find()
        .filter(Column::AccountId.eq(account_id.to_string()))
        .filter(over(now.as_micros()))
        .all(tx)
        .await?;
    let each = rows.iter();
    each.map(|row| parsed("license_id", &row.license_id))
        .collect()
}

/// The rows of ended and cancelled licences, except those whose further term is being charged.
fn over(now_us: i64) -> Condition {
    Condition::any()
        .add(in_state(LicenseState::Ended, now_us).add(Column::Renewing.eq(0)))
        .add(in_state(LicenseState::Cancelled, now_us))
}

/// Releases those of the licence's products that licences ended at `now` still hold (SL-20).
pub(crate) async fn release_ended(tx: &Tx, license: &License, now: Instant) -> Result<(), Fault> {
    let over = Query::select()
        .column(Column::LicenseId)
        .from(Entity)
        .and_where(Column::AccountId.eq(license.account_id.to_string()))
        .cond_where(over(now.as_micros()))
        .to_owned();
    product_row::Entity::delete_many()
        .filter(product_row::Column::AccountId.eq(license.account_id.to_string()))
        .filter(
            product_row::Column::ProductId.is_in(license.products.iter().map(ProductId::as_str)),
        )
        .filter(product_row::Column::LicenseId.in_subquery(over))
        .exec(tx)
        .await?;
    Ok(())
}
