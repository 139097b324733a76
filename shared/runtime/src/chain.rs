//! The chain of hashes over the event log: what makes it, and what holds a log against it. The bytes
//! are a promise of the contract, `StreamEventsResponse.chain_hash`; they never change.

use futures::TryStreamExt;
use sea_orm::{EntityTrait, QueryOrder};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{
    database::Tx,
    event_rows::{event_row, outbox_row},
    fault::Fault,
    verification::{Check, Difference},
};

/// What an event says that the chain covers, in its order.
pub(crate) struct Covered<'a> {
    pub(crate) position: i64,
    pub(crate) event_id: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) resource_id: &'a str,
    pub(crate) account_id: &'a str,
    pub(crate) time_us: i64,
    pub(crate) caller: &'a str,
    pub(crate) request_id: &'a str,
    pub(crate) method: &'a str,
    pub(crate) why: &'a str,
    pub(crate) outcome: &'a str,
    pub(crate) data: &'a str,
}

/// Both tables hold an event in the same columns.
macro_rules! covered {
    ($row:expr, $position:expr) => {
        Covered {
            position: $position,
            event_id: &$row.event_id,
            kind: &$row.r#type,
            resource_id: &$row.resource_id,
            account_id: &$row.account_id,
            time_us: $row.time_us,
            caller: &$row.caller,
            request_id: &$row.request_id,
            method: &$row.method,
            why: &$row.why,
            outcome: &$row.outcome,
            data: &$row.data,
        }
    };
}

impl<'a> Covered<'a> {
    /// A waiting event, at the position that it is given.
    pub(crate) fn at(position: i64, row: &'a outbox_row::Model) -> Self {
        covered!(row, position)
    }

    fn of(row: &'a event_row::Model) -> Self {
        covered!(row, row.position)
    }

    /// The hash over the event and its predecessor's hash: a changed past shows in every later hash.
    pub(crate) fn chained(&self, previous: &[u8]) -> Vec<u8> {
        let array = json!([
            self.position,
            self.event_id,
            self.kind,
            self.resource_id,
            self.account_id,
            self.time_us,
            self.caller,
            self.request_id,
            self.method,
            self.why,
            self.outcome,
            self.data,
        ]);
        let mut hash = Sha256::new();
        hash.update(previous);
        hash.update(array.to_string().as_bytes());
        hash.finalize().to_vec()
    }
}

/// Holds the whole log against its positions and its chain. An event that was changed, removed, inserted
/// or moved shows; a tail that was cut off does not, nor does a log whose every later hash was made anew:
/// that takes a hash that somebody kept elsewhere.
///
/// # Errors
/// When the database does not answer.
pub async fn check_log(tx: &Tx) -> Result<[Check; 2], Fault> {
    let mut positions = Check::new(
        "log_positions",
        "the positions of the event log run from 1 without a gap (X-5)",
    );
    let mut hashes = Check::new(
        "log_chain",
        "an event's hash is that of the event and of the hash before it (X-5)",
    );
    let (mut last, mut previous) = (0, Vec::new());
    // One at a time: a log need not fit into memory.
    let mut rows = event_row::Entity::find()
        .order_by_asc(event_row::Column::Position)
        .stream(tx)
        .await?;
    while let Some(row) = rows.try_next().await? {
        positions.checked += 1;
        hashes.checked += 1;
        let subject = || format!("event {}", row.event_id);
        if row.position != last + 1 {
            positions.note(Difference {
                subject: subject(),
                expected: format!("position {}", last + 1),
                found: format!("position {}", row.position),
            });
        }
        let expected = Covered::of(&row).chained(&previous);
        if row.chain_hash != expected {
            hashes.note(Difference {
                subject: format!("position {}, {}", row.position, subject()),
                expected: hex::encode(expected),
                found: hex::encode(&row.chain_hash),
            });
        }
        // The kept one: one changed event is one difference, not one at every event after it.
        (last, previous) = (row.position, row.chain_hash);
    }
    Ok([positions, hashes])
}
