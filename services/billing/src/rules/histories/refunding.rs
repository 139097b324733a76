//! Steps of refunds: requests for a term, first and repeated, and reviews (AL-4, BL-3).

use licet_domain::{clock::Instant, ids::RefundId, refusal::Reason};

use super::{
    Dice, Unfinished,
    books::{Books, DAY_MICROS, shifted},
};
use crate::rules::{
    charge::{Invoice, Subject},
    credit::{LineCredit, RequestedCredit, creditable, totals},
    refund::{
        self, Approval, RefundState, Review, TermTimes,
        claim::{RefundClaim, RefundPlan, TermHistory},
    },
    refund_policy::{RefundCount, RefundPolicy},
};

/// How far clocks may differ (T-5).
const CLOCKS_DIFFER_MICROS: i64 = 5 * 60 * 1_000_000;

impl Books {
    /// The index of the refund in review of a term.
    pub(super) fn in_review(&self, subject: &Subject) -> Option<usize> {
        self.refunds.iter().position(|it| {
            it.subject == *subject && it.decision.state == RefundState::PendingReview
        })
    }

    /// AL-4: requests the refund of a term, counted from its first use or its purchase.
    pub(super) fn refund(&mut self, dice: &mut Dice<'_>) -> Result<(), Unfinished> {
        // A charged term, possibly with nothing left to refund.
        let subject = dice.pick(&self.invoices).and_then(|it| it.subject.clone());
        let subject = subject.ok_or(Unfinished::Idle)?;
        let places = self.of_subject(&subject);
        let invoices: Vec<Invoice> = places.iter().map(|it| self.invoices[*it].clone()).collect();
        let policy = self.sold_with(&invoices[0]);
        let term = term_of(&invoices, dice, policy, self.now);
        let given = match dice.below(6) {
            0 => Some(shifted(self.now, -dice.minor(0, 60 * DAY_MICROS))),
            1 => Some(shifted(self.now, -dice.minor(0, CLOCKS_DIFFER_MICROS))),
            _ => None,
        };
        let mut earlier = self.refunds.clone();
        earlier.retain(|it| it.subject == subject);
        let history = TermHistory {
            invoices: &invoices,
            earlier: &earlier,
        };
        let claim = RefundClaim {
            account_id: self.account.account_id,
            subject: subject.clone(),
            first_issuance: term.first_use,
        };
        let answer = history
            .decide_at(given, self.now)
            .and_then(|at| claim.decide(policy, &term, history, at));
        let foretold = self.foretell(&subject, policy, &term, given);
        let reason = foretold.as_ref().err().copied();
        let decided = Unfinished::foretold(answer, reason.as_slice())?;
        let (at, state) = foretold.unwrap();
        assert_eq!(decided.refund.decision.state, state, "AL-4: {decided:?}");
        self.keep_refund(decided, &places, at);
        Ok(())
    }

    /// The refund policy that a term's first invoice was sold with.
    fn sold_with(&self, first: &Invoice) -> RefundPolicy {
        let sold = &first.lines[0].line;
        let of_it = |it: &&crate::rules::catalog::ProductVersion| {
            it.product_id == sold.product_id && it.version == sold.product_version
        };
        let version = self.versions.iter().find(of_it);
        version.unwrap().product.policy.refund()
    }

    /// The decision time and the state of a refund, or the reason why it is refused.
    fn foretell(
        &self,
        subject: &Subject,
        policy: RefundPolicy,
        term: &TermTimes,
        given: Option<Instant>,
    ) -> Result<(Instant, RefundState), Reason> {
        let places = self.of_subject(subject);
        let left = |place: &&usize| {
            let invoice = &self.invoices[**place];
            invoice.total.minor() > invoice.credited.minor()
        };
        let left = places
            .iter()
            .filter(left)
            .map(|it| self.invoices[*it].accepted);
        let bought = left.max().unwrap_or(term.bought).max(term.bought);
        if given.is_some_and(|at| at.micros_until(bought) > CLOCKS_DIFFER_MICROS) {
            return Err(Reason::DecisionBeforePurchase);
        }
        let mut at = given.unwrap_or(self.now).max(bought);
        let mut seen = None;
        for (refund, invoices) in self.refunds.iter().zip(&self.seen) {
            if refund.subject == *subject {
                at = at.max(refund.decided);
                seen = seen.max(Some(*invoices));
            }
        }
        let is_free = |place: &usize| {
            let invoice = &self.invoices[*place];
            invoice.total.minor() > invoice.credited.minor() + invoice.held.minor()
        };
        let news = places.iter().filter(|place| Some(**place) >= seen);
        if seen.is_some() && !news.into_iter().any(is_free) {
            return Err(Reason::RefundAlreadyRequested);
        }
        let outside = |first: Instant| first < term.start || first >= term.end;
        if term.first_use.is_some_and(outside) {
            return Err(Reason::IssuanceOutsideTerm);
        }
        let state = foretold_refund(policy, term, at);
        if state == RefundState::NotDue && self.in_review(subject).is_some() {
            return Err(Reason::RefundAlreadyRequested);
        }
        Ok((at, state))
    }

    /// Carries out the decision, and checks it against what is left of the invoices.
    fn keep_refund(&mut self, decided: RefundPlan, places: &[usize], at: Instant) {
        let RefundPlan {
            mut refund,
            credits,
            emptied_review,
        } = decided;
        let left = |books: &Self, place: &usize| {
            let invoice = &books.invoices[*place];
            invoice.total.minor() - invoice.credited.minor()
        };
        let whole: i64 = places.iter().map(|place| left(self, place)).sum();
        let held: i64 = places
            .iter()
            .map(|it| self.invoices[*it].held.minor())
            .sum();
        let review = self.in_review(&refund.subject);
        let (all, _) = totals(&credits, self.money(0)).unwrap();
        match refund.decision.state {
            RefundState::Refunded => {
                assert_eq!(all.minor(), whole, "AL-4: everything is what is left");
                assert_eq!(emptied_review.is_some(), review.is_some());
                if let (Some(emptied_review), Some(review)) = (emptied_review, review) {
                    assert_eq!(emptied_review.creditable.minor(), 0, "BL-3");
                    self.refunds[review] = emptied_review;
                    self.release_holds(places);
                }
                refund.credit_note_ids = self.take_off(&credits);
                refund.refunded = all;
                for place in places {
                    assert_eq!(left(self, place), 0, "AL-4");
                }
            }
            RefundState::PendingReview => {
                assert_eq!(all.minor(), whole - held, "BL-3");
                assert_eq!(refund.creditable.minor(), whole, "BL-3");
                self.hold_creditable(places);
            }
            RefundState::NotDue | RefundState::Rejected => {}
        }
        if refund.refund_id.is_some() {
            let review = review.unwrap();
            assert_eq!(refund.refund_id, self.refunds[review].refund_id);
            self.refunds[review] = refund;
            self.seen[review] = self.invoices.len();
            return;
        }
        assert_eq!(refund.decided, at, "T-5");
        refund.refund_id = Some(RefundId::generate());
        self.refunds.push(refund);
        self.seen.push(self.invoices.len());
    }

    /// AL-4: an operator grants a part of what is held, or rejects.
    pub(super) fn review(&mut self, dice: &mut Dice<'_>) -> Result<(), Unfinished> {
        let all: Vec<usize> = (0..self.refunds.len()).collect();
        let is_pending =
            |it: &usize| self.refunds[*it].decision.state == RefundState::PendingReview;
        let pending: Vec<usize> = all.iter().copied().filter(is_pending).collect();
        let which = if dice.once_in(6) {
            dice.pick(&all)
        } else {
            dice.pick(&pending)
        };
        let which = *which.ok_or(Unfinished::Idle)?;
        let refund = self.refunds[which].clone();
        let not_pending: &[Reason] = if pending.contains(&which) {
            &[]
        } else {
            &[Reason::RefundNotPending]
        };
        let review = Review {
            reviewer: "finance".to_owned(),
            reason: "as agreed".to_owned(),
            time: self.now,
        };
        let places = self.of_subject(&refund.subject);
        if dice.once_in(4) {
            let rejected = Unfinished::foretold(refund.reject(review), not_pending)?;
            assert_eq!(rejected.decision.state, RefundState::Rejected);
            self.refunds[which] = rejected;
            self.release_holds(&places);
            return Ok(());
        }
        Unfinished::foretold(refund.check_pending(), not_pending)?;
        let invoices: Vec<Invoice> = places.iter().map(|it| self.invoices[*it].clone()).collect();
        let (approval, granted, exceeds) = self.some_approval(&invoices, dice);
        let zero = self.money(0);
        let held = creditable(&invoices).unwrap();
        let reasons: &[Reason] = if exceeds {
            &[Reason::CreditExceedsInvoice]
        } else {
            &[]
        };
        let credits = Unfinished::foretold(refund::plan_approval(&held, &approval, zero), reasons)?;
        // The preview is this plan; the credits must equal it to the cent (BL-1, M-3).
        let (total, returned) = totals(&credits, zero).unwrap();
        assert_eq!(total.minor(), granted, "M-3: {approval:?}");
        let before = self.account.clone();
        self.release_holds(&places);
        let ids = self.take_off(&credits);
        assert_eq!(
            self.account.balance.minor() - before.balance.minor(),
            returned.minor()
        );
        assert_eq!(
            before.due.minor() - self.account.due.minor(),
            granted - returned.minor()
        );
        let refund = refund.approve(total, ids, review).unwrap();
        assert_eq!(refund.decision.state, RefundState::Refunded);
        self.refunds[which] = refund;
        Ok(())
    }

    /// An approval, how much it grants, and whether that is too much.
    fn some_approval(&self, invoices: &[Invoice], dice: &mut Dice<'_>) -> (Approval, i64, bool) {
        let held: i64 = invoices.iter().map(|it| it.held.minor()).sum();
        match dice.below(4) {
            0 => (Approval::Whole, held, false),
            1 => {
                let more = self.money(held + 1);
                (Approval::Amount(more), held + 1, true)
            }
            2 => {
                let amount = dice.minor(1, held.max(1));
                (Approval::Amount(self.money(amount)), amount, amount > held)
            }
            _ => {
                let (mut asked, mut granted, mut exceeds) = (Vec::new(), 0, false);
                for invoice in invoices {
                    for line in invoice.lines.iter().map(|it| it.creditable) {
                        if dice.once_in(2) {
                            continue;
                        }
                        let amount = dice.minor(1, (line.held.minor() * 9 / 8).max(1));
                        exceeds |= amount > line.held.minor();
                        granted += amount;
                        let (line_number, amount) = (line.line_number, self.money(amount));
                        asked.push(RequestedCredit {
                            invoice_id: invoice.invoice_id.unwrap(),
                            line: LineCredit {
                                line_number,
                                amount,
                            },
                        });
                    }
                }
                (Approval::Lines(asked), granted, exceeds)
            }
        }
    }
}

/// The times of the term: in use since around one of both limits before `now`, to the microsecond,
/// or never.
fn term_of(
    invoices: &[Invoice],
    dice: &mut Dice<'_>,
    policy: RefundPolicy,
    now: Instant,
) -> TermTimes {
    let (full, none) = limits(policy);
    let elapsed = match dice.below(8) {
        0 => None,
        1 => Some(full),
        2 => Some(none),
        3 => Some(none + 1),
        4 => Some(dice.minor(0, 40 * DAY_MICROS)),
        _ => Some(dice.minor(full.min(none - 1) + 1, none)),
    };
    let lines = || invoices.iter().flat_map(|it| &it.lines);
    let start = lines().map(|it| it.line.term_start).min().unwrap();
    let first_use = elapsed.map(|elapsed| shifted(now, -elapsed));
    // Mostly not before the term begins.
    let outside = dice.once_in(8);
    let first_use = first_use.map(|first| if outside { first } else { first.max(start) });
    TermTimes {
        bought: invoices.iter().map(|it| it.accepted).min().unwrap(),
        start,
        end: lines().map(|it| it.line.term_end).max().unwrap(),
        first_use,
    }
}

/// Both limits in microseconds.
fn limits(policy: RefundPolicy) -> (i64, i64) {
    let micros = |days: u32| i64::from(days) * DAY_MICROS;
    (
        micros(policy.full_refund_days),
        micros(policy.no_refund_days),
    )
}

/// AL-4 from its words: a term that has not begun is refunded in full. Otherwise the days since the
/// purchase, or since the first use, decide. If the first use counts and there was none, the refund is full
/// until the term ends.
fn foretold_refund(policy: RefundPolicy, term: &TermTimes, now: Instant) -> RefundState {
    let (full, none) = limits(policy);
    if now.as_micros() < term.start.as_micros() {
        return RefundState::Refunded;
    }
    let since = match policy.count {
        RefundCount::Purchase => Some(term.bought),
        RefundCount::FirstIssuance => term.first_use,
    };
    let Some(since) = since else {
        return match now.as_micros() < term.end.as_micros() {
            true => RefundState::Refunded,
            false => RefundState::NotDue,
        };
    };
    match now.as_micros() - since.as_micros() {
        elapsed if elapsed <= full => RefundState::Refunded,
        elapsed if elapsed <= none => RefundState::PendingReview,
        _ => RefundState::NotDue,
    }
}
