//! Connections and transactions on SQLite and PostgreSQL: settings, timeouts, retries of lost races, and
//! migrations under a lock. Store functions take a [`Tx`], never the pool.

mod connection;
mod distribution;
mod files;
mod location;
mod migration;
mod numbering;
mod opening;
mod options;
mod pools;
mod probe;
mod servers;
mod session;
mod transaction;
mod trouble;

use std::{sync::Arc, time::Duration};

use backon::{BackoffBuilder, ExponentialBuilder};
use sea_orm::{ConnectOptions, ConnectionTrait, DbBackend, DbErr, Statement};
use tokio::sync::watch;
use uuid::Uuid;

use crate::fault::Fault;

pub use connection::Connection;
pub use distribution::distribute;
pub use location::{Location, LocationParser};
pub use migration::{Migration, Rewrite, Rewriting};
pub use numbering::Number;
pub use session::prepare;
pub use transaction::Tx;

use connection::Access;
use migration::{check_migrated, find_store_id, migrate};
use options::{postgres_options, reading_settings, sqlite_read_only_options};
use pools::{Pools, find_patiently, parsed};
use transaction::{reading, writing};

/// A migration with the statements of a file in the folder `migrations` beside the caller's file.
#[macro_export]
macro_rules! migration {
    ($name:expr, $file:literal) => {
        $crate::database::Migration {
            name: $name,
            sql: include_str!(concat!("migrations/", $file)),
        }
    };
}

/// Work that runs in one transaction. It runs again from the start if it loses a race in the database, so
/// it must have no effect outside its transaction.
pub trait Work: Sync {
    /// What the work returns once it is committed.
    type Output: Send;

    /// Does the work inside `tx`. Any error rolls everything back.
    fn run(&self, tx: &Tx) -> impl Future<Output = Result<Self::Output, Fault>> + Send;
}

/// The store of one service. On PostgreSQL it follows a failover without a restart.
#[derive(Clone, Debug)]
pub struct Database {
    store_id: Uuid,
    writer: Connection,
    reader: Connection,
    /// The table of each request field that names a resource.
    pub(crate) subjects: &'static [(&'static str, &'static str)],
}

impl Database {
    /// Opens the pools and migrates the schema: the runtime's own tables first, then `migrations`. Creates
    /// the store if it does not exist; check [`Database::exists`] first to avoid that.
    ///
    /// # Errors
    /// When the database cannot be reached or a migration fails; a failed migration changes nothing.
    pub async fn open(location: &Location, migrations: &[Migration]) -> Result<Self, DbErr> {
        Self::open_rewriting(location, migrations, &[]).await
    }

    /// As [`Database::open`], with `rewrites` for some migrations.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub async fn open_rewriting(
        location: &Location,
        migrations: &[Migration],
        rewrites: &[Rewrite],
    ) -> Result<Self, DbErr> {
        let mut database = Self::connect(location).await?;
        database.store_id = migrate(
            &database.writer.driver().await?,
            location,
            migrations,
            rewrites,
        )
        .await?;
        if let Location::Postgres { schema, .. } = location {
            distribution::check_distributed(&database.reader, schema).await?;
        }
        Ok(database)
    }

    async fn connect(location: &Location) -> Result<Self, DbErr> {
        let database = Self::of(&Pools::open(location).await?);
        if let Location::Postgres { schema, .. } = location {
            session::check_serving(&database.writer, schema).await?;
        }
        Ok(database)
    }

    fn of(pools: &Arc<Pools>) -> Self {
        Self {
            store_id: Uuid::nil(),
            writer: Connection::new(pools, Access::Write),
            reader: Connection::new(pools, Access::Read),
            subjects: &[],
        }
    }

    /// Opens an existing store without migrating it, to change the runtime's own rows.
    ///
    /// # Errors
    /// When there is no such store, or an early version created it without an id.
    pub async fn open_existing(location: &Location) -> Result<Self, DbErr> {
        if !Self::exists(location).await? {
            return Err(DbErr::Custom(format!("there is no store at {location}")));
        }
        let mut database = Self::connect(location).await?;
        database.store_id = find_store_id(&database.reader).await?.ok_or_else(|| {
            DbErr::Custom(format!(
                "the store at {location} has no id; start this version's service on it once"
            ))
        })?;
        Ok(database)
    }

    /// Whether a store exists. Creates nothing.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn exists(location: &Location) -> Result<bool, DbErr> {
        let (options, query) = match location {
            Location::Sqlite(path) if !path.exists() => return Ok(false),
            Location::Sqlite(path) => (
                sqlite_read_only_options(path),
                "SELECT 1 AS made FROM sqlite_master WHERE name = 'seaql_migrations'",
            ),
            Location::Postgres { url, schema } => (
                reading_options(url, schema).await?,
                "SELECT 1 AS made WHERE to_regclass('seaql_migrations') IS NOT NULL",
            ),
        };
        let connection = sea_orm::Database::connect(options).await?;
        if let Location::Postgres { schema, .. } = location {
            session::check_schema(&connection, schema).await?;
        }
        let backend = connection.get_database_backend();
        let found = connection
            .query_one_raw(Statement::from_string(backend, query))
            .await?;
        connection.close().await?;
        Ok(found.is_some())
    }

    /// Opens an existing store read-only and without migrating it. Statements have no timeout and may read
    /// whole tables.
    ///
    /// # Errors
    /// When there is no such store, or its schema is not that of `migrations`.
    pub async fn open_read_only(
        location: &Location,
        migrations: &[Migration],
    ) -> Result<Self, DbErr> {
        let options = match location {
            Location::Sqlite(path) => sqlite_read_only_options(path),
            Location::Postgres { url, schema } => reading_options(url, schema).await?,
        };
        let pool = sea_orm::Database::connect(options).await?;
        if let Location::Postgres { schema, .. } = location {
            session::check_reading(&pool, schema).await?;
        }
        check_migrated(&pool, migrations).await?;
        Ok(Self::of(&Pools::fixed(pool.clone(), pool)))
    }

    /// The store's id, created with the store; nil if it is opened read-only.
    #[must_use]
    pub fn store_id(&self) -> Uuid {
        self.store_id
    }

    /// Declares the table for each request field that names a resource, such as `("order_id",
    /// "certificate_order")`. The table must have a column of the field's name, and an `account_id`.
    #[must_use]
    pub fn naming(self, subjects: &'static [(&'static str, &'static str)]) -> Self {
        Self { subjects, ..self }
    }

    /// The same store by connections of its own, for work that must not wait for slow reads or for a burst of
    /// other changes. SQLite has one writer for all.
    #[must_use]
    pub fn reserved(&self) -> Self {
        Self {
            writer: self.writer.reserved(),
            reader: self.reader.reserved(),
            ..self.clone()
        }
    }

    /// The kind of database.
    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.writer.get_database_backend()
    }

    /// Follows whether the database can be reached.
    pub(crate) fn reached(&self) -> watch::Receiver<bool> {
        self.reader.reached()
    }

    /// A read-only transaction: all its reads see one snapshot.
    #[must_use]
    pub fn read(&self) -> Tx {
        Tx::new(self.reader.clone(), reading(self.backend()))
    }

    /// The connection for a single-statement read: one round trip instead of three with BEGIN and COMMIT.
    #[must_use]
    pub fn read_alone(&self) -> &Connection {
        &self.reader
    }

    /// The connection for a single-statement change, which commits by itself.
    #[must_use]
    pub fn write_alone(&self) -> &Connection {
        &self.writer
    }

    /// Runs `work` in one write transaction, and again from the start if it loses a race in the database
    /// (serialisation failure, deadlock, busy).
    ///
    /// # Errors
    /// The errors of the work; [`Fault::Contention`] when every attempt lost its race.
    pub async fn transact<W: Work>(&self, work: &W) -> Result<W::Output, Fault> {
        let mut pauses = ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(Duration::from_millis(2))
            .with_max_delay(Duration::from_millis(200))
            .with_max_times(12)
            .build();
        loop {
            let fault = match self.attempt(work).await {
                Err(fault @ Fault::Contention(_)) => fault,
                result => return result,
            };
            match pauses.next() {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(fault),
            }
        }
    }

    async fn attempt<W: Work>(&self, work: &W) -> Result<W::Output, Fault> {
        let tx = Tx::new(self.writer.clone(), writing());
        match work.run(&tx).await {
            Ok(answer) => {
                tx.commit().await?;
                Ok(answer)
            }
            Err(fault) => {
                // If this fails, the pool drops the connection, which also undoes the work.
                if let Err(error) = tx.rollback().await {
                    tracing::warn!(%error, "a rollback failed");
                }
                Err(fault)
            }
        }
    }
}

/// The options of a pool that only reads.
async fn reading_options(url: &str, schema: &str) -> Result<ConnectOptions, DbErr> {
    let servers = parsed(url)?;
    let server = find_patiently(&servers, servers.must_write).await?;
    let url = servers.url(server.number);
    Ok(postgres_options(&url, schema, &reading_settings()))
}
