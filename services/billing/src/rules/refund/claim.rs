//! Decides a refund request beside the earlier refunds of the term (AL-4, BL-3): no refund, a new
//! one, or more in the one that is in review.

use licet_domain::{
    clock::Instant,
    ids::AccountId,
    money::{Money, MoneyError},
    refusal::{Reason, Refusal},
};

use super::{Refund, RefundDecision, RefundState, TermTimes, decide};
use crate::rules::refund_policy::RefundPolicy;
use crate::rules::{
    charge::{Invoice, Subject},
    credit::{self, InvoiceCredit, Source},
    money_refusal, with_clock_lead,
};

/// A request for the refund of a term.
#[derive(Clone, Debug)]
pub(crate) struct RefundClaim {
    /// The account.
    pub(crate) account_id: AccountId,
    /// The term.
    pub(crate) subject: Subject,
    /// When its use began; `None`: no certificate was active in it.
    pub(crate) first_issuance: Option<Instant>,
}

/// The invoices of a term and its earlier refunds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TermHistory<'a> {
    /// All that were issued for the term, at least one.
    pub(crate) invoices: &'a [Invoice],
    /// In any order; at most one is in review.
    pub(crate) earlier: &'a [Refund],
}

/// The decision on a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefundPlan {
    /// The refund to store. It has an id if it is the earlier one in review, which holds more now.
    pub(crate) refund: Refund,
    /// What it credits now, or holds from now on.
    pub(crate) credits: Vec<InvoiceCredit>,
    /// The earlier refund in review, which holds nothing any more: this refund credits it all.
    pub(crate) emptied_review: Option<Refund>,
}

impl TermHistory<'_> {
    fn refused(&self, error: &MoneyError) -> Refusal {
        let currency = self.invoices.first().map(|it| it.total.currency());
        match currency {
            Some(currency) => money_refusal(currency, error),
            None => Refusal::new(Reason::NotFound, "nothing was invoiced for the term"),
        }
    }

    fn in_review(&self) -> Option<&Refund> {
        let is_pending = |it: &&Refund| it.decision.state == RefundState::PendingReview;
        self.earlier.iter().find(is_pending)
    }

    /// The earlier refund that blocks the claim: unless something invoiced since is neither
    /// credited nor held.
    fn blocking_refund(&self) -> Result<Option<&Refund>, MoneyError> {
        let by_invoice = |it: &&Refund| (it.last_invoice, it.decided);
        let Some(last) = self.earlier.iter().max_by_key(by_invoice) else {
            return Ok(None);
        };
        for invoice in self.invoices {
            let is_newer = match last.last_invoice {
                Some(number) => number_of(invoice) > Some(number),
                None => invoice.issued > last.decided,
            };
            let uncredited = invoice.total.checked_sub(invoice.credited)?;
            if is_newer && uncredited.checked_sub(invoice.held)?.minor() > 0 {
                return Ok(None);
            }
        }
        Ok(Some(self.in_review().unwrap_or(last)))
    }

    /// The decision time: `given`, or else `now`, but not before the purchase of anything still
    /// refundable, nor before an earlier decision (T-5).
    ///
    /// # Errors
    /// DECISION_BEFORE_PURCHASE if `given` is before that purchase by more than clocks may differ.
    pub(crate) fn decide_at(
        &self,
        given: Option<Instant>,
        now: Instant,
    ) -> Result<Instant, Refusal> {
        let first = self.invoices.iter().map(|it| it.accepted).min();
        let left = |it: &&Invoice| it.total.minor() > it.credited.minor();
        let left = self.invoices.iter().filter(left).map(|it| it.accepted);
        let bought = left.chain(first).max();
        let at = given.unwrap_or(now);
        if let (Some(given), Some(bought)) = (given, bought)
            && with_clock_lead(given) < bought
        {
            return Err(Refusal::new(
                Reason::DecisionBeforePurchase,
                format!("decision_time {given} is before the purchase at {bought}"),
            )
            .with("decision_time", given)
            .with("accept_time", bought));
        }
        let decided = self.earlier.iter().map(|it| it.decided);
        Ok(decided.chain(bought).fold(at, Instant::max))
    }
}

impl RefundClaim {
    /// Decides the claim as of `at` (AL-4), for everything that is not credited yet.
    ///
    /// A full refund is credited at once, with what a review holds. What must be reviewed joins a
    /// review that is under way; if nothing is due, that review blocks the claim.
    ///
    /// # Errors
    /// REFUND_ALREADY_REQUESTED, ISSUANCE_OUTSIDE_TERM.
    pub(crate) fn decide(
        &self,
        policy: RefundPolicy,
        term: &TermTimes,
        history: TermHistory<'_>,
        at: Instant,
    ) -> Result<RefundPlan, Refusal> {
        let refused = |error: MoneyError| history.refused(&error);
        if let Some(earlier) = history.blocking_refund().map_err(refused)? {
            return Err(earlier.already_requested());
        }
        check_first_use(term)?;
        let decision = decide(policy, term, at);
        let review = history.in_review();
        match (decision.state, review) {
            (RefundState::PendingReview, Some(review)) => join_review(review, &decision, history),
            (RefundState::NotDue | RefundState::Rejected, Some(review)) => {
                Err(review.already_requested())
            }
            (RefundState::Refunded, review) => {
                let invoices = history.invoices.iter().cloned();
                let released: Vec<Invoice> = invoices.map(credit::release_hold).collect();
                let emptied_review = review.cloned();
                let emptied_review = emptied_review.map(|it| {
                    let held = it.creditable;
                    it.lower(held, at)
                });
                let emptied_review = emptied_review.transpose().map_err(refused)?;
                let plan = self.plan_new_refund(decision, &released, at)?;
                Ok(RefundPlan {
                    emptied_review,
                    ..plan
                })
            }
            (RefundState::PendingReview | RefundState::NotDue | RefundState::Rejected, None) => {
                self.plan_new_refund(decision, history.invoices, at)
            }
        }
    }

    /// A new refund of everything free.
    fn plan_new_refund(
        &self,
        decision: RefundDecision,
        invoices: &[Invoice],
        at: Instant,
    ) -> Result<RefundPlan, Refusal> {
        let (credits, creditable) = plan_free(invoices)?;
        let refund = Refund {
            refund_id: None,
            account_id: self.account_id,
            subject: self.subject.clone(),
            decision,
            creditable,
            refunded: Money::zero(creditable.currency()),
            first_issuance: self.first_issuance,
            decided: at,
            last_invoice: last_number(invoices),
            credit_note_ids: Vec::new(),
            review: None,
        };
        Ok(RefundPlan {
            refund,
            credits,
            emptied_review: None,
        })
    }
}

/// Adds to `review` what was invoiced since it began.
fn join_review(
    review: &Refund,
    decision: &RefundDecision,
    history: TermHistory<'_>,
) -> Result<RefundPlan, Refusal> {
    let (credits, more) = plan_free(history.invoices)?;
    let mut refund = review.clone();
    let sum = refund.creditable.checked_add(more);
    refund.creditable = sum.map_err(|error| history.refused(&error))?;
    refund.last_invoice = last_number(history.invoices);
    refund.decision.explanation = format!(
        "{}; {more} invoiced since joins it: {}",
        refund.decision.explanation, decision.explanation
    );
    Ok(RefundPlan {
        refund,
        credits,
        emptied_review: None,
    })
}

/// Credits of everything that is neither credited nor held, and their sum.
fn plan_free(invoices: &[Invoice]) -> Result<(Vec<InvoiceCredit>, Money), Refusal> {
    let Some(first) = invoices.first() else {
        return Err(Refusal::new(
            Reason::NotFound,
            "nothing was invoiced for the term",
        ));
    };
    let zero = Money::zero(first.total.currency());
    let creditable = credit::creditable(invoices)?;
    let requests = credit::request_all(&creditable, Source::Free)?;
    let credits = credit::plan(&creditable, &requests, Source::Free, zero)?;
    let (sum, _) = credit::totals(&credits, zero)?;
    Ok((credits, sum))
}

fn last_number(invoices: &[Invoice]) -> Option<i64> {
    invoices.iter().filter_map(number_of).max()
}

/// Its place in the series: a store has one seller.
fn number_of(invoice: &Invoice) -> Option<i64> {
    invoice.number.as_ref().map(|it| it.number)
}

/// ISSUANCE_OUTSIDE_TERM unless the first use is within the term.
fn check_first_use(term: &TermTimes) -> Result<(), Refusal> {
    let TermTimes { start, end, .. } = *term;
    let outside = term
        .first_use
        .filter(|first| *first < start || *first >= end);
    let Some(first) = outside else {
        return Ok(());
    };
    Err(Refusal::new(
        Reason::IssuanceOutsideTerm,
        format!("first_issuance_time {first} is outside the term from {start} to {end}"),
    )
    .with("first_issuance_time", first)
    .with("start_time", start)
    .with("end_time", end))
}

#[cfg(test)]
mod tests {
    use licet_domain::ids::{InvoiceId, QuoteId, RefundId};

    use super::*;
    use crate::rules::{numbers::DocumentNumber, refund_policy::RefundCount};

    fn at(text: &str) -> Instant {
        text.parse().unwrap()
    }

    fn usd(minor: i64) -> Money {
        Money::from_minor("USD".parse().unwrap(), minor)
    }

    fn invoice(number: i64, issued: &str) -> Invoice {
        Invoice {
            invoice_id: Some(InvoiceId::generate()),
            number: Some(DocumentNumber::sample(number)),
            account_id: AccountId::generate(),
            quote_id: QuoteId::generate(),
            subject: None,
            lines: Vec::new(),
            total: usd(9_800),
            paid: usd(9_800),
            credited: usd(0),
            returned: usd(0),
            held: usd(0),
            accepted: at(issued),
            issued: at(issued),
            due_time: None,
        }
    }

    fn rejected(decided: &str, last_invoice: Option<i64>) -> Refund {
        Refund {
            refund_id: Some(RefundId::generate()),
            account_id: AccountId::generate(),
            subject: Subject {
                resource_id: "ord_1".to_owned(),
                term_index: 0,
            },
            decision: RefundDecision {
                state: RefundState::Rejected,
                count: RefundCount::FirstIssuance,
                counted_from: None,
                full_until: None,
                review_until: None,
                explanation: String::new(),
            },
            creditable: usd(9_800),
            refunded: usd(0),
            first_issuance: None,
            decided: at(decided),
            last_invoice,
            credit_note_ids: Vec::new(),
            review: None,
        }
    }

    /// AL-4: later invoices are found by number, or by time if an older version decided and stored
    /// no number.
    #[test]
    fn al_4_an_earlier_refund_stands_until_something_is_invoiced() {
        let decided = "2026-01-27T00:00:00Z";
        let first = invoice(7, "2026-01-01T00:00:00Z");
        let second = invoice(9, "2026-01-27T00:00:00Z");
        let third = invoice(10, "2026-01-28T00:00:00Z");
        let credited = Invoice {
            credited: usd(9_800),
            ..third.clone()
        };
        for (last_invoice, invoices, stands) in [
            (Some(7), vec![&first], true),
            (Some(7), vec![&first, &second], false),
            (Some(9), vec![&first, &second], true),
            (Some(9), vec![&first, &credited], true),
            (None, vec![&first, &second], true),
            (None, vec![&first, &third], false),
        ] {
            let invoices: Vec<Invoice> = invoices.into_iter().cloned().collect();
            let history = TermHistory {
                invoices: &invoices,
                earlier: &[rejected(decided, last_invoice)],
            };
            let found = history.blocking_refund().unwrap();
            assert_eq!(found.is_some(), stands, "{last_invoice:?} {invoices:?}");
        }
    }
}
