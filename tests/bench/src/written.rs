//! What one real operation wrote, row by row and transaction by transaction, and the pgbench script
//! that writes the same rows again under new ids: the floor of whoever writes them for a living.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{cluster::one, trouble::Trouble};

type Row = Map<String, Value>;

/// The rows that an operation inserted, updated and deleted, in their order.
#[derive(Debug, Deserialize)]
pub(crate) struct Written {
    /// Primary keys by table.
    keys: HashMap<String, Vec<String>>,
    /// How many tables stand above one whose rows refer to theirs; none where it is absent.
    depths: HashMap<String, u32>,
    changes: Vec<Change>,
}

#[derive(Clone, Debug, Deserialize)]
struct Change {
    transaction: i64,
    /// `billing.invoice`.
    place: String,
    before: Option<Row>,
    after: Option<Row>,
}

/// Which transactions a script writes the rows in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Commits {
    /// In those that the services wrote them in.
    Theirs,
    /// All in one, as no services with stores of their own could.
    One,
}

/// A pgbench script and the variables in it.
#[derive(Clone, Debug)]
pub(crate) struct Rewrite {
    pub(crate) text: String,
    pub(crate) values: Vec<(String, String)>,
}

/// From now on, every row that is written in a database is noted.
pub(crate) async fn begin(server: &DatabaseConnection) -> Result<(), Trouble> {
    let sql = include_str!("../sql/record_changes.sql");
    server.execute_unprepared(sql).await?;
    Ok(())
}

/// What was noted; nothing more is.
pub(crate) async fn end(server: &DatabaseConnection) -> Result<Written, Trouble> {
    let text: String = one(server, include_str!("../sql/read_changes.sql")).await?;
    server
        .execute_unprepared("DROP SCHEMA bench CASCADE")
        .await?;
    Ok(serde_json::from_str(&text)?)
}

/// Numbers and accounts in a script have ten digits, which keeps ids in order and of one length.
pub(crate) const FIRST_NUMBER: u64 = 1_000_000_000;

/// The id that a script makes of `prefix` and the number that it calls `:number` or `:account`.
pub(crate) fn numbered_id(prefix: &str, number: u64) -> String {
    format!("{prefix}_{FILL}{number}")
}

/// The same as SQL.
pub(crate) fn id_by(prefix: &str, variable: &str) -> String {
    format!("'{prefix}_{FILL}' || :{variable}")
}

const FILL: &str = "0000000000000000";

impl Written {
    /// The script. `known` are ids that were there before, each with the SQL that takes its place;
    /// ids that the operation made are made anew from `:number`.
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

    /// Rows and transactions, for people.
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

/// Whose lock others wait for comes last: the account's row, then the gapless number with what bears it.
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
    /// SQL by the id that it takes the place of.
    ids: HashMap<String, String>,
    values: Vec<(String, String)>,
}

impl Writer<'_> {
    /// Each row once, as it is in the end; all new rows of a table in one statement.
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
        // What refers to a row comes after it, in whatever order one statement of ours wrote them.
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
        // The database numbers what waits to be moved.
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

    /// What differs of a row that was there, or its end.
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

    /// A new id like `text`, if that is one: by its end the number, by its beginning which of them.
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

    /// Any text; none with a colon may stand in a script.
    fn variable(&mut self, text: &str) -> String {
        // pgbench takes no empty value.
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

/// Copies one row under other values, a set at once; what a set does not name stays as it is.
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
