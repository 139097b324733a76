//! What a deletion gives back (AL-4): everything early on, nothing late, and a person's decision
//! between. Counted per term, from the first issuance recorded in it.

use chrono::TimeDelta;
use licet_domain::{
    clock::Instant,
    ids::{AccountId, CreditNoteId, RefundId},
    money::Money,
    refusal::{Reason, Refusal},
    worded,
};

use super::charge::Subject;

const DAY_MICROS: i64 = 86_400_000_000;

worded! {
    /// Where the refund of a term stands.
    pub(crate) enum RefundState {
        /// The whole of what was invoiced went back to the account.
        Refunded = "REFUNDED",
        /// Nothing is due, and nothing moves.
        NotDue = "NOT_DUE",
        /// Waits for an operator, who approves any amount up to the whole, or rejects.
        PendingReview = "PENDING_REVIEW",
        /// An operator turned it down.
        Rejected = "REJECTED",
    }
}

/// The two limits of AL-4 in days of 24 hours, pinned when the term was sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RefundPolicy {
    /// Up to and including this many days after the first issuance all is refunded.
    pub(crate) full_refund_days: u32,
    /// After this many days nothing is; at least `full_refund_days`.
    pub(crate) no_refund_days: u32,
}

/// AL-4 applied: the state and the instants that led to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefundDecision {
    /// What becomes of the refund.
    pub(crate) state: RefundState,
    /// The last instant of the full refund; absent while the term was never issued.
    pub(crate) full_until: Option<Instant>,
    /// The last instant at which a review can still grant something; absent likewise.
    pub(crate) review_until: Option<Instant>,
    /// The rule's inputs and outcome as text.
    pub(crate) explanation: String,
}

/// What was decided about the refund of one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refund {
    /// `None`: asked only, nothing was done.
    pub(crate) refund_id: Option<RefundId>,
    /// The account.
    pub(crate) account_id: AccountId,
    /// The term; one refund at most.
    pub(crate) subject: Subject,
    /// How it was decided.
    pub(crate) decision: RefundDecision,
    /// What of the subject's invoices was neither credited nor held. In review it is held (BL-3).
    pub(crate) creditable: Money,
    /// What went back; zero unless refunded.
    pub(crate) refunded: Money,
    /// The first issuance in the term.
    pub(crate) first_issuance: Option<Instant>,
    /// The instant as of which it was decided (T-3).
    pub(crate) decided: Instant,
    /// The credit notes that made it, one for each invoice.
    pub(crate) credit_note_ids: Vec<CreditNoteId>,
}

impl Refund {
    /// REFUND_ALREADY_REQUESTED: this refund stands in the way of another for its subject.
    pub(crate) fn stands(&self) -> Refusal {
        let id = self.refund_id.map_or_else(String::new, |id| id.to_string());
        let state = self.decision.state.as_str();
        Refusal::new(
            Reason::RefundAlreadyRequested,
            format!("a refund was asked for before: {id} is {state}"),
        )
        .with("refund_id", id)
        .with("state", state)
    }
}

/// Decides the refund of one term as of `now` (AL-4).
///
/// Both limits are inclusive: exactly 25 × 24 h after the issuance is still a full refund, and
/// exactly 30 × 24 h is still a review. A term never issued is refunded in full while it runs,
/// and not at all once it is over.
pub(crate) fn decide(
    policy: RefundPolicy,
    first_issuance: Option<Instant>,
    term_end: Instant,
    now: Instant,
) -> RefundDecision {
    let Some(issued) = first_issuance else {
        let (state, explanation) = if now < term_end {
            (
                RefundState::Refunded,
                format!("the term runs until {term_end}: full refund"),
            )
        } else {
            (
                RefundState::NotDue,
                format!("the term ended at {term_end}: no refund"),
            )
        };
        return RefundDecision {
            state,
            full_until: None,
            review_until: None,
            explanation: format!("never issued, and {explanation}"),
        };
    };
    let RefundPolicy {
        full_refund_days,
        no_refund_days,
    } = policy;
    let elapsed = issued.micros_until(now);
    let (state, comparison) = if elapsed <= days(full_refund_days) {
        (
            RefundState::Refunded,
            format!("at most {full_refund_days} days later: full refund"),
        )
    } else if elapsed > days(no_refund_days) {
        (
            RefundState::NotDue,
            format!("more than {no_refund_days} days later: no refund"),
        )
    } else {
        (
            RefundState::PendingReview,
            format!("between {full_refund_days} and {no_refund_days} days later: review"),
        )
    };
    RefundDecision {
        state,
        full_until: issued.checked_add(TimeDelta::days(i64::from(full_refund_days))),
        review_until: issued.checked_add(TimeDelta::days(i64::from(no_refund_days))),
        explanation: format!("first issued at {issued}, refund asked for at {now}, {comparison}"),
    }
}

fn days(count: u32) -> i64 {
    i64::from(count) * DAY_MICROS
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RefundPolicy = RefundPolicy {
        full_refund_days: 25,
        no_refund_days: 30,
    };

    fn at(text: &str) -> Instant {
        text.parse().unwrap()
    }

    fn later(from: Instant, micros: i64) -> Instant {
        Instant::from_micros(from.as_micros() + micros).unwrap()
    }

    /// AL-4: the two limits to the microsecond.
    #[test]
    fn limits() {
        let issued = at("2026-01-10T08:00:00Z");
        let end = at("2027-01-01T00:00:00Z");
        for (elapsed, state) in [
            (-1, RefundState::Refunded),
            (0, RefundState::Refunded),
            (days(25) - 1, RefundState::Refunded),
            (days(25), RefundState::Refunded),
            (days(25) + 1, RefundState::PendingReview),
            (days(28), RefundState::PendingReview),
            (days(30) - 1, RefundState::PendingReview),
            (days(30), RefundState::PendingReview),
            (days(30) + 1, RefundState::NotDue),
            (days(31), RefundState::NotDue),
            (days(500), RefundState::NotDue),
        ] {
            let decision = decide(POLICY, Some(issued), end, later(issued, elapsed));
            assert_eq!(decision.state, state, "{elapsed} µs after the issuance");
            assert_eq!(decision.full_until, Some(at("2026-02-04T08:00:00Z")));
            assert_eq!(decision.review_until, Some(at("2026-02-09T08:00:00Z")));
        }
    }

    /// AL-4: a term never issued is refunded in full until it ends, and not from then on.
    #[test]
    fn never_issued() {
        let end = at("2027-01-01T00:00:00Z");
        for (now, state) in [
            (later(end, -days(300)), RefundState::Refunded),
            (later(end, -1), RefundState::Refunded),
            (end, RefundState::NotDue),
            (later(end, 1), RefundState::NotDue),
        ] {
            let decision = decide(POLICY, None, end, now);
            assert_eq!(
                (decision.state, decision.full_until),
                (state, None),
                "{now}"
            );
        }
    }

    /// Two equal limits leave no review.
    #[test]
    fn no_review_between_equal_limits() {
        let policy = RefundPolicy {
            full_refund_days: 14,
            no_refund_days: 14,
        };
        let issued = at("2026-01-10T08:00:00Z");
        let end = at("2027-01-01T00:00:00Z");
        let state = |elapsed| decide(policy, Some(issued), end, later(issued, elapsed)).state;
        assert_eq!(state(days(14)), RefundState::Refunded);
        assert_eq!(state(days(14) + 1), RefundState::NotDue);
    }
}
