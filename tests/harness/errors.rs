//! A gRPC error in its parts, which tests compare with the contract.

use std::{collections::BTreeMap, fmt::Debug};

use tonic::{Code, Response, Status};
use tonic_types::StatusExt as _;

/// An error as a client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) code: Code,
    pub(crate) message: String,
    pub(crate) reason: String,
    pub(crate) domain: String,
    pub(crate) metadata: BTreeMap<String, String>,
    /// Path and description of each field violation.
    pub(crate) fields: Vec<(String, String)>,
    /// Kind, subject and description of each violated precondition.
    pub(crate) preconditions: Vec<(String, String, String)>,
    pub(crate) detail_bytes: usize,
}

impl Refused {
    /// The value of `key`, which must exist.
    pub(crate) fn value(&self, key: &str) -> &str {
        self.metadata
            .get(key)
            .unwrap_or_else(|| panic!("no metadata {key}: {self:?}"))
    }

    /// The paths of the field violations, sorted.
    pub(crate) fn paths(&self) -> Vec<&str> {
        let mut paths: Vec<_> = self.fields.iter().map(|(path, _)| path.as_str()).collect();
        paths.sort_unstable();
        paths
    }

    /// The subjects of the violated preconditions, sorted.
    pub(crate) fn subjects(&self) -> Vec<&str> {
        let mut all: Vec<_> = self
            .preconditions
            .iter()
            .map(|(_, who, _)| who.as_str())
            .collect();
        all.sort_unstable();
        all
    }

    /// Fails unless the error has this code and reason.
    #[track_caller]
    pub(crate) fn expect(self, code: Code, reason: &str) -> Self {
        assert_eq!(
            (self.code, self.reason.as_str()),
            (code, reason),
            "{self:?}"
        );
        self
    }
}

/// The error of a call that must fail. Every error carries an `ErrorInfo` and stays below 8 KiB.
#[track_caller]
pub(crate) fn refused<T: Debug>(answer: Result<Response<T>, Status>) -> Refused {
    let status = match answer {
        Ok(response) => panic!("not refused: {:?}", response.into_inner()),
        Err(status) => status,
    };
    take_apart(&status)
}

#[track_caller]
pub(crate) fn take_apart(status: &Status) -> Refused {
    let details = status.get_error_details();
    let info = details
        .error_info()
        .unwrap_or_else(|| panic!("an error without ErrorInfo: {status:?}"));
    assert!(
        info.domain.starts_with("licet"),
        "ErrorInfo.domain is {:?}",
        info.domain
    );
    assert!(
        status.details().len() < 8192,
        "{} bytes of details",
        status.details().len()
    );
    let fields = details.bad_request().map_or_else(Vec::new, |bad| {
        let each = bad.field_violations.iter();
        each.map(|field| (field.field.clone(), field.description.clone()))
            .collect()
    });
    let preconditions = details
        .precondition_failure()
        .map_or_else(Vec::new, |failure| {
            let each = failure.violations.iter();
            each.map(|it| {
                (
                    it.r#type.clone(),
                    it.subject.clone(),
                    it.description.clone(),
                )
            })
            .collect()
        });
    Refused {
        code: status.code(),
        message: status.message().to_owned(),
        reason: info.reason.clone(),
        domain: info.domain.clone(),
        metadata: info.metadata.clone().into_iter().collect(),
        fields,
        preconditions,
        detail_bytes: status.details().len(),
    }
}

/// The reason of a refusal, or "done".
pub(crate) fn reason<T>(answer: Result<Response<T>, Status>) -> String {
    match answer {
        Ok(_) => "done".to_owned(),
        Err(status) => take_apart(&status).reason,
    }
}
