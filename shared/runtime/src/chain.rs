//! The hash chain over the event log. The contract promises the hashed bytes
//! (`StreamEventsResponse.chain_hash`), so they must never change.

use futures::TryStreamExt;
use sea_orm::{EntityTrait, QueryOrder};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{
    database::Tx,
    event_rows::event_row,
    fault::Fault,
    verification::{Check, Difference},
};

/// The hash of an event at `position` and of its predecessor's hash: a changed event changes every later
/// hash.
pub(crate) fn chained(position: i64, row: &event_row::Model, previous: &[u8]) -> Vec<u8> {
    let covered = json!([
        position,
        row.event_id,
        row.r#type,
        row.resource_id,
        row.account_id,
        row.time_us,
        row.caller,
        row.request_id,
        row.method,
        row.why,
        row.outcome,
        row.data,
    ]);
    let mut hash = Sha256::new();
    hash.update(previous);
    hash.update(covered.to_string().as_bytes());
    hash.finalize().to_vec()
}

/// Checks the positions and the hash chain of the whole log. Detects events that were changed, removed,
/// inserted or moved. Cannot detect a truncated tail, nor a log whose later hashes were all recomputed;
/// compare with a hash stored elsewhere for that.
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
        "an event's hash covers the event and the previous hash (X-5)",
    );
    let (mut last, mut previous) = (0, Vec::new());
    // A stream: a log may be larger than the memory.
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
        let expected = chained(row.position, &row, &previous);
        if row.chain_hash != expected {
            hashes.note(Difference {
                subject: format!("position {}, {}", row.position, subject()),
                expected: hex::encode(expected),
                found: hex::encode(&row.chain_hash),
            });
        }
        // Continue with the stored hash, so that a changed event counts once and not for every later event.
        (last, previous) = (row.position, row.chain_hash);
    }
    Ok([positions, hashes])
}
