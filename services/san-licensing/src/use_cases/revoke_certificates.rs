//! RevokeCertificates ends certificates before their time (SL-5, SL-19). A caller that is a person must
//! have seen a revocation preview.

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
