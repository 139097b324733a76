//! The alert that usage has reached a share of the quota (SL-17).

use licet_domain::{
    clock::Instant,
    ids::{AccountId, LicenseId},
};
use licet_runtime::{
    caller::Origin,
    fault::Fault,
    outbox::{Event, EventHeader},
};

use crate::{
    events::UsageAlert,
    rules::alert::{Ratio, reached},
};

/// Usage has reached a share of the quota.
#[derive(Clone, Debug)]
pub(crate) struct Alert {
    license_id: LicenseId,
    account_id: AccountId,
    origin: Origin,
    time: Instant,
    threshold_percent: u32,
    quota: u64,
    used: u64,
}

impl Alert {
    /// One alert for each share of the quota that is reached at `time`.
    pub(crate) fn each(
        license_id: LicenseId,
        account_id: AccountId,
        origin: &Origin,
        time: Instant,
        (before, after): (Ratio, Ratio),
    ) -> impl Iterator<Item = Self> {
        reached(before, after).map(move |threshold_percent| Self {
            license_id,
            account_id,
            origin: origin.clone(),
            time,
            threshold_percent,
            quota: after.quota,
            used: after.used,
        })
    }

    pub(crate) fn event(&self) -> Result<Event<'_>, Fault> {
        let header = EventHeader {
            resource_id: self.license_id.to_string(),
            account_id: Some(self.account_id),
            time: self.time,
            origin: &self.origin,
            why: "SL-17".to_owned(),
            outcome: format!("REACHED_{}_PERCENT", self.threshold_percent),
        };
        let data = UsageAlert {
            threshold_percent: self.threshold_percent,
            direction: "UPWARDS",
            quota: self.quota,
            used: self.used,
        };
        Event::new(header, &data)
    }
}
