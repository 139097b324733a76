//! The scenarios: each compares services and floors in alternating rounds on fresh stores, with a goal.

mod cold;
mod distant;
mod history;
mod selling;

use std::time::{Duration, Instant};

use licet_contracts::sanlicensing::v1::{
    GetUsageRequest, ingest_record::Report, usage_service_client::UsageServiceClient,
};
use licet_runtime::database::Location;
use sea_orm::ConnectionTrait;
use serde_json::{Map, Value};

use crate::{
    cluster::{Cluster, Place, one},
    drive::{Driven, Operation, drive},
    echo,
    floor::{self, Floor, Script},
    ingest,
    operation::{AuthorizeAndRecord, License},
    options::{Name, Options},
    outcome::{Cost, Goal, Outcome, Side, micros, milli},
    redis::Redis,
    service::{SCHEMA, Service, fill},
    sqlite,
    trouble::Trouble,
};

const STREAMS: usize = 256;
const AUTHORIZE: &str = include_str!("../sql/authorize.pgbench");
const AUTHORIZE_AND_RECORD: &str = include_str!("../sql/authorize_and_record.pgbench");
const AUTHORIZE_MANY: &str = include_str!("../sql/authorize_many.pgbench");

/// Runs one scenario.
pub(crate) async fn run(
    name: Name,
    options: &Options,
    cluster: &Cluster,
) -> Result<Vec<Outcome>, Trouble> {
    let bench = Bench { options, cluster };
    Ok(match name {
        Name::Hot => vec![bench.hot().await?],
        Name::Record => vec![bench.record().await?],
        Name::Many => vec![bench.many().await?],
        Name::Latency => vec![bench.latency().await?],
        Name::Usage => vec![bench.usage().await?],
        Name::History => bench.history().await?,
        Name::Echo => bench.echo().await?,
        Name::Growth => bench.growth().await?,
        Name::Sqlite => vec![bench.sqlite().await?],
        Name::Redis => vec![bench.redis().await?],
        Name::Charges => bench.charges().await?,
        Name::Orders => bench.orders().await?,
        Name::Ingest => vec![bench.ingest(1).await?, bench.ingest(2).await?],
        Name::Cold => vec![bench.cold().await?],
        Name::Distant => vec![bench.distant().await?],
        Name::Size | Name::All => Vec::new(),
    })
}

struct Bench<'a> {
    options: &'a Options,
    cluster: &'a Cluster,
}

/// PostgreSQL reports a backend's writes after at most ten idle seconds.
const REPORTED_AFTER: Duration = Duration::from_secs(11);

impl Bench<'_> {
    /// Measures one round of ours; the first round also waits for the counts of written rows.
    async fn ours<O: Operation>(
        &self,
        place: &Place,
        side: &mut Side,
        operations: Vec<O>,
    ) -> Result<(), Trouble> {
        self.cluster.settle().await?;
        let before = self.cluster.written(place).await?;
        let Driven { sample, operations } = drive(operations, self.options.measured()).await?;
        if side.samples.is_empty() {
            tokio::time::sleep(REPORTED_AFTER).await;
            let after = self.cluster.written(place).await?;
            side.cost = Some(Cost::of(before, after, operations));
        }
        side.samples.push(sample);
        Ok(())
    }

    /// Measures one round of each floor.
    async fn theirs(
        &self,
        floor: &Floor<'_>,
        script: &str,
        clients: &[u32],
        sides: &mut [Side],
    ) -> Result<(), Trouble> {
        for (clients, side) in clients.iter().zip(sides) {
            let time = self.options.measured();
            let (sample, cost) = floor.measure(script, *clients, time).await?;
            side.samples.push(sample);
            side.cost.get_or_insert(cost);
        }
        Ok(())
    }

    async fn hot(&self) -> Result<Outcome, Trouble> {
        let place = self.cluster.create("hot").await?;
        let service = Service::on(self.cluster, &place).await?;
        let floor = Floor::create(self.cluster).await?;
        let clients = [1, 8, 32];
        let (mut ours, mut floors) = (Side::new("Licet"), floor_sides("row lock", &clients));
        for _ in 0..self.options.rounds() {
            let licenses = [service.license().await?];
            let streams = service.authorizing(&licenses, STREAMS);
            self.ours(&place, &mut ours, streams).await?;
            self.theirs(&floor, AUTHORIZE, &clients, &mut floors)
                .await?;
        }
        service.stop().await;
        Ok(Outcome {
            scenario: "hot",
            subject: "authorise 3 SANs, one hot licence, 256 streams".to_owned(),
            ours,
            floors,
            goal: Goal::Rate(15_000),
            note: String::new(),
        })
    }

    async fn record(&self) -> Result<Outcome, Trouble> {
        let place = self.cluster.create("record").await?;
        let service = Service::on(self.cluster, &place).await?;
        let floor = Floor::create(self.cluster).await?;
        let clients = [1, 8, 32];
        let (mut ours, mut floors) = (Side::new("Licet"), floor_sides("row lock", &clients));
        for _ in 0..self.options.rounds() {
            let licenses = [service.license().await?];
            let streams = service.authorizing(&licenses, STREAMS);
            let streams = streams.into_iter().map(AuthorizeAndRecord).collect();
            self.ours(&place, &mut ours, streams).await?;
            self.theirs(&floor, AUTHORIZE_AND_RECORD, &clients, &mut floors)
                .await?;
        }
        service.stop().await;
        Ok(Outcome {
            scenario: "record",
            subject: "authorise and record 3 SANs, one hot licence, 256 streams".to_owned(),
            ours,
            floors,
            goal: Goal::Rate(8_000),
            note: "an operation is the pair".to_owned(),
        })
    }

    async fn many(&self) -> Result<Outcome, Trouble> {
        let place = self.cluster.create("many").await?;
        let service = Service::on(self.cluster, &place).await?;
        let floor = Floor::create(self.cluster).await?;
        let clients = [8, 32];
        let mut ours = Side::new("Licet");
        let mut floors = floor_sides("one statement", &clients);
        for _ in 0..self.options.rounds() {
            let mut licenses = Vec::new();
            for _ in 0..64 {
                licenses.push(service.license().await?);
            }
            let streams = service.authorizing(&licenses, STREAMS);
            self.ours(&place, &mut ours, streams).await?;
            self.theirs(&floor, AUTHORIZE_MANY, &clients, &mut floors)
                .await?;
        }
        service.stop().await;
        Ok(Outcome {
            scenario: "many",
            subject: "authorise 3 SANs across 64 licences, 256 streams".to_owned(),
            ours,
            floors,
            goal: Goal::Rate(2_000),
            note: String::new(),
        })
    }

    async fn latency(&self) -> Result<Outcome, Trouble> {
        let place = self.cluster.create("latency").await?;
        let service = Service::on(self.cluster, &place).await?;
        let licenses = [service.license().await?];
        // One decision is the model for the rows that the floor writes.
        for mut stream in service.authorizing(&licenses, 1) {
            stream.once().await?;
        }
        let (text, values) = same_rows(self.cluster, &place, &licenses[0]).await?;
        let script = Script {
            text: &text,
            schema: "floor",
            values: &values,
        };
        let mut ours = Side::new("Licet");
        let mut floors = floor_sides("one transaction", &[1]);
        for _ in 0..self.options.rounds() {
            let streams = service.authorizing(&licenses, 1);
            self.ours(&place, &mut ours, streams).await?;
            let time = self.options.measured();
            let (sample, cost) = floor::measure(self.cluster, &place, &script, 1, time).await?;
            floors[0].samples.push(sample);
            floors[0].cost.get_or_insert(cost);
        }
        service.stop().await;
        Ok(Outcome {
            scenario: "latency",
            subject: "authorise 3 SANs, 1 stream, p50".to_owned(),
            ours,
            floors,
            goal: Goal::Time(1_500),
            note: "ours moves each event into the log besides, in the background".to_owned(),
        })
    }

    async fn usage(&self) -> Result<Outcome, Trouble> {
        let sans = self.options.most_sans();
        let place = self.cluster.create("usage").await?;
        let service = Service::on(self.cluster, &place).await?;
        let license = service.license().await?;
        fill(self.cluster, &place, &license, sans).await?;
        let floor = Floor::create(self.cluster).await?;
        floor.fill(sans).await?;
        let script = Script {
            text: include_str!("../sql/usage.pgbench"),
            schema: "public",
            values: &[],
        };
        for mut stream in service.asking_usage(&license, sans, 1) {
            stream.once().await?;
        }
        let mut ours = Side::new("GetUsage");
        let mut floors = floor_sides("COUNT(DISTINCT lower(san))", &[1]);
        for _ in 0..self.options.rounds() {
            let streams = service.asking_usage(&license, sans, 1);
            self.ours(&place, &mut ours, streams).await?;
            let time = self.options.measured();
            let (sample, _) = floor::measure(self.cluster, &floor.place, &script, 1, time).await?;
            floors[0].samples.push(sample);
        }
        ours.cost = None;
        service.stop().await;
        Ok(Outcome {
            scenario: "usage",
            subject: format!("GetUsage on {sans} active SANs, 1 stream, p50"),
            ours,
            floors,
            goal: Goal::Speedup(1_000_000),
            note: String::new(),
        })
    }

    async fn echo(&self) -> Result<Vec<Outcome>, Trouble> {
        let sizes = [1_000, self.options.most_sans()];
        let place = self.cluster.create("echo").await?;
        let service = Service::on(self.cluster, &place).await?;
        let mut licenses = Vec::new();
        for sans in sizes {
            let license = service.license().await?;
            fill(self.cluster, &place, &license, sans).await?;
            licenses.push(license);
        }
        let mut client = UsageServiceClient::new(service.channel(0));
        let request = GetUsageRequest {
            license_id: licenses[1].license_id.clone(),
            ..GetUsageRequest::default()
        };
        let answer = client.get_usage(request).await?.into_inner();
        let channels = echo::serve(answer).await?;
        let mut echoed = Side::new("tonic echo");
        let mut sides = sizes.map(|sans| Side::new(format!("GetUsage on {sans} SANs")));
        for _ in 0..self.options.rounds() {
            for ((license, sans), side) in licenses.iter().zip(sizes).zip(&mut sides) {
                let streams = service.asking_usage(license, sans, STREAMS);
                let driven = drive(streams, self.options.measured()).await?;
                side.samples.push(driven.sample);
            }
            let streams = echo::asking(&channels, &licenses[1].license_id, STREAMS);
            let driven = drive(streams, self.options.measured()).await?;
            echoed.samples.push(driven.sample);
        }
        service.stop().await;
        let [small, large] = sides;
        Ok(vec![
            Outcome {
                scenario: "echo",
                subject: format!("GetUsage on {} SANs, 256 streams", sizes[1]),
                ours: large.clone(),
                floors: vec![echoed],
                goal: Goal::Rate(500),
                note: String::new(),
            },
            Outcome {
                scenario: "echo",
                subject: format!("GetUsage, {} and {} SANs: flat", sizes[0], sizes[1]),
                ours: large,
                floors: vec![small],
                goal: Goal::Slowdown(1_200),
                note: String::new(),
            },
        ])
    }

    async fn growth(&self) -> Result<Vec<Outcome>, Trouble> {
        let most = self.options.most_sans();
        let mut sizes = vec![1_000, 10_000, 100_000, 1_000_000];
        sizes.retain(|sans| *sans <= most);
        let place = self.cluster.create("growth").await?;
        let service = Service::on(self.cluster, &place).await?;
        let mut licenses = Vec::new();
        let mut cold = Vec::new();
        for sans in &sizes {
            let license = service.license().await?;
            fill(self.cluster, &place, &license, *sans).await?;
            let begun = Instant::now();
            for mut stream in service.authorizing(std::slice::from_ref(&license), 1) {
                stream.once().await?;
            }
            cold.push(micros(begun.elapsed()));
            licenses.push(license);
        }
        let mut sides: Vec<_> = sizes
            .iter()
            .map(|sans| Side::new(format!("{sans} SANs")))
            .collect();
        for _ in 0..self.options.rounds() {
            for (license, side) in licenses.iter().zip(&mut sides) {
                let mut streams = service.authorizing(std::slice::from_ref(license), STREAMS);
                for stream in &mut streams {
                    // Grants must lapse soon, or the small licence would grow.
                    stream.hold = Some(Duration::from_millis(100));
                }
                self.ours(&place, side, streams).await?;
            }
        }
        service.stop().await;
        let first = sides[0].clone();
        let outcomes = sizes.iter().zip(sides).zip(cold).skip(1);
        Ok(outcomes
            .map(|((sans, ours), cold)| Outcome {
                scenario: "growth",
                subject: format!("authorise 3 SANs on {sans} SANs, warm, 256 streams"),
                ours,
                floors: vec![first.clone()],
                goal: Goal::Slowdown(1_300),
                note: format!(
                    "the first decision, which loads the licence: {} ms",
                    milli(cold)
                ),
            })
            .collect())
    }

    async fn sqlite(&self) -> Result<Outcome, Trouble> {
        let folder = tempfile::tempdir()?;
        let location = |name: &str| Location::Sqlite(folder.path().join(name));
        let service = Service::start(location("billing.db"), location("san-licensing.db")).await?;
        let callers = [1_u32, 8];
        let mut ours = Side::new("Licet on SQLite");
        let mut floors = floor_sides("one transaction each", &callers);
        for round in 0..self.options.rounds() {
            let licenses = [service.license().await?];
            let streams = service.authorizing(&licenses, STREAMS);
            let driven = drive(streams, self.options.measured()).await?;
            ours.samples.push(driven.sample);
            for (callers, side) in callers.iter().zip(&mut floors) {
                let file = folder.path().join(format!("floor-{round}-{callers}.db"));
                let database = sqlite::open(&file).await?;
                let reserve = || sqlite::Reserve(database.clone());
                let streams = (0..*callers).map(|_| reserve()).collect();
                let driven = drive(streams, self.options.measured()).await?;
                side.samples.push(driven.sample);
            }
        }
        service.stop().await;
        Ok(Outcome {
            scenario: "sqlite",
            subject: "authorise 3 SANs, one hot licence, 256 streams, embedded".to_owned(),
            ours,
            floors,
            goal: Goal::Rate(4_000),
            note: "the floor calls SQLite without gRPC; six statements, one commit".to_owned(),
        })
    }

    async fn redis(&self) -> Result<Outcome, Trouble> {
        let place = self.cluster.create("redis").await?;
        let service = Service::on(self.cluster, &place).await?;
        let redis = Redis::start()?;
        let mut ours = Side::new("Licet");
        let mut floors = Vec::new();
        let mut note = "Redis is not installed".to_owned();
        if let Some(redis) = &redis {
            note = format!("Redis {}, appendfsync always", redis.version()?);
            floors.push(Side::new("Redis, Lua over a sorted set, 256 clients"));
        }
        // A first guess; later rounds request as many as fill the time.
        let mut rate = 20_000;
        for _ in 0..self.options.rounds() {
            let licenses = [service.license().await?];
            let streams = service.authorizing(&licenses, STREAMS);
            self.ours(&place, &mut ours, streams).await?;
            if let Some(redis) = &redis {
                let requests = rate * self.options.measured().as_secs();
                let sample = redis.measure(STREAMS, requests)?;
                rate = sample.rate.max(1);
                floors[0].samples.push(sample);
            }
        }
        service.stop().await;
        Ok(Outcome {
            scenario: "redis",
            subject: "authorise 3 SANs, one hot licence, 256 streams".to_owned(),
            ours,
            floors,
            goal: Goal::Rate(750),
            note,
        })
    }
}

impl Bench<'_> {
    /// Each feed has its own licence.
    async fn ingest(&self, count: usize) -> Result<Outcome, Trouble> {
        let sans = self.options.most_sans();
        let mut ours = Side::new("IngestCertificates");
        let mut floors = vec![Side::new("psql, COPY and INSERT … SELECT")];
        for _ in 0..self.options.rounds() {
            let place = self.cluster.create("ingest").await?;
            let service = Service::on(self.cluster, &place).await?;
            let mut feeds = Vec::new();
            for feed in 0..count {
                let license = service.license().await?;
                let share = sans / u32::try_from(count)?;
                let batches = ingest::batches(&license, &format!("feed-{feed}"), share);
                feeds.push((service.channel(feed), batches));
            }
            let each = feeds.iter().flat_map(|(_, batches)| batches);
            let records = each.flat_map(|batch| &batch.records);
            let sent = records.filter_map(|record| match &record.report {
                Some(Report::Facts(facts)) => Some(facts.sans.len()),
                Some(_) | None => None,
            });
            let sent = u64::try_from(sent.sum::<usize>())?;
            self.cluster.settle().await?;
            let before = self.cluster.written(&place).await?;
            let sample = ingest::send(feeds, sent).await?;
            ours.samples.push(sample);
            tokio::time::sleep(REPORTED_AFTER).await;
            let after = self.cluster.written(&place).await?;
            ours.cost.get_or_insert(Cost::of(before, after, sent));
            if ingest::count_sans(self.cluster, &place).await? != sent {
                return Err(Trouble("not every SAN is there".to_owned()));
            }
            service.stop().await;
            let (sample, cost) = ingest::floor(self.cluster, &place, sent).await?;
            floors[0].samples.push(sample);
            floors[0].cost.get_or_insert(cost);
        }
        Ok(Outcome {
            scenario: "ingest",
            subject: format!("take in {sans} SANs on certificates of 5 to 10, feeds: {count}"),
            ours,
            floors,
            goal: Goal::Rate(700),
            note: "a figure is SANs a second; ours moves the events into the log besides"
                .to_owned(),
        })
    }
}

fn floor_sides(what: &str, clients: &[u32]) -> Vec<Side> {
    clients
        .iter()
        .map(|clients| {
            let plural = if *clients == 1 { "" } else { "s" };
            Side::new(format!("{what}, {clients} client{plural}"))
        })
        .collect()
}

/// A transaction that writes the rows of one decision into copies of the service's tables, and the values in
/// those rows.
async fn same_rows(
    cluster: &Cluster,
    place: &Place,
    license: &License,
) -> Result<(String, Vec<(String, String)>), Trouble> {
    // The event needs up to a second to reach the log.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let server = cluster.connect(&place.name, SCHEMA).await?;
    server.execute_unprepared("CREATE SCHEMA floor").await?;
    for table in ["license_fence", "decision", "outbox"] {
        let copy = format!("CREATE TABLE floor.{table} (LIKE {table} INCLUDING ALL)");
        server.execute_unprepared(&copy).await?;
    }
    let fence = "INSERT INTO floor.license_fence SELECT * FROM license_fence";
    server.execute_unprepared(fence).await?;
    let mut script = "\\set request random(1, 9000000000000000)\nBEGIN;\n".to_owned();
    script += "UPDATE license_fence SET version = version + 1, as_of_us = as_of_us + 1 \
         WHERE account_id = :account AND license_id = :license RETURNING version;\n";
    let mut values = vec![
        ("account".to_owned(), license.account_id.clone()),
        ("license".to_owned(), license.license_id.clone()),
    ];
    let decision = "SELECT row_to_json(decision)::TEXT FROM decision ORDER BY version DESC LIMIT 1";
    let event = "SELECT (row_to_json(event)::JSONB - 'position' - 'chain_hash')::TEXT FROM event \
         ORDER BY position DESC LIMIT 1";
    for (table, row) in [("decision", decision), ("outbox", event)] {
        script += &insert_like(table, &one::<String>(&server, row).await?, &mut values)?;
    }
    script += "COMMIT;\n";
    server.close().await?;
    Ok((script, values))
}

/// A statement that inserts a row's copy under a new key.
fn insert_like(
    table: &str,
    row: &str,
    values: &mut Vec<(String, String)>,
) -> Result<String, Trouble> {
    let row: Map<String, Value> = serde_json::from_str(row)?;
    let (mut columns, mut places) = (Vec::new(), Vec::new());
    for (column, value) in row {
        let text = match value {
            Value::Null => continue,
            Value::String(text) => text,
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                value.to_string()
            }
        };
        let name = format!("{table}_{column}");
        if matches!(column.as_str(), "decision_id" | "event_id") {
            places.push("'0-' || :request".to_owned());
        } else {
            places.push(format!(":{name}"));
            values.push((name, text));
        }
        columns.push(format!("\"{column}\""));
    }
    let (columns, places) = (columns.join(", "), places.join(", "));
    Ok(format!(
        "INSERT INTO {table} ({columns}) VALUES ({places});\n"
    ))
}
