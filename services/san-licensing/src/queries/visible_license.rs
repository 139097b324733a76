//! A licence as queries see it: within the caller's accounts, no earlier than the last decision about it.

use licet_domain::{clock::Instant, ids::LicenseId};
use licet_runtime::{caller::Call, database::Tx, fault::Fault};

use crate::{rules::license::License, store};

/// A licence that the caller may see.
pub(super) struct VisibleLicense {
    pub(super) license: License,
    /// The later of the call's clock and the licence's own time (T-5): another instance's clock may be ahead,
    /// and its records must be visible.
    pub(super) now: Instant,
    /// Version of the fence; 0 if there is none.
    pub(super) version: i64,
}

impl VisibleLicense {
    /// The licence, or NOT_FOUND.
    pub(super) async fn load(tx: &Tx, call: &Call, license_id: LicenseId) -> Result<Self, Fault> {
        let license = store::licenses::get(tx, &call.caller.accounts, license_id).await?;
        let fences = store::fences::read(tx, &[license.key()]).await?;
        let fence = fences.first();
        Ok(Self {
            license,
            now: fence.map_or(call.now, |fence| fence.as_of.max(call.now)),
            version: fence.map_or(0, |fence| fence.version.number),
        })
    }
}
