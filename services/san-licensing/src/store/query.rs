//! Statements with named values: `{licenses}` is a table of rows, `{licenses.version}` one of its columns,
//! `{now_us}` a value. No statement numbers its columns or parameters.

use std::fmt::{self, Display, Write};

use licet_runtime::fault::Fault;
use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};
use serde_json::json;

/// A statement's texts for PostgreSQL and for SQLite.
macro_rules! sql {
    ($name:literal) => {
        (
            include_str!(concat!("sql/postgres/", $name, ".sql")),
            include_str!(concat!("sql/sqlite/", $name, ".sql")),
        )
    };
}
pub(super) use sql;

/// The values of a column, one per row.
enum Cells {
    Text(Vec<String>),
    /// `None` is sent as an empty text.
    OptionalText(Vec<String>),
    Long(Vec<i64>),
    /// Sent as texts; `None` as an empty one.
    OptionalLong(Vec<String>),
    Bytes(Vec<Vec<u8>>),
}

impl Cells {
    fn array(self) -> Value {
        match self {
            Self::Text(values) | Self::OptionalText(values) | Self::OptionalLong(values) => {
                values.into()
            }
            Self::Long(values) => values.into(),
            Self::Bytes(values) => values.into(),
        }
    }

    /// The value of a row as JSON, bytes in hexadecimal.
    fn json(&self, row: usize) -> serde_json::Value {
        match self {
            Self::Text(values) | Self::OptionalText(values) | Self::OptionalLong(values) => {
                json!(values[row])
            }
            Self::Long(values) => json!(values[row]),
            Self::Bytes(values) => json!(hex::encode(&values[row])),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Text,
            Self::OptionalText(_) => Kind::OptionalText,
            Self::Long(_) => Kind::Long,
            Self::OptionalLong(_) => Kind::OptionalLong,
            Self::Bytes(_) => Kind::Bytes,
        }
    }
}

/// The type of a column.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    OptionalText,
    Long,
    OptionalLong,
    Bytes,
}

impl Kind {
    fn array_type(self) -> &'static str {
        match self {
            Self::Text | Self::OptionalText | Self::OptionalLong => "TEXT[]",
            Self::Long => "BIGINT[]",
            Self::Bytes => "BYTEA[]",
        }
    }

    fn is_optional(self) -> bool {
        match self {
            Self::OptionalText | Self::OptionalLong => true,
            Self::Text | Self::Long | Self::Bytes => false,
        }
    }

    /// Writes the expression that converts the sent value into the column's.
    fn write(self, text: &mut String, arriving: impl Display, backend: DbBackend) -> fmt::Result {
        match self {
            Self::OptionalText => write!(text, "NULLIF({arriving}, '')"),
            Self::OptionalLong => write!(text, "CAST(NULLIF({arriving}, '') AS BIGINT)"),
            Self::Bytes if backend == DbBackend::Sqlite => write!(text, "unhex({arriving})"),
            Self::Text | Self::Long | Self::Bytes => write!(text, "{arriving}"),
        }
    }
}

/// A table of rows, stored by column.
pub(super) struct Rows<'a, T> {
    items: &'a [T],
    columns: Vec<(&'static str, Cells)>,
}

impl<'a, T> Rows<'a, T> {
    /// One row per item, without columns yet.
    pub(super) fn of(items: &'a [T]) -> Self {
        Self {
            items,
            columns: Vec::new(),
        }
    }

    fn column(mut self, name: &'static str, cells: Cells) -> Self {
        self.columns.push((name, cells));
        self
    }

    pub(super) fn text<V: ToString>(self, name: &'static str, value: impl Fn(&'a T) -> V) -> Self {
        let cells = self.items.iter().map(|item| value(item).to_string());
        let cells = Cells::Text(cells.collect());
        self.column(name, cells)
    }

    /// As [`Self::text`], for owned texts.
    pub(super) fn string(self, name: &'static str, value: impl Fn(&'a T) -> String) -> Self {
        let cells = Cells::Text(self.items.iter().map(value).collect());
        self.column(name, cells)
    }

    pub(super) fn optional_text<V: ToString>(
        self,
        name: &'static str,
        value: impl Fn(&'a T) -> Option<V>,
    ) -> Self {
        let cells = Cells::OptionalText(self.optional(value));
        self.column(name, cells)
    }

    pub(super) fn long(self, name: &'static str, value: impl Fn(&'a T) -> i64) -> Self {
        let cells = Cells::Long(self.items.iter().map(value).collect());
        self.column(name, cells)
    }

    pub(super) fn optional_long(
        self,
        name: &'static str,
        value: impl Fn(&'a T) -> Option<i64>,
    ) -> Self {
        let cells = Cells::OptionalLong(self.optional(value));
        self.column(name, cells)
    }

    pub(super) fn bytes<V: Into<Vec<u8>>>(
        self,
        name: &'static str,
        value: impl Fn(&'a T) -> V,
    ) -> Self {
        let cells = self.items.iter().map(|item| value(item).into());
        let cells = Cells::Bytes(cells.collect());
        self.column(name, cells)
    }

    /// A column of numbers whose conversion may fail.
    pub(super) fn try_long(
        self,
        name: &'static str,
        value: impl Fn(&'a T) -> Result<i64, Fault>,
    ) -> Result<Self, Fault> {
        let cells = self.items.iter().map(value).collect::<Result<_, _>>()?;
        Ok(self.column(name, Cells::Long(cells)))
    }

    /// A column of optional texts whose conversion may fail.
    pub(super) fn try_optional_text(
        self,
        name: &'static str,
        value: impl Fn(&'a T) -> Result<Option<String>, Fault>,
    ) -> Result<Self, Fault> {
        let each = self.items.iter();
        let cells = each.map(|item| Ok::<_, Fault>(value(item)?.unwrap_or_default()));
        let cells = cells.collect::<Result<_, _>>()?;
        Ok(self.column(name, Cells::OptionalText(cells)))
    }

    fn optional<V: ToString>(&self, value: impl Fn(&'a T) -> Option<V>) -> Vec<String> {
        let each = self.items.iter();
        each.map(|item| value(item).map_or_else(String::new, |value| value.to_string()))
            .collect()
    }
}

/// What a name in a statement is bound to.
enum Binding {
    /// The parameter with this number.
    Value(usize),
    /// Columns of rows, from the parameter with this number on.
    Rows(usize, Vec<(&'static str, Kind)>),
    /// A part of the text itself.
    Part(&'static str),
}

/// A statement's values by name.
pub(super) struct Query {
    backend: DbBackend,
    bindings: Vec<(&'static str, Binding)>,
    values: Vec<Value>,
}

impl Query {
    /// A query without values, for the connection's database.
    pub(super) fn on(connection: &impl ConnectionTrait) -> Self {
        Self {
            backend: connection.get_database_backend(),
            bindings: Vec::new(),
            values: Vec::new(),
        }
    }

    /// Binds `{name}` to a value.
    pub(super) fn value(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        let binding = Binding::Value(self.values.len());
        self.bindings.push((name, binding));
        self
    }

    /// Binds `{name}` to a part of the text.
    pub(super) fn part(mut self, name: &'static str, text: &'static str) -> Self {
        self.bindings.push((name, Binding::Part(text)));
        self
    }

    /// Binds `{name}` to a table of rows, `{name.column}` to one of its columns, and `{name:columns}` to the
    /// names of all columns.
    pub(super) fn rows<T>(mut self, name: &'static str, rows: Rows<'_, T>) -> Self {
        let first = self.values.len() + 1;
        let columns = rows.columns.iter();
        let columns = columns.map(|(column, cells)| (*column, cells.kind()));
        self.bindings
            .push((name, Binding::Rows(first, columns.collect())));
        if self.backend == DbBackend::Postgres {
            let arrays = rows.columns.into_iter().map(|(_, cells)| cells.array());
            self.values.extend(arrays);
        } else {
            let each = (0..rows.items.len()).map(|row| {
                let cells = rows.columns.iter().map(|(_, cells)| cells.json(row));
                cells.collect::<serde_json::Value>()
            });
            let each: serde_json::Value = each.collect();
            self.values.push(each.to_string().into());
        }
        self
    }

    /// The statement with the text for the connection's database.
    ///
    /// # Errors
    /// As [`Self::statement`].
    pub(super) fn statement_of(self, (postgres, sqlite): (&str, &str)) -> Result<Statement, Fault> {
        let is_postgres = self.backend == DbBackend::Postgres;
        self.statement(if is_postgres { postgres } else { sqlite })
    }

    /// The statement with a text.
    ///
    /// # Errors
    /// The text contains an unbound name.
    pub(super) fn statement(self, text: &str) -> Result<Statement, Fault> {
        let mut written = String::with_capacity(text.len() * 2);
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            written.push_str(before);
            let unbound = || Fault::internal(format!("a statement has an unbound name: {after}"));
            let (name, after) = after.split_once('}').ok_or_else(unbound)?;
            self.write(&mut written, name).ok_or_else(unbound)?;
            rest = after;
        }
        written.push_str(rest);
        let values = self.values;
        Ok(Statement::from_sql_and_values(
            self.backend,
            written,
            values,
        ))
    }

    /// Writes what a name is bound to; `None` if it is unbound.
    fn write(&self, text: &mut String, name: &str) -> Option<()> {
        let (table, column) = match name.split_once(['.', ':']) {
            Some((table, column)) => (table, Some(column)),
            None => (name, None),
        };
        let (_, binding) = self.bindings.iter().find(|(bound, _)| *bound == table)?;
        match (binding, column) {
            (Binding::Value(number), None) => write!(text, "${number}").ok(),
            (Binding::Part(part), None) => {
                text.push_str(part);
                Some(())
            }
            (Binding::Rows(first, columns), None) => {
                self.write_rows(text, table, *first, columns).ok()
            }
            (Binding::Rows(_, columns), Some("columns")) => write_names(text, columns).ok(),
            (Binding::Rows(first, columns), Some(column)) => {
                let index = columns.iter().position(|(name, _)| *name == column)?;
                let (_, kind) = columns[index];
                if self.backend == DbBackend::Postgres {
                    return write!(text, "${}::{}", first + index, kind.array_type()).ok();
                }
                text.push_str("SELECT ");
                let arriving = format_args!("value ->> {index}");
                kind.write(text, arriving, self.backend).ok()?;
                write!(text, " FROM json_each(${first})").ok()
            }
            (Binding::Value(_) | Binding::Part(_), Some(_)) => None,
        }
    }

    fn write_rows(
        &self,
        text: &mut String,
        table: &str,
        first: usize,
        columns: &[(&'static str, Kind)],
    ) -> fmt::Result {
        let is_postgres = self.backend == DbBackend::Postgres;
        let is_plain = is_postgres && !columns.iter().any(|(_, kind)| kind.is_optional());
        if !is_plain {
            text.push_str("(SELECT ");
            for (index, (column, kind)) in columns.iter().enumerate() {
                text.push_str(if index > 0 { ", " } else { "" });
                if is_postgres {
                    kind.write(text, column, self.backend)?;
                } else {
                    kind.write(text, format_args!("value ->> {index}"), self.backend)?;
                }
                write!(text, " AS {column}")?;
            }
            text.push_str(" FROM ");
        }
        if is_postgres {
            text.push_str("unnest(");
            for (index, (_, kind)) in columns.iter().enumerate() {
                text.push_str(if index > 0 { ", " } else { "" });
                write!(text, "${}::{}", first + index, kind.array_type())?;
            }
            write!(text, ") AS {table}(")?;
            write_names(text, columns)?;
            text.push(')');
        } else {
            write!(text, "json_each(${first})")?;
        }
        if !is_plain {
            write!(text, ") AS {table}")?;
        }
        Ok(())
    }
}

fn write_names(text: &mut String, columns: &[(&'static str, Kind)]) -> fmt::Result {
    for (index, (column, _)) in columns.iter().enumerate() {
        text.push_str(if index > 0 { ", " } else { "" });
        text.push_str(column);
    }
    Ok(())
}

/// Inserts rows into the columns of the same names.
pub(super) async fn insert<T>(
    connection: &impl ConnectionTrait,
    table: &'static str,
    rows: Rows<'_, T>,
) -> Result<(), Fault> {
    let query = Query::on(connection).part("table", table);
    let query = query.rows("rows", rows);
    let text = "INSERT INTO {table} ({rows:columns}) SELECT {rows:columns} FROM {rows}";
    connection.execute_raw(query.statement(text)?).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(backend: DbBackend, text: &str) -> Result<String, Fault> {
        let items = [(1, None), (2, Some("b"))];
        let rows = Rows::of(&items)
            .long("number", |(number, _)| *number)
            .optional_text("word", |(_, word)| *word);
        let query = Query {
            backend,
            bindings: Vec::new(),
            values: Vec::new(),
        };
        let query = query.value("now_us", 7_i64).rows("given", rows);
        Ok(query.statement(text)?.sql)
    }

    #[test]
    fn names_become_parameters_of_either_database() {
        let wanted = "SELECT {given:columns} FROM {given} WHERE number = {now_us}";
        assert_eq!(
            text(DbBackend::Postgres, wanted).unwrap(),
            "SELECT number, word FROM (SELECT number AS number, NULLIF(word, '') AS word FROM \
             unnest($2::BIGINT[], $3::TEXT[]) AS given(number, word)) AS given WHERE number = $1"
        );
        assert_eq!(
            text(DbBackend::Sqlite, wanted).unwrap(),
            "SELECT number, word FROM (SELECT value ->> 0 AS number, NULLIF(value ->> 1, '') AS word \
             FROM json_each($2)) AS given WHERE number = $1"
        );
        let column = "ANY({given.number})";
        assert_eq!(
            text(DbBackend::Postgres, column).unwrap(),
            "ANY($2::BIGINT[])"
        );
        assert_eq!(
            text(DbBackend::Sqlite, column).unwrap(),
            "ANY(SELECT value ->> 0 FROM json_each($2))"
        );
    }

    #[test]
    fn a_name_that_nothing_is_bound_to_is_an_error() {
        for wrong in ["{giver}", "{given.letter}", "{now_us.number}", "{given"] {
            assert!(text(DbBackend::Postgres, wrong).is_err(), "{wrong}");
        }
    }
}
