//! The request to revoke a certificate.

use licet_contracts::{orders::v1 as orders, sanlicensing::v1 as san, types::v1::Role};
use licet_domain::revocation::RevocationReason;
use licet_runtime::{caller::Call, fault::Fault, field::Fields};

use crate::use_cases::{record::RecordedCertificate, revoke_certificate::RevokeCertificate};

/// Decodes the request to revoke a certificate.
pub(crate) fn decode_revoke(
    call: &Call,
    message: &orders::RevokeCertificateRequest,
) -> Result<RevokeCertificate, Fault> {
    let mut fields = Fields::new();
    let certificate_id = fields.required("certificate_id", &message.certificate_id);
    let reason = match san::RevocationReason::try_from(message.reason) {
        Ok(reason) => Ok(decode_reason(reason)),
        Err(_) => Err(fields.note("reason", "is not a known reason for a revocation")),
    };
    fields.request_id(message);
    fields.build(|| {
        Ok(RevokeCertificate {
            certificate_id: certificate_id?,
            reason: reason?,
            request_reissue: message.request_reissue,
            by_authority: call
                .caller
                .has_any(&[Role::CertificateAuthority, Role::Operator]),
        })
    })
}

fn decode_reason(reason: san::RevocationReason) -> RevocationReason {
    match reason {
        san::RevocationReason::Unspecified => RevocationReason::Unspecified,
        san::RevocationReason::KeyCompromise => RevocationReason::KeyCompromise,
        san::RevocationReason::CaCompromise => RevocationReason::CaCompromise,
        san::RevocationReason::AffiliationChanged => RevocationReason::AffiliationChanged,
        san::RevocationReason::Superseded => RevocationReason::Superseded,
        san::RevocationReason::CessationOfOperation => RevocationReason::CessationOfOperation,
        san::RevocationReason::PrivilegeWithdrawn => RevocationReason::PrivilegeWithdrawn,
        san::RevocationReason::AaCompromise => RevocationReason::AaCompromise,
    }
}

/// The revoked certificate and its order.
pub(crate) fn encode_revoked(
    recorded: &RecordedCertificate,
) -> Result<orders::RevokeCertificateResponse, Fault> {
    let now = recorded.view.now;
    let certificate = recorded.certificate.as_ref();
    Ok(orders::RevokeCertificateResponse {
        certificate: certificate.map(|found| super::certificate::encode(found, now)),
        order: Some(super::order::encode(&recorded.view)?),
    })
}
