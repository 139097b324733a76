//! Holds rows against their seals: those that events say, and those that were kept of rows of before.

use std::collections::{BTreeMap, HashMap};

use futures::TryStreamExt;
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect};
use serde::Deserialize;

use crate::{
    database::Tx,
    event_rows::{event_row, outbox_row},
    fault::Fault,
    seal::{Seal, row},
    verification::{Check, Difference},
};

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
