//! The settings of every service, as command-line options and environment variables.

use std::time::Duration;

use clap::Args;

/// Limits of a server.
#[derive(Args, Clone, Debug)]
pub struct Limits {
    /// The most concurrent calls over all connections, streams excluded; further calls fail with OVERLOADED.
    #[arg(long, env = "LICET_MAX_CALLS", default_value_t = 1024, value_parser = at_least_one, global = true)]
    pub max_calls: usize,
    /// The most concurrent calls of one caller; further calls fail with OVERLOADED.
    #[arg(
        long,
        env = "LICET_MAX_CALLS_PER_CALLER",
        default_value_t = 512,
        value_parser = at_least_one,
        global = true
    )]
    pub max_calls_per_caller: usize,
    /// The most listings that run or wait; further ones fail with OVERLOADED. One caller may have a quarter.
    #[arg(long, env = "LICET_MAX_LISTINGS", default_value_t = 256, value_parser = at_least_one, global = true)]
    pub max_listings: usize,
    /// The most bytes of requests and unread responses in memory, in MiB; further calls fail with
    /// TOO_MANY_BYTES. One caller may have a quarter.
    #[arg(long, env = "LICET_MESSAGE_MIB", default_value_t = 256, value_parser = at_least_one, global = true)]
    pub message_mib: usize,
    /// The most open streams over all connections; further streams fail with TOO_MANY_STREAMS.
    #[arg(long, env = "LICET_MAX_STREAMS", default_value_t = 1024, value_parser = at_least_one, global = true)]
    pub max_streams: usize,
    /// The most open streams of one caller; further streams fail with TOO_MANY_STREAMS.
    #[arg(
        long,
        env = "LICET_MAX_STREAMS_PER_CALLER",
        default_value_t = 256,
        value_parser = at_least_one,
        global = true
    )]
    pub max_streams_per_caller: usize,
    /// The most open connections; further ones are closed at once. As many again may be in their TLS handshake.
    #[arg(long, env = "LICET_MAX_CONNECTIONS", default_value_t = 4096, value_parser = at_least_one, global = true)]
    pub max_connections: usize,
    /// The most open connections of one client: of one identity with TLS, of one address without.
    #[arg(
        long,
        env = "LICET_MAX_CONNECTIONS_PER_CALLER",
        default_value_t = 1024,
        value_parser = at_least_one,
        global = true
    )]
    pub max_connections_per_caller: usize,
    /// The longest duration of a call in seconds, even if the client's deadline is later.
    #[arg(long, env = "LICET_CALL_SECONDS", default_value_t = 30, global = true)]
    pub call_seconds: u64,
    /// The longest duration of a stream in seconds; its client then opens another one.
    #[arg(
        long,
        env = "LICET_STREAM_SECONDS",
        default_value_t = 3600,
        global = true
    )]
    pub stream_seconds: u64,
    /// How long a stopping process waits for calls in progress, in seconds.
    #[arg(long, env = "LICET_DRAIN_SECONDS", default_value_t = 10, global = true)]
    pub drain_seconds: u64,
}

/// A server with a limit of 0 could serve nobody.
fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(number) if number <= MAX_LIMIT => Ok(number),
        Ok(_) => Err(format!("must be at most {MAX_LIMIT}")),
        Err(error) => Err(error.to_string()),
    }
}

/// More than a machine has sockets for.
const MAX_LIMIT: usize = 1_000_000;

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_calls: 1024,
            max_calls_per_caller: 512,
            max_listings: 256,
            message_mib: 256,
            max_streams: 1024,
            max_streams_per_caller: 256,
            max_connections: 4096,
            max_connections_per_caller: 1024,
            call_seconds: 30,
            stream_seconds: 3600,
            drain_seconds: 10,
        }
    }
}

impl Limits {
    /// The longest duration of a call.
    #[must_use]
    pub fn longest_call(&self) -> Duration {
        Duration::from_secs(self.call_seconds)
    }

    /// The longest duration of a stream.
    #[must_use]
    pub fn longest_stream(&self) -> Duration {
        Duration::from_secs(self.stream_seconds)
    }

    /// How long a stopping server waits for calls in progress.
    #[must_use]
    pub fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }
}
