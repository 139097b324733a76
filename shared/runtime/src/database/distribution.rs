//! Puts a store on Citus, an extension of PostgreSQL that divides tables over several servers, its nodes. The tables of
//! accounts are distributed by account, so that all rows of an account are on one node. All others stay on the
//! coordinator, as tables that Citus knows: it commits on all nodes or on none only if it knows every table of a
//! transaction.

use std::collections::BTreeSet;

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, TransactionTrait};

use super::{location::Location, migration::lock, pools::connect_once};

/// Whether the database has Citus.
const HAS_CITUS: &str = "SELECT to_regclass('pg_dist_partition') IS NOT NULL AS has_citus, \
                         current_database()::TEXT AS name";

const NODES: &str = "SELECT (SELECT groupid FROM pg_dist_local_group) = 0 AS is_coordinator, \
                     EXISTS (SELECT 1 FROM pg_dist_node WHERE groupid = 0) AS knows_itself, \
                     EXISTS (SELECT 1 FROM pg_dist_node WHERE isactive AND shouldhaveshards) AS has_workers";

/// The tables of a schema, whether their rows are of one account each, and where Citus has them. The rows of a table
/// are of one account each if it has an account and each of its keys contains it.
const TABLES: &str = include_str!("distribution/tables.sql");

/// The foreign keys between the tables of a schema.
const REFERENCES: &str = include_str!("distribution/references.sql");

/// Begins the transaction. It copies large tables, for as long as that takes, and foreign keys need all of it on one
/// connection to each node.
const BEGINNING: [&str; 4] = [
    "BEGIN;",
    "SET LOCAL citus.propagate_set_commands TO 'local';",
    "SET LOCAL statement_timeout TO 0;",
    "SET LOCAL citus.multi_shard_modify_mode TO 'sequential';",
];

/// The statements that put the store of a service on Citus. Once they have run, none is left.
///
/// # Errors
/// When the database is no coordinator of Citus with workers, has no store, or Citus has a table otherwise.
pub async fn distribute(location: &Location, apply: bool) -> Result<Vec<String>, DbErr> {
    let Location::Postgres { url, schema } = location else {
        return Err(refused(
            "a store on SQLite cannot be distributed: its database must be PostgreSQL",
        ));
    };
    let server = connect_once(url).await?;
    check_nodes(&server).await?;
    let tx = server.begin().await?;
    // An instance that starts meanwhile waits.
    lock(&tx).await?;
    let tables = Table::read(&tx, schema).await?;
    if tables.is_empty() {
        let why = format!("there is no store at {location}: start the service on it once");
        return Err(refused(&why));
    }
    let statements = statements(&tables, &read_references(&tx, schema).await?)?;
    if apply {
        // The transaction has begun.
        for statement in BEGINNING[1..]
            .iter()
            .copied()
            .chain(statements.iter().map(String::as_str))
        {
            tx.execute_unprepared(statement).await?;
        }
        tx.commit().await?;
    } else {
        tx.rollback().await?;
    }
    server.close().await?;
    Ok(in_transaction(statements))
}

/// Fails if Citus has some tables of the store, but not all: a migration may have added tables since.
///
/// # Errors
/// The first table that Citus does not have.
pub(super) async fn check_distributed(
    connection: &impl ConnectionTrait,
    schema: &str,
) -> Result<(), DbErr> {
    if !has_citus(connection).await?.0 {
        return Ok(());
    }
    let tables = Table::read(connection, schema).await?;
    let (placed, others): (Vec<_>, Vec<_>) = tables.iter().partition(|table| table.is_placed());
    match others.first() {
        Some(table) if !placed.is_empty() => Err(refused(&format!(
            "the store is on Citus, but its table {} is not. Run licet database distribute --apply",
            table.name
        ))),
        Some(_) | None => Ok(()),
    }
}

fn refused(why: &str) -> DbErr {
    DbErr::Custom(why.to_owned())
}

/// Whether a database has Citus, and the database's name.
async fn has_citus(connection: &impl ConnectionTrait) -> Result<(bool, String), DbErr> {
    let row = connection.query_one_raw(query(HAS_CITUS)).await?;
    let row = row.ok_or_else(|| refused("the database does not say whether it has Citus"))?;
    Ok((row.try_get("", "has_citus")?, row.try_get("", "name")?))
}

async fn check_nodes(server: &impl ConnectionTrait) -> Result<(), DbErr> {
    let (has_citus, name) = has_citus(server).await?;
    if !has_citus {
        return Err(refused(&format!(
            "the database {name} has no Citus: install it on the coordinator and on every worker, and run CREATE \
             EXTENSION citus in their databases of this name"
        )));
    }
    let row = server.query_one_raw(query(NODES)).await?;
    let row = row.ok_or_else(|| refused("Citus names no nodes"))?;
    if !row.try_get::<bool>("", "is_coordinator")? {
        return Err(refused(
            "this is a worker of Citus: name the address of its coordinator",
        ));
    }
    if !row.try_get::<bool>("", "knows_itself")? {
        return Err(refused(
            "the workers do not know the coordinator: run SELECT citus_set_coordinator_host('HOST', PORT) there",
        ));
    }
    if !row.try_get::<bool>("", "has_workers")? {
        return Err(refused(
            "Citus has no worker: run SELECT citus_add_node('HOST', PORT) for each on the coordinator",
        ));
    }
    Ok(())
}

fn query(sql: &str) -> Statement {
    Statement::from_string(DbBackend::Postgres, sql)
}

#[derive(Debug)]
struct Table {
    /// With the schema, as a literal of SQL.
    name: String,
    is_of_accounts: bool,
    /// Where Citus has it, if it does.
    placement: Option<Placement>,
}

#[derive(Debug)]
struct Placement {
    /// Absent if each node that has the table has all of its rows.
    distribution_column: Option<String>,
    /// Tables of one group have the rows of an account on the same node.
    colocation_group: i32,
}

impl Table {
    async fn read(connection: &impl ConnectionTrait, schema: &str) -> Result<Vec<Self>, DbErr> {
        let has_citus = has_citus(connection).await?.0;
        let placements = if has_citus {
            include_str!("distribution/placements.sql")
        } else {
            "SELECT NULL::OID AS table_oid, NULL::TEXT AS distribution_column, NULL::INTEGER AS colocation_group"
        };
        let tables = TABLES.replace("{placements}", placements);
        let tables = Statement::from_sql_and_values(DbBackend::Postgres, tables, [schema.into()]);
        let rows = connection.query_all_raw(tables).await?;
        rows.iter()
            .map(|row| {
                let colocation_group: Option<i32> = row.try_get("", "colocation_group")?;
                let distribution_column = row.try_get("", "distribution_column")?;
                Ok(Self {
                    name: row.try_get("", "name")?,
                    is_of_accounts: row.try_get("", "is_of_accounts")?,
                    placement: colocation_group.map(|colocation_group| Placement {
                        distribution_column,
                        colocation_group,
                    }),
                })
            })
            .collect()
    }
}

impl Table {
    /// Whether the table is where the store needs it.
    fn is_placed(&self) -> bool {
        match &self.placement {
            Some(placement) => {
                let column = placement.distribution_column.as_deref();
                column == self.is_of_accounts.then_some("account_id")
            }
            None => false,
        }
    }
}

/// The tables of foreign keys, each with the one that it refers to.
async fn read_references(
    connection: &impl ConnectionTrait,
    schema: &str,
) -> Result<Vec<(String, String)>, DbErr> {
    let references =
        Statement::from_sql_and_values(DbBackend::Postgres, REFERENCES, [schema.into()]);
    let rows = connection.query_all_raw(references).await?;
    rows.iter()
        .map(|row| Ok((row.try_get("", "of_table")?, row.try_get("", "to_table")?)))
        .collect()
}

/// What is still to do, in order.
fn statements(tables: &[Table], references: &[(String, String)]) -> Result<Vec<String>, DbErr> {
    let misplaced = |table: &&Table| table.placement.is_some() && !table.is_placed();
    if let Some(Table {
        name,
        is_of_accounts,
        ..
    }) = tables.iter().find(misplaced)
    {
        let wanted = if *is_of_accounts {
            "by account"
        } else {
            "to one node"
        };
        return Err(refused(&format!(
            "Citus has the table {name}, but not {wanted}: run SELECT undistribute_table({name}) there first"
        )));
    }
    let (of_accounts, others): (Vec<_>, Vec<_>) =
        tables.iter().partition(|table| table.is_of_accounts);
    let groups = of_accounts
        .iter()
        .filter_map(|table| table.placement.as_ref());
    let groups: BTreeSet<_> = groups.map(|placement| placement.colocation_group).collect();
    if groups.len() > 1 {
        return Err(refused(
            "Citus has tables of accounts in different colocation groups",
        ));
    }
    let mut statements = distributing(&of_accounts, references)?;
    statements.extend(adding(&others, references));
    Ok(statements)
}

/// Distributes tables of accounts, each after those that it refers to.
fn distributing(tables: &[&Table], references: &[(String, String)]) -> Result<Vec<String>, DbErr> {
    let (placed, mut waiting): (Vec<&Table>, Vec<&Table>) =
        tables.iter().partition(|table| table.is_placed());
    let mut placed: Vec<_> = placed.iter().map(|table| table.name.as_str()).collect();
    let before = placed.len();
    let mut statements = Vec::new();
    while !waiting.is_empty() {
        let (ready, others): (Vec<&Table>, Vec<&Table>) = waiting.iter().partition(|table| {
            let mut own = references.iter().filter(|(of, _)| *of == table.name);
            own.all(|(_, to)| placed.contains(&to.as_str()))
        });
        if ready.is_empty() {
            let name = &others[0].name;
            let why = "refers to a table that cannot be distributed before it";
            return Err(refused(&format!("the table {name} {why}")));
        }
        for Table { name, .. } in ready {
            let group = placed.first().unwrap_or(&"'none'");
            statements.push(format!(
                "SELECT create_distributed_table({name}, 'account_id', colocate_with => {group});"
            ));
            placed.push(name);
        }
        waiting = others;
    }
    // The rows are on the workers then, and once more, hidden, on the coordinator.
    statements.extend(
        placed[before..]
            .iter()
            .map(|name| format!("SELECT truncate_local_data_after_distributing_table({name});")),
    );
    Ok(statements)
}

/// Makes the other tables known to Citus; those that foreign keys connect go together.
fn adding(tables: &[&Table], references: &[(String, String)]) -> Vec<String> {
    let waiting = tables.iter().filter(|table| !table.is_placed());
    let mut waiting: Vec<_> = waiting.map(|table| table.name.as_str()).collect();
    let mut statements = Vec::new();
    while let Some(first) = waiting.first() {
        statements.push(format!(
            "SELECT citus_add_local_table_to_metadata({first}, cascade_via_foreign_keys => true);"
        ));
        let mut connected = BTreeSet::from([*first]);
        loop {
            let before = connected.len();
            for (of, to) in references {
                if connected.contains(of.as_str()) || connected.contains(to.as_str()) {
                    connected.extend([of.as_str(), to.as_str()]);
                }
            }
            if connected.len() == before {
                break;
            }
        }
        waiting.retain(|name| !connected.contains(name));
    }
    statements
}

/// The statements as one transaction.
fn in_transaction(statements: Vec<String>) -> Vec<String> {
    if statements.is_empty() {
        return statements;
    }
    let first = BEGINNING.map(str::to_owned).into_iter();
    first
        .chain(statements)
        .chain(["COMMIT;".to_owned()])
        .collect()
}
