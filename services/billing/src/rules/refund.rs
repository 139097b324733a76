//! What a refund pays back (AL-4): everything early on, nothing late, and in between what a person
//! decides. Days count per term, from its first use or its purchase, as its policy says.

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
    id_text,
    refund_policy::{RefundCount, RefundPolicy},
};

const DAY_MICROS: i64 = 86_400_000_000;

worded! {
    /// The state of a refund.
    pub(crate) enum RefundState {
        /// Credited: everything, or as much of it as a review granted.
        Refunded = "REFUNDED",
        /// No refund is due; nothing was credited.
        NotDue = "NOT_DUE",
        /// Waits for an operator, who approves any amount up to the whole or rejects.
        PendingReview = "PENDING_REVIEW",
        /// An operator rejected it.
        Rejected = "REJECTED",
    }
}

/// The times of a term that decide its refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TermTimes {
    /// When its first charge was accepted.
    pub(crate) bought: Instant,
    /// When it starts.
    pub(crate) start: Instant,
    /// When it ends.
    pub(crate) end: Instant,
    /// When its use began; `None`: no certificate has been active in it.
    pub(crate) first_use: Option<Instant>,
}

/// The decision by AL-4: the state, and the instants that led to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefundDecision {
    /// The state of the refund.
    pub(crate) state: RefundState,
    /// What the days count from.
    pub(crate) count: RefundCount,
    /// When the count began; `None`: the term has not begun, or was never used.
    pub(crate) counted_from: Option<Instant>,
    /// The last instant of the full refund; `None` likewise.
    pub(crate) full_until: Option<Instant>,
    /// The last instant at which a review can still grant something; `None` likewise.
    pub(crate) review_until: Option<Instant>,
    /// The inputs of the rule and its result, for people.
    pub(crate) explanation: String,
}

/// The refund of one term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refund {
    /// `None`: a preview, not stored.
    pub(crate) refund_id: Option<RefundId>,
    /// The account.
    pub(crate) account_id: AccountId,
    /// The term; at most one of its refunds is in review.
    pub(crate) subject: Subject,
    /// How it was decided.
    pub(crate) decision: RefundDecision,
    /// What of the term's invoices was not credited yet. In review it is held (BL-3); other credits
    /// lower it, and further invoices that join the review raise it.
    pub(crate) creditable: Money,
    /// What was credited; zero unless refunded.
    pub(crate) refunded: Money,
    /// When the use of the term began, as the request said.
    pub(crate) first_issuance: Option<Instant>,
    /// The decision time (T-3).
    pub(crate) decided: Instant,
    /// The number of the last invoice that it covers; `None`: decided by an older version, which
    /// did not store it.
    pub(crate) last_invoice: Option<i64>,
    /// Its credit notes, one for each invoice.
    pub(crate) credit_note_ids: Vec<CreditNoteId>,
    /// The decision of an operator; `None`: not needed, or not made yet.
    pub(crate) review: Option<Review>,
}

/// The refund that a request led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestedRefund {
    /// The refund.
    pub(crate) refund: Refund,
    /// What the refund does not end ([`notice`]).
    pub(crate) notice: Option<String>,
}

/// The approval or rejection of a refund by an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Review {
    /// The caller's name.
    pub(crate) reviewer: String,
    /// The reason, in the operator's words.
    pub(crate) reason: String,
    /// When.
    pub(crate) time: Instant,
}

impl Refund {
    /// REFUND_ALREADY_REQUESTED: this refund blocks another one of its term.
    pub(crate) fn already_requested(&self) -> Refusal {
        let id = id_text(self.refund_id);
        let state = self.decision.state.as_str();
        Refusal::new(
            Reason::RefundAlreadyRequested,
            format!("a refund was already requested: {id} is {state}"),
        )
        .with("refund_id", id)
        .with("state", state)
        .with("creditable", self.creditable.value())
        .with("refunded", self.refunded.value())
        .with("currency", self.creditable.currency().code())
    }

    /// The refund in review after `amount` of what it holds is credited by something else.
    pub(crate) fn lower(mut self, amount: Money, time: Instant) -> Result<Self, MoneyError> {
        self.creditable = self.creditable.checked_sub(amount)?;
        let explanation = &self.decision.explanation;
        self.decision.explanation = format!("{explanation}; {amount} of it credited at {time}");
        Ok(self)
    }

    /// Whether it is in review.
    ///
    /// # Errors
    /// REFUND_NOT_PENDING.
    pub(crate) fn check_pending(&self) -> Result<(), Refusal> {
        let state = self.decision.state;
        match state {
            RefundState::PendingReview => Ok(()),
            RefundState::Refunded | RefundState::NotDue | RefundState::Rejected => {
                let id = id_text(self.refund_id);
                let state = state.as_str();
                Err(Refusal::new(
                    Reason::RefundNotPending,
                    format!("refund {id} is not in review, but {state}"),
                )
                .with("refund_id", id)
                .with("state", state)
                .with("creditable", self.creditable.value())
                .with("refunded", self.refunded.value())
                .with("currency", self.creditable.currency().code()))
            }
        }
    }

    /// The refund after `granted` of what it held is credited; the rest is released.
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

    /// The refund after its rejection; everything held is released.
    ///
    /// # Errors
    /// REFUND_NOT_PENDING.
    pub(crate) fn reject(self, review: Review) -> Result<Self, Refusal> {
        self.end_review(RefundState::Rejected, "rejected", review)
    }

    fn end_review(
        mut self,
        state: RefundState,
        outcome: &str,
        mut review: Review,
    ) -> Result<Self, Refusal> {
        self.check_pending()?;
        // The clock of the reviewing instance may be behind (T-5).
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
/// Both limits are inclusive: exactly 25 × 24 h after the count began is still a full refund,
/// exactly 30 × 24 h still a review. A term that has not begun is refunded in full by either count.
/// Counted from the first issuance, a term that was never used is refunded in full until it ends,
/// and not at all afterwards.
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
            format!("no certificate was active in the term, which runs until {end}: full refund"),
        ),
        (RefundCount::FirstIssuance, None) => uncounted(
            RefundState::NotDue,
            format!("no certificate was active in the term, which ended at {end}: no refund"),
        ),
    }
}

/// The decision if the days count from `from`.
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
    let counted = match count {
        RefundCount::FirstIssuance => "counted from the first issuance: in use since",
        RefundCount::Purchase => "counted from the purchase: bought at",
    };
    RefundDecision {
        state,
        count,
        counted_from: Some(from),
        full_until: from.checked_add(TimeDelta::days(i64::from(full_refund_days))),
        review_until: from.checked_add(TimeDelta::days(i64::from(no_refund_days))),
        explanation: format!("{counted} {from}, refund requested at {now}, {comparison}"),
    }
}

/// Says that the refund of a term that is not over does not end its order or licence: only
/// DeleteOrder (AL-7) or CancelLicense (SL-7) does. Billing does not ask whether it still runs
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
            "term {term_index} of order {resource_id} ends at {term_end}; a refund does not end the \
             order. To end it and be refunded, delete it with OrderService.DeleteOrder"
        ));
    }
    resource_id.parse::<LicenseId>().is_ok().then(|| {
        format!(
            "term {term_index} of licence {resource_id} ends at {term_end}; a refund does not end \
             the licence. To end it, cancel it with LicenseService.CancelLicense"
        )
    })
}

/// How much of what it holds an operator grants to a refund in review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Approval {
    /// All of it.
    Whole,
    /// This amount, above zero, spread over all held lines (M-3).
    Amount(Money),
    /// These amounts, line by line.
    Lines(Vec<RequestedCredit>),
}

/// Plans the credits of `approval` on the invoices that the refund holds.
///
/// # Errors
/// CREDIT_EXCEEDS_INVOICE if more is granted than held (BL-3); CURRENCY_MISMATCH.
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
