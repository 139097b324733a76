//! The log: to standard error, for people by default, as JSON where `LICET_LOG_FORMAT=json`.

use tracing_subscriber::EnvFilter;

/// Starts the log. `LICET_LOG` filters it (`info` by default); a second start changes nothing.
pub fn start() {
    let filter = EnvFilter::try_from_env("LICET_LOG")
        .unwrap_or_else(|_| EnvFilter::new("info,sea_orm_migration=warn,sqlx=warn"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let json = std::env::var("LICET_LOG_FORMAT").is_ok_and(|format| format == "json");
    // An Err says that a log is there already, as in tests that start many services.
    let _ = if json {
        log.json().try_init()
    } else {
        log.try_init()
    };
}
