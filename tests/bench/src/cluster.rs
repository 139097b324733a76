//! The benchmark's own PostgreSQL cluster, durable as in production, with its counts of written rows and log
//! bytes. The services and their floors use it alike.

use std::{
    path::PathBuf,
    process::Child,
    sync::atomic::{AtomicU32, Ordering},
};

use licet_runtime::database::Location;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};

use crate::{guardian, trouble::Trouble};

/// The same for services and floors; everything else is PostgreSQL's default.
const SETTINGS: &str = "\
fsync = on
synchronous_commit = on
full_page_writes = on
shared_buffers = '1GB'
work_mem = '64MB'
max_wal_size = '4GB'
";

/// The settings that the report shows.
const SHOWN: [&str; 9] = [
    "server_version",
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "wal_sync_method",
    "shared_buffers",
    "work_mem",
    "max_wal_size",
    "autovacuum",
];

pub(crate) struct Cluster {
    pub(crate) programs: PathBuf,
    pub(crate) port: u16,
    pub(crate) password: String,
    databases: AtomicU32,
    /// The cluster runs until the guardian's standard input closes, when this process ends.
    _guardian: Child,
}

impl Cluster {
    pub(crate) fn start() -> Result<Self, Trouble> {
        let programs =
            guardian::find_programs().ok_or_else(|| Trouble(guardian::NOT_INSTALLED.to_owned()))?;
        let password = uuid::Uuid::new_v4().simple().to_string();
        let port = free_port()?;
        let guardian =
            guardian::guard(&programs, port, &password, SETTINGS).map_err(|trouble| {
                Trouble(format!(
                    "PostgreSQL did not start from {}: {trouble}",
                    programs.display()
                ))
            })?;
        Ok(Self {
            programs,
            port,
            password,
            databases: AtomicU32::new(0),
            _guardian: guardian,
        })
    }

    /// Creates an empty database.
    pub(crate) async fn create(&self, what: &str) -> Result<Place, Trouble> {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("{what}_{number}");
        let server = self.connect("postgres", "public").await?;
        let create = format!("CREATE DATABASE {name} TEMPLATE template0");
        server.execute_unprepared(&create).await?;
        server.close().await?;
        Ok(Place { name })
    }

    /// The location of a service's schema in a database.
    pub(crate) fn location(&self, place: &Place, schema: &str) -> Location {
        self.location_at(place, schema, self.port)
    }

    /// As [`Cluster::location`], by way of another port of this machine.
    pub(crate) fn location_at(&self, place: &Place, schema: &str, port: u16) -> Location {
        Location::Postgres {
            url: self.url(&place.name, port),
            schema: schema.to_owned(),
        }
    }

    /// Opens one connection, as the superuser.
    pub(crate) async fn connect(
        &self,
        database: &str,
        schema: &str,
    ) -> Result<DatabaseConnection, Trouble> {
        let schema = schema.to_owned();
        let mut options = sea_orm::ConnectOptions::new(self.url(database, self.port));
        options
            .max_connections(1)
            .sqlx_logging(false)
            .map_sqlx_postgres_opts(move |postgres| {
                postgres.options([("search_path", schema.clone())])
            });
        Ok(Database::connect(options).await?)
    }

    fn url(&self, database: &str, port: u16) -> String {
        format!(
            "postgres://postgres:{}@127.0.0.1:{port}/{database}",
            self.password
        )
    }

    /// The values of the shown settings.
    pub(crate) async fn settings(&self) -> Result<Vec<(String, String)>, Trouble> {
        let server = self.connect("postgres", "public").await?;
        let mut settings = Vec::new();
        for name in SHOWN {
            let value: String = one(&server, &format!("SELECT current_setting('{name}')")).await?;
            settings.push((name.to_owned(), value));
        }
        server.close().await?;
        Ok(settings)
    }

    /// Writes everything to the disk, so that no measurement pays for the one before.
    pub(crate) async fn settle(&self) -> Result<(), Trouble> {
        let server = self.connect("postgres", "public").await?;
        server.execute_unprepared("CHECKPOINT").await?;
        Ok(server.close().await?)
    }

    /// Rows and bytes written so far.
    pub(crate) async fn written(&self, place: &Place) -> Result<Written, Trouble> {
        let server = self.connect("postgres", "public").await?;
        let rows: i64 = one(
            &server,
            &format!(
                "SELECT tup_inserted + tup_updated + tup_deleted FROM pg_stat_database \
                 WHERE datname = '{}'",
                place.name
            ),
        )
        .await?;
        let wal = "SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::BIGINT";
        let wal_bytes: i64 = one(&server, wal).await?;
        server.close().await?;
        Ok(Written {
            rows: u64::try_from(rows)?,
            wal_bytes: u64::try_from(wal_bytes)?,
        })
    }
}

/// A database of the cluster.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) name: String,
}

/// Rows inserted, updated and deleted in one database, and bytes of the whole cluster's log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    pub(crate) rows: u64,
    pub(crate) wal_bytes: u64,
}

/// The single value of a query.
pub(crate) async fn one<T: sea_orm::TryGetable>(
    server: &DatabaseConnection,
    query: &str,
) -> Result<T, Trouble> {
    let statement = Statement::from_string(DbBackend::Postgres, query);
    let row = server.query_one_raw(statement).await?;
    let row = row.ok_or_else(|| Trouble(format!("no row: {query}")))?;
    row.try_get_by_index(0)
        .map_err(|error| Trouble(format!("{query}: {error:?}")))
}

/// A free port of loopback.
pub(crate) fn free_port() -> Result<u16, Trouble> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?
        .local_addr()?
        .port())
}
