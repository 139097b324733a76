//! `licet.sanlicensing.v1.OperationService`.

use licet_contracts::sanlicensing::{
    v1 as sanlicensing, v1::operation_service_server::OperationService,
};
use licet_runtime::{
    database::Database,
    door,
    fault::Fault,
    operation::{self, Operations},
};
use tonic::{Request, Response, Status};

use crate::{convert, peers::Billing, queries, use_cases::cancel_operation::CancelOperation};

/// Operations.
#[derive(Clone)]
pub(crate) struct OperationRpc {
    /// The service's schema.
    pub(crate) database: Database,
    /// Their driver.
    pub(crate) operations: Operations<Billing>,
}

#[tonic::async_trait]
impl OperationService for OperationRpc {
    async fn list_operations(
        &self,
        request: Request<sanlicensing::ListOperationsRequest>,
    ) -> Result<Response<sanlicensing::ListOperationsResponse>, Status> {
        let (call, filter, page) = door::list(request, |_, message| {
            convert::operation::decode_list(message)
        })?;
        let (views, next_page_token) =
            queries::operations::list(&self.database, &call, &filter, &page).await?;
        let operations = views
            .iter()
            .map(convert::operation::encode)
            .collect::<Result<_, _>>()?;
        Ok(Response::new(sanlicensing::ListOperationsResponse {
            operations,
            next_page_token,
        }))
    }

    async fn get_operation(
        &self,
        request: Request<sanlicensing::GetOperationRequest>,
    ) -> Result<Response<sanlicensing::GetOperationResponse>, Status> {
        let (call, id) = door::read(request, |_, message| {
            convert::operation::decode_operation_id(&message.operation_id)
        })?;
        let view = queries::operations::get(&self.database, &call, id).await?;
        let operation = Some(convert::operation::encode(&view)?);
        Ok(Response::new(sanlicensing::GetOperationResponse {
            operation,
        }))
    }

    /// Writes nothing of its own and may be repeated as often as one likes, so it leaves no replay
    /// record.
    async fn retry_operation(
        &self,
        request: Request<sanlicensing::RetryOperationRequest>,
    ) -> Result<Response<sanlicensing::RetryOperationResponse>, Status> {
        let (call, id) = door::read(request, |_, message| {
            convert::operation::decode_retry(message)
        })?;
        let view = queries::operations::get(&self.database, &call, id).await?;
        self.operations
            .finish(view.operation_id.into(), &call)
            .await?;
        let view = queries::operations::get(&self.database, &call, id).await?;
        let operation = Some(convert::operation::encode(&view)?);
        Ok(Response::new(sanlicensing::RetryOperationResponse {
            operation,
        }))
    }

    /// Whoever asks again joins what was turned back, and is answered by how that ended.
    async fn cancel_operation(
        &self,
        request: Request<sanlicensing::CancelOperationRequest>,
    ) -> Result<Response<sanlicensing::CancelOperationResponse>, Status> {
        let entry = door::enter(request, |_, message| {
            convert::operation::decode_cancel(message)
        })?;
        let entry = entry.map(|operation_id| CancelOperation {
            operation_id,
            operations: self.operations.clone(),
        });
        let encode = |view| convert::operation::encode_cancelled(&view);
        entry.begin(&self.database, encode).await?;
        let (call, id) = (entry.call(), entry.verb.operation_id);
        self.operations.finish(id.into(), call).await?;
        let view = queries::operations::get(&self.database, call, id).await?;
        if view.state == "DONE" {
            return Err(Fault::from(operation::not_cancellable(&view)).into());
        }
        Ok(Response::new(convert::operation::encode_cancelled(&view)?))
    }
}
