//! Previews revocations (SL-19).

use licet_domain::ids::{CertificateId, LicenseId};
use licet_runtime::{caller::Call, fault::Fault};

use crate::{
    quota::{
        Quota,
        command::{PreviewRevocation, Requester},
    },
    rules::quota::revocation_preview::RevocationPreview,
};

/// Previews the revocation of certificates of a licence at the time of the call, or at the licence's if that
/// is later (T-5). Exact: the engine that will decide the revocation computes it.
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
