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
    license::{TermLimits, Terms},
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
    /// The first instant at which it holds no more, nor would a certificate that was asked for with
    /// it (SL-6). Never before `until`.
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

/// One SAN with all that holds it, and how it is counted now.
#[derive(Debug, Default)]
struct Held {
    holds: Vec<Hold>,
    is_active: bool,
    is_taken: bool,
    /// Whether something reaches beyond the start of the next term.
    is_lasting: bool,
}

impl Held {
    /// The claim with which the SAN returns: the last of all to end, or of the active ones.
    fn last(&self, wanted: impl Fn(&Hold) -> bool) -> Option<Uuid> {
        let holds = self.holds.iter().filter(|hold| wanted(hold));
        holds
            .max_by_key(|hold| (hold.until, hold.claim))
            .map(|hold| hold.claim)
    }

    /// Brings the marks in line with the holds and the start of the next term.
    fn recount(&mut self, next_start: Option<Instant>) -> Change {
        let changed = |mark: &mut bool, is: bool| (std::mem::replace(mark, is) != is).then_some(is);
        let is_active = self.holds.iter().any(|hold| hold.kind == ClaimKind::Active);
        let is_lasting =
            next_start.is_some_and(|start| self.holds.iter().any(|hold| hold.reach > start));
        Change {
            taken: changed(&mut self.is_taken, !self.holds.is_empty()),
            active: changed(&mut self.is_active, is_active),
            lasting: changed(&mut self.is_lasting, is_lasting),
        }
    }
}

/// How a SAN is counted otherwise than before; `None`: as before.
#[derive(Clone, Copy)]
struct Change {
    taken: Option<bool>,
    active: Option<bool>,
    lasting: Option<bool>,
}

fn weight(name: &str, multiplier: u32) -> u64 {
    if is_wildcard(name) {
        u64::from(multiplier)
    } else {
        1
    }
}

/// What is known of several licences.
pub(super) type Licenses = HashMap<LicenseId, Known>;

/// All that decisions about one licence depend on.
#[derive(Debug)]
pub(crate) struct Known {
    terms: Terms,
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
    /// Weight, by the next term's multiplier, of what lasts beyond that term's start.
    lasting: u64,
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
            lasting: 0,
            counts: Counts::default(),
            bytes: LICENSE_BYTES,
        }
    }

    pub(crate) fn as_of(&self) -> Instant {
        self.as_of
    }

    pub(crate) fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The licence is on other terms than before, as of its last decision time. Invariant: the terms
    /// are of that instant.
    pub(crate) fn change_terms(&mut self, terms: Terms) {
        let before = std::mem::replace(&mut self.terms, terms);
        let weights = |terms: &Terms| {
            let next = terms.next.as_ref();
            (
                terms.term.options.wildcard_multiplier,
                next.map(|next| (next.period.start, next.options.wildcard_multiplier)),
            )
        };
        if weights(&before) != weights(&self.terms) {
            self.weigh_anew();
        }
    }

    /// Counts every weight from the holds: what a wildcard weighs, and where the next term starts,
    /// is in all of them.
    fn weigh_anew(&mut self) {
        let multiplier = self.terms.term.options.wildcard_multiplier;
        let next = self.terms.next.as_ref();
        let next = next.map(|next| (next.period.start, next.options.wildcard_multiplier));
        (self.used, self.taken, self.lasting) = (0, 0, 0);
        for (name, held) in &mut self.names {
            held.recount(next.map(|(start, _)| start));
            let weighed = |is: bool, multiplier| if is { weight(name, multiplier) } else { 0 };
            self.used += weighed(held.is_active, multiplier);
            self.taken += weighed(held.is_taken, multiplier);
            if let Some((_, multiplier)) = next {
                self.lasting += weighed(held.is_lasting, multiplier);
            }
        }
    }

    fn next_start(&self) -> Option<Instant> {
        self.terms.next.as_ref().map(|next| next.period.start)
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

    /// What a SAN weighs in the term in force (SL-3).
    pub(super) fn weight(&self, name: &str) -> u64 {
        weight(name, self.terms.term.options.wildcard_multiplier)
    }

    /// All that holds a SAN now.
    pub(super) fn holds(&self, name: &str) -> &[Hold] {
        self.names.get(name).map_or(&[], |held| &held.holds)
    }

    /// Weight of what lasts beyond the next term's start, and of those of `names` that do not, both
    /// by that term's multiplier. Invariant: `names` has no repeats.
    pub(crate) fn lasting_with(&self, names: &[Name], next: &TermLimits) -> (u64, u64) {
        let missing = names
            .iter()
            .filter(|name| !self.names.get(*name).is_some_and(|held| held.is_lasting))
            .map(|name| weight(name, next.options.wildcard_multiplier))
            .sum();
        (self.lasting, missing)
    }

    /// Time passes: what ends up to `now` is let go, to the microsecond (SL-5), and the next term
    /// begins at its start (SL-6). It never runs back (T-5).
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
        if self.terms.pass(now) {
            self.weigh_anew();
        }
    }

    /// Takes SANs until `claim.until`. One that has ended already takes nothing.
    pub(crate) fn take(&mut self, id: Uuid, mut claim: Claim) {
        if claim.until <= self.as_of {
            return;
        }
        let next_start = self.next_start();
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
                reach: claim.reach,
            });
            let change = held.recount(next_start);
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
        let next_start = self.next_start();
        for name in &claim.names {
            let Some(held) = self.names.get_mut(name) else {
                continue;
            };
            held.holds.retain(|hold| hold.claim != id);
            let change = held.recount(next_start);
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
        let weight_now = self.weight(name);
        match change.taken {
            Some(true) => self.taken += weight_now,
            Some(false) => self.taken -= weight_now,
            None => {}
        }
        match change.active {
            Some(true) => {
                self.used += weight_now;
                self.counts.count(name, |count| count + 1);
            }
            Some(false) => {
                self.used -= weight_now;
                self.counts.count(name, |count| count - 1);
            }
            None => {}
        }
        if let (Some(lasts), Some(next)) = (change.lasting, &self.terms.next) {
            let weight_then = weight(name, next.options.wildcard_multiplier);
            if lasts {
                self.lasting += weight_then;
            } else {
                self.lasting -= weight_then;
            }
        }
    }

    /// The earliest instant at which a request for `names` would be granted, by what is known today:
    /// others' SANs only return. It must pass the quota in force then, the one bought for the time
    /// after it (SL-6), and all else that is asked of it. `None` when it never is.
    pub(crate) fn earliest_fit(&self, names: &[Name], wish: &Wish<'_>) -> Option<Instant> {
        let next = self.terms.next.as_ref();
        let ours: BTreeSet<&str> = names.iter().map(AsRef::as_ref).collect();
        let is_other = |name: &&Name| !ours.contains(name.as_ref());
        let mut room = Room::of(&self.terms.term, names);
        room.take(self.taken, self.missing_weight(names));
        let mut coming = next.map(|next| {
            let mut room = Room::of(next, names);
            let (lasting, missing) = self.lasting_with(names, next);
            room.take(lasting, missing);
            (next.period.start, room)
        });
        // What is held already passes a quota that is full (SL-4).
        let held_until = self.held_until(names, |_| true);
        let start = next.map(|next| next.period.start);
        let lasting_until = start.map(|start| self.held_until(names, |hold| hold.reach > start));
        let fits = |at: Instant, room: &Room, coming: &Option<(Instant, Room)>| {
            let passes_next = coming.as_ref().is_none_or(|(start, room)| {
                let lasts = (wish.reach)(at) > *start;
                !lasts || lasting_until.is_some_and(|until| at < until) || room.fits()
            });
            (at < held_until || room.fits()) && passes_next && (wish.passes)(at)
        };
        if fits(self.as_of, &room, &coming) {
            return Some(self.as_of);
        }
        let end = start.map_or(wish.last, |start| start.min(wish.last));
        let due = self.due.iter().map(|(at, id)| (*at, Some(*id)));
        for (at, id) in moments(due, wish.further, self.as_of, end) {
            if let Some(id) = id {
                room.give_back(self.returning(id, |_| true).filter(is_other));
                if let Some((start, room)) = &mut coming {
                    let start = *start;
                    let lasting = self.returning(id, |hold| hold.reach > start);
                    room.give_back(lasting.filter(is_other));
                }
            }
            if fits(at, &room, &coming) {
                return Some(at);
            }
        }
        self.earliest_next_fit(names, wish, next?, held_until, is_other)
    }

    /// The same from the next term's start on: its quota and weights alone decide then.
    fn earliest_next_fit(
        &self,
        names: &[Name],
        wish: &Wish<'_>,
        next: &TermLimits,
        held_until: Instant,
        is_other: impl Fn(&&Name) -> bool + Copy,
    ) -> Option<Instant> {
        let start = next.period.start;
        let holds_then = |held: &Held| held.holds.iter().any(|hold| hold.until > start);
        let held_then = self.names.iter().filter(|(_, held)| holds_then(held));
        let mut room = Room::of(next, names);
        room.others = held_then
            .map(|(name, _)| name)
            .filter(is_other)
            .map(|name| room.weight(name))
            .sum();
        let fits = |at: Instant, room: &Room| {
            at < wish.last && (at < held_until || room.fits()) && (wish.passes)(at)
        };
        if fits(start, &room) {
            return Some(start);
        }
        let due = self.due.iter().map(|(at, id)| (*at, Some(*id)));
        for (at, id) in moments(due, wish.further, start, wish.last) {
            if let Some(id) = id {
                room.give_back(self.returning(id, |_| true).filter(is_other));
            }
            if fits(at, &room) {
                return Some(at);
            }
        }
        None
    }

    /// The first instant at which one of `names` is not held by anything that is `wanted`.
    fn held_until(&self, names: &[Name], wanted: impl Fn(&Hold) -> bool) -> Instant {
        let each = names.iter().map(|name| {
            let holds = self.holds(name).iter().filter(|hold| wanted(hold));
            holds.map(|hold| hold.until).max().unwrap_or(self.as_of)
        });
        each.min().unwrap_or(Instant::MAX)
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

/// What a request asks of an instant, but for room.
pub(crate) struct Wish<'a> {
    /// How far it would reach if it were made then.
    pub(crate) reach: &'a dyn Fn(Instant) -> Instant,
    /// Whether all else would pass.
    pub(crate) passes: &'a dyn Fn(Instant) -> bool,
    /// Instants from which on more of that may pass, ascending.
    pub(crate) further: &'a [Instant],
    /// From when on nothing would.
    pub(crate) last: Instant,
}

/// Instants after one and before another at which something may pass that did not: claims end, or
/// what is asked for else comes near. Ascending; with the claim, where it is one.
fn moments(
    due: impl Iterator<Item = (Instant, Option<Uuid>)>,
    further: &[Instant],
    after: Instant,
    before: Instant,
) -> impl Iterator<Item = (Instant, Option<Uuid>)> {
    let is_within = move |at: Instant| after < at && at < before;
    let mut due = due
        .skip_while(move |(at, _)| *at <= after)
        .take_while(move |(at, _)| *at < before)
        .peekable();
    let mut further = further
        .iter()
        .copied()
        .filter(move |at| is_within(*at))
        .peekable();
    std::iter::from_fn(move || {
        let ending = due.peek().map(|(at, _)| *at);
        match further.next_if(|at| ending.is_none_or(|ending| *at < ending)) {
            Some(at) => Some((at, None)),
            None => due.next(),
        }
    })
}

/// What others hold of a quota that a request wants room in.
struct Room {
    /// What is left once the request has its own; `None`: it alone is too much.
    free: Option<u64>,
    wanted: u64,
    others: u64,
    multiplier: u32,
}

impl Room {
    fn of(limits: &TermLimits, names: &[Name]) -> Self {
        let multiplier = limits.options.wildcard_multiplier;
        let wanted = names.iter().map(|name| weight(name, multiplier)).sum();
        Self {
            free: limits.quota.checked_sub(wanted),
            wanted,
            others: 0,
            multiplier,
        }
    }

    /// So much is held, and so much of what the request wants is not in it.
    fn take(&mut self, held: u64, missing: u64) {
        self.others = held - (self.wanted - missing);
    }

    fn weight(&self, name: &Name) -> u64 {
        weight(name, self.multiplier)
    }

    /// These of the others' return.
    fn give_back<'a>(&mut self, names: impl Iterator<Item = &'a Name>) {
        let multiplier = self.multiplier;
        let weight: u64 = names.map(|name| weight(name, multiplier)).sum();
        self.others -= weight;
    }

    fn fits(&self) -> bool {
        self.free.is_some_and(|free| self.others <= free)
    }
}

fn claim_bytes(claim: &Claim) -> usize {
    CLAIM_BYTES + claim.names.len() * HOLD_BYTES
}

/// Rough sizes of what is kept, map slots and allocations included.
const LICENSE_BYTES: usize = 1024;
const NAME_BYTES: usize = 120;
const HOLD_BYTES: usize = 56;
const CLAIM_BYTES: usize = 160;
