//! Records a certificate that no licence covers: it exists, and counts nowhere until a licence covers it
//! (SL-16, SL-21).

use licet_domain::ids::LicenseId;
use licet_runtime::{
    caller::Call,
    database::{Tx, Work},
    fault::{Fault, TransientReason},
    outbox::{self, Event, EventHeader},
};

use crate::{
    events::CertificateUnallocated,
    quota::command::RecordedCertificate,
    rules::{
        certificate::{Certificate, conflict},
        license::LicenseKey,
        not_found,
        reservation::ReservationProgress,
    },
    store::{self, certificates::CoverageQuery, decisions::ClosedDecision, fences::LockedMove},
};

/// Records a certificate without a licence.
pub(crate) struct RecordUnallocated<'a> {
    pub(crate) call: &'a Call,
    pub(crate) request_id: &'a str,
    pub(crate) certificate: &'a Certificate,
    /// The ended licence that its reservation was granted under.
    pub(crate) reserved_under: Option<LicenseId>,
}

impl RecordUnallocated<'_> {
    /// Fails if a licence that covers the certificate has started since the lookup.
    async fn refuse_covered(&self, tx: &Tx) -> Result<(), Fault> {
        let wanted = CoverageQuery::of(self.certificate, self.call.now);
        let covering = store::certificates::find_covering(tx, &[wanted]).await?;
        if covering
            .iter()
            .any(|covering| covering.by_product.is_some())
        {
            return Err(Fault::transient(
                TransientReason::Overloaded,
                "a licence for the certificate has just started; retry with the same request_id",
            ));
        }
        Ok(())
    }

    /// Marks the certificate's reservation as recorded: a reservation serves one certificate.
    async fn use_up_reservation(&self, tx: &Tx) -> Result<(), Fault> {
        let Some(id) = self.certificate.reservation_id else {
            return Ok(());
        };
        let license_id = self
            .reserved_under
            .ok_or_else(|| not_found("reservation", id))?;
        let account_id = self.certificate.key.account_id;
        let license = LicenseKey {
            account_id,
            id: license_id,
        };
        let fences = store::fences::move_on(tx, &[LockedMove::new(license, self.call.now)]).await?;
        let key = (account_id, id.uuid());
        let found = store::decisions::find(tx, &[key]).await?;
        let reservation = found.get(&key).and_then(|found| found.reservation(id));
        let (Some(fence), Some(reservation)) = (fences.first(), reservation) else {
            return Err(not_found("reservation", id).into());
        };
        if reservation.progress == ReservationProgress::Recorded {
            return Err(reservation
                .spent("it was already used to record another certificate")
                .into());
        }
        let closed = ClosedDecision {
            key,
            version: fence.version.number,
            progress: ReservationProgress::Recorded,
            time: fence.as_of,
        };
        store::decisions::close(tx, &[closed]).await
    }
}

impl RecordUnallocated<'_> {
    /// Corrects the product that the certificate was first reported under (SL-14).
    async fn correct(&self, tx: &Tx, first: Certificate) -> Result<RecordedCertificate, Fault> {
        self.refuse_covered(tx).await?;
        let corrected = Certificate {
            product_id: self.certificate.product_id.clone(),
            ..first
        };
        store::certificates::correct_products(tx, std::slice::from_ref(&corrected)).await?;
        self.emit(tx, &corrected).await?;
        Ok(recorded(corrected, false))
    }

    async fn emit(&self, tx: &Tx, certificate: &Certificate) -> Result<(), Fault> {
        let origin = self.call.origin(self.request_id);
        let header = EventHeader {
            resource_id: certificate.id.to_string(),
            account_id: Some(certificate.key.account_id),
            time: self.call.now,
            origin: &origin,
            why: "SL-16".to_owned(),
            outcome: "UNALLOCATED".to_owned(),
        };
        let data = CertificateUnallocated {
            product_id: &certificate.product_id,
            serial: &certificate.key.serial_hex,
        };
        outbox::emit(tx, Event::new(header, &data)?).await
    }
}

impl Work for RecordUnallocated<'_> {
    type Output = RecordedCertificate;

    async fn run(&self, tx: &Tx) -> Result<RecordedCertificate, Fault> {
        let key = &self.certificate.key;
        let mut found = store::certificates::find_by_key(tx, &[key]).await?;
        if let Some(first) = found.certificates.remove(key) {
            if first.is_corrected_by(self.certificate) {
                return self.correct(tx, first).await;
            }
            if !first.is_same_as(self.certificate) {
                return Err(conflict(&first).into());
            }
            return Ok(recorded(first, true));
        }
        self.refuse_covered(tx).await?;
        self.use_up_reservation(tx).await?;
        let mut certificate = self.certificate.clone();
        certificate.license_id = None;
        certificate.record_time = self.call.now;
        let early = found.early.remove(key);
        if let Some(revocation) = early {
            certificate.revoke(revocation, self.call.now);
        }
        store::certificates::insert_all(tx, &[(certificate.clone(), 0)]).await?;
        if early.is_some() {
            store::certificates::revoke(tx, &[(certificate.clone(), 0)]).await?;
            store::early_revocations::delete(tx, std::slice::from_ref(key)).await?;
        }
        self.emit(tx, &certificate).await?;
        Ok(recorded(certificate, false))
    }
}

fn recorded(certificate: Certificate, already_known: bool) -> RecordedCertificate {
    RecordedCertificate {
        certificate,
        already_known,
        over_quota: false,
    }
}
