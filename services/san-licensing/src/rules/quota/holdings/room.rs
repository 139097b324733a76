//! When a request would fit: the earliest instant at which it passes the quota in force then and that of
//! the next term (SL-4, SL-6, SL-12).

use std::collections::BTreeSet;

use licet_domain::clock::Instant;
use uuid::Uuid;

use super::{HeldSan, Hold, Holdings, weight};
use crate::rules::{license::TermLimits, packed_san::PackedSan};

impl Holdings {
    /// The earliest instant at which a request for `sans` would be granted as far as known now: other SANs can
    /// only cease to be held. It must pass the quota in force then, that of the next term (SL-6), and the
    /// other conditions. `None` if it never does.
    pub(crate) fn earliest_fit(
        &self,
        sans: &[PackedSan],
        conditions: &FitConditions<'_>,
    ) -> Option<Instant> {
        let next = self.limits.next.as_ref();
        let ours: BTreeSet<&str> = sans.iter().map(AsRef::as_ref).collect();
        let is_other = |san: &&PackedSan| !ours.contains(san.as_ref());
        let mut room = Room::of(&self.limits.term, sans);
        room.set_held(self.held, self.missing_weight(sans));
        let mut coming = next.map(|next| {
            let mut room = Room::of(next, sans);
            let (lasting, missing) = self.lasting_with(sans, next);
            room.set_held(lasting, missing);
            (next.period.start, room)
        });
        // SANs that are held pass even a full quota (SL-4).
        let held_until = self.held_until(sans, |_| true);
        let start = next.map(|next| next.period.start);
        let lasting_until = start.map(|start| self.held_until(sans, |hold| hold.reach > start));
        let fits = |at: Instant, room: &Room, coming: &Option<(Instant, Room)>| {
            let passes_next = coming.as_ref().is_none_or(|(start, room)| {
                let lasts = (conditions.reach)(at) > *start;
                !lasts || lasting_until.is_some_and(|until| at < until) || room.fits()
            });
            (at < held_until || room.fits()) && passes_next && (conditions.passes)(at)
        };
        if fits(self.as_of, &room, &coming) {
            return Some(self.as_of);
        }
        let end = start.map_or(conditions.end, |start| start.min(conditions.end));
        let due = self.due.iter().map(|(at, id)| (*at, Some(*id)));
        for (at, id) in moments(due, conditions.extra, self.as_of, end) {
            if let Some(id) = id {
                room.free(self.returning(id, |_| true).filter(is_other));
                if let Some((start, room)) = &mut coming {
                    let start = *start;
                    let lasting = self.returning(id, |hold| hold.reach > start);
                    room.free(lasting.filter(is_other));
                }
            }
            if fits(at, &room, &coming) {
                return Some(at);
            }
        }
        self.earliest_next_fit(sans, conditions, next?, held_until, is_other)
    }

    /// The same from the start of the next term on, when its quota and multiplier apply.
    fn earliest_next_fit(
        &self,
        sans: &[PackedSan],
        conditions: &FitConditions<'_>,
        next: &TermLimits,
        held_until: Instant,
        is_other: impl Fn(&&PackedSan) -> bool + Copy,
    ) -> Option<Instant> {
        let start = next.period.start;
        let holds_then = |held: &HeldSan| held.holds.iter().any(|hold| hold.until > start);
        let held_then = self.sans.iter().filter(|(_, held)| holds_then(held));
        let mut room = Room::of(next, sans);
        room.others = held_then
            .map(|(san, _)| san)
            .filter(is_other)
            .map(|san| room.weight(san))
            .sum();
        let fits = |at: Instant, room: &Room| {
            at < conditions.end && (at < held_until || room.fits()) && (conditions.passes)(at)
        };
        if fits(start, &room) {
            return Some(start);
        }
        let due = self.due.iter().map(|(at, id)| (*at, Some(*id)));
        for (at, id) in moments(due, conditions.extra, start, conditions.end) {
            if let Some(id) = id {
                room.free(self.returning(id, |_| true).filter(is_other));
            }
            if fits(at, &room) {
                return Some(at);
            }
        }
        None
    }

    /// The first instant at which one of `sans` has no `wanted` hold left.
    fn held_until(&self, sans: &[PackedSan], wanted: impl Fn(&Hold) -> bool) -> Instant {
        let each = sans.iter().map(|san| {
            let holds = self.holds(san).iter().filter(|hold| wanted(hold));
            holds.map(|hold| hold.until).max().unwrap_or(self.as_of)
        });
        each.min().unwrap_or(Instant::MAX)
    }
}

/// The conditions of a request other than quotas.
pub(crate) struct FitConditions<'a> {
    /// When its SANs would cease to be held if it were made then.
    pub(crate) reach: &'a dyn Fn(Instant) -> Instant,
    /// Whether it would pass its options then.
    pub(crate) passes: &'a dyn Fn(Instant) -> bool,
    /// Instants at which `passes` may become true, ascending.
    pub(crate) extra: &'a [Instant],
    /// The first instant at which it can no longer be granted.
    pub(crate) end: Instant,
}

/// Instants between `after` and `before`, both exclusive, at which a request may begin to pass: ends of claims,
/// with their ids, and extra instants. Ascending.
fn moments(
    due: impl Iterator<Item = (Instant, Option<Uuid>)>,
    extra: &[Instant],
    after: Instant,
    before: Instant,
) -> impl Iterator<Item = (Instant, Option<Uuid>)> {
    let is_within = move |at: Instant| after < at && at < before;
    let mut due = due
        .skip_while(move |(at, _)| *at <= after)
        .take_while(move |(at, _)| *at < before)
        .peekable();
    let mut extra = extra
        .iter()
        .copied()
        .filter(move |at| is_within(*at))
        .peekable();
    std::iter::from_fn(move || {
        let ending = due.peek().map(|(at, _)| *at);
        match extra.next_if(|at| ending.is_none_or(|ending| *at < ending)) {
            Some(at) => Some((at, None)),
            None => due.next(),
        }
    })
}

/// The part of a quota that other SANs than a request's hold.
struct Room {
    /// The quota left to others beside the request; `None` if the request alone exceeds it.
    free: Option<u64>,
    wanted: u64,
    others: u64,
    multiplier: u32,
}

impl Room {
    fn of(limits: &TermLimits, sans: &[PackedSan]) -> Self {
        let multiplier = limits.options.wildcard_multiplier;
        let wanted = sans.iter().map(|san| weight(san, multiplier)).sum();
        Self {
            free: limits.quota.checked_sub(wanted),
            wanted,
            others: 0,
            multiplier,
        }
    }

    /// Sets the held weight, of which the request's SANs are a part except for `missing`.
    fn set_held(&mut self, held: u64, missing: u64) {
        self.others = held - (self.wanted - missing);
    }

    fn weight(&self, san: &PackedSan) -> u64 {
        weight(san, self.multiplier)
    }

    /// SANs of others cease to be held.
    fn free<'a>(&mut self, sans: impl Iterator<Item = &'a PackedSan>) {
        let multiplier = self.multiplier;
        let weight: u64 = sans.map(|san| weight(san, multiplier)).sum();
        self.others -= weight;
    }

    fn fits(&self) -> bool {
        self.free.is_some_and(|free| self.others <= free)
    }
}
