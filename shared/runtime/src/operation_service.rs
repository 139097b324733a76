//! `licet.operations.v1.OperationService`: lists, shows, retries and cancels the operations of one
//! service. Only the service knows the resources that they change, such as orders or licences.

use std::{fmt::Display, marker::PhantomData, str::FromStr, sync::Arc};

use futures::future::BoxFuture;
use licet_contracts::{
    operations::v1::{
        CancelOperationRequest, CancelOperationResponse, GetOperationRequest, GetOperationResponse,
        ListOperationsRequest, ListOperationsResponse, Operation, OperationKind, OperationState,
        RetryOperationRequest, RetryOperationResponse, operation_service_server::OperationService,
    },
    types::v1::RefusalReason,
};
use licet_domain::{clock::Instant, ids::OperationId};
use serde::Serialize;
use tonic::{Request, Response, Status};

use crate::{
    caller::{AccountScope, Call},
    database::{Database, Tx},
    door::{self, ChangeRequest, DurableVerb, UnderWay},
    fault::Fault,
    field::{Fields, only, only_of_change},
    operation::{self, Ending, OperationHandle, Operations, State, View},
    outbox::{self, Event, EventHeader},
    replay::Accepted,
    schedule::DueWork,
    wire::encode_time,
};

/// The resources that a service's operations change: its orders, or its licences.
pub trait Resource: Send + Sync + 'static {
    /// The id of a resource, as an operation stores it.
    type Id: FromStr<Err: Display> + Display + Send;
    /// The type of the event that records the cancellation of an operation on it.
    const CANCEL_EVENT: &'static str;

    /// Locks the resource until the transaction ends. Returns the decision time for a request at `now`,
    /// which is not earlier than the last decision about the resource (T-5).
    fn lock(
        tx: &Tx,
        scope: &AccountScope,
        id: Self::Id,
        now: Instant,
    ) -> impl Future<Output = Result<Instant, Fault>> + Send;
}

/// The operations of a service, without the types of its peers and resources.
trait ServedOperations: Send + Sync {
    fn database(&self) -> &Database;

    /// The work that resumes due operations.
    fn resume(&self) -> Arc<dyn DueWork>;

    fn cancel<'a>(&'a self, tx: &'a Tx, found: &'a View) -> BoxFuture<'a, Result<(), Fault>>;

    fn finish<'a>(
        &'a self,
        handle: OperationHandle,
        call: &'a Call,
    ) -> BoxFuture<'a, Result<Ending, Fault>>;

    /// Parses a resource id and returns it in its canonical form, or a description of the error.
    fn read_resource_id(&self, text: &str) -> Result<String, String>;

    fn lock_resource<'a>(
        &'a self,
        request: &'a ChangeRequest,
        tx: &'a Tx,
        found: &'a View,
    ) -> BoxFuture<'a, Result<Instant, Fault>>;

    fn cancel_event(&self) -> &'static str;
}

struct TypedOperations<P, R> {
    operations: Operations<P>,
    resource: PhantomData<fn() -> R>,
}

impl<P: Send + Sync + 'static, R: Resource> ServedOperations for TypedOperations<P, R> {
    fn database(&self) -> &Database {
        self.operations.database()
    }

    fn resume(&self) -> Arc<dyn DueWork> {
        Arc::new(self.operations.clone())
    }

    fn cancel<'a>(&'a self, tx: &'a Tx, found: &'a View) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(self.operations.cancel(tx, found))
    }

    fn finish<'a>(
        &'a self,
        handle: OperationHandle,
        call: &'a Call,
    ) -> BoxFuture<'a, Result<Ending, Fault>> {
        Box::pin(self.operations.finish(handle, call))
    }

    fn read_resource_id(&self, text: &str) -> Result<String, String> {
        let id = text.parse::<R::Id>();
        id.map(|id| id.to_string())
            .map_err(|error| error.to_string())
    }

    fn lock_resource<'a>(
        &'a self,
        request: &'a ChangeRequest,
        tx: &'a Tx,
        found: &'a View,
    ) -> BoxFuture<'a, Result<Instant, Fault>> {
        Box::pin(async move {
            let id = found.resource_id.parse().map_err(Fault::internal)?;
            R::lock(tx, &found.account_id.into(), id, request.call.now).await
        })
    }

    fn cancel_event(&self) -> &'static str {
        R::CANCEL_EVENT
    }
}

/// The gRPC service for one service's operations.
#[derive(Clone)]
pub struct OperationRpc {
    served: Arc<dyn ServedOperations>,
}

impl OperationRpc {
    /// Serves `operations`, which change resources of type `R`.
    #[must_use]
    pub fn of<R: Resource, P: Send + Sync + 'static>(operations: Operations<P>) -> Self {
        let typed = TypedOperations {
            operations,
            resource: PhantomData::<fn() -> R>,
        };
        Self {
            served: Arc::new(typed),
        }
    }

    /// The work that resumes due operations.
    pub(crate) fn resume(&self) -> Arc<dyn DueWork> {
        self.served.resume()
    }

    async fn get(&self, call: &Call, id: OperationId) -> Result<View, Fault> {
        operation::get(&self.served.database().read(), &call.caller, id).await
    }

    fn decode_list(&self, message: &ListOperationsRequest) -> Result<Filter, Fault> {
        let mut fields = Fields::new();
        let resource_id = match message.resource_id.as_str() {
            "" => Ok(None),
            text => match self.served.read_resource_id(text) {
                Ok(id) => Ok(Some(id)),
                Err(error) => Err(fields.note("resource_id", error)),
            },
        };
        let state = match OperationState::try_from(message.state) {
            Ok(OperationState::Unspecified) => Ok(None),
            Ok(OperationState::Running) => Ok(Some(State::Running)),
            Ok(OperationState::Done) => Ok(Some(State::Done)),
            Ok(OperationState::Refused) => Ok(Some(State::Refused)),
            Err(_) => Err(fields.note("state", "is not a state of an operation")),
        };
        fields.build(|| {
            Ok(Filter {
                resource_id: resource_id?,
                state: state?,
            })
        })
    }
}

#[tonic::async_trait]
impl OperationService for OperationRpc {
    async fn list_operations(
        &self,
        request: Request<ListOperationsRequest>,
    ) -> Result<Response<ListOperationsResponse>, Status> {
        let (call, filter, page) = door::list(request, |_, message| self.decode_list(message))?;
        let Filter { resource_id, state } = filter;
        let tx = self.served.database().read();
        let (views, next_page_token) =
            operation::list(&tx, &call.caller, resource_id.as_deref(), state, &page).await?;
        let operations = views.iter().map(encode);
        Ok(Response::new(ListOperationsResponse {
            operations: operations.collect::<Result<_, _>>()?,
            next_page_token,
        }))
    }

    async fn get_operation(
        &self,
        request: Request<GetOperationRequest>,
    ) -> Result<Response<GetOperationResponse>, Status> {
        let (call, id) = door::read(request, |_, message| {
            only("operation_id", &message.operation_id)
        })?;
        let operation = Some(encode(&self.get(&call, id).await?)?);
        Ok(Response::new(GetOperationResponse { operation }))
    }

    /// Changes nothing but the operation itself, so a repeat is harmless and no replay record is needed.
    async fn retry_operation(
        &self,
        request: Request<RetryOperationRequest>,
    ) -> Result<Response<RetryOperationResponse>, Status> {
        let (call, id) = door::read(request, |_, message| {
            only_of_change(message, "operation_id", &message.operation_id)
        })?;
        self.get(&call, id).await?;
        self.served.finish(id.into(), &call).await?;
        let operation = Some(encode(&self.get(&call, id).await?)?);
        Ok(Response::new(RetryOperationResponse { operation }))
    }

    /// A repeat waits for the operation that the first attempt cancelled, and returns how it ended.
    async fn cancel_operation(
        &self,
        request: Request<CancelOperationRequest>,
    ) -> Result<Response<CancelOperationResponse>, Status> {
        let entry = door::enter(request, |_, message| {
            only_of_change(message, "operation_id", &message.operation_id)
        })?;
        let entry = entry.map(|operation_id| CancelOperation {
            operation_id,
            served: Arc::clone(&self.served),
        });
        let encode = |view| {
            let operation = Some(encode(&view)?);
            Ok(CancelOperationResponse { operation })
        };
        entry.begin(self.served.database(), encode).await?;
        let (call, id) = (entry.call(), entry.verb.operation_id);
        self.served.finish(id.into(), call).await?;
        let view = self.get(call, id).await?;
        if view.state == State::Done {
            return Err(Fault::from(operation::not_cancellable(&view)).into());
        }
        Ok(Response::new(encode(view)?))
    }
}

/// The data of the event that records an accepted cancellation.
#[derive(Serialize)]
struct CancelAccepted<'a> {
    operation_id: OperationId,
    /// As stored, `PLACE_ORDER`.
    kind: &'a str,
    /// The step that was due.
    step: &'a str,
}

/// CancelOperation: cancels an operation that has done nothing irreversible. The driver first undoes
/// what its due step may have done at a peer. Then the operation ends refused, with its resource unchanged.
struct CancelOperation {
    operation_id: OperationId,
    served: Arc<dyn ServedOperations>,
}

impl DurableVerb for CancelOperation {
    type Output = View;
    type View = View;

    async fn accept(&self, request: &ChangeRequest, tx: &Tx) -> Result<Accepted<View>, Fault> {
        let found = operation::get(tx, &request.call.caller, self.operation_id).await?;
        self.served.cancel(tx, &found).await?;
        if found.state == State::Running {
            let time = self.served.lock_resource(request, tx, &found).await?;
            let data = serde_json::to_value(CancelAccepted {
                operation_id: found.operation_id,
                kind: &found.kind,
                step: &found.step,
            })
            .map_err(Fault::internal)?;
            let header = EventHeader {
                resource_id: found.resource_id,
                account_id: Some(found.account_id),
                time,
                origin: &request.origin(),
                why: "X-2".to_owned(),
                outcome: "CANCELLING".to_owned(),
            };
            let event = Event::of_type(header, self.served.cancel_event(), data);
            outbox::emit(tx, event).await?;
        }
        Ok(Accepted::Operation(found.operation_id.into()))
    }

    async fn pending(&self, _tx: &Tx, view: View) -> Result<View, Fault> {
        Ok(view)
    }
}

impl UnderWay for View {
    async fn load(_tx: &Tx, _call: &Call, running: Self) -> Result<Self, Fault> {
        Ok(running)
    }
}

/// The filter of a listing.
struct Filter {
    resource_id: Option<String>,
    state: Option<State>,
}

/// The contract's value of a stored kind of operation.
///
/// # Errors
/// When the contract has no such kind.
pub fn encode_kind(kind: &str) -> Result<OperationKind, Fault> {
    OperationKind::from_str_name(&format!("OPERATION_KIND_{kind}"))
        .ok_or_else(|| Fault::internal(format!("the contract has no operation kind {kind:?}")))
}

fn encode(view: &View) -> Result<Operation, Fault> {
    let (state, step) = match view.state {
        State::Running => (OperationState::Running, view.step.clone()),
        State::Done => (OperationState::Done, String::new()),
        State::Refused => (OperationState::Refused, String::new()),
    };
    let refusal_reason = view.refusal.as_ref().and_then(|refusal| {
        RefusalReason::from_str_name(&format!("REFUSAL_REASON_{}", refusal.reason.as_str()))
    });
    Ok(Operation {
        operation_id: view.operation_id.to_string(),
        kind: encode_kind(&view.kind)?.into(),
        resource_id: view.resource_id.clone(),
        account_id: view.account_id.to_string(),
        state: state.into(),
        step,
        attempts: view.attempts,
        last_error: view.last_error.clone(),
        next_attempt_time: view.next_attempt.map(encode_time),
        accept_time: Some(encode_time(view.accepted)),
        end_time: view.ended.map(encode_time),
        refusal_reason: refusal_reason.unwrap_or_default().into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_the_contract_lacks_is_a_fault_of_ours() {
        assert_eq!(
            encode_kind("PLACE_ORDER").unwrap(),
            OperationKind::PlaceOrder
        );
        for word in ["", "place_order", "PLACE_ORDERS"] {
            let fault = encode_kind(word).unwrap_err();
            assert!(matches!(fault, Fault::Internal(_)), "{word}: {fault:?}");
        }
    }
}
