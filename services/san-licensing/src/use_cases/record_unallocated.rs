//! A certificate that no licence covers exists all the same: it is kept, and counts nowhere until a
//! licence covers it (SL-16, SL-21).

use licet_domain::ids::LicenseId;
use licet_runtime::{
    caller::Call,
    database::{Tx, Work},
    fault::{Fault, TransientReason},
    outbox,
};
use serde_json::json;

use crate::{
    quota::command::RecordedCertificate,
    rules::{
        certificate::{Certificate, conflict},
        not_found,
        reservation::ReservationProgress,
    },
    store::{self, certificates::CoverageQuery, decisions::ClosedDecision},
};

/// Keeps a certificate without a licence.
pub(crate) struct RecordUnallocated<'a> {
    pub(crate) call: &'a Call,
    pub(crate) request_id: &'a str,
    pub(crate) certificate: &'a Certificate,
    /// The ended licence that its reservation was granted under.
    pub(crate) reserved_under: Option<LicenseId>,
}

impl RecordUnallocated<'_> {
    /// A licence may have started since it was looked for: then the certificate counts in it.
    async fn refuse_covered(&self, tx: &Tx) -> Result<(), Fault> {
        let wanted = CoverageQuery::of(self.certificate, self.call.now);
        let covering = store::certificates::find_covering(tx, &[wanted]).await?;
        if covering
            .iter()
            .any(|covering| covering.by_product.is_some())
        {
            return Err(Fault::transient(
                TransientReason::Overloaded,
                "a licence for the certificate has just started; ask again with the same request_id",
            ));
        }
        Ok(())
    }

    /// A reservation is used up by one certificate, wherever that one counts.
    async fn use_up_reservation(&self, tx: &Tx) -> Result<(), Fault> {
        let Some(id) = self.certificate.reservation_id else {
            return Ok(());
        };
        let license_id = self
            .reserved_under
            .ok_or_else(|| not_found("reservation", id))?;
        let fences = store::fences::move_on(tx, &[(license_id, self.call.now)]).await?;
        let kept = store::decisions::find(tx, &[id.uuid()]).await?;
        let reservation = kept.get(&id.uuid()).and_then(|kept| kept.reservation(id));
        let (Some(fence), Some(reservation)) = (fences.first(), reservation) else {
            return Err(not_found("reservation", id).into());
        };
        if reservation.progress == ReservationProgress::Recorded {
            return Err(reservation
                .spent("another certificate was recorded with it")
                .into());
        }
        let closed = ClosedDecision {
            id: id.uuid(),
            version: fence.version,
            progress: ReservationProgress::Recorded,
            time: fence.as_of,
        };
        store::decisions::close(tx, &[closed]).await
    }
}

impl RecordUnallocated<'_> {
    /// It was reported under another product, and counts nowhere yet (SL-14).
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
        let key = &certificate.key;
        outbox::emit(
            tx,
            outbox::Event {
                kind: "licet.sanlicensing.certificate.unallocated.v1",
                resource_id: certificate.id.to_string(),
                account_id: Some(key.account_id),
                time: self.call.now,
                origin: &self.call.origin(self.request_id),
                why: "SL-16".to_owned(),
                outcome: "UNALLOCATED".to_owned(),
                data: json!({ "product_id": certificate.product_id, "serial": key.serial_hex }),
            },
        )
        .await
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
