//! The floor on SQLite: the embedded suite's file settings, one transaction per request, no network.

use std::path::Path;

use licet_runtime::{
    database::{Database, Location, Migration, Tx, Work},
    fault::Fault,
};
use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};
use uuid::Uuid;

use crate::{drive::Operation, trouble::Trouble};

const TABLES: Migration = Migration {
    name: "floor_0001",
    sql: include_str!("../sql/floor_sqlite.sql"),
};

/// Opens a new file with one licence.
pub(crate) async fn open(file: &Path) -> Result<Database, Trouble> {
    Ok(Database::open(&Location::Sqlite(file.to_owned()), &[TABLES]).await?)
}

/// Reserves three new SANs, each time in one transaction.
pub(crate) struct Reserve(pub(crate) Database);

impl Operation for Reserve {
    async fn once(&mut self) -> Result<(), Trouble> {
        let id = Uuid::new_v4().simple().to_string();
        let done = self.0.transact(&Reservation { id }).await;
        done.map_err(|fault| Trouble(format!("{fault:?}")))
    }
}

struct Reservation {
    id: String,
}

impl Work for Reservation {
    type Output = ();

    async fn run(&self, tx: &Tx) -> Result<(), Fault> {
        let sans = ["a", "b", "c"].map(|letter| format!("{letter}{}.example.com", &self.id[..16]));
        let [a, b, c] = sans.map(Value::from);
        let id = Value::from(self.id.clone());
        let free = "SELECT quota - used - reserved FROM license WHERE id = 1";
        tx.query_one_raw(statement(free, [])).await?;
        let held = "SELECT san FROM hold WHERE license_id = 1 AND san IN (?, ?, ?)";
        let names = [a.clone(), b.clone(), c.clone()];
        tx.query_all_raw(statement(held, names.clone())).await?;
        let active = "SELECT san FROM certificate_san WHERE license_id = 1 AND san IN (?, ?, ?)";
        tx.query_all_raw(statement(active, names)).await?;
        let reserve = "INSERT INTO reservation VALUES (?, 1, 'GRANTED', 0)";
        tx.execute_raw(statement(reserve, [id.clone()])).await?;
        let hold = "INSERT INTO hold VALUES (1, ?, ?, 0), (1, ?, ?, 0), (1, ?, ?, 0)";
        let values = [a, id.clone(), b, id.clone(), c, id];
        tx.execute_raw(statement(hold, values)).await?;
        let count = "UPDATE license SET reserved = reserved + 3, version = version + 1 \
             WHERE id = 1 AND used + reserved + 3 <= quota";
        tx.execute_raw(statement(count, [])).await?;
        Ok(())
    }
}

fn statement<const N: usize>(sql: &str, values: [Value; N]) -> Statement {
    Statement::from_sql_and_values(DbBackend::Sqlite, sql, values)
}
