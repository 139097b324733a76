//! Reports every certificate of PyPI's `cryptography_vectors` in four ways: as DER, as facts, on an ingest
//! stream and through `licet ingest`. All four decide alike, and none refuses what OpenSSL can read.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    process::{Command, Stdio},
};

use licet_contracts::{
    sanlicensing::v1::{
        Certificate, CertificateFacts, GetFeedRequest, IngestCounts, IngestRecord, License,
        ListCertificatesRequest, RecordCertificateRequest, RecordRefusal, San, SanType,
        ingest_record::Report, issuance_service_client::IssuanceServiceClient,
        record_certificate_request::Certificate as Given,
    },
    types::v1::KeyType,
};
use prost_types::Timestamp;
use serde::Deserialize;
use tokio::task::JoinSet;
use tonic::Code;

use super::{output, tool};
use crate::harness::{
    Backend,
    channel::Channel,
    encoding::pem,
    errors::take_apart,
    ingest::{batch, record, send},
    on_both_databases,
    process::licet,
    request_id,
    world::World,
};

on_both_databases![sl_14_a_corpus_is_decided_alike_at_every_door];

/// Certificates that OpenSSL reads and we refuse, and why.
const REFUSED: [(&str, &str); 1] = [(
    "x509/badasn1time.pem",
    "its notAfter is no time, so nobody knows how long it counts",
)];

#[derive(Deserialize)]
struct Case {
    file: String,
    der: String,
    facts: Option<Facts>,
}

#[derive(Deserialize)]
struct Facts {
    issuer: String,
    serial: String,
    not_before: i64,
    not_after: i64,
    key: String,
    sans: Vec<(String, String)>,
}

/// The service's decision about a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    /// Recorded now or before.
    Taken,
    /// Another certificate with its issuer and serial is recorded.
    Conflict,
    Malformed,
}

fn octets(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().as_chunks::<2>().0;
    let octet = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
    digits.iter().map(|pair| octet(pair).unwrap()).collect()
}

impl Case {
    fn der(&self) -> Vec<u8> {
        octets(&self.der)
    }
}

impl Facts {
    fn wire(&self) -> CertificateFacts {
        let time = |seconds| Some(Timestamp { seconds, nanos: 0 });
        let key_type = match self.key.as_str() {
            "RSA" => KeyType::Rsa,
            "ECC" => KeyType::Ecc,
            "ED25519" => KeyType::Ed25519,
            "ED448" => KeyType::Ed448,
            _ => KeyType::Unspecified,
        };
        let san = |(kind, value): &(String, String)| {
            let kind = match kind.as_str() {
                "dns" => SanType::DnsName,
                "ip" => SanType::IpAddress,
                "email" => SanType::Rfc822Name,
                _ => SanType::Upn,
            };
            San {
                r#type: kind.into(),
                value: value.clone(),
            }
        };
        CertificateFacts {
            issuer_der: octets(&self.issuer),
            serial: self.serial.clone(),
            sans: self.sans.iter().map(san).collect(),
            not_before_time: time(self.not_before),
            not_after_time: time(self.not_after),
            key_type: key_type.into(),
        }
    }
}

fn corpus() -> Vec<Case> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/corpus.py");
    let printed = output(Command::new(tool("LICET_TEST_PYTHON")).arg(script));
    let cases: Vec<Case> = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(cases.len() > 500, "the package has too few certificates");
    cases
}

/// A licence on a new account, for one of the ways.
async fn licensed(world: &World) -> License {
    let account_id = world.account_with("1000000.00").await;
    world.license(&account_id, 1000).await
}

async fn by_record(
    mut door: IssuanceServiceClient<Channel>,
    request: RecordCertificateRequest,
) -> Decision {
    match door.record_certificate(request).await {
        Ok(_) => Decision::Taken,
        Err(status) if status.code() == Code::InvalidArgument => Decision::Malformed,
        Err(status) => {
            assert_eq!(take_apart(&status).reason, "CERTIFICATE_CONFLICT");
            Decision::Conflict
        }
    }
}

/// The cases in rounds; those with the same issuer and serial are in successive rounds, in order.
fn rounds(cases: &[Case]) -> Vec<Vec<usize>> {
    let mut met = BTreeMap::new();
    let mut rounds: Vec<Vec<usize>> = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        let key = case
            .facts
            .as_ref()
            .map(|facts| (&facts.issuer, &facts.serial));
        let round = met.entry(key).or_insert(0_usize);
        if rounds.len() <= *round {
            rounds.push(Vec::new());
        }
        rounds[*round].push(index);
        if key.is_some() {
            *round += 1;
        }
    }
    rounds
}

/// The decision about each case, reported by RecordCertificate, many at once.
async fn by_records(
    world: &World,
    license: &License,
    cases: &[Case],
    given: impl Fn(&Case) -> Option<Given>,
) -> Vec<Decision> {
    let mut decisions = vec![Decision::Malformed; cases.len()];
    for round in rounds(cases) {
        for some in round.chunks(64) {
            let mut running = JoinSet::new();
            for index in some.iter().copied() {
                let Some(given) = given(&cases[index]) else {
                    continue;
                };
                let request = RecordCertificateRequest {
                    account_id: license.account_id.clone(),
                    product_id: license.product_ids[0].clone(),
                    certificate: Some(given),
                    reservation_id: String::new(),
                    request_id: request_id(),
                };
                let door = world.san_issuance();
                running.spawn(async move { (index, by_record(door, request).await) });
            }
            for (index, decision) in running.join_all().await {
                decisions[index] = decision;
            }
        }
    }
    decisions
}

/// The decision about each case, reported by stream, and the feed's counts.
async fn by_stream(
    world: &World,
    license: &License,
    cases: &[Case],
) -> (Vec<Decision>, IngestCounts) {
    const RECORDS: usize = 100;
    let one = |case: &Case| -> IngestRecord { record(license, Report::CertificateDer(case.der())) };
    let batches = (1..)
        .zip(cases.chunks(RECORDS))
        .map(|(sequence, cases)| batch(sequence, cases.iter().map(one).collect()));
    let (_, ended) = send(world.san_channel(0), batches.collect()).await;
    ended.unwrap();
    let mut decisions = vec![Decision::Taken; cases.len()];
    for refused in world.refused_records(1000).await {
        let batch = usize::try_from(refused.sequence - 1).unwrap();
        let index = usize::try_from(refused.index).unwrap();
        decisions[batch * RECORDS + index] = match refused.refusal() {
            RecordRefusal::CertificateConflict => Decision::Conflict,
            RecordRefusal::Malformed => Decision::Malformed,
            RecordRefusal::Unspecified | RecordRefusal::NotFound => panic!("{refused:?}"),
        };
    }
    (decisions, world.feed().await.unwrap().counts.unwrap())
}

/// The counts of the command's feed.
async fn by_command(world: &World, license: &License, cases: &[Case]) -> IngestCounts {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("corpus.pem");
    let blocks: String = cases
        .iter()
        .map(|case| pem("CERTIFICATE", &case.der()))
        .collect();
    fs::write(&file, blocks).unwrap();
    let arguments = [
        "ingest".to_owned(),
        "--feed=corpus".to_owned(),
        format!("--account={}", license.account_id),
        format!("--product={}", license.product_ids[0]),
        format!("--san-licensing-url={}", world.san_licensing_address()),
        file.display().to_string(),
    ];
    let running = tokio::task::spawn_blocking(move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        licet(&arguments)
    });
    let ran = running.await.unwrap();
    assert_eq!(
        ran.status.code(),
        Some(1),
        "exit code 1 reports refused certificates: {ran:?}"
    );
    let request = GetFeedRequest {
        feed_id: "corpus".to_owned(),
    };
    let feed = world.san_ingest().get_feed(request).await.unwrap();
    feed.into_inner().feed.unwrap().counts.unwrap()
}

/// A licence's certificates in a fixed order, without ids and owners.
async fn standing(world: &World, license: &License) -> Vec<Certificate> {
    let mut request = ListCertificatesRequest {
        license_id: license.license_id.clone(),
        page_size: 1000,
        ..ListCertificatesRequest::default()
    };
    let mut all = Vec::new();
    loop {
        let answer = world.san_usage().list_certificates(request.clone()).await;
        let page = answer.unwrap().into_inner();
        all.extend(
            page.certificates
                .into_iter()
                .map(|certificate| Certificate {
                    certificate_id: String::new(),
                    license_id: String::new(),
                    account_id: String::new(),
                    ..certificate
                }),
        );
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    all.sort_by_cached_key(|one| (one.issuer_sha256.clone(), one.serial.clone()));
    all
}

fn is_read_by_openssl(der: &[u8]) -> bool {
    let mut openssl = Command::new("openssl")
        .args(["x509", "-inform", "DER", "-noout"])
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // OpenSSL may end before it has read everything.
    drop(openssl.stdin.take().unwrap().write_all(der));
    openssl.wait().unwrap().success()
}

async fn sl_14_a_corpus_is_decided_alike_at_every_door(backend: Backend) {
    let world = World::start_with_san_licensing(backend).await;
    world.stock_sans().await;
    let cases = corpus();
    let der_door = licensed(&world).await;
    let facts_door = licensed(&world).await;
    let by_der = |case: &Case| Some(Given::CertificateDer(case.der()));
    let decisions = by_records(&world, &der_door, &cases, by_der).await;
    let by_facts = |case: &Case| Some(Given::Facts(case.facts.as_ref()?.wire()));
    let by_facts = by_records(&world, &facts_door, &cases, by_facts).await;
    for ((case, by_der), by_facts) in cases.iter().zip(&decisions).zip(&by_facts) {
        assert_eq!(by_der, by_facts, "{} by DER and by facts", case.file);
    }

    let stream_door = licensed(&world).await;
    let (by_stream, streamed) = by_stream(&world, &stream_door, &cases).await;
    for ((case, by_der), by_stream) in cases.iter().zip(&decisions).zip(&by_stream) {
        assert_eq!(by_der, by_stream, "{} by DER and by a feed", case.file);
    }
    let command_door = licensed(&world).await;
    let commanded = by_command(&world, &command_door, &cases).await;
    assert_eq!(commanded, streamed);

    let first = standing(&world, &der_door).await;
    let usage = world.usage(&der_door).await;
    for door in [&facts_door, &stream_door, &command_door] {
        assert_eq!(standing(&world, door).await, first);
        let other = world.usage(door).await;
        assert_eq!((other.used, other.free), (usage.used, usage.free));
    }

    let of = |decision| decisions.iter().filter(|one| **one == decision).count();
    for (case, decision) in cases.iter().zip(&decisions) {
        let is_listed = REFUSED.iter().any(|(file, _)| *file == case.file);
        let is_refused = *decision == Decision::Malformed;
        if is_refused && !is_listed {
            assert!(!is_read_by_openssl(&case.der()), "{}", case.file);
        }
        assert!(
            is_refused || !is_listed,
            "{} is no longer refused: remove it from REFUSED",
            case.file
        );
    }
    println!(
        "{} documents: {} taken, {} in conflict with another, {} no certificates; {} recorded, \
         {} of weight in use",
        cases.len(),
        of(Decision::Taken),
        of(Decision::Conflict),
        of(Decision::Malformed),
        first.len(),
        usage.used,
    );
    assert!(of(Decision::Taken) > 500);
}
