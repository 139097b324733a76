//! AllocateCertificate assigns an unallocated certificate to the licence that sales chose (SL-16).

use licet_domain::ids::LicenseId;
use licet_runtime::fault::Fault;

use crate::quota::{
    Quota,
    command::{Allocate, Once, Requester},
};

/// Allocates a certificate to a licence. Returns the encoded response.
pub(crate) async fn allocate(
    quota: &Quota,
    requester: Requester,
    license_id: LicenseId,
    allocate: Once<Allocate>,
) -> Result<Vec<u8>, Fault> {
    quota.submit(license_id, requester, allocate).await
}
