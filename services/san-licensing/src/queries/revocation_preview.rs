//! What a revocation of certificates would return (SL-19).

use licet_domain::ids::{CertificateId, LicenseId};
use licet_runtime::{caller::Call, fault::Fault};

use crate::{
    quota::{
        Quota,
        command::{PreviewRevocation, Requester},
    },
    rules::quota::revocation_preview::RevocationPreview,
};

/// What returns if these certificates of a licence are revoked at the call's time or, with the
/// licence, at a later one (T-5). Exact: the engine that decides about the revocation computes it.
pub(crate) async fn get(
    quota: &Quota,
    call: &Call,
    license_id: LicenseId,
    ids: Vec<CertificateId>,
) -> Result<Box<RevocationPreview>, Fault> {
    let command = PreviewRevocation { ids };
    quota
        .submit(license_id, Requester::of(call, ""), command)
        .await
}
