//! How far a feed is, on one line of a terminal; nothing where nobody looks.

use std::{
    io::{IsTerminal as _, Write as _},
    time::Instant,
};

const WIDTH: usize = 30;

/// A bar on the standard error.
pub(super) struct Progress {
    total: usize,
    first: usize,
    begun: Instant,
    is_shown: bool,
}

impl Progress {
    /// At `first` of `total` records.
    pub(super) fn start(total: usize, first: usize) -> Self {
        Self {
            total,
            first,
            begun: Instant::now(),
            is_shown: std::io::stderr().is_terminal(),
        }
    }

    /// So many are durable now.
    pub(super) fn show(&mut self, done: usize) {
        if self.is_shown {
            // A bar that cannot be drawn is no reason to stop.
            let _ = write!(std::io::stderr(), "\r{}", self.line(done));
        }
    }

    fn line(&self, done: usize) -> String {
        let filled = done * WIDTH / self.total.max(1);
        let bar: String = (0..WIDTH)
            .map(|place| if place < filled { '#' } else { '.' })
            .collect();
        let taken = done.saturating_sub(self.first) as u128;
        let rate = taken * 1000 / self.begun.elapsed().as_millis().max(1);
        format!("[{bar}] {done} of {} records, {rate}/s ", self.total)
    }

    /// The line is left as it is.
    pub(super) fn end(self) {
        if self.is_shown {
            let _ = writeln!(std::io::stderr());
        }
    }
}
