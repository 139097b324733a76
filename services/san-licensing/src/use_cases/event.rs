//! The events of a licence.

use licet_domain::ids::AccountId;
use licet_runtime::outbox::{EventResource, ResourceEvent};

use crate::rules::license::License;

/// An event of a licence.
pub(super) type LicenseEvent<'a, D> = ResourceEvent<'a, License, D>;

impl EventResource for License {
    fn resource_id(&self) -> String {
        self.id.to_string()
    }

    fn account_id(&self) -> AccountId {
        self.account_id
    }
}
