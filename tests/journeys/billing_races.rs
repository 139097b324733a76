//! BL-2 to BL-6, AL-4, MD-6: races that only one request may win, on PostgreSQL through two instances whose
//! clocks differ. Afterwards the books must pass `verify`.

use std::fmt::Debug;

use chrono::TimeDelta;
use licet_contracts::billing::v1::{
    ChargeQuoteRequest, DepositRequest, InvoiceState, IssueCreditNoteRequest, LineKind, Quote,
    RefundState, RejectRefundRequest, RequestRefundRequest, ReverseEntryRequest,
};
use tokio::task::JoinSet;

use super::billing_asks::Ask;
use crate::harness::{
    Backend,
    corrections::{approval, first_term, goodwill, in_use},
    errors::Refused,
    instances::Ways,
    on_both_databases, request_id,
    samples::{MULTI, minor, usd},
    selling::item,
    terms::payment_request,
    world::World,
};

const ROUNDS: usize = 12;
const RIVALS: usize = 4;
/// How far the second instance's clock is ahead.
const LEAD: TimeDelta = TimeDelta::milliseconds(1500);
/// The days of use after which a refund waits for a review.
const REVIEW_DAYS: i64 = 26;

on_both_databases![
    md_6_of_two_charges_of_one_quote_one_is_made,
    bl_6_of_charges_for_the_last_cent_one_is_made,
    bl_6_a_deposit_and_a_charge_on_the_last_cent_have_one_outcome,
    bl_6_of_charges_up_to_the_credit_limit_one_is_made,
    bl_3_of_two_credit_notes_for_the_same_money_one_is_issued,
    bl_3_a_credit_note_and_a_refund_share_one_line,
    bl_6_of_payments_of_one_invoice_one_is_made,
    bl_5_of_reversals_of_one_entry_one_is_booked,
    al_4_of_an_approval_and_a_rejection_one_is_made,
    bl_3_an_approval_and_a_cancelled_change_credit_nothing_twice,
    bl_2_one_request_at_both_instances_is_done_once,
    bl_8_of_charges_at_once_some_are_refused_and_no_number_is_missing,
];

/// A world with channels to its two instances; the second one's clock is ahead (T-5).
pub(super) struct Field {
    pub(super) world: World,
    pub(super) ways: Ways,
}

impl Field {
    pub(super) async fn open(backend: Backend) -> Self {
        let world = World::start(backend).await;
        world.stock().await;
        let ways = Ways::open_ahead(&world, backend, LEAD).await;
        Self { world, ways }
    }

    /// A quote for a one-month certificate at 12.00.
    async fn month(&self, account_id: &str) -> Quote {
        let mut wanted = item(LineKind::Certificate, MULTI, 1);
        wanted.term_months = 1;
        self.world.quote(account_id, vec![wanted]).await
    }

    /// Sends all requests at once, each to the next instance.
    async fn race<A: Ask>(&self, requests: Vec<A>) -> Vec<Result<A::Answer, Refused>> {
        let mut rivals = JoinSet::new();
        for (place, request) in requests.into_iter().enumerate() {
            rivals.spawn(request.send(self.ways.get(place)));
        }
        rivals.join_all().await
    }

    /// Like [`Field::race`], for two requests of different kinds.
    async fn duel<A: Ask, B: Ask>(
        &self,
        one: A,
        other: B,
    ) -> (Result<A::Answer, Refused>, Result<B::Answer, Refused>) {
        let one = tokio::spawn(one.send(self.ways.get(0)));
        let other = tokio::spawn(other.send(self.ways.get(1)));
        (one.await.unwrap(), other.await.unwrap())
    }

    /// A list shows the state as of its instance's clock. Until a slow clock catches up, its lists lack what
    /// the other instance wrote.
    pub(super) fn let_clocks_catch_up(&self) {
        self.world.time.advance(LEAD);
    }

    pub(super) async fn verify(&self) {
        let verification = licet_billing::verify(&self.world.billing_location()).await;
        let verification = verification.unwrap();
        assert_eq!(verification.differences(), 0, "{verification}");
    }
}

/// The one success and all refusals; each refusal must have this reason.
#[track_caller]
fn one_of<T: Debug>(answers: Vec<Result<T, Refused>>, reason: &str) -> (T, Vec<Refused>) {
    let mut done = vec![];
    let mut refused = vec![];
    for answer in answers {
        match answer {
            Ok(answer) => done.push(answer),
            Err(other) => refused.push(other),
        }
    }
    assert_eq!(done.len(), 1, "{done:?} {refused:?}");
    for other in &refused {
        assert_eq!(other.reason, reason, "{other:?}");
    }
    (done.remove(0), refused)
}

pub(super) fn charge_request(quote: &Quote) -> ChargeQuoteRequest {
    ChargeQuoteRequest {
        quote_id: quote.quote_id.clone(),
        request_id: request_id(),
        ..ChargeQuoteRequest::default()
    }
}

pub(super) fn deposit_request(account_id: &str, amount: &str) -> DepositRequest {
    DepositRequest {
        account_id: account_id.to_owned(),
        amount: usd(amount),
        reference: "wire transfer".to_owned(),
        request_id: request_id(),
    }
}

async fn md_6_of_two_charges_of_one_quote_one_is_made(backend: Backend) {
    let field = Field::open(backend).await;
    let account_id = field.world.empty_account().await;
    for round in 1..=ROUNDS {
        let quote = field.month(&account_id).await;
        // The charge that is made leaves nothing for another, and yet the others are told of the quote.
        field.world.deposit(&account_id, "12.00").await;
        let rivals = (0..RIVALS).map(|_| charge_request(&quote)).collect();
        let (charged, refused) = one_of(field.race(rivals).await, "QUOTE_SPENT");
        let invoice = charged.invoice.unwrap();
        for other in refused {
            assert_eq!(other.value("invoice_id"), invoice.invoice_id);
        }
        field.let_clocks_catch_up();
        let issued = field.world.invoices_of_account(&account_id).await;
        assert_eq!(issued.len(), round);
    }
    assert_eq!(field.world.balance(&account_id).await, "0.00 USD");
    field.verify().await;
}

async fn bl_6_of_charges_for_the_last_cent_one_is_made(backend: Backend) {
    let field = Field::open(backend).await;
    for _ in 0..ROUNDS {
        let account_id = field.world.account_with("12.00").await;
        let mut rivals = vec![];
        for _ in 0..RIVALS {
            rivals.push(charge_request(&field.month(&account_id).await));
        }
        let (_, refused) = one_of(field.race(rivals).await, "INSUFFICIENT_FUNDS");
        for other in refused {
            assert_eq!(other.value("missing"), "12.00");
            assert_eq!(other.value("available"), "0.00");
        }
        assert_eq!(field.world.balance(&account_id).await, "0.00 USD");
    }
    field.verify().await;
}

async fn bl_6_a_deposit_and_a_charge_on_the_last_cent_have_one_outcome(backend: Backend) {
    let field = Field::open(backend).await;
    for _ in 0..ROUNDS {
        let account_id = field.world.account_with("11.99").await;
        let charge = charge_request(&field.month(&account_id).await);
        let deposit = deposit_request(&account_id, "0.01");
        let (charged, deposited) = field.duel(charge, deposit).await;
        deposited.unwrap();
        let balance = match charged {
            Ok(_) => "0.00 USD",
            Err(refused) => {
                assert_eq!(refused.reason, "INSUFFICIENT_FUNDS");
                assert_eq!(refused.value("missing"), "0.01");
                "12.00 USD"
            }
        };
        assert_eq!(field.world.balance(&account_id).await, balance);
    }
    field.verify().await;
}

async fn bl_6_of_charges_up_to_the_credit_limit_one_is_made(backend: Backend) {
    let field = Field::open(backend).await;
    for _ in 0..ROUNDS {
        let account_id = field.world.account_on_terms("12.00", 30, 0).await;
        let mut rivals = vec![];
        for _ in 0..RIVALS {
            rivals.push(charge_request(&field.month(&account_id).await));
        }
        let (charged, refused) = one_of(field.race(rivals).await, "CREDIT_LIMIT_EXCEEDED");
        assert_eq!(charged.invoice.unwrap().state(), InvoiceState::Open);
        for other in refused {
            assert_eq!(other.value("due"), "12.00");
            assert_eq!(other.value("missing"), "12.00");
        }
    }
    field.verify().await;
}

async fn bl_3_of_two_credit_notes_for_the_same_money_one_is_issued(backend: Backend) {
    let field = Field::open(backend).await;
    for _ in 0..ROUNDS {
        let account_id = field.world.account_with("12.00").await;
        let invoice = field.world.buy(&account_id, 1).await.unwrap();
        let rivals = (0..RIVALS).map(|_| goodwill(&invoice, &[(1, "7.00")]));
        let answers = field.race(rivals.collect()).await;
        let (issued, refused) = one_of(answers, "CREDIT_EXCEEDS_INVOICE");
        assert_eq!(issued.credit_note.unwrap().returned, usd("7.00"));
        for other in refused {
            assert_eq!(other.value("creditable"), "5.00");
        }
        assert_eq!(field.world.balance(&account_id).await, "7.00 USD");
        field.let_clocks_catch_up();
        assert_eq!(field.world.credit_notes_of(&invoice).await.len(), 1);
    }
    field.verify().await;
}

/// The second request finds nothing to credit, because the first has credited or held it.
async fn bl_3_a_credit_note_and_a_refund_share_one_line(backend: Backend) {
    let field = Field::open(backend).await;
    for round in 0..ROUNDS {
        let account_id = field.world.account_with("98.00").await;
        let kinds = [(LineKind::Certificate, 1)];
        let issued = field.world.now();
        let invoice = field.world.sell_about(&account_id, "thing", &kinds).await;
        field.world.time.advance_days(REVIEW_DAYS);
        let refund = RequestRefundRequest {
            account_id: account_id.clone(),
            subject: first_term("thing"),
            r#use: Some(in_use((round % 2 == 0).then_some(issued))),
            request_id: request_id(),
            ..RequestRefundRequest::default()
        };
        let (credited, refunded) = field
            .duel(goodwill(&invoice, &[(1, "98.00")]), refund)
            .await;
        let refund = refunded.unwrap().refund.unwrap();
        let state = [RefundState::PendingReview, RefundState::Refunded][round % 2];
        assert_eq!(refund.state(), state);
        let creditable = match credited {
            Ok(_) => "0.00",
            Err(refused) => {
                assert_eq!(refused.reason, "CREDIT_EXCEEDS_INVOICE");
                assert_eq!(refused.value("creditable"), "0.00");
                "98.00"
            }
        };
        assert_eq!(refund.creditable, usd(creditable));
        let after = field.world.invoice(&invoice.invoice_id).await;
        assert_eq!(
            minor(after.credited.as_ref()) + minor(after.held.as_ref()),
            9_800,
            "{after:?}"
        );
    }
    field.verify().await;
}

async fn bl_6_of_payments_of_one_invoice_one_is_made(backend: Backend) {
    let field = Field::open(backend).await;
    let account_id = field.world.account_on_terms("1000.00", 30, 0).await;
    field.world.deposit(&account_id, "500.00").await;
    for _ in 0..ROUNDS {
        let invoice = field.world.buy(&account_id, 1).await.unwrap();
        let rivals = (0..RIVALS).map(|_| payment_request(&invoice.invoice_id, None));
        let answers = field.race(rivals.collect()).await;
        let (paid, _) = one_of(answers, "INVOICE_NOT_OPEN");
        assert_eq!(paid.invoice.unwrap().paid, usd("12.00"));
    }
    assert_eq!(field.world.balance(&account_id).await, "356.00 USD");
    field.verify().await;
}

async fn bl_5_of_reversals_of_one_entry_one_is_booked(backend: Backend) {
    let field = Field::open(backend).await;
    let account_id = field.world.account_with("100.00").await;
    for _ in 0..ROUNDS {
        let deposit = deposit_request(&account_id, "5.00");
        let deposited = deposit.send(field.ways.get(0)).await.unwrap();
        let entry_id = deposited.entry.unwrap().entry_id;
        let rivals = (0..RIVALS).map(|_| reversal_request(&entry_id));
        let answers = field.race(rivals.collect()).await;
        let (reversed, refused) = one_of(answers, "ENTRY_ALREADY_REVERSED");
        let reversal = reversed.entry.unwrap();
        for other in refused {
            assert_eq!(other.value("reversal_entry_id"), reversal.entry_id);
        }
    }
    assert_eq!(field.world.balance(&account_id).await, "100.00 USD");
    field.verify().await;
}

pub(super) fn reversal_request(entry_id: &str) -> ReverseEntryRequest {
    ReverseEntryRequest {
        entry_id: entry_id.to_owned(),
        reason: "booked twice".to_owned(),
        request_id: request_id(),
        ..ReverseEntryRequest::default()
    }
}

async fn al_4_of_an_approval_and_a_rejection_one_is_made(backend: Backend) {
    let field = Field::open(backend).await;
    for _ in 0..ROUNDS {
        let account_id = field.world.account_with("98.00").await;
        let kinds = [(LineKind::Certificate, 1)];
        let issued = field.world.now();
        let invoice = field.world.sell_about(&account_id, "thing", &kinds).await;
        field.world.time.advance_days(REVIEW_DAYS);
        let refund = field
            .world
            .request_refund(&account_id, "thing", issued)
            .await;
        let rejection = RejectRefundRequest {
            refund_id: refund.refund_id.clone(),
            reason: "used".to_owned(),
            request_id: request_id(),
            ..RejectRefundRequest::default()
        };
        let approval = approval(&refund, Some("40.00"));
        let (approved, rejected) = field.duel(approval, rejection).await;
        let after = field.world.invoice(&invoice.invoice_id).await;
        let (credited, lost) = match (approved, rejected) {
            (Ok(_), Err(refused)) => ("40.00", refused),
            (Err(refused), Ok(_)) => ("0.00", refused),
            both => panic!("{both:?}"),
        };
        assert_eq!(lost.reason, "REFUND_NOT_PENDING");
        assert_eq!((after.credited, after.held), (usd(credited), usd("0.00")));
        let balance = field.world.balance(&account_id).await;
        assert_eq!(balance, format!("{credited} USD"));
    }
    field.verify().await;
}

async fn bl_2_one_request_at_both_instances_is_done_once(backend: Backend) {
    let field = Field::open(backend).await;
    let account_id = field.world.account_with("1000.00").await;
    for _ in 0..ROUNDS {
        let deposit = deposit_request(&account_id, "1.00");
        all_alike(field.race(vec![deposit; RIVALS]).await);
        let charge = charge_request(&field.month(&account_id).await);
        let charged = all_alike(field.race(vec![charge; RIVALS]).await);
        let credit = goodwill(&charged.invoice.unwrap(), &[(1, "2.00")]);
        all_alike(field.race(vec![credit; RIVALS]).await);
    }
    // 1.00 - 12.00 + 2.00 each time.
    assert_eq!(field.world.balance(&account_id).await, "892.00 USD");
    field.let_clocks_catch_up();
    let entries = field.world.entries_of(&account_id).await;
    assert_eq!(entries.len(), 1 + 4 * ROUNDS);
    field.verify().await;
}

#[track_caller]
fn all_alike<T: Clone + Debug + PartialEq>(answers: Vec<Result<T, Refused>>) -> T {
    let first = answers[0].clone().unwrap();
    for answer in answers {
        assert_eq!(answer.unwrap(), first, "BL-2");
    }
    first
}

/// MD-7: the change's charge is credited in full, whether the review has already granted a part of it or
/// comes too late.
async fn bl_3_an_approval_and_a_cancelled_change_credit_nothing_twice(backend: Backend) {
    let field = Field::open(backend).await;
    for _ in 0..ROUNDS {
        let account_id = field.world.account_with("98.00").await;
        let kinds = [(LineKind::Certificate, 1)];
        let issued = field.world.now();
        let invoice = field.world.sell_about(&account_id, "thing", &kinds).await;
        field.world.time.advance_days(REVIEW_DAYS);
        let refund = field
            .world
            .request_refund(&account_id, "thing", issued)
            .await;
        let back = IssueCreditNoteRequest {
            including_held: true,
            ..goodwill(&invoice, &[])
        };
        let (approved, credited) = field.duel(approval(&refund, Some("40.00")), back).await;
        let credited = credited.unwrap().credit_note.unwrap();
        let expected = match approved {
            Ok(_) => "58.00",
            Err(refused) => {
                assert_eq!(refused.reason, "CREDIT_EXCEEDS_INVOICE");
                "98.00"
            }
        };
        assert_eq!(credited.total, usd(expected));
        let after = field.world.invoice(&invoice.invoice_id).await;
        assert_eq!((after.credited, after.held), (usd("98.00"), usd("0.00")));
        assert_eq!(field.world.balance(&account_id).await, "98.00 USD");
    }
    field.verify().await;
}

async fn bl_8_of_charges_at_once_some_are_refused_and_no_number_is_missing(backend: Backend) {
    const PAID: usize = 2;
    let field = Field::open(backend).await;
    let mut requests = Vec::new();
    for _ in 0..RIVALS {
        // Enough for two months at 12.00.
        let account_id = field.world.account_with("30.00").await;
        for _ in 0..RIVALS {
            requests.push(charge_request(&field.month(&account_id).await));
        }
    }
    let answers = field.race(requests).await;
    let mut numbers = Vec::new();
    for answer in answers {
        match answer {
            Ok(charged) => numbers.push(charged.invoice.unwrap().number),
            Err(refused) => assert_eq!(refused.reason, "INSUFFICIENT_FUNDS"),
        }
    }
    numbers.sort();
    let expected: Vec<_> = (1..=RIVALS * PAID)
        .map(|number| format!("INV-{number:06}"))
        .collect();
    assert_eq!(numbers, expected);
    field.verify().await;
}
