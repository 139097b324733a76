//! SL-17: daily usage: past days with their peaks, and future days as current holdings imply.

use chrono::TimeDelta;
use licet_contracts::{
    sanlicensing::v1::{DailyUsage, DayKind, License, ListDailyUsageRequest},
    types::v1::Period,
};
use licet_domain::{clock::Instant, ids::LicenseId};
use tonic::Code;

use crate::harness::{
    Backend,
    clock::{instant, shifted, timestamp},
    errors::refused,
    on_both_databases,
    process::licet,
    san::{days_request, facts, report_of},
    world::World,
};

on_both_databases![
    sl_17_a_day_has_its_peak_to_the_microsecond,
    sl_17_the_forecast_is_what_then_happens,
    sl_17_days_that_are_over_never_change,
    sl_17_the_quota_of_a_day_is_that_of_its_end,
    sl_17_the_last_thirty_days_are_told_unless_others_are_named,
    sl_17_days_come_in_pages_without_a_gap,
    sl_17_the_command_draws_the_days,
    days_that_cannot_be_are_refused,
];

/// Midnight of a day, counted from 1 January 2026, when every world begins.
fn midnight(day: i64) -> Instant {
    let start: Instant = "2026-01-01T00:00:00Z".parse().unwrap();
    shifted(start, (day - 1) * 86_400_000_000)
}

fn hour(day: i64, hour: i64) -> Instant {
    shifted(midnight(day), hour * 3_600_000_000)
}

/// Used, distinct and peak.
fn figures(day: &DailyUsage) -> (i64, i64, i64) {
    (day.used, day.distinct_sans, day.peak_used)
}

async fn sl_17_a_day_has_its_peak_to_the_microsecond(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 50).await;
    world.time.move_to(hour(2, 10));
    let end = shifted(midnight(5), -1_000_000);
    world.recorded_until(&license, &["a.example"], end).await;
    // In use within the third day only; a certificate's last second is inclusive.
    world.time.move_to(hour(3, 12));
    let last = shifted(hour(3, 13), -1_000_000);
    world
        .recorded_until(&license, &["*.a.example", "a.example"], last)
        .await;
    world.time.move_to(shifted(hour(3, 13), -1));
    let short = world.recorded(&license, &["b.example"]).await;
    world.time.move_to(hour(3, 14));
    world.revoke(&license, &[&short]).await;
    // Reservations do not count as usage.
    world.granted(&license, &["r.example"]).await;

    let days = world.days(&license, midnight(1), midnight(6)).await;
    let found: Vec<_> = days
        .iter()
        .map(|day| (day.kind(), figures(day), instant(day.peak_time)))
        .collect();
    let expected = [
        (DayKind::Past, (0, 0, 0), midnight(1)),
        (DayKind::Past, (1, 1, 1), hour(2, 10)),
        (DayKind::Today, (1, 1, 7), shifted(hour(3, 13), -1)),
        (DayKind::Forecast, (1, 1, 1), midnight(4)),
        (DayKind::Forecast, (0, 0, 0), midnight(5)),
    ];
    assert_eq!(found, expected);
    for (number, day) in (1..).zip(&days) {
        let period = day.day.unwrap();
        assert_eq!(instant(period.start_time), midnight(number));
        assert_eq!(instant(period.end_time), midnight(number + 1));
        assert_eq!(day.quota, 50);
        // Each figure equals the usage at that instant.
        let usage = world.usage_at(&license, shifted(midnight(number + 1), -1));
        let usage = usage.await;
        assert_eq!(
            (usage.used, usage.distinct_sans),
            (day.used, day.distinct_sans)
        );
        let peak = world.usage_at(&license, instant(day.peak_time)).await;
        assert_eq!(peak.used, day.peak_used);
    }
}

async fn sl_17_the_forecast_is_what_then_happens(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 100).await;
    world.time.move_to(hour(1, 7));
    for number in 0..12 {
        let own = format!("n{}.example", number % 5);
        let wild = format!("*.n{}.example", number % 3);
        let list = [own.as_str(), wild.as_str()];
        let last = shifted(hour(2 + number, number), (number % 2 - 1) * 1_000_000);
        world.recorded_until(&license, &list, last).await;
    }
    let (start, end) = (midnight(1), midnight(21));
    let forecast = world.days(&license, start, end).await;
    assert_eq!(forecast[0].kind(), DayKind::Today);
    assert!(
        forecast[1..]
            .iter()
            .all(|day| day.kind() == DayKind::Forecast)
    );
    assert_eq!(figures(&forecast[0]), (20, 8, 20));
    for (number, day) in (1..).zip(&forecast) {
        world.time.move_to(midnight(number).max(world.now()));
        if number > 1 {
            // Without new certificates, a day's usage peaks at its start.
            assert_eq!(
                world.usage(&license).await.used,
                day.peak_used,
                "day {number}"
            );
        }
        world.time.move_to(shifted(midnight(number + 1), -1));
        let usage = world.usage(&license).await;
        assert_eq!(
            (usage.used, usage.distinct_sans),
            (day.used, day.distinct_sans)
        );
    }
    world.time.move_to(end);
    let past = DayKind::Past.into();
    let expected: Vec<_> = forecast
        .into_iter()
        .map(|day| DailyUsage { kind: past, ..day })
        .collect();
    assert_eq!(world.days(&license, start, end).await, expected);
}

async fn sl_17_days_that_are_over_never_change(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    world.time.move_to(hour(2, 8));
    let first = world
        .recorded(&license, &["a.example", "*.a.example"])
        .await;
    world.time.move_to(midnight(4));
    let before = world.days(&license, midnight(1), midnight(4)).await;
    assert_eq!(before.len(), 3);
    assert_eq!(figures(&before[2]), (6, 2, 6));

    world.revoke(&license, &[&first]).await;
    world.recorded(&license, &["a.example", "b.example"]).await;
    world.increase(&license, 20).await;
    world.time.advance(TimeDelta::days(40));
    // A certificate that had expired before it was reported never counted.
    let over = facts(&["c.example"], midnight(1), midnight(2));
    world.record_san(report_of(&license, over)).await;
    assert_eq!(world.days(&license, midnight(1), midnight(4)).await, before);
}

async fn sl_17_the_quota_of_a_day_is_that_of_its_end(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    world.time.move_to(hour(3, 12));
    world.increase(&license, 15).await;
    let period = license.term.as_ref().unwrap().period.unwrap();
    let over = instant(period.end_time);
    assert_eq!(over, shifted(midnight(1), 365 * 86_400_000_000));
    let quotas = async |start: Instant, end: Instant| {
        let days = world.days(&license, start, end).await;
        days.iter().map(|day| day.quota).collect::<Vec<_>>()
    };
    let before = shifted(midnight(1), -1);
    assert_eq!(quotas(before, midnight(5)).await, [0, 10, 10, 15, 15]);
    let last = shifted(over, -1);
    assert_eq!(quotas(last, shifted(over, 1)).await, [15, 0]);
}

fn unnamed(license: &License) -> ListDailyUsageRequest {
    ListDailyUsageRequest {
        license_id: license.license_id.clone(),
        ..ListDailyUsageRequest::default()
    }
}

async fn sl_17_the_last_thirty_days_are_told_unless_others_are_named(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    world.time.move_to(hour(10, 1));
    world.recorded(&license, &["a.example"]).await;
    world.time.move_to(hour(40, 5));
    let answer = world.san_usage().list_daily_usage(unnamed(&license)).await;
    let days = answer.unwrap().into_inner().days;
    assert_eq!(days.len(), 30);
    assert_eq!(instant(days[0].day.unwrap().start_time), midnight(11));
    assert_eq!(days[29].kind(), DayKind::Today);
    assert!(days.iter().all(|day| figures(day) == (1, 1, 1)));
    // Forecasts are limited to ninety days.
    let forecast = world.days(&license, world.now(), midnight(130)).await;
    assert_eq!(forecast.len(), 90);
    assert_eq!(forecast.iter().map(|day| day.used).sum::<i64>(), 60);
}

async fn sl_17_days_come_in_pages_without_a_gap(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 50).await;
    world.time.move_to(hour(1, 3));
    for day in 2..20 {
        let name = format!("n{day}.example");
        let end = hour(day, 5);
        world.recorded_until(&license, &[&name], end).await;
    }
    let whole = world.days(&license, midnight(1), midnight(23)).await;
    assert_eq!(whole.len(), 22);
    let mut listed = Vec::new();
    let mut request = ListDailyUsageRequest {
        page_size: 7,
        ..days_request(&license, midnight(1), midnight(23))
    };
    loop {
        let page = world.san_usage().list_daily_usage(request.clone()).await;
        let page = page.unwrap().into_inner();
        listed.extend(page.days);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
        // A certificate recorded between pages does not change the listing.
        world.time.advance(TimeDelta::days(1));
        world.recorded(&license, &["later.example"]).await;
    }
    assert_eq!(listed, whole);
    let other = ListDailyUsageRequest {
        period: None,
        ..request
    };
    let refusal = refused(world.san_usage().list_daily_usage(other).await);
    assert_eq!(refusal.paths(), ["page_token"]);
}

async fn sl_17_the_command_draws_the_days(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 8).await;
    world.time.move_to(hour(3, 12));
    let last = shifted(midnight(6), -1_000_000);
    world.recorded_until(&license, &["*.a.example"], last).await;
    let gone = world.recorded(&license, &["b.example"]).await;
    world.revoke(&license, &[&gone]).await;
    let license_id = license.license_id.clone();
    let address = world.san_licensing_address();
    // The services run in this test's runtime, so the command must not block it.
    let run = |arguments: [&str; 5]| {
        let arguments = arguments.map(str::to_owned);
        let (license_id, address) = (license_id.clone(), address.clone());
        tokio::task::spawn_blocking(move || {
            let mut all = vec!["usage", &license_id, "--san-licensing-url", &address];
            all.extend(arguments.iter().map(String::as_str));
            licet(&all)
        })
    };
    let output = run(["--from", "2026-01-01", "--to", "2026-01-08", "--width=60"]).await;
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
    let expected = format!(
        "
 {license_id} at 2026-01-03T12:00:00.000000Z
 quota 8, used 5, reserved 0, free 3; 1 distinct SANs, 1 of them wildcards

 8 |---------------------
   |
   |
 6 |
   |      ###++++++
   |      ###++++++
 4 |      ###++++++
   |      ###++++++
   |      ###++++++
 2 |      ###++++++
   |      ###++++++
   |      ###++++++
 0 +---------------------
    2026-01-01 2026-01-07
          ^ today

 # used  + forecast  : peak  - quota
 highest peak 5 of 8 at 2026-01-03T12:00:00.000000Z
 next freed   5 at 2026-01-06T00:00:00.000000Z
"
    );
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(format!("\n{text}"), expected);
    let output = run(["--from", "2026-01-02", "--to", "2026-01-01", "--ascii"]).await;
    assert!(!output.unwrap().status.success());
}

async fn days_that_cannot_be_are_refused(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 5).await;
    let ask = async |request: ListDailyUsageRequest| {
        refused(world.san_usage().list_daily_usage(request).await)
    };
    let nothing = ListDailyUsageRequest {
        license_id: "lic".to_owned(),
        period: Some(Period {
            start_time: None,
            end_time: Some(timestamp(midnight(1))),
        }),
        ..ListDailyUsageRequest::default()
    };
    let refusal = ask(nothing).await;
    assert_eq!(refusal.paths(), ["license_id", "period.start_time"]);
    let refusal = ask(days_request(&license, midnight(2), midnight(2))).await;
    assert_eq!(refusal.paths(), ["period.end_time"]);
    let too_many = days_request(&license, midnight(1), midnight(36_527));
    assert_eq!(ask(too_many).await.paths(), ["period"]);
    let beyond = days_request(&license, shifted(Instant::MAX, -5), Instant::MAX);
    assert_eq!(ask(beyond).await.paths(), ["period"]);
    let mut unknown = unnamed(&license);
    unknown.license_id = LicenseId::generate().to_string();
    ask(unknown).await.expect(Code::NotFound, "NOT_FOUND");
}
