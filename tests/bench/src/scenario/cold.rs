//! Small licences beside large ones, on an instance that has loaded nothing yet.

use std::time::Instant;

use licet_contracts::sanlicensing::v1::{
    GetUsageRequest, issuance_service_client::IssuanceServiceClient,
    usage_service_client::UsageServiceClient,
};
use licet_san_licensing::EngineSettings;
use tonic::{Code, transport::Channel};

use super::Bench;
use crate::{
    drive::drive,
    operation::{Authorize, License},
    outcome::{Goal, Outcome, Side, micros, milli},
    service::{SCHEMA, Service, fill},
    trouble::Trouble,
};

const LARGE: usize = 3;
const SMALL: usize = 1_000;
const STREAMS: usize = 64;

impl Bench<'_> {
    pub(super) async fn cold(&self) -> Result<Outcome, Trouble> {
        let sans = 8 * self.options.most_sans();
        let engine = EngineSettings {
            memory_bytes: 4 << 30,
            ..EngineSettings::default()
        };
        let place = self.cluster.create("cold").await?;
        let service = Service::on(self.cluster, &place).await?;
        let mut large = Vec::with_capacity(LARGE);
        for _ in 0..LARGE {
            let license = service.license().await?;
            fill(self.cluster, &place, &license, sans / 3).await?;
            large.push(license);
        }
        let mut small = Vec::with_capacity(SMALL);
        for _ in 0..SMALL {
            small.push(service.license().await?);
        }
        let (mut ours, mut quiet) = (Side::new("beside the loads"), Side::new("quiet"));
        let mut note = String::new();
        for _ in 0..self.options.rounds() {
            for is_loaded in [false, true] {
                self.cluster.settle().await?;
                let own = self.cluster.location(&place, SCHEMA);
                let (running, channels) = service.fresh_instance(own, engine).await?;
                let before = resident_mebibytes()?;
                let begun = Instant::now();
                let usage = |license: &License| {
                    tokio::spawn(used(channels[0].clone(), license.license_id.clone()))
                };
                let loads: Vec<_> = if is_loaded {
                    large.iter().map(usage).collect()
                } else {
                    Vec::new()
                };
                let streams = authorizing(&channels, &small);
                let driven = drive(streams, self.options.measured()).await?;
                let side = if is_loaded { &mut ours } else { &mut quiet };
                side.samples.push(driven.sample);
                for load in loads {
                    let used = load.await??;
                    if used < i64::from(sans / 3 / 4 * 4) {
                        return Err(Trouble(format!("a large licence shows {used} SANs")));
                    }
                }
                if is_loaded {
                    note = format!(
                        "{} SANs in {LARGE} licences loaded after {} ms; memory {before} -> {} MiB, \
                         bound {} MiB",
                        sans / 3 * 3,
                        milli(micros(begun.elapsed())),
                        resident_mebibytes()?,
                        engine.memory_bytes >> 20,
                    );
                }
                drop(channels);
                running.shutdown().await;
            }
        }
        service.stop().await;
        Ok(Outcome {
            scenario: "cold",
            subject: format!("authorise 3 SANs over {SMALL} small licences, p99"),
            ours,
            floors: vec![quiet],
            goal: Goal::Tail(3_000),
            note,
        })
    }
}

fn authorizing(channels: &[Channel], licenses: &[License]) -> Vec<Authorize> {
    (0..STREAMS)
        .map(|stream| Authorize {
            client: IssuanceServiceClient::new(channels[stream % channels.len()].clone()),
            licenses: licenses.to_vec(),
            turn: stream * licenses.len() / STREAMS,
            hold: None,
        })
        .collect()
}

/// The weight used under a licence, once it is loaded. A load outlasts the deadline of a call.
async fn used(channel: Channel, license_id: String) -> Result<i64, Trouble> {
    let mut client = UsageServiceClient::new(channel);
    let request = GetUsageRequest {
        license_id,
        as_of_time: None,
    };
    loop {
        match client.get_usage(request.clone()).await {
            Ok(answer) => return Ok(answer.into_inner().usage.unwrap_or_default().used),
            Err(status) if status.code() == Code::DeadlineExceeded => {}
            Err(status) => return Err(status.into()),
        }
    }
}

/// The memory of this process: clients, services and what they remember.
fn resident_mebibytes() -> Result<u64, Trouble> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.unwrap_or_default().trim().trim_end_matches(" kB");
    Ok(kib.parse::<u64>()? >> 10)
}
