//! The request for another certificate.

use licet_contracts::orders::v1 as orders;
use licet_domain::{certificate::ParsedRequest, ids::OrderId};
use licet_runtime::{fault::Fault, field::Fields};

use super::{certificate::to_pem, order::signing_request};
use crate::rules::order::SigningRequest;

/// Another certificate that is asked for.
#[derive(Debug, Clone)]
pub(crate) struct ReissueWish {
    pub(crate) order_id: OrderId,
    /// Absent: the key stays.
    pub(crate) request: Option<ParsedRequest>,
}

/// Reads the request for another certificate.
pub(crate) fn decode_reissue(
    message: &orders::RequestReissueRequest,
) -> Result<ReissueWish, Fault> {
    let mut fields = Fields::new();
    let order_id = fields.required("order_id", &message.order_id);
    let request = signing_request(&mut fields, &message.csr);
    fields.request_id(message);
    fields.build(|| {
        Ok(ReissueWish {
            order_id: order_id?,
            request: request?,
        })
    })
}

/// A signing request as an order keeps it.
pub(crate) fn kept_request(request: &ParsedRequest) -> SigningRequest {
    let der = std::iter::once(request.der.as_slice());
    SigningRequest {
        pem: to_pem("CERTIFICATE REQUEST", der),
        spki_sha256: request.spki_sha256,
    }
}
