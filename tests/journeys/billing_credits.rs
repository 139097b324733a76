//! The part of the billing model that credits lines and terms, with refunds (AL-4, BL-3, BL-4).

use std::{cmp::Reverse, collections::BTreeMap};

use licet_contracts::billing::v1::{EntryKind, LedgerAccount, RefundState};
use licet_domain::clock::Instant;

use super::billing_model::{DAY_MICROS, Line, Model, No, Refund, Subject, no};

/// A credited line: the invoice's index, the line's index, the amount.
pub(super) type Part = (usize, usize, i64);

/// A credit note: the invoice's index, the total, and the part of it that returned to the balance.
pub(super) type Note = (usize, i64, i64);

impl Model {
    /// BL-3: refuses to credit a line with more than `room` allows, naming the first such line.
    pub(super) fn may_credit(&self, parts: &[Part], room: fn(&Line) -> i64) -> Result<(), No> {
        let excess = |(invoice, line, amount): &&Part| {
            let line = self.invoices[*invoice].lines.get(*line);
            *amount > line.map_or(0, room)
        };
        let Some((invoice, line, amount)) = parts.iter().find(excess) else {
            return Ok(());
        };
        let invoice = &self.invoices[*invoice];
        let creditable = invoice.lines.get(*line).map_or(0, room);
        Err(no("CREDIT_EXCEEDS_INVOICE")
            .with("invoice_id", &invoice.id)
            .with("line_number", line + 1)
            .with("asked", self.text(*amount))
            .with("creditable", self.text(creditable)))
    }

    /// The creditable amounts of these invoices' lines, in order.
    pub(super) fn parts(&self, invoices: &[usize], room: fn(&Line) -> i64) -> Vec<Part> {
        let mut parts = vec![];
        for &invoice in invoices {
            let lines = self.invoices[invoice].lines.iter().enumerate();
            parts.extend(lines.map(|(line, it)| (invoice, line, room(it))));
        }
        parts.retain(|(_, _, amount)| *amount > 0);
        parts
    }

    /// Credits the parts, with one note for each invoice in order of issue. A credit first lowers the amount
    /// due; only the rest returns to the balance (BL-4).
    pub(super) fn credit(&mut self, parts: &[Part]) -> Vec<Note> {
        let mut by_invoice: BTreeMap<usize, i64> = BTreeMap::new();
        for (invoice, _, amount) in parts {
            *by_invoice.entry(*invoice).or_default() += amount;
        }
        let mut notes = vec![];
        for (invoice, total) in by_invoice {
            let returned = (total - self.invoices[invoice].due()).max(0);
            self.invoices[invoice].returned += returned;
            notes.push((invoice, total, returned));
        }
        for (invoice, line, amount) in parts {
            self.invoices[*invoice].lines[*line].credited += amount;
        }
        notes.sort_by_key(|(invoice, ..)| self.order(*invoice));
        notes
    }

    pub(super) fn book_note(&mut self, (_, total, returned): Note, id: &str, now: Instant) {
        let credit = [
            (LedgerAccount::Revenue, total),
            (LedgerAccount::Receivable, returned - total),
            (LedgerAccount::Balance, -returned),
        ];
        self.book(now, EntryKind::CreditNote, &credit, (id, ""));
    }

    fn order(&self, invoice: usize) -> (Instant, String) {
        let invoice = &self.invoices[invoice];
        (invoice.issued, invoice.id.clone())
    }

    /// The indices of a term's invoices, in order of issue.
    pub(super) fn of_subject(&self, subject: &Subject) -> Vec<usize> {
        let mut places: Vec<usize> = (0..self.invoices.len())
            .filter(|place| self.invoices[*place].subject.as_ref() == Some(subject))
            .collect();
        places.sort_by_key(|place| self.order(*place));
        places
    }

    /// AL-4: the state of a refund decided as of `given`, by default `now`, and the amounts it credits or
    /// holds.
    pub(super) fn may_refund(
        &self,
        subject: &Subject,
        first_issuance: Option<Instant>,
        (given, now): (Option<Instant>, Instant),
    ) -> Result<(RefundState, Instant, Vec<Part>), No> {
        let invoices = self.of_subject(subject);
        let of_it = || invoices.iter().map(|it| &self.invoices[*it]);
        let (Some(start), Some(end), Some(bought)) = (
            of_it().map(|it| it.term.0).min(),
            of_it().map(|it| it.term.1).max(),
            of_it().map(|it| it.accepted).min(),
        ) else {
            return Err(no("NOT_FOUND"));
        };
        // T-5: no decision precedes the purchase or the last decision about it.
        let left = of_it().filter(|it| it.total() > it.credited());
        let last = left.map(|it| it.accepted).fold(bought, Instant::max);
        if let Some(given) = given
            && given.micros_until(last) > CLOCKS_DIFFER_MICROS
        {
            return Err(no("DECISION_BEFORE_PURCHASE").with("accept_time", last));
        }
        let earlier = || self.refunds.iter().filter(|it| it.subject == *subject);
        let decided = earlier().map(|it| it.decided);
        let at = decided.fold(given.unwrap_or(now).max(last), Instant::max);
        let review = earlier().find(|it| it.state == RefundState::PendingReview);
        let stands = |it: &Refund| Err(no("REFUND_ALREADY_REQUESTED").with("refund_id", &it.id));
        if let Some(newest) = earlier().max_by_key(|it| it.seen) {
            let since = invoices.iter().filter(|place| **place >= newest.seen);
            let since: Vec<usize> = since.copied().collect();
            if self.parts(&since, FREE).is_empty() {
                return stands(review.unwrap_or(newest));
            }
        }
        if first_issuance.is_some_and(|first| first < start || first >= end) {
            return Err(no("ISSUANCE_OUTSIDE_TERM").with("start_time", start));
        }
        let (full, none) = self.refund_days;
        let since = match self.counts_from_purchase {
            true => Some(bought),
            false => first_issuance,
        };
        let state = match since.map(|since| since.micros_until(at)) {
            _ if at < start => RefundState::Refunded,
            None if at < end => RefundState::Refunded,
            Some(age) if age <= full * DAY_MICROS => RefundState::Refunded,
            Some(age) if age <= none * DAY_MICROS => RefundState::PendingReview,
            None | Some(_) => RefundState::NotDue,
        };
        let parts = match (state, review) {
            (RefundState::NotDue, Some(review)) => return stands(review),
            // A full refund is made at once, whatever a review holds.
            (RefundState::Refunded, _) => self.parts(&invoices, |it| it.amount - it.credited),
            _ => self.parts(&invoices, FREE),
        };
        Ok((state, at, parts))
    }
}

/// The amount neither credited nor held for review.
pub(super) const FREE: fn(&Line) -> i64 = |it| it.amount - it.credited - it.held;

/// By how much the clocks of two instances may differ (T-5).
const CLOCKS_DIFFER_MICROS: i64 = 5 * 60 * 1_000_000;

/// M-3: by largest remainder; the earlier part wins a tie; parts of zero are left out.
pub(super) fn spread(amount: i64, over: &[Part]) -> Vec<Part> {
    let whole: i64 = over.iter().map(|(_, _, weight)| weight).sum();
    let exact = |weight: i64| i128::from(amount) * i128::from(weight);
    let shares = over.iter().map(|(invoice, line, weight)| {
        let share = i64::try_from(exact(*weight) / i128::from(whole)).unwrap();
        (*invoice, *line, share)
    });
    let mut parts: Vec<Part> = shares.collect();
    let given: i64 = parts.iter().map(|(_, _, share)| share).sum();
    let mut order: Vec<usize> = (0..over.len()).collect();
    order.sort_by_key(|place| Reverse(exact(over[*place].2) % i128::from(whole)));
    let missing = usize::try_from(amount - given).unwrap();
    for place in &order[..missing] {
        parts[*place].2 += 1;
    }
    parts.retain(|(_, _, share)| *share > 0);
    parts
}
