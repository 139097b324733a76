//! Shows progress on one line of the terminal; nothing if standard error is not a terminal.

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::Instant,
};

const WIDTH: u64 = 30;

/// A progress bar on standard error.
pub(super) struct ProgressBar {
    total_bytes: u64,
    /// Records and bytes of the finished feeds.
    before: (u64, u64),
    last: (u64, u64),
    begun: Instant,
    is_shown: bool,
}

impl ProgressBar {
    /// Starts a bar for `total_bytes`.
    pub(super) fn start(total_bytes: u64) -> Self {
        Self {
            total_bytes,
            before: (0, 0),
            last: (0, 0),
            begun: Instant::now(),
            is_shown: io::stderr().is_terminal(),
        }
    }

    /// Updates the present feed: `records` are durable, `bytes` were read for them.
    pub(super) fn show(&mut self, records: u64, bytes: u64) {
        self.last = (records, bytes);
        if self.is_shown {
            // A bar that cannot be drawn is no reason to stop.
            let _ = write!(io::stderr(), "\r{}", self.line());
        }
    }

    fn line(&self) -> String {
        let records = self.before.0 + self.last.0;
        let filled = (self.before.1 + self.last.1) * WIDTH / self.total_bytes.max(1);
        let bar: String = (0..WIDTH)
            .map(|place| if place < filled { '#' } else { '.' })
            .collect();
        let rate = u128::from(records) * 1000 / self.begun.elapsed().as_millis().max(1);
        format!("[{bar}] {records} records, {rate}/s ")
    }

    /// Prints a line to standard output; the bar is redrawn below it.
    pub(super) fn say(&self, text: &str) -> io::Result<()> {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
        writeln!(io::stdout(), "{text}")
    }

    /// Counts the finished feed.
    pub(super) fn next_feed(&mut self, total_bytes: u64) {
        self.before = (self.before.0 + self.last.0, self.before.1 + total_bytes);
        self.last = (0, 0);
    }

    /// Ends the bar's line.
    pub(super) fn end(self) {
        if self.is_shown {
            let _ = writeln!(io::stderr());
        }
    }
}
