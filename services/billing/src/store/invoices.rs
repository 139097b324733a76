//! Invoices and their lines. After they are issued, only what is credited and held of them moves,
//! and only while the invoice's row is locked (BL-3).

use std::collections::BTreeMap;

use licet_domain::{
    ids::{AccountId, InvoiceId},
    money::{Currency, Money},
};
use licet_runtime::{
    caller::Caller,
    database::Tx,
    fault::Fault,
    page::Page,
    stored::{count, count_column, from_json, in_scope, instant, money, parsed, to_json},
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, Order, QueryFilter, QueryOrder,
    QuerySelect, Set,
    sea_query::{Expr, ExprTrait},
};

use super::{numbers::SELLER, subject, subject_columns};
use crate::rules::{
    charge::{Invoice, InvoiceLine, Subject},
    credit::CreditableLine,
    listing::InvoiceFilter,
};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "invoice")]
    pub(super) struct Model {
        pub(super) account_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) invoice_id: String,
        pub(super) seller: String,
        pub(super) number: i64,
        pub(super) quote_id: String,
        pub(super) resource_id: Option<String>,
        pub(super) term_index: Option<i32>,
        pub(super) currency: String,
        pub(super) total_minor: i64,
        pub(super) credited_minor: i64,
        pub(super) held_minor: i64,
        pub(super) state: String,
        pub(super) issued_us: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod line_row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "invoice_line")]
    pub(super) struct Model {
        pub(super) account_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) invoice_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) line_number: i32,
        pub(super) amount_minor: i64,
        pub(super) credited_minor: i64,
        pub(super) held_minor: i64,
        pub(super) line: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Issues an invoice under its id and number.
pub(crate) async fn insert(
    tx: &Tx,
    invoice_id: InvoiceId,
    number: i64,
    invoice: &Invoice,
) -> Result<(), Fault> {
    let (resource_id, term_index) = subject_columns(invoice.subject.as_ref())?;
    row::ActiveModel {
        account_id: Set(invoice.account_id.to_string()),
        invoice_id: Set(invoice_id.to_string()),
        seller: Set(SELLER.to_owned()),
        number: Set(number),
        quote_id: Set(invoice.quote_id.to_string()),
        resource_id: Set(resource_id),
        term_index: Set(term_index),
        currency: Set(invoice.total.currency().code().to_owned()),
        total_minor: Set(invoice.total.minor()),
        credited_minor: Set(invoice.credited.minor()),
        held_minor: Set(0),
        state: Set(invoice.state.as_str().to_owned()),
        issued_us: Set(invoice.issued.as_micros()),
    }
    .insert(tx)
    .await?;
    let mut lines = Vec::with_capacity(invoice.lines.len());
    for InvoiceLine { line, creditable } in &invoice.lines {
        lines.push(line_row::ActiveModel {
            account_id: Set(invoice.account_id.to_string()),
            invoice_id: Set(invoice_id.to_string()),
            line_number: Set(count_column("line_number", creditable.line_number)?),
            amount_minor: Set(creditable.amount.minor()),
            credited_minor: Set(creditable.credited.minor()),
            held_minor: Set(creditable.held.minor()),
            line: Set(to_json("line", line)?),
        });
    }
    line_row::Entity::insert_many(lines)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// The invoice, if the caller sees its account.
pub(crate) async fn find(
    tx: &Tx,
    caller: &Caller,
    invoice_id: InvoiceId,
) -> Result<Option<Invoice>, Fault> {
    let found = row::Entity::find_by_id(invoice_id.to_string())
        .filter(in_scope(&caller.accounts, row::Column::AccountId))
        .all(tx)
        .await?;
    Ok(with_lines(tx, found).await?.pop())
}

/// A page of the invoices that the caller sees, by time of issue.
pub(crate) async fn list(
    tx: &Tx,
    caller: &Caller,
    wanted: &InvoiceFilter,
    page: &Page,
) -> Result<Vec<Invoice>, Fault> {
    let mut filter = in_scope(&caller.accounts, row::Column::AccountId).add(page.rows_after(
        &Order::Asc,
        row::Column::IssuedUs,
        row::Column::InvoiceId,
    )?);
    if let Some(account_id) = wanted.account_id {
        filter = filter.add(row::Column::AccountId.eq(account_id.to_string()));
    }
    if let Some(resource_id) = &wanted.resource_id {
        filter = filter.add(row::Column::ResourceId.eq(resource_id));
    }
    let rows = row::Entity::find()
        .filter(filter)
        .order_by_asc(row::Column::IssuedUs)
        .order_by_asc(row::Column::InvoiceId)
        .limit(page.limit())
        .all(tx)
        .await?;
    with_lines(tx, rows).await
}

/// All invoices of a subject, oldest first.
pub(crate) async fn list_of_subject(
    tx: &Tx,
    account_id: AccountId,
    subject: &Subject,
) -> Result<Vec<Invoice>, Fault> {
    let rows = row::Entity::find()
        .filter(of_subject(account_id, subject)?)
        .order_by_asc(row::Column::IssuedUs)
        .order_by_asc(row::Column::InvoiceId)
        .all(tx)
        .await?;
    with_lines(tx, rows).await
}

/// As [`list_of_subject`], locked until the transaction ends.
pub(crate) async fn lock_of_subject(
    tx: &Tx,
    account_id: AccountId,
    subject: &Subject,
) -> Result<Vec<Invoice>, Fault> {
    let rows = row::Entity::find()
        .filter(of_subject(account_id, subject)?)
        .order_by_asc(row::Column::IssuedUs)
        .order_by_asc(row::Column::InvoiceId)
        .lock_exclusive()
        .all(tx)
        .await?;
    with_lines(tx, rows).await
}

/// Credits whatever is creditable of the locked invoices and their lines.
pub(crate) async fn credit_whole(tx: &Tx, invoice_ids: &[InvoiceId]) -> Result<(), Fault> {
    let ids: Vec<String> = invoice_ids.iter().map(ToString::to_string).collect();
    row::Entity::update_many()
        .col_expr(
            row::Column::CreditedMinor,
            Expr::col(row::Column::TotalMinor).sub(Expr::col(row::Column::HeldMinor)),
        )
        .filter(row::Column::InvoiceId.is_in(ids.clone()))
        .exec(tx)
        .await?;
    line_row::Entity::update_many()
        .col_expr(
            line_row::Column::CreditedMinor,
            Expr::col(line_row::Column::AmountMinor).sub(Expr::col(line_row::Column::HeldMinor)),
        )
        .filter(line_row::Column::InvoiceId.is_in(ids))
        .exec(tx)
        .await?;
    Ok(())
}

/// Holds whatever is creditable of the locked invoices and their lines for a review.
pub(crate) async fn hold_whole(tx: &Tx, invoice_ids: &[InvoiceId]) -> Result<(), Fault> {
    let ids: Vec<String> = invoice_ids.iter().map(ToString::to_string).collect();
    row::Entity::update_many()
        .col_expr(
            row::Column::HeldMinor,
            Expr::col(row::Column::TotalMinor).sub(Expr::col(row::Column::CreditedMinor)),
        )
        .filter(row::Column::InvoiceId.is_in(ids.clone()))
        .exec(tx)
        .await?;
    line_row::Entity::update_many()
        .col_expr(
            line_row::Column::HeldMinor,
            Expr::col(line_row::Column::AmountMinor)
                .sub(Expr::col(line_row::Column::CreditedMinor)),
        )
        .filter(line_row::Column::InvoiceId.is_in(ids))
        .exec(tx)
        .await?;
    Ok(())
}

fn of_subject(account_id: AccountId, subject: &Subject) -> Result<Condition, Fault> {
    Ok(Condition::all()
        .add(row::Column::AccountId.eq(account_id.to_string()))
        .add(row::Column::ResourceId.eq(subject.resource_id.as_str()))
        .add(row::Column::TermIndex.eq(count_column("term_index", subject.term_index)?)))
}

/// The invoices of `rows`, in their order, with the lines of all of them read at once.
async fn with_lines(tx: &Tx, rows: Vec<row::Model>) -> Result<Vec<Invoice>, Fault> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let lines = line_row::Entity::find()
        .filter(line_row::Column::InvoiceId.is_in(rows.iter().map(|row| row.invoice_id.as_str())))
        .order_by_asc(line_row::Column::LineNumber)
        .all(tx)
        .await?;
    let mut by_invoice: BTreeMap<String, Vec<line_row::Model>> = BTreeMap::new();
    for line in lines {
        by_invoice
            .entry(line.invoice_id.clone())
            .or_default()
            .push(line);
    }
    rows.into_iter()
        .map(|row| {
            let lines = by_invoice.remove(&row.invoice_id).unwrap_or_default();
            decode(row, lines)
        })
        .collect()
}

fn decode(row: row::Model, lines: Vec<line_row::Model>) -> Result<Invoice, Fault> {
    let total = money(&row.currency, row.total_minor)?;
    let currency = total.currency();
    let lines: Result<Vec<_>, _> = lines
        .into_iter()
        .map(|line| decode_line(&line, currency))
        .collect();
    Ok(Invoice {
        invoice_id: Some(parsed("invoice_id", &row.invoice_id)?),
        number: Some(row.number),
        account_id: parsed("account_id", &row.account_id)?,
        quote_id: parsed("quote_id", &row.quote_id)?,
        subject: subject(row.resource_id, row.term_index)?,
        lines: lines?,
        total,
        credited: Money::from_minor(currency, row.credited_minor),
        state: parsed("state", &row.state)?,
        issued: instant("issued_us", row.issued_us)?,
    })
}

fn decode_line(row: &line_row::Model, currency: Currency) -> Result<InvoiceLine, Fault> {
    Ok(InvoiceLine {
        line: from_json("line", &row.line)?,
        creditable: CreditableLine {
            line_number: count("line_number", row.line_number)?,
            amount: Money::from_minor(currency, row.amount_minor),
            credited: Money::from_minor(currency, row.credited_minor),
            held: Money::from_minor(currency, row.held_minor),
        },
    })
}
