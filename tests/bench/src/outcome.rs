//! Results: medians over rounds, ratios and goals. All are integers: rates per second, microseconds,
//! thousandths.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster::Written;

/// One side's measurement in one round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Operations per second.
    pub(crate) rate: u64,
    /// The median time in microseconds; 0: not measured.
    pub(crate) p50_us: u64,
    /// The 99th percentile in microseconds; 0: not measured.
    pub(crate) p99_us: u64,
}

impl Sample {
    /// Computes a sample from the times of single operations, in microseconds.
    pub(crate) fn of(mut times: Vec<u64>, measured: Duration) -> Self {
        times.sort_unstable();
        let at = |percent: usize| {
            let index = (times.len() * percent / 100).min(times.len().saturating_sub(1));
            times.get(index).copied().unwrap_or(0)
        };
        let count = u64::try_from(times.len()).unwrap_or(u64::MAX);
        Self {
            rate: count.saturating_mul(1_000_000) / micros(measured).max(1),
            p50_us: at(50),
            p99_us: at(99),
        }
    }
}

/// The cost in writes of one operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// Rows inserted, updated or deleted, in thousandths.
    pub(crate) rows_milli: u64,
    /// Bytes of the write-ahead log.
    pub(crate) wal_bytes: u64,
}

impl Cost {
    pub(crate) fn of(before: Written, after: Written, operations: u64) -> Self {
        let each = |total: u64| total / operations.max(1);
        Self {
            rows_milli: each(after.rows.saturating_sub(before.rows).saturating_mul(1000)),
            wal_bytes: each(after.wal_bytes.saturating_sub(before.wal_bytes)),
        }
    }
}

/// One side of a comparison, with all rounds.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    pub(crate) name: String,
    pub(crate) samples: Vec<Sample>,
    pub(crate) cost: Option<Cost>,
}

impl Side {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            samples: Vec::new(),
            cost: None,
        }
    }

    pub(crate) fn rate(&self) -> u64 {
        median(self.samples.iter().map(|sample| sample.rate))
    }

    pub(crate) fn p50_us(&self) -> u64 {
        median(self.samples.iter().map(|sample| sample.p50_us))
    }

    pub(crate) fn p99_us(&self) -> u64 {
        median(self.samples.iter().map(|sample| sample.p99_us))
    }

    fn line(&self) -> String {
        let rates = self.samples.iter().map(|sample| sample.rate);
        let (least, most) = (rates.clone().min(), rates.max());
        let mut line = format!(
            "{:>9}/s  ({}..{})",
            self.rate(),
            least.unwrap_or(0),
            most.unwrap_or(0)
        );
        if self.p50_us() > 0 {
            line += &format!(
                "  p50 {} ms  p99 {} ms",
                milli(self.p50_us()),
                milli(self.p99_us())
            );
        }
        if let Some(cost) = self.cost {
            line += &format!(
                "  {} rows and {} bytes of log each",
                milli(cost.rows_milli),
                cost.wal_bytes
            );
        }
        line
    }

    pub(crate) fn json(&self) -> Value {
        let list = |read: fn(&Sample) -> u64| self.samples.iter().map(read).collect::<Vec<_>>();
        json!({
            "name": self.name,
            "per_second": list(|sample| sample.rate),
            "p50_us": list(|sample| sample.p50_us),
            "p99_us": list(|sample| sample.p99_us),
            "median_per_second": self.rate(),
            "median_p50_us": self.p50_us(),
            "rows_per_operation_milli": self.cost.map(|cost| cost.rows_milli),
            "log_bytes_per_operation": self.cost.map(|cost| cost.wal_bytes),
        })
    }
}

/// The goal of a ratio, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// Our rate is at least this multiple of the floor's.
    Rate(u64),
    /// The floor's rate is at most this multiple of ours.
    Slowdown(u64),
    /// Our median time is at most this multiple of the floor's.
    Time(u64),
    /// The floor's median time is at least this multiple of ours.
    Speedup(u64),
    /// Our 99th percentile is at most this multiple of the floor's.
    Tail(u64),
}

/// One line of the table.
pub(crate) struct Outcome {
    /// The scenario's name on the command line.
    pub(crate) scenario: &'static str,
    /// The operation that was measured.
    pub(crate) subject: String,
    pub(crate) ours: Side,
    /// The ratio uses the best of them.
    pub(crate) floors: Vec<Side>,
    pub(crate) goal: Goal,
    /// A remark for the reader.
    pub(crate) note: String,
}

impl Outcome {
    /// The floor with the best figure.
    pub(crate) fn best(&self) -> Option<&Side> {
        match self.goal {
            Goal::Rate(_) | Goal::Slowdown(_) => self.floors.iter().max_by_key(|side| side.rate()),
            Goal::Time(_) | Goal::Speedup(_) => self.floors.iter().min_by_key(|side| side.p50_us()),
            Goal::Tail(_) => self.floors.iter().min_by_key(|side| side.p99_us()),
        }
    }

    /// The ratio in thousandths; `None`: no floor.
    pub(crate) fn ratio(&self) -> Option<u64> {
        let best = self.best()?;
        let (above, below) = match self.goal {
            Goal::Rate(_) => (self.ours.rate(), best.rate()),
            Goal::Slowdown(_) => (best.rate(), self.ours.rate()),
            Goal::Time(_) => (self.ours.p50_us(), best.p50_us()),
            Goal::Speedup(_) => (best.p50_us(), self.ours.p50_us()),
            Goal::Tail(_) => (self.ours.p99_us(), best.p99_us()),
        };
        Some(above.saturating_mul(1000) / below.max(1))
    }

    fn verdict(&self) -> &'static str {
        match (self.ratio(), self.goal) {
            (None, _) => "no floor",
            (Some(ratio), Goal::Rate(goal) | Goal::Speedup(goal)) if ratio >= goal => "met",
            (Some(ratio), Goal::Slowdown(goal) | Goal::Time(goal) | Goal::Tail(goal))
                if ratio <= goal =>
            {
                "met"
            }
            (Some(_), _) => "MISSED",
        }
    }

    pub(crate) fn goal_text(&self) -> String {
        match self.goal {
            Goal::Rate(goal) | Goal::Speedup(goal) => format!(">= {} x", milli(goal)),
            Goal::Slowdown(goal) | Goal::Time(goal) | Goal::Tail(goal) => {
                format!("<= {} x", milli(goal))
            }
        }
    }

    pub(crate) fn ratio_text(&self) -> String {
        self.ratio()
            .map_or_else(|| "-".to_owned(), |ratio| format!("{} x", milli(ratio)))
    }

    /// A side's figure that the goal compares.
    fn figure(&self, side: &Side) -> String {
        match self.goal {
            Goal::Rate(_) | Goal::Slowdown(_) => format!("{}/s", side.rate()),
            Goal::Time(_) | Goal::Speedup(_) => format!("{} ms", milli(side.p50_us())),
            Goal::Tail(_) => format!("p99 {} ms", milli(side.p99_us())),
        }
    }

    pub(crate) fn print(&self) {
        println!("\n{}: {}", self.scenario, self.subject);
        let sides = [&self.ours].into_iter().chain(&self.floors);
        for side in sides {
            println!("  {:<44} {}", side.name, side.line());
        }
        println!(
            "  ratio {}, goal {}: {}",
            self.ratio_text(),
            self.goal_text(),
            self.verdict()
        );
        if !self.note.is_empty() {
            println!("  {}", self.note);
        }
    }

    pub(crate) fn row(&self) -> [String; 8] {
        let rows = |side: &Side| {
            side.cost
                .map_or_else(|| "-".to_owned(), |cost| milli(cost.rows_milli))
        };
        let best = self.best();
        [
            self.scenario.to_owned(),
            self.subject.clone(),
            self.figure(&self.ours),
            best.map_or_else(
                || "-".to_owned(),
                |best| format!("{} ({})", self.figure(best), best.name),
            ),
            self.ratio_text(),
            self.goal_text(),
            self.verdict().to_owned(),
            format!(
                "{} : {}",
                rows(&self.ours),
                best.map_or("-".to_owned(), rows)
            ),
        ]
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "scenario": self.scenario,
            "subject": self.subject,
            "ours": self.ours.json(),
            "floors": self.floors.iter().map(Side::json).collect::<Vec<_>>(),
            "best_floor": self.best().map(|best| best.name.as_str()),
            "ratio_milli": self.ratio(),
            "goal": self.goal_text(),
            "verdict": self.verdict(),
            "note": self.note,
        })
    }
}

/// A time in microseconds.
pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// The median; of an even number of values, the mean of the middle two.
pub(crate) fn median(values: impl Iterator<Item = u64>) -> u64 {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable();
    let middle = values.len() / 2;
    match values.get(middle) {
        None => 0,
        Some(value) if values.len() % 2 == 1 => *value,
        Some(value) => value.midpoint(values[middle - 1]),
    }
}

/// Thousandths as a decimal: `1.5`, `0.031`, `21.3`, `1234`.
pub(crate) fn milli(value: u64) -> String {
    let (whole, rest) = (value / 1000, value % 1000);
    match whole {
        0 => format!("0.{rest:03}"),
        1..10 => format!("{whole}.{:02}", rest / 10),
        10..100 => format!("{whole}.{}", rest / 100),
        100.. => whole.to_string(),
    }
}
