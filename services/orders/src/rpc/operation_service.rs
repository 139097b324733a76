//! `licet.orders.v1.OperationService`.

use licet_contracts::orders::{v1 as orders, v1::operation_service_server::OperationService};
use licet_runtime::{
    caller::accept,
    database::Database,
    fault::Fault,
    operation::{self, Operations},
    replay,
};
use tonic::{Request, Response, Status};

use crate::{
    convert, queries,
    use_cases::{cancel_operation::CancelOperation, operation::OrderOperation},
};

/// Operations.
#[derive(Clone)]
pub(crate) struct OperationRpc {
    /// The service's schema.
    pub(crate) database: Database,
    /// Their driver.
    pub(crate) operations: Operations<OrderOperation>,
}

#[tonic::async_trait]
impl OperationService for OperationRpc {
    async fn list_operations(
        &self,
        request: Request<orders::ListOperationsRequest>,
    ) -> Result<Response<orders::ListOperationsResponse>, Status> {
        let (call, message) = accept(request)?;
        let filter = convert::operation::decode_list(&message)?;
        let (views, next_page_token) = queries::operations::list(
            &self.database,
            &call,
            &filter,
            message.page_size,
            &message.page_token,
        )
        .await?;
        let operations = views
            .iter()
            .map(convert::operation::encode)
            .collect::<Result<_, _>>()?;
        Ok(Response::new(orders::ListOperationsResponse {
            operations,
            next_page_token,
        }))
    }

    async fn get_operation(
        &self,
        request: Request<orders::GetOperationRequest>,
    ) -> Result<Response<orders::GetOperationResponse>, Status> {
        let (call, message) = accept(request)?;
        let id = convert::operation::decode_operation_id(&message.operation_id)?;
        let view = queries::operations::get(&self.database, &call, id).await?;
        let operation = Some(convert::operation::encode(&view)?);
        Ok(Response::new(orders::GetOperationResponse { operation }))
    }

    /// Writes nothing of its own and may be repeated as often as one likes, so it leaves no replay
    /// record.
    async fn retry_operation(
        &self,
        request: Request<orders::RetryOperationRequest>,
    ) -> Result<Response<orders::RetryOperationResponse>, Status> {
        let (call, message) = accept(request)?;
        let id = convert::operation::decode_retry(&message)?;
        let view = queries::operations::get(&self.database, &call, id).await?;
        self.operations
            .finish(view.operation_id.into(), &call)
            .await?;
        let view = queries::operations::get(&self.database, &call, id).await?;
        let operation = Some(convert::operation::encode(&view)?);
        Ok(Response::new(orders::RetryOperationResponse { operation }))
    }

    /// Whoever asks again joins what was turned back, and is answered by how that ended.
    async fn cancel_operation(
        &self,
        request: Request<orders::CancelOperationRequest>,
    ) -> Result<Response<orders::CancelOperationResponse>, Status> {
        let (call, message) = accept(request)?;
        let operation_id = convert::operation::decode_cancel(&message)?;
        let work = CancelOperation {
            call: &call,
            request_id: &message.request_id,
            operation_id,
        };
        replay::accept(&self.database, &call, &message, &work, |response| response).await?;
        self.operations.finish(operation_id.into(), &call).await?;
        let view = queries::operations::get(&self.database, &call, operation_id).await?;
        if view.state == "DONE" {
            return Err(Fault::from(operation::not_cancellable(&view)).into());
        }
        let operation = Some(convert::operation::encode(&view)?);
        Ok(Response::new(orders::CancelOperationResponse { operation }))
    }
}
