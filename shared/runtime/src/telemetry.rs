//! The log, written to standard error as text, or as JSON with `LICET_LOG_FORMAT=json`.

use tracing_subscriber::EnvFilter;

/// Starts the log. `LICET_LOG` sets its filter (`info` by default). A second call changes nothing.
pub fn start() {
    let filter = EnvFilter::try_from_env("LICET_LOG")
        .unwrap_or_else(|_| EnvFilter::new("info,sea_orm_migration=warn,sqlx=warn"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let json = std::env::var("LICET_LOG_FORMAT").is_ok_and(|format| format == "json");
    // Fails if the log is already started, as in tests with several services.
    let _ = if json {
        log.json().try_init()
    } else {
        log.try_init()
    };
}
