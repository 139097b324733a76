//! The log, written to standard error as text, or as JSON with `LICET_LOG_FORMAT=json`.

use tracing_subscriber::{
    EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use crate::log_limit::LogLimit;

/// Starts the log. `LICET_LOG` sets its filter (`info` by default). A second call changes nothing.
pub fn start() {
    let filter = EnvFilter::try_from_env("LICET_LOG")
        .unwrap_or_else(|_| EnvFilter::new("info,sea_orm_migration=warn,sqlx=warn"));
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let json = std::env::var("LICET_LOG_FORMAT").is_ok_and(|format| format == "json");
    let log = if json {
        log.json().boxed()
    } else {
        log.boxed()
    };
    let log = log.with_filter(LogLimit::default());
    // Fails if the log is already started, as in tests with several services.
    let _ = tracing_subscriber::registry()
        .with(filter)
        .with(log)
        .try_init();
}
