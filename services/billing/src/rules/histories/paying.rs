//! Steps that move money: deposits and reversals, withdrawals, payments, credits, and payment
//! terms.

use licet_domain::{ids::CreditNoteId, money::Money, refusal::Reason};

use super::{Dice, Unfinished, books::Books};
use crate::rules::{
    account::{AccountKind, PaymentTerms},
    charge::Invoice,
    credit::{CreditNote, InvoiceCredit, LineCredit, apply_credit, plan_goodwill, release_hold},
    ledger::{Entry, EntryKind, LedgerEntry},
};

impl Books {
    pub(super) fn deposit(&mut self, dice: &mut Dice<'_>) -> Result<(), Unfinished> {
        let amount = self.money(dice.minor(1, 3_000_000));
        let balance = Unfinished::foretold(self.account.balance_with(amount), &[])?;
        self.post(vec![Entry::deposit(amount, "wire".to_owned()).unwrap()]);
        self.money_in += amount.minor();
        assert_eq!(self.account.balance, balance);
        Ok(())
    }

    pub(super) fn withdraw(&mut self, dice: &mut Dice<'_>) -> Result<(), Unfinished> {
        let held = self.account.balance.minor();
        // The last cent, one more, and amounts around them.
        let amount = match dice.below(4) {
            0 => held.max(1),
            1 => held + 1,
            _ => dice.minor(1, 2 * held + 1),
        };
        let amount = self.money(amount);
        let reasons = insufficient(amount.minor() > held);
        let balance = Unfinished::foretold(self.account.balance_without(amount), reasons)?;
        self.post(vec![Entry::withdrawal(amount, "wire".to_owned()).unwrap()]);
        self.money_out += amount.minor();
        assert_eq!(self.account.balance, balance);
        Ok(())
    }

    pub(super) fn reverse(&mut self, dice: &mut Dice<'_>) -> Result<(), Unfinished> {
        // Mostly an entry that can be reversed.
        let transfers: Vec<&LedgerEntry> =
            self.entries.iter().filter(|it| is_transfer(it)).collect();
        let entry = if dice.once_in(5) {
            dice.pick(&self.entries)
        } else {
            dice.pick(&transfers).copied()
        };
        let entry = entry.ok_or(Unfinished::Idle)?.clone();
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
        let reversal = Unfinished::foretold(reversal, reason.as_slice())?;
        self.post(vec![reversal]);
        // A reversed deposit is money paid out, a reversed withdrawal money received.
        if entry.kind == EntryKind::Deposit {
            self.money_out += moved;
        } else {
            self.money_in += moved;
        }
        Ok(())
    }

    pub(super) fn pay(&mut self, dice: &mut Dice<'_>) -> Result<(), Unfinished> {
        let open = |it: &usize| self.invoices[*it].due().unwrap().minor() > 0;
        let all: Vec<usize> = (0..self.invoices.len()).collect();
        let opens: Vec<usize> = all.iter().copied().filter(open).collect();
        let place = if dice.once_in(6) {
            dice.pick(&all)
        } else {
            dice.pick(&opens)
        };
        let place = *place.ok_or(Unfinished::Idle)?;
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
        let (invoice, amount) = Unfinished::foretold(answer, reason.as_slice())?;
        assert_eq!(amount.minor(), paid);
        assert_eq!(invoice.due().unwrap().minor(), due - paid);
        self.post(vec![
            Entry::payment(amount, invoice.invoice_id.unwrap()).unwrap(),
        ]);
        self.invoices[place] = invoice;
        Ok(())
    }

    /// Goodwill on some lines or on everything left, or a cancelled domain change.
    pub(super) fn credit(&mut self, dice: &mut Dice<'_>) -> Result<(), Unfinished> {
        let invoice = dice.pick(&self.invoices).ok_or(Unfinished::Idle)?.clone();
        if dice.once_in(4) {
            return self.credit_whole(invoice);
        }
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
            return Err(Unfinished::Idle);
        }
        exceeds |= expected == 0;
        let reasons: &[Reason] = if exceeds {
            &[Reason::CreditExceedsInvoice]
        } else {
            &[]
        };
        let credit = Unfinished::foretold(plan_goodwill(&invoice, &lines), reasons)?;
        assert_eq!(credit.total.minor(), expected);
        self.take_off(&[credit]);
        Ok(())
    }

    /// MD-7: the charge of a cancelled domain change is credited in full, and a review holds that
    /// much less (BL-3).
    fn credit_whole(&mut self, invoice: Invoice) -> Result<(), Unfinished> {
        let left = invoice.total.minor() - invoice.credited.minor();
        let reasons: &[Reason] = if left == 0 {
            &[Reason::CreditExceedsInvoice]
        } else {
            &[]
        };
        let held = invoice.held;
        let released = release_hold(invoice);
        let credit = Unfinished::foretold(plan_goodwill(&released, &[]), reasons)?;
        assert_eq!(credit.total.minor(), left, "MD-7");
        let place = self
            .invoices
            .iter()
            .position(|it| it.invoice_id == released.invoice_id)
            .unwrap();
        if held.minor() > 0 {
            let subject = released.subject.clone().unwrap();
            let review = self.in_review(&subject).unwrap();
            let before = self.refunds[review].clone();
            let after = before.clone().lower(held, self.now).unwrap();
            let less = before.creditable.minor() - after.creditable.minor();
            assert_eq!(less, held.minor(), "BL-3");
            self.refunds[review] = after;
        }
        self.invoices[place] = released;
        self.take_off(&[credit]);
        Ok(())
    }

    pub(super) fn change_terms(&mut self, dice: &mut Dice<'_>) -> Result<(), Unfinished> {
        let terms = if dice.once_in(2) {
            PaymentTerms::Prepaid
        } else {
            self.some_terms(dice)
        };
        let has_due = self.account.due.minor() > 0 && terms.kind() == AccountKind::Prepaid;
        let reasons: &[Reason] = if has_due {
            &[Reason::AccountHasDue]
        } else {
            &[]
        };
        Unfinished::foretold(self.account.check_terms(&terms), reasons)?;
        self.account.terms = terms;
        Ok(())
    }

    /// Applies planned credits to their invoices, and books them.
    pub(super) fn take_off(&mut self, credits: &[InvoiceCredit]) -> Vec<CreditNoteId> {
        let mut ids = Vec::new();
        for credit in credits {
            let of_it = |it: &Invoice| it.invoice_id == Some(credit.invoice_id);
            let place = self.invoices.iter().position(of_it).unwrap();
            let before = self.invoices[place].clone();
            let after = apply_credit(before.clone(), credit).unwrap();
            // BL-4: unpaid money never becomes spendable.
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

    /// BL-3: holds everything that is neither credited nor held.
    pub(super) fn hold_creditable(&mut self, places: &[usize]) {
        for place in places {
            let invoice = &mut self.invoices[*place];
            for line in &mut invoice.lines {
                let free = line.creditable.creditable().unwrap();
                line.creditable.held = line.creditable.held.checked_add(free).unwrap();
                invoice.held = invoice.held.checked_add(free).unwrap();
            }
        }
    }

    pub(super) fn release_holds(&mut self, places: &[usize]) {
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
