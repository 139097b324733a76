//! A licence's usage at one instant (SL-17).

use licet_domain::{clock::Instant, ids::LicenseId};

use super::holdings::Holdings;
use crate::rules::counting::SanCounts;

/// How many of the next returns are shown.
pub(crate) const RETURNS: usize = 5;

/// A licence's usage at one instant.
#[derive(Clone, Debug)]
pub(crate) struct Usage {
    pub(crate) license_id: LicenseId,
    pub(crate) as_of: Instant,
    pub(crate) quota: u64,
    pub(crate) used: u64,
    pub(crate) reserved: u64,
    pub(crate) counts: SanCounts,
    /// When used weight returns next, and how much.
    pub(crate) next_returns: Vec<(Instant, u64)>,
    pub(crate) version: i64,
}

impl Usage {
    /// How much of a licence is used now.
    pub(crate) fn of(holdings: &Holdings) -> Self {
        let limits = holdings.limits();
        Self {
            license_id: limits.license_id,
            as_of: holdings.as_of(),
            quota: limits.quota_at(holdings.as_of()),
            used: holdings.used(),
            reserved: holdings.reserved(),
            counts: holdings.counts(),
            next_returns: holdings.next_returns(RETURNS),
            version: holdings.version,
        }
    }

    /// Whether another one of the licence has the same figures, at whatever instant and version.
    pub(crate) fn is_as(&self, other: &Self) -> bool {
        let figures = |usage: &Self| (usage.quota, usage.used, usage.reserved, usage.counts);
        figures(self) == figures(other) && self.next_returns == other.next_returns
    }
}
