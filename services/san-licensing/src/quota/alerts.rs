//! The event that usage has reached a part of the quota (SL-17), whatever made it.

use licet_domain::{
    clock::Instant,
    ids::{AccountId, LicenseId},
};
use licet_runtime::{caller::Origin, outbox::Event};
use serde_json::json;

use crate::rules::alert::{Ratio, reached};

/// Usage has reached a part of the quota.
#[derive(Clone, Debug)]
pub(crate) struct Alert {
    license_id: LicenseId,
    account_id: AccountId,
    origin: Origin,
    time: Instant,
    /// In percent.
    threshold: u32,
    quota: u64,
    used: u64,
}

impl Alert {
    /// One for each part of the quota that is reached at `time`.
    pub(crate) fn each(
        license_id: LicenseId,
        account_id: AccountId,
        origin: &Origin,
        time: Instant,
        (before, after): (Ratio, Ratio),
    ) -> impl Iterator<Item = Self> {
        reached(before, after).map(move |threshold| Self {
            license_id,
            account_id,
            origin: origin.clone(),
            time,
            threshold,
            quota: after.quota,
            used: after.used,
        })
    }

    /// As it is written.
    pub(crate) fn event(&self) -> Event<'_> {
        Event {
            kind: "licet.sanlicensing.usage.alert.v1",
            resource_id: self.license_id.to_string(),
            account_id: Some(self.account_id),
            time: self.time,
            origin: &self.origin,
            why: "SL-17".to_owned(),
            outcome: format!("REACHED_{}_PERCENT", self.threshold),
            data: json!({
                "threshold_percent": self.threshold,
                "direction": "UPWARDS",
                "quota": self.quota,
                "used": self.used,
            }),
        }
    }
}
