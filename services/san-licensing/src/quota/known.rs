//! What is known of one licence: every live claim on its SANs, exact at one version of its fence.
//! Pure: time comes in as a value, and nothing here reads or writes a store.

use std::{
    collections::{BTreeSet, HashMap, hash_map::Entry as Slot},
    sync::Arc,
};

use licet_domain::clock::Instant;
use uuid::Uuid;

use crate::rules::{
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
    fn until(&self) -> Option<Instant> {
        self.holds.iter().map(|hold| hold.until).max()
    }
}

/// Distinct SANs on active certificates, by type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) dns_names: u64,
    pub(crate) ip_addresses: u64,
    pub(crate) rfc822_names: u64,
    pub(crate) upns: u64,
    /// Of the DNS names, those that are wildcards.
    pub(crate) wildcards: u64,
}

impl Counts {
    fn count(&mut self, name: &str, step: impl Fn(u64) -> u64) {
        let kind = match name.as_bytes().first() {
            Some(b'd') => &mut self.dns_names,
            Some(b'i') => &mut self.ip_addresses,
            Some(b'r') => &mut self.rfc822_names,
            Some(_) | None => &mut self.upns,
        };
        *kind = step(*kind);
        if is_wildcard(name) {
            self.wildcards = step(self.wildcards);
        }
    }

    /// All of them.
    pub(crate) fn distinct(self) -> u64 {
        self.dns_names + self.ip_addresses + self.rfc822_names + self.upns
    }
}

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
    /// When a SAN is to be looked at again; may name one that has long been let go.
    due: BTreeSet<(Instant, Name)>,
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
            bytes: 0,
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
        while let Some((at, _)) = self.due.first()
            && *at <= now
        {
            let Some((_, name)) = self.due.pop_first() else {
                return;
            };
            self.bytes = self.bytes.saturating_sub(DUE_BYTES);
            self.let_go(&name);
        }
    }

    /// Drops what has ended of one SAN, and the claims that end with it.
    fn let_go(&mut self, name: &Name) {
        let now = self.as_of;
        let Some(held) = self.names.get_mut(name) else {
            return;
        };
        held.holds.retain(|hold| {
            if hold.until > now {
                return true;
            }
            if let Some(claim) = self.claims.remove(&hold.claim) {
                self.bytes = self.bytes.saturating_sub(claim_bytes(&claim));
            }
            false
        });
        self.recount(name);
    }

    /// Takes SANs until `claim.until`. One that has ended already takes nothing.
    pub(crate) fn take(&mut self, id: Uuid, claim: Claim) {
        if claim.until <= self.as_of {
            return;
        }
        for name in &claim.names {
            let name = match self.names.entry(Arc::clone(name)) {
                Slot::Occupied(slot) => {
                    let shared = Arc::clone(slot.key());
                    push_hold(slot.into_mut(), id, &claim);
                    shared
                }
                Slot::Vacant(slot) => {
                    self.bytes += NAME_BYTES + name.len();
                    let shared = Arc::clone(slot.key());
                    push_hold(slot.insert(Held::default()), id, &claim);
                    shared
                }
            };
            self.recount(&name);
            if self.due.insert((claim.until, name)) {
                self.bytes += DUE_BYTES;
            }
        }
        self.bytes += claim_bytes(&claim);
        self.claims.insert(id, claim);
    }

    /// Gives the SANs of a claim back; answers the claim, so that it can be taken again.
    pub(crate) fn release(&mut self, id: Uuid) -> Option<Claim> {
        let claim = self.claims.remove(&id)?;
        for name in &claim.names {
            if let Some(held) = self.names.get_mut(name) {
                held.holds.retain(|hold| hold.claim != id);
            }
            self.recount(name);
        }
        self.bytes = self.bytes.saturating_sub(claim_bytes(&claim));
        Some(claim)
    }

    /// Brings the figures in line with what holds a SAN now.
    fn recount(&mut self, name: &Name) {
        let weight = self.weight(name);
        let Some(held) = self.names.get_mut(name) else {
            return;
        };
        let is_taken = !held.holds.is_empty();
        let is_active = held.holds.iter().any(|hold| hold.kind == ClaimKind::Active);
        if is_taken != held.is_taken {
            held.is_taken = is_taken;
            self.taken = if is_taken {
                self.taken + weight
            } else {
                self.taken - weight
            };
        }
        if is_active != held.is_active {
            held.is_active = is_active;
            if is_active {
                self.used += weight;
                self.counts.count(name, |count| count + 1);
            } else {
                self.used -= weight;
                self.counts.count(name, |count| count - 1);
            }
        }
        if !is_taken {
            self.bytes = self.bytes.saturating_sub(NAME_BYTES + name.len());
            self.names.remove(name);
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
        for (at, name) in &self.due {
            let returns = self.names.get(name).and_then(Held::until) == Some(*at);
            if returns && !ours.contains(name.as_ref()) {
                others -= self.weight(name);
                if others <= room {
                    return Some(*at);
                }
            }
        }
        None
    }

    /// The next returns of used weight: when, and how much. At most `most` instants.
    pub(crate) fn next_returns(&self, most: usize) -> Vec<(Instant, u64)> {
        let mut returns: Vec<(Instant, u64)> = Vec::new();
        for (at, name) in &self.due {
            let ends = self.names.get(name).is_some_and(|held| {
                let active = held
                    .holds
                    .iter()
                    .filter(|hold| hold.kind == ClaimKind::Active);
                active.map(|hold| hold.until).max() == Some(*at)
            });
            if !ends {
                continue;
            }
            let weight = self.weight(name);
            if let Some((last, sum)) = returns.last_mut()
                && last == at
            {
                *sum += weight;
            } else if returns.len() == most {
                break;
            } else {
                returns.push((*at, weight));
            }
        }
        returns
    }
}

fn push_hold(held: &mut Held, id: Uuid, claim: &Claim) {
    held.holds.push(Hold {
        claim: id,
        kind: claim.kind,
        until: claim.until,
    });
}

fn claim_bytes(claim: &Claim) -> usize {
    CLAIM_BYTES + claim.names.len() * HOLD_BYTES
}

/// Rough sizes of what is kept, map slots and allocations included.
const NAME_BYTES: usize = 120;
const HOLD_BYTES: usize = 48;
const CLAIM_BYTES: usize = 96;
const DUE_BYTES: usize = 40;
