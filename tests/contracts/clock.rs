//! the suite's test clock moves all services together, forward only, and by calendar months.

use chrono::TimeDelta;
use licet_contracts::{
    clock::v1::{
        AdvanceTimeRequest, AdvanceTimeResponse, GetTimeRequest, advance_time_request::By,
        clock_service_client::ClockServiceClient,
    },
    orders::v1::OrderState,
};
use licet_domain::clock::Instant;
use tonic::Code;
use uuid::Uuid;

use crate::harness::{
    Backend,
    clock::{instant, timestamp},
    errors::refused,
    on_both_databases, request_id,
    samples::multi_domain_request,
    world::World,
};

on_both_databases![
    the_clock_moves_all_services_forward,
    a_repeated_advance_does_not_move_the_clock_again,
    x_6_an_advance_answers_when_what_was_due_is_done,
    a_clock_that_is_off_is_not_served,
];

async fn the_clock_moves_all_services_forward(backend: Backend) {
    let world = World::start_on_test_clock(backend).await;
    let advance = |by| {
        let mut clock = world.clock();
        let request = AdvanceTimeRequest {
            by,
            request_id: request_id(),
        };
        async move { clock.advance_time(request).await }
    };
    let moved =
        |answer: AdvanceTimeResponse| (instant(answer.previous_time), instant(answer.current_time));
    let (before, after) = moved(advance(Some(By::Months(6))).await.unwrap().into_inner());
    assert_eq!(before.checked_add_months(6), Some(after));
    let span = |seconds, nanos| prost_types::Duration { seconds, nanos };
    let (before, after) = moved(
        advance(Some(By::Duration(span(60, 1000))))
            .await
            .unwrap()
            .into_inner(),
    );
    assert_eq!(before.micros_until(after), 60_000_001);
    let target = after.checked_add(TimeDelta::days(3)).unwrap();
    let to = Some(By::ToTime(timestamp(target)));
    let (_, after) = moved(advance(to).await.unwrap().into_inner());
    assert_eq!(after, target);

    for by in [
        None,
        Some(By::Months(0)),
        Some(By::Months(-1)),
        Some(By::Duration(span(-1, 0))),
        Some(By::Duration(span(0, 0))),
        Some(By::Duration(span(0, 999))),
        Some(By::Duration(span(1, -1))),
        Some(By::Duration(span(0, 1_000_000_000))),
        Some(By::ToTime(timestamp(before))),
    ] {
        refused(advance(by).await).expect(Code::InvalidArgument, "INVALID_FIELDS");
    }
    // The nil UUID, which an unset variable yields, identifies no attempt (BL-2).
    let unset = AdvanceTimeRequest {
        by: Some(By::Months(1)),
        request_id: Uuid::nil().to_string(),
    };
    let unset = refused(world.clock().advance_time(unset).await);
    let unset = unset.expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(unset.fields[0].0, "request_id");
    // Billing shows the same time.
    let mut billing = ClockServiceClient::new(world.billing_channel());
    let time = billing
        .get_time(GetTimeRequest {})
        .await
        .unwrap()
        .into_inner();
    assert!(time.is_test_clock);
    let now: Instant = instant(time.current_time);
    assert!(now >= target, "{now} is before {target}");
    assert!(
        target.micros_until(now) < 60_000_000,
        "{now} is far from {target}"
    );
    let account_id = world.empty_account().await;
    assert!(instant(world.get_account(&account_id).await.create_time) >= target);
}

async fn a_repeated_advance_does_not_move_the_clock_again(backend: Backend) {
    let world = World::start_on_test_clock(backend).await;
    let request = AdvanceTimeRequest {
        by: Some(By::Months(6)),
        request_id: request_id(),
    };
    let first = world
        .clock()
        .advance_time(request.clone())
        .await
        .unwrap()
        .into_inner();
    let again = world
        .clock()
        .advance_time(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again, first);
    let time = world
        .clock()
        .get_time(GetTimeRequest {})
        .await
        .unwrap()
        .into_inner();
    let passed = instant(first.current_time).micros_until(instant(time.current_time));
    assert!((0..3_600_000_000).contains(&passed), "{passed} µs passed");
}

async fn x_6_an_advance_answers_when_what_was_due_is_done(backend: Backend) {
    let mut world = World::start_on_test_clock(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    world.stop_billing().await;
    let request = multi_domain_request(&account_id, &["www.example.com"]);
    let order = world
        .orders()
        .place_order(request)
        .await
        .unwrap()
        .into_inner()
        .order
        .unwrap();
    assert_eq!(order.state(), OrderState::Pending);
    world.start_billing().await;
    let advance = AdvanceTimeRequest {
        by: Some(By::Months(1)),
        request_id: request_id(),
    };
    world.clock().advance_time(advance).await.unwrap();
    assert_eq!(
        world.get_order(&order.order_id).await.state(),
        OrderState::Paid
    );
}

async fn a_clock_that_is_off_is_not_served(backend: Backend) {
    let world = World::start(backend).await;
    refused(world.clock().get_time(GetTimeRequest {}).await)
        .expect(Code::Unimplemented, "METHOD_NOT_SERVED");
}
