//! MD-1, MD-10: an added domain is billed for the remaining time, and an order is renewed within its
//! window, both exact to the microsecond. Other files test the other rules of MD.

use chrono::TimeDelta;
use licet_contracts::orders::v1::{
    DeleteOrderRequest, Order, OrderState, RenewOrderRequest, RequestReissueRequest,
};
use licet_domain::clock::Instant;
use tonic::Code;

use super::domains::Issued;
use crate::harness::{
    Backend,
    clock::{instant, shifted},
    errors::refused,
    on_both_databases, request_id,
    samples::{multi_domain_request, shown},
    world::World,
};

on_both_databases![
    md_1_a_domain_added_is_billed_for_the_remaining_time_only,
    md_10_the_window_is_90_days_before_and_30_after_the_end,
    md_10_terms_follow_one_another_by_the_first_ones_anchor,
    md_10_an_ended_order_permits_renewal_alone,
];

async fn md_1_a_domain_added_is_billed_for_the_remaining_time_only(backend: Backend) {
    let issued = Issued::new(backend, &["www.example.com"]).await;
    let Issued { world, order, .. } = &issued;
    // 17.5 of January's 31 days are over, so (13.5/31 + 11)/12 of 49.00, and of 98.00.
    world.time.advance(TimeDelta::hours(17 * 24 + 12));
    assert_eq!(issued.change(&["a.example"], &[]).await, "46.69 USD");
    assert_eq!(
        issued.change(&["b.example", "c.example"], &[]).await,
        "93.39 USD"
    );
    let invoices = world.invoices_of(&order.order_id).await;
    let line = &invoices.last().unwrap().lines[0];
    let charged = line.charged_period.unwrap();
    assert_eq!(instant(charged.start_time), world.now());
    assert_eq!(charged.end_time, order.end_time);
    // (11 + 27/62) of 12 months.
    assert_eq!(line.fraction, "709/744");

    // A microsecond before the end the share rounds to zero; from the end on a change is refused.
    let end = instant(order.end_time);
    world.time.move_to(shifted(end, -1));
    let last = world
        .preview_domains(&order.order_id, &["d.example"], &[])
        .await;
    let last = last.quote.unwrap();
    assert_eq!(shown(last.total.as_ref()), "0.00 USD");
    assert_eq!(last.lines[0].rule_id, "MD-1");
    world.time.move_to(end);
    let late = issued.refuse(&["d.example"], &[]).await;
    let late = late.expect(Code::FailedPrecondition, "ORDER_ENDED");
    let said = late.value("end_time").parse().unwrap();
    assert_eq!(end, said);
}

fn renewal(order: &Order, term_months: i32) -> RenewOrderRequest {
    RenewOrderRequest {
        order_id: order.order_id.clone(),
        term_months,
        request_id: request_id(),
        ..RenewOrderRequest::default()
    }
}

async fn md_10_the_window_is_90_days_before_and_30_after_the_end(backend: Backend) {
    let issued = Issued::new(backend, &["www.example.com"]).await;
    let Issued { world, order, .. } = &issued;
    let end = instant(order.end_time);
    let from = end.checked_add(TimeDelta::days(-90)).unwrap();
    let until = end.checked_add(TimeDelta::days(30)).unwrap();
    world.time.move_to(shifted(from, -1));
    let early = refused(world.orders().renew_order(renewal(order, 12)).await);
    let early = early.expect(Code::FailedPrecondition, "RENEWAL_TOO_EARLY");
    assert_eq!(early.value("from_time").parse(), Ok(from));
    world.time.move_to(from);
    let bought = world
        .orders()
        .renew_order(renewal(order, 12))
        .await
        .unwrap();
    let bought = bought.into_inner().order.unwrap();
    let next = bought.next_term.unwrap().period.unwrap();
    assert_eq!(next.start_time, order.end_time);
    assert_eq!(bought.end_time, next.end_time);
    let again = refused(world.orders().renew_order(renewal(order, 12)).await);
    let again = again.expect(Code::FailedPrecondition, "RENEWAL_ALREADY_BOUGHT");
    assert_eq!(again.value("start_time").parse(), Ok(end));

    // Another order ends and is renewed in the last microsecond of its window.
    for (at, passes) in [(shifted(until, -1), true), (until, false)] {
        let late = Issued::new(backend, &["www.example.com"]).await;
        late.world.time.move_to(at);
        let answer = late
            .world
            .orders()
            .renew_order(renewal(&late.order, 12))
            .await;
        if passes {
            let renewed = answer.unwrap().into_inner().order.unwrap();
            let term = renewed.current_term.unwrap();
            assert_eq!((term.term_index, renewed.next_term), (1, None));
            assert_eq!(instant(term.period.unwrap().start_time), end, "no day lost");
        } else {
            let refusal = refused(answer);
            let refusal = refusal.expect(Code::FailedPrecondition, "RENEWAL_TOO_LATE");
            assert_eq!(refusal.value("until_time").parse(), Ok(until));
        }
    }
}

async fn md_10_terms_follow_one_another_by_the_first_ones_anchor(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let at = |text: &str| text.parse::<Instant>().unwrap();
    world.time.move_to(at("2026-01-31T10:00:00Z"));
    let mut request = multi_domain_request(&account_id, &["www.example.com"]);
    request.term_months = 1;
    let order = world.place(request).await;
    let mut ends = vec![instant(order.end_time)];
    for _ in 0..3 {
        let renewed = world
            .orders()
            .renew_order(renewal(&order, 1))
            .await
            .unwrap();
        let renewed = renewed.into_inner().order.unwrap();
        let next = renewed.next_term.unwrap().period.unwrap();
        assert_eq!(instant(next.start_time), ends[ends.len() - 1]);
        ends.push(instant(next.end_time));
        world.time.move_to(ends[ends.len() - 2]);
    }
    let expected = [
        "2026-02-28T10:00:00Z",
        "2026-03-31T10:00:00Z",
        "2026-04-30T10:00:00Z",
        "2026-05-31T10:00:00Z",
    ];
    assert_eq!(ends, expected.map(at));
    // Four months at 12.00.
    assert_eq!(world.balance(&account_id).await, "952.00 USD");
}

async fn md_10_an_ended_order_permits_renewal_alone(backend: Backend) {
    let issued = Issued::new(backend, &["www.example.com"]).await;
    let Issued { world, order, .. } = &issued;
    let end = instant(order.end_time);
    world.time.move_to(end);
    let ended = world.get_order(&order.order_id).await;
    assert_eq!(ended.state(), OrderState::Ended);
    let order_id = order.order_id.clone();
    let change = issued.refuse(&["a.example"], &[]).await;
    let delete = DeleteOrderRequest {
        order_id: order_id.clone(),
        request_id: request_id(),
        ..DeleteOrderRequest::default()
    };
    let delete = refused(world.orders().delete_order(delete).await);
    let reissue = RequestReissueRequest {
        order_id,
        request_id: request_id(),
        ..RequestReissueRequest::default()
    };
    let reissue = refused(world.orders().request_reissue(reissue).await);
    let server = world.server(order, "one");
    let server = refused(world.servers().register_server(server).await);
    for refusal in [change, delete, reissue, server] {
        let refusal = refusal.expect(Code::FailedPrecondition, "ORDER_ENDED");
        assert_eq!(refusal.value("end_time").parse(), Ok(end));
        assert!(
            refusal.message.contains("renew it before"),
            "{}",
            refusal.message
        );
    }
    world
        .orders()
        .renew_order(renewal(order, 12))
        .await
        .unwrap();
    let renewed = world.get_order(&order.order_id).await;
    assert_eq!(renewed.state(), OrderState::Issued);
    let server = world.server(order, "one");
    world.servers().register_server(server).await.unwrap();
}
