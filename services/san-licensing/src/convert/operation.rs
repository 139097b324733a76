//! Operations, as they are listed.

use licet_contracts::{sanlicensing::v1 as sanlicensing, types::v1::RefusalReason};
use licet_domain::ids::OperationId;
use licet_runtime::{fault::Fault, field::Fields, operation::View, wire::encode_time};

use super::operation_kind::encode_kind;
use crate::queries::operations::OperationFilter;

/// Reads what a listing of operations is narrowed to.
pub(crate) fn decode_list(
    message: &sanlicensing::ListOperationsRequest,
) -> Result<OperationFilter, Fault> {
    use sanlicensing::OperationState as Wire;
    let mut fields = Fields::new();
    let license_id = fields.optional("resource_id", &message.resource_id);
    let state = match Wire::try_from(message.state) {
        Ok(Wire::Unspecified) => Ok(None),
        Ok(Wire::Running) => Ok(Some("RUNNING")),
        Ok(Wire::Done) => Ok(Some("DONE")),
        Ok(Wire::Refused) => Ok(Some("REFUSED")),
        Err(_) => Err(fields.note("state", "is no state of an operation")),
    };
    fields.build(|| {
        Ok(OperationFilter {
            license_id: license_id?,
            state: state?,
        })
    })
}

/// Reads an operation's id that must be there.
pub(crate) fn decode_operation_id(operation_id: &str) -> Result<OperationId, Fault> {
    let mut fields = Fields::new();
    let id = fields.required("operation_id", operation_id);
    fields.build(|| id)
}

/// Reads the request to try an operation again.
pub(crate) fn decode_retry(
    message: &sanlicensing::RetryOperationRequest,
) -> Result<OperationId, Fault> {
    let mut fields = Fields::new();
    let id = fields.required("operation_id", &message.operation_id);
    fields.request_id(message);
    fields.build(|| id)
}

/// Reads the request to turn an operation back.
pub(crate) fn decode_cancel(
    message: &sanlicensing::CancelOperationRequest,
) -> Result<OperationId, Fault> {
    let mut fields = Fields::new();
    let id = fields.required("operation_id", &message.operation_id);
    fields.request_id(message);
    fields.build(|| id)
}

/// An operation that was turned back.
pub(crate) fn encode_cancelled(
    view: &View,
) -> Result<sanlicensing::CancelOperationResponse, Fault> {
    Ok(sanlicensing::CancelOperationResponse {
        operation: Some(encode(view)?),
    })
}

/// An operation.
pub(crate) fn encode(view: &View) -> Result<sanlicensing::Operation, Fault> {
    let state =
        sanlicensing::OperationState::from_str_name(&format!("OPERATION_STATE_{}", view.state))
            .ok_or_else(|| Fault::internal(format!("stored operation state {:?}", view.state)))?;
    let running = state == sanlicensing::OperationState::Running;
    let refusal_reason = view
        .refusal
        .as_ref()
        .and_then(|refusal| {
            RefusalReason::from_str_name(&format!("REFUSAL_REASON_{}", refusal.reason.as_str()))
        })
        .unwrap_or_default();
    Ok(sanlicensing::Operation {
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
