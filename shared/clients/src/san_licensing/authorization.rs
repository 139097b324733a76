//! Requests to authorise a certificate, and reports of signed certificates.

use licet_contracts::{
    sanlicensing::{v1 as san, v1::record_certificate_request::Certificate},
    types::v1::KeyType,
};
use licet_domain::{
    certificate::KeyKind,
    clock::Instant,
    ids::{AccountId, CertificateId, LicenseId, ProductId, ReservationId},
    revocation::RevocationReason,
    san::{San, SanType},
};
use licet_runtime::wire::{decode_time, encode_time};

use super::reading::{broken, parsed};
use crate::opaque::opaque;

/// A certificate to be signed under a licence.
#[derive(Clone, Debug)]
pub struct Signing<'a> {
    /// The licence.
    pub license_id: LicenseId,
    /// The product that the certificate counts as.
    pub product_id: &'a ProductId,
    /// The certificate's SANs.
    pub sans: Vec<&'a San>,
    /// The certificate's key type.
    pub key: KeyKind,
    /// The end of its validity.
    pub not_after: Instant,
}

opaque! {
    /// A request to authorise a certificate, repeated unchanged until SanLicensing answers.
    AuthorizeQuestion, san::AuthorizeIssuanceRequest
}

impl AuthorizeQuestion {
    /// Requests an authorisation (SL-12).
    #[must_use]
    pub fn new(signing: &Signing<'_>) -> Self {
        let key_type = match signing.key {
            KeyKind::Rsa => KeyType::Rsa,
            KeyKind::Ec => KeyType::Ecc,
            KeyKind::Ed25519 => KeyType::Ed25519,
            KeyKind::Ed448 => KeyType::Ed448,
            KeyKind::Other => KeyType::Unspecified,
        };
        let sans = signing.sans.iter();
        Self::from(san::AuthorizeIssuanceRequest {
            license_id: signing.license_id.to_string(),
            product_id: signing.product_id.to_string(),
            sans: sans.map(|san| encode_san(san)).collect(),
            key_type: key_type.into(),
            not_before_time: None,
            not_after_time: Some(encode_time(signing.not_after)),
            hold_for: None,
            request_id: String::new(),
        })
    }

    /// The id of the licence.
    ///
    /// # Errors
    /// A description of the invalid field.
    pub fn license_id(&self) -> Result<LicenseId, String> {
        parsed("question", &self.message().license_id)
    }
}

fn encode_san(san: &San) -> san::San {
    let kind = match san.kind() {
        SanType::DnsName => san::SanType::DnsName,
        SanType::IpAddress => san::SanType::IpAddress,
        SanType::Rfc822Name => san::SanType::Rfc822Name,
        SanType::Upn => san::SanType::Upn,
    };
    san::San {
        r#type: kind.into(),
        value: san.value().to_owned(),
    }
}

opaque! {
    /// The decision whether a certificate may be signed.
    Authorization, san::AuthorizeIssuanceResponse
}

impl Authorization {
    /// The reservation of a grant; `None` for a denial.
    ///
    /// # Errors
    /// A description of the invalid field.
    pub fn granted(&self) -> Result<Option<ReservationId>, String> {
        use san::AuthorizationDecision as Decision;
        match self.message().decision() {
            Decision::Granted => parsed("decision", &self.message().reservation_id).map(Some),
            Decision::Denied => Ok(None),
            Decision::Unspecified => Err(broken("decision", "it is neither GRANTED nor DENIED")),
        }
    }

    /// The contract's names of the reasons of a denial.
    #[must_use]
    pub fn reason_names(&self) -> Vec<&'static str> {
        let reasons = self.message().reasons();
        reasons.map(|reason| reason.as_str_name()).collect()
    }

    /// How many of its SANs the licence does not count yet.
    #[must_use]
    pub fn needed(&self) -> i64 {
        self.message().needed
    }

    /// How many of them do not fit into the quota.
    #[must_use]
    pub fn short_by(&self) -> i64 {
        self.message().short_by
    }
}

opaque! {
    /// A report of a signed certificate, repeated unchanged until SanLicensing answers.
    RecordQuestion, san::RecordCertificateRequest
}

impl RecordQuestion {
    /// A report of a certificate, with its reservation.
    #[must_use]
    pub fn new(
        account_id: AccountId,
        product_id: &ProductId,
        reservation_id: Option<ReservationId>,
        der: &[u8],
    ) -> Self {
        Self::from(san::RecordCertificateRequest {
            account_id: account_id.to_string(),
            product_id: product_id.to_string(),
            certificate: Some(Certificate::CertificateDer(der.to_vec())),
            reservation_id: reservation_id.map_or_else(String::new, |id| id.to_string()),
            request_id: String::new(),
        })
    }
}

/// A recorded certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordedCertificate {
    /// The licence that it counts in, and its id there; `None` if no licence covers it (SL-16).
    pub counted: Option<(LicenseId, CertificateId)>,
    /// Whether the licence is now over its quota (SL-21).
    pub over_quota: bool,
    /// Why and when it was revoked there, if it was.
    pub revoked: Option<(RevocationReason, Instant)>,
}

impl RecordedCertificate {
    pub(super) fn decode(message: &san::Certificate, over_quota: bool) -> Result<Self, String> {
        let counted = if message.license_id.is_empty() {
            None
        } else {
            let license_id = parsed("certificate", &message.license_id)?;
            Some((license_id, parsed("certificate", &message.certificate_id)?))
        };
        let revoked = match &message.revoke_time {
            None => None,
            Some(time) => {
                let reason = message.revoke_reason().as_str_name();
                let reason = reason.trim_start_matches("REVOCATION_REASON_");
                let time = decode_time(time).map_err(|error| broken("certificate", error))?;
                Some((parsed("certificate", reason)?, time))
            }
        };
        Ok(Self {
            counted,
            over_quota,
            revoked,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sl_12_only_a_grant_has_a_reservation() {
        let id = ReservationId::generate();
        let mut answer = san::AuthorizeIssuanceResponse {
            decision: san::AuthorizationDecision::Granted.into(),
            reservation_id: id.to_string(),
            ..san::AuthorizeIssuanceResponse::default()
        };
        let granted =
            |answer: &san::AuthorizeIssuanceResponse| Authorization::from(answer.clone()).granted();
        assert_eq!(granted(&answer), Ok(Some(id)));
        answer.set_decision(san::AuthorizationDecision::Denied);
        assert_eq!(granted(&answer), Ok(None));
        answer.set_decision(san::AuthorizationDecision::Unspecified);
        assert!(granted(&answer).is_err());
    }

    #[test]
    fn sl_16_a_certificate_without_a_license_counts_nowhere() {
        let mut message = san::Certificate::default();
        let nowhere = RecordedCertificate::decode(&message, false).unwrap();
        assert_eq!(nowhere.counted, None);
        message.license_id = LicenseId::generate().to_string();
        assert!(RecordedCertificate::decode(&message, false).is_err());
    }

    #[test]
    fn x_1_a_recorded_certificate_says_that_it_was_revoked() {
        let mut message = san::Certificate::default();
        message.set_revoke_reason(san::RevocationReason::KeyCompromise);
        // The reason means nothing without a time.
        let revoked = |message: &san::Certificate| {
            RecordedCertificate::decode(message, false).map(|found| found.revoked)
        };
        assert_eq!(revoked(&message), Ok(None));
        let time: Instant = "2026-03-01T00:00:00Z".parse().unwrap();
        message.revoke_time = Some(encode_time(time));
        let expected = (RevocationReason::KeyCompromise, time);
        assert_eq!(revoked(&message), Ok(Some(expected)));
    }
}
