//! Only a command that is told to make a store makes one; `licet serve` and the embedded suite refuse to
//! start without theirs.

use std::process::{Command, Stdio};

use licet_runtime::database::{Database, Migration};
use sea_orm::{ConnectionTrait as _, Statement};

use crate::harness::{
    Backend, eventually, free_port, on_both_databases,
    process::{SuiteProcess, database_option, licet},
    run,
    world::Storage,
};

on_both_databases![a_service_makes_a_store_only_where_it_is_told_to];

async fn a_service_makes_a_store_only_where_it_is_told_to(backend: Backend) {
    let storage = Storage::create(backend).await;
    let location = storage.location("billing");
    let database = database_option(&location);
    let listen = format!("127.0.0.1:{}", free_port());
    let start = [
        "serve",
        "billing",
        "--database",
        &database,
        "--listen",
        &listen,
    ];
    let output = licet(&start);
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(&location.to_string()), "{said}");
    assert!(said.contains("--create (LICET_CREATE=true)"), "{said}");
    assert!(!Database::exists(&location).await.unwrap());

    for create in [&["--create"][..], &[]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_licet-process"))
            .args(start)
            .args(create)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        eventually("the port accepts connections", || async {
            tokio::net::TcpStream::connect(&listen).await.ok()
        })
        .await;
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(Database::exists(&location).await.unwrap());
    }
}

#[test]
fn no_command_prints_the_password_of_a_database() {
    let commands: [&[&str]; 3] = [
        &["serve", "billing"],
        &[
            "accept-peer-store",
            "billing=0198c0de-0000-7000-8000-000000000000",
        ],
        &["verify"],
    ];
    let urls = [
        // Without a schema, and with signs that a URL must not have.
        "postgres://u:hush@one:5432,two/db",
        "postgres://u:hush#@one,two/db#s",
        "postgres://u:hush/@one,two/db#s",
        "postgres://u:a@hush@one:port,two/db#s",
        "postgres://u:hush@one/db?target_session_attrs=standby#s",
        "u:hush@one",
    ];
    for command in commands {
        let mut help = Command::new(env!("CARGO_BIN_EXE_licet-process"));
        help.args(command).arg("--help");
        for variable in ["LICET_DATABASE", "LICET_BILLING_DATABASE"] {
            help.env(variable, "postgres://u:hush@one,two/db#s");
        }
        let mut outputs = vec![(help.output().unwrap(), true)];
        let option = if command[0] == "verify" {
            "--billing-database"
        } else {
            "--database"
        };
        for url in urls {
            outputs.push((licet(&[command, &[option, url]].concat()), false));
        }
        for (output, succeeds) in outputs {
            assert_eq!(output.status.success(), succeeds, "{output:?}");
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8(said).unwrap();
            assert!(!said.contains("hush"), "{said}");
            assert!(said.contains(option), "{said}");
        }
    }
}

#[test]
fn the_embedded_suite_misses_a_store_that_is_gone() {
    run(async {
        let mut suite = SuiteProcess::start().await;
        for name in ["orders", "billing", "san-licensing"] {
            suite.kill();
            let store = suite.data().join(format!("{name}.db"));
            let away = suite.folder().join("away");
            std::fs::rename(&store, &away).unwrap();
            let said = suite.fail_to_start();
            assert!(
                said.contains(&format!("sqlite:{}", store.display())),
                "{said}"
            );
            assert!(said.contains("restore it"), "{said}");
            assert!(!store.exists(), "the store was made");
            std::fs::rename(&away, &store).unwrap();
            suite.start_again().await;
        }
    });
}

#[test]
fn a_first_start_that_was_cut_off_is_made_again() {
    run(async {
        let mut suite = SuiteProcess::start().await;
        suite.kill();
        // The state after a power cut between the first store and the last.
        std::fs::remove_file(suite.data().join("orders.db")).unwrap();
        std::fs::write(suite.data().join("first-start"), "").unwrap();
        suite.start_again().await;
        let marker = suite.data().join("first-start");
        eventually("the first start is over", || async {
            (!marker.exists()).then_some(())
        })
        .await;
    });
}

/// Migrating a large table may take longer than any other statement.
#[test]
fn a_migration_runs_without_the_timeout_of_statements() {
    run(async {
        let storage = Storage::create(Backend::Postgres).await;
        let migration = Migration {
            name: "seen",
            sql: "CREATE TABLE seen AS SELECT current_setting('statement_timeout') AS setting;\n",
        };
        let location = storage.location("billing");
        let database = Database::open(&location, &[migration]).await.unwrap();
        let read = async |query: &str| -> String {
            let query = Statement::from_string(database.backend(), query);
            let row = database.write_alone().query_one_raw(query).await.unwrap();
            row.unwrap().try_get("", "setting").unwrap()
        };
        assert_eq!(read("SELECT setting FROM seen").await, "0");
        let usual = read("SELECT current_setting('statement_timeout') AS setting").await;
        assert_ne!(usual, "0");
    });
}
