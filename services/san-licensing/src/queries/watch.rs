//! A licence's usage now, and a watch of its changes (SL-17): by decisions of any instance, or by time alone.

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

/// Time between two reads of a watch, as long as between two moves of events to their positions. Changes in
/// between are reported as one.
const INTERVAL: Duration = Duration::from_millis(250);

/// The licence's usage at the time of the call, or at the licence's if that is later (T-5).
pub(crate) async fn get_now(
    quota: &Quota,
    call: &Call,
    license_id: LicenseId,
) -> Result<Usage, Fault> {
    quota
        .submit(license_id, Requester::of(call, ""), ReadUsage)
        .await
}

/// A caller's watch of one licence. It remembers the last reported usage.
pub(crate) struct Watch {
    quota: Quota,
    clock: Arc<dyn Clock>,
    call: Call,
    license_id: LicenseId,
    last: Usage,
    is_new: bool,
}

impl Watch {
    /// Starts with the present usage; NOT_FOUND if the caller may not see the licence.
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

    /// Waits for the next usage to report; the first is the present one.
    pub(crate) async fn next(mut self) -> Result<Option<(Usage, Self)>, Fault> {
        while !std::mem::take(&mut self.is_new) {
            tokio::time::sleep(INTERVAL).await;
            self.call.now = self.clock.now();
            let usage = get_now(&self.quota, &self.call, self.license_id).await?;
            self.is_new = !usage.has_same_figures(&self.last);
            self.last = usage;
        }
        Ok(Some((self.last.clone(), self)))
    }
}
