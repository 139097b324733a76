//! The floor on Redis: a Lua script over a sorted set; every command is on the disk before its response.

use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::{cluster::free_port, outcome::Sample, trouble::Trouble};

/// The benchmark's own Redis server, which ends with its folder when this is dropped.
pub(crate) struct Redis {
    port: u16,
    script: String,
    /// The server runs until the guardian's standard input closes.
    guardian: Child,
    _folder: tempfile::TempDir,
}

/// Ends the server when its standard input closes, however the benchmark ends.
const GUARDIAN: &str = r#"redis-server "$@" >/dev/null 2>&1 & server=$!
cat >/dev/null; kill "$server"; wait "$server""#;

impl Redis {
    /// Starts the server; `None` if Redis is not installed.
    pub(crate) fn start() -> Result<Option<Self>, Trouble> {
        let installed = ["redis-server", "redis-cli", "redis-benchmark"]
            .iter()
            .all(|program| {
                let shown = Command::new(program).arg("--version").output();
                shown.is_ok_and(|shown| shown.status.success())
            });
        if !installed {
            return Ok(None);
        }
        let folder = tempfile::tempdir()?;
        let port = free_port()?;
        let guardian = Command::new("sh")
            .args(["-c", GUARDIAN, "guardian"])
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args([
                "--save",
                "",
                "--appendonly",
                "yes",
                "--appendfsync",
                "always",
            ])
            // Do not rewrite the file during a measurement.
            .args(["--auto-aof-rewrite-percentage", "0", "--dir"])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .spawn()?;
        let mut this = Self {
            port,
            script: String::new(),
            guardian,
            _folder: folder,
        };
        let end = Instant::now() + Duration::from_secs(10);
        while this.ask(&["PING"])? != "PONG" {
            if Instant::now() > end {
                return Err(Trouble("Redis did not start within 10 seconds".to_owned()));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        this.script = this.ask(&["SCRIPT", "LOAD", include_str!("../sql/reserve.lua")])?;
        Ok(Some(this))
    }

    pub(crate) fn version(&self) -> Result<String, Trouble> {
        let info = self.ask(&["INFO", "server"])?;
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix("redis_version:"));
        Ok(line.unwrap_or("?").trim().to_owned())
    }

    fn ask(&self, words: &[&str]) -> Result<String, Trouble> {
        let answer = Command::new("redis-cli")
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(words)
            .output()?;
        Ok(String::from_utf8_lossy(&answer.stdout).trim().to_owned())
    }

    /// Reserves three new SANs again and again, starting with an empty licence.
    pub(crate) fn measure(&self, clients: usize, requests: u64) -> Result<Sample, Trouble> {
        self.ask(&["DEL", "licence"])?;
        let ran = Command::new("redis-benchmark")
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "--csv"])
            .args(["-c", &clients.to_string(), "-n", &requests.to_string()])
            .args(["-r", "2147483647", "EVALSHA", &self.script, "1", "licence"])
            .args(["1000000000", "900"])
            .args(["a", "b", "c"].map(|letter| format!("{letter}__rand_int__.example.com")))
            .output()?;
        let text = String::from_utf8_lossy(&ran.stdout);
        let kept: u64 = self.ask(&["ZCARD", "licence"])?.parse().unwrap_or(0);
        let trouble = || Trouble(format!("redis-benchmark failed: {text}"));
        // Random names collide now and then, but most must have been reserved.
        if kept < requests * 29 / 10 {
            return Err(trouble());
        }
        // "test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95…","p99…","max…"
        let line = text.lines().rev().find(|line| line.contains("EVALSHA"));
        let fields: Vec<_> = line.unwrap_or_default().split("\",\"").collect();
        let read = |field: usize| thousandths(fields.get(field)?);
        let (rate, p50, p99) = (read(1), read(4), read(6));
        Ok(Sample {
            rate: rate.ok_or_else(trouble)? / 1000,
            p50_us: p50.ok_or_else(trouble)?,
            p99_us: p99.ok_or_else(trouble)?,
        })
    }
}

/// Parses `12.345` as 12345.
fn thousandths(text: &str) -> Option<u64> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let rest = format!("{rest:0<3}");
    format!("{whole}{}", rest.get(..3)?).parse().ok()
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.guardian.stdin.take());
        // The guardian has ended by then, with any status.
        let _ = self.guardian.wait();
    }
}
