//! The turns of an order, which time alone causes (MD-10, AL-9): the next term starts, or the last
//! one ends. Readers and decisions first apply the turns that have come, so that nothing depends on
//! when a timer runs. The timer only writes them down, each once with its event.

use licet_domain::clock::Instant;

use super::order::{Order, Progress};

/// What time does to an order at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The next term starts.
    TermStarted,
    /// The last term ends.
    Ended,
}

impl Order {
    /// The order with the turns that have come, and its decision time (T-5).
    pub(crate) fn at(self, clock: Instant) -> (Order, Instant) {
        let now = self.decide_at(clock);
        (self.with_turns(now), now)
    }

    /// The order with the turns that have come by `now`. It is the same whether they were written
    /// or not, including its revision: a quote made before a term starts does not match after it
    /// (MD-6).
    pub(crate) fn with_turns(mut self, now: Instant) -> Order {
        while let Some((_, next)) = self.next_turn(now) {
            self = next;
        }
        self
    }

    /// When the next turn comes.
    pub(crate) fn turn_time(&self) -> Option<Instant> {
        match (self.progress, &self.next_term) {
            (Progress::Pending | Progress::Deleted, _) => None,
            (Progress::Paid | Progress::Issued, Some(next)) => Some(next.term.start()),
            (Progress::Paid | Progress::Issued, None) => {
                (!self.end_noted).then_some(self.term.term.end())
            }
        }
    }

    /// The first turn that has come by `now`, and the order after it.
    pub(crate) fn next_turn(&self, now: Instant) -> Option<(Turn, Order)> {
        let time = self.turn_time().filter(|time| now >= *time)?;
        let mut order = self.clone();
        order.decision_time = order.decision_time.max(time);
        let Some(mut term) = order.next_term.take() else {
            order.end_noted = true;
            return Some((Turn::Ended, order));
        };
        // Domains that the certificates already carry need no new certificate (MD-7).
        term.names = term.names.filter(|names| *names != order.names);
        order.term = term;
        order.end_noted = false;
        order.revision = order.revision.saturating_add(1);
        if let Some(mut change) = order.change.take() {
            let names = order.term_names();
            change.names = change.names_in(order.term.index, names, &order.common_name);
            order.change = Some(change);
        }
        Some((Turn::TermStarted, order))
    }
}

#[cfg(test)]
mod tests {
    use licet_domain::ids::ServerId;

    use super::{
        super::{
            domains::{WantedChange, plan_domain_change},
            order::OrderState,
            samples::{instant, names, order},
        },
        *,
    };

    /// The order with a second year bought for these domains, without additional licences.
    fn renewed(list: &[&str]) -> Order {
        let mut order = order(&["example.com", "a.example.com"]);
        let mut next = order.term.clone();
        next.index = 1;
        next.term = order.term.term.next(12).unwrap();
        next.additional_licenses = 0;
        next.first_issuance_time = None;
        next.names = Some(names(list));
        next.kept_servers = Some([ServerId::generate()].into());
        order.next_term = Some(next);
        order
    }

    #[test]
    fn md_10_the_next_term_runs_from_the_old_end_on_and_no_earlier() {
        let before = renewed(&["example.com", "a.example.com"]);
        let start = before.term.term.end();
        let eve = Instant::from_micros(start.as_micros() - 1).unwrap();
        assert_eq!(before.clone().with_turns(eve), before);

        let after = before.clone().with_turns(start);
        assert_eq!((after.term.index, &after.next_term), (1, &None));
        assert_eq!(after.revision, before.revision + 1);
        assert_eq!(after.decision_time, start);
        // The present domains need no other certificate.
        assert_eq!(
            (&after.term.names, after.issuance_pending_since()),
            (&None, None)
        );
        assert_eq!(after.state(start), OrderState::Issued);
        // A day later it is the same order: it does not matter when it is read.
        let later = instant("2027-01-02T00:00:00Z");
        assert_eq!(before.with_turns(later), after);
        assert_eq!(after.clone().with_turns(later), after);
    }

    #[test]
    fn md_10_other_names_wait_for_a_certificate_once_the_term_starts() {
        let before = renewed(&["example.com", "b.example.com"]);
        let start = before.term.term.end();
        assert_eq!(before.issuance_pending_since(), None);
        let after = before.with_turns(start);
        assert_eq!(after.names, names(&["example.com", "a.example.com"]));
        assert_eq!(
            after.wanted_names(),
            &names(&["example.com", "b.example.com"])
        );
        assert_eq!(after.issuance_pending_since(), Some(start));
        let issued = after.apply_issuance(start);
        assert_eq!(issued.names, names(&["example.com", "b.example.com"]));
        assert_eq!(
            (issued.issuance_pending_since(), issued.term.names),
            (None, None)
        );
    }

    #[test]
    fn md_8_a_change_that_waits_goes_on_in_the_new_term() {
        let before = renewed(&["example.com", "b.example.com"]);
        let wanted = WantedChange {
            add: names(&["c.example.com"]),
            remove: names(&["a.example.com"]),
            common_name: None,
        };
        let accepted = instant("2026-12-01T00:00:00Z");
        let plan = plan_domain_change(&before, &wanted).unwrap();
        let waiting = before.apply_change(plan, None, accepted);
        let start = waiting.term.term.end();
        let after = waiting.clone().with_turns(start);
        let both = names(&["example.com", "b.example.com", "c.example.com"]);
        assert_eq!(after.wanted_names(), &both);
        assert_eq!(after.issuance_pending_since(), Some(accepted));
        // Issued before the start, the change is in the next term's domains as well.
        let early = waiting.clone().apply_issuance(accepted).with_turns(start);
        assert_eq!(early.wanted_names(), &both);
        // Cancelled in the new term, it leaves that term's own domains.
        let back = after.apply_change_cancelled(start);
        assert_eq!(
            back.wanted_names(),
            &names(&["example.com", "b.example.com"])
        );
    }

    #[test]
    fn md_10_an_end_is_noted_once_and_a_late_renewal_starts_at_it() {
        let order = order(&["example.com"]);
        let end = order.end();
        let (turn, ended) = order.next_turn(end).unwrap();
        assert_eq!(turn, Turn::Ended);
        assert_eq!((ended.revision, ended.turn_time()), (order.revision, None));
        assert_eq!(ended.state(end), OrderState::Ended);

        let mut late = renewed(&["example.com", "a.example.com"]);
        late.end_noted = true;
        let after = late.with_turns(instant("2027-01-20T00:00:00Z"));
        assert_eq!((after.term.term.start(), after.end_noted), (end, false));
        // After two years both turns have come.
        let over = renewed(&["example.com"]).with_turns(instant("2028-01-01T00:00:00Z"));
        assert_eq!((over.term.index, over.end_noted), (1, true));
    }

    #[test]
    fn a_deleted_order_is_left_alone_by_time() {
        let deleted = renewed(&["example.com"]).apply_deletion(instant("2026-02-01T00:00:00Z"));
        assert_eq!(deleted.turn_time(), None);
        assert_eq!(
            deleted.clone().with_turns(instant("2029-01-01T00:00:00Z")),
            deleted
        );
    }
}
