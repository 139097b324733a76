//! The history of an order.

use licet_contracts::orders::v1 as orders;
use licet_domain::ids::OrderId;
use licet_runtime::{caller::Call, fault::Fault, field::only, history::Entry, wire::encode_time};

/// Decodes the request for an order's history.
pub(crate) fn decode_list(
    _: &Call,
    message: &orders::ListOrderHistoryRequest,
) -> Result<OrderId, Fault> {
    only("order_id", &message.order_id)
}

/// An entry of an order's history.
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
