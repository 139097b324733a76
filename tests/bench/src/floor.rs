//! The floors on PostgreSQL: hand-written tables, and pgbench with the scripts in `sql/`.

use std::{
    fs,
    process::{Command, Stdio},
    time::Duration,
};

use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tempfile::TempDir;

use crate::{
    cluster::{Cluster, Place},
    outcome::{Cost, Sample},
    trouble::Trouble,
};

/// The tables of a floor, in their own database.
pub(crate) struct Floor<'a> {
    cluster: &'a Cluster,
    pub(crate) place: Place,
}

/// A script for pgbench.
pub(crate) struct Script<'a> {
    pub(crate) text: &'a str,
    pub(crate) schema: &'a str,
    /// Variables of the text and their values. A script cannot contain a text with a colon.
    pub(crate) values: &'a [(String, String)],
}

impl<'a> Floor<'a> {
    pub(crate) async fn create(cluster: &'a Cluster) -> Result<Self, Trouble> {
        let place = cluster.create("floor").await?;
        let floor = Self { cluster, place };
        floor.run_sql(include_str!("../sql/floor.sql")).await?;
        Ok(floor)
    }

    /// Empties the tables and adds 64 licences.
    async fn reset(&self) -> Result<(), Trouble> {
        self.run_sql(include_str!("../sql/reset.sql")).await
    }

    async fn run_sql(&self, sql: &str) -> Result<(), Trouble> {
        let server = self.cluster.connect(&self.place.name, "public").await?;
        server.execute_unprepared(sql).await?;
        Ok(server.close().await?)
    }

    /// Fills the tables with `sans` distinct SANs on active certificates.
    pub(crate) async fn fill(&self, sans: u32) -> Result<(), Trouble> {
        self.reset().await?;
        let server = self.cluster.connect(&self.place.name, "public").await?;
        for sql in [
            include_str!("../sql/usage_load.sql"),
            include_str!("../sql/usage_load_sans.sql"),
        ] {
            let values = [i64::from(sans).into()];
            let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
            server.execute_raw(statement).await?;
        }
        let vacuum = "VACUUM ANALYZE certificate, certificate_san";
        server.execute_unprepared(vacuum).await?;
        Ok(server.close().await?)
    }

    /// Empties the tables and runs a script on them.
    pub(crate) async fn measure(
        &self,
        text: &str,
        clients: u32,
        time: Duration,
    ) -> Result<(Sample, Cost), Trouble> {
        self.reset().await?;
        let script = Script {
            text,
            schema: "public",
            values: &[],
        };
        measure(self.cluster, &self.place, &script, clients, time).await
    }
}

/// Runs a script with pgbench on a database, with a connection for each client.
pub(crate) async fn measure(
    cluster: &Cluster,
    place: &Place,
    script: &Script<'_>,
    clients: u32,
    time: Duration,
) -> Result<(Sample, Cost), Trouble> {
    cluster.settle().await?;
    let before = cluster.written(place).await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("script");
    fs::write(&file, script.text)?;
    let threads = clients.min(2).to_string();
    let mut command = Command::new(cluster.programs.join("pgbench"));
    command
        .args(["--no-vacuum", "--protocol=prepared", "--host=127.0.0.1"])
        .args(["--username=postgres", "--jobs", &threads])
        .args(["--client", &clients.to_string()])
        .args(["--time", &time.as_secs().to_string()])
        .arg("--port")
        .arg(cluster.port.to_string())
        .arg("--file")
        .arg(&file)
        .env("PGPASSWORD", &cluster.password)
        .env("PGOPTIONS", format!("-c search_path={}", script.schema))
        .stdin(Stdio::null())
        .current_dir(folder.path());
    for (name, value) in script.values {
        command.arg(format!("--define={name}={value}"));
    }
    if clients == 1 {
        // The log has a small cost; only the times of single transactions need it.
        command.args(["--log", "--log-prefix=times"]);
    }
    let ran = command.arg(&place.name).output()?;
    let text = String::from_utf8_lossy(&ran.stdout);
    let Some((transactions, rate)) = counts(&text).filter(|_| ran.status.success()) else {
        let trouble = String::from_utf8_lossy(&ran.stderr);
        return Err(Trouble(format!("pgbench failed: {text}{trouble}")));
    };
    let after = cluster.written(place).await?;
    let times = times(&folder)?;
    let mut sample = Sample::of(times, time);
    sample.rate = rate;
    Ok((sample, Cost::of(before, after, transactions)))
}

/// The number of transactions, and their number per second.
fn counts(text: &str) -> Option<(u64, u64)> {
    let number = |prefix: &str| {
        let rest = text.lines().find_map(|line| line.strip_prefix(prefix))?;
        let digits = rest.split(|char: char| !char.is_ascii_digit()).next()?;
        digits.parse::<u64>().ok()
    };
    let processed = number("number of transactions actually processed: ")?;
    Some((processed, number("tps = ")?))
}

/// The third field of each line of the log is the transaction's time in microseconds.
fn times(folder: &TempDir) -> Result<Vec<u64>, Trouble> {
    let mut times = Vec::new();
    for entry in fs::read_dir(folder.path())? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("times.") {
            let text = fs::read_to_string(entry.path())?;
            let fields = text.lines().filter_map(|line| line.split(' ').nth(2));
            times.extend(fields.filter_map(|time| time.parse::<u64>().ok()));
        }
    }
    Ok(times)
}
