//! `licet.billing.v1.RefundService`.

use licet_contracts::billing::v1::{self as billing, refund_service_server::RefundService};
use licet_runtime::{caller::accept, database::Database, replay};
use tonic::{Request, Response, Status};

use crate::{
    convert, queries,
    use_cases::{
        approve_refund::{ApproveRefund, Approved},
        reject_refund::RejectRefund,
        request_refund::RequestRefund,
    },
};

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
        request: Request<billing::RequestRefundRequest>,
    ) -> Result<Response<billing::RequestRefundResponse>, Status> {
        let (call, message) = accept(request)?;
        let wish = convert::refund::decode_request(&call, &message)?;
        let work = RequestRefund {
            call: &call,
            request_id: &message.request_id,
            wish: &wish,
        };
        if message.validate_only {
            let tx = self.database.read();
            let requested = work.preview(&tx).await?;
            return Ok(Response::new(convert::refund::encode_request(&requested)));
        }
        let response = replay::once(&self.database, &call, &message, &work, |requested| {
            convert::refund::encode_request(&requested)
        })
        .await?;
        Ok(Response::new(response))
    }

    async fn approve_refund(
        &self,
        request: Request<billing::ApproveRefundRequest>,
    ) -> Result<Response<billing::ApproveRefundResponse>, Status> {
        let (call, message) = accept(request)?;
        let wish = convert::refund::decode_approve(&message)?;
        let work = ApproveRefund {
            call: &call,
            request_id: &message.request_id,
            wish: &wish,
        };
        if message.validate_only {
            let tx = self.database.read();
            let Approved { refund, notes } = work.preview(&tx).await?;
            let response = convert::refund::encode_approval(&refund, &notes);
            return Ok(Response::new(response));
        }
        let response = replay::once(&self.database, &call, &message, &work, |approved| {
            convert::refund::encode_approval(&approved.refund, &approved.notes)
        })
        .await?;
        Ok(Response::new(response))
    }

    async fn reject_refund(
        &self,
        request: Request<billing::RejectRefundRequest>,
    ) -> Result<Response<billing::RejectRefundResponse>, Status> {
        let (call, message) = accept(request)?;
        let rejection = convert::refund::decode_reject(&message)?;
        let work = RejectRefund {
            call: &call,
            request_id: &message.request_id,
            rejection: &rejection,
        };
        if message.validate_only {
            let tx = self.database.read();
            let refund = work.preview(&tx).await?;
            return Ok(Response::new(convert::refund::encode_rejection(&refund)));
        }
        let response = replay::once(&self.database, &call, &message, &work, |refund| {
            convert::refund::encode_rejection(&refund)
        })
        .await?;
        Ok(Response::new(response))
    }

    async fn get_refund(
        &self,
        request: Request<billing::GetRefundRequest>,
    ) -> Result<Response<billing::GetRefundResponse>, Status> {
        let (call, message) = accept(request)?;
        let refund_id = convert::refund::decode_refund_id(&message.refund_id)?;
        let refund = queries::refunds::get(&self.database, &call, refund_id).await?;
        let refund = Some(convert::refund::encode(&refund));
        Ok(Response::new(billing::GetRefundResponse { refund }))
    }

    async fn list_refunds(
        &self,
        request: Request<billing::ListRefundsRequest>,
    ) -> Result<Response<billing::ListRefundsResponse>, Status> {
        let (call, message) = accept(request)?;
        let filter = convert::refund::decode_list(&message)?;
        let (refunds, next_page_token) = queries::refunds::list(
            &self.database,
            &call,
            &filter,
            message.page_size,
            &message.page_token,
        )
        .await?;
        let refunds = refunds.iter().map(convert::refund::encode).collect();
        Ok(Response::new(billing::ListRefundsResponse {
            refunds,
            next_page_token,
        }))
    }
}
