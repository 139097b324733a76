//! Products, their versions and price lists, each written once. The newest one that took effect by
//! an instant is in force at it (BL-8).

use licet_domain::{
    clock::Instant,
    ids::{AccountId, ProductId},
    money::Currency,
};
use licet_runtime::{
    database::Tx,
    fault::Fault,
    page::Page,
    seal::Seal,
    stored::{count, count_column, from_json, instant, parsed, to_json},
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, FromQueryResult,
    IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{
        Alias, Expr, ExprTrait, IntoColumnRef, JoinType, OnConflict, Query, SelectStatement,
        UnionType,
    },
};
use serde_json::json;

use super::{
    parts::RowKey,
    seal_page::{SealPage, rows_after_id, single},
};
use crate::rules::{
    catalog::{ProductKind, ProductVersion},
    listing::InForceAt,
    not_found,
    prices::PriceList,
};

mod product_row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "product")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) product_id: String,
        pub(super) kind: String,
        pub(super) recorded_us: i64,
    }

    licet_runtime::plain_entity!(pub(super));
}

mod version_row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "product_version")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) product_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) version: i32,
        pub(super) effective_us: i64,
        pub(super) recorded_us: i64,
        pub(super) product: String,
    }

    licet_runtime::plain_entity!(pub(super));
}

mod list_row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "price_list")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) product_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) currency: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) effective_us: i64,
        pub(super) recorded_us: i64,
        pub(super) prices: String,
    }

    licet_runtime::plain_entity!(pub(super));
}

/// Adds a product; returns false if its id is taken.
pub(crate) async fn insert_product(tx: &Tx, first: &ProductVersion) -> Result<bool, Fault> {
    let product = product_row::Model {
        product_id: first.product_id.as_str().to_owned(),
        kind: first.product.kind.as_str().to_owned(),
        recorded_us: first.recorded.as_micros(),
    };
    let seal = seal_product(&product);
    let inserted = product_row::Entity::insert(product.into_active_model())
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(tx)
        .await?;
    if inserted == 0 {
        return Ok(false);
    }
    tx.seal(seal);
    insert_version(tx, first).await?;
    Ok(true)
}

/// Adds a version of a product that [`lock_newest`] locked.
pub(crate) async fn insert_version(tx: &Tx, version: &ProductVersion) -> Result<(), Fault> {
    let row = version_row::Model {
        product_id: version.product_id.as_str().to_owned(),
        version: count_column("version", version.version)?,
        effective_us: version.effective.as_micros(),
        recorded_us: version.recorded.as_micros(),
        product: to_json("product", &version.product)?,
    };
    tx.seal(seal_version(&row));
    row.into_active_model().insert(tx).await?;
    Ok(())
}

fn seal_product(row: &product_row::Model) -> Seal {
    let columns = json!([row.product_id, row.kind, row.recorded_us]);
    Seal::new("product", &row.product_id, &columns)
}

fn seal_version(row: &version_row::Model) -> Seal {
    let id = format!("{} {}", row.product_id, row.version);
    let columns = json!([
        row.product_id,
        row.version,
        row.effective_us,
        row.recorded_us,
        row.product,
    ]);
    Seal::new("product_version", &id, &columns)
}

fn seal_list(row: &list_row::Model) -> Seal {
    let id = format!("{} {} {}", row.product_id, row.currency, row.effective_us);
    let columns = json!([
        row.product_id,
        row.currency,
        row.effective_us,
        row.recorded_us,
        row.prices,
    ]);
    Seal::new("price_list", &id, &columns)
}

/// A page of the seals of products, with all their versions and lists.
pub(super) async fn list_seals(
    connection: &impl ConnectionTrait,
    after: &RowKey,
) -> Result<SealPage, DbErr> {
    let key = product_row::Column::ProductId;
    let products = rows_after_id::<product_row::Entity>(connection, key, after).await?;
    let ids: Vec<&str> = products.iter().map(|row| row.product_id.as_str()).collect();
    let versions = version_row::Entity::find()
        .filter(version_row::Column::ProductId.is_in(ids.iter().copied()))
        .all(connection)
        .await?;
    let lists = list_row::Entity::find()
        .filter(list_row::Column::ProductId.is_in(ids))
        .all(connection)
        .await?;
    let mut seals: Vec<Seal> = products.iter().map(seal_product).collect();
    seals.extend(versions.iter().map(seal_version));
    seals.extend(lists.iter().map(seal_list));
    Ok(SealPage {
        seals,
        last: products.last().map(|row| single(&row.product_id)),
    })
}

/// The newest version, in force or not, or NOT_FOUND; locks the product against other changes.
pub(crate) async fn lock_newest(tx: &Tx, product_id: &ProductId) -> Result<ProductVersion, Fault> {
    let id = product_id.as_str();
    let missing = || not_found("product", id);
    let locked = product_row::Entity::find_by_id(id)
        .lock_exclusive()
        .one(tx)
        .await?;
    locked.ok_or_else(missing)?;
    let newest = version_row::Entity::find()
        .filter(version_row::Column::ProductId.eq(id))
        .order_by_desc(version_row::Column::Version)
        .one(tx)
        .await?;
    decode_version(&newest.ok_or_else(missing)?)
}

/// The version with this number, in force or not.
pub(crate) async fn find_version(
    tx: &impl ConnectionTrait,
    product_id: &ProductId,
    version: u32,
) -> Result<Option<ProductVersion>, Fault> {
    let Ok(version) = i32::try_from(version) else {
        return Ok(None);
    };
    let key = (product_id.as_str().to_owned(), version);
    let found = version_row::Entity::find_by_id(key).one(tx).await?;
    found.as_ref().map(decode_version).transpose()
}

impl InForceAt {
    /// The condition that a row is in force, by when it takes effect and when it was recorded.
    fn holds(self, effective_us: impl IntoColumnRef, recorded_us: impl IntoColumnRef) -> Condition {
        let effective_us = Expr::col(effective_us);
        match self {
            Self::Instant(at) => Condition::all().add(effective_us.lte(at.as_micros())),
            Self::Now(now) => Condition::any()
                .add(effective_us.clone().lte(now.as_micros()))
                .add(effective_us.lte(Expr::col(recorded_us))),
        }
    }
}

/// The version in force at `at`.
pub(crate) async fn find_in_force(
    tx: &impl ConnectionTrait,
    product_id: &ProductId,
    at: InForceAt,
) -> Result<Option<ProductVersion>, Fault> {
    let found = version_row::Entity::find()
        .filter(version_row::Column::ProductId.eq(product_id.as_str()))
        .filter(at.holds(
            (version_row::Entity, version_row::Column::EffectiveUs),
            (version_row::Entity, version_row::Column::RecordedUs),
        ))
        .order_by_desc(version_row::Column::Version)
        .one(tx)
        .await?;
    found.as_ref().map(decode_version).transpose()
}

/// Every version of the products.
pub(crate) async fn list_versions(
    tx: &Tx,
    product_ids: &[&str],
) -> Result<Vec<ProductVersion>, Fault> {
    let rows = version_row::Entity::find()
        .filter(version_row::Column::ProductId.is_in(product_ids.iter().copied()))
        .all(tx)
        .await?;
    rows.iter().map(decode_version).collect()
}

/// A page of products by id, each in the version in force at the page's as-of time.
pub(crate) async fn list_in_force(
    tx: &Tx,
    kind: Option<ProductKind>,
    page: &Page,
) -> Result<Vec<ProductVersion>, Fault> {
    let mut filter = Condition::all().add(
        Expr::col((version_row::Entity, version_row::Column::Version)).eq(Expr::SubQuery(
            None,
            Box::new(newest_by(InForceAt::Now(page.as_of)).into()),
        )),
    );
    if let Some(after) = page.after_key() {
        filter = filter.add(version_row::Column::ProductId.gt(after));
    }
    if let Some(kind) = kind {
        let of_kind = Query::select()
            .column(product_row::Column::ProductId)
            .from(product_row::Entity)
            .and_where(Expr::col(product_row::Column::Kind).eq(kind.as_str()))
            .to_owned();
        filter = filter.add(version_row::Column::ProductId.in_subquery(of_kind));
    }
    let rows = version_row::Entity::find()
        .filter(filter)
        .order_by_asc(version_row::Column::ProductId)
        .limit(page.limit())
        .all(tx)
        .await?;
    rows.iter().map(decode_version).collect()
}

/// The number of the version in force at `at`, of the product in the row of the outer query.
fn newest_by(at: InForceAt) -> SelectStatement {
    let inner = Alias::new("newest");
    Query::select()
        .expr(Expr::col((inner.clone(), version_row::Column::Version)).max())
        .from_as(version_row::Entity, inner.clone())
        .and_where(
            Expr::col((inner.clone(), version_row::Column::ProductId))
                .equals((version_row::Entity, version_row::Column::ProductId)),
        )
        .cond_where(at.holds(
            (inner.clone(), version_row::Column::EffectiveUs),
            (inner, version_row::Column::RecordedUs),
        ))
        .to_owned()
}

/// Adds a price list to a product that [`lock_newest`] locked.
pub(crate) async fn insert_list(tx: &Tx, list: &PriceList) -> Result<(), Fault> {
    let row = list_row::Model {
        product_id: list.product_id.as_str().to_owned(),
        currency: list.currency.code().to_owned(),
        effective_us: list.effective.as_micros(),
        recorded_us: list.recorded.as_micros(),
        prices: to_json("prices", &list.prices)?,
    };
    tx.seal(seal_list(&row));
    row.into_active_model().insert(tx).await?;
    Ok(())
}

/// When the newest list in a currency takes effect.
pub(crate) async fn find_newest_list_time(
    tx: &Tx,
    product_id: &ProductId,
    currency: Currency,
) -> Result<Option<Instant>, Fault> {
    let newest = list_row::Entity::find()
        .filter(list_row::Column::ProductId.eq(product_id.as_str()))
        .filter(list_row::Column::Currency.eq(currency.code()))
        .order_by_desc(list_row::Column::EffectiveUs)
        .one(tx)
        .await?;
    newest
        .map(|row| instant("effective_us", row.effective_us))
        .transpose()
}

/// What prices products for an account.
pub(crate) struct AccountCatalog {
    /// The account's currency.
    pub(crate) currency: Currency,
    /// Every version of the products.
    pub(crate) versions: Vec<ProductVersion>,
    /// Their price lists in that currency.
    pub(crate) lists: Vec<PriceList>,
}

/// What prices the products for an account, by lists that took effect by `until`; `None`: there is
/// no such account. One query, however many products there are.
pub(crate) async fn find_account_catalog(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    product_ids: &[&str],
    until: Instant,
) -> Result<Option<AccountCatalog>, Fault> {
    #[derive(FromQueryResult)]
    struct Row {
        account_currency: String,
        product_id: Option<String>,
        version: Option<i32>,
        effective_us: Option<i64>,
        recorded_us: Option<i64>,
        content: Option<String>,
    }
    let backend = connection.get_database_backend();
    let query = backend.build(&account_catalog_query(account_id, product_ids, until));
    let rows = Row::find_by_statement(query).all(connection).await?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let mut catalog = AccountCatalog {
        currency: parsed("currency", &first.account_currency)?,
        versions: Vec::new(),
        lists: Vec::new(),
    };
    for row in rows {
        // A row without a product has only the account.
        let (Some(product_id), Some(effective_us), Some(recorded_us), Some(content)) = (
            row.product_id,
            row.effective_us,
            row.recorded_us,
            row.content,
        ) else {
            continue;
        };
        if let Some(version) = row.version {
            catalog.versions.push(decode_version(&version_row::Model {
                product_id,
                version,
                effective_us,
                recorded_us,
                product: content,
            })?);
        } else {
            catalog.lists.push(decode_list(&list_row::Model {
                product_id,
                currency: row.account_currency,
                effective_us,
                recorded_us,
                prices: content,
            })?);
        }
    }
    Ok(Some(catalog))
}

fn account_catalog_query(
    account_id: AccountId,
    product_ids: &[&str],
    until: Instant,
) -> SelectStatement {
    use list_row::Column as List;
    use version_row::Column as Version;
    let part = Alias::new("part");
    let mut parts = Query::select()
        .columns([Version::ProductId, Version::Version])
        .expr_as(Expr::cust("NULL"), List::Currency)
        .columns([Version::EffectiveUs, Version::RecordedUs])
        .expr_as(Expr::col(Version::Product), "content")
        .from(version_row::Entity)
        .and_where(Expr::col(Version::ProductId).is_in(product_ids.iter().copied()))
        .to_owned();
    let lists = Query::select()
        .column(List::ProductId)
        .expr(Expr::cust("NULL"))
        .columns([List::Currency, List::EffectiveUs, List::RecordedUs])
        .column(List::Prices)
        .from(list_row::Entity)
        .and_where(Expr::col(List::ProductId).is_in(product_ids.iter().copied()))
        .and_where(Expr::col(List::EffectiveUs).lte(until.as_micros()))
        .to_owned();
    parts.union(UnionType::All, lists);
    let (account, currency) = ("account", (part.clone(), List::Currency));
    let is_of_account = Condition::any()
        .add(Expr::col(currency.clone()).is_null())
        .add(Expr::col(currency).equals((account, "currency")));
    Query::select()
        .expr_as(Expr::col((account, "currency")), "account_currency")
        .columns([
            (part.clone(), Version::ProductId),
            (part.clone(), Version::Version),
            (part.clone(), Version::EffectiveUs),
            (part.clone(), Version::RecordedUs),
        ])
        .column((part.clone(), Alias::new("content")))
        .from(account)
        .join_subquery(JoinType::LeftJoin, parts, part, is_of_account)
        .and_where(Expr::col((account, "account_id")).eq(account_id.to_string()))
        .to_owned()
}

/// A page of one product's lists in force at `at`, by currency.
pub(crate) async fn list_lists_in_force(
    tx: &Tx,
    product_id: &ProductId,
    currency: Option<Currency>,
    at: InForceAt,
    page: &Page,
) -> Result<Vec<PriceList>, Fault> {
    let inner = Alias::new("newest");
    let newest = Query::select()
        .expr(Expr::col((inner.clone(), list_row::Column::EffectiveUs)).max())
        .from_as(list_row::Entity, inner.clone())
        .and_where(
            Expr::col((inner.clone(), list_row::Column::ProductId))
                .equals((list_row::Entity, list_row::Column::ProductId)),
        )
        .and_where(
            Expr::col((inner.clone(), list_row::Column::Currency))
                .equals((list_row::Entity, list_row::Column::Currency)),
        )
        .cond_where(at.holds(
            (inner.clone(), list_row::Column::EffectiveUs),
            (inner, list_row::Column::RecordedUs),
        ))
        .to_owned();
    let after = page.after_key();
    let filter = Condition::all()
        .add(list_row::Column::ProductId.eq(product_id.as_str()))
        .add(
            Expr::col((list_row::Entity, list_row::Column::EffectiveUs))
                .eq(Expr::SubQuery(None, Box::new(newest.into()))),
        )
        .add_option(currency.map(|currency| list_row::Column::Currency.eq(currency.code())))
        .add_option(after.map(|after| list_row::Column::Currency.gt(after)));
    let rows = list_row::Entity::find()
        .filter(filter)
        .order_by_asc(list_row::Column::Currency)
        .limit(page.limit())
        .all(tx)
        .await?;
    rows.iter().map(decode_list).collect()
}

fn decode_version(row: &version_row::Model) -> Result<ProductVersion, Fault> {
    Ok(ProductVersion {
        product_id: parsed("product_id", &row.product_id)?,
        version: count("version", row.version)?,
        effective: instant("effective_us", row.effective_us)?,
        recorded: instant("recorded_us", row.recorded_us)?,
        product: from_json("product", &row.product)?,
    })
}

fn decode_list(row: &list_row::Model) -> Result<PriceList, Fault> {
    Ok(PriceList {
        product_id: parsed("product_id", &row.product_id)?,
        currency: parsed("currency", &row.currency)?,
        effective: instant("effective_us", row.effective_us)?,
        recorded: instant("recorded_us", row.recorded_us)?,
        prices: from_json("prices", &row.prices)?,
    })
}
