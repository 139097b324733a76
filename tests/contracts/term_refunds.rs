//! AL-4 across terms: a term that starts with a valid certificate counts from its start, an ended term still
//! counts, and a deletion refunds every open term.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use chrono::TimeDelta;
use licet_contracts::{
    billing::v1::{ListRefundsRequest, Product, Refund, RefundState, ValidityLimits},
    orders::v1::{DeleteOrderRequest, DeleteOrderResponse, Order, PlaceOrderRequest},
};
use licet_domain::clock::Instant;
use licet_runtime::peer::{FaultPlan, Interference};

use super::{
    domains::Issued,
    reissue::reissue_request,
    renewal::{renew, renewal},
};
use crate::harness::{
    Backend,
    certificates::{Wanted, chain},
    clock::{instant, shifted, timestamp},
    corrections::approval,
    eventually, on_both_databases, request_id,
    samples::{issuance_of, multi_domain_product, multi_domain_request, names, shown, term_price},
    world::World,
};

on_both_databases![
    al_4_a_term_that_begins_under_a_certificate_counts_from_its_start,
    al_4_a_long_private_certificate_uses_the_renewed_year,
    al_4_a_term_that_is_over_is_refunded_within_its_days,
    al_4_a_term_that_is_over_and_was_not_used_is_not_refunded,
    al_4_a_superseded_certificate_stands_until_its_revocation,
    al_4_the_review_of_a_term_that_is_over_shows_on_the_order,
    x_3_while_billing_is_away_every_open_term_is_still_to_come,
    x_2_each_open_term_is_refunded_once_whatever_is_lost,
];

const DAY_MICROS: i64 = 86_400_000_000;

/// Loses every other response to a refund request.
#[derive(Default)]
struct LostAnswers(AtomicU64);

impl FaultPlan for LostAnswers {
    fn next(&self, path: &str) -> Interference {
        let is_refund = path.ends_with("/RequestRefund");
        if is_refund && self.0.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
            return Interference::LoseResponse;
        }
        Interference::None
    }
}

fn delete_request(order_id: &str, validate_only: bool) -> DeleteOrderRequest {
    DeleteOrderRequest {
        order_id: order_id.to_owned(),
        validate_only,
        request_id: request_id(),
        ..DeleteOrderRequest::default()
    }
}

async fn deleted(world: &World, order_id: &str, validate_only: bool) -> DeleteOrderResponse {
    let request = delete_request(order_id, validate_only);
    let answer = world.orders().delete_order(request).await;
    answer.unwrap().into_inner()
}

/// Term, state and amount of each refund.
fn told(refunds: &[Refund]) -> Vec<(i32, RefundState, String)> {
    let each = refunds.iter().map(|refund| {
        let index = refund.subject.as_ref().unwrap().term_index;
        (index, refund.state(), shown(refund.refunded.as_ref()))
    });
    each.collect()
}

/// The running term's refund if the order were deleted now.
async fn foreseen(world: &World, order: &Order) -> RefundState {
    let answer = deleted(world, &order.order_id, true).await;
    answer.refund.unwrap().state()
}

/// Requests a reissue and records it, valid until `not_after`.
async fn reissue(world: &World, order: &Order, not_after: Instant) {
    let request = reissue_request(&order.order_id, "");
    world.orders().request_reissue(request).await.unwrap();
    record_until(world, order, not_after).await;
}

async fn record_until(world: &World, order: &Order, not_after: Instant) {
    let report = chain(&Wanted {
        names: &names(&["www.example.com"]),
        not_before: world.now(),
        not_after,
    });
    let report = issuance_of(&order.order_id, report);
    world.certificates().record_issuance(report).await.unwrap();
}

fn days_after(instant: Instant, days: i64) -> Instant {
    shifted(instant, days * DAY_MICROS)
}

async fn al_4_a_term_that_begins_under_a_certificate_counts_from_its_start(backend: Backend) {
    let Issued { world, order, .. } = Issued::new(backend, &["www.example.com"]).await;
    let start = instant(order.end_time);
    world.time.move_to(days_after(start, -1));
    renew(&world, renewal(&order, 12)).await;
    reissue(&world, &order, days_after(start, 80)).await;
    for (after, expected) in [
        (0, RefundState::Refunded),
        (25 * DAY_MICROS, RefundState::Refunded),
        (25 * DAY_MICROS + 1, RefundState::PendingReview),
        (30 * DAY_MICROS, RefundState::PendingReview),
        (30 * DAY_MICROS + 1, RefundState::NotDue),
        (96 * DAY_MICROS, RefundState::NotDue),
    ] {
        world.time.move_to(shifted(start, after));
        assert_eq!(foreseen(&world, &order).await, expected, "{after} µs later");
    }
    // The certificate has expired; another one does not restart the count.
    reissue(&world, &order, days_after(start, 180)).await;
    world.time.move_to(days_after(start, 120));
    assert_eq!(foreseen(&world, &order).await, RefundState::NotDue);
    let term = world.get_order(&order.order_id).await.current_term.unwrap();
    assert_eq!(instant(term.first_issuance_time), days_after(start, 96));
    assert_eq!(instant(term.refund_count_start_time), start);
}

async fn al_4_a_long_private_certificate_uses_the_renewed_year(backend: Backend) {
    let world = World::start(backend).await;
    world
        .create_product(Product {
            validity_limits: ValidityLimits::None.into(),
            ..multi_domain_product()
        })
        .await;
    let prices = vec![term_price(12, ["100.00", "49.00", "149.00", "19.00"])];
    world.set_prices("multi-domain-dv", prices).await;
    let account_id = world.account_with("200.00").await;
    let order = world
        .multi_domain_order(&account_id, &["www.example.com"])
        .await;
    let start = instant(order.end_time);
    world.time.move_to(days_after(start, -60));
    let renewed = renew(&world, renewal(&order, 12)).await;
    let end = instant(renewed.order.unwrap().end_time);
    record_until(&world, &order, end).await;
    world.time.move_to(days_after(start, 364));
    let answer = deleted(&world, &order.order_id, false).await;
    let refund = answer.refund.unwrap();
    assert_eq!(
        refund.state(),
        RefundState::NotDue,
        "{}",
        refund.explanation
    );
    assert_eq!(world.balance(&account_id).await, "0.00 USD");
}

/// An order of one month, issued three days before its end if `is_issued`, and renewed for another month.
async fn of_one_month(backend: Backend, is_issued: bool) -> (World, String, Order) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("100.00").await;
    let request = PlaceOrderRequest {
        term_months: 1,
        ..multi_domain_request(&account_id, &["www.example.com"])
    };
    let order = world.place(request).await;
    let end = instant(order.end_time);
    world.time.move_to(days_after(end, -3));
    if is_issued {
        record_until(&world, &order, end).await;
    }
    renew(&world, renewal(&order, 1)).await;
    assert_eq!(world.balance(&account_id).await, "76.00 USD");
    (world, account_id, order)
}

async fn al_4_a_term_that_is_over_is_refunded_within_its_days(backend: Backend) {
    let (world, account_id, order) = of_one_month(backend, true).await;
    world.time.advance(TimeDelta::days(6));
    let answer = deleted(&world, &order.order_id, false).await;
    let whole = |index| (index, RefundState::Refunded, "12.00 USD".to_owned());
    assert_eq!(told(&answer.refunds), [whole(0), whole(1)]);
    assert_eq!(answer.refund.as_ref(), answer.refunds.last());
    assert_eq!(answer.next_term_refund, None);
    assert_eq!(world.balance(&account_id).await, "100.00 USD");
    let after = world.get_order(&order.order_id).await;
    assert_eq!(after.refunds, answer.refunds);
}

async fn al_4_a_term_that_is_over_and_was_not_used_is_not_refunded(backend: Backend) {
    let (world, account_id, order) = of_one_month(backend, false).await;
    world.time.advance(TimeDelta::days(6));
    let answer = deleted(&world, &order.order_id, false).await;
    let expected = (1, RefundState::Refunded, "12.00 USD".to_owned());
    assert_eq!(told(&answer.refunds), [expected]);
    assert_eq!(world.balance(&account_id).await, "88.00 USD");
}

/// A superseded certificate counts as revoked 72 hours later: exactly when the renewed year begins, or a
/// microsecond after.
async fn al_4_a_superseded_certificate_stands_until_its_revocation(backend: Backend) {
    for micros in [0, 1] {
        let Issued { world, order, .. } = Issued::new(backend, &["www.example.com"]).await;
        let start = instant(order.end_time);
        world.time.move_to(days_after(start, -80));
        renew(&world, renewal(&order, 12)).await;
        reissue(&world, &order, days_after(start, 10)).await;
        world.time.move_to(shifted(days_after(start, -3), micros));
        reissue(&world, &order, days_after(start, -2)).await;
        world.time.move_to(days_after(start, 60));
        let term = world.get_order(&order.order_id).await.current_term.unwrap();
        let (counted, expected) = match micros {
            0 => (None, RefundState::Refunded),
            _ => (Some(timestamp(start)), RefundState::NotDue),
        };
        assert_eq!(term.refund_count_start_time, counted);
        assert_eq!(foreseen(&world, &order).await, expected);
    }
}

async fn al_4_the_review_of_a_term_that_is_over_shows_on_the_order(backend: Backend) {
    let (world, account_id, order) = of_one_month(backend, true).await;
    world.time.advance_days(28);
    let answer = deleted(&world, &order.order_id, false).await;
    let over = &answer.refunds[0];
    let pending = (0, RefundState::PendingReview, "0.00 USD".to_owned());
    let running = (1, RefundState::Refunded, "12.00 USD".to_owned());
    assert_eq!(told(&answer.refunds), [pending, running.clone()]);
    world.grant(approval(over, Some("5.00"))).await;
    let order = eventually("the order shows the review's outcome", || async {
        let order = world.get_order(&order.order_id).await;
        (order.refunds[0].state() != RefundState::PendingReview).then_some(order)
    })
    .await;
    let granted = (0, RefundState::Refunded, "5.00 USD".to_owned());
    assert_eq!(told(&order.refunds), [granted, running]);
    assert_eq!(order.refunds[0], world.get_refund(over).await);
    assert_eq!(world.balance(&account_id).await, "93.00 USD");
}

async fn x_3_while_billing_is_away_every_open_term_is_still_to_come(backend: Backend) {
    let (mut world, account_id, order) = of_one_month(backend, true).await;
    world.time.advance_days(6);
    world.stop_billing().await;
    let request = delete_request(&order.order_id, false);
    let answer = world.orders().delete_order(request.clone()).await;
    assert_eq!(answer.unwrap().into_inner().refunds, []);
    // A new process continues.
    world.stop_orders().await;
    world.start_orders().await;
    world.start_billing().await;
    let done = world.settled(&order.order_id).await;
    let whole = |index| (index, RefundState::Refunded, "12.00 USD".to_owned());
    assert_eq!(told(&done.refunds), [whole(0), whole(1)]);
    let again = world.orders().delete_order(request).await.unwrap();
    assert_eq!(again.into_inner().refunds, done.refunds, "BL-2");
    assert_eq!(world.balance(&account_id).await, "100.00 USD");
}

async fn x_2_each_open_term_is_refunded_once_whatever_is_lost(backend: Backend) {
    let (mut world, account_id, order) = of_one_month(backend, true).await;
    world.time.advance_days(6);
    world.interfere(Arc::new(LostAnswers::default()));
    world.stop_orders().await;
    world.start_orders().await;
    let request = delete_request(&order.order_id, false);
    world.orders().delete_order(request).await.unwrap();
    let done = world.settled(&order.order_id).await;
    let whole = |index| (index, RefundState::Refunded, "12.00 USD".to_owned());
    assert_eq!(told(&done.refunds), [whole(0), whole(1)]);
    assert_eq!(world.balance(&account_id).await, "100.00 USD");
    let list = ListRefundsRequest {
        resource_id: order.order_id.clone(),
        ..ListRefundsRequest::default()
    };
    let listed = world.refunds().list_refunds(list).await.unwrap();
    assert_eq!(listed.into_inner().refunds.len(), 2);
}
