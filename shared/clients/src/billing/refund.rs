//! Requests for the refund of a term, and the refunds that Billing returns.

use licet_contracts::{
    billing::{v1 as billing, v1::request_refund_request::Use},
    types::v1 as types,
};
use licet_domain::{
    clock::Instant,
    ids::AccountId,
    money::{Currency, Money},
    refusal::Refusal,
};
use licet_runtime::wire::{decode_money, decode_time, encode_money, encode_time};

use super::{quote::Subject, reading::broken};
use crate::opaque::opaque;

opaque! {
    /// A request for the refund of a term, repeated unchanged until Billing answers.
    RefundQuestion, billing::RequestRefundRequest
}

impl RefundQuestion {
    /// Requests the refund of a term first issued at `first_use`, or never, decided at `now` (AL-4).
    #[must_use]
    pub fn new(
        account_id: AccountId,
        subject: &Subject,
        first_use: Option<Instant>,
        now: Instant,
        validate_only: bool,
    ) -> Self {
        Self::from(billing::RequestRefundRequest {
            account_id: account_id.to_string(),
            subject: Some(subject.encode()),
            r#use: Some(match first_use {
                Some(time) => Use::FirstIssuanceTime(encode_time(time)),
                None => Use::NeverIssued(true),
            }),
            decision_time: Some(encode_time(now)),
            validate_only,
            request_id: String::new(),
        })
    }

    /// The request with `use` set. An earlier version left it unset for a term without issuance.
    pub(super) fn with_explicit_use(&self) -> billing::RequestRefundRequest {
        billing::RequestRefundRequest {
            r#use: Some(self.message().r#use.unwrap_or(Use::NeverIssued(true))),
            ..self.message().clone()
        }
    }
}

/// The state of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundState {
    /// The refund was made.
    Refunded,
    /// A person decides about it.
    PendingReview,
    /// Nothing is due.
    NotDue,
    /// A person rejected it.
    Rejected,
    /// A state that only a later version knows.
    Unknown,
}

opaque! {
    /// A refund as Billing returned it.
    Refund, billing::Refund
}

impl Refund {
    /// A substitute for a refund that Billing refused to decide, so that a person reviews it. It has no
    /// id and holds no amount, because Billing does not know it.
    #[must_use]
    pub fn to_review(
        question: &RefundQuestion,
        refusal: &Refusal,
        currency: Option<Currency>,
    ) -> Self {
        let request = question.message();
        Self::from(billing::Refund {
            account_id: request.account_id.clone(),
            subject: request.subject.clone(),
            state: billing::RefundState::PendingReview.into(),
            refunded: currency.map(|currency| encode_money(Money::zero(currency))),
            rule_id: "X-3".to_owned(),
            explanation: refusal.message.clone(),
            first_issuance_time: match request.r#use {
                Some(Use::FirstIssuanceTime(time)) => Some(time),
                Some(Use::NeverIssued(_)) | None => None,
            },
            decision_time: request.decision_time,
            ..billing::Refund::default()
        })
    }

    /// Its id; empty in a preview and in a substitute.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.message().refund_id
    }

    /// Its state.
    #[must_use]
    pub fn state(&self) -> RefundState {
        match self.message().state() {
            billing::RefundState::Refunded => RefundState::Refunded,
            billing::RefundState::PendingReview => RefundState::PendingReview,
            billing::RefundState::NotDue => RefundState::NotDue,
            billing::RefundState::Rejected => RefundState::Rejected,
            billing::RefundState::Unspecified => RefundState::Unknown,
        }
    }

    /// The contract's name of its state.
    #[must_use]
    pub fn state_name(&self) -> &'static str {
        self.message().state().as_str_name()
    }

    /// Whether Billing still reviews it. A substitute is never reviewed there.
    #[must_use]
    pub fn is_in_review(&self) -> bool {
        self.state() == RefundState::PendingReview && !self.id().is_empty()
    }

    /// The index of its term.
    #[must_use]
    pub fn term_index(&self) -> Option<i32> {
        let subject = self.message().subject.as_ref();
        subject.map(|subject| subject.term_index)
    }

    /// The refunded amount.
    ///
    /// # Errors
    /// A description of the invalid field.
    pub fn refunded(&self) -> Result<Option<Money>, String> {
        money(self.message().refunded.as_ref())
    }

    /// The most that a review may grant.
    ///
    /// # Errors
    /// A description of the invalid field.
    pub fn creditable(&self) -> Result<Option<Money>, String> {
        money(self.message().creditable.as_ref())
    }

    /// The end of the full refund without a review.
    ///
    /// # Errors
    /// A description of the invalid field.
    pub fn full_refund_until_time(&self) -> Result<Option<Instant>, String> {
        let time = self.message().full_refund_until_time.as_ref();
        time.map(decode_time)
            .transpose()
            .map_err(|error| broken("refund", error))
    }

    /// The end of any refund.
    ///
    /// # Errors
    /// A description of the invalid field.
    pub fn no_refund_after_time(&self) -> Result<Option<Instant>, String> {
        let time = self.message().no_refund_after_time.as_ref();
        time.map(decode_time)
            .transpose()
            .map_err(|error| broken("refund", error))
    }

    /// Value and currency of the refunded amount, as Billing wrote them.
    #[must_use]
    pub fn refunded_text(&self) -> Option<(&str, &str)> {
        let refunded = self.message().refunded.as_ref();
        refunded.map(|money| (money.value.as_str(), money.currency_code.as_str()))
    }

    /// The reviewer and the reason of the decision; both empty before the review.
    #[must_use]
    pub fn review(&self) -> (&str, &str) {
        (&self.message().reviewer, &self.message().review_reason)
    }
}

fn money(message: Option<&types::Money>) -> Result<Option<Money>, String> {
    let decoded = message.map(decode_money).transpose();
    decoded.map_err(|error| broken("refund", error))
}

#[cfg(test)]
mod tests {
    use licet_domain::refusal::Reason;

    use super::*;

    #[test]
    fn x_3_a_refused_refund_waits_for_a_review() {
        let now = "2026-02-01T00:00:00Z".parse().unwrap();
        let subject = Subject {
            resource_id: "ord_1".to_owned(),
            term_index: 0,
        };
        let question = RefundQuestion::new(AccountId::generate(), &subject, None, now, false);
        let refusal = Refusal::new(Reason::NotFound, "nothing was invoiced");
        let refund = Refund::to_review(&question, &refusal, None);
        assert_eq!(refund.state(), RefundState::PendingReview);
        assert!(!refund.is_in_review(), "Billing does not know it");
        assert_eq!(refund.message().explanation, "nothing was invoiced");
        assert_eq!((refund.id(), refund.creditable()), ("", Ok(None)));
        assert_eq!(refund.message().subject, question.message().subject);
    }
}
