//! Bytes that an order, an authorisation and a certificate leave in each table with its indexes, on both databases.

use std::{collections::BTreeMap, time::Duration};

use licet_runtime::database::Location;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement,
};

use crate::{
    cluster::Cluster,
    commerce::Commerce,
    drive::Operation,
    operation::AuthorizeAndRecord,
    service::{SCHEMA, Service},
    trouble::Trouble,
};

/// Bytes by store and table.
type Sizes = BTreeMap<(&'static str, String), i64>;

const STORES: [&str; 3] = ["billing", "orders", SCHEMA];

/// Measures `count` of each, and prints the tables that grow.
pub(crate) async fn run(cluster: &Cluster, count: u32) -> Result<(), Trouble> {
    let place = cluster.create("size").await?;
    let postgres = grow(|store| cluster.location(&place, store), count).await?;
    let folder = tempfile::tempdir()?;
    let file = |store: &str| Location::Sqlite(folder.path().join(format!("{store}.db")));
    let sqlite = grow(file, count).await?;
    println!("| each of {count} | store | table | PostgreSQL | SQLite |\n|---|---|---|---:|---:|");
    for ((what, grown), (_, other)) in postgres.iter().zip(&sqlite) {
        let mut sums = [0, 0];
        for (key, bytes) in grown {
            let also = other.get(key).copied().unwrap_or_default();
            let (store, table) = key;
            sums = [sums[0] + bytes, sums[1] + also];
            if *bytes > 0 || also > 0 {
                println!("| {what} | {store} | `{table}` | {bytes} | {also} |");
            }
        }
        println!("| {what} | | all | {} | {} |", sums[0], sums[1]);
    }
    Ok(())
}

/// What each piece of work leaves behind, in bytes a time.
async fn grow(
    location: impl Fn(&str) -> Location,
    count: u32,
) -> Result<Vec<(&'static str, Sizes)>, Trouble> {
    let mut grown = Vec::new();
    let commerce = Commerce::whole_at(&location).await?;
    // The first of them fill pages that are there already.
    for _ in 0..count / 4 {
        commerce.place_order().await?;
    }
    let before = sizes(&location).await?;
    for _ in 0..count {
        commerce.place_order().await?;
    }
    grown.push(("order", each(&before, &sizes(&location).await?, count)));
    commerce.stop().await;

    let service = Service::start(location("billing"), location(SCHEMA)).await?;
    let license = [service.license().await?];
    let mut authorizing = service.authorizing(&license, 2);
    let (Some(recording), Some(mut reserving)) = (authorizing.pop(), authorizing.pop()) else {
        return Err(Trouble("two streams were asked for".to_owned()));
    };
    let mut recording = AuthorizeAndRecord(recording);
    let before = sizes(&location).await?;
    for _ in 0..count {
        reserving.once().await?;
    }
    let between = sizes(&location).await?;
    grown.push(("authorisation of 3 SANs", each(&before, &between, count)));
    for _ in 0..count {
        recording.once().await?;
    }
    let after = sizes(&location).await?;
    let what = "authorisation and certificate with 3 SANs";
    grown.push((what, each(&between, &after, count)));
    service.stop().await;
    Ok(grown)
}

fn each(before: &Sizes, after: &Sizes, count: u32) -> Sizes {
    let grown = after.iter().map(|(key, bytes)| {
        let earlier = before.get(key).copied().unwrap_or_default();
        (key.clone(), (bytes - earlier) / i64::from(count))
    });
    grown.collect()
}

/// The sizes of all tables, once every event has its position.
async fn sizes(location: &impl Fn(&str) -> Location) -> Result<Sizes, Trouble> {
    let mut found = Sizes::new();
    for store in STORES {
        let server = connect(&location(store)).await?;
        while number(&server, "SELECT COUNT(*) FROM outbox").await? > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let query = if server.get_database_backend() == DbBackend::Postgres {
            "SELECT relname::text AS name, pg_total_relation_size(oid)::BIGINT AS bytes FROM pg_class \
             WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
        } else {
            "SELECT COALESCE(tbl_name, dbstat.name) AS name, SUM(pgsize) AS bytes FROM dbstat \
             LEFT JOIN sqlite_master ON sqlite_master.name = dbstat.name GROUP BY 1"
        };
        let query = Statement::from_string(server.get_database_backend(), query);
        for row in server.query_all_raw(query).await? {
            let (name, bytes): (String, i64) =
                (row.try_get("", "name")?, row.try_get("", "bytes")?);
            // Events stay in the outbox for a moment only.
            if name != "outbox" {
                found.insert((store, name), bytes);
            }
        }
        server.close().await?;
    }
    Ok(found)
}

async fn number(server: &DatabaseConnection, query: &str) -> Result<i64, Trouble> {
    let query = Statement::from_string(server.get_database_backend(), query);
    let row = server.query_one_raw(query).await?;
    let row = row.ok_or_else(|| Trouble("a count has no row".to_owned()))?;
    Ok(row.try_get_by_index(0)?)
}

async fn connect(location: &Location) -> Result<DatabaseConnection, Trouble> {
    let mut options = match location {
        Location::Sqlite(path) => ConnectOptions::new(format!("sqlite:{}?mode=ro", path.display())),
        Location::Postgres { url, .. } => ConnectOptions::new(url),
    };
    options.max_connections(1).sqlx_logging(false);
    if let Location::Postgres { schema, .. } = location {
        let schema = schema.clone();
        options.map_sqlx_postgres_opts(move |postgres| {
            postgres.options([("search_path", schema.as_str())])
        });
    }
    Ok(Database::connect(options).await?)
}
