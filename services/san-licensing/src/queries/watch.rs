//! A licence's usage now, and as it changes (SL-17): by a decision here, by one on another instance,
//! or by time alone.

use std::{sync::Arc, time::Duration};

use licet_domain::{clock::Clock, ids::LicenseId};
use licet_runtime::{caller::Call, fault::Fault};

use crate::{
    quota::{
        Quota,
        command::{ReadUsage, Requester},
    },
    rules::quota::usage::Usage,
};

/// A watcher looks as often as events are given their positions; what changes in between comes
/// as one.
const PACE: Duration = Duration::from_millis(250);

/// How much of a licence is used at the call's time, or, with the licence, at a later one (T-5).
pub(crate) async fn get_now(
    quota: &Quota,
    call: &Call,
    license_id: LicenseId,
) -> Result<Usage, Fault> {
    quota
        .submit(license_id, Requester::of(call, ""), ReadUsage)
        .await
}

/// One caller who watches one licence. It keeps nothing but what it said last.
pub(crate) struct Watch {
    quota: Quota,
    clock: Arc<dyn Clock>,
    call: Call,
    license_id: LicenseId,
    last: Usage,
    is_new: bool,
}

impl Watch {
    /// Begins with the usage now; NOT_FOUND for whoever may not see the licence.
    pub(crate) async fn begin(
        quota: Quota,
        clock: Arc<dyn Clock>,
        call: Call,
        license_id: LicenseId,
    ) -> Result<Self, Fault> {
        let last = get_now(&quota, &call, license_id).await?;
        Ok(Self {
            quota,
            clock,
            call,
            license_id,
            last,
            is_new: true,
        })
    }

    /// The next usage that is to be said.
    pub(crate) async fn next(mut self) -> Result<Option<(Usage, Self)>, Fault> {
        while !std::mem::take(&mut self.is_new) {
            tokio::time::sleep(PACE).await;
            self.call.now = self.clock.now();
            let usage = get_now(&self.quota, &self.call, self.license_id).await?;
            self.is_new = !usage.is_as(&self.last);
            self.last = usage;
        }
        Ok(Some((self.last.clone(), self)))
    }
}
