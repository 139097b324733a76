//! Many rows as the parameters of one statement: an array a column on PostgreSQL, one JSON text of
//! rows on SQLite, where column `$n` is element `n - 1` of a row.

use sea_orm::{DbBackend, Value};
use serde_json::json;

/// The values of a column, a row each.
pub(super) enum Cells {
    Text(Vec<String>),
    Long(Vec<i64>),
    Bytes(Vec<Vec<u8>>),
}

impl Cells {
    /// Texts; one that is absent is empty, and the statement makes it NULL.
    pub(super) fn text<T: ToString>(values: impl Iterator<Item = T>) -> Self {
        Self::Text(values.map(|value| value.to_string()).collect())
    }

    /// Whole numbers.
    pub(super) fn long(values: impl Iterator<Item = i64>) -> Self {
        Self::Long(values.collect())
    }

    /// Bytes; hexadecimal in SQLite's JSON.
    pub(super) fn bytes<T: Into<Vec<u8>>>(values: impl Iterator<Item = T>) -> Self {
        Self::Bytes(values.map(Into::into).collect())
    }

    fn array(self) -> Value {
        match self {
            Self::Text(values) => values.into(),
            Self::Long(values) => values.into(),
            Self::Bytes(values) => values.into(),
        }
    }

    fn json(&self, row: usize) -> serde_json::Value {
        match self {
            Self::Text(values) => json!(values[row]),
            Self::Long(values) => json!(values[row]),
            Self::Bytes(values) => json!(hex::encode(&values[row])),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Text(values) => values.len(),
            Self::Long(values) => values.len(),
            Self::Bytes(values) => values.len(),
        }
    }
}

/// The parameters that carry the rows. Invariant: all columns have the same length.
pub(super) fn parameters(backend: DbBackend, columns: Vec<Cells>) -> Vec<Value> {
    debug_assert!(
        columns
            .windows(2)
            .all(|pair| pair[0].len() == pair[1].len())
    );
    if backend == DbBackend::Postgres {
        return columns.into_iter().map(Cells::array).collect();
    }
    let count = columns.first().map_or(0, Cells::len);
    let rows: Vec<serde_json::Value> = (0..count)
        .map(|row| columns.iter().map(|column| column.json(row)).collect())
        .collect();
    vec![json!(rows).to_string().into()]
}
