//! Licences as the resource of operations.

use licet_domain::{clock::Instant, ids::LicenseId};
use licet_runtime::{
    caller::AccountScope, database::Tx, fault::Fault, operation_service::Resource,
};

use crate::store;

/// Locks licences for the operation service.
pub(crate) struct Licenses;

impl Resource for Licenses {
    type Id = LicenseId;
    const CANCEL_EVENT: &'static str = "licet.sanlicensing.operation.cancel_accepted.v1";

    async fn lock(
        tx: &Tx,
        scope: &AccountScope,
        id: LicenseId,
        now: Instant,
    ) -> Result<Instant, Fault> {
        let (_, now) = store::licenses::lock(tx, scope, id, now).await?;
        Ok(now)
    }
}
