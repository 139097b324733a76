//! AL-4, MD-7, BL-3: a refund is asked for while the order continues. Then a change is cancelled, another one
//! is charged, or the order is deleted.

use licet_contracts::{
    billing::v1::{
        IssueCreditNoteRequest, LineKind, ListRefundsRequest, Refund, RefundState,
        RejectRefundRequest, RequestRefundRequest, RequestRefundResponse, Subject,
    },
    orders::v1::{
        CancelDomainChangeRequest, CancelDomainChangeResponse, DeleteOrderRequest,
        DeleteOrderResponse,
    },
};
use licet_domain::clock::Instant;
use tonic::{Code, Request};

use super::{
    cancel_change::cancel_request,
    domains::Issued,
    renewal::{move_to_days_before_end, renew, renewal},
};
use crate::harness::{
    Backend,
    clock::{instant, shifted},
    corrections::{Review, approval, first_term, goodwill, in_use},
    errors::refused,
    eventually, on_both_databases, request_id,
    samples::{shown, usd},
    world::World,
};

on_both_databases![
    md_7_a_change_is_credited_whole_while_a_review_holds_its_charge,
    md_7_a_change_over_two_terms_is_credited_whole_while_reviews_hold_it,
    md_7_a_change_charged_after_a_review_began_is_credited_beside_it,
    bl_3_what_a_review_holds_is_credited_where_that_is_said,
    al_4_what_was_charged_after_a_refund_is_refunded_with_the_deletion,
    al_4_what_was_charged_after_a_rejection_is_refunded_with_the_deletion,
    al_4_what_was_charged_while_a_refund_is_in_review_joins_it,
    al_4_a_full_refund_takes_what_a_review_holds,
    al_4_what_is_not_due_joins_no_review,
    al_4_a_renewed_terms_later_charge_is_refunded_with_the_deletion,
    al_4_two_refunds_of_one_term_with_a_purchase_between,
    al_4_a_licenses_later_charge_is_refunded,
];

const DAY_MICROS: i64 = 86_400_000_000;

/// An issued order of 147.00 on an account that had 1000.00.
struct Running {
    issued: Issued,
    /// When it was bought and issued.
    start: Instant,
}

impl Running {
    async fn new(backend: Backend) -> Self {
        let issued = Issued::new(backend, &["www.example.com", "a.example"]).await;
        let start = issued.world.now();
        Self { issued, start }
    }

    fn world(&self) -> &World {
        &self.issued.world
    }

    fn order_id(&self) -> &str {
        &self.issued.order.order_id
    }

    fn move_to_day(&self, days: i64) {
        let then = shifted(self.start, days * DAY_MICROS);
        self.world().time.move_to(then);
    }

    fn question(&self, term_index: i32, since: Option<Instant>) -> RequestRefundRequest {
        RequestRefundRequest {
            account_id: self.issued.account_id.clone(),
            subject: Some(Subject {
                resource_id: self.order_id().to_owned(),
                term_index,
            }),
            r#use: Some(in_use(since)),
            request_id: request_id(),
            ..RequestRefundRequest::default()
        }
    }

    /// The response to a request for the running term's refund.
    async fn asked(&self) -> Refund {
        let request = self.question(0, Some(self.start));
        ask(self.world(), request).await.refund.unwrap()
    }

    /// Adds a domain and returns its cost.
    async fn change(&self) -> i64 {
        let order_id = self.order_id();
        let answer = self
            .world()
            .update_domains(order_id, &["b.example"], &[])
            .await;
        let total = cents(&shown(answer.quote.unwrap().total.as_ref()));
        assert!(total > 0);
        total
    }

    async fn cancel(&self) -> CancelDomainChangeResponse {
        let request = cancel_request(self.order_id());
        let answer = self.world().orders().cancel_domain_change(request).await;
        answer.unwrap().into_inner()
    }

    async fn delete(&self) -> DeleteOrderResponse {
        delete(self.world(), self.deletion(false)).await
    }

    fn deletion(&self, validate_only: bool) -> DeleteOrderRequest {
        DeleteOrderRequest {
            order_id: self.order_id().to_owned(),
            validate_only,
            request_id: request_id(),
            ..DeleteOrderRequest::default()
        }
    }

    async fn balance(&self) -> i64 {
        cents(&self.world().balance(&self.issued.account_id).await)
    }

    async fn refunds(&self) -> Vec<Refund> {
        let list = ListRefundsRequest {
            resource_id: self.order_id().to_owned(),
            ..ListRefundsRequest::default()
        };
        let listed = self.world().refunds().list_refunds(list).await.unwrap();
        listed.into_inner().refunds
    }

    /// What is credited and held of each of the order's invoices, oldest first.
    async fn taken(&self) -> Vec<(i64, i64)> {
        let invoices = self.world().invoices_of(self.order_id()).await;
        let each = invoices.iter().map(|invoice| {
            let credited = shown(invoice.credited.as_ref());
            (cents(&credited), cents(&shown(invoice.held.as_ref())))
        });
        each.collect()
    }

    async fn check_books(&self) {
        check_books(self.world()).await;
    }
}

async fn check_books(world: &World) {
    let location = world.billing_location();
    eventually("the books are right", || async {
        let found = licet_billing::verify(&location).await.unwrap();
        (found.differences() == 0).then_some(())
    })
    .await;
}

fn cents(text: &str) -> i64 {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

fn told(refund: &Refund) -> (RefundState, i64, i64) {
    let amount = |money| cents(&shown(money));
    let (creditable, refunded) = (&refund.creditable, &refund.refunded);
    (
        refund.state(),
        amount(creditable.as_ref()),
        amount(refunded.as_ref()),
    )
}

async fn ask(world: &World, request: RequestRefundRequest) -> RequestRefundResponse {
    let answer = world.refunds().request_refund(request).await;
    answer.unwrap().into_inner()
}

async fn delete(world: &World, request: DeleteOrderRequest) -> DeleteOrderResponse {
    let answer = world.orders().delete_order(request).await;
    answer.unwrap().into_inner()
}

async fn reject(world: &World, refund: &Refund) -> Refund {
    let request = RejectRefundRequest {
        refund_id: refund.refund_id.clone(),
        reason: "used for four weeks".to_owned(),
        request_id: request_id(),
        ..RejectRefundRequest::default()
    };
    let answer = world.refunds().reject_refund(request).await;
    answer.unwrap().into_inner().refund.unwrap()
}

async fn md_7_a_change_is_credited_whole_while_a_review_holds_its_charge(backend: Backend) {
    for approves in [false, true] {
        let running = Running::new(backend).await;
        running.move_to_day(26);
        let cost = running.change().await;
        let review = running.asked().await;
        let pending = RefundState::PendingReview;
        assert_eq!(told(&review), (pending, 14_700 + cost, 0));
        let preview = CancelDomainChangeRequest {
            validate_only: true,
            ..cancel_request(running.order_id())
        };
        let orders = || running.world().orders();
        let preview = orders().cancel_domain_change(preview).await.unwrap();
        let whole = |answer: &CancelDomainChangeResponse| {
            let notes = answer.credit_notes.iter();
            let totals = notes.map(|note| cents(&shown(note.total.as_ref())));
            totals.collect::<Vec<_>>()
        };
        assert_eq!(whole(&preview.into_inner()), [cost], "BL-1");
        assert_eq!(running.world().get_refund(&review).await, review);

        assert_eq!(whole(&running.cancel().await), [cost], "MD-7");
        assert_eq!(running.balance().await, 85_300);
        assert_eq!(running.taken().await, [(0, 14_700), (cost, 0)]);
        let left = running.world().get_refund(&review).await;
        assert_eq!(told(&left), (pending, 14_700, 0));
        let amount = format!("{}.{:02} USD", cost / 100, cost % 100);
        assert!(left.explanation.contains(&amount), "{}", left.explanation);
        running.check_books().await;
        if approves {
            let beyond = approval(&review, Some("147.01"));
            refused(running.world().refunds().approve_refund(beyond).await)
                .expect(Code::FailedPrecondition, "CREDIT_EXCEEDS_INVOICE");
            let granted = running.world().grant(approval(&review, None)).await;
            let granted = told(&granted.refund.unwrap());
            assert_eq!(granted, (RefundState::Refunded, 14_700, 14_700));
            assert_eq!(running.balance().await, 100_000);
            assert_eq!(running.taken().await, [(14_700, 0), (cost, 0)]);
        } else {
            reject(running.world(), &review).await;
            assert_eq!(running.balance().await, 85_300);
            assert_eq!(running.taken().await, [(0, 0), (cost, 0)]);
        }
        running.check_books().await;
    }
}

async fn md_7_a_change_over_two_terms_is_credited_whole_while_reviews_hold_it(backend: Backend) {
    let running = Running::new(backend).await;
    let order = &running.issued.order;
    move_to_days_before_end(running.world(), order, 27);
    let last = running.world().now();
    renew(running.world(), renewal(order, 12)).await;
    let balance = running.balance().await;
    running.change().await;
    // The running term, reported as just issued, waits for a review; the next term is refunded in full.
    running.move_to_day(365 - 1);
    let request = running.question(0, Some(last));
    let review = ask(running.world(), request).await.refund.unwrap();
    assert_eq!(review.state(), RefundState::PendingReview);
    let next = ask(running.world(), running.question(1, None)).await;
    assert_eq!(next.refund.unwrap().state(), RefundState::Refunded);
    let answer = running.cancel().await;
    assert_eq!(answer.credit_notes.len(), 1, "of the next term");
    let whole = balance + 14_700;
    assert_eq!(running.balance().await, whole, "the cost has returned");
    let left = running.world().get_refund(&review).await;
    assert_eq!(told(&left), (RefundState::PendingReview, 14_700, 0));
    running.check_books().await;
}

async fn md_7_a_change_charged_after_a_review_began_is_credited_beside_it(backend: Backend) {
    let running = Running::new(backend).await;
    running.move_to_day(26);
    let review = running.asked().await;
    let cost = running.change().await;
    assert_eq!(running.taken().await, [(0, 14_700), (0, 0)]);
    assert_eq!(running.cancel().await.credit_notes.len(), 1);
    assert_eq!(running.taken().await, [(0, 14_700), (cost, 0)]);
    assert_eq!(running.world().get_refund(&review).await, review);
    // The review holds everything that is left.
    let answer = running.delete().await;
    assert_eq!(answer.refund, Some(review));
    running.check_books().await;
}

async fn bl_3_what_a_review_holds_is_credited_where_that_is_said(backend: Backend) {
    let review = Review::prepaid(backend).await;
    let whole = || IssueCreditNoteRequest {
        including_held: true,
        ..goodwill(&review.invoices[1], &[])
    };
    let mut of_finance = Request::new(whole());
    let metadata = of_finance.metadata_mut();
    metadata.insert("licet-roles", "finance".parse().unwrap());
    let of_lines = Request::new(IssueCreditNoteRequest {
        including_held: true,
        ..goodwill(&review.invoices[1], &[(1, "1.00")])
    });
    for request in [of_finance, of_lines] {
        let refusal = refused(review.world.invoices().issue_credit_note(request).await);
        let refusal = refusal.expect(Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(refusal.paths(), ["including_held"]);
    }
    let credited = async |request| {
        let answer = review.world.invoices().issue_credit_note(request).await;
        answer.unwrap().into_inner()
    };
    let preview = IssueCreditNoteRequest {
        validate_only: true,
        ..whole()
    };
    let preview = credited(preview).await;
    assert_eq!(review.world.get_refund(&review.refund).await, review.refund);
    let request = whole();
    let answer = credited(request.clone()).await;
    assert_eq!(answer.invoice, preview.invoice, "BL-1");
    assert_eq!(
        shown(answer.credit_note.unwrap().total.as_ref()),
        "49.00 USD"
    );
    assert_eq!(credited(request).await.invoice, answer.invoice, "BL-2");
    assert_eq!(review.balance().await, "655.00 USD");
    assert_eq!(
        review.figures().await,
        [
            ["345.00", "345.00", "0.00", "0.00", "345.00", "0.00"],
            ["49.00", "49.00", "49.00", "49.00", "0.00", "0.00"],
        ]
    );
    let left = review.world.get_refund(&review.refund).await;
    assert_eq!(told(&left), (RefundState::PendingReview, 34_500, 0));
    refused(review.world.invoices().issue_credit_note(whole()).await)
        .expect(Code::FailedPrecondition, "CREDIT_EXCEEDS_INVOICE");
    let (refund, _) = review.approve(None).await;
    assert_eq!(told(&refund), (RefundState::Refunded, 34_500, 34_500));
    assert_eq!(review.balance().await, "1000.00 USD");
    check_books(&review.world).await;
}

async fn al_4_what_was_charged_after_a_refund_is_refunded_with_the_deletion(backend: Backend) {
    let running = Running::new(backend).await;
    running.move_to_day(3);
    let request = running.question(0, Some(running.start));
    let first = ask(running.world(), request.clone()).await;
    let made = first.refund.clone().unwrap();
    assert_eq!(told(&made), (RefundState::Refunded, 14_700, 14_700));
    running.move_to_day(5);
    let cost = running.change().await;
    assert_eq!(running.balance().await, 100_000 - cost);
    let preview = delete(running.world(), running.deletion(true)).await;
    let preview = preview.refund.unwrap();
    assert_eq!(told(&preview), (RefundState::Refunded, cost, cost));
    assert_eq!(preview.refund_id, "");
    assert_eq!(running.balance().await, 100_000 - cost);

    let deletion = running.deletion(false);
    let answer = delete(running.world(), deletion.clone()).await;
    let refund = answer.refund.clone().unwrap();
    assert_eq!(told(&refund), (RefundState::Refunded, cost, cost));
    assert_ne!(refund.refund_id, made.refund_id);
    assert_eq!(running.balance().await, 100_000);
    assert_eq!(running.refunds().await, [made.clone(), refund]);
    // BL-2: each repeat gets its first response.
    assert_eq!(ask(running.world(), request).await, first);
    assert_eq!(delete(running.world(), deletion).await, answer);
    assert_eq!(running.balance().await, 100_000);
    running.check_books().await;
}

async fn al_4_what_was_charged_after_a_rejection_is_refunded_with_the_deletion(backend: Backend) {
    let running = Running::new(backend).await;
    running.move_to_day(26);
    let review = running.asked().await;
    let rejected = reject(running.world(), &review).await;
    // Nothing was invoiced since, so the decision is final.
    let again = running.question(0, Some(running.start));
    let again = refused(running.world().refunds().request_refund(again).await);
    let again = again.expect(Code::FailedPrecondition, "REFUND_ALREADY_REQUESTED");
    assert_eq!(again.value("refund_id"), rejected.refund_id);
    let cost = running.change().await;
    let answer = running.delete().await;
    let refund = answer.refund.unwrap();
    let pending = RefundState::PendingReview;
    assert_eq!(told(&refund), (pending, 14_700 + cost, 0), "AL-4");
    assert_eq!(running.taken().await, [(0, 14_700), (0, cost)]);
    running.check_books().await;
    running.world().grant(approval(&refund, None)).await;
    assert_eq!(running.balance().await, 100_000);
    running.check_books().await;
}

async fn al_4_what_was_charged_while_a_refund_is_in_review_joins_it(backend: Backend) {
    let running = Running::new(backend).await;
    running.move_to_day(26);
    let review = running.asked().await;
    running.move_to_day(27);
    let cost = running.change().await;
    let preview = delete(running.world(), running.deletion(true)).await;
    let preview = preview.refund.unwrap();
    let pending = RefundState::PendingReview;
    assert_eq!(told(&preview), (pending, 14_700 + cost, 0));
    assert_eq!(preview.refund_id, "");
    assert_eq!(running.world().get_refund(&review).await, review);

    let deletion = running.deletion(false);
    let answer = delete(running.world(), deletion.clone()).await;
    let refund = answer.refund.clone().unwrap();
    assert_eq!(told(&refund), (pending, 14_700 + cost, 0));
    assert_eq!(refund.refund_id, review.refund_id, "a term has one review");
    assert_eq!(running.refunds().await, std::slice::from_ref(&refund));
    assert_eq!(running.taken().await, [(0, 14_700), (0, cost)]);
    assert_eq!(delete(running.world(), deletion).await, answer, "BL-2");
    running.check_books().await;
    running.world().grant(approval(&refund, None)).await;
    assert_eq!(running.balance().await, 100_000);
    let order = eventually("the order shows the review's outcome", || async {
        let order = running.world().get_order(running.order_id()).await;
        let refund = order.refund.as_ref().unwrap();
        (refund.state() == RefundState::Refunded).then_some(order)
    })
    .await;
    let shown = told(&order.refund.unwrap());
    assert_eq!(shown, (RefundState::Refunded, 14_700 + cost, 14_700 + cost));
    running.check_books().await;
}

/// A person named an earlier issuance than there was.
async fn al_4_a_full_refund_takes_what_a_review_holds(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let start = world.now();
    let names = ["www.example.com", "a.example"];
    let order = world.multi_domain_order(&account_id, &names).await;
    world.time.move_to(shifted(start, 20 * DAY_MICROS));
    world.record(&order.order_id).await;
    let issued = Issued {
        world,
        account_id,
        order,
    };
    let running = Running { issued, start };
    running.move_to_day(26);
    let review = running.asked().await;
    assert_eq!(review.state(), RefundState::PendingReview);
    let cost = running.change().await;
    let refund = running.delete().await.refund.unwrap();
    let whole = 14_700 + cost;
    assert_eq!(told(&refund), (RefundState::Refunded, whole, whole));
    assert_eq!(running.balance().await, 100_000);
    let left = running.world().get_refund(&review).await;
    assert_eq!(told(&left), (RefundState::PendingReview, 0, 0));
    running.check_books().await;
    let granted = running.world().grant(approval(&review, None)).await;
    assert_eq!(granted.credit_notes, []);
    assert_eq!(running.balance().await, 100_000);
    running.check_books().await;
}

async fn al_4_what_is_not_due_joins_no_review(backend: Backend) {
    let running = Running::new(backend).await;
    running.move_to_day(29);
    let review = running.asked().await;
    let cost = running.change().await;
    running.move_to_day(31);
    let answer = running.delete().await;
    assert_eq!(answer.refund.as_ref(), Some(&review), "still in review");
    assert_eq!(running.taken().await, [(0, 14_700), (0, 0)]);

    let running = Running::new(backend).await;
    running.move_to_day(3);
    running.asked().await;
    running.change().await;
    running.move_to_day(31);
    let refund = running.delete().await.refund.unwrap();
    assert_eq!(refund.state(), RefundState::NotDue);
    let earlier = &running.refunds().await[0];
    assert_eq!(earlier.state(), RefundState::Refunded);
    assert!(cost > 0);
    running.check_books().await;
}

async fn al_4_a_renewed_terms_later_charge_is_refunded_with_the_deletion(backend: Backend) {
    let running = Running::new(backend).await;
    let order = &running.issued.order;
    move_to_days_before_end(running.world(), order, 60);
    let balance = running.balance().await;
    renew(running.world(), renewal(order, 12)).await;
    let next = ask(running.world(), running.question(1, None)).await;
    let next = next.refund.unwrap();
    assert_eq!(told(&next), (RefundState::Refunded, 14_700, 14_700));
    assert_eq!(running.balance().await, balance);
    running.change().await;
    let cost = balance - 4_900 - running.balance().await;
    assert!(cost > 0, "the running term's part costs something");
    let answer = running.delete().await;
    assert_eq!(answer.refund.unwrap().state(), RefundState::NotDue);
    let refund = answer.next_term_refund.unwrap();
    assert_eq!(told(&refund), (RefundState::Refunded, 4_900, 4_900));
    assert_eq!(running.balance().await, balance - cost);
    running.check_books().await;
}

async fn al_4_two_refunds_of_one_term_with_a_purchase_between(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let question = |validate_only| RequestRefundRequest {
        account_id: account_id.clone(),
        subject: first_term("thing-1"),
        r#use: Some(in_use(None)),
        validate_only,
        request_id: request_id(),
        ..RequestRefundRequest::default()
    };
    let buy = async |kind| {
        let kinds = [(kind, 1)];
        world.sell_about(&account_id, "thing-1", &kinds).await;
    };
    buy(LineKind::Certificate).await;
    let first = question(false);
    let answer = ask(&world, first.clone()).await;
    let made = answer.refund.as_ref().unwrap().clone();
    assert_eq!(told(&made), (RefundState::Refunded, 9_800, 9_800));
    buy(LineKind::Domain).await;
    let preview = ask(&world, question(true)).await.refund.unwrap();
    let second = question(false);
    let after = ask(&world, second.clone()).await;
    let refund = after.refund.as_ref().unwrap().clone();
    assert_eq!(told(&refund), (RefundState::Refunded, 4_900, 4_900));
    assert_eq!(told(&preview), told(&refund));
    assert_eq!(world.balance(&account_id).await, "1000.00 USD");
    // BL-2. A third request has nothing left to refund.
    assert_eq!(ask(&world, first).await, answer);
    assert_eq!(ask(&world, second).await, after);
    for validate_only in [true, false] {
        let third = question(validate_only);
        let third = refused(world.refunds().request_refund(third).await);
        let third = third.expect(Code::FailedPrecondition, "REFUND_ALREADY_REQUESTED");
        assert_eq!(third.value("refund_id"), refund.refund_id);
    }
    assert_eq!(world.get_refund(&made).await, made);
    check_books(&world).await;
}

async fn al_4_a_licenses_later_charge_is_refunded(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    let balance = world.balance(&license.account_id).await;
    let question = || RequestRefundRequest {
        account_id: license.account_id.clone(),
        subject: first_term(&license.license_id),
        r#use: Some(in_use(None)),
        request_id: request_id(),
        ..RequestRefundRequest::default()
    };
    let made = ask(&world, question()).await.refund.unwrap();
    assert_eq!(made.refunded, usd("120.00"));
    let whole = world.balance(&license.account_id).await;
    assert_ne!(whole, balance);
    world.increase(&license, 15).await;
    assert_ne!(world.balance(&license.account_id).await, whole);
    let refund = ask(&world, question()).await.refund.unwrap();
    assert_eq!(refund.state(), RefundState::Refunded);
    assert_eq!(world.balance(&license.account_id).await, whole);
    assert!(instant(refund.decision_time) >= instant(made.decision_time));
    check_books(&world).await;
}
