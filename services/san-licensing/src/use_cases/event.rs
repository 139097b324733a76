//! The events of a licence. They carry ids and figures; the licence itself is read from its
//! service.

use licet_domain::{clock::Instant, refusal::Refusal};
use licet_runtime::{caller::Origin, database::Tx, fault::Fault, outbox};

use crate::rules::license::License;

/// What happened to a licence.
pub(super) struct LicenseEvent<'a> {
    /// The type between `licet.sanlicensing.` and the version: `license.started`.
    pub(super) kind: &'a str,
    pub(super) license: &'a License,
    pub(super) origin: &'a Origin,
    pub(super) time: Instant,
    /// A rule id.
    pub(super) why: &'a str,
    pub(super) outcome: &'a str,
    pub(super) data: serde_json::Value,
}

impl<'a> LicenseEvent<'a> {
    /// What an operation began comes to nothing.
    pub(super) fn refused(
        kind: &'a str,
        license: &'a License,
        origin: &'a Origin,
        time: Instant,
        refusal: &'a Refusal,
    ) -> Self {
        Self {
            kind,
            license,
            origin,
            time,
            why: "X-2",
            outcome: refusal.reason.as_str(),
            data: serde_json::json!({ "message": refusal.message }),
        }
    }
}

/// Writes an event of a licence whose row is locked; last in its transaction.
pub(super) async fn emit(tx: &Tx, event: LicenseEvent<'_>) -> Result<(), Fault> {
    let kind = format!("licet.sanlicensing.{}.v1", event.kind);
    outbox::emit(
        tx,
        outbox::Event {
            kind: &kind,
            resource_id: event.license.id.to_string(),
            account_id: Some(event.license.account_id),
            time: event.time,
            origin: event.origin,
            why: event.why.to_owned(),
            outcome: event.outcome.to_owned(),
            data: event.data,
        },
    )
    .await
}
