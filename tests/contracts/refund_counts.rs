//! AL-4: a policy, pinned with the sale, decides when a refund's days start to count. A refund request must
//! say explicitly that a term had no certificate.

use chrono::TimeDelta;
use licet_contracts::{
    billing::v1::{
        ChargeQuoteRequest, GetProductRequest, LineKind, Policy, Product, Refund, RefundCount,
        RefundState, RequestRefundRequest, RequestRefundResponse, Subject, UpdateProductRequest,
        request_refund_request::Use,
    },
    orders::v1::{DeleteOrderRequest, DeleteOrderResponse, Order},
};
use licet_domain::clock::Instant;

use super::renewal::{move_to_days_before_end, renew, renewal};
use crate::harness::{
    Backend,
    clock::{instant, shifted, timestamp},
    corrections::{first_term, in_use},
    errors::refused,
    on_both_databases, request_id,
    samples::{MULTI, multi_domain_product, shown, term_price},
    selling::{ask, item},
    world::World,
};

on_both_databases![
    al_4_a_policy_counts_from_the_purchase,
    al_4_the_source_counts_from_the_first_issuance,
    al_4_a_renewal_is_bought_when_it_is_accepted,
    al_4_a_purchase_is_when_its_charge_was_accepted,
    al_4_what_a_term_was_sold_with_stays,
    al_4_never_issued_must_be_said,
    al_4_a_refund_does_not_end_a_running_order,
];

const DAY_MICROS: i64 = 86_400_000_000;

fn counting_from(count: RefundCount) -> Product {
    Product {
        policy: Some(Policy {
            refund_count: count.into(),
            ..Policy::default()
        }),
        ..multi_domain_product()
    }
}

/// An order of 98.00 of a product with this policy, on an account that had 1000.00.
async fn ordered(backend: Backend, count: RefundCount) -> (World, String, Order) {
    let world = World::start(backend).await;
    world.create_product(counting_from(count)).await;
    let prices = vec![term_price(12, ["98.00", "49.00", "149.00", "19.00"])];
    world.set_prices(MULTI, prices).await;
    let account_id = world.account_with("1000.00").await;
    let order = world
        .multi_domain_order(&account_id, &["www.example.com"])
        .await;
    (world, account_id, order)
}

async fn foreseen(world: &World, order: &Order) -> DeleteOrderResponse {
    let request = DeleteOrderRequest {
        order_id: order.order_id.clone(),
        validate_only: true,
        ..DeleteOrderRequest::default()
    };
    let answer = world.orders().delete_order(request).await.unwrap();
    answer.into_inner()
}

/// Checks the running term's refund to the microsecond at both limits, counted from `since`.
async fn check_limits(world: &World, order: &Order, count: RefundCount, since: Instant) {
    for (after, expected) in [
        (25 * DAY_MICROS, RefundState::Refunded),
        (25 * DAY_MICROS + 1, RefundState::PendingReview),
        (30 * DAY_MICROS, RefundState::PendingReview),
        (30 * DAY_MICROS + 1, RefundState::NotDue),
    ] {
        world.time.move_to(shifted(since, after));
        let refund = foreseen(world, order).await.refund.unwrap();
        assert_eq!(refund.state(), expected, "{}", refund.explanation);
        assert_eq!(refund.counted_from(), count);
        assert_eq!(instant(refund.count_start_time), since);
        let full_until = shifted(since, 25 * DAY_MICROS);
        assert_eq!(instant(refund.full_refund_until_time), full_until);
        let words = match count {
            RefundCount::Purchase => "counted from the purchase",
            RefundCount::Unspecified | RefundCount::FirstIssuance => {
                "counted from the first issuance"
            }
        };
        assert!(
            refund.explanation.starts_with(words),
            "{}",
            refund.explanation
        );
    }
    let term = world.get_order(&order.order_id).await.current_term;
    assert_eq!(instant(term.unwrap().refund_count_start_time), since);
}

async fn al_4_a_policy_counts_from_the_purchase(backend: Backend) {
    let (world, _, order) = ordered(backend, RefundCount::Purchase).await;
    let bought = instant(order.create_time);
    // One order gets its certificate on day 20, the other never does.
    let other = world.account_with("98.00").await;
    world.time.advance(TimeDelta::microseconds(7));
    let never = world.multi_domain_order(&other, &["www.example.com"]).await;
    world.time.advance_days(20);
    world.record(&order.order_id).await;
    check_limits(&world, &order, RefundCount::Purchase, bought).await;
    let refund = foreseen(&world, &never).await.refund.unwrap();
    assert_eq!(refund.state(), RefundState::PendingReview);
    assert_eq!(instant(refund.count_start_time), instant(never.create_time));
    assert_eq!(refund.first_issuance_time, None);
}

async fn al_4_the_source_counts_from_the_first_issuance(backend: Backend) {
    let (world, _, order) = ordered(backend, RefundCount::Unspecified).await;
    world.time.advance_days(20);
    world.record(&order.order_id).await;
    let issued = world.now();
    check_limits(&world, &order, RefundCount::FirstIssuance, issued).await;
}

async fn al_4_a_renewal_is_bought_when_it_is_accepted(backend: Backend) {
    let (world, account_id, order) = ordered(backend, RefundCount::Purchase).await;
    move_to_days_before_end(&world, &order, 28);
    renew(&world, renewal(&order, 12)).await;
    let bought = world.now();
    let start = instant(order.end_time);
    // A term that has not begun is refunded in full.
    world.time.move_to(shifted(start, -1));
    let answer = foreseen(&world, &order).await;
    assert_eq!(answer.refund.unwrap().state(), RefundState::NotDue);
    let next = answer.next_term_refund.unwrap();
    assert_eq!(
        (next.state(), next.count_start_time),
        (RefundState::Refunded, None)
    );
    assert_eq!(shown(next.refunded.as_ref()), "98.00 USD");
    // Once the term has begun, its days count from its purchase.
    world.time.move_to(start);
    let refund = foreseen(&world, &order).await.refund.unwrap();
    assert_eq!(refund.state(), RefundState::PendingReview);
    assert_eq!(instant(refund.count_start_time), bought);
    world.time.move_to(shifted(bought, 30 * DAY_MICROS + 1));
    let request = DeleteOrderRequest {
        order_id: order.order_id.clone(),
        request_id: request_id(),
        ..DeleteOrderRequest::default()
    };
    let answer = world.orders().delete_order(request).await.unwrap();
    let refunds = answer.into_inner().refunds;
    assert_eq!(refunds.len(), 1);
    assert_eq!(refunds[0].state(), RefundState::NotDue);
    assert_eq!(world.balance(&account_id).await, "804.00 USD");
}

async fn al_4_a_purchase_is_when_its_charge_was_accepted(backend: Backend) {
    let world = World::start(backend).await;
    world
        .create_product(counting_from(RefundCount::Purchase))
        .await;
    let prices = vec![term_price(12, ["98.00", "49.00", "149.00", "19.00"])];
    world.set_prices(MULTI, prices).await;
    let account_id = world.account_with("1000.00").await;
    let accepted = world.now();
    let mut question = ask(&account_id, vec![item(LineKind::Certificate, MULTI, 1)]);
    question.subject = first_term("thing-1");
    let quote = world.quotes().create_quote(question).await.unwrap();
    let quote = quote.into_inner().quote.unwrap();
    world.time.advance(TimeDelta::minutes(10));
    let charge = ChargeQuoteRequest {
        quote_id: quote.quote_id,
        pin: quote.pin,
        accept_time: Some(timestamp(accepted)),
        request_id: request_id(),
        ..ChargeQuoteRequest::default()
    };
    let charged = world.invoices().charge_quote(charge).await.unwrap();
    let invoice = charged.into_inner().invoice.unwrap();
    assert_eq!(instant(invoice.accept_time), accepted);
    assert_eq!(instant(invoice.issue_time), world.now());
    assert_eq!(world.invoice(&invoice.invoice_id).await, invoice);
    let refund = || async {
        let request = refund_request(&account_id, first_term("thing-1"), None, true);
        let answer = world.refunds().request_refund(request).await.unwrap();
        answer.into_inner().refund.unwrap()
    };
    world.time.move_to(shifted(accepted, 25 * DAY_MICROS));
    assert_eq!(refund().await.state(), RefundState::Refunded);
    world.time.advance(TimeDelta::microseconds(1));
    let late = refund().await;
    assert_eq!(late.state(), RefundState::PendingReview);
    assert_eq!(instant(late.count_start_time), accepted);
}

async fn al_4_what_a_term_was_sold_with_stays(backend: Backend) {
    let (world, _, order) = ordered(backend, RefundCount::Unspecified).await;
    let product = || async {
        let request = GetProductRequest {
            product_id: MULTI.to_owned(),
            ..GetProductRequest::default()
        };
        let answer = world.catalog().get_product(request).await.unwrap();
        answer.into_inner().product.unwrap()
    };
    let policy = product().await.policy.unwrap();
    assert_eq!(policy.refund_count(), RefundCount::FirstIssuance);
    world.time.advance_days(1);
    let update = UpdateProductRequest {
        product: Some(counting_from(RefundCount::Purchase)),
        request_id: request_id(),
    };
    world.catalog().update_product(update).await.unwrap();
    let policy = product().await.policy.unwrap();
    assert_eq!(policy.refund_count(), RefundCount::Purchase);
    world.time.advance_days(99);
    let refund = foreseen(&world, &order).await.refund.unwrap();
    assert_eq!(
        refund.state(),
        RefundState::Refunded,
        "{}",
        refund.explanation
    );
    assert_eq!(refund.counted_from(), RefundCount::FirstIssuance);

    let mut unknown = counting_from(RefundCount::Purchase);
    unknown.policy.as_mut().unwrap().refund_count = 7;
    let update = UpdateProductRequest {
        product: Some(unknown),
        request_id: request_id(),
    };
    let refusal = refused(world.catalog().update_product(update).await);
    assert_eq!(refusal.paths(), ["product.policy.refund_count"]);
}

fn refund_request(
    account_id: &str,
    subject: Option<Subject>,
    since: Option<Instant>,
    validate_only: bool,
) -> RequestRefundRequest {
    RequestRefundRequest {
        account_id: account_id.to_owned(),
        subject,
        r#use: Some(in_use(since)),
        validate_only,
        request_id: request_id(),
        ..RequestRefundRequest::default()
    }
}

fn of_order(order: &Order) -> Option<Subject> {
    first_term(&order.order_id)
}

async fn al_4_never_issued_must_be_said(backend: Backend) {
    for count in [RefundCount::FirstIssuance, RefundCount::Purchase] {
        let (world, account_id, order) = ordered(backend, count).await;
        world.record(&order.order_id).await;
        world.time.advance_days(60);
        for (given, path) in [
            (None, "first_issuance_time"),
            (Some(Use::NeverIssued(false)), "never_issued"),
        ] {
            for validate_only in [true, false] {
                let request = RequestRefundRequest {
                    r#use: given,
                    ..refund_request(&account_id, of_order(&order), None, validate_only)
                };
                let refusal = refused(world.refunds().request_refund(request).await);
                assert_eq!(refusal.paths(), [path]);
            }
        }
        assert_eq!(world.balance(&account_id).await, "902.00 USD");
    }
}

async fn al_4_a_refund_does_not_end_a_running_order(backend: Backend) {
    let (world, account_id, order) = ordered(backend, RefundCount::FirstIssuance).await;
    let asked = |request: RequestRefundRequest| async {
        let answer = world.refunds().request_refund(request).await.unwrap();
        answer.into_inner()
    };
    let request =
        |validate_only| refund_request(&account_id, of_order(&order), None, validate_only);
    let preview: RequestRefundResponse = asked(request(true)).await;
    let real = request(false);
    let answer = asked(real.clone()).await;
    for answer in [&preview, &answer] {
        let notice = &answer.notice;
        assert!(notice.contains(&order.order_id), "{notice}");
        assert!(notice.contains("does not end the order"), "{notice}");
        assert!(notice.contains("OrderService.DeleteOrder"), "{notice}");
    }
    assert_eq!(asked(real).await, answer, "BL-2");
    let running = world.get_order(&order.order_id).await;
    assert_eq!(running.delete_time, None);
    // Only an order that continues needs the notice: no other subject, and no ended order.
    world
        .sell_about(&account_id, "thing-1", &[(LineKind::Certificate, 1)])
        .await;
    let thing = refund_request(&account_id, first_term("thing-1"), None, true);
    assert_eq!(asked(thing).await.notice, "");
    let (world, account_id, order) = ordered(backend, RefundCount::FirstIssuance).await;
    world.time.move_to(instant(order.end_time));
    let over = refund_request(&account_id, of_order(&order), None, true);
    let over = world
        .refunds()
        .request_refund(over)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(over.notice, "");
    let refund: Refund = over.refund.unwrap();
    assert_eq!(refund.state(), RefundState::NotDue);
}
