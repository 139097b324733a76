//! A licence's usage at an instant (SL-17).

use licet_domain::{clock::Instant, ids::LicenseId};

use super::holdings::Holdings;
use crate::rules::counting::SanCounts;

/// The most next returns of a usage.
pub(crate) const RETURNS: usize = 5;

/// A licence's usage at an instant.
#[derive(Clone, Debug)]
pub(crate) struct Usage {
    pub(crate) license_id: LicenseId,
    pub(crate) as_of: Instant,
    pub(crate) quota: u64,
    pub(crate) used: u64,
    pub(crate) reserved: u64,
    pub(crate) counts: SanCounts,
    /// When used weight falls next, and by how much.
    pub(crate) next_returns: Vec<(Instant, u64)>,
    pub(crate) version: i64,
}

impl Usage {
    /// The usage at the time of the holdings.
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
            version: holdings.version.number,
        }
    }

    /// Whether the figures are the same; instant and version may differ.
    pub(crate) fn has_same_figures(&self, other: &Self) -> bool {
        let figures = |usage: &Self| (usage.quota, usage.used, usage.reserved, usage.counts);
        figures(self) == figures(other) && self.next_returns == other.next_returns
    }
}
