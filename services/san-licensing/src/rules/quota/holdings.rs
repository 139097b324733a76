//! A licence's holdings: every live claim on its SANs, exact at one version of its fence.

use std::{
    collections::{BTreeSet, HashMap, hash_map::Entry as Slot},
    sync::Arc,
};

use licet_domain::{clock::Instant, ids::LicenseId};
use smallvec::SmallVec;
use uuid::Uuid;

use crate::rules::{
    counting::SanCounts,
    license::{LicenseLimits, TermLimits},
    packed_san::{PackedSan, is_wildcard},
    quota::fence_version::FenceVersion,
};

pub(super) mod room;

/// Why a SAN is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClaimKind {
    /// By a reservation (SL-12).
    Reserved,
    /// By an active certificate (SL-1).
    Active,
}

/// SANs held until one instant by one reservation or certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) kind: ClaimKind,
    pub(crate) sans: Vec<PackedSan>,
    /// The first instant at which it no longer holds.
    pub(crate) until: Instant,
    /// As `until`, but for a reservation not before the end of the certificate that it is for (SL-6).
    pub(crate) reach: Instant,
}

/// One claim's hold on one SAN.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hold {
    pub(crate) claim: Uuid,
    pub(crate) kind: ClaimKind,
    /// The first instant at which it no longer holds.
    pub(crate) until: Instant,
    reach: Instant,
}

/// One SAN with all its holds, and how it counts now.
#[derive(Debug, Default)]
struct HeldSan {
    /// One, as a rule.
    holds: SmallVec<[Hold; 1]>,
    is_active: bool,
    is_held: bool,
    /// Whether a hold reaches beyond the start of the next term.
    is_lasting: bool,
}

impl HeldSan {
    /// The claim that ends last, of those with a `wanted` hold: with it the SAN ceases to be held.
    fn last(&self, wanted: impl Fn(&Hold) -> bool) -> Option<Uuid> {
        let holds = self.holds.iter().filter(|hold| wanted(hold));
        holds
            .max_by_key(|hold| (hold.until, hold.claim))
            .map(|hold| hold.claim)
    }

    /// Updates the flags from the holds and the start of the next term.
    fn recount(&mut self, next_start: Option<Instant>) -> Change {
        let changed = |mark: &mut bool, is: bool| (std::mem::replace(mark, is) != is).then_some(is);
        let is_active = self.holds.iter().any(|hold| hold.kind == ClaimKind::Active);
        let is_lasting =
            next_start.is_some_and(|start| self.holds.iter().any(|hold| hold.reach > start));
        Change {
            held: changed(&mut self.is_held, !self.holds.is_empty()),
            active: changed(&mut self.is_active, is_active),
            lasting: changed(&mut self.is_lasting, is_lasting),
        }
    }
}

/// The new flags of a SAN; `None` if unchanged.
#[derive(Clone, Copy)]
struct Change {
    held: Option<bool>,
    active: Option<bool>,
    lasting: Option<bool>,
}

fn weight(san: &str, multiplier: u32) -> u64 {
    if is_wildcard(san) {
        u64::from(multiplier)
    } else {
        1
    }
}

/// The holdings of several licences.
pub(crate) type Licenses = HashMap<LicenseId, Holdings>;

/// Everything that decisions about one licence depend on.
#[derive(Debug)]
pub(crate) struct Holdings {
    limits: LicenseLimits,
    /// The version of the fence at which this is exact.
    pub(crate) version: FenceVersion,
    /// Whether this process made the move to `version`, and has remembered the licence since.
    pub(crate) is_last_mover: bool,
    /// The licence's last decision time (T-5).
    as_of: Instant,
    sans: HashMap<PackedSan, HeldSan>,
    claims: HashMap<Uuid, Claim>,
    /// The claims by their ends.
    due: BTreeSet<(Instant, Uuid)>,
    /// Weight of the SANs on active certificates.
    used: u64,
    /// Weight of the SANs on active certificates and in reservations.
    held: u64,
    /// Weight of the SANs held beyond the start of the next term, by that term's multiplier.
    lasting: u64,
    counts: SanCounts,
    /// Bytes of the texts, and of the lists of SANs and holds.
    owned_bytes: usize,
}

impl Holdings {
    pub(crate) fn new(limits: LicenseLimits, version: FenceVersion, as_of: Instant) -> Self {
        Self {
            limits,
            version,
            is_last_mover: false,
            as_of,
            sans: HashMap::new(),
            claims: HashMap::new(),
            due: BTreeSet::new(),
            used: 0,
            held: 0,
            lasting: 0,
            counts: SanCounts::default(),
            owned_bytes: 0,
        }
    }

    pub(crate) fn as_of(&self) -> Instant {
        self.as_of
    }

    pub(crate) fn limits(&self) -> &LicenseLimits {
        &self.limits
    }

    /// Replaces the limits. Invariant: they are as of the licence's last decision time.
    pub(crate) fn change_limits(&mut self, limits: LicenseLimits) {
        let before = std::mem::replace(&mut self.limits, limits);
        let weights = |limits: &LicenseLimits| {
            let next = limits.next.as_ref();
            (
                limits.term.options.wildcard_multiplier,
                next.map(|next| (next.period.start, next.options.wildcard_multiplier)),
            )
        };
        if weights(&before) != weights(&self.limits) {
            self.reweigh();
        }
    }

    /// Recomputes all weights, after a change of multipliers or of the next term's start.
    fn reweigh(&mut self) {
        let multiplier = self.limits.term.options.wildcard_multiplier;
        let next = self.limits.next.as_ref();
        let next = next.map(|next| (next.period.start, next.options.wildcard_multiplier));
        (self.used, self.held, self.lasting) = (0, 0, 0);
        for (san, held) in &mut self.sans {
            held.recount(next.map(|(start, _)| start));
            let weighed = |is: bool, multiplier| if is { weight(san, multiplier) } else { 0 };
            self.used += weighed(held.is_active, multiplier);
            self.held += weighed(held.is_held, multiplier);
            if let Some((_, multiplier)) = next {
                self.lasting += weighed(held.is_lasting, multiplier);
            }
        }
    }

    fn next_start(&self) -> Option<Instant> {
        self.limits.next.as_ref().map(|next| next.period.start)
    }

    pub(crate) fn used(&self) -> u64 {
        self.used
    }

    /// Weight that reservations hold beyond what is used.
    pub(crate) fn reserved(&self) -> u64 {
        self.held - self.used
    }

    pub(crate) fn held(&self) -> u64 {
        self.held
    }

    pub(crate) fn counts(&self) -> SanCounts {
        self.counts
    }

    /// Size in memory, with what the maps keep free.
    pub(crate) fn bytes(&self) -> usize {
        LICENSE_BYTES
            + map_bytes(self.sans.capacity(), size_of::<(PackedSan, HeldSan)>())
            + map_bytes(self.claims.capacity(), size_of::<(Uuid, Claim)>())
            + self.due.len() * DUE_BYTES
            + self.owned_bytes
    }

    /// Weight of those of `sans` that are not held. Invariant: `sans` are distinct.
    pub(crate) fn missing_weight(&self, sans: &[PackedSan]) -> u64 {
        sans.iter()
            .filter(|san| !self.sans.get(*san).is_some_and(|held| held.is_held))
            .map(|san| self.weight(san))
            .sum()
    }

    /// Weight of a SAN in the current term (SL-3).
    pub(crate) fn weight(&self, san: &str) -> u64 {
        weight(san, self.limits.term.options.wildcard_multiplier)
    }

    /// The holds on a SAN.
    pub(crate) fn holds(&self, san: &str) -> &[Hold] {
        self.sans.get(san).map_or(&[], |held| &held.holds)
    }

    /// Weight of the SANs held beyond the start of the next term, and weight of those of `sans` that are not,
    /// both by that term's multiplier. Invariant: `sans` are distinct.
    pub(crate) fn lasting_with(&self, sans: &[PackedSan], next: &TermLimits) -> (u64, u64) {
        let missing = sans
            .iter()
            .filter(|san| !self.sans.get(*san).is_some_and(|held| held.is_lasting))
            .map(|san| weight(san, next.options.wildcard_multiplier))
            .sum();
        (self.lasting, missing)
    }

    /// Advances to `now`: releases claims that have ended, to the microsecond (SL-5), and starts the next term
    /// if it is due (SL-6). Never goes back (T-5).
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
        if self.limits.advance(now) {
            self.reweigh();
        }
    }

    /// Adds a claim, unless it has already ended.
    pub(crate) fn add(&mut self, id: Uuid, mut claim: Claim) {
        if claim.until <= self.as_of {
            return;
        }
        let next_start = self.next_start();
        for san in &mut claim.sans {
            let held = match self.sans.entry(Arc::clone(san)) {
                Slot::Occupied(slot) => {
                    // Share one text among all holders.
                    *san = Arc::clone(slot.key());
                    slot.into_mut()
                }
                Slot::Vacant(slot) => {
                    self.owned_bytes += text_bytes(san);
                    slot.insert(HeldSan::default())
                }
            };
            let before = holds_bytes(&held.holds);
            held.holds.push(Hold {
                claim: id,
                kind: claim.kind,
                until: claim.until,
                reach: claim.reach,
            });
            self.owned_bytes += holds_bytes(&held.holds) - before;
            let change = held.recount(next_start);
            self.count(san, change);
        }
        self.owned_bytes += claim_bytes(&claim);
        self.due.insert((claim.until, id));
        self.claims.insert(id, claim);
    }

    /// Removes a claim, and returns it so that it can be added again.
    pub(crate) fn release(&mut self, id: Uuid) -> Option<Claim> {
        let claim = self.claims.remove(&id)?;
        self.due.remove(&(claim.until, id));
        let next_start = self.next_start();
        for san in &claim.sans {
            let Some(held) = self.sans.get_mut(san) else {
                continue;
            };
            held.holds.retain(|hold| hold.claim != id);
            let change = held.recount(next_start);
            if !held.is_held {
                self.owned_bytes -= text_bytes(san) + holds_bytes(&held.holds);
                self.sans.remove(san);
            }
            self.count(san, change);
        }
        self.owned_bytes -= claim_bytes(&claim);
        Some(claim)
    }

    /// The live claim with an id.
    pub(crate) fn claim(&self, id: Uuid) -> Option<&Claim> {
        self.claims.get(&id)
    }

    /// Updates the weights after a change of one SAN.
    fn count(&mut self, san: &str, change: Change) {
        let weight_now = self.weight(san);
        match change.held {
            Some(true) => self.held += weight_now,
            Some(false) => self.held -= weight_now,
            None => {}
        }
        match change.active {
            Some(true) => {
                self.used += weight_now;
                self.counts.count(san, |count| count + 1);
            }
            Some(false) => {
                self.used -= weight_now;
                self.counts.count(san, |count| count - 1);
            }
            None => {}
        }
        if let (Some(lasts), Some(next)) = (change.lasting, &self.limits.next) {
            let weight_then = weight(san, next.options.wildcard_multiplier);
            if lasts {
                self.lasting += weight_then;
            } else {
                self.lasting -= weight_then;
            }
        }
    }

    /// The SANs that cease to be held when a claim ends, counting `wanted` holds alone. If claims end together,
    /// their shared SANs go with the last by id.
    fn returning(
        &self,
        id: Uuid,
        wanted: impl Fn(&Hold) -> bool + Copy,
    ) -> impl Iterator<Item = &PackedSan> {
        let sans = self.claims.get(&id).map_or(&[][..], |claim| &claim.sans);
        sans.iter().filter(move |san| {
            let held = self.sans.get(*san);
            held.and_then(|held| held.last(wanted)) == Some(id)
        })
    }

    /// When used weight falls next, and by how much: at most `most` instants.
    pub(crate) fn next_returns(&self, most: usize) -> Vec<(Instant, u64)> {
        let mut returns: Vec<(Instant, u64)> = Vec::new();
        for (at, id) in &self.due {
            let ending = self.returning(*id, |hold| hold.kind == ClaimKind::Active);
            let weight: u64 = ending.map(|san| self.weight(san)).sum();
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

/// Bytes of a licence itself.
const LICENSE_BYTES: usize = 1024;
/// Bytes of an entry of the claims by their ends, in nodes that are two thirds full.
const DUE_BYTES: usize = size_of::<(Instant, Uuid)>() * 3 / 2;

/// Bytes of a map: one of eight slots stays free, and each has a byte of control.
fn map_bytes(capacity: usize, slot: usize) -> usize {
    capacity * 8 / 7 * (slot + 1)
}

/// Bytes of a text behind its two reference counts, in the allocator's steps.
fn text_bytes(san: &str) -> usize {
    (2 * size_of::<usize>() + san.len()).next_multiple_of(16)
}

/// Bytes of the holds of a SAN beside the first.
fn holds_bytes(holds: &SmallVec<[Hold; 1]>) -> usize {
    if holds.spilled() {
        holds.capacity() * size_of::<Hold>()
    } else {
        0
    }
}

fn claim_bytes(claim: &Claim) -> usize {
    claim.sans.capacity() * size_of::<PackedSan>()
}
