//! Operations, as they are listed.

use licet_contracts::{orders::v1 as orders, types::v1::RefusalReason};
use licet_domain::ids::OperationId;
use licet_runtime::{
    caller::Call, fault::Fault, field::Fields, operation::View, wire::encode_time,
};

use crate::rules::listing::OperationFilter;

/// Reads what a listing of operations is narrowed to.
pub(crate) fn decode_list(
    _: &Call,
    message: &orders::ListOperationsRequest,
) -> Result<OperationFilter, Fault> {
    use orders::OperationState as Wire;
    let mut fields = Fields::new();
    let order_id = fields.optional("resource_id", &message.resource_id);
    let state = match Wire::try_from(message.state) {
        Ok(Wire::Unspecified) => Ok(None),
        Ok(Wire::Running) => Ok(Some("RUNNING")),
        Ok(Wire::Done) => Ok(Some("DONE")),
        Ok(Wire::Refused) => Ok(Some("REFUSED")),
        Err(_) => Err(fields.note("state", "is no state of an operation")),
    };
    fields.build(|| {
        Ok(OperationFilter {
            order_id: order_id?,
            state: state?,
        })
    })
}

/// Reads an operation's id that must be there.
pub(crate) fn decode_get(
    _: &Call,
    message: &orders::GetOperationRequest,
) -> Result<OperationId, Fault> {
    let mut fields = Fields::new();
    let id = fields.required("operation_id", &message.operation_id);
    fields.build(|| id)
}

/// Reads the request to try an operation again.
pub(crate) fn decode_retry(
    _: &Call,
    message: &orders::RetryOperationRequest,
) -> Result<OperationId, Fault> {
    let mut fields = Fields::new();
    let id = fields.required("operation_id", &message.operation_id);
    fields.request_id(message);
    fields.build(|| id)
}

/// Reads the request to give an operation up.
pub(crate) fn decode_cancel(
    _: &Call,
    message: &orders::CancelOperationRequest,
) -> Result<OperationId, Fault> {
    let mut fields = Fields::new();
    let id = fields.required("operation_id", &message.operation_id);
    fields.request_id(message);
    fields.build(|| id)
}

/// The contract's value for the kind that an operation was stored with.
pub(crate) fn encode_kind(kind: &str) -> Result<orders::OperationKind, Fault> {
    orders::OperationKind::from_str_name(&format!("OPERATION_KIND_{kind}"))
        .ok_or_else(|| Fault::internal(format!("stored operation kind {kind:?}")))
}

/// An operation.
pub(crate) fn encode(view: &View) -> Result<orders::Operation, Fault> {
    let state =
        orders::OperationState::from_str_name(&format!("OPERATION_STATE_{}", view.state))
            .ok_or_else(|| Fault::internal(format!("stored operation state {:?}", view.state)))?;
    let running = state == orders::OperationState::Running;
    let refusal_reason = view
        .refusal
        .as_ref()
        .and_then(|refusal| {
            RefusalReason::from_str_name(&format!("REFUSAL_REASON_{}", refusal.reason.as_str()))
        })
        .unwrap_or_default();
    Ok(orders::Operation {
        operation_id: view.operation_id.to_string(),
        kind: encode_kind(&view.kind)?.into(),
        resource_id: view.resource_id.clone(),
        account_id: view.account_id.to_string(),
        state: state.into(),
        step: if running {
            view.step.clone()
        } else {
            String::new()
        },
        attempts: view.attempts,
        last_error: view.last_error.clone(),
        next_attempt_time: view.next_attempt.map(encode_time),
        accept_time: Some(encode_time(view.accepted)),
        end_time: view.ended.map(encode_time),
        refusal_reason: refusal_reason.into(),
    })
}

/// An operation that was turned back.
pub(crate) fn encode_cancelled(view: &View) -> Result<orders::CancelOperationResponse, Fault> {
    let operation = Some(encode(view)?);
    Ok(orders::CancelOperationResponse { operation })
}
