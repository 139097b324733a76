//! Credit notes and their lines, written once and never changed (BL-3), and their effect on the
//! invoices that they correct.

use std::collections::BTreeMap;

use licet_domain::{
    ids::{AccountId, CreditNoteId},
    money::Money,
};
use licet_runtime::{
    caller::Caller,
    database::{Number, Tx},
    fault::Fault,
    page::Page,
    seal::Seal,
    stored::{count, count_column, in_scope, instant, money, parsed},
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, IntoActiveModel, Order,
    QueryFilter, QueryOrder, QuerySelect, Statement,
};
use serde_json::json;

use super::{
    numbers::{self, Series, document_number},
    owner::listing,
    parts::{PartColumns, RowKey, with_parts},
    seal_page::{SealPage, rows_after},
};
use crate::rules::{
    charge::InvoiceState,
    credit::{CreditNote, InvoiceCredit, LineCredit},
    listing::CreditNoteFilter,
    numbers::{DocumentNumber, Seller},
};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "credit_note")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) account_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) credit_note_id: String,
        pub(super) seller: String,
        pub(super) number: i64,
        pub(super) invoice_id: String,
        pub(super) currency: String,
        pub(super) total_minor: i64,
        pub(super) reason: String,
        pub(super) issued_us: i64,
        pub(super) returned_minor: i64,
    }

    licet_runtime::plain_entity!(pub(super));
}

mod line_row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "credit_note_line")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) account_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) credit_note_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) line_number: i32,
        pub(super) amount_minor: i64,
    }

    licet_runtime::plain_entity!(pub(super));
}

/// Issues drafted credit notes that have ids, at least one, under the next numbers of the seller's series, in order
/// (BL-8). Returns the numbers.
pub(crate) async fn issue(
    tx: &Tx,
    seller: &Seller,
    drafts: &[CreditNote],
) -> Result<Vec<Number>, Fault> {
    let numbers = numbers::take(tx, seller, Series::CreditNote, drafts.len()).await?;
    let mut rows = Vec::with_capacity(drafts.len());
    let mut all_lines = Vec::new();
    for (note, number) in drafts.iter().zip(&numbers) {
        let credit_note_id = note
            .credit_note_id
            .ok_or_else(|| Fault::internal("a credit note to be issued has no id"))?;
        let row = row::Model {
            account_id: note.account_id.to_string(),
            credit_note_id: credit_note_id.to_string(),
            seller: seller.to_string(),
            number: number.column(),
            invoice_id: note.invoice_id.to_string(),
            currency: note.total.currency().code().to_owned(),
            total_minor: note.total.minor(),
            reason: note.reason.clone(),
            issued_us: note.issued.as_micros(),
            returned_minor: note.returned.minor(),
        };
        let mut lines = Vec::with_capacity(note.lines.len());
        for line in &note.lines {
            lines.push(line_row::Model {
                account_id: note.account_id.to_string(),
                credit_note_id: credit_note_id.to_string(),
                line_number: count_column("line_number", line.line_number)?,
                amount_minor: line.amount.minor(),
            });
        }
        // In the order in which they are read back.
        lines.sort_by_key(|line| line.line_number);
        tx.seal(seal(&row, &lines));
        rows.push(row.into_active_model());
        all_lines.extend(lines.into_iter().map(line_row::Model::into_active_model));
    }
    tx.last(row::Entity, row::Entity::insert_many(rows)).await?;
    tx.last(line_row::Entity, line_row::Entity::insert_many(all_lines))
        .await?;
    Ok(numbers)
}

/// The numbers of issued credit notes of an account.
pub(crate) async fn numbers(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
    credit_note_ids: &[CreditNoteId],
) -> Result<BTreeMap<CreditNoteId, DocumentNumber>, Fault> {
    let ids = credit_note_ids.iter().map(ToString::to_string);
    let rows = row::Entity::find()
        .select_only()
        .columns([
            row::Column::CreditNoteId,
            row::Column::Seller,
            row::Column::Number,
        ])
        .filter(row::Column::AccountId.eq(account_id.to_string()))
        .filter(row::Column::CreditNoteId.is_in(ids))
        .into_tuple()
        .all(connection)
        .await?;
    numbers::by_id("credit_note_id", rows)
}

/// Covers the note and its lines.
fn seal(row: &row::Model, lines: &[line_row::Model]) -> Seal {
    let lines: Vec<_> = lines
        .iter()
        .map(|line| json!([line.account_id, line.line_number, line.amount_minor]))
        .collect();
    let columns = json!([
        row.account_id,
        row.credit_note_id,
        row.seller,
        row.number,
        row.invoice_id,
        row.currency,
        row.total_minor,
        row.reason,
        row.issued_us,
        row.returned_minor,
        lines,
    ]);
    Seal::new("credit_note", &row.credit_note_id, &columns)
}

/// A page of the seals of credit notes.
pub(super) async fn list_seals(
    connection: &impl ConnectionTrait,
    after: &RowKey,
) -> Result<SealPage, DbErr> {
    let key = (row::Column::AccountId, row::Column::CreditNoteId);
    let rows = rows_after::<row::Entity>(connection, key, after).await?;
    let rows = with_lines(connection, rows).await?;
    Ok(SealPage {
        seals: rows.iter().map(|(row, lines)| seal(row, lines)).collect(),
        last: rows.last().map(|(row, _)| key_of(row)),
    })
}

/// Credit notes with their lines, in order; the lines of all of them are read at once.
async fn with_lines(
    connection: &impl ConnectionTrait,
    rows: Vec<row::Model>,
) -> Result<Vec<(row::Model, Vec<line_row::Model>)>, DbErr> {
    let columns = PartColumns::<line_row::Entity> {
        account_id: line_row::Column::AccountId,
        id: line_row::Column::CreditNoteId,
        order: line_row::Column::LineNumber,
    };
    let key_of_line =
        |line: &line_row::Model| (line.account_id.clone(), line.credit_note_id.clone());
    with_parts(connection, rows, key_of, columns, key_of_line).await
}

fn key_of(row: &row::Model) -> RowKey {
    (row.account_id.clone(), row.credit_note_id.clone())
}

/// A statement with a JSON parameter and the account, in the dialect of the database.
macro_rules! statement {
    ($tx:expr, $name:literal, $given:expr, $account_id:expr) => {{
        let text = if $tx.get_database_backend() == DbBackend::Postgres {
            include_str!(concat!("sql/postgres/", $name, ".sql"))
        } else {
            include_str!(concat!("sql/sqlite/", $name, ".sql"))
        };
        let given = json!($given).to_string();
        Statement::from_sql_and_values(
            $tx.get_database_backend(),
            text,
            [given.into(), $account_id.to_string().into()],
        )
    }};
}

/// Subtracts credits from the locked invoices and lines of the account that they were planned on.
pub(crate) async fn apply_credits(
    tx: &Tx,
    account_id: AccountId,
    credits: &[InvoiceCredit],
) -> Result<(), Fault> {
    let mut invoices = Vec::with_capacity(credits.len());
    let mut lines = Vec::new();
    for credit in credits {
        let state = if credit.due.is_zero() {
            InvoiceState::Paid
        } else {
            InvoiceState::Open
        };
        invoices.push(json!({
            "i": credit.invoice_id,
            "c": credit.total.minor(),
            "r": credit.returned.minor(),
            "s": state.as_str(),
        }));
        for line in &credit.lines {
            let (number, amount) = (line.line_number, line.amount.minor());
            lines.push(json!({ "i": credit.invoice_id, "n": number, "c": amount }));
        }
    }
    tx.execute_raw(statement!(tx, "credit_invoices", invoices, account_id))
        .await?;
    tx.execute_raw(statement!(tx, "credit_invoice_lines", lines, account_id))
        .await?;
    Ok(())
}

/// A page of the credit notes that the caller sees, by time of issue.
pub(crate) async fn list(
    tx: &Tx,
    caller: &Caller,
    wanted: &CreditNoteFilter,
    page: &Page,
) -> Result<Vec<CreditNote>, Fault> {
    let account_id = wanted.account_id.as_ref().map(ToString::to_string);
    let invoice_id = wanted.invoice_id.as_ref().map(ToString::to_string);
    let filter = in_scope(&caller.accounts, row::Column::AccountId)
        .add_option(account_id.map(|id| row::Column::AccountId.eq(id)))
        .add_option(invoice_id.map(|id| row::Column::InvoiceId.eq(id)));
    let rows = row::Entity::find()
        .filter(filter)
        .filter(page.rows_after(
            &Order::Asc,
            row::Column::IssuedUs,
            row::Column::CreditNoteId,
        )?)
        .order_by_asc(row::Column::IssuedUs)
        .order_by_asc(row::Column::CreditNoteId)
        .limit(page.limit())
        .all(&listing(tx, caller, wanted.account_id))
        .await?;
    let rows = with_lines(tx, rows).await?.into_iter();
    rows.map(|(row, lines)| decode(row, &lines)).collect()
}

fn decode(row: row::Model, lines: &[line_row::Model]) -> Result<CreditNote, Fault> {
    let total = money(&row.currency, row.total_minor)?;
    let lines: Result<Vec<_>, Fault> = lines
        .iter()
        .map(|line| {
            Ok(LineCredit {
                line_number: count("line_number", line.line_number)?,
                amount: Money::from_minor(total.currency(), line.amount_minor),
            })
        })
        .collect();
    Ok(CreditNote {
        credit_note_id: Some(parsed("credit_note_id", &row.credit_note_id)?),
        number: Some(document_number(&row.seller, row.number)?),
        account_id: parsed("account_id", &row.account_id)?,
        invoice_id: parsed("invoice_id", &row.invoice_id)?,
        lines: lines?,
        total,
        returned: Money::from_minor(total.currency(), row.returned_minor),
        reason: row.reason,
        issued: instant("issued_us", row.issued_us)?,
    })
}
