//! Reported certificates and revocations, from a feed or a single request: recorded, allocated, applied,
//! or stored until their counterpart arrives (SL-15, SL-16, SL-21).

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
    /// Records a new certificate in a licence. It counts from now on, unless its revocation arrived before
    /// it (SL-15).
    pub(in crate::quota) fn record_new(
        &mut self,
        holdings: &mut Holdings,
        origin: &Origin,
        mut certificate: Certificate,
    ) -> Certificate {
        let license_id = holdings.limits().license_id;
        certificate.license_id = Some(license_id);
        certificate.record_time = holdings.as_of();
        self.apply_early(&mut certificate, holdings.version.number);
        self.count(holdings, origin, &certificate);
        self.insert(&certificate, holdings.version.number);
        let change = self.change(license_id, origin);
        change.recorded.push(certificate.id);
        if certificate.revoke_time.is_some() {
            change.revoke(&certificate, origin);
        }
        certificate
    }

    /// Records a new certificate that no licence covers (SL-16).
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

    /// Corrects the product of an unallocated certificate that was reported under another one (SL-14), and
    /// allocates it to the licence that covers the corrected product, if any.
    pub(in crate::quota) fn correct_product(
        &mut self,
        holdings: Option<&mut Holdings>,
        origin: &Origin,
        mut certificate: Certificate,
        product_id: ProductId,
    ) -> Certificate {
        certificate.product_id = product_id;
        // A statement may change a row only once.
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

    /// Applies a revocation that arrived before its certificate, as of the record time (SL-15, T-6).
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

    /// Applies a reported revocation to a recorded certificate: as of the time of its licence, or of `now` if
    /// it has none.
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
            holdings.version.number
        } else {
            certificate.revoke(revocation, now);
            0
        };
        self.drop_early(&certificate.key);
        let recorded = &mut self.records.by_key.certificates;
        recorded.insert(certificate.key.clone(), certificate.clone());
        self.revoked.push((certificate, version));
    }

    /// Deletes an early revocation whose certificate is already revoked. It can exist because its report and
    /// the certificate's were ingested at the same time.
    pub(in crate::quota) fn drop_early(&mut self, key: &CertificateKey) {
        if self.records.by_key.early.remove(key).is_some() {
            self.applied.push(key.clone());
        }
    }

    /// Stores a revocation whose certificate is not recorded yet (SL-15).
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

    /// Counts a certificate in `to` from now on, and no longer in `from`.
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
                version: from.version.number,
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
            version: to.version.number,
            left,
        });
        certificate
    }
}
