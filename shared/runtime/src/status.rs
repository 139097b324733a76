//! The only place that converts faults to gRPC status with details, and a peer's status back. Internal text
//! never leaves the service; the client gets an incident id to find in the log.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use licet_domain::refusal::{Class, ERROR_TEXT_ROOM, Reason, Refusal, listed};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, PreconditionViolation, QuotaViolation, StatusExt};
use uuid::Uuid;

use crate::{
    area,
    fault::{Fault, TransientFault, TransientReason, Violations},
};

/// The limit of message and details together, as encoded in headers. Many clients (gRPC's C core, Java)
/// accept 8 KiB of headers and lose the whole status beyond that.
const MAX_HEADER_BYTES: usize = 7680;
/// The limit of all violations before encoding.
const MAX_DETAIL_BYTES: usize = 3072;

/// Builds a status with as many violations as fit into its headers, from the first one on.
fn with_room<V>(mut shown: Vec<V>, build: impl Fn(&[V]) -> Status) -> Status {
    loop {
        let status = build(&shown);
        if shown.is_empty() || header_bytes(&status) <= MAX_HEADER_BYTES {
            return status;
        }
        shown.truncate(shown.len() * 7 / 8);
    }
}

/// The size of `grpc-message`, percent-encoded, and `grpc-status-details-bin`, in base64.
fn header_bytes(status: &Status) -> usize {
    let message: usize = status.message().bytes().map(encoded_bytes).sum();
    message + status.details().len().div_ceil(3) * 4
}

impl From<Fault> for Status {
    /// The status that a client gets. `ErrorInfo.domain` is the area of the current call.
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Invalid(violations) => invalid_status(violations),
            Fault::Refused(refusal) => refusal_status(&refusal, &area::current()),
            Fault::Transient(transient) => transient_status(*transient),
            Fault::Contention(error) => {
                tracing::warn!(%error, "every attempt at the transaction lost against a concurrent one");
                transient_status(TransientFault {
                    reason: TransientReason::Overloaded,
                    message: "too many concurrent changes; nothing was changed. Retry with the same request_id".to_owned(),
                    retry_after: Some(Duration::from_millis(500)),
                    metadata: BTreeMap::new(),
                })
            }
            Fault::Internal(text) => internal_status(&text),
        }
    }
}

/// Logs `text` under a new incident id; the client gets only the id.
pub(crate) fn internal_status(text: &str) -> Status {
    let incident_id = Uuid::new_v4().to_string();
    tracing::error!(incident_id, text, "internal error");
    let mut details = ErrorDetails::new();
    details.set_error_info(
        "INTERNAL",
        area::current(),
        [("incident_id".to_owned(), incident_id.clone())],
    );
    Status::with_error_details(
        Code::Internal,
        format!("internal error; search the service's log for incident {incident_id}"),
        details,
    )
}

fn invalid_status(Violations { noted, total }: Violations) -> Status {
    let mut room = MAX_DETAIL_BYTES;
    let mut shown = Vec::new();
    for violation in noted {
        let size = violation.field.len() + violation.description.len() + 8;
        if size > room {
            break;
        }
        room -= size;
        shown.push(violation);
    }
    let each = shown
        .iter()
        .map(|violation| format!("{} {}", violation.field, violation.description));
    let each = listed(each, total, ERROR_TEXT_ROOM);
    let message = cut_message(&match total {
        0 | 1 => format!("1 field violation: {each}"),
        many => format!("{many} field violations: {each}"),
    });
    with_room(shown, |shown| {
        let mut metadata = vec![("violations".to_owned(), total.to_string())];
        if shown.len() < total {
            metadata.push(("violations_shown".to_owned(), shown.len().to_string()));
        }
        let mut details = ErrorDetails::new();
        details.set_error_info(
            "INVALID_FIELDS",
            area::current(),
            HashMap::from_iter(metadata),
        );
        details.set_bad_request(shown.to_vec());
        Status::with_error_details(Code::InvalidArgument, message.clone(), details)
    })
}

pub(crate) fn transient_status(transient: TransientFault) -> Status {
    let (reason, code) = transient.reason.as_str_and_code();
    let mut details = ErrorDetails::new();
    details.set_error_info(
        reason,
        area::current(),
        HashMap::from_iter(transient.metadata),
    );
    if transient.retry_after.is_some() {
        details.set_retry_info(transient.retry_after);
    }
    Status::with_error_details(code, transient.message, details)
}

fn class_code(class: Class) -> Code {
    match class {
        Class::NotFound => Code::NotFound,
        Class::AlreadyExists => Code::AlreadyExists,
        Class::Precondition => Code::FailedPrecondition,
        Class::Exhausted => Code::ResourceExhausted,
    }
}

/// The limits of a message and of a metadata value, in bytes; both are sent in headers.
const MAX_MESSAGE_BYTES: usize = 2048;
const MAX_METADATA_BYTES: usize = 256;
/// The limit of a percent-encoded message, in which these bytes and all non-ASCII bytes take three each.
const MAX_ENCODED_MESSAGE_BYTES: usize = 3072;
const PERCENT_ENCODED: &[u8] = b" \"#<>`?{}%";

/// The size of a message's byte in its header.
fn encoded_bytes(octet: u8) -> usize {
    if octet.is_ascii_graphic() && !PERCENT_ENCODED.contains(&octet) {
        1
    } else {
        3
    }
}

/// Truncates a message to its limits.
fn cut_message(text: &str) -> String {
    let mut encoded = 0_usize;
    let fits = text.bytes().take_while(|octet| {
        encoded += encoded_bytes(*octet);
        encoded <= MAX_ENCODED_MESSAGE_BYTES
    });
    cut(text, fits.count().min(MAX_MESSAGE_BYTES))
}

/// Truncates a text, which may contain untrusted text of a certificate or a client.
fn cut(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(bytes);
    format!("{}…", &text[..end])
}

fn refusal_status(refusal: &Refusal, area: &str) -> Status {
    let class = refusal.reason.class();
    let message = cut_message(&refusal.message);
    let metadata = refusal.metadata.iter();
    let metadata: HashMap<_, _> = metadata
        .map(|(key, value)| (key.clone(), cut(value, MAX_METADATA_BYTES)))
        .collect();
    let mut room = MAX_DETAIL_BYTES;
    let shown = refusal.violations.iter().map_while(|violation| {
        let subject = cut(&violation.subject, MAX_METADATA_BYTES);
        let description = cut(&violation.description, MAX_METADATA_BYTES);
        let size = violation.kind.len() + subject.len() + description.len() + 8;
        room = room.checked_sub(size)?;
        Some(PreconditionViolation::new(
            &violation.kind,
            subject,
            description,
        ))
    });
    with_room(shown.collect(), |shown| {
        let mut details = ErrorDetails::new();
        details.set_error_info(refusal.reason.as_str(), area, metadata.clone());
        match class {
            Class::Precondition if !shown.is_empty() => {
                details.set_precondition_failure(shown.to_vec());
            }
            Class::Exhausted => {
                let subject = refusal.metadata.get("subject").cloned().unwrap_or_default();
                details.set_quota_failure(vec![QuotaViolation::new(subject, &message)]);
            }
            Class::Precondition | Class::NotFound | Class::AlreadyExists => {}
        }
        Status::with_error_details(class_code(class), message.clone(), details)
    })
}

/// The refusal in a peer's status; `None` for every other status, whose result is unknown.
#[must_use]
pub fn refusal_of(status: &Status) -> Option<Refusal> {
    let details = status.get_error_details();
    let info = details.error_info()?;
    let reason: Reason = info.reason.parse().ok()?;
    let mut refusal = Refusal::new(reason, status.message());
    refusal.metadata = info.metadata.clone().into_iter().collect();
    if let Some(failure) = details.precondition_failure() {
        for violation in &failure.violations {
            refusal = refusal.violation(
                &violation.r#type,
                &violation.subject,
                &violation.description,
            );
        }
    }
    Some(refusal)
}

/// Adds metadata to the `ErrorInfo` of a status, with truncated values. For the status that ends a stream.
#[must_use]
pub fn with_metadata(status: &Status, metadata: &[(&str, &str)]) -> Status {
    let mut details = status.get_error_details();
    let Some(mut info) = details.error_info().cloned() else {
        return status.clone();
    };
    for (key, value) in metadata {
        let value = cut(value, MAX_METADATA_BYTES);
        info.metadata.insert((*key).to_owned(), value);
    }
    details.set_error_info(info.reason, info.domain, info.metadata);
    Status::with_error_details(status.code(), status.message(), details)
}

/// The PEER_STORE_CHANGED fault in a status; `None` for every other status.
pub(crate) fn store_change(status: &Status) -> Option<TransientFault> {
    let reason = TransientReason::PeerStoreChanged;
    let details = status.get_error_details();
    let info = details
        .error_info()
        .filter(|info| info.reason == reason.as_str_and_code().0)?;
    Some(TransientFault {
        reason,
        message: status.message().to_owned(),
        retry_after: None,
        metadata: info.metadata.clone().into_iter().collect(),
    })
}

/// Encodes a refusal for storage, as `google.rpc.Status`.
pub(crate) fn encode_refusal(refusal: &Refusal) -> Vec<u8> {
    refusal_status(refusal, "").details().to_vec()
}

/// The inverse of [`encode_refusal`].
pub(crate) fn decode_refusal(bytes: &[u8]) -> Result<Refusal, Fault> {
    use prost::Message;
    let stored = tonic_types::pb::Status::decode(bytes)
        .map_err(|error| Fault::internal(format!("a stored refusal cannot be decoded: {error}")))?;
    let status = Status::with_details(
        Code::from_i32(stored.code),
        stored.message,
        bytes.to_vec().into(),
    );
    refusal_of(&status).ok_or_else(|| {
        Fault::internal("a stored refusal has a reason that this version does not know")
    })
}

#[cfg(test)]
mod tests {
    use licet_contracts::types::v1::RefusalReason;
    use tonic_types::FieldViolation;

    use super::*;

    #[test]
    fn contract_and_domain_list_the_same_refusals() {
        let mut ours: Vec<_> = Reason::ALL
            .iter()
            .map(|reason| format!("REFUSAL_REASON_{}", reason.as_str()))
            .collect();
        let mut theirs: Vec<_> = (1..1000)
            .filter_map(|number| RefusalReason::try_from(number).ok())
            .map(|reason| reason.as_str_name().to_owned())
            .collect();
        ours.sort();
        theirs.sort();
        assert_eq!(ours, theirs);
    }

    #[test]
    fn a_refusal_survives_the_wire_and_the_store() {
        let refusal = Refusal::new(Reason::InsufficientFunds, "short by 3.00 USD")
            .with("missing", "3.00")
            .with("currency", "USD");
        let decoded = decode_refusal(&encode_refusal(&refusal)).unwrap();
        assert_eq!(decoded, refusal);
        let listed = Refusal::new(Reason::CertificateMismatch, "two names differ")
            .violation(
                "NAME",
                "a.example",
                "is on the order and not in the certificate",
            )
            .violation(
                "NAME",
                "b.example",
                "is in the certificate and not on the order",
            );
        assert_eq!(decode_refusal(&encode_refusal(&listed)).unwrap(), listed);
    }

    #[test]
    fn details_stay_small_however_many_fields_are_wrong() {
        let noted = (0..10_000)
            .map(|index| FieldViolation::new(format!("names[{index}]"), "is not a name"))
            .collect();
        let total = 10_000;
        let status = Status::from(Fault::Invalid(Violations { noted, total }));
        let bytes = header_bytes(&status);
        assert!(bytes <= 7680, "{bytes} bytes");
        let details = status.get_error_details();
        assert_eq!(
            details.error_info().unwrap().metadata["violations"],
            "10000"
        );
        let text = status.message();
        assert!(text.starts_with("10000 field violations: names[0] is not a name; names[1] is"));
        assert!(text.ends_with(" more") && text.len() <= 2048, "{text}");
    }

    #[test]
    fn only_listed_reasons_are_definite() {
        for reason in [
            TransientReason::OperationInProgress,
            TransientReason::PeerUnavailable,
        ] {
            assert_eq!(
                refusal_of(&Status::from(Fault::transient(reason, "later"))),
                None
            );
        }
        assert_eq!(refusal_of(&Status::unavailable("away")), None);
        assert_eq!(refusal_of(&Status::from(Fault::internal("boom"))), None);
    }

    #[test]
    fn what_a_certificate_says_breaks_no_header() {
        let long = "é".repeat(20_000);
        let refusal = (0..100).fold(
            Refusal::new(Reason::CertificateMismatch, &long).with("common_name", &long),
            |refusal, _| refusal.violation("NAME", &long, &long),
        );
        let status = refusal_status(&refusal, "licet.orders");
        let bytes = header_bytes(&status);
        assert!(bytes <= 7680, "{bytes} bytes");
        assert!(refusal_of(&status).is_some());
        // As many domains as an order may have.
        let names = (0..100).map(|number| format!("name-{number}.example.com"));
        let text = names.clone().collect::<Vec<_>>().join(" is missing; ");
        let refusal = names.fold(
            Refusal::new(Reason::CertificateMismatch, text),
            |refusal, name| refusal.violation("NAME", name, "is not in the certificate"),
        );
        let status = refusal_status(&refusal, "licet.orders");
        let bytes = header_bytes(&status);
        assert!(bytes <= 7680, "{bytes} bytes");
        let shown = refusal_of(&status).unwrap().violations;
        assert!(shown.len() > 10 && shown[..] == refusal.violations[..shown.len()]);
    }
}
