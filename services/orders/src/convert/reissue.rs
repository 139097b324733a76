//! The request for a reissue.

use licet_contracts::orders::v1 as orders;
use licet_runtime::{caller::Call, fault::Fault, field::Fields};

use super::order::signing_request;
use crate::use_cases::request_reissue::RequestReissue;

/// Decodes the request for a reissue.
pub(crate) fn decode_reissue(
    _: &Call,
    message: &orders::RequestReissueRequest,
) -> Result<RequestReissue, Fault> {
    let mut fields = Fields::new();
    let order_id = fields.required("order_id", &message.order_id);
    let request = signing_request(&mut fields, &message.csr);
    fields.request_id(message);
    fields.build(|| {
        Ok(RequestReissue {
            order_id: order_id?,
            request: request?,
        })
    })
}
