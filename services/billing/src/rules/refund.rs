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

use super::{
    charge::Subject,
    credit::{self, CreditableInvoice, InvoiceCredit, LineAsked, Source},
};

const DAY_MICROS: i64 = 86_400_000_000;

worded! {
    /// Where the refund of a term stands.
    pub(crate) enum RefundState {
        /// What was invoiced was credited: the whole, or as much of it as a review granted.
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
    /// What was credited; zero unless refunded.
    pub(crate) refunded: Money,
    /// The first issuance in the term.
    pub(crate) first_issuance: Option<Instant>,
    /// The instant as of which it was decided (T-3).
    pub(crate) decided: Instant,
    /// The credit notes that made it, one for each invoice.
    pub(crate) credit_note_ids: Vec<CreditNoteId>,
    /// What an operator decided; `None`: nobody had to, or has yet.
    pub(crate) review: Option<Review>,
}

/// Who approved or rejected a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Review {
    /// The caller's name.
    pub(crate) reviewer: String,
    /// Why, in his words.
    pub(crate) reason: String,
    /// When.
    pub(crate) time: Instant,
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
        .with("creditable", self.creditable.value())
        .with("refunded", self.refunded.value())
        .with("currency", self.creditable.currency().code())
    }

    /// Whether it waits for a review.
    ///
    /// # Errors
    /// REFUND_NOT_PENDING.
    pub(crate) fn check_pending(&self) -> Result<(), Refusal> {
        let state = self.decision.state;
        match state {
            RefundState::PendingReview => Ok(()),
            RefundState::Refunded | RefundState::NotDue | RefundState::Rejected => {
                let id = self.refund_id.map_or_else(String::new, |id| id.to_string());
                let state = state.as_str();
                Err(Refusal::new(
                    Reason::RefundNotPending,
                    format!("refund {id} does not wait for a review: it is {state}"),
                )
                .with("refund_id", id)
                .with("state", state)
                .with("creditable", self.creditable.value())
                .with("refunded", self.refunded.value())
                .with("currency", self.creditable.currency().code()))
            }
        }
    }

    /// The refund once `granted` of what it held is credited; the rest is let go.
    ///
    /// # Errors
    /// REFUND_NOT_PENDING.
    pub(crate) fn approve(
        self,
        granted: Money,
        credit_note_ids: Vec<CreditNoteId>,
        review: Review,
    ) -> Result<Self, Refusal> {
        let outcome = format!("{granted} of {} granted", self.creditable);
        let reviewed = self.reviewed(RefundState::Refunded, &outcome, review)?;
        Ok(Self {
            refunded: granted,
            credit_note_ids,
            ..reviewed
        })
    }

    /// The refund once it is turned down, and what it held let go.
    ///
    /// # Errors
    /// REFUND_NOT_PENDING.
    pub(crate) fn reject(self, review: Review) -> Result<Self, Refusal> {
        self.reviewed(RefundState::Rejected, "turned down", review)
    }

    fn reviewed(
        mut self,
        state: RefundState,
        outcome: &str,
        mut review: Review,
    ) -> Result<Self, Refusal> {
        self.check_pending()?;
        // The clock that reviews may be behind the one that decided (T-5).
        review.time = review.time.max(self.decided);
        self.decision.state = state;
        self.decision.explanation = format!(
            "{}; {outcome} at {}",
            self.decision.explanation, review.time
        );
        self.review = Some(review);
        Ok(self)
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

/// How much of what a refund in review holds an operator grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Approval {
    /// All of it.
    Whole,
    /// This much, more than nothing, spread over all the lines held (M-3).
    Amount(Money),
    /// These amounts off these lines.
    Lines(Vec<LineAsked>),
}

/// What granting `approval` credits of the invoices that a refund in review holds.
///
/// # Errors
/// CREDIT_EXCEEDS_INVOICE where more is granted than is held (BL-3); CURRENCY_MISMATCH.
pub(crate) fn plan_approval(
    held: &[CreditableInvoice],
    approval: &Approval,
    zero: Money,
) -> Result<Vec<InvoiceCredit>, Refusal> {
    let asked = match approval {
        Approval::Whole => &credit::everything(held, Source::Held)?,
        Approval::Amount(amount) => &credit::spread(held, *amount, Source::Held, zero)?,
        Approval::Lines(lines) => lines,
    };
    credit::plan(held, asked, Source::Held, zero)
}

fn days(count: u32) -> i64 {
    i64::from(count) * DAY_MICROS
}

#[cfg(test)]
mod tests;
