//! SL-14: ingests real certificates and revocations, shuffled and repeated, while streams break and the
//! service is killed. Usage must equal a naive recount, in bounded memory. LICET_TEST_CERTIFICATES sets how
//! many. SL-13: Authorize keeps within the quota while another instance ingests a feed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use licet_contracts::sanlicensing::v1::{
    GetFeedRequest, GetUsageRequest, IngestCertificatesRequest, IngestRecord, License,
    ReportedRevocation, RevocationReason, ingest_record::Report,
    ingest_service_client::IngestServiceClient, issuance_service_client::IssuanceServiceClient,
    reported_revocation::Issuer, usage_service_client::UsageServiceClient,
};
use tokio_stream::StreamExt as _;
use tonic::Code;

use super::random::{Random, from_variable};
use crate::harness::{
    Backend,
    certificates::Authority,
    channel::Channel,
    clock::shifted,
    ingest::{FEED, batch, counts, figures, signed},
    process::SanLicensingProcess,
    run_within,
    san::{OTHER, facts, quote_request},
    world::World,
};

/// Outlasts any run.
const VALID_US: i64 = 90 * 86_400_000_000;
/// Memory that the process may gain after the start, besides the memory of SANs.
const MEMORY_BYTES: u64 = 192 << 20;
/// Memory that exact decisions need per certificate with about two SANs.
const KNOWN_BYTES: u64 = 2048;

fn certificates() -> usize {
    from_variable("LICET_TEST_CERTIFICATES").unwrap_or(20_000)
}

/// The authority's reports and the usage that results.
struct Reported {
    records: Vec<IngestRecord>,
    /// Names on unrevoked certificates, by product.
    expected: BTreeMap<String, BTreeSet<String>>,
    distinct: usize,
    unallocated: usize,
}

/// Reports certificates of three products, two of them under a licence, and revokes a tenth.
fn report(license: &License, count: usize, random: &mut Random, now_us: i64) -> Reported {
    let authority = Authority::new("Licet Journey Authority");
    let now = licet_domain::clock::Instant::from_micros(now_us).unwrap();
    let mut reported = Reported {
        records: Vec::new(),
        expected: BTreeMap::new(),
        distinct: count,
        unallocated: 0,
    };
    for _ in 0..count {
        let product = ["san-bundle", OTHER, "no-product"][random.index(3).min(random.index(3))];
        let names: BTreeSet<String> = (0..=random.below(3))
            .map(|_| {
                let name = format!("n{}.example", random.below(count as u64));
                if random.below(20) == 0 {
                    format!("*.{name}")
                } else {
                    name
                }
            })
            .collect();
        let spelt: Vec<String> = names
            .iter()
            .map(|name| {
                if random.below(2) == 0 {
                    name.to_uppercase()
                } else {
                    name.clone()
                }
            })
            .collect();
        let leaf = authority.sign(&spelt, now, shifted(now, VALID_US));
        let record = |report| IngestRecord {
            account_id: license.account_id.clone(),
            product_id: product.to_owned(),
            report: Some(report),
        };
        reported
            .records
            .push(record(Report::CertificateDer(leaf.der)));
        reported.unallocated += usize::from(product == "no-product");
        if random.below(10) == 0 {
            let revocation = ReportedRevocation {
                issuer: Some(Issuer::IssuerDer(leaf.issuer_der)),
                serial: leaf.serial_hex,
                reason: RevocationReason::Superseded.into(),
                revoke_time: None,
            };
            reported
                .records
                .push(record(Report::Revocation(revocation)));
        } else {
            let of_product = reported.expected.entry(product.to_owned()).or_default();
            of_product.extend(names);
        }
    }
    // Repeats some reports and shuffles all.
    for _ in 0..count / 20 {
        let again = reported.records[random.index(reported.records.len())].clone();
        reported.records.push(again);
    }
    for place in (1..reported.records.len()).rev() {
        reported.records.swap(place, random.index(place + 1));
    }
    reported
}

fn batches(records: &[IngestRecord], random: &mut Random) -> Vec<IngestCertificatesRequest> {
    let mut batches = Vec::new();
    let mut left = records;
    while !left.is_empty() {
        let size = 1 + random.index(500);
        let (these, rest) = left.split_at(size.min(left.len()));
        let sequence = i64::try_from(batches.len() + 1).unwrap();
        batches.push(batch(sequence, these.to_vec()));
        left = rest;
    }
    batches
}

/// The feed's position.
async fn position(channel: Channel) -> usize {
    let request = GetFeedRequest {
        feed_id: FEED.to_owned(),
    };
    match IngestServiceClient::new(channel).get_feed(request).await {
        Ok(answer) => usize::try_from(answer.into_inner().feed.unwrap().sequence).unwrap(),
        Err(status) => {
            assert_eq!(status.code(), Code::NotFound, "{status:?}");
            0
        }
    }
}

/// Sends batches; closes the stream after `most` acknowledgements, or when the service ends.
async fn send_some(channel: Channel, batches: Vec<IngestCertificatesRequest>, most: usize) {
    let mut client = IngestServiceClient::new(channel);
    let Ok(answers) = client
        .ingest_certificates(tokio_stream::iter(batches))
        .await
    else {
        return;
    };
    let mut answers = answers.into_inner().take(most);
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(answer) => assert_eq!(counts(&answer)[5], 0, "{answer:?}"),
            // The service was killed, or has stored a batch of the previous stream; only the feed knows its
            // position.
            Err(status) => {
                let gone = [
                    Code::Unavailable,
                    Code::Unknown,
                    Code::Cancelled,
                    Code::Internal,
                ];
                let is_ahead = status.message().contains("is not the next one");
                assert!(is_ahead || gone.contains(&status.code()), "{status:?}");
                return;
            }
        }
    }
}

fn weight(names: &BTreeSet<String>) -> i64 {
    names
        .iter()
        .map(|name| if name.starts_with("*.") { 5 } else { 1 })
        .sum()
}

async fn journey(backend: Backend) {
    let world = World::start_with_san_licensing_on_real_time(backend).await;
    world.stock_sans().await;
    let account_id = world.account_with("100000000.00").await;
    let quota = i64::try_from(certificates() * 20).unwrap();
    let license = world.license(&account_id, quota).await;
    let mut second = quote_request(&account_id, quota);
    second.product_ids = vec![OTHER.to_owned()];
    let second = world.license_with(second).await;
    let mut random = Random::from_variable_or_chance("LICET_TEST_SEED");
    println!("seed {} (set LICET_TEST_SEED to repeat it)", random.seed());
    let now_us = world.now().as_micros() / 1_000_000 * 1_000_000;
    let reported = report(&license, certificates(), &mut random, now_us);
    let batches = batches(&reported.records, &mut random);

    let location = world.san_licensing_location();
    let mut process = SanLicensingProcess::start(&location, &world.billing_address()).await;
    let first_bytes = process.resident_bytes();
    let mut highest_bytes = first_bytes;
    let killed_at = batches.len() / 2;
    let mut is_killed = false;
    let mut cuts = 0;
    loop {
        let done = position(process.channel()).await;
        if done == batches.len() {
            break;
        }
        // Sometimes repeats the last batch although it was acknowledged.
        let from = done.saturating_sub(usize::from(random.below(3) == 0));
        let most = 1 + random.index(batches.len() / 4 + 1);
        let sending = send_some(process.channel(), batches[from..].to_vec(), most);
        if is_killed || done < killed_at / 2 {
            sending.await;
        } else {
            is_killed = true;
            let cut = Duration::from_millis(random.below(300));
            tokio::select! {
                () = sending => {}
                () = tokio::time::sleep(cut) => {}
            }
            highest_bytes = highest_bytes.max(process.highest_bytes());
            process.kill();
            process = SanLicensingProcess::start(&location, &world.billing_address()).await;
        }
        cuts += 1;
        assert!(
            cuts < 500,
            "the feed has reached batch {done} of {} only",
            batches.len()
        );
    }
    highest_bytes = highest_bytes.max(process.highest_bytes());
    println!("{} batches, {cuts} streams", batches.len());

    let none = BTreeSet::new();
    let ask = async |license: &License| {
        let mut usage = UsageServiceClient::new(process.channel());
        let request = GetUsageRequest {
            license_id: license.license_id.clone(),
            as_of_time: None,
        };
        usage
            .get_usage(request)
            .await
            .unwrap()
            .into_inner()
            .usage
            .unwrap()
    };
    for (license, product) in [(&license, "san-bundle"), (&second, OTHER)] {
        let expected = reported.expected.get(product).unwrap_or(&none);
        let usage = ask(license).await;
        let distinct = i64::try_from(expected.len()).unwrap();
        assert_eq!(
            (usage.used, usage.distinct_sans),
            (weight(expected), distinct)
        );
        // The stored usage must equal the one in memory and that of an instance that ingested nothing.
        let stored = world.usage_at(license, world.now()).await;
        assert_eq!(
            (stored.used, stored.distinct_sans),
            (weight(expected), distinct)
        );
        assert_eq!(world.usage(license).await.used, weight(expected));
    }
    let unallocated = world.unallocated(&account_id, 1000).await;
    assert_eq!(unallocated.len(), reported.unallocated);
    let sum = figures(&world.feed().await.unwrap().counts.unwrap());
    assert_eq!(
        sum.iter().sum::<i64>(),
        i64::try_from(reported.records.len()).unwrap()
    );
    assert_eq!(sum[0] + sum[1], i64::try_from(reported.distinct).unwrap());
    let growth = highest_bytes - first_bytes;
    println!("the process grew by {} MiB", growth >> 20);
    let known = KNOWN_BYTES * u64::try_from(certificates()).unwrap();
    assert!(growth < MEMORY_BYTES + known, "{growth} bytes");
}

#[test]
fn sl_14_a_feed_cut_repeated_and_shuffled_comes_to_a_naive_recount_on_sqlite() {
    run_within(Duration::from_secs(3600), journey(Backend::Sqlite));
}

#[test]
fn sl_14_a_feed_cut_repeated_and_shuffled_comes_to_a_naive_recount_on_postgres() {
    run_within(Duration::from_secs(3600), journey(Backend::Postgres));
}

/// Ingest may exceed the quota (SL-21); Authorize meanwhile never does.
#[test]
fn sl_13_authorise_holds_the_quota_while_another_instance_ingests() {
    run_within(Duration::from_secs(300), async {
        let (mut world, license) = World::start_licensed(Backend::Postgres, 600).await;
        world.start_san_licensing().await;
        let world = Arc::new(world);
        let running = Arc::new(AtomicBool::new(true));
        let mut asking = Vec::new();
        for client in 0..16 {
            let (world, license, running) = (world.clone(), license.clone(), running.clone());
            asking.push(tokio::spawn(async move {
                let mut issuance = IssuanceServiceClient::new(world.san_channel(1));
                let mut granted = 0;
                for number in 0.. {
                    if !running.load(Ordering::Relaxed) {
                        break;
                    }
                    let name = format!("c{client}-{number}.example");
                    let request = world.question(&license, &[&name]);
                    let answer = match issuance.authorize_issuance(request).await {
                        Ok(answer) => answer.into_inner(),
                        Err(status) => {
                            assert_eq!(status.code(), Code::Unavailable, "{status:?}");
                            continue;
                        }
                    };
                    let sum = answer.used + answer.reserved + answer.needed;
                    if answer.reservation_id.is_empty() {
                        assert!(sum > license.quota, "{answer:?}");
                    } else {
                        assert!(sum <= license.quota, "{answer:?}");
                        granted += 1;
                    }
                }
                granted
            }));
        }
        let mut taken = 0;
        for sequence in 1..=40 {
            let records = (0..20).map(|number| {
                let name = format!("i{sequence}-{number}.example");
                signed(&license, &facts(&[&name], world.now(), world.usual_end()))
            });
            let answer = world.ingest(sequence, records.collect()).await;
            taken += counts(&answer)[0];
        }
        running.store(false, Ordering::Relaxed);
        let mut granted = 0;
        for client in asking {
            granted += client.await.unwrap();
        }
        let usage = world.usage(&license).await;
        assert_eq!((usage.used, usage.reserved), (taken, granted), "{usage:?}");
        assert!(granted > 0 && usage.free < 0, "{usage:?}");
    });
}
