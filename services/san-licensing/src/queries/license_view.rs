//! A licence as it is shown: with its running operation, at one instant. Many licences cost as many queries
//! as one.

use std::collections::HashMap;

use licet_domain::{clock::Instant, ids::LicenseId};
use licet_runtime::{
    caller::Call,
    database::Tx,
    fault::Fault,
    operation::{self, View},
};

use crate::{rules::license::License, store};

/// A licence as it is shown at the instant `now`.
#[derive(Debug, Clone)]
pub(crate) struct LicenseView {
    pub(crate) license: License,
    pub(crate) now: Instant,
    pub(crate) running: Option<View>,
}

impl LicenseView {
    /// A licence on which no operation runs.
    pub(crate) fn bare(license: License, now: Instant) -> Self {
        Self {
            license,
            now,
            running: None,
        }
    }
}

/// The views of licences at `clock`, in their order; each no earlier than the last decision under it (T-5).
pub(crate) async fn load_all(
    tx: &Tx,
    licenses: Vec<License>,
    clock: Instant,
) -> Result<Vec<LicenseView>, Fault> {
    let keys: Vec<_> = licenses.iter().map(License::key).collect();
    let resources: Vec<_> = keys
        .iter()
        .map(|key| (key.account_id, key.id.to_string()))
        .collect();
    let mut running = operation::list_running(tx, &resources).await?;
    let fences = store::fences::read(tx, &keys).await?;
    let as_of: HashMap<_, _> = fences
        .iter()
        .map(|fence| (fence.license.id, fence.as_of))
        .collect();
    let views = licenses.into_iter().map(|license| {
        let decided = as_of.get(&license.id).copied().unwrap_or(clock);
        LicenseView {
            now: license.decide_at(clock.max(decided)),
            running: running.remove(&license.id.to_string()),
            license,
        }
    });
    Ok(views.collect())
}

/// The view of a licence that the caller may see; NOT_FOUND if there is none.
pub(crate) async fn get(tx: &Tx, call: &Call, license_id: LicenseId) -> Result<LicenseView, Fault> {
    let license = store::licenses::get(tx, &call.caller.accounts, license_id).await?;
    let mut views = load_all(tx, vec![license], call.now).await?;
    views
        .pop()
        .ok_or_else(|| Fault::internal("the view of one licence is missing"))
}
