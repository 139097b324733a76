//! The change of a licence's usage by one round, which becomes one event.

use std::collections::BTreeSet;

use licet_domain::{
    ids::{CertificateId, LicenseId, ReservationId},
    revocation::RevocationReason,
};
use licet_runtime::{
    caller::Origin,
    fault::Fault,
    outbox::{Event, EventHeader},
};

use crate::{
    events::{Revocations, UsageChanged},
    rules::{certificate::Certificate, quota::holdings::Holdings},
};

/// How a round changed a licence's usage.
#[derive(Default)]
pub(super) struct UsageChange {
    origin: Option<Origin>,
    further_callers: BTreeSet<String>,
    pub(super) granted: Vec<ReservationId>,
    pub(super) denied: u64,
    pub(super) released: Vec<ReservationId>,
    pub(super) recorded: Vec<CertificateId>,
    revoked: Vec<Revocations>,
    pub(super) allocated: Vec<CertificateId>,
    /// Certificates allocated to another licence.
    pub(super) left: Vec<CertificateId>,
}

impl UsageChange {
    /// Adds the origin of a command. The first one becomes the event's origin.
    pub(super) fn add_origin(&mut self, origin: &Origin) {
        let first = self.origin.get_or_insert_with(|| origin.clone());
        if first.caller != origin.caller {
            self.further_callers.insert(origin.caller.clone());
        }
    }

    /// Adds a revoked certificate.
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

    /// The event, with the figures at the end of the round; `None` without an origin.
    pub(super) fn event(
        &self,
        license_id: LicenseId,
        holdings: &Holdings,
    ) -> Option<Result<Event<'_>, Fault>> {
        let quota = holdings.limits().term.quota;
        let is_over = holdings.held() > quota;
        let outcome = if is_over {
            "OVER_QUOTA"
        } else {
            "WITHIN_QUOTA"
        };
        let header = EventHeader {
            resource_id: license_id.to_string(),
            account_id: Some(holdings.limits().account_id),
            time: holdings.as_of(),
            origin: self.origin.as_ref()?,
            why: if is_over { "SL-21" } else { "SL-12" }.to_owned(),
            outcome: outcome.to_owned(),
        };
        let data = UsageChanged {
            granted: &self.granted,
            denied: self.denied,
            released: &self.released,
            recorded: &self.recorded,
            revoked: &self.revoked,
            allocated: &self.allocated,
            left: &self.left,
            further_callers: &self.further_callers,
            quota,
            used: holdings.used(),
            reserved: holdings.reserved(),
            version: holdings.version.number,
        };
        Some(Event::new(header, &data))
    }
}
