//! RevokeCertificates: certificates count no longer (SL-5, SL-19). A caller who is no machine shows that
//! it has seen a preview of what returns.

use licet_domain::ids::LicenseId;
use licet_runtime::fault::Fault;

use crate::quota::{
    Quota,
    command::{Once, Requester, Revoke},
};

/// Revokes certificates. Returns the encoded response.
pub(crate) async fn revoke(
    quota: &Quota,
    requester: Requester,
    license_id: LicenseId,
    revoke: Once<Revoke>,
) -> Result<Vec<u8>, Fault> {
    quota.submit(license_id, requester, revoke).await
}
