//! Faults of the guard, which end a call before or around its handler.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, Response};
use licet_contracts::types::v1::Role;
use tonic::{Status, body::Body};

use crate::fault::{Fault, TransientFault, TransientReason};

/// The gRPC code INTERNAL in a header.
const INTERNAL: &str = "13";

/// A message that cannot be decoded is the client's fault, which a repeat does not mend. tonic answers it with
/// INTERNAL, without the details that all statuses of ours have.
pub(crate) fn decoding_fault(response: Response<Body>) -> Response<Body> {
    let headers = response.headers();
    let is_internal = headers
        .get(Status::GRPC_STATUS)
        .is_some_and(|code| code == INTERNAL);
    if !is_internal || headers.contains_key(Status::GRPC_STATUS_DETAILS) {
        return response;
    }
    let why = Status::from_header_map(headers);
    let why = why.as_ref().map_or("", Status::message);
    Status::from(Fault::invalid(
        "message",
        format!("cannot be decoded: {why}"),
    ))
    .into_http()
}

pub(crate) fn text_of(error: tokio::task::JoinError) -> String {
    match error.try_into_panic() {
        Ok(payload) => payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned()),
        Err(error) => error.to_string(),
    }
}

/// A key of ours that is sent twice: a front that adds its own value must not be overruled by its client's.
pub(crate) fn repeated_key(headers: &HeaderMap) -> Option<&HeaderName> {
    let mut own = headers
        .keys()
        .filter(|key| key.as_str().starts_with("licet-"));
    own.find(|key| headers.get_all(*key).iter().nth(1).is_some())
}

pub(crate) fn not_served(path: &str) -> Fault {
    let mut transient = TransientFault {
        reason: TransientReason::MethodNotServed,
        message: format!(
            "this address does not serve {path}; Orders, Billing and SanLicensing have one each"
        ),
        retry_after: None,
        metadata: BTreeMap::new(),
    };
    transient
        .metadata
        .insert("method".to_owned(), path.to_owned());
    Fault::Transient(Box::new(transient))
}

pub(crate) fn permission_denied(path: &str, roles: &[Role]) -> Fault {
    let names: Vec<_> = roles.iter().map(Role::as_str_name).collect();
    let mut transient = TransientFault {
        reason: TransientReason::PermissionDenied,
        message: format!("{path} needs one of the roles {}", names.join(", ")),
        retry_after: None,
        metadata: BTreeMap::new(),
    };
    transient
        .metadata
        .insert("roles".to_owned(), names.join(","));
    Fault::Transient(Box::new(transient))
}

pub(crate) fn not_begun(path: &str) -> Fault {
    Fault::transient(
        TransientReason::DeadlineExceeded,
        format!("{path} could not begin in time; nothing was done"),
    )
}

pub(crate) fn too_late(path: &str) -> Fault {
    Fault::transient(
        TransientReason::DeadlineExceeded,
        format!("{path} did not finish in time; retry with the same request_id"),
    )
}
