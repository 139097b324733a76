//! The correcting steps of a random history: credit notes, refunds and their reviews.

use licet_contracts::billing::v1::{
    ApproveRefundRequest, CreditNote, CreditNoteLine, IssueCreditNoteRequest,
    Refund as ShownRefund, RefundLine, RefundState, RejectRefundRequest, RequestRefundRequest,
    Subject,
};
use licet_domain::clock::Instant;

use super::{
    billing_credits::{FREE, Note, Part, spread},
    billing_histories::{History, agree},
    billing_model::{DAY_MICROS, Line, No, Refund, Subject as ModelSubject, no},
};
use crate::harness::{
    clock::{instant, shifted, timestamp},
    corrections::in_use,
    request_id,
};

impl History<'_> {
    /// Picks lines of these invoices, each with a part of its amount, sometimes with too much.
    fn some_parts(&mut self, invoices: &[usize], room: fn(&Line) -> i64) -> Vec<Part> {
        let mut parts = vec![];
        for &invoice in invoices {
            for line in 0..self.model.invoices[invoice].lines.len() {
                if self.random.below(3) == 0 {
                    continue;
                }
                let most = room(&self.model.invoices[invoice].lines[line]).max(1);
                let amount = match self.random.below(8) {
                    0 => most + 1,
                    1..=3 => most,
                    _ => self.minor(1, most.unsigned_abs()),
                };
                parts.push((invoice, line, amount));
            }
        }
        if self.random.below(24) == 0
            && let Some(&invoice) = invoices.last()
        {
            // A line that does not exist.
            parts.push((invoice, 100, 1));
        }
        parts
    }

    /// A goodwill credit of chosen lines or of everything not yet credited (BL-3, BL-4).
    pub(super) async fn credit(&mut self) -> &'static str {
        let Some(place) = self.some_invoice(false) else {
            return "idle";
        };
        let named = match self.random.below(4) {
            0 => vec![],
            _ => self.some_parts(&[place], FREE),
        };
        // A cancelled change is credited in full, whatever a review holds (MD-7).
        let including_held = named.is_empty() && self.random.below(2) == 0;
        let room = match including_held {
            true => |it: &Line| it.amount - it.credited,
            false => FREE,
        };
        let parts = match named.is_empty() {
            true => self.model.parts(&[place], room),
            false => named.clone(),
        };
        let expected = match parts.is_empty() {
            true => Err(no("CREDIT_EXCEEDS_INVOICE").with("creditable", self.model.text(0))),
            false => self.model.may_credit(&parts, room),
        };
        let lines = named.iter().map(|&(_, line, amount)| CreditNoteLine {
            line_number: i32::try_from(line + 1).unwrap(),
            amount: self.model.money(amount),
        });
        let request = IssueCreditNoteRequest {
            invoice_id: self.model.invoices[place].id.clone(),
            lines: lines.collect(),
            including_held,
            reason: "goodwill".to_owned(),
            request_id: request_id(),
            ..IssueCreditNoteRequest::default()
        };
        println!("    credits {named:?} of invoice {place}: {expected:?}");
        let answer = match agree(expected, self.ask(request).await) {
            Ok(((), answer)) => answer,
            Err(reason) => return reason,
        };
        if including_held {
            self.take_from_review(place);
        }
        let notes = self.model.credit(&parts);
        self.book_notes(&notes, &[answer.credit_note.unwrap()]);
        self.check_invoice(&answer.invoice.unwrap(), &self.model.invoices[place]);
        "done"
    }

    /// BL-3: a review stops holding what was credited of the invoice, and can grant that much less.
    fn take_from_review(&mut self, place: usize) {
        let held = self.model.invoices[place].held();
        let subject = self.model.invoices[place].subject.clone();
        self.release(&[place]);
        let mut refunds = self.model.refunds.iter_mut();
        let review = refunds.find(|it| {
            Some(&it.subject) == subject.as_ref() && it.state == RefundState::PendingReview
        });
        match review {
            Some(review) => review.creditable -= held,
            None => assert_eq!(held, 0, "BL-3"),
        }
    }

    /// Compares credit notes with the prediction and books them in the model.
    fn book_notes(&mut self, notes: &[Note], found: &[CreditNote]) {
        assert_eq!(notes.len(), found.len(), "{notes:?} {found:?}");
        for (note, found) in notes.iter().zip(found) {
            let (invoice, total, returned) = *note;
            assert_eq!(found.invoice_id, self.model.invoices[invoice].id);
            assert_eq!(found.total, self.model.money(total));
            assert_eq!(found.returned, self.model.money(returned), "BL-4");
            let lines = found
                .lines
                .iter()
                .map(|it| self.to_minor(it.amount.as_ref()));
            assert_eq!(lines.sum::<i64>(), total, "M-3");
            let now = self.now();
            self.model.book_note(*note, &found.credit_note_id, now);
            self.notes += 1;
        }
    }

    /// Picks an invoiced term, preferably one without a refund request, or a term that was never invoiced.
    fn some_subject(&mut self) -> Option<ModelSubject> {
        let invoiced = self.model.invoices.iter();
        let mut subjects: Vec<_> = invoiced.filter_map(|it| it.subject.clone()).collect();
        if self.random.below(4) > 0 {
            let asked = |subject: &_| self.model.refunds.iter().any(|it| it.subject == *subject);
            subjects.retain(|subject| !asked(subject));
        }
        if subjects.is_empty() && self.random.below(12) > 0 {
            return None;
        }
        if subjects.is_empty() || self.random.below(24) == 0 {
            subjects.push(("thing-nobody-sold".to_owned(), 0));
        }
        Some(subjects[self.random.index(subjects.len())].clone())
    }

    /// Moves the clock to a refund limit, counted from the term's start, or to just after it.
    fn move_to_limit(&mut self, subject: &ModelSubject) {
        let invoices = self.model.of_subject(subject);
        let starts = invoices.iter().map(|it| self.model.invoices[*it].term.0);
        let Some(start) = starts.min() else {
            return;
        };
        let (full, none) = self.model.refund_days;
        let (days, micros) = [(full, 0), (full, 1), (none, 0), (none, 1)][self.random.index(4)];
        let then = shifted(start, days * DAY_MICROS + micros);
        if then > self.now() {
            self.world.time.move_to(then);
        }
    }

    /// A first issuance that precedes `decided` by about one of the policy's limits.
    fn some_issuance(&mut self, subject: &ModelSubject, decided: Instant) -> Option<Instant> {
        let (full, none) = self.model.refund_days;
        let invoices = self.model.of_subject(subject);
        let starts = invoices.iter().map(|it| self.model.invoices[*it].term.0);
        // Mostly no earlier than the term's start.
        let start = starts.min().filter(|_| self.random.below(8) > 0);
        let before = |days: i64, micros: i64| {
            let first = shifted(decided, micros - days * DAY_MICROS);
            Some(start.map_or(first, |start| first.max(start).min(decided)))
        };
        match self.random.below(10) {
            0 => None,
            1 => before(full, 0),
            2 => before(none, -1),
            3 => before(full / 2, 0),
            4..=6 => before(none, 0),
            _ => before(full, -1),
        }
    }

    /// AL-4: the age of the term's use decides whether a refund is made, reviewed or refused.
    pub(super) async fn request_refund(&mut self) -> &'static str {
        let Some(subject) = self.some_subject() else {
            return "idle";
        };
        if self.random.below(2) == 0 {
            self.move_to_limit(&subject);
        }
        let now = self.now();
        let age = self.start.micros_until(now).unsigned_abs();
        let decided = match self.random.below(5) {
            0 => Some(shifted(now, -self.minor(0, age))),
            _ => None,
        };
        let first_issuance = self.some_issuance(&subject, decided.unwrap_or(now));
        let expected = self
            .model
            .may_refund(&subject, first_issuance, (decided, now));
        let request = RequestRefundRequest {
            account_id: self.account_id.clone(),
            subject: Some(Subject {
                resource_id: subject.0.clone(),
                term_index: subject.1,
            }),
            r#use: Some(in_use(first_issuance)),
            decision_time: decided.map(timestamp),
            request_id: request_id(),
            ..RequestRefundRequest::default()
        };
        println!("    asks back {subject:?} first issued {first_issuance:?}: {expected:?}");
        let ((state, at, parts), answer) = match agree(expected, self.ask(request).await) {
            Ok((expected, answer)) => (expected, answer),
            Err(reason) => return reason,
        };
        let found = answer.refund.unwrap();
        self.keep_refund(&found, subject, (state, at), &parts);
        state.as_str_name().trim_start_matches("REFUND_STATE_")
    }

    /// Stores a new refund in the model, or an addition to the one in review.
    fn keep_refund(
        &mut self,
        found: &ShownRefund,
        subject: ModelSubject,
        (state, at): (RefundState, Instant),
        parts: &[Part],
    ) {
        let now = self.now();
        let sum: i64 = parts.iter().map(|(_, _, amount)| amount).sum();
        let refunds = &self.model.refunds;
        let review = refunds
            .iter()
            .position(|it| it.subject == subject && it.state == RefundState::PendingReview);
        let mut refund = Refund {
            id: found.refund_id.clone(),
            state,
            creditable: sum,
            refunded: 0,
            decided: at,
            seen: self.model.invoices.len(),
            subject,
        };
        match state {
            RefundState::Refunded => {
                refund.refunded = sum;
                if let Some(review) = review {
                    self.model.refunds[review].creditable = 0;
                    let invoices = self.model.of_subject(&refund.subject);
                    self.release(&invoices);
                }
                let notes = self.model.credit(parts);
                self.book_ids(&notes, &found.credit_note_ids, now);
            }
            RefundState::PendingReview => {
                for &(invoice, line, amount) in parts {
                    self.model.invoices[invoice].lines[line].held += amount;
                }
            }
            RefundState::NotDue | RefundState::Rejected | RefundState::Unspecified => {}
        }
        if let (RefundState::PendingReview, Some(review)) = (state, review) {
            let joined = &mut self.model.refunds[review];
            assert_eq!(joined.id, refund.id, "a term has one review");
            joined.creditable += sum;
            joined.seen = refund.seen;
            self.check_refund(found, &self.model.refunds[review]);
            return;
        }
        self.check_refund(found, &refund);
        assert_eq!(instant(found.decision_time), at, "T-5");
        self.model.refunds.push(refund);
    }

    fn book_ids(&mut self, notes: &[Note], ids: &[String], now: Instant) {
        assert_eq!(notes.len(), ids.len());
        for (note, id) in notes.iter().zip(ids) {
            self.model.book_note(*note, id, now);
            self.notes += 1;
        }
    }

    /// Approves or rejects a refund, mostly one in review.
    pub(super) async fn review(&mut self) -> &'static str {
        let refunds = &self.model.refunds;
        let is_pending = |place: &usize| refunds[*place].state == RefundState::PendingReview;
        let mut places: Vec<usize> = (0..refunds.len()).collect();
        if self.random.below(12) > 0 {
            places.retain(is_pending);
        }
        if places.is_empty() {
            return "idle";
        }
        let place = places[self.random.index(places.len())];
        if self.random.below(4) == 0 {
            return self.reject(place).await;
        }
        let invoices = self.model.of_subject(&self.model.refunds[place].subject);
        let held: fn(&Line) -> i64 = |it| it.held;
        let all = self.model.parts(&invoices, held);
        let whole: i64 = all.iter().map(|(_, _, amount)| amount).sum();
        let mut request = ApproveRefundRequest {
            refund_id: self.model.refunds[place].id.clone(),
            reason: "as agreed".to_owned(),
            request_id: request_id(),
            ..ApproveRefundRequest::default()
        };
        let (parts, possible) = match self.random.below(4) {
            0 => (all, Ok(())),
            1 => {
                let parts = self.some_parts(&invoices, held);
                let lines = parts.iter().map(|&(invoice, line, amount)| RefundLine {
                    invoice_id: self.model.invoices[invoice].id.clone(),
                    line_number: i32::try_from(line + 1).unwrap(),
                    amount: self.model.money(amount),
                });
                request.lines = lines.collect();
                match parts.is_empty() {
                    true => (all, Ok(())),
                    false => (parts.clone(), self.model.may_credit(&parts, held)),
                }
            }
            _ => {
                let amount = self.minor(1, whole.unsigned_abs() * 4 / 3 + 1);
                request.amount = self.model.money(amount);
                if amount > whole {
                    (vec![], Err(self.too_much(amount, whole)))
                } else {
                    (spread(amount, &all), Ok(()))
                }
            }
        };
        let expected = self.pending(place).and(possible);
        println!("    approves {parts:?} of refund {place}: {expected:?}");
        let answer = match agree(expected, self.ask(request).await) {
            Ok(((), answer)) => answer,
            Err(reason) => return reason,
        };
        self.release(&invoices);
        let notes = self.model.credit(&parts);
        self.book_notes(&notes, &answer.credit_notes);
        let refund = &mut self.model.refunds[place];
        refund.state = RefundState::Refunded;
        refund.refunded = parts.iter().map(|(_, _, amount)| amount).sum();
        self.check_refund(&answer.refund.unwrap(), &self.model.refunds[place]);
        "done"
    }

    async fn reject(&mut self, place: usize) -> &'static str {
        let request = RejectRefundRequest {
            refund_id: self.model.refunds[place].id.clone(),
            reason: "too late".to_owned(),
            request_id: request_id(),
            ..RejectRefundRequest::default()
        };
        let expected = self.pending(place);
        println!("    rejects refund {place}: {expected:?}");
        let answer = match agree(expected, self.ask(request).await) {
            Ok(((), answer)) => answer,
            Err(reason) => return reason,
        };
        let invoices = self.model.of_subject(&self.model.refunds[place].subject);
        self.release(&invoices);
        self.model.refunds[place].state = RefundState::Rejected;
        self.check_refund(&answer.refund.unwrap(), &self.model.refunds[place]);
        "rejected"
    }

    fn release(&mut self, invoices: &[usize]) {
        for &invoice in invoices {
            let lines = self.model.invoices[invoice].lines.iter_mut();
            lines.for_each(|line| line.held = 0);
        }
    }

    fn pending(&self, place: usize) -> Result<(), No> {
        let state = self.model.refunds[place].state;
        if state == RefundState::PendingReview {
            return Ok(());
        }
        let word = state.as_str_name().trim_start_matches("REFUND_STATE_");
        Err(no("REFUND_NOT_PENDING").with("state", word))
    }

    fn too_much(&self, asked: i64, creditable: i64) -> No {
        no("CREDIT_EXCEEDS_INVOICE")
            .with("asked", self.model.text(asked))
            .with("creditable", self.model.text(creditable))
    }
}
