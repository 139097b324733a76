//! Credit notes and their lines, written once and never changed (BL-3), and their effect on the
//! invoices that they correct.

use licet_domain::money::Money;
use licet_runtime::{
    caller::Caller,
    database::Tx,
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
    numbers::SELLER,
    parts::with_parts,
    seal_page::{SealPage, rows_after},
};
use crate::rules::{
    charge::InvoiceState,
    credit::{CreditNote, InvoiceCredit, LineCredit},
    listing::CreditNoteFilter,
};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "credit_note")]
    pub(super) struct Model {
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
        pub(super) account_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) credit_note_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) line_number: i32,
        pub(super) amount_minor: i64,
    }

    licet_runtime::plain_entity!(pub(super));
}

/// Stores credit notes that have ids and numbers; there may be none.
pub(crate) async fn insert(tx: &Tx, notes: &[CreditNote]) -> Result<(), Fault> {
    if notes.is_empty() {
        return Ok(());
    }
    let mut rows = Vec::with_capacity(notes.len());
    let mut all_lines = Vec::new();
    for note in notes {
        let (Some(credit_note_id), Some(number)) = (note.credit_note_id, note.number) else {
            return Err(Fault::internal(
                "a credit note to be stored has no id or no number",
            ));
        };
        let row = row::Model {
            account_id: note.account_id.to_string(),
            credit_note_id: credit_note_id.to_string(),
            seller: SELLER.to_owned(),
            number,
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
    row::Entity::insert_many(rows)
        .exec_without_returning(tx)
        .await?;
    line_row::Entity::insert_many(all_lines)
        .exec_without_returning(tx)
        .await?;
    Ok(())
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
    after: &str,
) -> Result<SealPage, DbErr> {
    let rows = rows_after::<row::Entity>(connection, row::Column::CreditNoteId, after).await?;
    let rows = with_lines(connection, rows).await?;
    Ok(SealPage {
        seals: rows.iter().map(|(row, lines)| seal(row, lines)).collect(),
        last: rows.last().map(|(row, _)| row.credit_note_id.clone()),
    })
}

/// Credit notes with their lines, in order; the lines of all of them are read at once.
async fn with_lines(
    connection: &impl ConnectionTrait,
    rows: Vec<row::Model>,
) -> Result<Vec<(row::Model, Vec<line_row::Model>)>, DbErr> {
    let ids = rows.iter().map(|row| row.credit_note_id.as_str());
    let lines = line_row::Entity::find()
        .filter(line_row::Column::CreditNoteId.is_in(ids))
        .order_by_asc(line_row::Column::LineNumber)
        .all(connection)
        .await?;
    Ok(with_parts(
        rows,
        |row| &row.credit_note_id,
        lines,
        |line| &line.credit_note_id,
    ))
}

/// A statement with one JSON parameter, in the dialect of the database.
macro_rules! statement {
    ($tx:expr, $name:literal, $given:expr) => {{
        let text = if $tx.get_database_backend() == DbBackend::Postgres {
            include_str!(concat!("sql/postgres/", $name, ".sql"))
        } else {
            include_str!(concat!("sql/sqlite/", $name, ".sql"))
        };
        let given = json!($given).to_string();
        Statement::from_sql_and_values($tx.get_database_backend(), text, [given.into()])
    }};
}

/// Subtracts credits from the locked invoices and lines that they were planned on.
pub(crate) async fn apply_credits(tx: &Tx, credits: &[InvoiceCredit]) -> Result<(), Fault> {
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
    tx.execute_raw(statement!(tx, "credit_invoices", invoices))
        .await?;
    tx.execute_raw(statement!(tx, "credit_invoice_lines", lines))
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
        .all(tx)
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
        number: Some(row.number),
        account_id: parsed("account_id", &row.account_id)?,
        invoice_id: parsed("invoice_id", &row.invoice_id)?,
        lines: lines?,
        total,
        returned: Money::from_minor(total.currency(), row.returned_minor),
        reason: row.reason,
        issued: instant("issued_us", row.issued_us)?,
    })
}
