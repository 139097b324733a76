//! SL-14, SL-15, SL-21: the authority reports in bulk: in batches, with records that are refused alone, and
//! revocations that may precede their certificates.

use licet_contracts::sanlicensing::v1::{
    CertificateState, IngestCertificatesRequest, IngestRecord, RecordRefusal, RevocationReason,
    ingest_record::Report,
};
use licet_domain::clock::Clock as _;
use licet_runtime::clock::SystemClock;
use prost::Message as _;
use tonic::Code;

use super::events::log;
use crate::harness::{
    Backend,
    books::BackDoor,
    certificates::Authority,
    clock::{instant, shifted, timestamp},
    errors::take_apart,
    eventually,
    ingest::{FEED, batch, counts, figures, record, revoked, send, signed},
    on_both_databases,
    san::{facts, figures as usage_figures, report_of, sans, texts},
    world::World,
};

on_both_databases![
    sl_14_batches_are_acknowledged_counted_and_gone_on_from,
    sl_14_a_certificate_comes_as_der_or_as_facts,
    sl_14_a_batch_is_repeated_and_the_feed_never_goes_backwards,
    sl_14_a_poisoned_record_is_refused_alone,
    sl_14_what_was_refused_is_listed_by_pages,
    sl_14_a_batch_over_a_limit_does_nothing,
    sl_14_a_feed_is_its_senders,
    sl_14_a_certificate_known_from_elsewhere_is_known,
    sl_14_revocations_count_from_their_record,
    sl_15_a_revocation_waits_for_its_certificate,
    sl_15_a_revocation_waits_for_a_certificate_that_is_recorded_singly,
    sl_15_a_revocation_and_its_certificate_that_passed_each_other_by_meet,
    sl_21_ingest_passes_the_quota_and_says_so,
];

async fn sl_14_batches_are_acknowledged_counted_and_gone_on_from(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 100).await;
    let (now, end) = (world.now(), world.usual_end());
    let first = facts(&["a.example", "b.example"], now, end);
    let second = facts(&["B.example", "*.c.example"], now, end);
    let (answers, ended) = send(
        world.san_channel(0),
        vec![
            batch(1, vec![signed(&license, &first), signed(&license, &second)]),
            batch(
                2,
                vec![signed(&license, &first), revoked(&license, &second)],
            ),
            batch(3, vec![]),
        ],
    )
    .await;
    ended.unwrap();
    let seen: Vec<_> = answers.iter().map(counts).collect();
    assert_eq!(seen[0], [2, 0, 0, 0, 0, 0]);
    assert_eq!(seen[1], [0, 0, 1, 0, 1, 0]);
    assert_eq!(seen[2], [0; 6]);
    assert_eq!((answers[1].sequence, &*answers[1].cursor), (2, "after 2"));
    assert_eq!(usage_figures(&world.usage(&license).await), (2, 0, 98));
    let feed = world.feed().await.unwrap();
    assert_eq!((feed.sequence, &*feed.cursor), (3, "after 3"));
    assert_eq!(figures(&feed.counts.unwrap()), [2, 0, 1, 0, 1, 0]);
    assert_eq!(instant(feed.update_time), now);
    // Each batch makes one event for the licence and one for the feed.
    eventually("the events of the batches", || async {
        let log = log(world.san_events()).await;
        let of_batches = |resource: &str| {
            let events = log.iter().filter_map(|entry| entry.event.as_ref());
            events
                .filter(|event| event.request_id.starts_with(FEED) && event.subject == resource)
                .count()
        };
        let seen = (of_batches(&license.license_id), of_batches(FEED));
        (seen == (2, 3)).then_some(())
    })
    .await;
}

async fn sl_14_a_certificate_comes_as_der_or_as_facts(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 100).await;
    let authority = Authority::new("Licet Test Authority");
    let names = ["a.example".to_owned(), "*.a.example".to_owned()];
    let leaf = authority.sign(&names, world.now(), world.usual_end());
    let der = record(&license, Report::CertificateDer(leaf.der.clone()));
    let told = facts(&["x.example"], world.now(), world.usual_end());
    let answer = world
        .ingest(1, vec![der.clone(), signed(&license, &told), der.clone()])
        .await;
    assert_eq!(counts(&answer), [2, 0, 0, 0, 1, 0]);
    assert_eq!(world.usage(&license).await.used, 1 + 5 + 1);
    // A revocation by issuer and serial also finds a certificate reported as DER.
    let mut by_digest = told.clone();
    by_digest.issuer_der = leaf.issuer_der;
    by_digest.serial = format!("00{}", leaf.serial_hex.to_uppercase());
    let answer = world.ingest(2, vec![revoked(&license, &by_digest)]).await;
    assert_eq!(counts(&answer), [0, 0, 1, 0, 0, 0]);
    assert_eq!(world.usage(&license).await.used, 1);
}

async fn sl_14_a_batch_is_repeated_and_the_feed_never_goes_backwards(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 100).await;
    let told = facts(&["a.example"], world.now(), world.usual_end());
    let first = batch(1, vec![signed(&license, &told)]);
    let second = batch(2, vec![revoked(&license, &told)]);
    let third = batch(3, vec![signed(&license, &told)]);
    let channel = || world.san_channel(0);
    let (begun, _) = send(channel(), vec![first.clone(), second.clone()]).await;
    // The last batch can be repeated, on the same stream or another, and is acknowledged alike.
    let (again, ended) = send(channel(), vec![second.clone(), second.clone(), third]).await;
    ended.unwrap();
    assert_eq!(again[..2], [begun[1].clone(), begun[1].clone()]);
    assert_eq!(counts(&again[2]), [0, 0, 0, 0, 1, 0]);
    let feed = world.feed().await.unwrap();
    assert_eq!(figures(&feed.counts.unwrap()), [1, 0, 1, 0, 1, 0]);
    for (wrong, reason) in [
        (second, "FEED_OUT_OF_SEQUENCE"),
        (first, "FEED_OUT_OF_SEQUENCE"),
        (batch(5, vec![]), "FEED_OUT_OF_SEQUENCE"),
        (batch(3, vec![]), "FEED_BATCH_CHANGED"),
    ] {
        let (none, ended) = send(channel(), vec![wrong]).await;
        let refusal = take_apart(&ended.unwrap_err()).expect(Code::FailedPrecondition, reason);
        assert_eq!(
            (refusal.value("sequence"), refusal.value("cursor")),
            ("3", "after 3")
        );
        assert_eq!(none, []);
    }
    // A feed starts with batch 1; another first batch creates no feed.
    let elsewhere = IngestCertificatesRequest {
        feed_id: "ca-2".to_owned(),
        ..batch(2, vec![])
    };
    let (_, ended) = send(channel(), vec![elsewhere]).await;
    take_apart(&ended.unwrap_err()).expect(Code::FailedPrecondition, "FEED_OUT_OF_SEQUENCE");
    assert_eq!(world.usage(&license).await.used, 0);
}

async fn sl_14_a_poisoned_record_is_refused_alone(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 100).await;
    let (now, end) = (world.now(), world.usual_end());
    let first = facts(&["a.example"], now, end);
    let mut other_sans = first.clone();
    other_sans.sans = sans(&["b.example"]);
    let garbage = record(
        &license,
        Report::CertificateDer(b"no certificate\0\xff".to_vec()),
    );
    let mut nobodys = signed(&license, &first);
    nobodys.account_id = "acc_\n".to_owned();
    let mut empty = signed(&license, &first);
    empty.report = None;
    let mut malformed = facts(&["c.example"], end, now);
    malformed.serial = "xyz".to_owned();
    let last = facts(&["d.example"], now, end);
    let answer = world
        .ingest(
            1,
            vec![
                signed(&license, &first),
                garbage.clone(),
                signed(&license, &other_sans),
                nobodys,
                IngestRecord::default(),
                empty,
                signed(&license, &malformed),
                signed(&license, &last),
            ],
        )
        .await;
    assert_eq!(counts(&answer), [2, 0, 0, 0, 0, 6]);
    assert_eq!(world.usage(&license).await.used, 2);
    let seen: Vec<_> = answer
        .refused
        .iter()
        .map(|refused| (refused.index, refused.refusal()))
        .collect();
    let malformed = RecordRefusal::Malformed;
    assert_eq!(
        seen,
        [
            (1, malformed),
            (2, RecordRefusal::CertificateConflict),
            (3, malformed),
            (4, malformed),
            (5, malformed),
            (6, malformed)
        ]
    );
    assert!(
        answer
            .refused
            .iter()
            .all(|refused| refused.content.is_empty())
    );
    // The last refusals come first, with the record and all its violations.
    let listed = world.refused_records(0).await;
    let indexes: Vec<_> = listed.iter().map(|refused| refused.index).collect();
    assert_eq!(indexes, [6, 5, 4, 3, 2, 1]);
    let sent = IngestRecord::decode(&*listed[5].content).unwrap();
    assert_eq!(sent, garbage);
    assert_eq!(
        listed[5].content_bytes,
        i64::try_from(garbage.encoded_len()).unwrap()
    );
    assert!(
        listed[0].reasons[0].starts_with("facts.serial "),
        "{listed:?}"
    );
    assert!(
        listed[0].reasons[1].starts_with("facts.not_after_time "),
        "{listed:?}"
    );
    assert!(
        listed[3].reasons[0].starts_with("account_id "),
        "{listed:?}"
    );
    assert!(
        listed[4].reasons[0].contains("with different SANs"),
        "{listed:?}"
    );
}

async fn sl_14_what_was_refused_is_listed_by_pages(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 100).await;
    let long = record(&license, Report::CertificateDer(vec![0x30; 100_000]));
    for sequence in 1..=3 {
        world.ingest(sequence, vec![long.clone(); 5]).await;
    }
    let listed = world.refused_records(4).await;
    let places: Vec<_> = listed.iter().map(|it| (it.sequence, it.index)).collect();
    let each_batch = |batch| (0..5).map(move |at| (batch, at));
    let expected: Vec<_> = (1..=3).flat_map(each_batch).collect();
    assert_eq!(places.iter().rev().copied().collect::<Vec<_>>(), expected);
    assert!(
        listed
            .iter()
            .all(|it| it.content.len() == 8192 && it.content_bytes > 100_000)
    );
}

async fn sl_14_a_batch_over_a_limit_does_nothing(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 100).await;
    let told = facts(&["a.example"], world.now(), world.usual_end());
    let many = vec![signed(&license, &told); 1001];
    let names: Vec<String> = (0..1001)
        .map(|number| format!("n{number}.example"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let wide: Vec<_> = (0..50)
        .map(|_| signed(&license, &facts(&names, world.now(), world.usual_end())))
        .collect();
    let long = record(&license, Report::CertificateDer(vec![0x30; 250_000]));
    for (records, limit) in [
        (many, "1000 elements"),
        (wide, "50000 SANs"),
        (vec![long; 17], "bytes"),
    ] {
        let (none, ended) = send(world.san_channel(0), vec![batch(1, records)]).await;
        let refusal = take_apart(&ended.unwrap_err());
        assert_eq!(
            (refusal.code, refusal.paths()),
            (Code::InvalidArgument, vec!["records"])
        );
        assert!(refusal.message.contains(limit), "{refusal:?}");
        assert_eq!(none, []);
    }
    let nameless = IngestCertificatesRequest {
        feed_id: "no feed".to_owned(),
        cursor: "c\0".to_owned(),
        sequence: 0,
        records: vec![],
    };
    let (_, ended) = send(world.san_channel(0), vec![nameless]).await;
    let refusal = take_apart(&ended.unwrap_err());
    assert_eq!(refusal.paths(), ["cursor", "feed_id", "sequence"]);
    let missing = world.feed().await.unwrap_err();
    take_apart(&missing).expect(Code::NotFound, "NOT_FOUND");
    assert_eq!(world.usage(&license).await.used, 0);
}

async fn sl_14_a_feed_is_its_senders(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 100).await;
    let told = facts(&["a.example"], world.now(), world.usual_end());
    world.ingest(1, vec![signed(&license, &told)]).await;
    let theirs = world.account_with("1.00").await;
    let narrowed = |message, account: &str| {
        let mut request = tonic::Request::new(message);
        let metadata = request.metadata_mut();
        metadata.insert("licet-accounts", account.parse().unwrap());
        metadata.insert("licet-caller", "another".parse().unwrap());
        request
    };
    let get = licet_contracts::sanlicensing::v1::GetFeedRequest {
        feed_id: FEED.to_owned(),
    };
    let answer = world.san_ingest().get_feed(narrowed(get, &theirs)).await;
    take_apart(&answer.unwrap_err()).expect(Code::NotFound, "NOT_FOUND");
    // Records of accounts that the caller does not see are refused alone.
    let mut request = tonic::Request::new(tokio_stream::once(IngestCertificatesRequest {
        feed_id: "theirs".to_owned(),
        ..batch(1, vec![signed(&license, &told)])
    }));
    let metadata = request.metadata_mut();
    metadata.insert("licet-accounts", theirs.parse().unwrap());
    metadata.insert("licet-caller", "another".parse().unwrap());
    let answers = world.san_ingest().ingest_certificates(request).await;
    let answer = answers
        .unwrap()
        .into_inner()
        .message()
        .await
        .unwrap()
        .unwrap();
    assert_eq!(counts(&answer), [0, 0, 0, 0, 0, 1]);
    assert_eq!(answer.refused[0].refusal(), RecordRefusal::NotFound);
}

async fn sl_14_a_certificate_known_from_elsewhere_is_known(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 100).await;
    let told = facts(&["a.example"], world.now(), world.usual_end());
    let granted = world.granted(&license, &["a.example", "b.example"]).await;
    let mut report = report_of(&license, told.clone());
    report.reservation_id = granted.reservation_id;
    world.record_san(report.clone()).await;
    let answer = world.ingest(1, vec![signed(&license, &told)]).await;
    assert_eq!(counts(&answer), [0, 0, 0, 0, 1, 0]);
    let other = facts(&["c.example"], world.now(), world.usual_end());
    world.ingest(2, vec![signed(&license, &other)]).await;
    let again = world.record_san(report_of(&license, other)).await;
    assert!(again.already_known);
    assert_eq!(usage_figures(&world.usage(&license).await), (2, 0, 98));
}

async fn sl_14_revocations_count_from_their_record(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 100).await;
    let told = facts(&["a.example", "b.example"], world.now(), world.usual_end());
    let kept = facts(&["b.example"], world.now(), world.usual_end());
    world
        .ingest(1, vec![signed(&license, &told), signed(&license, &kept)])
        .await;
    let recorded = world.now();
    world.time.advance_days(1);
    let answer = world.ingest(2, vec![revoked(&license, &told)]).await;
    assert_eq!(counts(&answer), [0, 0, 1, 0, 0, 0]);
    let certificate = world.record_san(report_of(&license, told.clone())).await;
    let certificate = certificate.certificate.unwrap();
    assert_eq!(certificate.state(), CertificateState::Revoked);
    assert_eq!(certificate.revoke_reason(), RevocationReason::KeyCompromise);
    assert_eq!(instant(certificate.revoke_time), world.now());
    assert_eq!(certificate.ca_revoke_time, told.not_before_time);
    assert_eq!(world.usage(&license).await.used, 1);
    // Past usage does not change (T-6).
    assert_eq!(world.usage_at(&license, recorded).await.used, 2);
    let before = shifted(world.now(), -1);
    assert_eq!(world.usage_at(&license, before).await.used, 2);
    // Reported again with any reason, the revocation is known.
    let answer = world.ingest(3, vec![revoked(&license, &told)]).await;
    assert_eq!(counts(&answer), [0, 0, 0, 0, 1, 0]);
    // Expired certificates can be revoked too.
    world.time.move_to(shifted(world.usual_end(), 1_000_000));
    let answer = world.ingest(4, vec![revoked(&license, &kept)]).await;
    assert_eq!(counts(&answer), [0, 0, 1, 0, 0, 0]);
}

async fn sl_15_a_revocation_waits_for_its_certificate(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 100).await;
    let (now, end) = (world.now(), world.usual_end());
    let told = facts(&["a.example"], now, end);
    let early = revoked(&license, &told);
    let answer = world.ingest(1, vec![early.clone(), early.clone()]).await;
    assert_eq!(counts(&answer), [0, 0, 0, 1, 1, 0]);
    world.time.advance_days(1);
    let answer = world.ingest(2, vec![early, signed(&license, &told)]).await;
    assert_eq!(counts(&answer), [1, 0, 0, 0, 1, 0]);
    assert_eq!(world.usage(&license).await.used, 0);
    let certificate = world.record_san(report_of(&license, told)).await;
    let certificate = certificate.certificate.unwrap();
    assert_eq!(certificate.state(), CertificateState::Revoked);
    assert_eq!(certificate.revoke_reason(), RevocationReason::KeyCompromise);
    assert_eq!(certificate.record_time, certificate.revoke_time);
    assert_eq!(certificate.ca_revoke_time, Some(timestamp(now)));
    // Both in one batch, in either order.
    let (first, second) = (
        facts(&["b.example"], now, end),
        facts(&["c.example"], now, end),
    );
    let answer = world
        .ingest(
            3,
            vec![
                revoked(&license, &first),
                signed(&license, &first),
                signed(&license, &second),
                revoked(&license, &second),
            ],
        )
        .await;
    assert_eq!(counts(&answer), [2, 0, 1, 1, 0, 0]);
    assert_eq!(usage_figures(&world.usage(&license).await), (0, 0, 100));
    // An applied revocation no longer waits.
    let answer = world.ingest(4, vec![revoked(&license, &first)]).await;
    assert_eq!(counts(&answer), [0, 0, 0, 0, 1, 0]);
}

async fn sl_15_a_revocation_waits_for_a_certificate_that_is_recorded_singly(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 100).await;
    let (now, end) = (world.now(), world.usual_end());
    let covered = facts(&["a.example"], now, end);
    let uncovered = facts(&["b.example"], now, end);
    let both = vec![revoked(&license, &covered), revoked(&license, &uncovered)];
    world.ingest(1, both.clone()).await;
    let mut elsewhere = report_of(&license, uncovered);
    elsewhere.product_id = crate::harness::san::OTHER.to_owned();
    for report in [report_of(&license, covered), elsewhere] {
        let answer = world.record_san(report).await;
        let certificate = answer.certificate.unwrap();
        assert_eq!(
            certificate.state(),
            CertificateState::Revoked,
            "{certificate:?}"
        );
        assert_eq!(certificate.revoke_reason(), RevocationReason::KeyCompromise);
    }
    assert_eq!(usage_figures(&world.usage(&license).await), (0, 0, 100));
    let answer = world.ingest(2, both).await;
    assert_eq!(counts(&answer), [0, 0, 0, 0, 2, 0]);
}

/// Concurrent transactions do not see each other, so a revocation can be stored for later although its
/// certificate is recorded.
async fn sl_15_a_revocation_and_its_certificate_that_passed_each_other_by_meet(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 100).await;
    let told = facts(&["a.example"], world.now(), world.usual_end());
    world.ingest(1, vec![signed(&license, &told)]).await;
    let certificate = world.record_san(report_of(&license, told)).await;
    let certificate = certificate.certificate.unwrap();
    let door = BackDoor::open(&world.san_licensing_location()).await;
    let kept_us = SystemClock.now().as_micros();
    door.run(&format!(
        "INSERT INTO early_revocation SELECT account_id, issuer_sha256, serial_hex, \
         'SUPERSEDED', NULL, 1, {kept_us} FROM certificate WHERE certificate_id = '{}'",
        certificate.certificate_id
    ))
    .await;
    eventually("the certificate is revoked", || async {
        (world.usage(&license).await.used == 0).then_some(())
    })
    .await;
    let left = door.run("DELETE FROM early_revocation").await;
    assert_eq!(left, 0);
}

async fn sl_21_ingest_passes_the_quota_and_says_so(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 3).await;
    let (now, end) = (world.now(), world.usual_end());
    let records = (0..4).map(|number| {
        let name = format!("n{number}.example");
        signed(&license, &facts(&[&name], now, end))
    });
    let answer = world.ingest(1, records.collect()).await;
    assert_eq!(counts(&answer), [4, 0, 0, 0, 0, 0]);
    assert_eq!(usage_figures(&world.usage(&license).await), (4, 0, -1));
    world.denied(&license, &["x.example"]).await;
    world.granted(&license, &["N0.example"]).await;
    let log = eventually("the event of the batch", || async {
        let log = log(world.san_events()).await;
        let found = log.into_iter().filter_map(|streamed| streamed.event);
        found
            .into_iter()
            .find(|event| event.request_id == format!("{FEED}/1") && event.subject != FEED)
    })
    .await;
    assert_eq!(log.outcome, "OVER_QUOTA");
    let listed = world
        .san_usage()
        .list_unique_sans(licet_contracts::sanlicensing::v1::ListUniqueSansRequest {
            license_id: license.license_id.clone(),
            ..Default::default()
        })
        .await;
    let listed = listed.unwrap().into_inner().unique_sans;
    let names: Vec<_> = listed.into_iter().filter_map(|unique| unique.san).collect();
    assert_eq!(
        texts(&names),
        ["n0.example", "n1.example", "n2.example", "n3.example"]
    );
}
