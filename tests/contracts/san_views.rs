//! SL-17, SL-18, X-5: usage at any instant, past or future; the SANs and certificates behind it; and the
//! events that changes leave.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use licet_contracts::sanlicensing::v1::{
    CertificateState, License, ListCertificatesRequest, ListUniqueSansRequest, NextReturn, SanType,
    UniqueSan,
};

use super::events::{check_chain, log};
use crate::harness::{
    Backend,
    clock::{shifted, timestamp},
    errors::refused,
    eventually, on_both_databases,
    san::{figures, san, text},
    world::World,
};

on_both_databases![
    sl_17_the_past_keeps_what_it_was,
    sl_17_the_future_is_what_stands_today,
    sl_17_the_next_returns_are_told,
    sl_18_distinct_sans_are_listed_by_type_and_prefix,
    sl_18_a_prefix_is_found_in_any_case_wherever_its_letters_stand,
    sl_18_unique_sans_come_in_pages_while_others_are_added,
    sl_18_certificates_are_listed_by_name_and_state,
    sl_18_what_ends_before_an_instant_is_listed,
    x_5_changes_leave_events_and_going_over_the_quota_says_so,
];

async fn sl_17_the_past_keeps_what_it_was(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 9).await;
    let start = world.now();
    let at = |seconds: i64| shifted(start, seconds * 1_000_000);
    world.time.move_to(at(10));
    let held = world.granted(&license, &["a.example", "b.example"]).await;
    world.time.move_to(at(20));
    let mut report = world.report(&license, &["a.example"]);
    report.reservation_id = held.reservation_id;
    let certificate = world.record_san(report).await.certificate.unwrap();
    world.time.move_to(at(30));
    let released = world.granted(&license, &["*.c.example"]).await;
    world.time.move_to(at(40));
    world.release(&license, &released.reservation_id).await;
    world.time.move_to(at(50));
    world.revoke(&license, &[&certificate]).await;
    world.time.move_to(at(60));
    world.recorded_until(&license, &["d.example"], at(69)).await;
    world.time.move_to(at(1000));

    for (seconds, used, reserved) in [
        (0, 0, 0),
        (10, 0, 2),
        (20, 1, 0),
        (30, 1, 5),
        (40, 1, 0),
        (50, 0, 0),
        (60, 1, 0),
        (70, 0, 0),
    ] {
        let there = world.usage_at(&license, at(seconds)).await;
        assert_eq!(
            figures(&there),
            (used, reserved, 9 - used - reserved),
            "{seconds} s"
        );
        assert_eq!(there.quota, 9);
        // Unchanged until the microsecond before the next change.
        let then = world
            .usage_at(&license, shifted(at(seconds + 10), -1))
            .await;
        assert_eq!(figures(&then), figures(&there), "before {} s", seconds + 10);
    }
    let before = world.usage_at(&license, shifted(start, -1)).await;
    assert_eq!((before.quota, before.used, before.reserved), (0, 0, 0));
}

async fn sl_17_the_future_is_what_stands_today(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 9).await;
    let start = world.now();
    let at = |seconds: i64| shifted(start, seconds * 1_000_000);
    world
        .recorded_until(&license, &["a.example", "*.a.example"], at(9))
        .await;
    world
        .recorded_until(&license, &["a.example", "mail:a@example"], at(19))
        .await;
    world
        .granted(&license, &["mail:a@example", "b.example"])
        .await;
    for (time, used, reserved, distinct, wildcards) in [
        (at(0), 7, 1, 3, 1),
        (shifted(at(10), -1), 7, 1, 3, 1),
        (at(10), 2, 1, 2, 0),
        (at(20), 0, 2, 0, 0),
        (at(900), 0, 0, 0, 0),
    ] {
        let usage = world.usage_at(&license, time).await;
        assert_eq!(
            figures(&usage),
            (used, reserved, 9 - used - reserved),
            "{time}"
        );
        assert_eq!(
            (usage.distinct_sans, usage.wildcards),
            (distinct, wildcards)
        );
    }
}

async fn sl_17_the_next_returns_are_told(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 50).await;
    let start = world.now();
    let at = |seconds: i64| shifted(start, seconds * 1_000_000);
    for number in 1..=7 {
        let own = format!("n{number}.example");
        let list = ["shared.example", &own];
        world
            .recorded_until(&license, &list, at(number * 10 - 1))
            .await;
    }
    world
        .recorded_until(&license, &["*.n2.example"], at(19))
        .await;
    // Reservations do not appear among the returns.
    world.granted(&license, &["r.example", "n1.example"]).await;
    let expected: Vec<_> = [(10, 1), (20, 6), (30, 1), (40, 1), (50, 1)]
        .map(|(seconds, weight)| NextReturn {
            return_time: Some(timestamp(at(seconds))),
            weight,
        })
        .into();
    assert_eq!(world.usage(&license).await.next_returns, expected);
    world.time.move_to(at(50));
    let expected: Vec<_> = [(60, 1), (70, 2)]
        .map(|(seconds, weight)| NextReturn {
            return_time: Some(timestamp(at(seconds))),
            weight,
        })
        .into();
    assert_eq!(world.usage(&license).await.next_returns, expected);
}

fn unique_request(license: &License) -> ListUniqueSansRequest {
    ListUniqueSansRequest {
        license_id: license.license_id.clone(),
        ..ListUniqueSansRequest::default()
    }
}

async fn unique(world: &World, request: ListUniqueSansRequest) -> Vec<UniqueSan> {
    let answer = world.san_usage().list_unique_sans(request).await;
    answer.unwrap().into_inner().unique_sans
}

fn names_of(list: &[UniqueSan]) -> Vec<String> {
    list.iter()
        .map(|it| text(it.san.as_ref().unwrap()))
        .collect()
}

async fn sl_18_distinct_sans_are_listed_by_type_and_prefix(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 50).await;
    let soon = shifted(world.now(), 59_000_000);
    let first = ["mail:b@example", "a.example", "*.a.example", "ip:192.0.2.1"];
    world.recorded_until(&license, &first, soon).await;
    let second = world.recorded(
        &license,
        &["a.example", "upn:b@example", "under%score.example"],
    );
    let second = second.await;
    // Reserved and freed SANs are not listed.
    world.granted(&license, &["r.example"]).await;
    let gone = world.recorded(&license, &["gone.example"]).await;
    world.revoke(&license, &[&gone]).await;

    let all = unique(&world, unique_request(&license)).await;
    let expected = [
        "*.a.example",
        "a.example",
        "under%score.example",
        "ip:192.0.2.1",
        "mail:b@example",
        "upn:b@example",
    ];
    assert_eq!(names_of(&all), expected);
    let weights: Vec<_> = all.iter().map(|it| it.weight).collect();
    assert_eq!(weights, [5, 1, 1, 1, 1, 1]);
    let (wildcard, shared) = (&all[0], &all[1]);
    assert_eq!(
        wildcard.until_time,
        Some(timestamp(shifted(soon, 1_000_000)))
    );
    assert_eq!(
        (shared.certificate_count, wildcard.certificate_count),
        (2, 1)
    );
    assert_eq!(shared.until_time, second.until_time);

    let dns = ListUniqueSansRequest {
        r#type: SanType::DnsName.into(),
        ..unique_request(&license)
    };
    assert_eq!(names_of(&unique(&world, dns).await), expected[..3]);
    for (prefix, found) in [
        ("A.EX", vec!["a.example"]),
        ("*.a", vec!["*.a.example"]),
        ("b@", vec!["mail:b@example", "upn:b@example"]),
        // The prefix has no wildcards.
        ("%", vec![]),
        ("_", vec![]),
        ("under%", vec!["under%score.example"]),
        ("under_", vec![]),
    ] {
        let request = ListUniqueSansRequest {
            prefix: prefix.to_owned(),
            ..unique_request(&license)
        };
        assert_eq!(names_of(&unique(&world, request).await), found, "{prefix}");
    }
}

async fn sl_18_a_prefix_is_found_in_any_case_wherever_its_letters_stand(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 50).await;
    // A capital sigma has two lower-case forms, one for the end of a word.
    let names = [
        "upn:ΟΔΥΣΣΕΥΣ@Example",
        "upn:οδυς@example",
        "upn:Οδυσ@example",
    ];
    world.recorded(&license, &names).await;
    let all = names_of(&unique(&world, unique_request(&license)).await);
    let of = async |prefix: &str| {
        let request = ListUniqueSansRequest {
            prefix: prefix.to_owned(),
            ..unique_request(&license)
        };
        names_of(&unique(&world, request).await)
    };
    for name in &all {
        let value = name.strip_prefix("upn:").unwrap();
        for (place, _) in value.char_indices().skip(1) {
            let prefix = &value[..place];
            for spelt in [
                prefix.to_owned(),
                prefix.to_uppercase(),
                prefix.to_lowercase(),
            ] {
                assert!(of(&spelt).await.contains(name), "{spelt} of {name}");
            }
        }
    }
    assert_eq!(of("ΟΔΥΣ").await, all);
    assert_eq!(of("ΟΔΥΣΣ").await.len(), 1);
    assert_eq!(of("σ").await.len(), 0);
}

async fn sl_18_unique_sans_come_in_pages_while_others_are_added(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 50).await;
    let own: Vec<_> = (10..23)
        .map(|number| format!("n{number}.example"))
        .collect();
    let all: Vec<_> = own.iter().map(String::as_str).collect();
    world.recorded(&license, &all).await;
    let mut listed = Vec::new();
    let mut request = ListUniqueSansRequest {
        page_size: 5,
        ..unique_request(&license)
    };
    loop {
        let page = world.san_usage().list_unique_sans(request.clone()).await;
        let page = page.unwrap().into_inner();
        assert!(page.unique_sans.len() <= 5);
        listed.extend(names_of(&page.unique_sans));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
        // New SANs before the page do not move it.
        world
            .recorded(&license, &["a.example", "n10.example"])
            .await;
    }
    assert_eq!(listed, all);
    let other = ListUniqueSansRequest {
        prefix: "n".to_owned(),
        ..request
    };
    let refusal = refused(world.san_usage().list_unique_sans(other).await);
    assert_eq!(refusal.paths(), ["page_token"]);
}

async fn sl_18_certificates_are_listed_by_name_and_state(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 50).await;
    let mut recorded = Vec::new();
    for number in 0..5 {
        let own = format!("n{number}.example");
        recorded.push(world.recorded(&license, &["Shared.example", &own]).await);
        world.time.advance(TimeDelta::seconds(1));
    }
    let short = world
        .recorded_until(&license, &["short.example"], world.now())
        .await;
    world.time.advance(TimeDelta::seconds(1));
    recorded[1] = world.revoke(&license, &[&recorded[1]]).await.remove(0);
    let ids = async |request: ListCertificatesRequest| {
        let mut ids = Vec::new();
        let mut request = ListCertificatesRequest {
            page_size: 2,
            ..request
        };
        loop {
            let page = world.san_usage().list_certificates(request.clone()).await;
            let page = page.unwrap().into_inner();
            ids.extend(page.certificates.into_iter().map(|it| it.certificate_id));
            if page.next_page_token.is_empty() {
                return ids;
            }
            request.page_token = page.next_page_token;
        }
    };
    let all = ListCertificatesRequest {
        license_id: license.license_id.clone(),
        ..ListCertificatesRequest::default()
    };
    let of = |places: &[usize]| -> Vec<_> {
        places
            .iter()
            .map(|place| recorded[*place].certificate_id.clone())
            .collect()
    };
    let mut everything = vec![short.certificate_id.clone()];
    everything.extend(of(&[4, 3, 2, 1, 0]));
    assert_eq!(ids(all.clone()).await, everything);
    let in_state = |state: CertificateState| ListCertificatesRequest {
        state: state.into(),
        ..all.clone()
    };
    assert_eq!(
        ids(in_state(CertificateState::Active)).await,
        of(&[4, 3, 2, 0])
    );
    assert_eq!(ids(in_state(CertificateState::Revoked)).await, of(&[1]));
    assert_eq!(
        ids(in_state(CertificateState::Expired)).await,
        [short.certificate_id]
    );
    let holding = |name: &str, state: CertificateState| ListCertificatesRequest {
        san: Some(san(name)),
        ..in_state(state)
    };
    let unspecified = CertificateState::Unspecified;
    assert_eq!(
        ids(holding("SHARED.example.", unspecified)).await,
        of(&[4, 3, 2, 1, 0])
    );
    assert_eq!(ids(holding("n3.example", unspecified)).await, of(&[3]));
    assert_eq!(
        ids(holding("n1.example", CertificateState::Active)).await,
        of(&[])
    );
    assert!(
        ids(holding("mail:shared@example", unspecified))
            .await
            .is_empty()
    );
    let page = world
        .san_usage()
        .list_certificates(in_state(CertificateState::Revoked))
        .await;
    assert_eq!(
        page.unwrap().into_inner().certificates,
        [recorded[1].clone()]
    );
}

async fn sl_18_what_ends_before_an_instant_is_listed(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 50).await;
    let at = |seconds: i64| shifted(world.now(), seconds * 1_000_000);
    let early = world
        .recorded_until(&license, &["a.example", "b.example"], at(9))
        .await;
    let late = world
        .recorded_until(&license, &["b.example", "c.example"], at(19))
        .await;
    for (before, names, holders) in [
        (at(10), vec![], vec![]),
        (shifted(at(10), 1), vec!["a.example"], vec![&early]),
        (at(20), vec!["a.example"], vec![&early]),
        (
            at(21),
            vec!["a.example", "b.example", "c.example"],
            vec![&late, &early],
        ),
    ] {
        let request = ListUniqueSansRequest {
            until_before_time: Some(timestamp(before)),
            ..unique_request(&license)
        };
        // A SAN returns with the last certificate that holds it (SL-5).
        assert_eq!(names_of(&unique(&world, request).await), names, "{before}");
        let request = ListCertificatesRequest {
            license_id: license.license_id.clone(),
            until_before_time: Some(timestamp(before)),
            ..ListCertificatesRequest::default()
        };
        let answer = world.san_usage().list_certificates(request).await;
        let found = answer.unwrap().into_inner().certificates;
        let found: BTreeSet<_> = found.into_iter().map(|it| it.certificate_id).collect();
        let expected: BTreeSet<_> = holders
            .into_iter()
            .map(|it| it.certificate_id.clone())
            .collect();
        assert_eq!(found, expected, "{before}");
    }
}

async fn x_5_changes_leave_events_and_going_over_the_quota_says_so(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 2).await;
    let held = world.granted(&license, &["a.example"]).await;
    world.release(&license, &held.reservation_id).await;
    let first = world.recorded(&license, &["a.example", "b.example"]).await;
    world.revoke(&license, &[&first]).await;
    let over = ["a.example", "b.example", "c.example"];
    world.recorded(&license, &over).await;
    eventually("the events are in the log", || async {
        let log = log(world.san_events()).await;
        check_chain(&log);
        let of_license: Vec<_> = log
            .iter()
            .filter_map(|entry| entry.event.as_ref())
            .filter(|event| event.subject == license.license_id)
            .collect();
        // The acceptance and five changes.
        let over_quota = of_license
            .iter()
            .filter(|event| event.why.contains("SL-21"))
            .count();
        (of_license.len() >= 6 && over_quota == 1).then_some(())
    })
    .await;
}
