//! Stored quotes. A row changes once: when it gets the invoice that charges the quote.

use licet_domain::ids::{InvoiceId, QuoteId};
use licet_runtime::{
    caller::Caller,
    database::Tx,
    fault::Fault,
    seal::Seal,
    stored::{from_json, in_scope, instant, money, parsed, parsed_if, to_json},
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, Select, sea_query::CaseStatement,
};
use serde_json::json;

use super::{
    seal_page::{SealPage, rows_after},
    subject::{subject, subject_columns},
};
use crate::rules::{charge::Quote, not_found};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "quote")]
    pub(super) struct Model {
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
    after: &str,
) -> Result<SealPage, DbErr> {
    let rows = rows_after::<row::Entity>(connection, row::Column::QuoteId, after).await?;
    Ok(SealPage {
        seals: rows.iter().map(seal).collect(),
        last: rows.last().map(|row| row.quote_id.clone()),
    })
}

/// The quote; NOT_FOUND if the caller does not see its account.
pub(crate) async fn get(tx: &Tx, caller: &Caller, quote_id: QuoteId) -> Result<Quote, Fault> {
    let found = list(tx, caller, &[quote_id]).await?.pop();
    Ok(found.ok_or_else(|| not_found("quote", quote_id))?)
}

/// The quotes whose account the caller sees, ascending by id.
pub(crate) async fn list(
    tx: &Tx,
    caller: &Caller,
    quote_ids: &[QuoteId],
) -> Result<Vec<Quote>, Fault> {
    let found = visible(caller, quote_ids).all(tx).await?;
    found.into_iter().map(decode).collect()
}

/// As [`list`], locked until the transaction ends, so that each is charged at most once. Locks are
/// taken in the order of the ids, so that two charges of the same quotes cannot deadlock.
pub(crate) async fn lock(
    tx: &Tx,
    caller: &Caller,
    quote_ids: &[QuoteId],
) -> Result<Vec<Quote>, Fault> {
    let found = visible(caller, quote_ids).lock_exclusive().all(tx).await?;
    found.into_iter().map(decode).collect()
}

fn visible(caller: &Caller, quote_ids: &[QuoteId]) -> Select<row::Entity> {
    row::Entity::find()
        .filter(row::Column::QuoteId.is_in(quote_ids.iter().map(QuoteId::to_string)))
        .filter(in_scope(&caller.accounts, row::Column::AccountId))
        .order_by_asc(row::Column::QuoteId)
}

/// Stores the invoices of locked quotes.
pub(super) async fn set_charged(tx: &Tx, charged: &[(QuoteId, InvoiceId)]) -> Result<(), Fault> {
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
    row::Entity::update_many()
        .col_expr(row::Column::InvoiceId, invoice_id.into())
        .filter(row::Column::QuoteId.is_in(quote_ids))
        .exec(tx)
        .await?;
    Ok(())
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
