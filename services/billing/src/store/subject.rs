//! The two columns of a subject: one term of one resource.

use licet_runtime::{
    fault::Fault,
    stored::{count, count_column},
};

use crate::rules::charge::Subject;

/// The subject in the columns.
pub(super) fn subject(
    resource_id: Option<String>,
    term_index: Option<i32>,
) -> Result<Option<Subject>, Fault> {
    match (resource_id, term_index) {
        (Some(resource_id), Some(term_index)) => {
            let term_index = count("term_index", term_index)?;
            Ok(Some(Subject {
                resource_id,
                term_index,
            }))
        }
        (None, _) | (_, None) => Ok(None),
    }
}

/// The columns of a subject.
pub(super) fn subject_columns(
    subject: Option<&Subject>,
) -> Result<(Option<String>, Option<i32>), Fault> {
    match subject {
        None => Ok((None, None)),
        Some(subject) => {
            let term_index = count_column("term_index", subject.term_index)?;
            Ok((Some(subject.resource_id.clone()), Some(term_index)))
        }
    }
}
