//! How far the files are, on one line of a terminal; nothing where nobody looks.

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::Instant,
};

const WIDTH: u64 = 30;

/// A bar on the standard error.
pub(super) struct Progress {
    total_bytes: u64,
    /// Of the files that are done.
    before: (u64, u64),
    last: (u64, u64),
    begun: Instant,
    is_shown: bool,
}

impl Progress {
    /// At the start of so many bytes.
    pub(super) fn start(total_bytes: u64) -> Self {
        Self {
            total_bytes,
            before: (0, 0),
            last: (0, 0),
            begun: Instant::now(),
            is_shown: io::stderr().is_terminal(),
        }
    }

    /// So many records of the feed under way are durable now, and so many bytes are read for them.
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

    /// A line for the standard output. The bar is drawn anew below it.
    pub(super) fn say(&self, text: &str) -> io::Result<()> {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
        writeln!(io::stdout(), "{text}")
    }

    /// The feed is done, and the next one begins.
    pub(super) fn next_feed(&mut self, total_bytes: u64) {
        self.before = (self.before.0 + self.last.0, self.before.1 + total_bytes);
        self.last = (0, 0);
    }

    /// The line is left as it is.
    pub(super) fn end(self) {
        if self.is_shown {
            let _ = writeln!(io::stderr());
        }
    }
}
