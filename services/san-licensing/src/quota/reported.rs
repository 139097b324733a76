//! What reported certificates and revocations come to, however they were reported: recorded,
//! allocated, revoked, or kept until the other one of the two arrives (SL-15, SL-16, SL-21).

use licet_domain::{
    clock::Instant,
    ids::{CertificateId, ProductId},
    refusal::Refusal,
};
use licet_runtime::caller::Origin;

use super::{
    committer::{Answer, Submission},
    decided::Decided,
};
use crate::{
    rules::{
        certificate::{Certificate, CertificateKey, EarlyRevocation, already_allocated},
        not_found,
        quota::holdings::Holdings,
        transitions::not_active,
    },
    store::allocation::{Allocated, Left},
};

impl Decided {
    /// A certificate that nothing is kept of counts in a licence from now on, unless its revocation
    /// came before it (SL-15).
    pub(super) fn record_new(
        &mut self,
        known: &mut Holdings,
        origin: &Origin,
        mut certificate: Certificate,
    ) -> Certificate {
        let license_id = known.terms().license_id;
        certificate.license_id = Some(license_id);
        certificate.record_time = known.as_of();
        self.apply_early(&mut certificate, known.version);
        self.take(known, origin, &certificate);
        self.keep(&certificate, known.version);
        let happened = self.happened(license_id, origin);
        happened.recorded.push(certificate.id);
        if certificate.revoke_time.is_some() {
            happened.revoke(&certificate, origin);
        }
        certificate
    }

    /// A certificate that nothing is kept of, and that no licence covers (SL-16).
    pub(super) fn record_unallocated(&mut self, mut certificate: Certificate, now: Instant) {
        certificate.license_id = None;
        certificate.record_time = now;
        self.apply_early(&mut certificate, 0);
        self.keep(&certificate, 0);
    }

    /// A certificate that counts nowhere yet was reported under another product (SL-14). It has the one
    /// that is reported now, and counts in the licence of that one from now on, where there is one.
    pub(super) fn correct_product(
        &mut self,
        known: Option<&mut Holdings>,
        origin: &Origin,
        mut certificate: Certificate,
        product_id: ProductId,
    ) -> Certificate {
        certificate.product_id = product_id;
        // A statement changes a row once.
        self.corrected.retain(|other| other.id != certificate.id);
        self.corrected.push(certificate.clone());
        if let Some(known) = known {
            certificate = self.allocate(known, None, origin, certificate);
        }
        let key = certificate.key.clone();
        let kept = &mut self.kept.by_key.certificates;
        kept.insert(key, certificate.clone());
        certificate
    }

    /// The revocation that came before the certificate counts from its record on (SL-15, T-6).
    fn apply_early(&mut self, certificate: &mut Certificate, version: i64) {
        if let Some(revocation) = self.kept.by_key.early.remove(&certificate.key) {
            certificate.revoke(revocation, certificate.record_time);
            self.applied.push(certificate.key.clone());
            self.revoked.push((certificate.clone(), version));
        }
    }

    fn keep(&mut self, certificate: &Certificate, version: i64) {
        let key = certificate.key.clone();
        let kept = &mut self.kept.by_key.certificates;
        kept.insert(key, certificate.clone());
        self.certificates.push((certificate.clone(), version));
    }

    /// A revocation that the authority reports, of a certificate that is kept: in the licence that it
    /// counts in, from that one's time on, or in none, from `now` on.
    pub(super) fn revoke_reported(
        &mut self,
        known: Option<&mut Holdings>,
        origin: &Origin,
        mut certificate: Certificate,
        revocation: EarlyRevocation,
        now: Instant,
    ) {
        let version = if let Some(known) = known {
            certificate.revoke(revocation, known.as_of());
            known.release(certificate.id.uuid());
            self.happened(known.terms().license_id, origin)
                .revoke(&certificate, origin);
            known.version
        } else {
            certificate.revoke(revocation, now);
            0
        };
        self.forget_early(&certificate.key);
        let kept = &mut self.kept.by_key.certificates;
        kept.insert(certificate.key.clone(), certificate.clone());
        self.revoked.push((certificate, version));
    }

    /// A revocation waits no more: it is on its certificate. It may have waited where the reports of
    /// the two passed each other by.
    pub(super) fn forget_early(&mut self, key: &CertificateKey) {
        if self.kept.by_key.early.remove(key).is_some() {
            self.applied.push(key.clone());
        }
    }

    /// Keeps a revocation whose certificate is not known (SL-15).
    pub(super) fn keep_early(
        &mut self,
        key: CertificateKey,
        revocation: EarlyRevocation,
        now: Instant,
    ) {
        self.early_time = Some(now);
        self.kept.by_key.early.insert(key.clone(), revocation);
        self.early.push((key, revocation));
    }

    /// Sales decide where an unallocated certificate counts (SL-16).
    pub(super) fn allocate_by_hand(
        &mut self,
        known: &mut Holdings,
        submission: &Submission,
        id: CertificateId,
    ) -> Result<Answer, Refusal> {
        let account_id = known.terms().account_id;
        let found = self.kept.by_id.get(&id);
        let found = found.filter(|found| found.key.account_id == account_id);
        let certificate = found.ok_or_else(|| not_found("certificate", id))?.clone();
        if let Some(license_id) = certificate.license_id {
            return Err(already_allocated(&certificate, license_id));
        }
        let (terms, now) = (known.terms(), known.as_of());
        if !terms.is_active(now) {
            let start = terms.term.period.start;
            return Err(not_active(submission.license_id, terms.state(now), start));
        }
        let certificate = self.allocate(known, None, &submission.origin, certificate);
        self.kept.by_id.insert(id, certificate.clone());
        Ok(Answer::Allocated {
            certificate,
            over_quota: known.taken() > known.terms().term.quota,
        })
    }

    /// A certificate counts in `to` from now on, and no longer in the licence that it leaves.
    pub(super) fn allocate(
        &mut self,
        to: &mut Holdings,
        from: Option<&mut Holdings>,
        origin: &Origin,
        mut certificate: Certificate,
    ) -> Certificate {
        let left = from.map(|from| {
            from.release(certificate.id.uuid());
            let license_id = from.terms().license_id;
            self.happened(license_id, origin).left.push(certificate.id);
            Left {
                license_id,
                version: from.version,
                time: from.as_of(),
            }
        });
        let license_id = to.terms().license_id;
        certificate.license_id = Some(license_id);
        certificate.allocate_time = Some(to.as_of());
        self.take(to, origin, &certificate);
        self.happened(license_id, origin)
            .allocated
            .push(certificate.id);
        self.allocated.push(Allocated {
            certificate: certificate.clone(),
            version: to.version,
            left,
        });
        certificate
    }
}
