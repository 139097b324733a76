//! Connections and transactions on SQLite and PostgreSQL: pragmas, time-outs, retry of lost races,
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

/// A unit of work that runs in one transaction and may be run again from the start when the
/// database reports a lost race, so it must have no effect outside of its transaction.
pub trait Work: Sync {
    /// What the work answers once it is committed.
    type Output: Send;

    /// Does the work inside `tx`. Any error rolls all of it back.
    fn run(&self, tx: &Tx) -> impl Future<Output = Result<Self::Output, Fault>> + Send;
}

/// Where a service keeps its schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A SQLite file of the service's own, created when absent.
    Sqlite(PathBuf),
    /// A PostgreSQL database, and the service's schema in it.
    Postgres {
        /// `postgres://user:password@host:port/database`.
        url: String,
        /// The schema; created when absent. Set by connection option, so it survives poolers.
        schema: String,
    },
}

/// Without the password of its URL.
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
            // Two services in one schema would take each other's tables for their own.
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

/// A schema change as SQL text, written once for both databases in PostgreSQL's dialect.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Unique name within the service; the order of the list is the order of application.
    pub name: &'static str,
    /// Statements, each ended by `;` at the end of a line.
    pub sql: &'static str,
}

/// A change of rows that SQL cannot say, made once: in the transaction of the migration that it is named
/// after, when all tables are as this version has them.
#[derive(Clone, Copy, Debug)]
pub struct Rewrite {
    /// The name of the migration.
    pub migration: &'static str,
    /// Makes the change, a bounded number of rows at a time.
    pub run: for<'a> fn(&'a DatabaseTransaction) -> Rewriting<'a>,
}

/// A change of rows under way.
pub type Rewriting<'a> = Pin<Box<dyn Future<Output = Result<(), DbErr>> + Send + 'a>>;

/// The runtime's own tables, before those of the service.
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
    /// SQLite has one writer at a time, so its pool has one connection; PostgreSQL's pool is shared.
    writer: DatabaseConnection,
    reader: DatabaseConnection,
    /// The tables of what a request may be about, by the field that names it.
    pub(crate) subjects: &'static [(&'static str, &'static str)],
}

const POOL_CONNECTIONS: u32 = 16;
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);
/// Key of the advisory lock that lets one instance migrate at a time.
const MIGRATION_LOCK: i64 = 0x4c49_4345_5400;

impl Database {
    /// Opens the pools and brings the schema up to date: the runtime's own tables first, then
    /// `migrations`. Makes the store where there is none: a caller that must not asks [`Database::exists`]
    /// first.
    ///
    /// # Errors
    /// When the database cannot be reached or a migration fails; nothing of a failed run stays.
    pub async fn open(location: &Location, migrations: &[Migration]) -> Result<Self, DbErr> {
        Self::open_rewriting(location, migrations, &[]).await
    }

    /// As [`Database::open`], with what some migrations do to rows that SQL cannot say.
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

    /// Opens a store that exists, to change what the runtime keeps in it; its schema stays as it is.
    ///
    /// # Errors
    /// When there is no such store, or it is of a version before stores had ids.
    pub async fn open_existing(location: &Location) -> Result<Self, DbErr> {
        if !Self::exists(location).await? {
            return Err(DbErr::Custom(format!("there is no store at {location}")));
        }
        let mut database = Self::connect(location).await?;
        database.store_id = find_store_id(&database.reader)
            .await?
            .ok_or_else(|| DbErr::Custom(format!("the store at {location} has no id")))?;
        Ok(database)
    }

    /// Whether a store was made at a place. Nothing is made by looking.
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
        let looking = sea_orm::Database::connect(options).await?;
        let backend = looking.get_database_backend();
        let made = looking
            .query_one_raw(Statement::from_string(backend, query))
            .await?;
        looking.close().await?;
        Ok(made.is_some())
    }

    /// Opens a store that exists, to be read and never changed: nothing is created or migrated, a
    /// statement may take as long as it needs and may read whole tables.
    ///
    /// # Errors
    /// When there is no such store, or its schema is not the one that `migrations` make.
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

    /// The id of the store, which was made with it; nil where it is only read.
    #[must_use]
    pub fn store_id(&self) -> Uuid {
        self.store_id
    }

    /// Says in which table the thing is that a field of a request names, as `("order_id",
    /// "certificate_order")`. The id stands there under the field's own name, beside an `account_id`.
    #[must_use]
    pub fn naming(self, subjects: &'static [(&'static str, &'static str)]) -> Self {
        Self { subjects, ..self }
    }

    /// Which of the two databases this is.
    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.writer.get_database_backend()
    }

    /// A read-only transaction: all reads of one call see one state of the database.
    #[must_use]
    pub fn read(&self) -> Tx {
        // SQLite's readers see one state anyway.
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

    /// For a read of one statement: without BEGIN and COMMIT it is one way to the database and back
    /// instead of three.
    #[must_use]
    pub fn read_alone(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// For a change of one statement, which is a transaction of its own.
    #[must_use]
    pub fn write_alone(&self) -> &DatabaseConnection {
        &self.writer
    }

    /// Runs `work` in one write transaction, again from the start when the database says that the
    /// race was lost (serialisation failure, deadlock, busy).
    ///
    /// # Errors
    /// What the work answered, or a passing fault when every attempt lost its race.
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
                settled => return settled,
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
                // Its connection is not used again, so the work is undone all the same.
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
            // A change of a large table takes as long as it takes, and may read all of it.
            tx.execute_unprepared("SET LOCAL statement_timeout = 0; SET LOCAL enable_seqscan = on")
                .await?;
            // Instances start at the same time: the second waits here and finds nothing to do.
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

    /// Another version's columns would be misread, or missed in the middle of the work.
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
            "the store has the schema [{}], and this version reads [{}]: start this version's \
             service on it once, or use the version that it was made with",
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
        .map_err(|_| DbErr::Custom(format!("the store's id is {text:?}")))
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

/// How a transaction that writes begins.
fn writing() -> TransactionOptions {
    TransactionOptions {
        isolation_level: None,
        access_mode: None,
        // The default upgrades its lock midway and then fails instead of waiting.
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
    }
}

/// Creates the schema where it is absent. A role that owns an existing one may lack the right to
/// create others, and `CREATE SCHEMA IF NOT EXISTS` asks for that right first.
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
        .map_sqlx_sqlite_pool_opts(without_unended)
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

/// As an existing file only: a check of what is not there must not pass on an empty store.
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

/// What every session of a serving pool is set to.
fn serving_settings() -> Vec<(&'static str, String)> {
    let timeout = STATEMENT_TIMEOUT.as_millis().to_string();
    vec![
        // A plan made while a table was small is kept while it grows: it must not be one that
        // reads all of it. Every statement here has an index to go by.
        ("enable_seqscan", "off".to_owned()),
        // What that forbids counts as endlessly dear, and would be compiled just in time, each time.
        ("jit", "off".to_owned()),
        ("statement_timeout", timeout.clone()),
        ("idle_in_transaction_session_timeout", timeout),
    ]
}

/// What a session is set to that reads whole tables and never writes.
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
        // Its ping costs a quarter of the reads; a dead connection shows in the statement anyway.
        .test_before_acquire(false)
        .sqlx_logging(false)
        .map_sqlx_postgres_pool_opts(without_unended)
        .map_sqlx_postgres_opts(move |postgres| {
            postgres
                .application_name("licet")
                .options(settings.iter().map(|(name, value)| (name, value)))
        });
    options
}

/// A pool that takes no connection back whose transaction has not ended. SQLite ends one by itself when
/// the disk is full; the rollback then fails, the driver counts it as open for ever, and every later
/// COMMIT on the connection would only end a savepoint of a transaction that is never committed.
fn without_unended<DB>(options: PoolOptions<DB>) -> PoolOptions<DB>
where
    DB: sqlx::Database,
{
    options.after_release(|connection, _| {
        Box::pin(async move {
            // On SQLite a rollback that a dropped transaction asked for may still wait for its turn.
            if DB::NAME == sqlx::Sqlite::NAME {
                connection.ping().await?;
            }
            let ended = !connection.is_in_transaction();
            if !ended {
                tracing::warn!("a connection is closed: its transaction has not ended");
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

/// SQLite compares text by its bytes anyway and has no collation "C".
fn sqlite_dialect(sql: &str) -> String {
    sql.replace(" COLLATE \"C\"", "")
        .replace("BYTEA", "BLOB")
        .replace(
            "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
            "INTEGER PRIMARY KEY AUTOINCREMENT",
        )
}
