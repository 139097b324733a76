//! ReleaseReservation ends a reservation before its time (SL-12).

use licet_domain::ids::LicenseId;
use licet_runtime::fault::Fault;

use crate::quota::{
    Quota,
    command::{Once, Release, Requester},
};

/// Releases a reservation. Returns the encoded response.
pub(crate) async fn release(
    quota: &Quota,
    requester: Requester,
    license_id: LicenseId,
    release: Once<Release>,
) -> Result<Vec<u8>, Fault> {
    quota.submit(license_id, requester, release).await
}
