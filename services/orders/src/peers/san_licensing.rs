//! What Orders asks of SanLicensing. What is given back is given back in any case: there a
//! refusal says that nothing was held any more.

use licet_contracts::sanlicensing::{
    v1 as san,
    v1::{
        issuance_service_client::IssuanceServiceClient,
        license_service_client::LicenseServiceClient,
    },
};
use licet_domain::{
    ids::{LicenseId, ReservationId},
    refusal::{Reason, Refusal},
};
use licet_runtime::peer::{PeerChannel, PeerFault, outcome};
use tonic::{Code, Response, Status};
use uuid::Uuid;

use crate::{
    convert::san_licensing::{counted, license, revoke_question},
    rules::san_license::{Counted, License, Return},
};

/// SanLicensing, as Orders knows it.
#[derive(Clone)]
pub(crate) struct SanLicensing {
    channel: PeerChannel,
}

impl SanLicensing {
    /// What Orders revokes it revokes by its own rules, and so it speaks as a service alone (SL-19).
    pub(crate) fn new(channel: PeerChannel) -> Self {
        let channel = channel.as_service();
        Self { channel }
    }

    fn issuance(&self) -> IssuanceServiceClient<PeerChannel> {
        IssuanceServiceClient::new(self.channel.clone())
    }

    /// A licence as it stands.
    pub(crate) async fn get_license(&self, id: LicenseId) -> Result<License, PeerFault> {
        let request = san::GetLicenseRequest {
            license_id: id.to_string(),
        };
        let mut client = LicenseServiceClient::new(self.channel.clone());
        let answer = outcome(client.get_license(request).await)?;
        let found = answer.license.ok_or_else(|| absent("license"))?;
        license(&found).map_err(PeerFault::Unknown)
    }

    /// Asks for room for a certificate (SL-12); a denial is an answer.
    pub(crate) async fn authorize(
        &self,
        question: &san::AuthorizeIssuanceRequest,
        request_id: Uuid,
    ) -> Result<san::AuthorizeIssuanceResponse, PeerFault> {
        let mut request = question.clone();
        request.request_id = request_id.to_string();
        definite(self.issuance().authorize_issuance(request).await)
    }

    /// Records a certificate, with its reservation where that is still of use: a certificate that
    /// exists is recorded without one, too (SL-21). Answers where it counts, and whether the
    /// licence is over its quota with it.
    pub(crate) async fn record(
        &self,
        question: &san::RecordCertificateRequest,
        request_id: Uuid,
    ) -> Result<(Option<Counted>, bool), PeerFault> {
        let mut request = question.clone();
        request.request_id = request_id.to_string();
        let answer = match definite(self.issuance().record_certificate(request.clone()).await) {
            Err(PeerFault::Refused(refusal)) if of_reservation(&refusal) => {
                request.reservation_id = String::new();
                let without = Uuid::new_v5(&request_id, b"without reservation");
                request.request_id = without.to_string();
                definite(self.issuance().record_certificate(request).await)?
            }
            settled => settled?,
        };
        let found = answer.certificate.ok_or_else(|| absent("certificate"))?;
        let counted = counted(&found).map_err(PeerFault::Unknown)?;
        Ok((counted, answer.over_quota))
    }

    /// Gives a reservation back. A refusal is answered, not met: nothing is held then.
    pub(crate) async fn release(
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
        given_back(outcome(self.issuance().release_reservation(request).await))
    }

    /// Revokes a certificate for good. Whoever asks for the same one and reason asks with the same
    /// request id. A refusal is answered, not met: the certificate counts no more then.
    pub(crate) async fn revoke(&self, back: &Return) -> Result<Option<Box<Refusal>>, PeerFault> {
        let mut request = revoke_question(back);
        let id = Uuid::new_v5(&back.certificate_id.uuid(), back.reason.as_str().as_bytes());
        request.request_id = id.to_string();
        given_back(outcome(self.issuance().revoke_certificates(request).await))
    }
}

fn given_back<T>(answer: Result<T, PeerFault>) -> Result<Option<Box<Refusal>>, PeerFault> {
    match answer {
        Ok(_) => Ok(None),
        Err(PeerFault::Refused(refusal)) => Ok(Some(refusal)),
        Err(fault) => Err(fault),
    }
}

/// Whether a refusal speaks of the reservation and not of the certificate.
fn of_reservation(refusal: &Refusal) -> bool {
    let resource = refusal.metadata.get("resource").map(String::as_str);
    refusal.reason == Reason::ReservationSpent
        || (refusal.reason == Reason::NotFound && resource == Some("reservation"))
}

/// As [`outcome`], for questions about one certificate: one that is malformed over there was never
/// acted on, and would be malformed for ever. It is refused instead of being asked again.
fn definite<T>(answer: Result<Response<T>, Status>) -> Result<T, PeerFault> {
    match answer {
        Err(status) if status.code() == Code::InvalidArgument => {
            let message = format!("the SAN licence does not take it: {}", status.message());
            let refusal = Refusal::new(Reason::CertificateMismatch, message);
            Err(PeerFault::Refused(Box::new(refusal)))
        }
        settled => outcome(settled),
    }
}

fn absent(what: &str) -> PeerFault {
    super::absent("SanLicensing", what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sl_21_only_what_speaks_of_the_reservation_is_tried_without_it() {
        let spent = Refusal::new(Reason::ReservationSpent, "used");
        let gone = Refusal::new(Reason::NotFound, "none").with("resource", "reservation");
        assert!(of_reservation(&spent) && of_reservation(&gone));
        let account = Refusal::new(Reason::NotFound, "none").with("resource", "account");
        let conflict = Refusal::new(Reason::CertificateConflict, "another");
        assert!(!of_reservation(&account) && !of_reservation(&conflict));
    }

    #[test]
    fn x_2_a_malformed_question_is_refused_and_a_lost_one_asked_again() {
        let malformed: Result<Response<()>, _> = Err(Status::invalid_argument("not_after_time"));
        assert!(matches!(definite(malformed), Err(PeerFault::Refused(_))));
        let lost: Result<Response<()>, _> = Err(Status::unavailable("away"));
        assert!(matches!(definite(lost), Err(PeerFault::Unknown(_))));
    }
}
