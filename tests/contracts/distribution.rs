//! `licet database distribute` finds the tables in the catalogue and says what is missing. The catalogue of Citus and
//! its functions are replaced here; `tests/run citus` runs the services on Citus itself.

use std::collections::BTreeSet;

use licet_runtime::database::Location;
use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};

use crate::harness::{Backend, postgres::AREAS, process::database_command, run, world::Storage};

#[test]
fn stores_are_distributed_by_account_postgres() {
    run(every_table_is_placed());
}

#[test]
fn a_store_that_is_not_wholly_on_citus_is_refused_postgres() {
    run(new_tables_are_distributed());
}

#[test]
fn a_database_that_cannot_be_distributed_is_refused_postgres() {
    run(unsuitable_databases());
}

async fn distribute(location: &Location, more: &'static [&'static str]) -> Result<String, String> {
    database_command("distribute", location, more).await
}

/// The tables of a store that Citus has, as it has them.
async fn placed(location: &Location, method: &str) -> BTreeSet<String> {
    let Location::Postgres { url, schema } = location else {
        panic!("{location} is not on PostgreSQL");
    };
    let server = Database::connect(url.as_str()).await.unwrap();
    let query = format!(
        "SELECT relname::TEXT AS name FROM pg_class LEFT JOIN pg_dist_partition ON logicalrelid = pg_class.oid \
         WHERE relnamespace = '{schema}'::REGNAMESPACE AND relkind = 'r' \
         AND COALESCE(partmethod::TEXT, 'unplaced') = '{method}'"
    );
    let query = Statement::from_string(DbBackend::Postgres, query);
    let rows = server.query_all_raw(query).await.unwrap();
    server.close().await.unwrap();
    rows.iter()
        .map(|row| row.try_get("", "name").unwrap())
        .collect()
}

/// The tables that are not divided, as the tests on divided tables name them.
fn undivided() -> BTreeSet<String> {
    let (_, list) = include_str!("../harness/divide.sql")
        .split_once("ARRAY[")
        .unwrap();
    let (list, _) = list.split_once("];").unwrap();
    let names = list.lines().filter(|line| !line.trim().starts_with("--"));
    let names = names.flat_map(|line| line.split(','));
    let names = names.map(|name| name.trim().trim_matches('\''));
    names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

async fn every_table_is_placed() {
    let storage = Storage::create_with_stores().await;
    storage
        .administer(include_str!("../harness/citus.sql"))
        .await;
    for area in AREAS {
        let store = storage.location(area);
        let printed = distribute(&store, &[]).await.unwrap();
        assert!(printed.starts_with("BEGIN;\n"), "{printed}");
        assert!(printed.ends_with("COMMIT;\n"), "{printed}");
        // Printing changes nothing.
        assert_eq!(placed(&store, "h").await, BTreeSet::new());
        assert_eq!(distribute(&store, &["--apply"]).await.unwrap(), printed);
        let none = "-- Nothing is left to do.\n";
        for options in [&[] as &[_], &["--apply"]] {
            assert_eq!(distribute(&store, options).await.unwrap(), none);
        }

        assert_eq!(placed(&store, "unplaced").await, BTreeSet::new());
        let (divided, local) = (placed(&store, "h").await, placed(&store, "n").await);
        let undivided = undivided();
        assert!(divided.contains("operation"), "{divided:?}");
        assert!(local.contains("replay"), "{local:?}");
        assert_eq!(divided.intersection(&undivided).next(), None);
        assert_eq!(local.difference(&undivided).next(), None);
    }
}

async fn new_tables_are_distributed() {
    let storage = Storage::create_with_stores().await;
    storage
        .administer(include_str!("../harness/citus.sql"))
        .await;
    let store = storage.location("billing");
    let start = async || {
        let deps = licet_billing::Deps {
            location: store.clone(),
            seller: None,
        };
        let built = licet_billing::build(deps).await;
        built.map(|_| ()).map_err(|fault| fault.to_string())
    };
    // A store of which Citus has nothing works as on any other PostgreSQL.
    start().await.unwrap();
    distribute(&store, &["--apply"]).await.unwrap();
    start().await.unwrap();

    let grown = "CREATE TABLE billing.grown (account_id TEXT, grown_id TEXT, PRIMARY KEY (account_id, grown_id)); \
                 ALTER TABLE billing.grown OWNER TO billing";
    storage.administer(grown).await;
    let why = start().await.unwrap_err();
    assert!(why.contains("'billing.grown'"), "{why}");
    assert!(why.contains("licet database distribute --apply"), "{why}");
    let printed = distribute(&store, &["--apply"]).await.unwrap();
    let added: Vec<_> = printed
        .lines()
        .filter(|line| line.contains("SELECT"))
        .collect();
    assert_eq!(
        added,
        [
            "SELECT create_distributed_table('billing.grown', 'account_id', colocate_with => 'billing.account');",
            "SELECT truncate_local_data_after_distributing_table('billing.grown');",
        ]
    );
    start().await.unwrap();
}

async fn unsuitable_databases() {
    let refused = async |location: &Location, expected: &str| {
        for options in [&[] as &[_], &["--apply"]] {
            let why = distribute(location, options).await.unwrap_err();
            assert!(why.contains(expected), "{why}");
        }
    };
    let on_sqlite = Storage::create(Backend::Sqlite).await;
    let expected = "its database must be PostgreSQL";
    refused(&on_sqlite.location("billing"), expected).await;

    let storage = Storage::create_with_stores().await;
    let store = storage.location("billing");
    refused(&store, "has no Citus").await;
    storage
        .administer(include_str!("../harness/citus.sql"))
        .await;
    distribute(&store, &[]).await.unwrap();
    for (change, back, expected) in [
        (
            "UPDATE pg_dist_local_group SET groupid = 1",
            "UPDATE pg_dist_local_group SET groupid = 0",
            "this is a worker of Citus",
        ),
        (
            "DELETE FROM pg_dist_node WHERE groupid = 0",
            "INSERT INTO pg_dist_node VALUES (0, TRUE, FALSE)",
            "the workers do not know the coordinator",
        ),
        (
            "UPDATE pg_dist_node SET isactive = FALSE",
            "UPDATE pg_dist_node SET isactive = TRUE",
            "Citus has no worker",
        ),
        (
            "ALTER SCHEMA billing RENAME TO renamed",
            "ALTER SCHEMA renamed RENAME TO billing",
            "there is no store at",
        ),
        (
            "INSERT INTO pg_dist_partition VALUES ('billing.quote', 'h', 'quote_id', 1)",
            "DELETE FROM pg_dist_partition",
            "the table 'billing.quote', but not by account",
        ),
        (
            "INSERT INTO pg_dist_partition VALUES ('billing.seal', 'h', 'subject', 1)",
            "DELETE FROM pg_dist_partition",
            "the table 'billing.seal', but not",
        ),
        (
            "INSERT INTO pg_dist_partition VALUES ('billing.quote', 'h', 'account_id', 1), \
             ('billing.account', 'h', 'account_id', 2)",
            "DELETE FROM pg_dist_partition",
            "different colocation groups",
        ),
    ] {
        storage.administer(change).await;
        refused(&store, expected).await;
        storage.administer(back).await;
    }
    distribute(&store, &[]).await.unwrap();
}
