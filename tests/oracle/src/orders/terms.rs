//! The terms of an order: how they start and end, and how the next one is bought (MD-10, AL-9).

use std::collections::BTreeSet;

use chrono::TimeDelta;
use licet_domain::{clock::Instant, refusal::Reason};

use super::{
    order::{Action, Invoice, Order, ServerState, Term},
    policy::{Reasons, SlotCharge, TermRequest, because, shifted},
};

impl Order {
    /// Lets time pass: a bought term starts (MD-10), and servers without a place in it lapse (AL-9).
    pub fn pass(&mut self, now: Instant) {
        self.now = now;
        while !self.is_deleted && self.next_term().is_some_and(|next| next.start <= now) {
            self.running += 1;
            self.revision += 1;
            let kept = self.term().kept.clone().unwrap();
            for place in self.registered().difference(&kept) {
                self.servers[*place].state = ServerState::Lapsed;
            }
        }
    }

    pub(crate) fn sell(&mut self, term: Term, total: i64) {
        self.terms.push(Term {
            invoices: vec![Invoice::of(total)],
            ..term
        });
        self.revision += 1;
    }

    /// Whether it was deleted, or ended too long ago to be renewed (MD-10).
    pub fn is_over(&self) -> bool {
        self.is_deleted || self.now >= self.renewable().1
    }

    /// The window in which it can be renewed (MD-10).
    pub fn renewable(&self) -> (Instant, Instant) {
        let last = self.terms.last().unwrap();
        let from_end = |days| shifted(last.end, TimeDelta::days(days));
        let policy = &last.policy;
        (
            from_end(-policy.renewal_open_days),
            from_end(policy.renewal_grace_days),
        )
    }

    /// The number of months before a term.
    pub fn first_month(&self, place: usize) -> u32 {
        self.terms[..place].iter().map(|term| term.months).sum()
    }

    /// The end of a next term of this many months (T-2).
    pub fn end_of_next(&self, months: u32) -> Instant {
        let before = self.first_month(self.terms.len());
        self.anchor.checked_add_months(before + months).unwrap()
    }

    /// The servers that stay in a term bought now, `keep` being those named (MD-10, AL-9).
    ///
    /// # Errors
    ///
    /// Why it cannot be bought.
    pub fn may_renew(
        &self,
        months: u32,
        licenses: i64,
        keep: &BTreeSet<usize>,
    ) -> Result<BTreeSet<usize>, Reasons> {
        self.may(Action::Renew)?;
        let (from, until) = self.renewable();
        if self.next_term().is_some() {
            return Err(because(Reason::RenewalAlreadyBought));
        }
        if self.now >= until {
            return Err(because(Reason::RenewalTooLate));
        }
        if self.now < from {
            return Err(because(Reason::RenewalTooEarly));
        }
        let registered = self.registered();
        if !keep.is_subset(&registered) {
            return Err(because(Reason::NotFound));
        }
        let stays = |place: &&usize| {
            keep.is_empty() || keep.contains(*place) || self.servers[**place].is_primary
        };
        let kept: BTreeSet<usize> = registered.iter().filter(stays).copied().collect();
        if i64::try_from(kept.len()).unwrap() > 1 + licenses {
            return Err(because(Reason::ServersToKeepRequired));
        }
        match self.now >= self.end_of_next(months) {
            true => Err(because(Reason::TermEnded)),
            false => Ok(kept),
        }
    }

    /// The slots that a renewal pays for. While a move of the common name is pending, the domains must be
    /// sold both as bought and as they would be after a cancellation; the set with more wildcards is charged
    /// (MD-5).
    ///
    /// # Errors
    ///
    /// Every reason why one of the two sets is not sold.
    pub fn renewal_slots_to_pay(&self, request: &TermRequest) -> Result<SlotCharge, Reasons> {
        let draws = self.draws_on_license;
        let bought = request.slots_to_pay(draws)?;
        let cancelled = TermRequest {
            domains: self.with_old_common_name(&request.domains),
            ..request.clone()
        };
        let cancelled = cancelled.slots_to_pay(draws)?;
        let wildcards = |(_, wildcard, converted): SlotCharge| wildcard + converted;
        Ok(match wildcards(cancelled) > wildcards(bought) {
            true => cancelled,
            false => bought,
        })
    }

    /// The term that a renewal buys.
    pub fn renewal(&self, request: TermRequest, paid: SlotCharge, kept: BTreeSet<usize>) -> Term {
        let period = (self.end(), self.end_of_next(request.months));
        Term::new(request, paid, period, self.now, Some(kept))
    }

    /// Charges a renewal (MD-10). Servers that left since its acceptance lose their place in the term; those
    /// that came, which are not `known`, take free places (AL-9). Bought after the old end, the term runs at
    /// once.
    pub fn renew(&mut self, mut term: Term, total: i64, known: &BTreeSet<usize>) {
        let registered = self.registered();
        term.kept = term.kept.map(|kept| &kept & &registered);
        self.sell(term, total);
        for place in registered.difference(known) {
            self.keep(*place);
        }
        self.pass(self.now);
    }

    /// Gives a server a place in the next term, if one is free (AL-9).
    pub(crate) fn keep(&mut self, place: usize) {
        let next = self.running + 1;
        if let Some(next) = self.terms.get_mut(next) {
            let kept = next.kept.as_mut().unwrap();
            if i64::try_from(kept.len()).unwrap() < 1 + next.licenses {
                kept.insert(place);
            }
        }
    }
}
