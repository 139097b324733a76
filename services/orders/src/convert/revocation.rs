//! The request to revoke a certificate.

use licet_contracts::{orders::v1 as orders, sanlicensing::v1 as san, types::v1::Role};
use licet_domain::ids::CertificateId;
use licet_runtime::{caller::Caller, fault::Fault, field::Fields};

use crate::rules::san_license::RevocationReason;

/// A certificate that is to be revoked.
#[derive(Debug, Clone)]
pub(crate) struct RevocationWish {
    pub(crate) certificate_id: CertificateId,
    pub(crate) reason: RevocationReason,
    pub(crate) request_reissue: bool,
    /// Whether the certificate authority says so, which makes it a report.
    pub(crate) by_authority: bool,
}

/// Reads the request to revoke a certificate.
pub(crate) fn decode_revoke(
    message: &orders::RevokeCertificateRequest,
    caller: &Caller,
) -> Result<RevocationWish, Fault> {
    let mut fields = Fields::new();
    let certificate_id = fields.required("certificate_id", &message.certificate_id);
    let reason = match san::RevocationReason::try_from(message.reason) {
        Ok(reason) => Ok(decode_reason(reason)),
        Err(_) => Err(fields.note("reason", "is no reason to revoke a certificate for good")),
    };
    fields.request_id(message);
    fields.build(|| {
        Ok(RevocationWish {
            certificate_id: certificate_id?,
            reason: reason?,
            request_reissue: message.request_reissue,
            by_authority: caller.has_any(&[Role::CertificateAuthority, Role::Operator]),
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
