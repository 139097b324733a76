//! Settings that every service has, as command-line options and environment variables.

use std::time::Duration;

use clap::Args;

/// Limits of a server.
#[derive(Args, Clone, Debug)]
pub struct Limits {
    /// Calls at once over all connections; one more is answered OVERLOADED.
    #[arg(long, env = "LICET_MAX_CALLS", default_value_t = 1024, global = true)]
    pub max_calls: usize,
    /// The longest that a call may take, in seconds, whatever the client allows.
    #[arg(long, env = "LICET_CALL_SECONDS", default_value_t = 30, global = true)]
    pub call_seconds: u64,
    /// How long a stopping server waits for calls under way, in seconds.
    #[arg(long, env = "LICET_DRAIN_SECONDS", default_value_t = 10, global = true)]
    pub drain_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_calls: 1024,
            call_seconds: 30,
            drain_seconds: 10,
        }
    }
}

impl Limits {
    /// The longest that a call may take.
    #[must_use]
    pub fn longest_call(&self) -> Duration {
        Duration::from_secs(self.call_seconds)
    }

    /// How long a stopping server waits.
    #[must_use]
    pub fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }
}
