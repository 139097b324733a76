//! Every statement of the services names the accounts whose rows it reads or changes, so that an engine that
//! divides the tables by account asks only the nodes that have them. `tests/run` notes the statements of a whole
//! run; this test plans them on divided tables.

use std::collections::{BTreeMap, BTreeSet};

use licet_runtime::database::Location;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement,
};
use serde::Deserialize;
use serde_json::Value;

use crate::harness::{run, world::Storage};

/// Names the file with the statements of a whole run, which `tests/run` makes.
const SEEN: &str = "LICET_TEST_SEEN_STATEMENTS";
/// Begins a statement that may read the rows of all accounts; the reason follows.
const ALL_ACCOUNTS: &str = "/* all accounts: ";

/// A statement that a service has sent.
#[derive(Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    /// The service's schema.
    area: String,
    sql: String,
}

#[test]
fn statements_name_their_accounts() {
    let Some(file) = std::env::var_os(SEEN) else {
        return;
    };
    let notes = std::fs::read_to_string(file).unwrap();
    let seen: BTreeSet<Seen> = notes
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    run(check(seen));
}

async fn check(seen: BTreeSet<Seen>) {
    let storage = Storage::create_divided().await;
    let mut connections = BTreeMap::new();
    let mut wrong = Vec::new();
    let (mut planned, mut permitted) = (0, 0);
    for Seen { area, sql } in seen {
        if !reads_or_changes_rows(&sql) {
            continue;
        }
        if !connections.contains_key(&area) {
            let connection = connect(&storage.location(&area)).await;
            connections.insert(area.clone(), connection);
        }
        let is_marked = sql.starts_with(ALL_ACCOUNTS);
        let plan = match plan(&connections[&area], &sql).await {
            Ok(plan) => plan,
            // Statements that verify a store contain literals. They are noted as parameters of unknown type, so such a statement may fail to plan.
            Err(_) if is_marked && is_plain_read(&sql) => {
                permitted += 1;
                continue;
            }
            Err(why) => {
                wrong.push(format!("{area}: {sql}\n    cannot be planned: {why}"));
                continue;
            }
        };
        planned += 1;
        let mut found = Reads::default();
        found.note(&plan);
        if found.without_account.is_empty() {
            continue;
        }
        if is_marked && found.changes.is_empty() {
            permitted += 1;
        } else {
            wrong.push(format!("{area}: {sql}\n    {found:?}"));
        }
    }
    println!("{planned} statements planned; {permitted} of them may read all accounts");
    assert!(planned > 0, "no statement was noted");
    assert!(
        wrong.is_empty(),
        "{} statements do not name the account of their rows:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

fn words(sql: &str) -> Vec<String> {
    let text = match (sql.starts_with("/*"), sql.split_once("*/")) {
        (true, Some((_, rest))) => rest,
        _ => sql,
    };
    let words = text.split(|it: char| !it.is_ascii_alphanumeric() && it != '_');
    words
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_uppercase)
        .collect()
}

fn reads_or_changes_rows(sql: &str) -> bool {
    let words = words(sql);
    let first = words.first().map(String::as_str);
    matches!(
        first,
        Some("SELECT" | "INSERT" | "UPDATE" | "DELETE" | "WITH")
    ) && !words
        .iter()
        .any(|word| word.starts_with("PG_") || word == "INFORMATION_SCHEMA")
}

/// Whether a statement neither changes nor locks a row.
fn is_plain_read(sql: &str) -> bool {
    let words = words(sql);
    !words.windows(2).any(|pair| {
        let lock = ["UPDATE", "SHARE", "NO", "KEY"];
        pair[0] == "FOR" && lock.contains(&pair[1].as_str())
    }) && !words
        .iter()
        .any(|word| ["INSERT", "UPDATE", "DELETE"].contains(&word.as_str()))
}

async fn connect(location: &Location) -> DatabaseConnection {
    let Location::Postgres { url, schema } = location else {
        panic!("{location} is not on PostgreSQL");
    };
    let mut options = ConnectOptions::new(url.clone());
    options.max_connections(1).sqlx_logging(false);
    let connection = Database::connect(options).await.unwrap();
    // A join asks for the rows of each account that it has at hand, rather than for all.
    let settings = format!(
        "SET search_path = {schema}; SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; \
         SET enable_hashjoin = off; SET enable_mergejoin = off"
    );
    connection.execute_unprepared(&settings).await.unwrap();
    connection
}

/// The plan for parameters that are not known.
async fn plan(connection: &DatabaseConnection, sql: &str) -> Result<Value, String> {
    let highest = (1..100)
        .rev()
        .find(|number| {
            let parameter = format!("${number}");
            sql.match_indices(&parameter).any(|(at, _)| {
                let next = sql[at + parameter.len()..].chars().next();
                !next.is_some_and(|next| next.is_ascii_digit())
            })
        })
        .unwrap_or(0);
    let values = match highest {
        0 => String::new(),
        count => format!("({})", vec!["NULL"; count].join(", ")),
    };
    let prepare = format!("PREPARE planned AS {sql}");
    let prepared = connection.execute_unprepared(&prepare).await;
    prepared.map_err(|error| error.to_string())?;
    let explain = format!("EXPLAIN (FORMAT JSON) EXECUTE planned{values}");
    let explain = Statement::from_string(DbBackend::Postgres, explain);
    let row = connection.query_one_raw(explain).await;
    connection
        .execute_unprepared("DEALLOCATE planned")
        .await
        .unwrap();
    let row = row.map_err(|error| error.to_string())?.unwrap();
    row.try_get_by_index(0).map_err(|error| error.to_string())
}

/// What a plan does to divided tables.
#[derive(Debug, Default)]
struct Reads {
    /// Those whose parts it reads without naming the account.
    without_account: BTreeSet<String>,
    /// Those whose rows it changes or locks.
    changes: BTreeSet<String>,
}

/// The name of each part of a divided table has this between the table's name and a number.
const PART: &str = "_part_";

impl Reads {
    fn note(&mut self, plan: &Value) {
        let node = match plan {
            Value::Array(nodes) => return nodes.iter().for_each(|node| self.note(node)),
            Value::Object(node) => node,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return,
        };
        node.values().for_each(|value| self.note(value));
        let text = |key: &str| node.get(key).and_then(Value::as_str).unwrap_or_default();
        let kind = text("Node Type");
        let table = text("Relation Name").split_once(PART).map(|(it, _)| it);
        if kind == "LockRows" {
            self.changes.insert("locked rows".to_owned());
        }
        let Some(table) = table else { return };
        if kind == "ModifyTable" {
            self.changes.insert(table.to_owned());
        } else if kind.ends_with("Scan") {
            let mut conditions = ["Index Cond", "Recheck Cond", "Filter"]
                .into_iter()
                .map(text);
            if !conditions.any(|condition| condition.contains("account_id = ")) {
                self.without_account.insert(table.to_owned());
            }
        }
    }
}
