//! Collects all objections to a request, so that the refusal names every one and not only the
//! first.

use std::fmt;

use licet_domain::refusal::{ERROR_TEXT_ROOM, Reason, Refusal, listed};

/// The objections so far, in the order of their discovery.
#[derive(Debug, Default)]
pub(crate) struct Objections {
    found: Vec<Objection>,
}

/// One objection.
#[derive(Debug)]
pub(crate) struct Objection {
    reason: Reason,
    subject: String,
    description: String,
    metadata: Vec<(&'static str, String)>,
}

impl Objection {
    /// Adds a number or an id for programs.
    pub(crate) fn with(&mut self, key: &'static str, value: impl fmt::Display) -> &mut Self {
        self.metadata.push((key, format!("{value}")));
        self
    }
}

impl Objections {
    /// Adds an objection about `subject`: a domain, an id or a field of the request.
    pub(crate) fn add(
        &mut self,
        reason: Reason,
        subject: impl Into<String>,
        description: impl Into<String>,
    ) -> &mut Objection {
        let objection = Objection {
            reason,
            subject: subject.into(),
            description: description.into(),
            metadata: Vec::new(),
        };
        self.found.push_mut(objection)
    }

    /// Without objections, does nothing. Else returns one refusal with the reason and metadata of
    /// the first objection, and all of them as violations, each with its own reason as kind.
    pub(crate) fn refuse_if_any(self) -> Result<(), Refusal> {
        let Some(first) = self.found.first() else {
            return Ok(());
        };
        let message = match self.found.len() {
            1 => first.description.clone(),
            many => {
                let each = self.found.iter().map(|found| found.description.clone());
                format!("{many} problems: {}", listed(each, many, ERROR_TEXT_ROOM))
            }
        };
        let mut refusal = Refusal::new(first.reason, message);
        for (key, value) in &first.metadata {
            refusal = refusal.with(*key, value);
        }
        for objection in self.found {
            refusal = refusal.violation(
                objection.reason.as_str(),
                objection.subject,
                objection.description,
            );
        }
        Err(refusal)
    }
}
