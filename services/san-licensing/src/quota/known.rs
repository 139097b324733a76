//! What is known of one licence: every live claim on its SANs, exact at one version of its fence.
//! Pure: time comes in as a value, and nothing here reads or writes a store.

use std::{
    collections::{BTreeSet, HashMap, hash_map::Entry as Slot},
    sync::Arc,
};

use licet_domain::{clock::Instant, ids::LicenseId};
use uuid::Uuid;

use crate::rules::{
    counting::Counts,
    license::Terms,
    name::{Name, is_wildcard},
};

/// Why a SAN is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClaimKind {
    /// A reservation holds it (SL-12).
    Reserved,
    /// It stands on an active certificate (SL-1).
    Active,
}

/// SANs taken together until one instant: by a reservation, or by a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) kind: ClaimKind,
    pub(crate) names: Vec<Name>,
    /// The first instant at which it no longer holds.
    pub(crate) until: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Hold {
    claim: Uuid,
    kind: ClaimKind,
    until: Instant,
}

/// One SAN with all that holds it, and how it is counted now.
#[derive(Debug, Default)]
struct Held {
    holds: Vec<Hold>,
    is_active: bool,
    is_taken: bool,
}

impl Held {
    /// The claim with which the SAN returns: the last of all to end, or of the active ones.
    fn last(&self, wanted: impl Fn(&Hold) -> bool) -> Option<Uuid> {
        let holds = self.holds.iter().filter(|hold| wanted(hold));
        holds
            .max_by_key(|hold| (hold.until, hold.claim))
            .map(|hold| hold.claim)
    }

    /// Brings the marks in line with the holds.
    fn recount(&mut self) -> Change {
        let changed = |mark: &mut bool, is: bool| (std::mem::replace(mark, is) != is).then_some(is);
        let is_active = self.holds.iter().any(|hold| hold.kind == ClaimKind::Active);
        Change {
            taken: changed(&mut self.is_taken, !self.holds.is_empty()),
            active: changed(&mut self.is_active, is_active),
        }
    }
}

/// How a SAN is counted otherwise than before; `None`: as before.
#[derive(Clone, Copy)]
struct Change {
    taken: Option<bool>,
    active: Option<bool>,
}

/// What is known of several licences.
pub(super) type Licenses = HashMap<LicenseId, Known>;

/// All that decisions about one licence depend on.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) terms: Terms,
    /// The fence's version that this is exact at.
    pub(crate) version: i64,
    /// The licence's last decision time (T-5).
    as_of: Instant,
    names: HashMap<Name, Held>,
    claims: HashMap<Uuid, Claim>,
    /// The claims in the order of their ends.
    due: BTreeSet<(Instant, Uuid)>,
    /// Weight of the SANs on active certificates.
    used: u64,
    /// Weight of those and of the reserved ones.
    taken: u64,
    counts: Counts,
    bytes: usize,
}

impl Known {
    pub(crate) fn new(terms: Terms, version: i64, as_of: Instant) -> Self {
        Self {
            terms,
            version,
            as_of,
            names: HashMap::new(),
            claims: HashMap::new(),
            due: BTreeSet::new(),
            used: 0,
            taken: 0,
            counts: Counts::default(),
            bytes: LICENSE_BYTES,
        }
    }

    pub(crate) fn as_of(&self) -> Instant {
        self.as_of
    }

    pub(crate) fn used(&self) -> u64 {
        self.used
    }

    /// Weight that reservations hold beyond what is used.
    pub(crate) fn reserved(&self) -> u64 {
        self.taken - self.used
    }

    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// About how much memory this takes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Weight of those of `names` that nothing holds yet. Invariant: `names` has no repeats.
    pub(crate) fn missing_weight(&self, names: &[Name]) -> u64 {
        names
            .iter()
            .filter(|name| !self.names.get(*name).is_some_and(|held| held.is_taken))
            .map(|name| self.weight(name))
            .sum()
    }

    pub(crate) fn weight(&self, name: &str) -> u64 {
        if is_wildcard(name) {
            u64::from(self.terms.options.wildcard_multiplier)
        } else {
            1
        }
    }

    /// Time passes: what ends up to `now` is let go, to the microsecond (SL-5). It never runs
    /// back (T-5).
    pub(crate) fn advance(&mut self, now: Instant) {
        if now <= self.as_of {
            return;
        }
        self.as_of = now;
        while let Some((at, id)) = self.due.first().copied()
            && at <= now
        {
            self.due.pop_first();
            self.release(id);
        }
    }

    /// Takes SANs until `claim.until`. One that has ended already takes nothing.
    pub(crate) fn take(&mut self, id: Uuid, mut claim: Claim) {
        if claim.until <= self.as_of {
            return;
        }
        for name in &mut claim.names {
            let held = match self.names.entry(Arc::clone(name)) {
                Slot::Occupied(slot) => {
                    // One text for all that hold it.
                    *name = Arc::clone(slot.key());
                    slot.into_mut()
                }
                Slot::Vacant(slot) => {
                    self.bytes += NAME_BYTES + name.len();
                    slot.insert(Held::default())
                }
            };
            held.holds.push(Hold {
                claim: id,
                kind: claim.kind,
                until: claim.until,
            });
            let change = held.recount();
            self.count(name, change);
        }
        self.bytes += claim_bytes(&claim);
        self.due.insert((claim.until, id));
        self.claims.insert(id, claim);
    }

    /// Gives the SANs of a claim back; answers the claim, so that it can be taken again.
    pub(crate) fn release(&mut self, id: Uuid) -> Option<Claim> {
        let claim = self.claims.remove(&id)?;
        self.due.remove(&(claim.until, id));
        for name in &claim.names {
            let Some(held) = self.names.get_mut(name) else {
                continue;
            };
            held.holds.retain(|hold| hold.claim != id);
            let change = held.recount();
            if !held.is_taken {
                self.names.remove(name);
                self.bytes = self.bytes.saturating_sub(NAME_BYTES + name.len());
            }
            self.count(name, change);
        }
        self.bytes = self.bytes.saturating_sub(claim_bytes(&claim));
        Some(claim)
    }

    /// Whether a claim holds SANs now.
    pub(crate) fn claim(&self, id: Uuid) -> Option<&Claim> {
        self.claims.get(&id)
    }

    /// Brings the figures in line with a SAN that is held otherwise than before.
    fn count(&mut self, name: &str, change: Change) {
        let weight = self.weight(name);
        match change.taken {
            Some(true) => self.taken += weight,
            Some(false) => self.taken -= weight,
            None => {}
        }
        match change.active {
            Some(true) => {
                self.used += weight;
                self.counts.count(name, |count| count + 1);
            }
            Some(false) => {
                self.used -= weight;
                self.counts.count(name, |count| count - 1);
            }
            None => {}
        }
    }

    /// The earliest instant from which the request for `names` fits under `quota`, by what is known
    /// today: others' SANs only return. `None` when it never does.
    pub(crate) fn earliest_fit(&self, names: &[Name], quota: u64) -> Option<Instant> {
        let wanted: u64 = names.iter().map(|name| self.weight(name)).sum();
        let room = quota.checked_sub(wanted)?;
        let ours: BTreeSet<&str> = names.iter().map(AsRef::as_ref).collect();
        let mut others = self.taken - (wanted - self.missing_weight(names));
        if others <= room {
            return Some(self.as_of);
        }
        for (at, id) in &self.due {
            for name in self.returning(*id, |_| true) {
                if !ours.contains(name.as_ref()) {
                    others -= self.weight(name);
                }
            }
            if others <= room {
                return Some(*at);
            }
        }
        None
    }

    /// The SANs that return when a claim ends: nothing that is `wanted` holds them longer. Of claims
    /// that end together one, the last by its id, returns what they share.
    fn returning(
        &self,
        id: Uuid,
        wanted: impl Fn(&Hold) -> bool + Copy,
    ) -> impl Iterator<Item = &Name> {
        let names = self.claims.get(&id).map_or(&[][..], |claim| &claim.names);
        names.iter().filter(move |name| {
            let held = self.names.get(*name);
            held.and_then(|held| held.last(wanted)) == Some(id)
        })
    }

    /// The next returns of used weight: when, and how much. At most `most` instants.
    pub(crate) fn next_returns(&self, most: usize) -> Vec<(Instant, u64)> {
        let mut returns: Vec<(Instant, u64)> = Vec::new();
        for (at, id) in &self.due {
            let ending = self.returning(*id, |hold| hold.kind == ClaimKind::Active);
            let weight: u64 = ending.map(|name| self.weight(name)).sum();
            if weight == 0 {
                continue;
            }
            let count = returns.len();
            match returns.last_mut() {
                Some((last, sum)) if last == at => *sum += weight,
                Some(_) | None if count == most => break,
                Some(_) | None => returns.push((*at, weight)),
            }
        }
        returns
    }
}

fn claim_bytes(claim: &Claim) -> usize {
    CLAIM_BYTES + claim.names.len() * HOLD_BYTES
}

/// Rough sizes of what is kept, map slots and allocations included.
const LICENSE_BYTES: usize = 1024;
const NAME_BYTES: usize = 120;
const HOLD_BYTES: usize = 48;
const CLAIM_BYTES: usize = 160;
