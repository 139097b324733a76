//! AuthorizeIssuance decides whether a certificate may be signed (SL-12). A grant reserves its SANs.

use licet_domain::ids::LicenseId;
use licet_runtime::fault::Fault;

use crate::{
    quota::{
        Quota,
        command::{Authorize, Requester},
    },
    rules::decision::Decision,
};

/// Decides whether a certificate may be signed.
pub(crate) async fn authorize(
    quota: &Quota,
    requester: Requester,
    license_id: LicenseId,
    command: Authorize,
) -> Result<Decision, Fault> {
    quota.submit(license_id, requester, command).await
}
