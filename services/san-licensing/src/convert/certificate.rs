//! Certificates: encodes them, and decodes the filter of their list.

use licet_contracts::{sanlicensing::v1 as wire, types::v1 as types};
use licet_domain::{clock::Instant, revocation::RevocationReason};
use licet_runtime::{fault::Fault, field::Fields, wire::encode_time};

use super::{once::Respond, san, usage::decode_until_before};
use crate::{
    quota::command::{Allocate, AllocatedCertificate, Record, RecordedCertificate, Revoke},
    rules::{
        certificate::{Certificate, CertificateState},
        filters::CertificateFilter,
        license::KeyType,
        packed_san::packed,
    },
};

/// Decodes a key type; `None` if unspecified.
pub(super) fn decode_key_type(key_type: i32) -> Result<Option<KeyType>, &'static str> {
    Ok(match types::KeyType::try_from(key_type) {
        Ok(types::KeyType::Unspecified) => None,
        Ok(types::KeyType::Rsa) => Some(KeyType::Rsa),
        Ok(types::KeyType::Ecc) => Some(KeyType::Ecc),
        Ok(types::KeyType::Ed25519) => Some(KeyType::Ed25519),
        Ok(types::KeyType::Ed448) => Some(KeyType::Ed448),
        Err(_) => return Err("is not a key type"),
    })
}

/// Encodes a key type.
pub(super) fn encode_key_type(key_type: KeyType) -> types::KeyType {
    match key_type {
        KeyType::Rsa => types::KeyType::Rsa,
        KeyType::Ecc => types::KeyType::Ecc,
        KeyType::Ed25519 => types::KeyType::Ed25519,
        KeyType::Ed448 => types::KeyType::Ed448,
    }
}

/// Decodes a revocation reason; `None` if it is unknown or reversible.
pub(super) fn decode_reason(reason: i32) -> Option<RevocationReason> {
    use wire::RevocationReason as Wire;
    Some(match Wire::try_from(reason).ok()? {
        Wire::Unspecified => RevocationReason::Unspecified,
        Wire::KeyCompromise => RevocationReason::KeyCompromise,
        Wire::CaCompromise => RevocationReason::CaCompromise,
        Wire::AffiliationChanged => RevocationReason::AffiliationChanged,
        Wire::Superseded => RevocationReason::Superseded,
        Wire::CessationOfOperation => RevocationReason::CessationOfOperation,
        Wire::PrivilegeWithdrawn => RevocationReason::PrivilegeWithdrawn,
        Wire::AaCompromise => RevocationReason::AaCompromise,
    })
}

fn encode_reason(reason: RevocationReason) -> wire::RevocationReason {
    use wire::RevocationReason as Wire;
    match reason {
        RevocationReason::Unspecified => Wire::Unspecified,
        RevocationReason::KeyCompromise => Wire::KeyCompromise,
        RevocationReason::CaCompromise => Wire::CaCompromise,
        RevocationReason::AffiliationChanged => Wire::AffiliationChanged,
        RevocationReason::Superseded => Wire::Superseded,
        RevocationReason::CessationOfOperation => Wire::CessationOfOperation,
        RevocationReason::PrivilegeWithdrawn => Wire::PrivilegeWithdrawn,
        RevocationReason::AaCompromise => Wire::AaCompromise,
    }
}

/// Decodes the filter of ListCertificates.
pub(crate) fn decode_list(
    message: &wire::ListCertificatesRequest,
) -> Result<CertificateFilter, Fault> {
    use wire::CertificateState as Wire;
    let mut fields = Fields::new();
    let license_id = fields.required("license_id", &message.license_id);
    let san = message
        .san
        .as_ref()
        .map(|given| san::decode_one(&mut fields, "san", given))
        .transpose();
    let state = match Wire::try_from(message.state) {
        Ok(Wire::Unspecified) => Ok(None),
        Ok(Wire::Active) => Ok(Some(CertificateState::Active)),
        Ok(Wire::Revoked) => Ok(Some(CertificateState::Revoked)),
        Ok(Wire::Expired) => Ok(Some(CertificateState::Expired)),
        Err(_) => Err(fields.note("state", "is not a certificate state")),
    };
    let until_before = decode_until_before(&mut fields, message.until_before_time.as_ref());
    fields.build(|| {
        Ok(CertificateFilter {
            license_id: license_id?,
            san: san?.as_ref().map(packed),
            state: state?,
            until_before: until_before?,
        })
    })
}

impl Respond for Record {
    type Response = wire::RecordCertificateResponse;

    fn respond(recorded: &RecordedCertificate, now: Instant) -> Self::Response {
        wire::RecordCertificateResponse {
            certificate: Some(encode(&recorded.certificate, now)),
            already_known: recorded.already_known,
            over_quota: recorded.over_quota,
        }
    }
}

impl Respond for Allocate {
    type Response = wire::AllocateCertificateResponse;

    fn respond(allocated: &AllocatedCertificate, now: Instant) -> Self::Response {
        wire::AllocateCertificateResponse {
            certificate: Some(encode(&allocated.certificate, now)),
            over_quota: allocated.over_quota,
        }
    }
}

impl Respond for Revoke {
    type Response = wire::RevokeCertificatesResponse;

    fn respond(certificates: &Vec<Certificate>, now: Instant) -> Self::Response {
        encode_revoked(certificates, now)
    }
}

/// Encodes revoked certificates, or of a preview those to be revoked.
pub(crate) fn encode_revoked(
    certificates: &[Certificate],
    now: Instant,
) -> wire::RevokeCertificatesResponse {
    let certificates = certificates
        .iter()
        .map(|certificate| encode(certificate, now));
    wire::RevokeCertificatesResponse {
        certificates: certificates.collect(),
    }
}

/// Encodes a certificate with its state at `now`.
pub(crate) fn encode(certificate: &Certificate, now: Instant) -> wire::Certificate {
    use wire::CertificateState as Wire;
    let state = match certificate.state(certificate.decide_at(now)) {
        CertificateState::Active => Wire::Active,
        CertificateState::Revoked => Wire::Revoked,
        CertificateState::Expired => Wire::Expired,
    };
    let key_type = certificate
        .key_type
        .map_or(types::KeyType::Unspecified, encode_key_type);
    wire::Certificate {
        certificate_id: certificate.id.to_string(),
        license_id: certificate
            .license_id
            .map_or_else(String::new, |id| id.to_string()),
        account_id: certificate.key.account_id.to_string(),
        product_id: certificate.product_id.to_string(),
        serial: certificate.key.serial_hex.clone(),
        issuer_sha256: certificate.key.issuer_sha256.clone(),
        sans: san::encode_all(&certificate.sans),
        not_before_time: Some(encode_time(certificate.not_before)),
        not_after_time: Some(encode_time(certificate.not_after)),
        key_type: key_type.into(),
        record_time: Some(encode_time(certificate.record_time)),
        until_time: Some(encode_time(certificate.until)),
        revoke_time: certificate.revoke_time.map(encode_time),
        revoke_reason: certificate
            .revoke_reason
            .map_or(wire::RevocationReason::Unspecified, encode_reason)
            .into(),
        state: state.into(),
        allocate_time: certificate.allocate_time.map(encode_time),
        ca_revoke_time: certificate.ca_revoke_time.map(encode_time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sl_19_every_reason_survives_the_wire() {
        for number in (0..=5).chain(9..=10) {
            let reason = decode_reason(number).unwrap();
            assert_eq!(i32::from(encode_reason(reason)), number);
        }
        assert_eq!(decode_reason(6), None);
    }
}
