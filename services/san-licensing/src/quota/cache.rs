//! The memory of licences between their rounds, bounded in bytes: those used longest ago leave first.

use std::collections::{BTreeMap, HashMap};

use licet_domain::ids::LicenseId;

use crate::rules::quota::holdings::{Holdings, Licenses};

/// A licence of more bytes takes long to drop: a thread of its own does it.
const LARGE_BYTES: usize = 1 << 20;

/// The licences in memory.
pub(super) struct LicenseCache {
    most_bytes: usize,
    idle: HashMap<LicenseId, Idle>,
    by_use: BTreeMap<u64, LicenseId>,
    uses: u64,
    idle_bytes: usize,
    /// The bytes of each licence that is lent.
    lent: HashMap<LicenseId, usize>,
    lent_bytes: usize,
}

struct Idle {
    holdings: Holdings,
    last_use: u64,
}

impl LicenseCache {
    pub(super) fn new(most_bytes: usize) -> Self {
        Self {
            most_bytes,
            idle: HashMap::new(),
            by_use: BTreeMap::new(),
            uses: 0,
            idle_bytes: 0,
            lent: HashMap::new(),
            lent_bytes: 0,
        }
    }

    /// Whether a licence is here and not lent.
    pub(super) fn contains(&self, id: LicenseId) -> bool {
        self.idle.contains_key(&id)
    }

    /// Lends those of some licences that are here.
    pub(super) fn lend(&mut self, ids: impl IntoIterator<Item = LicenseId>) -> Licenses {
        let mut lent = Licenses::new();
        for id in ids {
            if let Some(holdings) = self.take(id) {
                self.lent_bytes += holdings.bytes();
                self.lent.insert(id, holdings.bytes());
                lent.insert(id, holdings);
            }
        }
        lent
    }

    /// Notes the size of a licence outside, which counts until [`Self::put_back`].
    pub(super) fn set_lent(&mut self, id: LicenseId, bytes: usize) {
        let before = self.lent.insert(id, bytes).unwrap_or(0);
        self.lent_bytes = self.lent_bytes + bytes - before;
        self.forget();
    }

    /// Ends the lending of some licences, and takes the memory of those that are still known.
    pub(super) fn put_back(&mut self, ids: impl IntoIterator<Item = LicenseId>, memory: Licenses) {
        for id in ids {
            self.lent_bytes -= self.lent.remove(&id).unwrap_or(0);
        }
        for (id, holdings) in memory {
            self.take(id);
            self.uses += 1;
            self.idle_bytes += holdings.bytes();
            self.by_use.insert(self.uses, id);
            let last_use = self.uses;
            self.idle.insert(id, Idle { holdings, last_use });
        }
        self.forget();
    }

    fn take(&mut self, id: LicenseId) -> Option<Holdings> {
        let idle = self.idle.remove(&id)?;
        self.by_use.remove(&idle.last_use);
        self.idle_bytes -= idle.holdings.bytes();
        Some(idle.holdings)
    }

    /// Drops what was used longest ago until the rest is within the bound, but never the last licence: one that
    /// alone exceeds the bound would be loaded for every round.
    fn forget(&mut self) {
        while self.idle_bytes + self.lent_bytes > self.most_bytes
            && self.idle.len() + self.lent.len() > 1
            && let Some((_, id)) = self.by_use.first_key_value()
        {
            let id = *id;
            if let Some(gone) = self.take(id)
                && gone.bytes() > LARGE_BYTES
            {
                std::thread::spawn(move || drop(gone));
            }
        }
    }
}
