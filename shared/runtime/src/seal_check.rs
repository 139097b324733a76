//! Checks rows against their seals, which are in events, or in the table `seal` for rows that are older than
//! the events' seals.

use std::collections::{BTreeMap, HashMap};

use futures::TryStreamExt;
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect};
use serde::Deserialize;

use crate::{
    all_accounts::AllAccounts,
    database::Tx,
    event_rows::{event_row, outbox_row, waiting},
    fault::Fault,
    seal::{Seal, row},
    verification::{Check, Difference},
};

/// The newest seal of every row, and the check of rows against them.
#[derive(Debug)]
pub struct Seals {
    expected: HashMap<String, String>,
    check: Check,
}

#[derive(FromQueryResult)]
struct DataColumn {
    data: String,
}

#[derive(Default, Deserialize)]
struct SealedRows {
    #[serde(default)]
    sealed: BTreeMap<String, String>,
    /// The subjects of rows that the change deleted.
    #[serde(default)]
    unsealed: Vec<String>,
}

impl Seals {
    /// Reads all seals into memory: a few hundred bytes for each row.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn read(tx: &Tx) -> Result<Self, Fault> {
        let mut expected = HashMap::new();
        let mut older = row::Entity::find().stream(tx).await?;
        while let Some(row) = older.try_next().await? {
            expected.insert(row.subject, row.digest);
        }
        drop(older);
        let logged = event_row::Entity::find()
            .filter(event_row::Column::Data.contains("sealed\""))
            .order_by_asc(event_row::Column::Position)
            .select_only()
            .column(event_row::Column::Data)
            .into_model::<DataColumn>();
        let unmoved = waiting()
            .select_only()
            .column(outbox_row::Column::Data)
            .into_model();
        let mut add = |DataColumn { data }| {
            // Invalid JSON seals nothing, so the rows of that event will differ.
            let event: SealedRows = serde_json::from_str(&data).unwrap_or_default();
            expected.extend(event.sealed);
            for subject in &event.unsealed {
                expected.remove(subject);
            }
        };
        let mut events = logged.stream(tx).await?;
        while let Some(event) = events.try_next().await? {
            add(event);
        }
        drop(events);
        let everyone = AllAccounts::new(tx, "the store is verified");
        unmoved.all(&everyone).await?.into_iter().for_each(add);
        Ok(Self {
            expected,
            check: Check::new(
                "seals",
                "every row matches the seal in its newest event, and every sealed row exists (X-5)",
            ),
        })
    }

    /// Checks a row against its seal.
    pub fn check(&mut self, found: Seal) {
        self.check.checked += 1;
        let expected = self.expected.remove(&found.subject);
        let digest = found.digest();
        if expected.as_ref() != Some(&digest) {
            self.check.note(Difference {
                subject: found.subject,
                expected: expected.unwrap_or_else(|| "no row".to_owned()),
                found: digest,
            });
        }
    }

    /// The result, once all rows were checked: a seal that is left over belongs to a row that is gone.
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
