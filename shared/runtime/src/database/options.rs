//! The settings of pools and of their sessions.

use std::{path::Path, time::Duration};

use sea_orm::ConnectOptions;
use sqlx::{Connection as _, Database as _, pool::PoolOptions};

use super::probe::Server;

/// The most connections of each kind of work. Connections open when they are needed.
pub(super) const WRITING_CONNECTIONS: u32 = 16;
pub(super) const READING_CONNECTIONS: u32 = 8;
pub(super) const RESERVED_CONNECTIONS: u32 = 8;
/// How long work waits for a connection before it is told to come again.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) fn sqlite_options(path: &Path, connections: u32) -> ConnectOptions {
    let path = path.to_owned();
    let mut options = ConnectOptions::new("sqlite::memory:");
    options
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .sqlx_logging(false)
        .map_sqlx_sqlite_pool_opts(closing_open_transactions)
        .map_sqlx_sqlite_opts(move |sqlite| {
            sqlite
                .filename(&path)
                .in_memory(false)
                .shared_cache(false)
                .create_if_missing(true)
                .foreign_keys(true)
                .pragma("journal_mode", "WAL")
                .pragma("synchronous", "FULL")
                .pragma("busy_timeout", "10000")
        });
    options
}

/// Opens an existing file only: a check must not pass on an empty store that it has just created.
pub(super) fn sqlite_read_only_options(path: &Path) -> ConnectOptions {
    let path = path.to_owned();
    let mut options = ConnectOptions::new("sqlite::memory:");
    options
        .max_connections(1)
        .acquire_timeout(Duration::from_secs(20))
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |sqlite| {
            sqlite
                .filename(&path)
                .in_memory(false)
                .shared_cache(false)
                .create_if_missing(false)
                .read_only(true)
                .pragma("busy_timeout", "10000")
        });
    options
}

/// The name of a session's setting, and its value as `pg_settings` shows it.
pub(super) type Setting = (&'static str, String);

/// The session settings of a service's pool.
pub(super) fn serving_settings() -> Vec<Setting> {
    let timeout = STATEMENT_TIMEOUT.as_millis().to_string();
    vec![
        // A cached plan outlives a small table's growth, so it must not scan the table. Every statement has
        // an index to use.
        ("enable_seqscan", "off".to_owned()),
        // A disabled scan has so high an estimated cost that PostgreSQL would JIT-compile each one.
        ("jit", "off".to_owned()),
        ("statement_timeout", timeout.clone()),
        ("idle_in_transaction_session_timeout", timeout),
    ]
}

/// The session settings of a read-only pool. They replace those of a role that is prepared for a service.
pub(super) fn reading_settings() -> Vec<Setting> {
    let settings = [
        ("default_transaction_read_only", "on"),
        ("enable_seqscan", "on"),
        ("statement_timeout", "0"),
        ("idle_in_transaction_session_timeout", "0"),
    ];
    settings
        .map(|(name, value)| (name, value.to_owned()))
        .into()
}

pub(super) fn postgres_options(url: &str, schema: &str, settings: &[Setting]) -> ConnectOptions {
    let mut settings = settings.to_vec();
    settings.push(("search_path", schema.to_owned()));
    let mut options = ConnectOptions::new(url.to_owned());
    options
        .max_connections(WRITING_CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // The ping takes a quarter of the read throughput; a dead connection fails in its statement anyway.
        .test_before_acquire(false)
        .sqlx_logging(false)
        .map_sqlx_postgres_pool_opts(closing_open_transactions)
        .map_sqlx_postgres_opts(move |postgres| {
            postgres
                .application_name("licet")
                .options(settings.iter().map(|(name, value)| (name, value)))
        });
    options
}

/// Connects when first used, and only to the server that was found, while it serves as it did then.
pub(super) fn only_to(options: &mut ConnectOptions, server: Server) {
    options
        .connect_lazy(true)
        .map_sqlx_postgres_pool_opts(move |pool| {
            let server = server.clone();
            closing_open_transactions(pool).after_connect(move |connection, _| {
                let server = server.clone();
                Box::pin(async move { server.check(connection).await })
            })
        });
}

/// Closes a connection that comes back to the pool with an open transaction. SQLite rolls back by itself
/// when the disk is full; the driver's rollback then fails and the driver counts the transaction as open
/// for ever, so that every later COMMIT on the connection would only release a savepoint.
fn closing_open_transactions<DB>(options: PoolOptions<DB>) -> PoolOptions<DB>
where
    DB: sqlx::Database,
{
    options.after_release(|connection, _| {
        Box::pin(async move {
            // On SQLite the rollback of a dropped transaction may still be queued.
            if DB::NAME == sqlx::Sqlite::NAME {
                connection.ping().await?;
            }
            let ended = !connection.is_in_transaction();
            if !ended {
                tracing::warn!("closing a connection whose transaction has not ended");
            }
            Ok(ended)
        })
    })
}
