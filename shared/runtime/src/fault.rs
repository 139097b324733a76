//! Why a call gives no answer: malformed, refused by the rules, not now, or a defect.

use std::{collections::BTreeMap, io::ErrorKind, time::Duration};

use licet_domain::refusal::Refusal;
use sea_orm::DbErr;
use tonic::Code;
use tonic_types::FieldViolation;

/// Why a call gives no answer.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The request is malformed: every violation, each with the path as the client wrote it.
    #[error("malformed: {0:?}")]
    Invalid(Violations),
    /// A definite refusal by the rules: nothing was done, and asking again changes nothing.
    #[error("refused: {0}")]
    Refused(Box<Refusal>),
    /// Nothing was decided; the same request may pass later.
    #[error("{}", .0.message)]
    Transient(Box<TransientFault>),
    /// The database gave this transaction up for another; run again by the runtime.
    #[error("lost a race for the database: {0}")]
    Contention(DbErr),
    /// A defect or a broken dependency. The text is for the log alone.
    #[error("{0}")]
    Internal(String),
}

/// The violations of one request.
#[derive(Debug)]
pub struct Violations {
    /// The first of them.
    pub noted: Vec<FieldViolation>,
    /// How many there are.
    pub total: usize,
}

/// What may pass when it is asked for again, or elsewhere; never stored as an answer.
#[derive(Clone, Debug)]
pub struct TransientFault {
    /// The canonical code and the reason in `ErrorInfo`.
    pub reason: TransientReason,
    /// A sentence for a person.
    pub message: String,
    /// When to ask again, where that helps.
    pub retry_after: Option<Duration>,
    /// Numbers and ids for a program.
    pub metadata: BTreeMap<String, String>,
}

/// The reasons that are no definite refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransientReason {
    /// Another operation runs on the resource.
    OperationInProgress,
    /// More calls at once than the service takes.
    Overloaded,
    /// More streams open at once than the service takes, in all or of one caller.
    TooManyStreams,
    /// The answer did not come in time; the work may still complete.
    DeadlineExceeded,
    /// A service that this one needs did not answer.
    PeerUnavailable,
    /// The caller has none of the roles that the method names.
    PermissionDenied,
    /// The contract has the method, this version does not serve it.
    MethodNotServed,
    /// The messages are packed as the service does not unpack them.
    EncodingNotSupported,
    /// The service's store has no room left; what is read is answered still.
    StoreFull,
    /// The service's store does not answer, or cannot write just now.
    StoreUnavailable,
    /// A peer is on another store than the one that this service has worked with.
    PeerStoreChanged,
    /// The instance is being stopped: it takes no more calls, and nothing more of a stream.
    ServiceStopping,
}

impl TransientReason {
    /// The reason as `ErrorInfo` carries it, with its canonical code.
    #[must_use]
    pub fn as_str_and_code(self) -> (&'static str, Code) {
        match self {
            Self::OperationInProgress => ("OPERATION_IN_PROGRESS", Code::Aborted),
            Self::Overloaded => ("OVERLOADED", Code::Unavailable),
            Self::TooManyStreams => ("TOO_MANY_STREAMS", Code::ResourceExhausted),
            Self::DeadlineExceeded => ("DEADLINE_EXCEEDED", Code::DeadlineExceeded),
            Self::PeerUnavailable => ("PEER_UNAVAILABLE", Code::Unavailable),
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

    /// A passing fault without metadata.
    pub fn transient(reason: TransientReason, message: impl Into<String>) -> Self {
        Self::Transient(Box::new(TransientFault {
            reason,
            message: message.into(),
            retry_after: None,
            metadata: BTreeMap::new(),
        }))
    }

    /// Another operation runs on the resource: one at a time.
    #[must_use]
    pub fn operation_in_progress(resource_id: &str, operation_id: &str) -> Self {
        Self::Transient(Box::new(TransientFault {
            reason: TransientReason::OperationInProgress,
            message: format!(
                "{resource_id} has operation {operation_id} under way; ask again when it is done"
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
                "the store of this service is full; this call changed nothing. Ask again with \
                      the same request_id once there is room"
                    .to_owned(),
            retry_after: Some(Duration::from_secs(5)),
            metadata: BTreeMap::new(),
        }))
    }

    /// What a file that could not be written means.
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

    pub(crate) fn store_away() -> Self {
        Self::Transient(Box::new(TransientFault {
            reason: TransientReason::StoreUnavailable,
            message:
                "the store of this service does not answer; ask again with the same request_id"
                    .to_owned(),
            retry_after: Some(Duration::from_secs(1)),
            metadata: BTreeMap::new(),
        }))
    }

    /// The same fault for another of the callers that share it; `None` for what is told apart.
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
