//! What happened to an order, entry by entry.

use licet_contracts::orders::v1 as orders;
use licet_runtime::{history::Entry, wire::encode_time};

/// One thing that happened, as its order's history shows it.
pub(crate) fn encode(entry: Entry) -> orders::HistoryEntry {
    orders::HistoryEntry {
        event_id: entry.event_id,
        position: entry.position.unwrap_or_default(),
        time: Some(encode_time(entry.time)),
        r#type: entry.kind,
        caller: entry.caller,
        method: entry.method,
        request_id: entry.request_id,
        why: entry.why,
        outcome: entry.outcome,
        data_json: entry.data,
    }
}
