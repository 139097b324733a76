//! What a deletion gives back (AL-4): everything early on, nothing late, and a person's decision
//! between. Counted per term, from its first use or from its purchase, as its policy says.

pub(crate) mod claim;

use chrono::TimeDelta;
use licet_domain::{
    clock::Instant,
    ids::{AccountId, CreditNoteId, LicenseId, OrderId, RefundId},
    money::{Money, MoneyError},
    refusal::{Reason, Refusal},
    worded,
};

use super::{
    charge::Subject,
    credit::{self, CreditableInvoice, InvoiceCredit, RequestedCredit, Source},
    refund_policy::{RefundCount, RefundPolicy},
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

/// What is known of a term whose refund is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TermTimes {
    /// When its first charge was accepted.
    pub(crate) bought: Instant,
    /// When it starts.
    pub(crate) start: Instant,
    /// When it ends.
    pub(crate) end: Instant,
    /// Since when it is in use; `None`: no certificate was active in it so far.
    pub(crate) first_use: Option<Instant>,
}

/// AL-4 applied: the state and the instants that led to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefundDecision {
    /// What becomes of the refund.
    pub(crate) state: RefundState,
    /// What the days counted from.
    pub(crate) count: RefundCount,
    /// From when on they counted; absent while the term has not begun or was never used.
    pub(crate) counted_from: Option<Instant>,
    /// The last instant of the full refund; absent likewise.
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
    /// The term; one refund of it at most is in review.
    pub(crate) subject: Subject,
    /// How it was decided.
    pub(crate) decision: RefundDecision,
    /// What of the subject's invoices was not credited. In review it is held (BL-3): less what was
    /// credited of it since, more what joined it.
    pub(crate) creditable: Money,
    /// What was credited; zero unless refunded.
    pub(crate) refunded: Money,
    /// Since when the term is in use, as it was asked for.
    pub(crate) first_issuance: Option<Instant>,
    /// The instant as of which it was decided (T-3).
    pub(crate) decided: Instant,
    /// The number of the last invoice that it was decided about; `None`: a version before this one,
    /// which did not keep that, decided it.
    pub(crate) last_invoice: Option<i64>,
    /// The credit notes that made it, one for each invoice.
    pub(crate) credit_note_ids: Vec<CreditNoteId>,
    /// What an operator decided; `None`: nobody had to, or has yet.
    pub(crate) review: Option<Review>,
}

/// A refund that was asked for just now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestedRefund {
    /// What was decided.
    pub(crate) refund: Refund,
    /// What it leaves as it is.
    pub(crate) notice: Option<String>,
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
    pub(crate) fn already_requested(&self) -> Refusal {
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

    /// The refund in review once `amount` of what it holds is credited by something else.
    pub(crate) fn lower(mut self, amount: Money, time: Instant) -> Result<Self, MoneyError> {
        self.creditable = self.creditable.checked_sub(amount)?;
        let explanation = &self.decision.explanation;
        self.decision.explanation = format!("{explanation}; {amount} of it credited at {time}");
        Ok(self)
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
        let reviewed = self.end_review(RefundState::Refunded, &outcome, review)?;
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
        self.end_review(RefundState::Rejected, "turned down", review)
    }

    fn end_review(
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
/// Both limits are inclusive: exactly 25 × 24 h after the count began is still a full refund, and
/// exactly 30 × 24 h is still a review. A term that has not begun is refunded in full, whatever it
/// counts from; one that counts from its use and has none in full while it runs, and not at all once
/// it is over.
pub(crate) fn decide(policy: RefundPolicy, term: &TermTimes, now: Instant) -> RefundDecision {
    let TermTimes { start, end, .. } = term;
    let uncounted = |state, explanation: String| RefundDecision {
        state,
        count: policy.count,
        counted_from: None,
        full_until: None,
        review_until: None,
        explanation,
    };
    if now < *start {
        let explanation = format!("the term starts at {start} and has not begun: full refund");
        return uncounted(RefundState::Refunded, explanation);
    }
    match (policy.count, term.first_use) {
        (RefundCount::Purchase, _) => counted(policy, term.bought, now),
        (RefundCount::FirstIssuance, Some(first_use)) => counted(policy, first_use, now),
        (RefundCount::FirstIssuance, None) if now < *end => uncounted(
            RefundState::Refunded,
            format!("never issued, and the term runs until {end}: full refund"),
        ),
        (RefundCount::FirstIssuance, None) => uncounted(
            RefundState::NotDue,
            format!("never issued, and the term ended at {end}: no refund"),
        ),
    }
}

/// The decision where the days count from `from` on.
fn counted(policy: RefundPolicy, from: Instant, now: Instant) -> RefundDecision {
    let RefundPolicy {
        count,
        full_refund_days,
        no_refund_days,
    } = policy;
    let elapsed = from.micros_until(now);
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
    let begun = match count {
        RefundCount::FirstIssuance => "counted from the first issuance: in use since",
        RefundCount::Purchase => "counted from the purchase: bought at",
    };
    RefundDecision {
        state,
        count,
        counted_from: Some(from),
        full_until: from.checked_add(TimeDelta::days(i64::from(full_refund_days))),
        review_until: from.checked_add(TimeDelta::days(i64::from(no_refund_days))),
        explanation: format!("{begun} {from}, refund asked for at {now}, {comparison}"),
    }
}

/// What a refund leaves as it is: one of an order or a licence whose term is not over does not end it,
/// which only its deletion (AL-7) or its cancellation (SL-7) does. Billing asks nobody whether it runs
///
pub(crate) fn notice(subject: &Subject, term_end: Instant, now: Instant) -> Option<String> {
    if now >= term_end {
        return None;
    }
    let Subject {
        resource_id,
        term_index,
    } = subject;
    if resource_id.parse::<OrderId>().is_ok() {
        return Some(format!(
            "term {term_index} of order {resource_id} is not over before {term_end}, and a refund \
             does not end the order: to end it and be refunded, delete it with \
             OrderService.DeleteOrder"
        ));
    }
    resource_id.parse::<LicenseId>().is_ok().then(|| {
        format!(
            "term {term_index} of licence {resource_id} is not over before {term_end}, and a refund \
             does not end the licence: to end it, cancel it with LicenseService.CancelLicense"
        )
    })
}

/// How much of what a refund in review holds an operator grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Approval {
    /// All of it.
    Whole,
    /// This much, more than nothing, spread over all the lines held (M-3).
    Amount(Money),
    /// These amounts off these lines.
    Lines(Vec<RequestedCredit>),
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
        Approval::Whole => &credit::request_all(held, Source::Held)?,
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
