//! Queries both operation services, since either may drive an account's operation.

use licet_contracts::operations::v1::{
    CancelOperationRequest, ListOperationsRequest, OperationState, RetryOperationRequest,
    operation_service_client::OperationServiceClient,
};
use tonic::{Request, Status};

use super::scenarios::Place;
use crate::harness::{channel::Channel, eventually, request_id, world::World};

/// The state of an operation.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    place: Place,
    id: String,
    pub(super) step: String,
    pub(super) state: OperationState,
    /// Why it was refused: `INSUFFICIENT_FUNDS`.
    pub(super) refusal_reason: String,
}

#[derive(Clone)]
pub(super) struct Operations {
    orders: OperationServiceClient<Channel>,
    san_licensing: OperationServiceClient<Channel>,
}

/// A request by the account's customer.
fn scoped<M>(message: M, account_id: &str) -> Request<M> {
    let mut request = Request::new(message);
    let metadata = request.metadata_mut();
    metadata.insert("licet-roles", "customer".parse().unwrap());
    metadata.insert("licet-accounts", account_id.parse().unwrap());
    request
}

impl Operation {
    fn of(place: Place, found: &licet_contracts::operations::v1::Operation) -> Self {
        let reason = found.refusal_reason().as_str_name();
        Self {
            place,
            id: found.operation_id.clone(),
            step: found.step.clone(),
            state: found.state(),
            refusal_reason: reason.replace("REFUSAL_REASON_", ""),
        }
    }
}

impl Operations {
    pub(super) fn of(world: &World) -> Self {
        Self {
            orders: world.operations(),
            san_licensing: world.san_operations(),
        }
    }

    fn at(&self, place: Place) -> OperationServiceClient<Channel> {
        match place {
            Place::Orders => self.orders.clone(),
            Place::SanLicensing => self.san_licensing.clone(),
        }
    }

    /// The account's newest operation.
    pub(super) async fn newest(&self, place: Place, account_id: &str) -> Option<Operation> {
        let list = ListOperationsRequest {
            page_size: 1,
            ..ListOperationsRequest::default()
        };
        let list = scoped(list, account_id);
        let page = self.at(place).list_operations(list).await.unwrap();
        let newest = page.into_inner().operations.pop();
        newest.map(|found| Operation::of(place, &found))
    }

    /// The account's running operation.
    pub(super) async fn running(&self, account_id: &str) -> Option<Operation> {
        for place in [Place::Orders, Place::SanLicensing] {
            let newest = self.newest(place, account_id).await;
            let running = newest.filter(|found| found.state == OperationState::Running);
            if running.is_some() {
                return running;
            }
        }
        None
    }

    /// Makes the operation's next attempt due until it has ended.
    pub(super) async fn ended(&self, operation: &Operation) -> Operation {
        eventually("the operation ends", || async {
            let now = self.retry(operation).await;
            (now.state != OperationState::Running).then_some(now)
        })
        .await
    }

    /// Makes the operation's next attempt due.
    pub(super) async fn retry(&self, operation: &Operation) -> Operation {
        let retry = RetryOperationRequest {
            operation_id: operation.id.clone(),
            request_id: request_id(),
        };
        let answer = self.at(operation.place).retry_operation(retry).await;
        let now = answer.unwrap().into_inner().operation.unwrap();
        Operation::of(operation.place, &now)
    }

    pub(super) async fn cancel(
        &self,
        operation: &Operation,
        request_id: &str,
    ) -> Result<Operation, Status> {
        let cancel = CancelOperationRequest {
            operation_id: operation.id.clone(),
            request_id: request_id.to_owned(),
        };
        let answer = self.at(operation.place).cancel_operation(cancel).await?;
        let now = answer.into_inner().operation.unwrap();
        Ok(Operation::of(operation.place, &now))
    }
}
