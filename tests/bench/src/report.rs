//! The report of a run: its outcomes as a table, JSON and a plot, and the machine's description.

use std::{
    fs::{self, File},
    io::Write as _,
    path::Path,
    time::Instant,
};

use serde_json::json;

use crate::{
    outcome::{Outcome, median, micros, milli},
    plot,
    trouble::Trouble,
};

/// All outcomes of a run.
pub(crate) struct Report {
    settings: Vec<(String, String)>,
    outcomes: Vec<Outcome>,
}

impl Report {
    pub(crate) fn new(settings: Vec<(String, String)>) -> Self {
        Self {
            settings,
            outcomes: Vec::new(),
        }
    }

    pub(crate) fn print_settings(&self) {
        for (name, value) in &self.settings {
            println!("{name:<32} {value}");
        }
    }

    pub(crate) fn add(&mut self, outcome: Outcome) {
        outcome.print();
        self.outcomes.push(outcome);
    }

    pub(crate) fn print_table(&self) {
        let head = [
            "scenario",
            "what",
            "ours",
            "floor",
            "ratio",
            "goal",
            "",
            "rows each",
        ];
        let mut rows = vec![head.map(str::to_owned)];
        rows.extend(self.outcomes.iter().map(Outcome::row));
        let mut widths = [0; 8];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        println!();
        for (number, row) in rows.iter().enumerate() {
            let cells = row.iter().zip(widths);
            let cells: Vec<_> = cells
                .map(|(cell, width)| format!("{cell:<width$}"))
                .collect();
            println!("| {} |", cells.join(" | "));
            if number == 0 {
                println!("|{}|", widths.map(|width| "-".repeat(width + 2)).join("|"));
            }
        }
    }

    /// Writes `bench.json` and `bench.svg`, named after the scenario if there is only one.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), Trouble> {
        fs::create_dir_all(folder)?;
        let settings: serde_json::Map<_, _> = self
            .settings
            .iter()
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect();
        let outcomes: Vec<_> = self.outcomes.iter().map(Outcome::json).collect();
        let all = json!({ "settings": settings, "outcomes": outcomes });
        let first = self
            .outcomes
            .first()
            .map_or("bench", |outcome| outcome.scenario);
        let single = self
            .outcomes
            .iter()
            .all(|outcome| outcome.scenario == first);
        let name = if single { first } else { "bench" };
        let json = serde_json::to_string_pretty(&all)?;
        fs::write(folder.join(format!("{name}.json")), json)?;
        fs::write(
            folder.join(format!("{name}.svg")),
            plot::svg(&self.outcomes),
        )?;
        Ok(())
    }
}

/// A description of the machine, with the time its disk needs to make a write durable.
pub(crate) fn machine() -> Result<Vec<(String, String)>, Trouble> {
    let cores = std::thread::available_parallelism()?;
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.unwrap_or("?").trim_start_matches([' ', '\t', ':']);
    Ok(vec![
        ("processor".to_owned(), format!("{cores} x {model}")),
        (
            "fdatasync of 8 KiB".to_owned(),
            format!("{} ms (median)", milli(fdatasync_us()?)),
        ),
    ])
}

fn fdatasync_us() -> Result<u64, Trouble> {
    let folder = tempfile::tempdir()?;
    let mut file = File::create(folder.path().join("probe"))?;
    let mut times = Vec::new();
    for _ in 0..101 {
        file.write_all(&[1; 8192])?;
        let begun = Instant::now();
        file.sync_data()?;
        times.push(micros(begun.elapsed()));
    }
    Ok(median(times.into_iter()))
}
