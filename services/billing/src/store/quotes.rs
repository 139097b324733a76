//! Stored quotes. A row changes once: when it gets the invoice that charges the quote.

use licet_domain::{
    clock::Instant,
    ids::{AccountId, InvoiceId, QuoteId},
};
use licet_runtime::{
    all_accounts::AllAccounts,
    caller::Caller,
    database::Tx,
    fault::Fault,
    seal::Seal,
    stored::{from_json, in_scope, instant, money, parsed, parsed_if, to_json},
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, Statement,
    sea_query::{CaseStatement, Expr},
};
use serde_json::json;

use super::{
    owner::by_id,
    parts::RowKey,
    seal_page::{SealPage, rows_after},
    subject::{subject, subject_columns},
};
use crate::rules::{charge::Quote, not_found};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "quote")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) account_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) quote_id: String,
        pub(super) pin: String,
        pub(super) resource_id: Option<String>,
        pub(super) term_index: Option<i32>,
        pub(super) currency: String,
        pub(super) total_minor: i64,
        pub(super) lines: String,
        pub(super) decision_us: i64,
        pub(super) expire_us: i64,
        pub(super) invoice_id: Option<String>,
    }

    licet_runtime::plain_entity!(pub(super));
}

/// Stores a quote under `quote_id`.
pub(crate) async fn insert(tx: &Tx, quote_id: QuoteId, quote: &Quote) -> Result<(), Fault> {
    let (resource_id, term_index) = subject_columns(quote.subject.as_ref())?;
    let row = row::Model {
        account_id: quote.account_id.to_string(),
        quote_id: quote_id.to_string(),
        pin: quote.pin.clone(),
        resource_id,
        term_index,
        currency: quote.total.currency().code().to_owned(),
        total_minor: quote.total.minor(),
        lines: to_json("lines", &quote.lines)?,
        decision_us: quote.decision.as_micros(),
        expire_us: quote.expires.as_micros(),
        invoice_id: None,
    };
    tx.seal(seal(&row));
    let insert = row::Entity::insert(row.into_active_model());
    Ok(tx.later(row::Entity, insert).await?)
}

/// Covers everything but the invoice.
fn seal(row: &row::Model) -> Seal {
    let columns = json!([
        row.account_id,
        row.quote_id,
        row.pin,
        row.resource_id,
        row.term_index,
        row.currency,
        row.total_minor,
        row.lines,
        row.decision_us,
        row.expire_us,
    ]);
    Seal::new("quote", &row.quote_id, &columns)
}

/// A page of the seals of quotes.
pub(super) async fn list_seals(
    connection: &impl ConnectionTrait,
    after: &RowKey,
) -> Result<SealPage, DbErr> {
    let key = (row::Column::AccountId, row::Column::QuoteId);
    let rows = rows_after::<row::Entity>(connection, key, after).await?;
    Ok(SealPage {
        seals: rows.iter().map(seal).collect(),
        last: rows
            .last()
            .map(|row| (row.account_id.clone(), row.quote_id.clone())),
    })
}

/// The quote; NOT_FOUND if the caller does not see its account.
pub(crate) async fn get(tx: &Tx, caller: &Caller, quote_id: QuoteId) -> Result<Quote, Fault> {
    let found = list(tx, caller, None, &[quote_id]).await?.pop();
    Ok(found.ok_or_else(|| not_found("quote", quote_id))?)
}

/// The quotes whose account the caller sees, ascending by id; only those of `account_id` if it is given.
pub(crate) async fn list(
    tx: &Tx,
    caller: &Caller,
    account_id: Option<AccountId>,
    quote_ids: &[QuoteId],
) -> Result<Vec<Quote>, Fault> {
    let query = row::Entity::find()
        .filter(row::Column::QuoteId.is_in(quote_ids.iter().map(QuoteId::to_string)))
        .filter(in_scope(&caller.accounts, row::Column::AccountId))
        .order_by_asc(row::Column::QuoteId);
    let found = match account_id {
        Some(account_id) => {
            let is_of_account = row::Column::AccountId.eq(account_id.to_string());
            query.filter(is_of_account).all(tx).await?
        }
        None => query.all(&by_id(tx, caller)).await?,
    };
    found.into_iter().map(decode).collect()
}

/// Stores the invoices of quotes of the account.
pub(super) async fn set_charged(
    tx: &Tx,
    account_id: AccountId,
    charged: &[(QuoteId, InvoiceId)],
) -> Result<(), Fault> {
    let invoice_id = charged.iter().fold(
        CaseStatement::new(),
        |invoice_id, (quote_id, charged_as)| {
            invoice_id.case(
                row::Column::QuoteId.eq(quote_id.to_string()),
                charged_as.to_string(),
            )
        },
    );
    let quote_ids = charged.iter().map(|(quote_id, _)| quote_id.to_string());
    let update = row::Entity::update_many()
        .col_expr(row::Column::InvoiceId, invoice_id.into())
        .filter(row::Column::AccountId.eq(account_id.to_string()))
        .filter(row::Column::QuoteId.is_in(quote_ids));
    Ok(tx.later(row::Entity, update).await?)
}

/// A page of quotes that expired before `before` without being charged and are older than it in real time, which
/// the id tells: the oldest of them.
pub(crate) async fn list_unspent(
    tx: &Tx,
    before: Instant,
    limit: u64,
) -> Result<Vec<(AccountId, QuoteId)>, Fault> {
    let found = row::Entity::find()
        .select_only()
        .columns([row::Column::AccountId, row::Column::QuoteId])
        .filter(is_unspent())
        .filter(row::Column::QuoteId.lt(QuoteId::least_from(before).to_string()))
        .filter(row::Column::ExpireUs.lt(before.as_micros()))
        .order_by_asc(row::Column::QuoteId)
        .limit(limit)
        .into_tuple::<(String, String)>()
        .all(&AllAccounts::new(tx, "quotes of any account expire"))
        .await?;
    let each = found.into_iter();
    each.map(|(account_id, quote_id)| {
        Ok((
            parsed("account_id", &account_id)?,
            parsed("quote_id", &quote_id)?,
        ))
    })
    .collect()
}

/// Deletes those of the quotes that are not charged. Returns them.
pub(crate) async fn delete_unspent(
    tx: &Tx,
    quotes: &[(AccountId, QuoteId)],
) -> Result<Vec<QuoteId>, Fault> {
    let keys = quotes
        .iter()
        .map(|(account_id, quote_id)| json!({ "a": account_id, "q": quote_id }));
    let keys = json!(keys.collect::<Vec<_>>()).to_string();
    let backend = tx.get_database_backend();
    let text = if backend == DbBackend::Postgres {
        "DELETE FROM quote USING json_to_recordset($1::json) AS given(a TEXT, q TEXT) \
         WHERE quote.account_id = given.a AND quote.quote_id = given.q AND quote.invoice_id IS NULL \
         RETURNING quote.quote_id"
    } else {
        "DELETE FROM quote WHERE (account_id, quote_id) IN \
         (SELECT value ->> 'a', value ->> 'q' FROM json_each($1)) AND invoice_id IS NULL \
         RETURNING quote_id"
    };
    let delete = Statement::from_sql_and_values(backend, text, [keys.into()]);
    let deleted = tx.query_all_raw(delete).await?;
    let ids = deleted.iter().map(|row| {
        let id: String = row.try_get("", "quote_id")?;
        parsed("quote_id", &id)
    });
    ids.collect()
}

/// A literal condition: a generic plan can then use the index of these quotes.
fn is_unspent() -> Expr {
    Expr::cust("invoice_id IS NULL")
}

/// The subject of a quote's seal.
pub(crate) fn sealed_as(quote_id: QuoteId) -> String {
    Seal::subject_of("quote", quote_id)
}

fn decode(row: row::Model) -> Result<Quote, Fault> {
    Ok(Quote {
        quote_id: Some(parsed("quote_id", &row.quote_id)?),
        account_id: parsed("account_id", &row.account_id)?,
        pin: row.pin,
        subject: subject(row.resource_id, row.term_index)?,
        lines: from_json("lines", &row.lines)?,
        total: money(&row.currency, row.total_minor)?,
        decision: instant("decision_us", row.decision_us)?,
        expires: instant("expire_us", row.expire_us)?,
        invoice_id: parsed_if("invoice_id", row.invoice_id.as_deref())?,
    })
}
