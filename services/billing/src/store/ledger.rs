//! The double-entry ledger: entries with their postings, written once and never changed (BL-5).

use licet_domain::{
    clock::Instant,
    ids::{AccountId, EntryId},
    money::{Currency, Money},
    term::Period,
};
use licet_runtime::{
    caller::Caller,
    database::Tx,
    fault::Fault,
    page::Page,
    seal::Seal,
    stored::{count_column, in_scope, instant, parsed},
};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, Order,
    QueryFilter, QueryOrder, QuerySelect,
};
use serde_json::json;

use super::{
    accounts,
    owner::by_id,
    parts::{PartColumns, RowKey, with_parts},
    seal_page::{SealPage, rows_after},
};
use crate::rules::{
    account::AccountKind,
    ledger::{Cause, Entry, LedgerEntry, Movement, Posting},
    money_refusal, not_found,
};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "ledger_entry")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) account_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) entry_id: String,
        pub(super) kind: String,
        pub(super) currency: String,
        pub(super) invoice_id: Option<String>,
        pub(super) credit_note_id: Option<String>,
        pub(super) reference: String,
        pub(super) entry_us: i64,
        pub(super) reverses_entry_id: Option<String>,
    }

    licet_runtime::plain_entity!(pub(super));
}

mod posting_row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "posting")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) account_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) entry_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) posting_number: i32,
        pub(super) ledger_account: String,
        pub(super) amount_minor: i64,
    }

    licet_runtime::plain_entity!(pub(super));
}

/// Books entries in the ledger of an account: changes its sums by the postings and stores the
/// entries, dated `now` or the time of its last entry, whichever is later (T-5).
///
/// Returns `None`, and changes nothing, if the balance or what is due would leave its bounds, or
/// the account is not of kind `only`.
///
/// # Errors
/// When there are no entries, a sum overflows, or the database fails.
pub(crate) async fn post(
    tx: &Tx,
    account_id: AccountId,
    entries: Vec<Entry>,
    only: Option<AccountKind>,
    now: Instant,
) -> Result<Option<Vec<LedgerEntry>>, Fault> {
    let booked = book(tx, account_id, entries, only, now).await?;
    if let Some(entries) = &booked {
        insert(tx, entries).await?;
    }
    Ok(booked)
}

/// As [`post`], but leaves it to the caller to store the entries with [`insert`] in the same
/// transaction. A charge takes the lock that others wait for longest in between.
pub(crate) async fn book(
    tx: &Tx,
    account_id: AccountId,
    entries: Vec<Entry>,
    only: Option<AccountKind>,
    now: Instant,
) -> Result<Option<Vec<LedgerEntry>>, Fault> {
    let currency = currency_of(entries.first().map_or(&[], Entry::postings))?;
    let movement =
        Movement::of(currency, &entries).map_err(|error| money_refusal(currency, &error))?;
    let Some(time) = accounts::apply(tx, account_id, movement, only, now).await? else {
        return Ok(None);
    };
    let entries = entries.into_iter();
    let booked = entries.map(|entry| entry.book(account_id, time));
    Ok(Some(booked.collect()))
}

/// Books one entry that the rules allow on the locked account.
///
/// # Errors
/// As [`post`], and when the account does not allow it.
pub(crate) async fn post_one(
    tx: &Tx,
    account_id: AccountId,
    entry: Entry,
    now: Instant,
) -> Result<LedgerEntry, Fault> {
    post(tx, account_id, vec![entry], None, now)
        .await?
        .and_then(|mut booked| booked.pop())
        .ok_or_else(|| Fault::internal("an entry that the rules allow could not be booked"))
}

/// The entry; NOT_FOUND if the caller does not see its account.
pub(crate) async fn get(
    connection: &impl ConnectionTrait,
    caller: &Caller,
    entry_id: EntryId,
) -> Result<LedgerEntry, Fault> {
    let rows = row::Entity::find()
        .filter(row::Column::EntryId.eq(entry_id.to_string()))
        .filter(in_scope(&caller.accounts, row::Column::AccountId))
        .all(&by_id(connection, caller))
        .await?;
    let found = decode_all(connection, rows).await?.pop();
    Ok(found.ok_or_else(|| not_found("entry", entry_id))?)
}

/// The reversal of an entry of the account.
pub(crate) async fn find_reversal(
    tx: &Tx,
    account_id: AccountId,
    entry_id: EntryId,
) -> Result<Option<EntryId>, Fault> {
    let found = row::Entity::find()
        .filter(row::Column::AccountId.eq(account_id.to_string()))
        .filter(row::Column::ReversesEntryId.eq(entry_id.to_string()))
        .one(tx)
        .await?;
    found
        .map(|row| parsed("entry_id", &row.entry_id))
        .transpose()
}

/// Stores booked entries with their postings.
pub(crate) async fn insert(tx: &Tx, entries: &[LedgerEntry]) -> Result<(), Fault> {
    if entries.is_empty() {
        return Ok(());
    }
    let mut rows = Vec::with_capacity(entries.len());
    let mut postings = Vec::with_capacity(entries.len() * 2);
    for entry in entries {
        let row = encode(entry)?;
        let sides = encode_postings(entry)?;
        tx.seal(seal(&row, &sides));
        rows.push(row.into_active_model());
        let sides = sides.into_iter();
        postings.extend(sides.map(posting_row::Model::into_active_model));
    }
    tx.later(row::Entity, row::Entity::insert_many(rows))
        .await?;
    tx.later(
        posting_row::Entity,
        posting_row::Entity::insert_many(postings),
    )
    .await?;
    Ok(())
}

fn encode_postings(entry: &LedgerEntry) -> Result<Vec<posting_row::Model>, Fault> {
    let numbered = (1..).zip(&entry.postings);
    let rows = numbered.map(|(number, posting)| {
        Ok(posting_row::Model {
            account_id: entry.account_id.to_string(),
            entry_id: id_of(entry)?,
            posting_number: count_column("posting_number", number)?,
            ledger_account: posting.ledger_account.as_str().to_owned(),
            amount_minor: posting.amount.minor(),
        })
    });
    rows.collect()
}

/// Covers the entry and its postings.
fn seal(row: &row::Model, postings: &[posting_row::Model]) -> Seal {
    let postings: Vec<_> = postings
        .iter()
        .map(|side| {
            json!([
                side.account_id,
                side.posting_number,
                side.ledger_account,
                side.amount_minor,
            ])
        })
        .collect();
    let columns = json!([
        row.account_id,
        row.entry_id,
        row.kind,
        row.currency,
        row.invoice_id,
        row.credit_note_id,
        row.reference,
        row.entry_us,
        row.reverses_entry_id,
        postings,
    ]);
    Seal::new("ledger_entry", &row.entry_id, &columns)
}

/// A page of the seals of entries.
pub(super) async fn list_seals(
    connection: &impl ConnectionTrait,
    after: &RowKey,
) -> Result<SealPage, DbErr> {
    let key = (row::Column::AccountId, row::Column::EntryId);
    let rows = rows_after::<row::Entity>(connection, key, after).await?;
    let rows = with_postings(connection, rows).await?;
    Ok(SealPage {
        seals: rows
            .iter()
            .map(|(row, postings)| seal(row, postings))
            .collect(),
        last: rows.last().map(|(row, _)| key_of(row)),
    })
}

/// Entries with their postings, in order; the postings of all of them are read at once.
async fn with_postings(
    connection: &impl ConnectionTrait,
    rows: Vec<row::Model>,
) -> Result<Vec<(row::Model, Vec<posting_row::Model>)>, DbErr> {
    let columns = PartColumns::<posting_row::Entity> {
        account_id: posting_row::Column::AccountId,
        id: posting_row::Column::EntryId,
        order: posting_row::Column::PostingNumber,
    };
    let key_of_posting =
        |posting: &posting_row::Model| (posting.account_id.clone(), posting.entry_id.clone());
    with_parts(connection, rows, key_of, columns, key_of_posting).await
}

fn key_of(row: &row::Model) -> RowKey {
    (row.account_id.clone(), row.entry_id.clone())
}

/// A page of the entries of an account, by time; only those within `period` if one is given.
pub(crate) async fn list(
    tx: &Tx,
    account_id: AccountId,
    period: Option<Period>,
    page: &Page,
) -> Result<Vec<LedgerEntry>, Fault> {
    let mut filter = Condition::all()
        .add(row::Column::AccountId.eq(account_id.to_string()))
        .add(page.rows_after(&Order::Asc, row::Column::EntryUs, row::Column::EntryId)?);
    if let Some(period) = period {
        filter = filter
            .add(row::Column::EntryUs.gte(period.start.as_micros()))
            .add(row::Column::EntryUs.lt(period.end.as_micros()));
    }
    let rows = row::Entity::find()
        .filter(filter)
        .order_by_asc(row::Column::EntryUs)
        .order_by_asc(row::Column::EntryId)
        .limit(page.limit())
        .all(tx)
        .await?;
    decode_all(tx, rows).await
}

async fn decode_all(
    connection: &impl ConnectionTrait,
    rows: Vec<row::Model>,
) -> Result<Vec<LedgerEntry>, Fault> {
    let rows = with_postings(connection, rows).await?.into_iter();
    rows.map(|(row, postings)| decode(row, &postings)).collect()
}

fn id_of(entry: &LedgerEntry) -> Result<String, Fault> {
    entry
        .entry_id
        .map(|id| id.to_string())
        .ok_or_else(|| Fault::internal("an entry to be stored has no id"))
}

/// The currency of all postings of an entry.
fn currency_of(postings: &[Posting]) -> Result<Currency, Fault> {
    let first = postings.first();
    first
        .map(|posting| posting.amount.currency())
        .ok_or_else(|| Fault::internal("an entry to be booked has no postings"))
}

fn encode(entry: &LedgerEntry) -> Result<row::Model, Fault> {
    let mut row = row::Model {
        account_id: entry.account_id.to_string(),
        entry_id: id_of(entry)?,
        kind: entry.kind.as_str().to_owned(),
        currency: currency_of(&entry.postings)?.code().to_owned(),
        invoice_id: None,
        credit_note_id: None,
        reference: String::new(),
        entry_us: entry.time.as_micros(),
        reverses_entry_id: None,
    };
    match &entry.cause {
        Cause::Transfer(reference) => row.reference.clone_from(reference),
        Cause::Invoice(id) => row.invoice_id = Some(id.to_string()),
        Cause::CreditNote(id) => row.credit_note_id = Some(id.to_string()),
        Cause::Reversal { reverses, reason } => {
            row.reverses_entry_id = Some(reverses.to_string());
            row.reference.clone_from(reason);
        }
    }
    Ok(row)
}

fn decode(row: row::Model, postings: &[posting_row::Model]) -> Result<LedgerEntry, Fault> {
    let currency: Currency = parsed("currency", &row.currency)?;
    let postings: Result<Vec<_>, Fault> = postings
        .iter()
        .map(|posting| {
            Ok(Posting {
                ledger_account: parsed("ledger_account", &posting.ledger_account)?,
                amount: Money::from_minor(currency, posting.amount_minor),
            })
        })
        .collect();
    let cause = match (row.invoice_id, row.credit_note_id, row.reverses_entry_id) {
        (Some(id), _, _) => Cause::Invoice(parsed("invoice_id", &id)?),
        (None, Some(id), _) => Cause::CreditNote(parsed("credit_note_id", &id)?),
        (None, None, Some(id)) => Cause::Reversal {
            reverses: parsed("reverses_entry_id", &id)?,
            reason: row.reference,
        },
        (None, None, None) => Cause::Transfer(row.reference),
    };
    Ok(LedgerEntry {
        entry_id: Some(parsed("entry_id", &row.entry_id)?),
        account_id: parsed("account_id", &row.account_id)?,
        kind: parsed("kind", &row.kind)?,
        postings: postings?,
        cause,
        time: instant("entry_us", row.entry_us)?,
    })
}
