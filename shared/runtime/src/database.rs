//! Connections and transactions on SQLite and PostgreSQL: settings, timeouts, retries of lost races, and
//! migrations under a lock. Store functions take a [`Tx`], never the pool.

mod transaction;
mod trouble;

use std::{fmt, future::Future, path::PathBuf, pin::Pin, str::FromStr, time::Duration};

use backon::{BackoffBuilder, ExponentialBuilder};
use sea_orm::{
    AccessMode, ConnectOptions, ConnectionTrait, DatabaseConnection, DatabaseTransaction,
    DbBackend, DbErr, IsolationLevel, SqliteTransactionMode, Statement, TransactionOptions,
    TransactionTrait,
};
use sea_orm_migration::{
    MigrationName, MigrationTrait, MigratorTraitSelf, SchemaManager, async_trait,
};
use sqlx::{Connection as _, Database as _, pool::PoolOptions};
use uuid::Uuid;

use crate::{clock::real_now, fault::Fault};

pub use transaction::Tx;

/// Work that runs in one transaction. It runs again from the start if it loses a race in the database, so
/// it must have no effect outside its transaction.
pub trait Work: Sync {
    /// What the work returns once it is committed.
    type Output: Send;

    /// Does the work inside `tx`. Any error rolls everything back.
    fn run(&self, tx: &Tx) -> impl Future<Output = Result<Self::Output, Fault>> + Send;
}

/// Where a service stores its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// The service's own SQLite file; created if absent.
    Sqlite(PathBuf),
    /// A PostgreSQL database, and the service's schema in it.
    Postgres {
        /// `postgres://user:password@host:port/database`.
        url: String,
        /// The schema; created if absent. Set as a connection option, so it works through poolers.
        schema: String,
    },
}

/// Omits the password of the URL.
impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(formatter, "sqlite:{}", path.display()),
            Self::Postgres { url, schema } => {
                let place = url.rsplit_once('@').map_or("…", |(_, place)| place);
                write!(formatter, "postgres://{place}#{schema}")
            }
        }
    }
}

impl FromStr for Location {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            return Ok(Self::Sqlite(PathBuf::from(path)));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            // Without a name, two services would share one schema and mistake each other's tables for theirs.
            let named = text
                .split_once('#')
                .filter(|(_, schema)| !schema.is_empty());
            let (url, schema) = named.ok_or("must name the service's own schema after a #")?;
            return Ok(Self::Postgres {
                url: url.to_owned(),
                schema: schema.to_owned(),
            });
        }
        Err("must be sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE#SCHEMA".to_owned())
    }
}

/// A schema change as SQL in PostgreSQL's dialect, for both databases.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// A name unique within the service. Migrations are applied in the order of their list.
    pub name: &'static str,
    /// The statements; each ends with `;` at the end of a line.
    pub sql: &'static str,
}

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

/// A one-time change of rows that SQL cannot express. It runs in the transaction of its migration, when
/// all migrations have been applied.
#[derive(Clone, Copy, Debug)]
pub struct Rewrite {
    /// The name of the migration.
    pub migration: &'static str,
    /// Makes the change, a bounded number of rows at a time.
    pub run: for<'a> fn(&'a DatabaseTransaction) -> Rewriting<'a>,
}

/// The future of a [`Rewrite`].
pub type Rewriting<'a> = Pin<Box<dyn Future<Output = Result<(), DbErr>> + Send + 'a>>;

/// The runtime's own tables; migrated before those of the service.
const OWN: [Migration; 2] = [
    Migration {
        name: "runtime_0001",
        sql: include_str!("schema.sql"),
    },
    Migration {
        name: "runtime_0002_store_id",
        sql: include_str!("store_id.sql"),
    },
];

/// The pools of one service.
#[derive(Clone, Debug)]
pub struct Database {
    store_id: Uuid,
    /// SQLite allows one writer, so this pool has one connection. On PostgreSQL both pools are the same.
    writer: DatabaseConnection,
    reader: DatabaseConnection,
    /// The table of each request field that names a resource.
    pub(crate) subjects: &'static [(&'static str, &'static str)],
}

const POOL_CONNECTIONS: u32 = 16;
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);
/// The advisory lock that lets one instance migrate at a time.
const MIGRATION_LOCK: i64 = 0x4c49_4345_5400;

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
        database.store_id = database.migrate(location, migrations, rewrites).await?;
        Ok(database)
    }

    async fn connect(location: &Location) -> Result<Self, DbErr> {
        let (writer, reader) = match location {
            Location::Sqlite(path) => {
                let writer = sea_orm::Database::connect(sqlite_options(path, 1)).await?;
                let reader =
                    sea_orm::Database::connect(sqlite_options(path, POOL_CONNECTIONS)).await?;
                (writer, reader)
            }
            Location::Postgres { url, schema } => {
                let options = postgres_options(url, schema, &serving_settings());
                let pool = sea_orm::Database::connect(options).await?;
                (pool.clone(), pool)
            }
        };
        Ok(Self {
            store_id: Uuid::nil(),
            writer,
            reader,
            subjects: &[],
        })
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
                postgres_options(url, schema, &reading_settings()),
                "SELECT 1 AS made WHERE to_regclass('seaql_migrations') IS NOT NULL",
            ),
        };
        let connection = sea_orm::Database::connect(options).await?;
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
            Location::Postgres { url, schema } => {
                postgres_options(url, schema, &reading_settings())
            }
        };
        let pool = sea_orm::Database::connect(options).await?;
        let database = Self {
            store_id: Uuid::nil(),
            writer: pool.clone(),
            reader: pool,
            subjects: &[],
        };
        database.check_migrated(migrations).await?;
        Ok(database)
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

    /// The kind of database.
    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.writer.get_database_backend()
    }

    /// A read-only transaction: all its reads see one snapshot.
    #[must_use]
    pub fn read(&self) -> Tx {
        // On SQLite every transaction reads one snapshot.
        let (isolation_level, access_mode) = if self.backend() == DbBackend::Postgres {
            (
                Some(IsolationLevel::RepeatableRead),
                Some(AccessMode::ReadOnly),
            )
        } else {
            (None, None)
        };
        let options = TransactionOptions {
            isolation_level,
            access_mode,
            sqlite_transaction_mode: None,
        };
        Tx::new(self.reader.clone(), options)
    }

    /// The connection for a single-statement read: one round trip instead of three with BEGIN and COMMIT.
    #[must_use]
    pub fn read_alone(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// The connection for a single-statement change, which commits by itself.
    #[must_use]
    pub fn write_alone(&self) -> &DatabaseConnection {
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

    /// Returns the store's id.
    async fn migrate(
        &self,
        location: &Location,
        migrations: &[Migration],
        rewrites: &[Rewrite],
    ) -> Result<Uuid, DbErr> {
        let all = Migrator(OWN.iter().chain(migrations).copied().collect());
        let tx = self.writer.begin_with_options(writing()).await?;
        if let Location::Postgres { schema, .. } = location {
            // Changing a large table may take long and read all of it.
            tx.execute_unprepared("SET LOCAL statement_timeout = 0; SET LOCAL enable_seqscan = on")
                .await?;
            // If several instances start at once, the others wait here and find nothing to do.
            tx.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
                .await?;
            create_schema(&tx, schema).await?;
        }
        let pending = all.get_pending_migrations(&tx).await?;
        all.up(&tx, None).await?;
        for rewrite in rewrites {
            if pending.iter().any(|new| new.name() == rewrite.migration) {
                (rewrite.run)(&tx).await?;
            }
        }
        let store_id = match find_store_id(&tx).await? {
            Some(store_id) => store_id,
            None => make_store_id(&tx).await?,
        };
        tx.commit().await?;
        Ok(store_id)
    }

    /// Fails unless exactly `migrations` were applied: columns of another version could be misread or absent.
    async fn check_migrated(&self, migrations: &[Migration]) -> Result<(), DbErr> {
        let applied = Statement::from_string(
            self.backend(),
            "SELECT version FROM seaql_migrations ORDER BY version",
        );
        let applied: Result<Vec<String>, DbErr> = self
            .reader
            .query_all_raw(applied)
            .await?
            .iter()
            .map(|row| row.try_get("", "version"))
            .collect();
        let every = OWN.iter().chain(migrations);
        let mut expected: Vec<_> = every.map(|migration| migration.name).collect();
        expected.sort_unstable();
        let applied = applied?;
        if applied == expected {
            return Ok(());
        }
        Err(DbErr::Migration(format!(
            "the store has the schema [{}], but this version reads [{}]; start this version's \
             service on the store once, or use the version that created it",
            applied.join(", "),
            expected.join(", ")
        )))
    }
}

async fn find_store_id(connection: &impl ConnectionTrait) -> Result<Option<Uuid>, DbErr> {
    let query = Statement::from_string(
        connection.get_database_backend(),
        "SELECT store_id FROM store",
    );
    let Some(row) = connection.query_one_raw(query).await? else {
        return Ok(None);
    };
    let text: String = row.try_get("", "store_id")?;
    let parsed = text.parse();
    parsed
        .map(Some)
        .map_err(|_| DbErr::Custom(format!("the store's id {text:?} is not a UUID")))
}

async fn make_store_id(tx: &DatabaseTransaction) -> Result<Uuid, DbErr> {
    let store_id = Uuid::now_v7();
    let insert = Statement::from_sql_and_values(
        tx.get_database_backend(),
        "INSERT INTO store (store_id, made_us) VALUES ($1, $2)",
        [store_id.to_string().into(), real_now().as_micros().into()],
    );
    tx.execute_raw(insert).await?;
    Ok(store_id)
}

/// The options of a write transaction.
fn writing() -> TransactionOptions {
    TransactionOptions {
        isolation_level: None,
        access_mode: None,
        // The default takes the write lock midway, and then fails instead of waiting.
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
    }
}

/// Creates the schema if it is absent. Not with `CREATE SCHEMA IF NOT EXISTS`, which requires the right to
/// create schemas even if the schema exists.
async fn create_schema(tx: &DatabaseTransaction, schema: &str) -> Result<(), DbErr> {
    let exists = Statement::from_sql_and_values(
        DbBackend::Postgres,
        "SELECT 1 FROM pg_namespace WHERE nspname = $1",
        [schema.into()],
    );
    if tx.query_one_raw(exists).await?.is_none() {
        let quoted = schema.replace('"', "\"\"");
        tx.execute_unprepared(&format!("CREATE SCHEMA \"{quoted}\""))
            .await?;
    }
    Ok(())
}

fn sqlite_options(path: &std::path::Path, connections: u32) -> ConnectOptions {
    let path = path.to_owned();
    let mut options = ConnectOptions::new("sqlite::memory:");
    options
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(20))
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
fn sqlite_read_only_options(path: &std::path::Path) -> ConnectOptions {
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

/// The session settings of a service's pool.
fn serving_settings() -> Vec<(&'static str, String)> {
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

/// The session settings of a read-only pool.
fn reading_settings() -> Vec<(&'static str, String)> {
    vec![("default_transaction_read_only", "on".to_owned())]
}

fn postgres_options(
    url: &str,
    schema: &str,
    settings: &[(&'static str, String)],
) -> ConnectOptions {
    let mut settings = settings.to_vec();
    settings.push(("search_path", schema.to_owned()));
    let mut options = ConnectOptions::new(url.to_owned());
    options
        .max_connections(POOL_CONNECTIONS)
        .acquire_timeout(Duration::from_secs(20))
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

struct Migrator(Vec<Migration>);

impl MigratorTraitSelf for Migrator {
    fn migrations(&self) -> Vec<Box<dyn MigrationTrait>> {
        self.0
            .iter()
            .map(|migration| Box::new(*migration) as Box<dyn MigrationTrait>)
            .collect()
    }
}

impl MigrationName for Migration {
    fn name(&self) -> &str {
        self.name
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let text = if connection.get_database_backend() == DbBackend::Postgres {
            self.sql.to_owned()
        } else {
            sqlite_dialect(self.sql)
        };
        for statement in text
            .split_inclusive(";\n")
            .map(str::trim)
            .filter(|text| !text.is_empty())
        {
            connection.execute_unprepared(statement).await?;
        }
        Ok(())
    }
}

/// Translates PostgreSQL's dialect. SQLite has no collation "C": it compares text by bytes anyway.
fn sqlite_dialect(sql: &str) -> String {
    sql.replace(" COLLATE \"C\"", "")
        .replace("BYTEA", "BLOB")
        .replace(
            "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
            "INTEGER PRIMARY KEY AUTOINCREMENT",
        )
}
