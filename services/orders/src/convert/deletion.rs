//! The deletion of an order.

use licet_clients::billing::Refund;
use licet_contracts::orders::v1 as orders;
use licet_runtime::{caller::Call, fault::Fault, field::Fields, wire::encode_count};

use super::order::refund_of;
use crate::use_cases::{delete_order::DeleteOrder, finish_deletion::DeletedOrder};

/// The longest reason, in characters.
const MAX_REASON_CHARS: usize = 500;

/// Decodes the request to delete an order.
pub(crate) fn decode_delete(
    _: &Call,
    message: &orders::DeleteOrderRequest,
) -> Result<DeleteOrder, Fault> {
    let mut fields = Fields::new();
    let order_id = fields.required("order_id", &message.order_id);
    let reason = fields.text("reason", &message.reason);
    fields.check(
        "reason",
        message.reason.chars().count() <= MAX_REASON_CHARS,
        "is longer than 500 characters",
    );
    fields.request_id(message);
    fields.build(|| {
        Ok(DeleteOrder {
            order_id: order_id?,
            reason: reason?,
        })
    })
}

/// The order, what its deletion invalidated, and the refunds decided so far, ascending by term
/// index.
pub(crate) fn encode_deletion(deleted: DeletedOrder) -> Result<orders::DeleteOrderResponse, Fault> {
    let DeletedOrder {
        view,
        deletion,
        refunds,
    } = deleted;
    let index = view.order.term.index;
    Ok(orders::DeleteOrderResponse {
        order: Some(super::order::encode(&view)?),
        refund: refund_of(&refunds, index),
        invalidated: Some(orders::Invalidated {
            certificate_ids: deletion
                .certificates
                .iter()
                .map(ToString::to_string)
                .collect(),
            server_ids: deletion.servers.iter().map(ToString::to_string).collect(),
            additional_licenses: encode_count(deletion.additional_licenses),
            next_term_additional_licenses: encode_count(deletion.next_additional_licenses),
        }),
        next_term_refund: refund_of(&refunds, index.saturating_add(1)),
        refunds: refunds.into_iter().map(Refund::into_message).collect(),
    })
}
