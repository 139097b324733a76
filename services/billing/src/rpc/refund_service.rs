//! `licet.billing.v1.RefundService`.

use licet_contracts::billing::v1::{self as billing, refund_service_server::RefundService};
use licet_runtime::{database::Database, door, field::only};
use tonic::{Request, Response, Status};

use super::numbers;
use crate::{
    convert::{self, Seller},
    queries,
};

/// Refunds.
#[derive(Clone, Debug)]
pub(crate) struct RefundRpc {
    /// The database of Billing.
    pub(crate) database: Database,
    /// Who issues credit notes.
    pub(crate) seller: Seller,
}

#[tonic::async_trait]
impl RefundService for RefundRpc {
    async fn request_refund(
        &self,
        request: Request<billing::RequestRefundRequest>,
    ) -> Result<Response<billing::RequestRefundResponse>, Status> {
        door::run_or_preview(
            &self.database,
            &self.database,
            request,
            |call, message| convert::refund::decode_request(call, message, &self.seller),
            |requested| Ok(convert::refund::encode_request(&requested)),
        )
        .await
    }

    async fn approve_refund(
        &self,
        request: Request<billing::ApproveRefundRequest>,
    ) -> Result<Response<billing::ApproveRefundResponse>, Status> {
        let mut response = door::run_or_preview(
            &self.database,
            &self.database,
            request,
            |_, message| convert::refund::decode_approve(message, &self.seller),
            |approved| {
                Ok(convert::refund::encode_approval(
                    &approved.refund,
                    &approved.notes,
                ))
            },
        )
        .await?;
        numbers::add_to_credit_notes(&self.database, &mut response.get_mut().credit_notes).await?;
        Ok(response)
    }

    async fn reject_refund(
        &self,
        request: Request<billing::RejectRefundRequest>,
    ) -> Result<Response<billing::RejectRefundResponse>, Status> {
        door::run_or_preview(
            &self.database,
            &self.database,
            request,
            |_, message| convert::refund::decode_reject(message),
            |refund| Ok(convert::refund::encode_rejection(&refund)),
        )
        .await
    }

    async fn get_refund(
        &self,
        request: Request<billing::GetRefundRequest>,
    ) -> Result<Response<billing::GetRefundResponse>, Status> {
        let (call, id) = door::read(request, |_, message| only("refund_id", &message.refund_id))?;
        let found = queries::refunds::get(&self.database, &call, id).await?;
        Ok(Response::new(billing::GetRefundResponse {
            refund: Some(convert::refund::encode(&found)),
        }))
    }

    async fn list_refunds(
        &self,
        request: Request<billing::ListRefundsRequest>,
    ) -> Result<Response<billing::ListRefundsResponse>, Status> {
        let (call, filter, page) =
            door::list(request, |_, message| convert::refund::decode_list(message))?;
        let (found, next_page_token) =
            queries::refunds::list(&self.database, &call, &filter, &page).await?;
        Ok(Response::new(billing::ListRefundsResponse {
            refunds: found.iter().map(convert::refund::encode).collect(),
            next_page_token,
        }))
    }
}
