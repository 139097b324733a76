//! Migrations: written once for both databases, applied under a lock; and the id of the store that they
//! create.

use std::pin::Pin;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, Statement,
    TransactionTrait,
};
use sea_orm_migration::{
    MigrationName, MigrationTrait, MigratorTraitSelf, SchemaManager, async_trait,
};
use uuid::Uuid;

use super::{location::Location, session::check_schema, transaction::writing};
use crate::clock::real_now;

/// A schema change as SQL in PostgreSQL's dialect, for both databases.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// A name unique within the service. Migrations are applied in the order of their list.
    pub name: &'static str,
    /// The statements; each ends with `;` at the end of a line.
    pub sql: &'static str,
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
const OWN: [Migration; 3] = [
    Migration {
        name: "runtime_0001",
        sql: include_str!("../schema.sql"),
    },
    Migration {
        name: "runtime_0002_store_id",
        sql: include_str!("../store_id.sql"),
    },
    Migration {
        name: "runtime_0003_tenant_key",
        sql: include_str!("../tenant_key.sql"),
    },
];

/// The advisory lock that lets one instance migrate at a time.
const MIGRATION_LOCK: i64 = 0x4c49_4345_5400;

/// Applies what is pending. Returns the store's id.
pub(super) async fn migrate(
    writer: &DatabaseConnection,
    location: &Location,
    migrations: &[Migration],
    rewrites: &[Rewrite],
) -> Result<Uuid, DbErr> {
    let all = Migrator(OWN.iter().chain(migrations).copied().collect());
    let tx = writer.begin_with_options(writing()).await?;
    if let Location::Postgres { schema, .. } = location {
        // Changing a large table may take long and read all of it.
        tx.execute_unprepared("SET LOCAL statement_timeout = 0; SET LOCAL enable_seqscan = on")
            .await?;
        // If several instances start at once, the others wait here and find nothing to do.
        lock(&tx).await?;
        create_schema(&tx, schema).await?;
        check_schema(&tx, schema).await?;
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

/// Waits until nobody else changes the schema of a store on PostgreSQL.
pub(super) async fn lock(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    tx.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
        .await?;
    Ok(())
}

/// Fails unless exactly `migrations` were applied: columns of another version could be misread or absent.
pub(super) async fn check_migrated(
    reader: &DatabaseConnection,
    migrations: &[Migration],
) -> Result<(), DbErr> {
    let applied = Statement::from_string(
        reader.get_database_backend(),
        "SELECT version FROM seaql_migrations ORDER BY version",
    );
    let applied: Result<Vec<String>, DbErr> = reader
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

/// The id of a store, unless an early version created it.
pub(super) async fn find_store_id(
    connection: &impl ConnectionTrait,
) -> Result<Option<Uuid>, DbErr> {
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
        .replace(
            "BIGINT GENERATED ALWAYS AS IDENTITY",
            "INTEGER PRIMARY KEY AUTOINCREMENT",
        )
}
