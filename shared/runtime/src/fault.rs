//! Why a call fails: malformed, refused, transient, or a defect.

use std::{collections::BTreeMap, io::ErrorKind, time::Duration};

use licet_domain::refusal::Refusal;
use sea_orm::DbErr;
use tonic::Code;
use tonic_types::FieldViolation;

/// Why a call fails.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The request is malformed: all violations, each with the path of its field.
    #[error("malformed: {0:?}")]
    Invalid(Violations),
    /// A definite refusal by the rules: nothing was done, and a repeat gets the same refusal.
    #[error("refused: {0}")]
    Refused(Box<Refusal>),
    /// Nothing was decided and nothing is stored: a repeat may succeed later, or elsewhere.
    #[error("{}", .0.message)]
    Transient(Box<TransientFault>),
    /// The transaction lost a race in the database. The runtime runs it again.
    #[error("lost a race for the database: {0}")]
    Contention(DbErr),
    /// A defect or a broken dependency. The text goes only to the log.
    #[error("{0}")]
    Internal(String),
}

/// The violations of one request.
#[derive(Debug)]
pub struct Violations {
    /// The first of them, up to a limit.
    pub noted: Vec<FieldViolation>,
    /// How many there are.
    pub total: usize,
}

/// A fault after which a repeat is decided anew; never stored for repeats.
#[derive(Clone, Debug)]
pub struct TransientFault {
    /// The canonical code and the reason in `ErrorInfo`.
    pub reason: TransientReason,
    /// The message for people.
    pub message: String,
    /// When to retry, if that helps.
    pub retry_after: Option<Duration>,
    /// Numbers and ids for programs.
    pub metadata: BTreeMap<String, String>,
}

/// The reasons of transient faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransientReason {
    /// Another operation runs on the resource.
    OperationInProgress,
    /// Too many concurrent calls.
    Overloaded,
    /// Too many open streams, in total or of this caller.
    TooManyStreams,
    /// Too many bytes of messages in flight, in total or of this caller.
    TooManyBytes,
    /// The stream has been open as long as one may be; the client opens another one.
    StreamExpired,
    /// The deadline has passed; the work may still complete.
    DeadlineExceeded,
    /// A peer did not answer.
    PeerUnavailable,
    /// The client certificate names nobody whom the access table knows, or somebody whom it denies.
    Unauthenticated,
    /// The caller has none of the method's roles, or may not speak for the caller that it names.
    PermissionDenied,
    /// This server does not serve the method.
    MethodNotServed,
    /// The messages have an unsupported encoding.
    EncodingNotSupported,
    /// The service's store is full; reads still work.
    StoreFull,
    /// The service's store does not answer, or cannot be written now.
    StoreUnavailable,
    /// A peer uses a different store than before.
    PeerStoreChanged,
    /// The instance is stopping: it accepts no calls and ends its streams.
    ServiceStopping,
}

impl TransientReason {
    /// The reason in `ErrorInfo`, and its canonical code.
    #[must_use]
    pub fn as_str_and_code(self) -> (&'static str, Code) {
        match self {
            Self::OperationInProgress => ("OPERATION_IN_PROGRESS", Code::Aborted),
            Self::Overloaded => ("OVERLOADED", Code::Unavailable),
            Self::TooManyStreams => ("TOO_MANY_STREAMS", Code::ResourceExhausted),
            Self::TooManyBytes => ("TOO_MANY_BYTES", Code::ResourceExhausted),
            Self::StreamExpired => ("STREAM_EXPIRED", Code::Unavailable),
            Self::DeadlineExceeded => ("DEADLINE_EXCEEDED", Code::DeadlineExceeded),
            Self::PeerUnavailable => ("PEER_UNAVAILABLE", Code::Unavailable),
            Self::Unauthenticated => ("UNAUTHENTICATED", Code::Unauthenticated),
            Self::PermissionDenied => ("PERMISSION_DENIED", Code::PermissionDenied),
            Self::MethodNotServed => ("METHOD_NOT_SERVED", Code::Unimplemented),
            Self::EncodingNotSupported => ("ENCODING_NOT_SUPPORTED", Code::Unimplemented),
            Self::StoreFull => ("STORE_FULL", Code::ResourceExhausted),
            Self::StoreUnavailable => ("STORE_UNAVAILABLE", Code::Unavailable),
            Self::PeerStoreChanged => ("PEER_STORE_CHANGED", Code::FailedPrecondition),
            Self::ServiceStopping => ("SERVICE_STOPPING", Code::Unavailable),
        }
    }
}

impl Fault {
    /// A defect, described for the log.
    pub fn internal(text: impl std::fmt::Display) -> Self {
        Self::Internal(text.to_string())
    }

    /// A transient fault without metadata.
    pub fn transient(reason: TransientReason, message: impl Into<String>) -> Self {
        Self::Transient(Box::new(TransientFault {
            reason,
            message: message.into(),
            retry_after: None,
            metadata: BTreeMap::new(),
        }))
    }

    /// Another operation runs on the resource; only one may.
    #[must_use]
    pub fn operation_in_progress(resource_id: &str, operation_id: &str) -> Self {
        Self::Transient(Box::new(TransientFault {
            reason: TransientReason::OperationInProgress,
            message: format!(
                "operation {operation_id} is in progress on {resource_id}; retry when it has ended"
            ),
            retry_after: Some(Duration::from_secs(1)),
            metadata: BTreeMap::from([
                ("resource_id".to_owned(), resource_id.to_owned()),
                ("operation_id".to_owned(), operation_id.to_owned()),
            ]),
        }))
    }

    pub(crate) fn store_full() -> Self {
        Self::Transient(Box::new(TransientFault {
            reason: TransientReason::StoreFull,
            message:
                "the service's store is full; nothing was changed. Retry with the same request_id \
                 when space is available"
                    .to_owned(),
            retry_after: Some(Duration::from_secs(5)),
            metadata: BTreeMap::new(),
        }))
    }

    /// The fault of a file that could not be written.
    pub(crate) fn of_file(error: std::io::Error) -> Self {
        if matches!(
            error.kind(),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded
        ) {
            tracing::error!(%error, "a file could not be written");
            return Self::store_full();
        }
        Self::internal(error)
    }

    pub(crate) fn store_unavailable() -> Self {
        Self::Transient(Box::new(TransientFault {
            reason: TransientReason::StoreUnavailable,
            message: "the service's store does not answer; retry with the same request_id"
                .to_owned(),
            retry_after: Some(Duration::from_secs(1)),
            metadata: BTreeMap::new(),
        }))
    }

    /// A copy of a transient fault, for several callers; `None` for every other fault.
    #[must_use]
    pub fn clone_transient(&self) -> Option<Self> {
        match self {
            Self::Transient(transient) => Some(Self::Transient(transient.clone())),
            Self::Invalid(_) | Self::Refused(_) | Self::Contention(_) | Self::Internal(_) => None,
        }
    }

    /// One malformed field.
    pub fn invalid(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self::Invalid(Violations {
            noted: vec![FieldViolation::new(field, description)],
            total: 1,
        })
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}
