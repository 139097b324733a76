//! Records what one operation wrote, by row and transaction, and makes the pgbench script that writes the
//! same rows again under new ids: the floor of the scenarios in `selling`.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{cluster::one, trouble::Trouble};

type Row = Map<String, Value>;

/// The rows that an operation inserted, updated and deleted, in order.
#[derive(Debug, Deserialize)]
pub(crate) struct Written {
    /// Primary keys by table.
    keys: HashMap<String, Vec<String>>,
    /// The length of a table's longest chain of references; 0 if absent.
    depths: HashMap<String, u32>,
    changes: Vec<Change>,
}

#[derive(Clone, Debug, Deserialize)]
struct Change {
    transaction: i64,
    /// Schema and table, `billing.invoice`.
    place: String,
    before: Option<Row>,
    after: Option<Row>,
}

/// The transactions in which a script writes the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Commits {
    /// As the services did.
    Theirs,
    /// All in one, which services with separate stores cannot do.
    One,
}

/// A pgbench script and its variables.
#[derive(Clone, Debug)]
pub(crate) struct Rewrite {
    pub(crate) text: String,
    pub(crate) values: Vec<(String, String)>,
}

/// Starts recording every row that is written in a database.
pub(crate) async fn begin(server: &DatabaseConnection) -> Result<(), Trouble> {
    let sql = include_str!("../sql/record_changes.sql");
    server.execute_unprepared(sql).await?;
    Ok(())
}

/// Stops recording and returns the rows.
pub(crate) async fn end(server: &DatabaseConnection) -> Result<Written, Trouble> {
    let text: String = one(server, include_str!("../sql/read_changes.sql")).await?;
    server
        .execute_unprepared("DROP SCHEMA bench CASCADE")
        .await?;
    Ok(serde_json::from_str(&text)?)
}

/// Numbers and accounts in a script have ten digits, so that ids sort and have one length.
pub(crate) const FIRST_NUMBER: u64 = 1_000_000_000;

/// The id with `prefix` and a number, as a script makes it from `:number` or `:account`.
pub(crate) fn numbered_id(prefix: &str, number: u64) -> String {
    format!("{prefix}_{FILL}{number}")
}

/// The same id as SQL.
pub(crate) fn id_by(prefix: &str, variable: &str) -> String {
    format!("'{prefix}_{FILL}' || :{variable}")
}

const FILL: &str = "0000000000000000";

impl Written {
    /// Makes the script. `known` are ids from before the operation, each with the SQL that replaces it; the
    /// operation's own ids are made from `:number`.
    pub(crate) fn rewrite(
        &self,
        known: &[(&str, String)],
        commits: Commits,
    ) -> Result<Rewrite, Trouble> {
        let mut transactions: Vec<(i64, Vec<Change>)> = Vec::new();
        for change in &self.changes {
            let number = match commits {
                Commits::Theirs => change.transaction,
                Commits::One => 0,
            };
            match transactions.last_mut() {
                Some((last, changes)) if *last == number => changes.push(change.clone()),
                _ => transactions.push((number, vec![change.clone()])),
            }
        }
        let mut writer = Writer {
            keys: &self.keys,
            depths: &self.depths,
            ids: known
                .iter()
                .map(|(id, sql)| ((*id).to_owned(), sql.clone()))
                .collect(),
            values: Vec::new(),
        };
        let mut text = String::new();
        for (_, changes) in &transactions {
            text += "BEGIN;\n";
            text += &writer.transaction(changes)?;
            text += "COMMIT;\n";
        }
        Ok(Rewrite {
            text,
            values: writer.values,
        })
    }

    /// The numbers of rows and transactions, as text.
    pub(crate) fn summary(&self) -> String {
        let mut counts = BTreeMap::new();
        let mut transactions = Vec::new();
        for change in &self.changes {
            *counts.entry(change.place.as_str()).or_insert(0_u32) += 1;
            transactions.push(change.transaction);
        }
        transactions.dedup();
        let counts: Vec<_> = counts
            .iter()
            .map(|(place, count)| format!("{place} {count}"))
            .collect();
        format!("{} transactions: {}", transactions.len(), counts.join(", "))
    }
}

/// Rows whose lock others wait for come last: the account's, then the number series and what it numbers.
fn lateness(place: &str) -> u8 {
    match place.split_once('.').map_or(place, |(_, table)| table) {
        "account" => 1,
        "number_series" => 2,
        "invoice" | "invoice_line" => 3,
        _ => 0,
    }
}

struct Writer<'a> {
    keys: &'a HashMap<String, Vec<String>>,
    depths: &'a HashMap<String, u32>,
    /// The SQL that replaces each id.
    ids: HashMap<String, String>,
    values: Vec<(String, String)>,
}

impl Writer<'_> {
    /// Writes each row once, in its last state; one statement has all new rows of a table.
    fn transaction(&mut self, changes: &[Change]) -> Result<String, Trouble> {
        let mut rows: Vec<(Vec<Value>, Change)> = Vec::new();
        for change in changes {
            let key = self.key(change)?;
            let known = rows
                .iter_mut()
                .find(|(other, row)| *other == key && row.place == change.place);
            match known {
                Some((_, row)) => row.after.clone_from(&change.after),
                None => rows.push((key, change.clone())),
            }
        }
        let mut places: Vec<(String, Vec<Change>)> = Vec::new();
        for (_, row) in rows {
            match places.iter_mut().find(|(place, _)| *place == row.place) {
                Some((_, rows)) => rows.push(row),
                None => places.push((row.place.clone(), vec![row])),
            }
        }
        // A row comes after those it refers to, whatever the order in which the service wrote them.
        places.sort_by_key(|(place, _)| (lateness(place), self.depths.get(place)));
        let mut text = String::new();
        for (place, rows) in &places {
            let (inserted, others): (Vec<_>, Vec<_>) =
                rows.iter().partition(|row| row.before.is_none());
            text += &self.insert(place, &inserted);
            for row in others {
                text += &self.change(place, row)?;
            }
        }
        Ok(text)
    }

    fn key(&self, change: &Change) -> Result<Vec<Value>, Trouble> {
        let row = change.before.as_ref().or(change.after.as_ref());
        let names = self.keys.get(&change.place);
        let (Some(row), Some(names)) = (row, names) else {
            return Err(Trouble(format!("{} has no primary key", change.place)));
        };
        let values = names.iter().map(|name| row.get(name).cloned());
        Ok(values.map(Option::unwrap_or_default).collect())
    }

    /// One statement for all new rows of a table.
    fn insert(&mut self, place: &str, rows: &[&Change]) -> String {
        let rows: Vec<_> = rows.iter().filter_map(|row| row.after.as_ref()).collect();
        let Some(first) = rows.first() else {
            return String::new();
        };
        // The database numbers the rows of an outbox.
        let is_outbox = place.ends_with(".outbox");
        let columns: Vec<_> = first
            .keys()
            .filter(|name| !(is_outbox && *name == "id"))
            .filter(|name| rows.iter().any(|row| !row[*name].is_null()))
            .collect();
        let mut tuples = Vec::new();
        for row in &rows {
            let values: Vec<_> = columns
                .iter()
                .map(|name| self.expression(place, name, &row[*name]))
                .collect();
            tuples.push(format!("({})", values.join(", ")));
        }
        let columns: Vec<_> = columns.iter().map(|name| format!("\"{name}\"")).collect();
        format!(
            "INSERT INTO {place} ({}) VALUES\n    {};\n",
            columns.join(", "),
            tuples.join(",\n    ")
        )
    }

    /// Updates a row's changed columns, or deletes the row.
    fn change(&mut self, place: &str, change: &Change) -> Result<String, Trouble> {
        let Some(before) = &change.before else {
            return Ok(String::new());
        };
        let mut of_row = Vec::new();
        for name in self.keys.get(place).into_iter().flatten() {
            of_row.push(format!(
                "\"{name}\" = {}",
                self.expression(place, name, &before[name])
            ));
        }
        let of_row = of_row.join(" AND ");
        let Some(after) = &change.after else {
            return Ok(format!("DELETE FROM {place} WHERE {of_row};\n"));
        };
        let mut set = Vec::new();
        for (name, value) in after {
            let old = &before[name];
            if old == value {
                continue;
            }
            set.push(match (old.as_i64(), value.as_i64()) {
                (Some(old), Some(new)) => format!("\"{name}\" = \"{name}\" + ({})", new - old),
                _ => format!("\"{name}\" = {}", self.expression(place, name, value)),
            });
        }
        let mut text = String::new();
        if !set.is_empty() {
            write!(text, "UPDATE {place} SET {} WHERE {of_row}", set.join(", "))?;
            text += if place.ends_with(".number_series") {
                " RETURNING last_number AS taken \\gset\n"
            } else {
                ";\n"
            };
        }
        Ok(text)
    }

    fn expression(&mut self, place: &str, column: &str, value: &Value) -> String {
        match value {
            Value::Null => "NULL".to_owned(),
            Value::Number(_) if place.ends_with(".invoice") && column == "number" => {
                ":taken".to_owned()
            }
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            Value::String(text) => self.text(text),
            Value::Array(_) | Value::Object(_) => self.variable(&value.to_string()),
        }
    }

    fn text(&mut self, text: &str) -> String {
        if let Some(sql) = self.ids.get(text) {
            return sql.clone();
        }
        let Some(made) = self.fresh(text) else {
            return self.variable(text);
        };
        self.ids.insert(text.to_owned(), made.clone());
        made
    }

    /// The SQL of a new id like `text`, if that is an id: its start tells which one, its end is the number.
    fn fresh(&self, text: &str) -> Option<String> {
        let which = self.ids.len();
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if let Some((prefix, rest)) = text.split_once('_')
            && (2..=5).contains(&prefix.len())
            && rest.len() == 26
            && plain(prefix)
            && plain(rest)
        {
            return Some(format!("'{prefix}_0{which:02}{}' || :number", &FILL[3..]));
        }
        let is_uuid = text.len() == 36
            && text.split('-').map(str::len).eq([8, 4, 4, 4, 12])
            && text.split('-').all(plain);
        is_uuid.then(|| format!("'00000000-0000-7000-8000-{which:02}' || :number"))
    }

    /// A variable for a text, because a script cannot contain one with a colon.
    fn variable(&mut self, text: &str) -> String {
        // pgbench permits no empty value.
        if text.is_empty() {
            return "''".to_owned();
        }
        if let Some((name, _)) = self.values.iter().find(|(_, value)| value == text) {
            return format!(":{name}");
        }
        let name = format!("v{}", self.values.len());
        self.values.push((name.clone(), text.to_owned()));
        format!(":{name}")
    }
}

/// Copies one row once for each set of values; other columns keep the model's values.
pub(crate) async fn copy(
    server: &DatabaseConnection,
    place: &str,
    model: (&str, &str),
    sets: &[Value],
) -> Result<(), Trouble> {
    const AT_ONCE: usize = 10_000;
    let (column, id) = model;
    let sql = format!(
        "INSERT INTO {place} SELECT made.* FROM {place} AS model \
         CROSS JOIN jsonb_array_elements($1::JSONB) AS given (value) \
         CROSS JOIN LATERAL jsonb_populate_record(model, given.value) AS made \
         WHERE model.{column} = $2"
    );
    for sets in sets.chunks(AT_ONCE) {
        let values = [serde_json::to_string(sets)?.into(), id.into()];
        let statement = Statement::from_sql_and_values(DbBackend::Postgres, &sql, values);
        server.execute_raw(statement).await?;
    }
    server
        .execute_unprepared(&format!("ANALYZE {place}"))
        .await?;
    Ok(())
}
