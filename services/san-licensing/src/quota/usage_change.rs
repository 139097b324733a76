//! The event about a licence's usage: one for a licence and a round, however many commands it had.

use std::collections::BTreeSet;

use licet_domain::{
    ids::{CertificateId, LicenseId, ReservationId},
    revocation::RevocationReason,
};
use licet_runtime::{caller::Origin, outbox::Event};
use serde::Serialize;
use serde_json::json;

use crate::rules::{certificate::Certificate, quota::holdings::Holdings};

/// How a round changed a licence's usage.
#[derive(Default)]
pub(super) struct UsageChange {
    origin: Option<Origin>,
    callers: BTreeSet<String>,
    pub(super) granted: Vec<ReservationId>,
    pub(super) denied: u64,
    pub(super) released: Vec<ReservationId>,
    pub(super) recorded: Vec<CertificateId>,
    revoked: Vec<Revocations>,
    /// Recorded before, and counted here from now on.
    pub(super) allocated: Vec<CertificateId>,
    /// Counted in another licence from now on.
    pub(super) left: Vec<CertificateId>,
}

/// The certificates that one caller revoked for one reason; Orders follows it.
#[derive(Serialize)]
struct Revocations {
    certificate_ids: Vec<CertificateId>,
    reason: RevocationReason,
    #[serde(flatten)]
    origin: Origin,
}

impl UsageChange {
    /// A command of this origin is part of it.
    pub(super) fn add_origin(&mut self, origin: &Origin) {
        let first = self.origin.get_or_insert_with(|| origin.clone());
        if first.caller != origin.caller {
            self.callers.insert(origin.caller.clone());
        }
    }

    /// A certificate was revoked.
    pub(super) fn revoke(&mut self, certificate: &Certificate, origin: &Origin) {
        let reason = certificate.revoke_reason;
        let reason = reason.unwrap_or(RevocationReason::Unspecified);
        match self.revoked.last_mut() {
            Some(last) if last.reason == reason && last.origin == *origin => {
                last.certificate_ids.push(certificate.id);
            }
            Some(_) | None => self.revoked.push(Revocations {
                certificate_ids: vec![certificate.id],
                reason,
                origin: origin.clone(),
            }),
        }
    }

    /// The event, with the figures of the round's end.
    pub(super) fn event(&self, license_id: LicenseId, holdings: &Holdings) -> Option<Event<'_>> {
        let quota = holdings.limits().term.quota;
        let is_over = holdings.held() > quota;
        let outcome = if is_over {
            "OVER_QUOTA"
        } else {
            "WITHIN_QUOTA"
        };
        Some(Event {
            kind: "licet.sanlicensing.usage.changed.v1",
            resource_id: license_id.to_string(),
            account_id: Some(holdings.limits().account_id),
            time: holdings.as_of(),
            origin: self.origin.as_ref()?,
            why: if is_over { "SL-21" } else { "SL-12" }.to_owned(),
            outcome: outcome.to_owned(),
            data: json!({
                "granted": self.granted,
                "denied": self.denied,
                "released": self.released,
                "recorded": self.recorded,
                "revoked": self.revoked,
                "allocated": self.allocated,
                "left": self.left,
                "further_callers": self.callers,
                "quota": quota,
                "used": holdings.used(),
                "reserved": holdings.reserved(),
                "version": holdings.version,
            }),
        })
    }
}
