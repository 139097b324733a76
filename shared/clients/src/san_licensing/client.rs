//! The client of SanLicensing.

use licet_contracts::sanlicensing::{
    v1 as san,
    v1::{
        issuance_service_client::IssuanceServiceClient,
        license_service_client::LicenseServiceClient,
    },
};
use licet_domain::{
    ids::{CertificateId, LicenseId, ReservationId},
    refusal::{Reason, Refusal},
    revocation::RevocationReason,
};
use licet_runtime::peer::{PeerChannel, PeerFault, outcome};
use tonic::{Code, Request, Response, Status, metadata::MetadataValue};
use uuid::Uuid;

use super::{
    authorization::{Authorization, AuthorizeQuestion, RecordQuestion, RecordedCertificate},
    license::License,
    reading::absent,
};

/// The metadata key with the id of the licence that a call is about. A proxy before several instances can send
/// all calls of a licence to the one that has it in memory; a call at another instance gets the same answer,
/// later.
pub const LICENSE_KEY: &str = "licet-license-id";

/// The client of SanLicensing.
#[derive(Clone)]
pub struct SanLicensing {
    channel: PeerChannel,
}

impl SanLicensing {
    /// A client for SanLicensing behind `channel`. It calls with the role SERVICE, because a service revokes
    /// by its own rules (SL-19).
    #[must_use]
    pub fn new(channel: PeerChannel) -> Self {
        let channel = channel.as_service();
        Self { channel }
    }

    fn issuance(&self) -> IssuanceServiceClient<PeerChannel> {
        IssuanceServiceClient::new(self.channel.clone())
    }

    /// The current state of a licence.
    ///
    /// # Errors
    /// NOT_FOUND, or no definite answer.
    pub async fn get_license(&self, id: LicenseId) -> Result<License, PeerFault> {
        let license_id = id.to_string();
        let request = about(&license_id.clone(), san::GetLicenseRequest { license_id });
        let mut client = LicenseServiceClient::new(self.channel.clone());
        let answer = outcome(client.get_license(request).await)?;
        let found = answer.license.ok_or_else(|| absent("license"))?;
        License::decode(&found).map_err(PeerFault::Unknown)
    }

    /// Requests an authorisation for a certificate (SL-12). A denial is an answer, not an error.
    ///
    /// # Errors
    /// The refusal, or no definite answer.
    pub async fn authorize(
        &self,
        question: &AuthorizeQuestion,
        request_id: Uuid,
    ) -> Result<Authorization, PeerFault> {
        let mut request = question.message().clone();
        request.request_id = request_id.to_string();
        let request = about(&question.message().license_id, request);
        let answer = definite(self.issuance().authorize_issuance(request).await)?;
        Ok(answer.into())
    }

    /// Records a certificate with its reservation, or without it if the reservation is gone: a certificate
    /// that exists must be recorded (SL-21). `license_id` is the licence that it is expected to count in.
    ///
    /// # Errors
    /// The refusal, or no definite answer.
    pub async fn record(
        &self,
        license_id: Option<LicenseId>,
        question: &RecordQuestion,
        request_id: Uuid,
    ) -> Result<RecordedCertificate, PeerFault> {
        let mut request = question.message().clone();
        request.request_id = request_id.to_string();
        let license_id = license_id.map_or_else(String::new, |id| id.to_string());
        let first = about(&license_id, request.clone());
        let answer = match definite(self.issuance().record_certificate(first).await) {
            Err(PeerFault::Refused(refusal)) if is_about_reservation(&refusal) => {
                request.reservation_id = String::new();
                let without = Uuid::new_v5(&request_id, b"without reservation");
                request.request_id = without.to_string();
                let second = about(&license_id, request);
                definite(self.issuance().record_certificate(second).await)?
            }
            result => result?,
        };
        let found = answer.certificate.ok_or_else(|| absent("certificate"))?;
        RecordedCertificate::decode(&found, answer.over_quota).map_err(PeerFault::Unknown)
    }

    /// Releases a reservation. Returns a refusal instead of failing: nothing is reserved then.
    ///
    /// # Errors
    /// No definite answer.
    pub async fn release(
        &self,
        license_id: LicenseId,
        id: ReservationId,
        request_id: Uuid,
    ) -> Result<Option<Box<Refusal>>, PeerFault> {
        let request = san::ReleaseReservationRequest {
            license_id: license_id.to_string(),
            reservation_id: id.to_string(),
            request_id: request_id.to_string(),
        };
        let request = about(&license_id.to_string(), request);
        refusal_or_none(outcome(self.issuance().release_reservation(request).await))
    }

    /// Revokes a certificate. Returns a refusal instead of failing: the certificate no longer counts then.
    ///
    /// # Errors
    /// No definite answer.
    pub async fn revoke(
        &self,
        license_id: LicenseId,
        certificate_id: CertificateId,
        reason: RevocationReason,
        request_id: Uuid,
    ) -> Result<Option<Box<Refusal>>, PeerFault> {
        let request = san::RevokeCertificatesRequest {
            license_id: license_id.to_string(),
            certificate_ids: vec![certificate_id.to_string()],
            reason: encode_reason(reason).into(),
            request_id: request_id.to_string(),
            ..san::RevokeCertificatesRequest::default()
        };
        let request = about(&license_id.to_string(), request);
        refusal_or_none(outcome(self.issuance().revoke_certificates(request).await))
    }
}

/// A call about a licence; about none in particular if the id is empty.
fn about<T>(license_id: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    if !license_id.is_empty()
        && let Ok(value) = MetadataValue::try_from(license_id)
    {
        request.metadata_mut().insert(LICENSE_KEY, value);
    }
    request
}

/// Encodes a revocation reason.
#[must_use]
pub fn encode_reason(reason: RevocationReason) -> san::RevocationReason {
    match reason {
        RevocationReason::Unspecified => san::RevocationReason::Unspecified,
        RevocationReason::KeyCompromise => san::RevocationReason::KeyCompromise,
        RevocationReason::CaCompromise => san::RevocationReason::CaCompromise,
        RevocationReason::AffiliationChanged => san::RevocationReason::AffiliationChanged,
        RevocationReason::Superseded => san::RevocationReason::Superseded,
        RevocationReason::CessationOfOperation => san::RevocationReason::CessationOfOperation,
        RevocationReason::PrivilegeWithdrawn => san::RevocationReason::PrivilegeWithdrawn,
        RevocationReason::AaCompromise => san::RevocationReason::AaCompromise,
    }
}

fn refusal_or_none<T>(answer: Result<T, PeerFault>) -> Result<Option<Box<Refusal>>, PeerFault> {
    match answer {
        Ok(_) => Ok(None),
        Err(PeerFault::Refused(refusal)) => Ok(Some(refusal)),
        Err(fault) => Err(fault),
    }
}

/// Whether a refusal is about the reservation, not the certificate.
fn is_about_reservation(refusal: &Refusal) -> bool {
    let resource = refusal.metadata.get("resource").map(String::as_str);
    refusal.reason == Reason::ReservationSpent
        || (refusal.reason == Reason::NotFound && resource == Some("reservation"))
}

/// As [`outcome`], but a request that SanLicensing finds malformed becomes a refusal: nothing was done, and a
/// repeat would be malformed, too.
fn definite<T>(answer: Result<Response<T>, Status>) -> Result<T, PeerFault> {
    match answer {
        Err(status) if status.code() == Code::InvalidArgument => {
            let message = format!("SanLicensing rejects the certificate: {}", status.message());
            let refusal = Refusal::new(Reason::CertificateMismatch, message);
            Err(PeerFault::Refused(Box::new(refusal)))
        }
        result => outcome(result),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sl_21_only_a_refusal_of_the_reservation_is_retried_without_it() {
        let spent = Refusal::new(Reason::ReservationSpent, "used");
        let gone = Refusal::new(Reason::NotFound, "none").with("resource", "reservation");
        assert!(is_about_reservation(&spent) && is_about_reservation(&gone));
        let account = Refusal::new(Reason::NotFound, "none").with("resource", "account");
        let conflict = Refusal::new(Reason::CertificateConflict, "another");
        assert!(!is_about_reservation(&account) && !is_about_reservation(&conflict));
    }

    #[test]
    fn x_2_a_malformed_request_is_refused_and_a_lost_one_repeated() {
        let malformed: Result<Response<()>, _> = Err(Status::invalid_argument("not_after_time"));
        assert!(matches!(definite(malformed), Err(PeerFault::Refused(_))));
        let lost: Result<Response<()>, _> = Err(Status::unavailable("away"));
        assert!(matches!(definite(lost), Err(PeerFault::Unknown(_))));
    }
}
