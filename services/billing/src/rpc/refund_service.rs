//! `licet.billing.v1.RefundService`.

use licet_contracts::billing::v1::{self as pb, refund_service_server::RefundService};
use licet_runtime::{caller::accept, database::Database, field::Fields, replay};
use tonic::{Request, Response, Status};

use crate::{convert::refund as convert, queries};

/// Refunds.
#[derive(Clone, Debug)]
pub(crate) struct RefundRpc {
    /// The service's schema.
    pub(crate) database: Database,
}

#[tonic::async_trait]
impl RefundService for RefundRpc {
    async fn request_refund(
        &self,
        request: Request<pb::RequestRefundRequest>,
    ) -> Result<Response<pb::RequestRefundResponse>, Status> {
        let (call, message) = accept(request)?;
        let work = convert::decode_request(&call, &message)?;
        if message.validate_only {
            let tx = self.database.read().await?;
            let refund = work.preview(&tx).await?;
            return Ok(Response::new(convert::encode_request(&refund)));
        }
        let answer = replay::once(&self.database, &call, &message, &work, |refund| {
            convert::encode_request(&refund)
        });
        Ok(Response::new(answer.await?))
    }

    async fn get_refund(
        &self,
        request: Request<pb::GetRefundRequest>,
    ) -> Result<Response<pb::GetRefundResponse>, Status> {
        let (call, message) = accept(request)?;
        let mut fields = Fields::new();
        let refund_id = fields.required("refund_id", &message.refund_id);
        let refund_id = fields.build(|| refund_id)?;
        let refund = queries::refunds::get(&self.database, &call, refund_id).await?;
        let refund = Some(convert::encode(&refund));
        Ok(Response::new(pb::GetRefundResponse { refund }))
    }

    async fn list_refunds(
        &self,
        request: Request<pb::ListRefundsRequest>,
    ) -> Result<Response<pb::ListRefundsResponse>, Status> {
        let (call, message) = accept(request)?;
        let mut fields = Fields::new();
        let account_id = fields.optional("account_id", &message.account_id);
        let resource_id = fields.text("resource_id", &message.resource_id);
        let (account_id, resource_id) = fields.build(|| Ok((account_id?, resource_id?)))?;
        let state = convert::decode_state_filter(message.state)?;
        let (refunds, next_page_token) = queries::refunds::list(
            &self.database,
            &call,
            account_id,
            Some(resource_id.as_str()).filter(|id| !id.is_empty()),
            state,
            message.page_size,
            &message.page_token,
        )
        .await?;
        let refunds = refunds.iter().map(convert::encode).collect();
        Ok(Response::new(pb::ListRefundsResponse {
            refunds,
            next_page_token,
        }))
    }
}
