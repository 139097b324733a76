//! Certificates that callers record, revoke and allocate (SL-1, SL-16, SL-19, SL-21).

use licet_domain::{
    clock::Instant,
    ids::CertificateId,
    refusal::{ERROR_TEXT_ROOM, Reason, Refusal, listed},
    revocation::RevocationReason,
};
use licet_runtime::caller::Origin;

use super::Plan;
use crate::{
    quota::{
        alerts::Alert,
        command::{
            Allocate, AllocatedCertificate, PreviewRevocation, Record, RecordedCertificate, Revoke,
        },
    },
    rules::{
        alert::Ratio,
        certificate::{Certificate, CertificateState, already_allocated, conflict},
        not_found,
        quota::{
            holdings::{Claim, ClaimKind, Holdings},
            revocation_preview::{RevocationPreview, preview_revocation},
        },
        transitions::not_active,
    },
};

impl Plan {
    /// Records a certificate, even over the quota or after its reservation ended: it exists (SL-21).
    /// Reserved SANs that it does not carry are freed.
    pub(in crate::quota) fn record(
        &mut self,
        holdings: &mut Holdings,
        origin: &Origin,
        Record { certificate }: &Record,
    ) -> Result<RecordedCertificate, Refusal> {
        let first = self.records.by_key.certificates.get(&certificate.key);
        let first = first.cloned();
        if let Some(first) = &first
            && !first.is_corrected_by(certificate)
        {
            if !first.is_same_as(certificate) {
                return Err(conflict(first));
            }
            return Ok(RecordedCertificate {
                certificate: first.clone(),
                already_known: true,
                over_quota: is_over_quota(holdings),
            });
        }
        if let Some(id) = certificate.reservation_id {
            self.use_reservation(holdings, id)?;
        }
        let certificate = match first {
            None => self.record_new(holdings, origin, certificate.clone()),
            Some(first) => {
                let product_id = certificate.product_id.clone();
                self.correct_product(Some(&mut *holdings), origin, first, product_id)
            }
        };
        Ok(RecordedCertificate {
            certificate,
            already_known: false,
            over_quota: is_over_quota(holdings),
        })
    }

    /// Counts a certificate's SANs from now on, and adds the alerts that this triggers (SL-17). Each alert is
    /// emitted once: holdings are exact under the fence on every instance, and a repeat counts nothing.
    pub(super) fn count(
        &mut self,
        holdings: &mut Holdings,
        origin: &Origin,
        certificate: &Certificate,
    ) {
        let before = holdings.used();
        holdings.add(
            certificate.id.uuid(),
            Claim {
                kind: ClaimKind::Active,
                sans: certificate.sans.clone(),
                until: certificate.until,
                reach: certificate.until,
            },
        );
        let time = holdings.as_of();
        let quota = holdings.limits().quota_at(time);
        let ratio = |used| Ratio { quota, used };
        let (license_id, account_id) = (holdings.limits().license_id, holdings.limits().account_id);
        let moved = (ratio(before), ratio(holdings.used()));
        let reached = Alert::each(license_id, account_id, origin, time, moved);
        self.alerts.extend(reached);
    }

    /// Previews the revocation of certificates.
    pub(in crate::quota) fn preview_revocation(
        &self,
        holdings: &Holdings,
        PreviewRevocation { ids }: &PreviewRevocation,
    ) -> Result<Box<RevocationPreview>, Refusal> {
        self.revocable(holdings, ids)?;
        Ok(Box::new(preview_revocation(holdings, ids)))
    }

    /// Revokes certificates: they count until now (SL-5, SL-19).
    pub(in crate::quota) fn revoke(
        &mut self,
        holdings: &mut Holdings,
        origin: &Origin,
        command: &Revoke,
    ) -> Result<Vec<Certificate>, Refusal> {
        let mut certificates = self.revocable(holdings, &command.ids)?;
        if let Some(preview) = &command.preview {
            preview_revocation(holdings, &command.ids).check(preview)?;
        }
        for certificate in &mut certificates {
            self.revoke_one(holdings, origin, certificate, command.reason);
        }
        Ok(certificates)
    }

    fn revoke_one(
        &mut self,
        holdings: &mut Holdings,
        origin: &Origin,
        certificate: &mut Certificate,
        reason: RevocationReason,
    ) {
        let now = holdings.as_of();
        certificate.revoke_time = Some(now);
        certificate.revoke_reason = Some(reason);
        certificate.until = certificate.until.min(now);
        holdings.release(certificate.id.uuid());
        let by_id = &mut self.records.by_id;
        by_id.insert(certificate.id, certificate.clone());
        self.revoked
            .push((certificate.clone(), holdings.version.number));
        let change = self.change(holdings.limits().license_id, origin);
        change.revoke(certificate, origin);
    }

    /// The licence's certificates with some ids, in their order. Refuses all if one is unknown or no longer
    /// active (SL-19).
    fn revocable(
        &self,
        holdings: &Holdings,
        ids: &[CertificateId],
    ) -> Result<Vec<Certificate>, Refusal> {
        let license_id = Some(holdings.limits().license_id);
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            let certificate = self.records.by_id.get(id);
            match certificate.filter(|certificate| certificate.license_id == license_id) {
                Some(certificate) => found.push(certificate.clone()),
                None => return Err(not_found("certificate", id)),
            }
        }
        check_revocable(&found, holdings.as_of())?;
        Ok(found)
    }

    /// Allocates a certificate as sales decided (SL-16).
    pub(in crate::quota) fn allocate_by_hand(
        &mut self,
        holdings: &mut Holdings,
        origin: &Origin,
        Allocate { id }: Allocate,
    ) -> Result<AllocatedCertificate, Refusal> {
        let account_id = holdings.limits().account_id;
        let found = self.records.by_id.get(&id);
        let found = found.filter(|found| found.key.account_id == account_id);
        let certificate = found.ok_or_else(|| not_found("certificate", id))?.clone();
        if let Some(license_id) = certificate.license_id {
            return Err(already_allocated(&certificate, license_id));
        }
        let (limits, now) = (holdings.limits(), holdings.as_of());
        if !limits.is_active(now) {
            let start = limits.term.period.start;
            return Err(not_active(limits.license_id, limits.state(now), start));
        }
        let certificate = self.allocate(holdings, None, origin, certificate);
        self.records.by_id.insert(id, certificate.clone());
        Ok(AllocatedCertificate {
            certificate,
            over_quota: is_over_quota(holdings),
        })
    }
}

fn is_over_quota(holdings: &Holdings) -> bool {
    holdings.held() > holdings.limits().term.quota
}

/// Refuses certificates that are no longer active (SL-19).
fn check_revocable(certificates: &[Certificate], now: Instant) -> Result<(), Refusal> {
    let over: Vec<_> = certificates
        .iter()
        .filter_map(|certificate| match certificate.state(now) {
            CertificateState::Active => None,
            CertificateState::Revoked => Some((certificate, "is already revoked")),
            CertificateState::Expired => Some((certificate, "has expired")),
        })
        .collect();
    if over.is_empty() {
        return Ok(());
    }
    let each = over
        .iter()
        .map(|(certificate, why)| format!("certificate {} {why}", certificate.id));
    let each = listed(each, over.len(), ERROR_TEXT_ROOM);
    let message = format!("{each}; only active certificates can be revoked");
    let mut refusal = Refusal::new(Reason::CertificateNotRevocable, message);
    for (certificate, why) in over {
        refusal = refusal.violation("CERTIFICATE", certificate.id.to_string(), why);
    }
    Err(refusal)
}
