//! SL-12, SL-13, SL-21: what a reservation holds, until when, and how it ends.

use chrono::TimeDelta;
use licet_contracts::sanlicensing::v1::{
    AuthorizeIssuanceRequest, ListReservationsRequest, ReservationState,
};
use tonic::Code;

use crate::harness::{
    Backend,
    clock::{instant, shifted},
    errors::refused,
    on_both_databases,
    san::{figures, release_request, sans, texts},
    world::World,
};

on_both_databases![
    sl_12_a_reservation_ends_by_itself_to_the_microsecond,
    sl_12_a_release_frees_its_sans_at_once,
    sl_12_a_reservation_is_released_once,
    sl_12_a_lapsed_reservation_is_answered_as_it_is,
    sl_13_a_reservation_holds_what_is_active_already,
    sl_13_two_reservations_of_one_san_hold_it_until_the_last_ends,
    sl_21_names_that_are_reserved_and_not_on_the_certificate_return,
    sl_21_a_lapsed_or_released_reservation_keeps_no_certificate_out,
    sl_21_a_certificate_is_recorded_beyond_the_quota,
    sl_12_a_reservation_is_used_by_one_certificate,
    reservations_are_listed_in_pages_while_they_hold,
];

fn held_for(request: AuthorizeIssuanceRequest, hold: TimeDelta) -> AuthorizeIssuanceRequest {
    AuthorizeIssuanceRequest {
        hold_for: Some(prost_types::Duration {
            seconds: hold.num_seconds(),
            nanos: hold.subsec_nanos(),
        }),
        ..request
    }
}

async fn sl_12_a_reservation_ends_by_itself_to_the_microsecond(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 2).await;
    let first = world.granted(&license, &["a.example"]).await;
    assert_eq!(
        instant(first.expire_time),
        shifted(world.now(), 15 * 60 * 1_000_000)
    );
    let shortest = held_for(
        world.question(&license, &["b.example"]),
        TimeDelta::microseconds(1),
    );
    let second = world.authorize(shortest).await;
    assert_eq!(instant(second.expire_time), shifted(world.now(), 1));
    assert_eq!(figures(&world.usage(&license).await), (0, 2, 0));
    world.time.advance(TimeDelta::microseconds(1));
    assert_eq!(figures(&world.usage(&license).await), (0, 1, 1));

    let longest = held_for(
        world.question(&license, &["c.example"]),
        TimeDelta::hours(24),
    );
    let third = world.authorize(longest).await;
    world.time.move_to(shifted(instant(third.expire_time), -1));
    assert_eq!(figures(&world.usage(&license).await), (0, 1, 1));
    world.time.advance(TimeDelta::microseconds(1));
    assert_eq!(figures(&world.usage(&license).await), (0, 0, 2));
    assert!(world.reservations(&license).await.is_empty());
}

async fn sl_12_a_release_frees_its_sans_at_once(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 1).await;
    let granted = world.granted(&license, &["a.example"]).await;
    world.denied(&license, &["b.example"]).await;
    let released = world.release(&license, &granted.reservation_id).await;
    assert_eq!(released.state(), ReservationState::Released);
    assert_eq!(released.reservation_id, granted.reservation_id);
    assert_eq!(texts(&released.sans), ["a.example"]);
    world.granted(&license, &["b.example"]).await;
}

async fn sl_12_a_reservation_is_released_once(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 1).await;
    let granted = world.granted(&license, &["a.example"]).await;
    let request = release_request(&license, &granted.reservation_id);
    let release = async |request| world.san_issuance().release_reservation(request).await;
    let first = release(request.clone()).await.unwrap().into_inner();
    assert_eq!(release(request).await.unwrap().into_inner(), first);
    let another = release_request(&license, &granted.reservation_id);
    let refusal =
        refused(release(another).await).expect(Code::FailedPrecondition, "RESERVATION_SPENT");
    assert_eq!(refusal.value("reservation_id"), granted.reservation_id);
    assert_eq!(refusal.value("state"), "RELEASED");
}

async fn sl_12_a_lapsed_reservation_is_answered_as_it_is(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 1).await;
    let granted = world.granted(&license, &["a.example"]).await;
    world.time.move_to(instant(granted.expire_time));
    let lapsed = world.release(&license, &granted.reservation_id).await;
    assert_eq!(lapsed.state(), ReservationState::Expired);
    assert_eq!(lapsed.expire_time, granted.expire_time);
}

async fn sl_13_a_reservation_holds_what_is_active_already(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 2).await;
    let minute = shifted(world.now(), 60_000_000);
    world
        .recorded_until(&license, &["a.example"], shifted(minute, -1_000_000))
        .await;
    let granted = world.granted(&license, &["a.example", "b.example"]).await;
    assert_eq!((granted.used, granted.reserved, granted.needed), (1, 0, 1));
    world.time.move_to(minute);
    // The certificate has expired, but its SAN is reserved for the next one.
    assert_eq!(figures(&world.usage(&license).await), (0, 2, 0));
    let denied = world.denied(&license, &["c.example"]).await;
    assert_eq!(denied.fits_time, granted.expire_time);
    let mut report = world.report(&license, &["a.example", "b.example"]);
    report.reservation_id = granted.reservation_id;
    assert!(!world.record_san(report).await.over_quota);
    assert_eq!(figures(&world.usage(&license).await), (2, 0, 0));
}

async fn sl_13_two_reservations_of_one_san_hold_it_until_the_last_ends(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 1).await;
    let first = world.granted(&license, &["a.example"]).await;
    world.time.advance(TimeDelta::minutes(1));
    let second = world.granted(&license, &["A.example"]).await;
    assert_eq!((second.reserved, second.needed), (1, 0));
    world.release(&license, &first.reservation_id).await;
    let denied = world.denied(&license, &["b.example"]).await;
    assert_eq!(denied.fits_time, second.expire_time);
    world.release(&license, &second.reservation_id).await;
    world.granted(&license, &["b.example"]).await;
}

async fn sl_21_names_that_are_reserved_and_not_on_the_certificate_return(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    let granted = world
        .granted(&license, &["a.example", "b.example", "*.c.example"])
        .await;
    assert_eq!(figures(&world.usage(&license).await), (0, 7, 3));
    // One of these SANs was not reserved.
    let mut report = world.report(&license, &["a.example", "d.example"]);
    report.reservation_id = granted.reservation_id.clone();
    world.record_san(report).await;
    assert_eq!(figures(&world.usage(&license).await), (2, 0, 8));
    assert!(world.reservations(&license).await.is_empty());
    let late = release_request(&license, &granted.reservation_id);
    let refusal = refused(world.san_issuance().release_reservation(late).await)
        .expect(Code::FailedPrecondition, "RESERVATION_SPENT");
    assert_eq!(refusal.value("state"), "RECORDED");
}

async fn sl_21_a_lapsed_or_released_reservation_keeps_no_certificate_out(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 2).await;
    let lapsed = world.granted(&license, &["a.example"]).await;
    world.time.move_to(instant(lapsed.expire_time));
    let released = world.granted(&license, &["b.example"]).await;
    world.release(&license, &released.reservation_id).await;
    let between = world.now();
    world.time.advance(TimeDelta::seconds(1));
    for (name, reservation_id) in [
        ("a.example", &lapsed.reservation_id),
        ("b.example", &released.reservation_id),
    ] {
        let mut report = world.report(&license, &[name]);
        report.reservation_id.clone_from(reservation_id);
        let answer = world.record_san(report).await;
        assert!(!answer.already_known && !answer.over_quota, "{answer:?}");
    }
    assert_eq!(figures(&world.usage(&license).await), (2, 0, 0));
    // In between they held nothing, and past usage stays so (T-6).
    let then = world.usage_at(&license, between).await;
    assert_eq!(figures(&then), (0, 0, 2));
}

async fn sl_21_a_certificate_is_recorded_beyond_the_quota(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 2).await;
    world.granted(&license, &["a.example"]).await;
    let first = world
        .record_san(world.report(&license, &["b.example"]))
        .await;
    assert!(!first.over_quota);
    // One used and one reserved, so another one exceeds the quota.
    let second = world
        .record_san(world.report(&license, &["c.example"]))
        .await;
    assert!(second.over_quota, "{second:?}");
    assert_eq!(figures(&world.usage(&license).await), (2, 1, -1));
}

async fn sl_12_a_reservation_is_used_by_one_certificate(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 5).await;
    let granted = world.granted(&license, &["a.example"]).await;
    let mut report = world.report(&license, &["a.example"]);
    report.reservation_id = granted.reservation_id.clone();
    let first = world.record_san(report.clone()).await;
    // The same certificate is recognised when it is reported again under another request id.
    let again = crate::harness::request_id();
    let known = world.record_san({
        let mut report = report.clone();
        report.request_id = again;
        report
    });
    let known = known.await;
    assert!(known.already_known);
    assert_eq!(known.certificate, first.certificate);
    let mut another = world.report(&license, &["a.example"]);
    another.reservation_id = granted.reservation_id.clone();
    let refusal = refused(world.san_issuance().record_certificate(another).await)
        .expect(Code::FailedPrecondition, "RESERVATION_SPENT");
    assert_eq!(refusal.value("reservation_id"), granted.reservation_id);
    assert_eq!(figures(&world.usage(&license).await), (1, 0, 4));
}

async fn reservations_are_listed_in_pages_while_they_hold(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 20).await;
    let mut granted = Vec::new();
    for number in 0..7 {
        let name = format!("host{number}.example");
        granted.push(world.granted(&license, &[&name]).await.reservation_id);
        world.time.advance(TimeDelta::seconds(1));
    }
    world.release(&license, &granted[3]).await;
    let mut listed = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListReservationsRequest {
            license_id: license.license_id.clone(),
            page_size: 4,
            page_token,
        };
        let page = world.san_issuance().list_reservations(request).await;
        let page = page.unwrap().into_inner();
        assert!(page.reservations.len() <= 4);
        listed.extend(page.reservations);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    granted.remove(3);
    let ids: Vec<_> = listed.iter().map(|it| it.reservation_id.clone()).collect();
    assert_eq!(ids, granted);
    for reservation in &listed {
        assert_eq!(reservation.state(), ReservationState::Held);
        assert_eq!(reservation.license_id, license.license_id);
        let life = instant(reservation.decide_time).micros_until(instant(reservation.expire_time));
        assert_eq!(life, 15 * 60 * 1_000_000);
    }
    assert_eq!(listed[0].sans, sans(&["host0.example"]));
}
