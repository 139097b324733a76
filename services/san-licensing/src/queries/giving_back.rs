//! What the revocation of certificates would give back (SL-19).

use licet_domain::ids::{CertificateId, LicenseId};
use licet_runtime::{caller::Call, fault::Fault};

use crate::quota::{Answer, Command, Quota, giving_back::GivingBack};

/// What comes back if these certificates of a licence are revoked at the call's time or, with the
/// licence, at a later one (T-5). Exact: it is told by what decides about the revocation.
pub(crate) async fn preview(
    quota: &Quota,
    call: &Call,
    license_id: LicenseId,
    ids: Vec<CertificateId>,
) -> Result<Box<GivingBack>, Fault> {
    let scope = &call.caller.accounts;
    let origin = call.origin("");
    let command = Command::Preview { ids };
    let answer = quota
        .submit(license_id, scope, origin, call.now, command, None)
        .await?;
    let Answer::GivenBack(back) = answer else {
        return Err(Fault::internal("the answer is to another command"));
    };
    Ok(back)
}
