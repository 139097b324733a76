//! Invoices and their lines. After the issue only what is paid, credited, returned and held
//! changes, and only while the row of the invoice is locked (BL-3).

use std::collections::BTreeMap;

use licet_domain::{
    clock::Instant,
    ids::{AccountId, InvoiceId},
    money::{Currency, Money},
};
use licet_runtime::{
    all_accounts::AllAccounts,
    caller::Caller,
    database::{Number, Tx},
    fault::Fault,
    page::Page,
    seal::Seal,
    stored::{
        count, count_column, from_json, in_scope, instant, instant_if, money, parsed, to_json,
    },
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, Order, QueryFilter,
    QueryOrder, QuerySelect, Select,
    sea_query::{Expr, ExprTrait},
};
use serde_json::json;

use super::{
    numbers::{self, Series, document_number},
    owner::{by_id, listing},
    parts::{PartColumns, RowKey, with_parts},
    quotes,
    seal_page::{SealPage, rows_after},
    subject::{subject, subject_columns},
};
use crate::rules::{
    account::FirstDue,
    charge::{CreditableLine, Invoice, InvoiceLine, InvoiceState, Subject},
    listing::InvoiceFilter,
    money_refusal, not_found,
    numbers::{DocumentNumber, Seller},
};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "invoice")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
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
        pub(super) paid_minor: i64,
        pub(super) returned_minor: i64,
        pub(super) due_us: Option<i64>,
        pub(super) line_bytes: i64,
        pub(super) accept_us: i64,
    }

    licet_runtime::plain_entity!(pub(super));
}

mod line_row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "invoice_line")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
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

    licet_runtime::plain_entity!(pub(super));
}

/// Issues drafted invoices under the next numbers of the seller's series, in order (BL-8), and stores in each quote which
/// invoice charged it. All belong to the account. Returns the numbers.
///
/// # Errors
/// When a draft has no id, or the database fails. If another charge has spent a quote meanwhile, the commit fails as
/// a lost race: a quote has one invoice.
pub(crate) async fn issue(
    tx: &Tx,
    account_id: AccountId,
    seller: &Seller,
    drafts: &[Invoice],
) -> Result<Vec<Number>, Fault> {
    let numbers = numbers::take(tx, seller, Series::Invoice, drafts.len()).await?;
    let (mut rows, mut lines, mut charged) = (Vec::new(), Vec::new(), Vec::new());
    for (draft, number) in drafts.iter().zip(&numbers) {
        let invoice_id = id_of(draft)?;
        let (row, its_lines) = encode(invoice_id, draft, seller, *number)?;
        tx.seal(seal(&row, &its_lines));
        rows.push(row.into_active_model());
        lines.extend(
            its_lines
                .into_iter()
                .map(line_row::Model::into_active_model),
        );
        charged.push((draft.quote_id, invoice_id));
    }
    tx.last(row::Entity, row::Entity::insert_many(rows)).await?;
    tx.last(line_row::Entity, line_row::Entity::insert_many(lines))
        .await?;
    quotes::set_charged(tx, account_id, &charged).await?;
    Ok(numbers)
}

fn id_of(draft: &Invoice) -> Result<InvoiceId, Fault> {
    draft
        .invoice_id
        .ok_or_else(|| Fault::internal("an invoice to be issued has no id"))
}

/// Covers the invoice and its lines, except what is paid, credited, returned and held.
fn seal(row: &row::Model, lines: &[line_row::Model]) -> Seal {
    let lines: Vec<_> = lines
        .iter()
        .map(|line| {
            json!([
                line.account_id,
                line.line_number,
                line.amount_minor,
                line.line
            ])
        })
        .collect();
    let columns = json!([
        row.account_id,
        row.invoice_id,
        row.seller,
        row.number,
        row.quote_id,
        row.resource_id,
        row.term_index,
        row.currency,
        row.total_minor,
        row.issued_us,
        row.accept_us,
        row.due_us,
        row.line_bytes,
        lines,
    ]);
    Seal::new("invoice", &row.invoice_id, &columns)
}

/// A page of the seals of invoices.
pub(super) async fn list_seals(
    connection: &impl ConnectionTrait,
    after: &RowKey,
) -> Result<SealPage, DbErr> {
    let key = (row::Column::AccountId, row::Column::InvoiceId);
    let rows = rows_after::<row::Entity>(connection, key, after).await?;
    let rows = with_lines(connection, rows).await?;
    Ok(SealPage {
        seals: rows.iter().map(|(row, lines)| seal(row, lines)).collect(),
        last: rows.last().map(|(row, _)| key_of(row)),
    })
}

fn encode(
    invoice_id: InvoiceId,
    invoice: &Invoice,
    seller: &Seller,
    number: Number,
) -> Result<(row::Model, Vec<line_row::Model>), Fault> {
    let mut lines = Vec::with_capacity(invoice.lines.len());
    let mut line_bytes = 0;
    for InvoiceLine { line, creditable } in &invoice.lines {
        let line = to_json("line", line)?;
        line_bytes += line.len();
        lines.push(line_row::Model {
            account_id: invoice.account_id.to_string(),
            invoice_id: invoice_id.to_string(),
            line_number: count_column("line_number", creditable.line_number)?,
            amount_minor: creditable.amount.minor(),
            credited_minor: creditable.credited.minor(),
            held_minor: creditable.held.minor(),
            line,
        });
    }
    let (resource_id, term_index) = subject_columns(invoice.subject.as_ref())?;
    let row = row::Model {
        account_id: invoice.account_id.to_string(),
        invoice_id: invoice_id.to_string(),
        seller: seller.to_string(),
        number: number.column(),
        quote_id: invoice.quote_id.to_string(),
        resource_id,
        term_index,
        currency: invoice.total.currency().code().to_owned(),
        total_minor: invoice.total.minor(),
        credited_minor: invoice.credited.minor(),
        held_minor: invoice.held.minor(),
        state: state_of(invoice)?.as_str().to_owned(),
        issued_us: invoice.issued.as_micros(),
        paid_minor: invoice.paid.minor(),
        returned_minor: invoice.returned.minor(),
        due_us: invoice.due_time.map(Instant::as_micros),
        line_bytes: i64::try_from(line_bytes).map_err(Fault::internal)?,
        accept_us: invoice.accepted.as_micros(),
    };
    Ok((row, lines))
}

/// The invoice; NOT_FOUND if the caller does not see its account.
pub(crate) async fn get(tx: &Tx, caller: &Caller, invoice_id: InvoiceId) -> Result<Invoice, Fault> {
    let rows = row::Entity::find()
        .filter(row::Column::InvoiceId.eq(invoice_id.to_string()))
        .filter(in_scope(&caller.accounts, row::Column::AccountId))
        .all(&by_id(tx, caller))
        .await?;
    let found = decode_all(tx, rows).await?.pop();
    Ok(found.ok_or_else(|| not_found("invoice", invoice_id))?)
}

/// The invoice of the locked account, locked until the transaction ends.
pub(crate) async fn lock(
    tx: &Tx,
    account_id: AccountId,
    invoice_id: InvoiceId,
) -> Result<Invoice, Fault> {
    let rows = row::Entity::find_by_id((account_id.to_string(), invoice_id.to_string()))
        .lock_exclusive()
        .all(tx)
        .await?;
    let found = decode_all(tx, rows).await?.pop();
    Ok(found.ok_or_else(|| not_found("invoice", invoice_id))?)
}

/// A page of the invoices that the caller sees, by time of issue, and the token of the next page.
/// Reads the lines only of invoices that fit into the page: a line takes no more bytes in a
/// response than here.
pub(crate) async fn list(
    tx: &Tx,
    caller: &Caller,
    wanted: &InvoiceFilter,
    page: &Page,
) -> Result<(Vec<Invoice>, String), Fault> {
    let account_id = wanted.account_id.as_ref().map(ToString::to_string);
    let resource_id = wanted.resource_id.as_ref();
    let state = wanted.state.map(InvoiceState::as_str);
    let of_seller = |wanted: &DocumentNumber| {
        row::Column::Seller
            .eq(wanted.seller.as_str())
            .and(row::Column::Number.eq(wanted.number))
    };
    let filter = in_scope(&caller.accounts, row::Column::AccountId)
        .add_option(account_id.map(|id| row::Column::AccountId.eq(id)))
        .add_option(resource_id.map(|id| row::Column::ResourceId.eq(id)))
        .add_option(state.map(|state| row::Column::State.eq(state)))
        .add_option(wanted.number.as_ref().map(of_seller));
    let rows = row::Entity::find()
        .filter(filter)
        .filter(page.rows_after(&Order::Asc, row::Column::IssuedUs, row::Column::InvoiceId)?)
        .order_by_asc(row::Column::IssuedUs)
        .order_by_asc(row::Column::InvoiceId)
        .limit(page.limit())
        .all(&listing(tx, caller, wanted.account_id))
        .await?;
    let bytes = |row: &row::Model| usize::try_from(row.line_bytes).unwrap_or(usize::MAX);
    let key = |row: &row::Model| vec![row.issued_us.to_string(), row.invoice_id.clone()];
    let (rows, next_page_token) = page.finish_sized(rows, bytes, key);
    Ok((decode_all(tx, rows).await?, next_page_token))
}

/// All invoices of a subject, oldest first.
pub(crate) async fn list_of_subject(
    tx: &Tx,
    account_id: AccountId,
    subject: &Subject,
) -> Result<Vec<Invoice>, Fault> {
    let rows = of_subject(account_id, subject)?.all(tx).await?;
    decode_all(tx, rows).await
}

/// As [`list_of_subject`], locked until the transaction ends.
pub(crate) async fn lock_of_subject(
    tx: &Tx,
    account_id: AccountId,
    subject: &Subject,
) -> Result<Vec<Invoice>, Fault> {
    let query = of_subject(account_id, subject)?.lock_exclusive();
    decode_all(tx, query.all(tx).await?).await
}

/// Stores what is paid on a locked invoice.
pub(crate) async fn set_paid(
    tx: &Tx,
    invoice_id: InvoiceId,
    invoice: &Invoice,
) -> Result<(), Fault> {
    row::Entity::update_many()
        .col_expr(row::Column::PaidMinor, Expr::value(invoice.paid.minor()))
        .col_expr(row::Column::State, Expr::value(state_of(invoice)?.as_str()))
        .filter(row::Column::AccountId.eq(invoice.account_id.to_string()))
        .filter(row::Column::InvoiceId.eq(invoice_id.to_string()))
        .exec(tx)
        .await?;
    Ok(())
}

/// The account's open invoice that is due first.
pub(crate) async fn find_first_due(
    tx: &Tx,
    account_id: AccountId,
) -> Result<Option<FirstDue>, Fault> {
    let found = row::Entity::find()
        .filter(row::Column::AccountId.eq(account_id.to_string()))
        .filter(is_open())
        .order_by_asc(row::Column::DueUs)
        .order_by_asc(row::Column::InvoiceId)
        .limit(1)
        .one(tx)
        .await?;
    let Some(row) = found else {
        return Ok(None);
    };
    let due_time = instant_if("due_us", row.due_us)?
        .ok_or_else(|| Fault::internal("an open invoice has no due time"))?;
    Ok(Some(FirstDue {
        invoice_id: parsed("invoice_id", &row.invoice_id)?,
        number: number_of(&row)?,
        due_time,
    }))
}

/// The earliest due time of the open invoices of each account; accounts without any are left out.
pub(crate) async fn first_due_times(
    tx: &Tx,
    account_ids: &[AccountId],
) -> Result<BTreeMap<AccountId, Instant>, Fault> {
    let only = account_ids.first().copied();
    let only = only.filter(|_| account_ids.len() == 1);
    let rows: Vec<(String, Option<i64>)> = row::Entity::find()
        .select_only()
        .column(row::Column::AccountId)
        .column_as(row::Column::DueUs.min(), "first_due_us")
        .filter(row::Column::AccountId.is_in(account_ids.iter().map(ToString::to_string)))
        .filter(is_open())
        .group_by(row::Column::AccountId)
        .into_tuple()
        .all(&AllAccounts::unless_of(only, tx, "a page of accounts"))
        .await?;
    let mut first = BTreeMap::new();
    for (account_id, due_us) in rows {
        if let Some(due_time) = instant_if("due_us", due_us)? {
            first.insert(parsed("account_id", &account_id)?, due_time);
        }
    }
    Ok(first)
}

/// The numbers of issued invoices of an account.
pub(crate) async fn numbers(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    invoice_ids: &[InvoiceId],
) -> Result<BTreeMap<InvoiceId, DocumentNumber>, Fault> {
    let ids = invoice_ids.iter().map(ToString::to_string);
    let rows = row::Entity::find()
        .select_only()
        .columns([
            row::Column::InvoiceId,
            row::Column::Seller,
            row::Column::Number,
        ])
        .filter(row::Column::AccountId.eq(account_id.to_string()))
        .filter(row::Column::InvoiceId.is_in(ids))
        .into_tuple()
        .all(connection)
        .await?;
    numbers::by_id("invoice_id", rows)
}

fn number_of(row: &row::Model) -> Result<DocumentNumber, Fault> {
    document_number(&row.seller, row.number)
}

/// A literal and not a parameter, so that the partial index on open invoices applies.
fn is_open() -> Expr {
    Expr::cust("state = 'OPEN'")
}

fn state_of(invoice: &Invoice) -> Result<InvoiceState, Fault> {
    invoice
        .state()
        .map_err(|error| money_refusal(invoice.total.currency(), &error).into())
}

/// Holds everything creditable on the locked invoices and their lines for a review.
pub(crate) async fn hold_creditable(
    tx: &Tx,
    account_id: AccountId,
    invoice_ids: &[InvoiceId],
) -> Result<(), Fault> {
    let account_id = account_id.to_string();
    let ids: Vec<String> = invoice_ids.iter().map(ToString::to_string).collect();
    row::Entity::update_many()
        .col_expr(
            row::Column::HeldMinor,
            Expr::col(row::Column::TotalMinor).sub(Expr::col(row::Column::CreditedMinor)),
        )
        .filter(row::Column::AccountId.eq(account_id.as_str()))
        .filter(row::Column::InvoiceId.is_in(ids.clone()))
        .exec(tx)
        .await?;
    line_row::Entity::update_many()
        .col_expr(
            line_row::Column::HeldMinor,
            Expr::col(line_row::Column::AmountMinor)
                .sub(Expr::col(line_row::Column::CreditedMinor)),
        )
        .filter(line_row::Column::AccountId.eq(account_id))
        .filter(line_row::Column::InvoiceId.is_in(ids))
        .exec(tx)
        .await?;
    Ok(())
}

/// Releases what a review held on the locked invoices and their lines.
pub(crate) async fn release_holds(
    tx: &Tx,
    account_id: AccountId,
    invoice_ids: &[InvoiceId],
) -> Result<(), Fault> {
    let account_id = account_id.to_string();
    let ids: Vec<String> = invoice_ids.iter().map(ToString::to_string).collect();
    row::Entity::update_many()
        .col_expr(row::Column::HeldMinor, Expr::value(0_i64))
        .filter(row::Column::AccountId.eq(account_id.as_str()))
        .filter(row::Column::InvoiceId.is_in(ids.clone()))
        .exec(tx)
        .await?;
    line_row::Entity::update_many()
        .col_expr(line_row::Column::HeldMinor, Expr::value(0_i64))
        .filter(line_row::Column::AccountId.eq(account_id))
        .filter(line_row::Column::InvoiceId.is_in(ids))
        .exec(tx)
        .await?;
    Ok(())
}

fn of_subject(account_id: AccountId, subject: &Subject) -> Result<Select<row::Entity>, Fault> {
    Ok(row::Entity::find()
        .filter(row::Column::AccountId.eq(account_id.to_string()))
        .filter(row::Column::ResourceId.eq(subject.resource_id.as_str()))
        .filter(row::Column::TermIndex.eq(count_column("term_index", subject.term_index)?))
        .order_by_asc(row::Column::IssuedUs)
        .order_by_asc(row::Column::InvoiceId))
}

async fn decode_all(tx: &Tx, rows: Vec<row::Model>) -> Result<Vec<Invoice>, Fault> {
    let rows = with_lines(tx, rows).await?.into_iter();
    rows.map(|(row, lines)| decode(row, lines)).collect()
}

/// Invoices with their lines, in order; the lines of all of them are read at once.
async fn with_lines(
    connection: &impl ConnectionTrait,
    rows: Vec<row::Model>,
) -> Result<Vec<(row::Model, Vec<line_row::Model>)>, DbErr> {
    let columns = PartColumns::<line_row::Entity> {
        account_id: line_row::Column::AccountId,
        id: line_row::Column::InvoiceId,
        order: line_row::Column::LineNumber,
    };
    let key_of_line = |line: &line_row::Model| (line.account_id.clone(), line.invoice_id.clone());
    with_parts(connection, rows, key_of, columns, key_of_line).await
}

fn key_of(row: &row::Model) -> RowKey {
    (row.account_id.clone(), row.invoice_id.clone())
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
        number: Some(number_of(&row)?),
        account_id: parsed("account_id", &row.account_id)?,
        quote_id: parsed("quote_id", &row.quote_id)?,
        subject: subject(row.resource_id, row.term_index)?,
        lines: lines?,
        total,
        paid: Money::from_minor(currency, row.paid_minor),
        credited: Money::from_minor(currency, row.credited_minor),
        returned: Money::from_minor(currency, row.returned_minor),
        held: Money::from_minor(currency, row.held_minor),
        accepted: instant("accept_us", row.accept_us)?,
        issued: instant("issued_us", row.issued_us)?,
        due_time: instant_if("due_us", row.due_us)?,
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
