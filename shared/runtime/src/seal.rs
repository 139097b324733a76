//! Seals: digests of rows that no call changes unseen. The event of the change that writes a row says its
//! seal, and so the log's chain of hashes covers the row; rows of before have theirs in a table.

use std::collections::{BTreeMap, HashMap};

use futures::TryStreamExt;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, Set,
};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::{
    database::Tx,
    fault::Fault,
    outbox::{event_row, outbox_row},
    verification::{Check, Difference},
};

mod row {
    //! Rows that were written before events said their seals.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "seal")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) subject: String,
        pub(super) digest: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What a row says, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// The table and the row's id, `invoice inv_…`.
    pub subject: String,
    /// SHA-256 in hexadecimal.
    pub digest: String,
}

impl Seal {
    /// The seal of a row by the columns that it covers. Their order is a promise to stores that exist.
    #[must_use]
    pub fn new(table: &str, id: &str, columns: &serde_json::Value) -> Self {
        Self {
            subject: format!("{table} {id}"),
            digest: hex::encode(Sha256::digest(columns.to_string())),
        }
    }
}

/// Writes down the seals of rows of before.
///
/// # Errors
/// When the database does not answer.
pub async fn keep(connection: &impl ConnectionTrait, seals: Vec<Seal>) -> Result<(), DbErr> {
    if seals.is_empty() {
        return Ok(());
    }
    let rows = seals.into_iter().map(|seal| row::ActiveModel {
        subject: Set(seal.subject),
        digest: Set(seal.digest),
    });
    row::Entity::insert_many(rows)
        .exec_without_returning(connection)
        .await?;
    Ok(())
}

/// Every seal that was kept or said, to hold the rows against: the newest of each row.
#[derive(Debug)]
pub struct Seals {
    expected: HashMap<String, String>,
    check: Check,
}

#[derive(FromQueryResult)]
struct Said {
    data: String,
}

#[derive(Deserialize)]
struct Facts {
    #[serde(default)]
    sealed: BTreeMap<String, String>,
}

impl Seals {
    /// Reads them. They all fit into memory: some hundred bytes for each row.
    ///
    /// # Errors
    /// When the database does not answer, or an event says what is no JSON.
    pub async fn read(tx: &Tx) -> Result<Self, Fault> {
        let mut expected = HashMap::new();
        let mut kept = row::Entity::find().stream(tx).await?;
        while let Some(row) = kept.try_next().await? {
            expected.insert(row.subject, row.digest);
        }
        drop(kept);
        let said = event_row::Entity::find()
            .select_only()
            .column(event_row::Column::Data)
            .filter(event_row::Column::Data.contains("\"sealed\""))
            .order_by_asc(event_row::Column::Position)
            .into_model::<Said>();
        let mut said = said.stream(tx).await?;
        while let Some(Said { data }) = said.try_next().await? {
            expected.extend(facts(&data).sealed);
        }
        drop(said);
        let waiting = outbox_row::Entity::find()
            .select_only()
            .column(outbox_row::Column::Data)
            .order_by_asc(outbox_row::Column::Id)
            .into_model::<Said>();
        let mut waiting = waiting.stream(tx).await?;
        while let Some(Said { data }) = waiting.try_next().await? {
            expected.extend(facts(&data).sealed);
        }
        Ok(Self {
            expected,
            check: Check::new(
                "seals",
                "a row is as the event says that wrote it, and every row that one wrote is there (X-5)",
            ),
        })
    }

    /// Holds a row against its seal.
    pub fn hold(&mut self, found: Seal) {
        self.check.checked += 1;
        let expected = self.expected.remove(&found.subject);
        if expected.as_ref() != Some(&found.digest) {
            self.check.note(Difference {
                subject: found.subject,
                expected: expected.unwrap_or_else(|| "no row".to_owned()),
                found: found.digest,
            });
        }
    }

    /// What the rows came to, once all were held: a seal that is left is of a row that is gone.
    #[must_use]
    pub fn finish(self) -> Check {
        let Self {
            expected,
            mut check,
        } = self;
        for (subject, digest) in expected {
            check.checked += 1;
            check.note(Difference {
                subject,
                expected: digest,
                found: "no row".to_owned(),
            });
        }
        check.shown.sort();
        check
    }
}

/// What an event says that is no JSON seals nothing; the rows that it wrote differ.
fn facts(data: &str) -> Facts {
    serde_json::from_str(data).unwrap_or_else(|_| Facts {
        sealed: BTreeMap::new(),
    })
}
