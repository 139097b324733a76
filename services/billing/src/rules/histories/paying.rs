//! Steps that move money: deposits and what takes them back, payments, credits, refunds and their
//! reviews, and how the account pays.

use licet_domain::{
    clock::Instant,
    ids::{CreditNoteId, RefundId},
    money::Money,
    refusal::Reason,
};

use super::{
    Dice, Outcome,
    books::{Books, DAY_MICROS, shifted},
};
use crate::rules::{
    account::{AccountKind, Terms},
    charge::Invoice,
    credit::{
        CreditNote, InvoiceCredit, LineAsked, LineCredit, Source, creditable, credited, everything,
        plan, plan_goodwill, totals,
    },
    ledger::{Entry, EntryKind, LedgerEntry},
    refund::{self, Approval, Refund, RefundCount, RefundPolicy, RefundState, Review, TermFacts},
};

impl Books {
    pub(super) fn deposit(&mut self, dice: &mut Dice<'_>) -> Result<(), Outcome> {
        let amount = self.money(dice.minor(1, 3_000_000));
        let balance = Outcome::foretold(self.account.balance_with(amount), &[])?;
        self.post(vec![Entry::deposit(amount, "wire".to_owned()).unwrap()]);
        self.money_in += amount.minor();
        assert_eq!(self.account.balance, balance);
        Ok(())
    }

    pub(super) fn withdraw(&mut self, dice: &mut Dice<'_>) -> Result<(), Outcome> {
        let held = self.account.balance.minor();
        // The last cent, one more, and what lies around.
        let amount = match dice.below(4) {
            0 => held.max(1),
            1 => held + 1,
            _ => dice.minor(1, 2 * held + 1),
        };
        let amount = self.money(amount);
        let reasons = insufficient(amount.minor() > held);
        let balance = Outcome::foretold(self.account.balance_without(amount), reasons)?;
        self.post(vec![Entry::withdrawal(amount, "wire".to_owned()).unwrap()]);
        self.money_out += amount.minor();
        assert_eq!(self.account.balance, balance);
        Ok(())
    }

    pub(super) fn reverse(&mut self, dice: &mut Dice<'_>) -> Result<(), Outcome> {
        // The newest and the oldest alike, and most often one that can be.
        let transfers: Vec<&LedgerEntry> =
            self.entries.iter().filter(|it| is_transfer(it)).collect();
        let entry = if dice.once_in(5) {
            dice.pick(&self.entries)
        } else {
            dice.pick(&transfers).copied()
        };
        let entry = entry.ok_or(Outcome::Idle)?.clone();
        let id = entry.entry_id.unwrap();
        let earlier = self.entries.iter().find(|it| {
            matches!(&it.cause, crate::rules::ledger::Cause::Reversal { reverses, .. } if *reverses == id)
        });
        let moved = entry
            .postings
            .iter()
            .map(|it| it.amount.minor().abs())
            .max()
            .unwrap();
        let reason = if !is_transfer(&entry) {
            Some(Reason::EntryNotReversible)
        } else if earlier.is_some() {
            Some(Reason::EntryAlreadyReversed)
        } else if entry.kind == EntryKind::Deposit && moved > self.account.balance.minor() {
            Some(Reason::InsufficientFunds)
        } else {
            None
        };
        let earlier = earlier.and_then(|it| it.entry_id);
        let reversal = entry
            .reversal("by mistake".to_owned(), earlier)
            .and_then(|reversal| {
                if entry.kind == EntryKind::Deposit {
                    self.account.balance_without(self.money(moved))?;
                }
                Ok(reversal)
            });
        let reversal = Outcome::foretold(reversal, reason.as_slice())?;
        self.post(vec![reversal]);
        // A deposit taken back is money given back, and a withdrawal taken back came in again.
        if entry.kind == EntryKind::Deposit {
            self.money_out += moved;
        } else {
            self.money_in += moved;
        }
        Ok(())
    }

    pub(super) fn pay(&mut self, dice: &mut Dice<'_>) -> Result<(), Outcome> {
        let open = |it: &usize| self.invoices[*it].due().unwrap().minor() > 0;
        let all: Vec<usize> = (0..self.invoices.len()).collect();
        let opens: Vec<usize> = all.iter().copied().filter(open).collect();
        let place = if dice.once_in(6) {
            dice.pick(&all)
        } else {
            dice.pick(&opens)
        };
        let place = *place.ok_or(Outcome::Idle)?;
        let invoice = self.invoices[place].clone();
        let due = invoice.due().unwrap().minor();
        let amount = match dice.below(4) {
            0 => None,
            1 => Some(due + 1),
            _ => Some(dice.minor(1, due.max(1))),
        };
        let paid = amount.unwrap_or(due);
        let reason = if due == 0 {
            Some(Reason::InvoiceNotOpen)
        } else if paid > due {
            Some(Reason::PaymentExceedsDue)
        } else if paid > self.account.balance.minor() {
            Some(Reason::InsufficientFunds)
        } else {
            None
        };
        let answer = invoice
            .pay(amount.map(|minor| self.money(minor)))
            .and_then(|it| {
                self.account.balance_without(it.1)?;
                Ok(it)
            });
        let (invoice, amount) = Outcome::foretold(answer, reason.as_slice())?;
        assert_eq!(amount.minor(), paid);
        assert_eq!(invoice.due().unwrap().minor(), due - paid);
        self.post(vec![
            Entry::payment(amount, invoice.invoice_id.unwrap()).unwrap(),
        ]);
        self.invoices[place] = invoice;
        Ok(())
    }

    /// Goodwill on some lines, or on all that is left.
    pub(super) fn credit(&mut self, dice: &mut Dice<'_>) -> Result<(), Outcome> {
        let invoice = dice.pick(&self.invoices).ok_or(Outcome::Idle)?.clone();
        let mut lines = Vec::new();
        let mut exceeds = false;
        let mut expected = 0;
        let whole = dice.once_in(4);
        for line in &invoice.lines {
            let line = line.creditable;
            let free = line.amount.minor() - line.credited.minor() - line.held.minor();
            if whole {
                expected += free;
            } else if dice.once_in(2) {
                let amount = match dice.below(6) {
                    0 => free + 1,
                    1 => free.max(1),
                    _ => dice.minor(1, free.max(1)),
                };
                exceeds |= amount > free;
                expected += amount;
                lines.push(LineCredit {
                    line_number: line.line_number,
                    amount: self.money(amount),
                });
            }
        }
        if !whole && lines.is_empty() {
            return Err(Outcome::Idle);
        }
        exceeds |= expected == 0;
        let reasons: &[Reason] = if exceeds {
            &[Reason::CreditExceedsInvoice]
        } else {
            &[]
        };
        let credit = Outcome::foretold(plan_goodwill(&invoice, &lines), reasons)?;
        assert_eq!(credit.total.minor(), expected);
        self.take_off(&[credit]);
        Ok(())
    }

    /// AL-4: the refund of a term, judged from its first use or from its purchase.
    pub(super) fn refund(&mut self, dice: &mut Dice<'_>) -> Result<(), Outcome> {
        // Of what was charged, or of what has nothing to refund.
        let subject = dice.pick(&self.invoices).and_then(|it| it.subject.clone());
        let subject = subject.ok_or(Outcome::Idle)?;
        let places = self.of_subject(&subject);
        let invoices: Vec<Invoice> = places.iter().map(|it| self.invoices[*it].clone()).collect();
        let earlier = self.refunds.iter().find(|it| it.subject == subject);
        if let Some(earlier) = earlier {
            let stands = Err::<(), _>(earlier.stands());
            return Outcome::foretold(stands, &[Reason::RefundAlreadyRequested]);
        }
        let sold = &invoices[0].lines[0].line;
        let policy = self
            .versions
            .iter()
            .find(|it| it.product_id == sold.product_id && it.version == sold.product_version)
            .unwrap()
            .product
            .policy
            .refund();
        // Around both limits, to the microsecond.
        let (full, none) = (policy.full_refund_days, policy.no_refund_days);
        let (full, none) = (i64::from(full) * DAY_MICROS, i64::from(none) * DAY_MICROS);
        let elapsed = match dice.below(8) {
            0 => None,
            1 => Some(full),
            2 => Some(none),
            3 => Some(none + 1),
            4 => Some(dice.minor(0, 40 * DAY_MICROS)),
            _ => Some(dice.minor(full.min(none - 1) + 1, none)),
        };
        let first_issuance = elapsed.map(|elapsed| shifted(self.now, -elapsed));
        let lines = || invoices.iter().flat_map(|it| &it.lines);
        let term = TermFacts {
            bought: invoices.iter().map(|it| it.accepted).min().unwrap(),
            start: lines().map(|it| it.line.term_start).min().unwrap(),
            end: lines().map(|it| it.line.term_end).max().unwrap(),
            first_use: first_issuance,
        };
        let decision = refund::decide(policy, &term, self.now);
        let foretold = foretold_refund(policy, &term, (full, none), self.now);
        assert_eq!(decision.state, foretold, "AL-4: {decision:?}");

        let zero = self.money(0);
        let planned = creditable(&invoices).and_then(|them| {
            let asked = everything(&them, Source::Free)?;
            plan(&them, &asked, Source::Free, zero)
        });
        let credits = Outcome::foretold(planned, &[])?;
        let free = |it: &Invoice| it.total.minor() - it.credited.minor() - it.held.minor();
        let whole: i64 = invoices.iter().map(free).sum();
        let (all, _) = totals(&credits, zero).unwrap();
        assert_eq!(all.minor(), whole, "AL-4: everything is what is left");
        let mut refund = Refund {
            refund_id: Some(RefundId::generate()),
            account_id: self.account.account_id,
            subject,
            decision,
            creditable: all,
            refunded: zero,
            first_issuance,
            decided: self.now,
            credit_note_ids: Vec::new(),
            review: None,
        };
        match refund.decision.state {
            RefundState::Refunded => {
                refund.credit_note_ids = self.take_off(&credits);
                refund.refunded = all;
                for place in places {
                    assert_eq!(free(&self.invoices[place]), 0, "AL-4");
                }
            }
            RefundState::PendingReview => self.hold_whole(&places),
            RefundState::NotDue | RefundState::Rejected => {}
        }
        self.refunds.push(refund);
        Ok(())
    }

    /// AL-4: an operator grants a part of what is held, or nothing.
    pub(super) fn review(&mut self, dice: &mut Dice<'_>) -> Result<(), Outcome> {
        let all: Vec<usize> = (0..self.refunds.len()).collect();
        let is_pending =
            |it: &usize| self.refunds[*it].decision.state == RefundState::PendingReview;
        let pending: Vec<usize> = all.iter().copied().filter(is_pending).collect();
        let which = if dice.once_in(6) {
            dice.pick(&all)
        } else {
            dice.pick(&pending)
        };
        let which = *which.ok_or(Outcome::Idle)?;
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
            let rejected = Outcome::foretold(refund.reject(review), not_pending)?;
            assert_eq!(rejected.decision.state, RefundState::Rejected);
            self.refunds[which] = rejected;
            self.release_whole(&places);
            return Ok(());
        }
        Outcome::foretold(refund.check_pending(), not_pending)?;
        let invoices: Vec<Invoice> = places.iter().map(|it| self.invoices[*it].clone()).collect();
        let (approval, granted, exceeds) = self.some_approval(&invoices, dice);
        let zero = self.money(0);
        let held = creditable(&invoices).unwrap();
        let reasons: &[Reason] = if exceeds {
            &[Reason::CreditExceedsInvoice]
        } else {
            &[]
        };
        let credits = Outcome::foretold(refund::plan_approval(&held, &approval, zero), reasons)?;
        // The preview is this plan, and the outcome must be it to the cent (BL-1, M-3).
        let (total, returned) = totals(&credits, zero).unwrap();
        assert_eq!(total.minor(), granted, "M-3: {approval:?}");
        let before = self.account.clone();
        self.release_whole(&places);
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

    /// What to grant of what is held, how much that is, and whether it is too much.
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
                        asked.push(LineAsked {
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

    pub(super) fn change_terms(&mut self, dice: &mut Dice<'_>) -> Result<(), Outcome> {
        let terms = if dice.once_in(2) {
            Terms::Prepaid
        } else {
            self.some_terms(dice)
        };
        let has_due = self.account.due.minor() > 0 && terms.kind() == AccountKind::Prepaid;
        let reasons: &[Reason] = if has_due {
            &[Reason::AccountHasDue]
        } else {
            &[]
        };
        Outcome::foretold(self.account.check_terms(&terms), reasons)?;
        self.account.terms = terms;
        Ok(())
    }

    /// Takes planned credits off their invoices, and books them.
    fn take_off(&mut self, credits: &[InvoiceCredit]) -> Vec<CreditNoteId> {
        let mut ids = Vec::new();
        for credit in credits {
            let of_it = |it: &Invoice| it.invoice_id == Some(credit.invoice_id);
            let place = self.invoices.iter().position(of_it).unwrap();
            let before = self.invoices[place].clone();
            let after = credited(before.clone(), credit).unwrap();
            // BL-4: what was never paid never becomes money to spend.
            let due = before.due().unwrap().minor();
            let unpaid = due.min(credit.total.minor());
            assert_eq!(
                credit.returned.minor(),
                credit.total.minor() - unpaid,
                "BL-4"
            );
            assert_eq!(credit.due.minor(), due - unpaid, "BL-4");
            assert_eq!(after.due().unwrap(), credit.due, "BL-4");
            let id = CreditNoteId::generate();
            let entry = Entry::credit_note(credit.total, credit.returned, id).unwrap();
            self.post(vec![entry]);
            self.invoices[place] = after;
            self.notes.push(CreditNote {
                credit_note_id: Some(id),
                ..CreditNote::draft(self.account.account_id, credit, "goodwill", self.now)
            });
            ids.push(id);
        }
        ids
    }

    /// BL-3: all that is neither credited nor held is held.
    fn hold_whole(&mut self, places: &[usize]) {
        for place in places {
            let invoice = &mut self.invoices[*place];
            for line in &mut invoice.lines {
                let free = line.creditable.creditable().unwrap();
                line.creditable.held = line.creditable.held.checked_add(free).unwrap();
                invoice.held = invoice.held.checked_add(free).unwrap();
            }
        }
    }

    fn release_whole(&mut self, places: &[usize]) {
        let zero = Money::zero(self.currency());
        for place in places {
            let invoice = &mut self.invoices[*place];
            invoice.held = zero;
            for line in &mut invoice.lines {
                line.creditable.held = zero;
            }
        }
    }
}

fn insufficient(is_short: bool) -> &'static [Reason] {
    if is_short {
        &[Reason::InsufficientFunds]
    } else {
        &[]
    }
}

fn is_transfer(entry: &LedgerEntry) -> bool {
    matches!(entry.kind, EntryKind::Deposit | EntryKind::Withdrawal)
}

/// AL-4, worked out from its words: what has not begun goes back whole; else the days since the
/// purchase or the first use decide, and where nothing is counted whether the term is over.
fn foretold_refund(
    policy: RefundPolicy,
    term: &TermFacts,
    (full, none): (i64, i64),
    now: Instant,
) -> RefundState {
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
