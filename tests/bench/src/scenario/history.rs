//! Usage as of a past instant, past days, and future days, compared with one index scan of the same rows.

use licet_contracts::{
    sanlicensing::v1::usage_service_client::UsageServiceClient, types::v1::Period,
};

use super::{Bench, floor_sides};
use crate::{
    floor::{self, Script},
    operation::{Days, Usage, from_now},
    outcome::{Goal, Outcome, Side},
    service::{SCHEMA, Service, fill},
    trouble::Trouble,
};

const DAY_SECONDS: i64 = 86_400;

impl Bench<'_> {
    pub(super) async fn history(&self) -> Result<Vec<Outcome>, Trouble> {
        let sans = self.options.most_sans();
        let place = self.cluster.create("history").await?;
        let service = Service::on(self.cluster, &place).await?;
        let license = service.license().await?;
        fill(self.cluster, &place, &license, sans).await?;
        let values = [("license".to_owned(), license.license_id.clone())];
        let script = Script {
            text: include_str!("../../sql/index_scan.pgbench"),
            schema: SCHEMA,
            values: &values,
        };
        let client = || UsageServiceClient::new(service.channel(0));
        let past = || Usage {
            client: client(),
            license_id: license.license_id.clone(),
            as_of: Some(from_now(-DAY_SECONDS)),
            sans: None,
        };
        // The period runs from midnight to midnight, UTC.
        let today = from_now(0).seconds.div_euclid(DAY_SECONDS);
        let midnight = |day: i64| prost_types::Timestamp {
            seconds: (today + day) * DAY_SECONDS,
            nanos: 0,
        };
        let days = |from: i64, to: i64| Days {
            client: client(),
            license_id: license.license_id.clone(),
            period: Period {
                start_time: Some(midnight(from)),
                end_time: Some(midnight(to)),
            },
            count: usize::try_from(to - from).unwrap_or(0),
        };
        let mut ours = ["GetUsage", "ListDailyUsage", "ListDailyUsage"].map(Side::new);
        let mut floors = floor_sides("one index scan", &[1]);
        for _ in 0..self.options.rounds() {
            self.ours(&place, &mut ours[0], vec![past()]).await?;
            self.ours(&place, &mut ours[1], vec![days(0, 90)]).await?;
            self.ours(&place, &mut ours[2], vec![days(-29, 1)]).await?;
            let time = self.options.measured();
            let (sample, _) = floor::measure(self.cluster, &place, &script, 1, time).await?;
            floors[0].samples.push(sample);
        }
        service.stop().await;
        let subjects = [
            format!("usage of a day ago, {sans} SANs, 1 stream, p50"),
            format!("forecast of 90 days, {sans} SANs, 1 stream, p50"),
            format!("the last 30 days, {sans} SANs, 1 stream, p50"),
        ];
        let outcomes = ours.into_iter().zip(subjects);
        Ok(outcomes
            .map(|(mut ours, subject)| {
                ours.cost = None;
                Outcome {
                    scenario: "history",
                    subject,
                    ours,
                    floors: floors.clone(),
                    goal: Goal::Time(10_000),
                    note: String::new(),
                }
            })
            .collect())
    }
}
