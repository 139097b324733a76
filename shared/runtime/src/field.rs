//! Decodes request fields and collects all violations with their paths, so that one response reports all.

use std::{fmt::Display, str::FromStr};

use licet_contracts::{Mutation, types::v1 as types};
use licet_domain::{deceptive::is_deceptive, term::Period};
use tonic_types::FieldViolation;
use uuid::Uuid;

use crate::{
    fault::{Fault, Violations},
    wire::decode_time,
};

/// The default limit of a text field, in bytes.
pub const MAX_TEXT_BYTES: usize = 1024;

/// The default limit of a list field, in elements.
pub const MAX_ELEMENTS: usize = 10_000;

/// Proof that a field's violation was noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noted(());

/// A decoded field, or the proof that its violation was noted.
pub type Field<T> = Result<T, Noted>;

/// Collects the violations of one request.
#[derive(Debug, Default)]
pub struct Fields {
    violations: Vec<FieldViolation>,
    /// The number of all violations; only the first [`MAX_NOTED`] are stored.
    total: usize,
}

/// Bounds the memory that a request can use: further violations are only counted.
const MAX_NOTED: usize = 1000;

impl Fields {
    /// No violations yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes a violation of `path`.
    pub fn note(&mut self, path: impl Into<String>, description: impl Into<String>) -> Noted {
        self.total += 1;
        if self.violations.len() < MAX_NOTED {
            self.violations.push(FieldViolation::new(path, description));
        }
        Noted(())
    }

    /// Whether no violation was noted so far.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    /// Notes a violation of `path` unless `holds`.
    pub fn check(&mut self, path: &str, holds: bool, description: &str) {
        if !holds {
            self.note(path, description);
        }
    }

    /// Parses a required text.
    ///
    /// # Errors
    /// The violation is noted.
    pub fn required<T: FromStr<Err: Display>>(&mut self, path: &str, text: &str) -> Field<T> {
        if text.is_empty() {
            return Err(self.note(path, "is required"));
        }
        text.parse()
            .map_err(|error| self.note(path, format!("{error}")))
    }

    /// Parses a text; empty is `None`.
    ///
    /// # Errors
    /// The violation is noted.
    pub fn optional<T: FromStr<Err: Display>>(
        &mut self,
        path: &str,
        text: &str,
    ) -> Field<Option<T>> {
        if text.is_empty() {
            Ok(None)
        } else {
            self.required(path, text).map(Some)
        }
    }

    /// Checks `request_id` (BL-2); not for `validate_only`. Rejects the nil UUID: it usually comes from an
    /// unset variable, so two requests with it are not repeats.
    pub fn request_id(&mut self, message: &impl Mutation) {
        if message.is_validate_only() {
            return;
        }
        // Only checks the form; the replay record parses it again.
        let _ = self.attempt_id("request_id", message.request_id());
    }

    /// Parses the `request_id` of this or another request (BL-2): a UUID, but not the nil UUID.
    ///
    /// # Errors
    /// The violation is noted.
    pub fn attempt_id(&mut self, path: &str, text: &str) -> Field<Uuid> {
        match text.parse::<Uuid>() {
            _ if text.is_empty() => {
                Err(self.note(path, "is required: a new UUID for each request"))
            }
            Ok(id) if id.is_nil() => Err(self.note(path, "must not be the nil UUID")),
            Ok(id) => Ok(id),
            Err(_) => Err(self.note(path, "must be a UUID")),
        }
    }

    /// A non-negative number.
    ///
    /// # Errors
    /// The violation is noted.
    pub fn count(&mut self, path: &str, count: i32) -> Field<u32> {
        u32::try_from(count).map_err(|_| self.note(path, "must not be negative"))
    }

    /// Free text without control characters and without characters that hide or reorder it, at most [`MAX_TEXT_BYTES`] long.
    ///
    /// # Errors
    /// The violation is noted.
    pub fn text(&mut self, path: &str, text: &str) -> Field<String> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(self.note(path, format!("is longer than {MAX_TEXT_BYTES} bytes")));
        }
        if text.chars().any(char::is_control) {
            return Err(self.note(path, "has control characters"));
        }
        if let Some(found) = text.chars().find(|character| is_deceptive(*character)) {
            let code = u32::from(found);
            let why = format!("has U+{code:04X}, which hides or reorders text: remove it");
            return Err(self.note(path, why));
        }
        Ok(text.trim().to_owned())
    }

    /// Non-empty free text.
    ///
    /// # Errors
    /// The violation is noted.
    pub fn required_text(&mut self, path: &str, text: &str) -> Field<String> {
        let text = self.text(path, text)?;
        if text.is_empty() {
            Err(self.note(path, "is required"))
        } else {
            Ok(text)
        }
    }

    /// Decodes a required message.
    ///
    /// # Errors
    /// The violation is noted.
    pub fn message<M, T, E: Display>(
        &mut self,
        path: &str,
        message: Option<&M>,
        decode: impl FnOnce(&M) -> Result<T, E>,
    ) -> Field<T> {
        match message {
            None => Err(self.note(path, "is required")),
            Some(message) => decode(message).map_err(|error| self.note(path, format!("{error}"))),
        }
    }

    /// Decodes a message that may be absent.
    ///
    /// # Errors
    /// The violation is noted.
    pub fn optional_message<M, T, E: Display>(
        &mut self,
        path: &str,
        message: Option<&M>,
        decode: impl FnOnce(&M) -> Result<T, E>,
    ) -> Field<Option<T>> {
        match message {
            None => Ok(None),
            Some(_) => self.message(path, message, decode).map(Some),
        }
    }

    /// Decodes a period: both ends are required, and the start is before the end.
    ///
    /// # Errors
    /// All violations are noted.
    pub fn period(&mut self, path: &str, message: &types::Period) -> Field<Period> {
        let end_path = format!("{path}.end_time");
        let start = message.start_time.as_ref();
        let start = self.message(&format!("{path}.start_time"), start, decode_time);
        let end = self.message(&end_path, message.end_time.as_ref(), decode_time);
        Period::new(start?, end?).ok_or_else(|| self.note(end_path, "must be after start_time"))
    }

    /// Decodes every element of a list; the path of a violation contains the index.
    ///
    /// # Errors
    /// All violations are noted.
    pub fn each<M, T, E: Display>(
        &mut self,
        path: &str,
        list: &[M],
        decode: impl Fn(&M) -> Result<T, E>,
    ) -> Field<Vec<T>> {
        if list.len() > MAX_ELEMENTS {
            return Err(self.note(path, format!("has more than {MAX_ELEMENTS} elements")));
        }
        let mut decoded = Vec::with_capacity(list.len());
        let mut first = None;
        for (index, element) in list.iter().enumerate() {
            match decode(element) {
                Ok(value) => decoded.push(value),
                Err(error) => {
                    let noted = self.note(format!("{path}[{index}]"), format!("{error}"));
                    first.get_or_insert(noted);
                }
            }
        }
        first.map_or(Ok(decoded), Err)
    }

    /// Assembles the decoded request, if no violation was noted.
    ///
    /// # Errors
    /// [`Fault::Invalid`] with all violations.
    pub fn build<T>(self, assemble: impl FnOnce() -> Field<T>) -> Result<T, Fault> {
        if self.violations.is_empty() {
            assemble()
                .map_err(|Noted(())| Fault::internal("a field failed, but no violation was noted"))
        } else {
            Err(Fault::Invalid(Violations {
                noted: self.violations,
                total: self.total,
            }))
        }
    }
}

/// Parses the only field of a request.
///
/// # Errors
/// [`Fault::Invalid`].
pub fn only<T: FromStr<Err: Display>>(path: &str, text: &str) -> Result<T, Fault> {
    let mut fields = Fields::new();
    let value = fields.required(path, text);
    fields.build(|| value)
}

/// As [`only`], beside the `request_id` of a change.
///
/// # Errors
/// [`Fault::Invalid`].
pub fn only_of_change<T: FromStr<Err: Display>>(
    message: &impl Mutation,
    path: &str,
    text: &str,
) -> Result<T, Fault> {
    let mut fields = Fields::new();
    let value = fields.required(path, text);
    fields.request_id(message);
    fields.build(|| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_violations_come_at_once_with_their_paths() {
        let mut fields = Fields::new();
        let missing: Field<u32> = fields.required("order_id", "");
        let numbers: Field<Vec<u32>> = fields.each("add_domains", &["1", "x", "2", "y"], |text| {
            text.parse::<u32>()
        });
        let absent: Field<Option<u32>> = fields.optional("note", "");
        fields.check("quantity", false, "must be at least 1");
        assert_eq!(absent, Ok(None));
        let fault = fields.build(|| Ok((missing?, numbers?))).unwrap_err();
        let Fault::Invalid(violations) = fault else {
            panic!("{fault:?}")
        };
        let paths: Vec<_> = violations.noted.iter().map(|v| v.field.as_str()).collect();
        assert_eq!(
            paths,
            ["order_id", "add_domains[1]", "add_domains[3]", "quantity"]
        );
    }
}
