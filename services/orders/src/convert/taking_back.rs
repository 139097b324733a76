//! Taking a change of names back.

use licet_contracts::{billing::v1 as billing, orders::v1 as orders};
use licet_domain::ids::OrderId;
use licet_runtime::{fault::Fault, field::Fields};

use super::order::OrderView;

/// The longest reason kept, in characters: the credit note has room for that much.
const MAX_REASON_CHARS: usize = 150;

/// A change of names that is to be taken back.
#[derive(Debug, Clone)]
pub(crate) struct TakingBackWish {
    pub(crate) order_id: OrderId,
    pub(crate) reason: String,
}

/// Reads the request to take a change of names back.
pub(crate) fn decode_cancel(
    message: &orders::CancelDomainChangeRequest,
) -> Result<TakingBackWish, Fault> {
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
        Ok(TakingBackWish {
            order_id: order_id?,
            reason: reason?,
        })
    })
}

impl TakingBackWish {
    /// Why an invoice is credited, for its credit note.
    pub(crate) fn credit_reason(&self) -> String {
        if self.reason.is_empty() {
            format!("Change of domains of {} taken back, MD-7", self.order_id)
        } else {
            format!("Change of domains taken back, MD-7: {}", self.reason)
        }
    }
}

/// The order, and what is credited to it.
pub(crate) fn encode_cancel(
    view: &OrderView,
    credit_notes: Vec<billing::CreditNote>,
) -> Result<orders::CancelDomainChangeResponse, Fault> {
    Ok(orders::CancelDomainChangeResponse {
        order: Some(super::order::encode(view)?),
        credit_notes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn md_7_the_credit_notes_reason_fits_billing() {
        for reason in [String::new(), "é".repeat(MAX_REASON_CHARS)] {
            let order_id = OrderId::generate();
            let text = TakingBackWish { order_id, reason }.credit_reason();
            assert!(text.chars().count() <= 200, "{text}");
        }
    }
}
