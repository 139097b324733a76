//! Reported certificates and revocations, however they were reported: recorded, allocated, revoked,
//! or kept until the other one of the two arrives (SL-15, SL-16, SL-21).

use licet_domain::{clock::Instant, ids::ProductId};
use licet_runtime::caller::Origin;

use super::Plan;
use crate::{
    rules::{
        certificate::{Certificate, CertificateKey, EarlyRevocation},
        quota::holdings::Holdings,
    },
    store::allocation::{Allocation, Departure},
};

impl Plan {
    /// A certificate that nothing is recorded of counts in a licence from now on, unless its revocation
    /// came before it (SL-15).
    pub(in crate::quota) fn record_new(
        &mut self,
        holdings: &mut Holdings,
        origin: &Origin,
        mut certificate: Certificate,
    ) -> Certificate {
        let license_id = holdings.limits().license_id;
        certificate.license_id = Some(license_id);
        certificate.record_time = holdings.as_of();
        self.apply_early(&mut certificate, holdings.version);
        self.count(holdings, origin, &certificate);
        self.insert(&certificate, holdings.version);
        let change = self.change(license_id, origin);
        change.recorded.push(certificate.id);
        if certificate.revoke_time.is_some() {
            change.revoke(&certificate, origin);
        }
        certificate
    }

    /// A certificate that nothing is recorded of, and that no licence covers (SL-16).
    pub(in crate::quota) fn record_unallocated(
        &mut self,
        mut certificate: Certificate,
        now: Instant,
    ) {
        certificate.license_id = None;
        certificate.record_time = now;
        self.apply_early(&mut certificate, 0);
        self.insert(&certificate, 0);
    }

    /// A certificate that counts nowhere yet was reported under another product (SL-14). It has the one
    /// that is reported now, and counts in the licence of that one from now on, where there is one.
    pub(in crate::quota) fn correct_product(
        &mut self,
        holdings: Option<&mut Holdings>,
        origin: &Origin,
        mut certificate: Certificate,
        product_id: ProductId,
    ) -> Certificate {
        certificate.product_id = product_id;
        // A statement changes a row once.
        self.corrected.retain(|other| other.id != certificate.id);
        self.corrected.push(certificate.clone());
        if let Some(holdings) = holdings {
            certificate = self.allocate(holdings, None, origin, certificate);
        }
        let key = certificate.key.clone();
        let recorded = &mut self.records.by_key.certificates;
        recorded.insert(key, certificate.clone());
        certificate
    }

    /// The revocation that came before the certificate counts from its record on (SL-15, T-6).
    fn apply_early(&mut self, certificate: &mut Certificate, version: i64) {
        if let Some(revocation) = self.records.by_key.early.remove(&certificate.key) {
            certificate.revoke(revocation, certificate.record_time);
            self.applied.push(certificate.key.clone());
            self.revoked.push((certificate.clone(), version));
        }
    }

    fn insert(&mut self, certificate: &Certificate, version: i64) {
        let key = certificate.key.clone();
        let recorded = &mut self.records.by_key.certificates;
        recorded.insert(key, certificate.clone());
        self.certificates.push((certificate.clone(), version));
    }

    /// A revocation that the authority reports, of a certificate that is recorded: in the licence that it
    /// counts in, from that one's time on, or in none, from `now` on.
    pub(in crate::quota) fn revoke_reported(
        &mut self,
        holdings: Option<&mut Holdings>,
        origin: &Origin,
        mut certificate: Certificate,
        revocation: EarlyRevocation,
        now: Instant,
    ) {
        let version = if let Some(holdings) = holdings {
            certificate.revoke(revocation, holdings.as_of());
            holdings.release(certificate.id.uuid());
            self.change(holdings.limits().license_id, origin)
                .revoke(&certificate, origin);
            holdings.version
        } else {
            certificate.revoke(revocation, now);
            0
        };
        self.drop_early(&certificate.key);
        let recorded = &mut self.records.by_key.certificates;
        recorded.insert(certificate.key.clone(), certificate.clone());
        self.revoked.push((certificate, version));
    }

    /// A revocation waits no more: it is on its certificate. It may have waited where the reports of
    /// the two passed each other by.
    pub(in crate::quota) fn drop_early(&mut self, key: &CertificateKey) {
        if self.records.by_key.early.remove(key).is_some() {
            self.applied.push(key.clone());
        }
    }

    /// Keeps a revocation whose certificate is not known (SL-15).
    pub(in crate::quota) fn store_early(
        &mut self,
        key: CertificateKey,
        revocation: EarlyRevocation,
        now: Instant,
    ) {
        self.early_time = Some(now);
        self.records.by_key.early.insert(key.clone(), revocation);
        self.early.push((key, revocation));
    }

    /// A certificate counts in `to` from now on, and no longer in the licence that it leaves.
    pub(in crate::quota) fn allocate(
        &mut self,
        to: &mut Holdings,
        from: Option<&mut Holdings>,
        origin: &Origin,
        mut certificate: Certificate,
    ) -> Certificate {
        let left = from.map(|from| {
            from.release(certificate.id.uuid());
            let license_id = from.limits().license_id;
            self.change(license_id, origin).left.push(certificate.id);
            Departure {
                license_id,
                version: from.version,
                time: from.as_of(),
            }
        });
        let license_id = to.limits().license_id;
        certificate.license_id = Some(license_id);
        certificate.allocate_time = Some(to.as_of());
        self.count(to, origin, &certificate);
        self.change(license_id, origin)
            .allocated
            .push(certificate.id);
        self.allocated.push(Allocation {
            certificate: certificate.clone(),
            version: to.version,
            left,
        });
        certificate
    }
}
