//! What a revocation of certificates would return (SL-19).

use licet_domain::ids::{CertificateId, LicenseId};
use licet_runtime::{caller::Call, fault::Fault};

use crate::{
    quota::{Answer, Command, Quota},
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
    let scope = &call.caller.accounts;
    let origin = call.origin("");
    let command = Command::Preview { ids };
    let answer = quota
        .submit(license_id, scope, origin, call.now, command, None)
        .await?;
    let Answer::RevocationPreview(preview) = answer else {
        return Err(Fault::internal("the answer is to another command"));
    };
    Ok(preview)
}
