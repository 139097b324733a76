//! The cancellation of a domain change.

use licet_clients::billing::CreditNote;
use licet_contracts::orders::v1 as orders;
use licet_runtime::{caller::Call, fault::Fault, field::Fields};

use crate::use_cases::cancel_domain_change::{CancelDomainChange, CancelledDomainChange};

/// The longest reason, in characters: what fits into a credit note.
const MAX_REASON_CHARS: usize = 150;

/// Decodes the request to cancel a domain change.
pub(crate) fn decode_cancel(
    _: &Call,
    message: &orders::CancelDomainChangeRequest,
) -> Result<CancelDomainChange, Fault> {
    let mut fields = Fields::new();
    let order_id = fields.required("order_id", &message.order_id);
    let reason = fields.text("reason", &message.reason);
    fields.check(
        "reason",
        message.reason.chars().count() <= MAX_REASON_CHARS,
        "is longer than 150 characters",
    );
    fields.request_id(message);
    fields.build(|| {
        Ok(CancelDomainChange {
            order_id: order_id?,
            reason: reason?,
        })
    })
}

/// The order and its credit notes.
pub(crate) fn encode_cancel(
    cancelled: CancelledDomainChange,
) -> Result<orders::CancelDomainChangeResponse, Fault> {
    let notes = cancelled.credit_notes.into_iter();
    Ok(orders::CancelDomainChangeResponse {
        order: Some(super::order::encode(&cancelled.view)?),
        credit_notes: notes.map(CreditNote::into_message).collect(),
    })
}
