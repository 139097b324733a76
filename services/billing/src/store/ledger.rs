//! The double-entry ledger: entries with their postings, written once and never changed (BL-5).

use std::collections::BTreeMap;

use licet_domain::{
    ids::AccountId,
    money::{Currency, Money},
};
use licet_runtime::{
    database::Tx,
    fault::Fault,
    page::Page,
    stored::{count_column, instant, parsed},
};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect, Set,
};

use crate::rules::ledger::{Cause, LedgerEntry, Posting};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "ledger_entry")]
    pub(super) struct Model {
        pub(super) account_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) entry_id: String,
        pub(super) kind: String,
        pub(super) currency: String,
        pub(super) invoice_id: Option<String>,
        pub(super) credit_note_id: Option<String>,
        pub(super) reference: String,
        pub(super) entry_us: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod posting_row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "posting")]
    pub(super) struct Model {
        pub(super) account_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) entry_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) posting_number: i32,
        pub(super) ledger_account: String,
        pub(super) amount_minor: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Books entries of one currency; none at all is fine.
pub(crate) async fn insert(
    tx: &Tx,
    currency: Currency,
    entries: &[LedgerEntry],
) -> Result<(), Fault> {
    if entries.is_empty() {
        return Ok(());
    }
    let rows = entries.iter().map(|entry| encode(entry, currency));
    row::Entity::insert_many(rows)
        .exec_without_returning(tx)
        .await?;
    let mut postings = Vec::with_capacity(entries.len() * 2);
    for entry in entries {
        for (number, posting) in (1..).zip(&entry.postings) {
            postings.push(posting_row::ActiveModel {
                account_id: Set(entry.account_id.to_string()),
                entry_id: Set(entry.entry_id.to_string()),
                posting_number: Set(count_column("posting_number", number)?),
                ledger_account: Set(posting.ledger_account.as_str().to_owned()),
                amount_minor: Set(posting.amount.minor()),
            });
        }
    }
    posting_row::Entity::insert_many(postings)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// A page of an account's entries, by time.
pub(crate) async fn list(
    tx: &Tx,
    account_id: AccountId,
    page: &Page,
) -> Result<Vec<LedgerEntry>, Fault> {
    let filter = Condition::all()
        .add(row::Column::AccountId.eq(account_id.to_string()))
        .add(page.rows_after(&Order::Asc, row::Column::EntryUs, row::Column::EntryId)?);
    let rows = row::Entity::find()
        .filter(filter)
        .order_by_asc(row::Column::EntryUs)
        .order_by_asc(row::Column::EntryId)
        .limit(page.limit())
        .all(tx)
        .await?;
    let postings = posting_row::Entity::find()
        .filter(posting_row::Column::EntryId.is_in(rows.iter().map(|row| row.entry_id.as_str())))
        .order_by_asc(posting_row::Column::PostingNumber)
        .all(tx)
        .await?;
    let mut by_entry: BTreeMap<String, Vec<posting_row::Model>> = BTreeMap::new();
    for posting in postings {
        by_entry
            .entry(posting.entry_id.clone())
            .or_default()
            .push(posting);
    }
    rows.into_iter()
        .map(|row| {
            let postings = by_entry.remove(&row.entry_id).unwrap_or_default();
            decode(row, &postings)
        })
        .collect()
}

fn encode(entry: &LedgerEntry, currency: Currency) -> row::ActiveModel {
    let (invoice_id, credit_note_id, reference) = match &entry.cause {
        Cause::Deposit(reference) => (None, None, reference.clone()),
        Cause::Invoice(id) => (Some(id.to_string()), None, String::new()),
        Cause::CreditNote(id) => (None, Some(id.to_string()), String::new()),
    };
    row::ActiveModel {
        account_id: Set(entry.account_id.to_string()),
        entry_id: Set(entry.entry_id.to_string()),
        kind: Set(entry.kind.as_str().to_owned()),
        currency: Set(currency.code().to_owned()),
        invoice_id: Set(invoice_id),
        credit_note_id: Set(credit_note_id),
        reference: Set(reference),
        entry_us: Set(entry.time.as_micros()),
    }
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
    let cause = match (row.invoice_id, row.credit_note_id) {
        (Some(id), _) => Cause::Invoice(parsed("invoice_id", &id)?),
        (None, Some(id)) => Cause::CreditNote(parsed("credit_note_id", &id)?),
        (None, None) => Cause::Deposit(row.reference),
    };
    Ok(LedgerEntry {
        entry_id: parsed("entry_id", &row.entry_id)?,
        account_id: parsed("account_id", &row.account_id)?,
        kind: parsed("kind", &row.kind)?,
        postings: postings?,
        cause,
        time: instant("entry_us", row.entry_us)?,
    })
}
