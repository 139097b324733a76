//! Ingests a million SANs through the stream, and lets psql write the same rows into copies of the tables
//! with the same indexes. Neither side knows in advance what comes.

use std::{
    fs,
    process::{Command, Stdio},
    time::Instant,
};

use licet_contracts::{
    sanlicensing::v1::{
        CertificateFacts, IngestCertificatesRequest, IngestRecord, San, SanType,
        ingest_record::Report, ingest_service_client::IngestServiceClient,
    },
    types::v1::KeyType,
};
use sea_orm::ConnectionTrait as _;
use tonic::transport::Channel;

use crate::{
    cluster::{Cluster, Place, Written, one},
    operation::{ISSUER, License, PRODUCT, from_now},
    outcome::{Cost, Sample, micros},
    service::SCHEMA,
    trouble::Trouble,
};

/// Records of a batch.
const BATCH: usize = 1000;
/// The tables that an ingest writes; feed and fence have few rows and are left out.
const TABLES: [&str; 3] = ["certificate", "certificate_san", "outbox"];

/// Batches of certificates with 5 to 10 SANs each, at least `sans` in total.
pub(crate) fn batches(
    license: &License,
    feed_id: &str,
    sans: u32,
) -> Vec<IngestCertificatesRequest> {
    let mut records = Vec::new();
    let mut left = i64::from(sans);
    while left > 0 {
        let number = records.len();
        let count = 5 + number % 6;
        left -= i64::try_from(count).unwrap_or(i64::MAX);
        let names = (0..count).map(|san| San {
            r#type: SanType::DnsName.into(),
            value: format!("host{san}-of-{number}.{feed_id}.example.com"),
        });
        records.push(IngestRecord {
            account_id: license.account_id.clone(),
            product_id: PRODUCT.to_owned(),
            report: Some(Report::Facts(CertificateFacts {
                issuer_der: ISSUER.to_vec(),
                serial: format!("{:x}", uuid::Uuid::new_v4().as_u128()),
                sans: names.collect(),
                not_before_time: Some(from_now(0)),
                not_after_time: Some(from_now(86_400 + i64::try_from(number).unwrap_or(0) * 20)),
                key_type: KeyType::Ecc.into(),
            })),
        });
    }
    let mut batches = Vec::new();
    let mut sequence = 0;
    while !records.is_empty() {
        let rest = records.split_off(records.len().min(BATCH));
        sequence += 1;
        batches.push(IngestCertificatesRequest {
            feed_id: feed_id.to_owned(),
            cursor: sequence.to_string(),
            sequence,
            records: std::mem::replace(&mut records, rest),
        });
    }
    batches
}

/// Sends each feed on its own stream and waits for every acknowledgement. Returns how many SANs became
/// durable per second.
pub(crate) async fn send(
    feeds: Vec<(Channel, Vec<IngestCertificatesRequest>)>,
    sans: u64,
) -> Result<Sample, Trouble> {
    let begun = Instant::now();
    let streams: Vec<_> = feeds
        .into_iter()
        .map(|(channel, batches)| tokio::spawn(stream(channel, batches)))
        .collect();
    for stream in streams {
        stream.await??;
    }
    Ok(sample(sans, begun))
}

async fn stream(channel: Channel, batches: Vec<IngestCertificatesRequest>) -> Result<(), Trouble> {
    let expected = batches.len();
    let mut client = IngestServiceClient::new(channel);
    let answers = client
        .ingest_certificates(tokio_stream::iter(batches))
        .await;
    let mut answers = answers?.into_inner();
    let mut acknowledged = 0;
    while let Some(answer) = answers.message().await? {
        let counts = answer.counts.unwrap_or_default();
        if counts.refused + counts.unallocated + counts.already_known > 0 {
            return Err(Trouble(format!("not all recorded: {counts:?}")));
        }
        acknowledged += 1;
    }
    if acknowledged == expected {
        Ok(())
    } else {
        Err(Trouble(format!(
            "{acknowledged} of {expected} batches were acknowledged"
        )))
    }
}

fn sample(sans: u64, begun: Instant) -> Sample {
    let taken = micros(begun.elapsed()).max(1);
    Sample {
        rate: sans.saturating_mul(1_000_000) / taken,
        p50_us: taken,
        p99_us: 0,
    }
}

/// The number of SANs in a database.
pub(crate) async fn count_sans(cluster: &Cluster, place: &Place) -> Result<u64, Trouble> {
    let server = cluster.connect(&place.name, SCHEMA).await?;
    let count: i64 = one(&server, "SELECT COUNT(*) FROM certificate_san").await?;
    server.close().await?;
    Ok(u64::try_from(count)?)
}

/// psql copies the same rows into unlogged tables, and from there inserts those that are new.
pub(crate) async fn floor(
    cluster: &Cluster,
    place: &Place,
    sans: u64,
) -> Result<(Sample, Cost), Trouble> {
    let server = cluster.connect(&place.name, SCHEMA).await?;
    server
        .execute_unprepared("DROP SCHEMA IF EXISTS floor CASCADE; CREATE SCHEMA floor")
        .await?;
    let folder = tempfile::tempdir()?;
    let mut script = String::new();
    for table in TABLES {
        let make = format!(
            "CREATE TABLE floor.{table} (LIKE {table} INCLUDING ALL); \
             CREATE UNLOGGED TABLE floor.staging_{table} (LIKE {table})"
        );
        server.execute_unprepared(&make).await?;
        // Events are in the log by now, with the same columns.
        let rows = if table == "outbox" {
            "SELECT position AS id, event_id, type, resource_id, account_id, time_us, caller, \
             request_id, method, why, outcome, data FROM event"
                .to_owned()
        } else {
            format!("SELECT * FROM {SCHEMA}.{table}")
        };
        let file = folder.path().join(table);
        psql(
            cluster,
            place,
            &format!("\\copy ({rows}) TO '{}'\n", file.display()),
        )?;
        script += &format!("\\copy staging_{table} FROM '{}'\n", file.display());
    }
    for table in TABLES {
        let overriding = if table == "outbox" {
            "OVERRIDING SYSTEM VALUE"
        } else {
            ""
        };
        script += &format!(
            "INSERT INTO {table} {overriding} SELECT * FROM staging_{table} ON CONFLICT DO NOTHING;\n"
        );
    }
    server.close().await?;
    cluster.settle().await?;
    let before: Written = cluster.written(place).await?;
    let begun = Instant::now();
    psql(cluster, place, &script)?;
    let sample = sample(sans, begun);
    tokio::time::sleep(std::time::Duration::from_secs(11)).await;
    let after = cluster.written(place).await?;
    Ok((sample, Cost::of(before, after, sans)))
}

fn psql(cluster: &Cluster, place: &Place, script: &str) -> Result<(), Trouble> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("script.sql");
    fs::write(&file, script)?;
    let ran = Command::new(cluster.programs.join("psql"))
        .args([
            "--no-psqlrc",
            "--quiet",
            "--set=ON_ERROR_STOP=1",
            "--host=127.0.0.1",
        ])
        .args(["--username=postgres", "--port", &cluster.port.to_string()])
        .arg("--file")
        .arg(&file)
        .arg(&place.name)
        .env("PGPASSWORD", &cluster.password)
        .env("PGOPTIONS", format!("-c search_path=floor,{SCHEMA}"))
        .stdin(Stdio::null())
        .output()?;
    if ran.status.success() {
        return Ok(());
    }
    Err(Trouble(format!(
        "psql failed: {}",
        String::from_utf8_lossy(&ran.stderr)
    )))
}
