//! Numbers of a gapless series that a transaction takes with its last statement. PostgreSQL gets the COMMIT in
//! the same message, so that others wait for the row of the series for about as long as a commit takes. Such a
//! message has no parameters, so values are written as literals.

use sea_orm::{DbErr, Statement, Value, Values};
use serde::Serialize;
use uuid::Uuid;

/// A number of a gapless series, as the rows, seals and events of its transaction contain it. On PostgreSQL it is
/// a placeholder, which the last statement replaces by the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Number(i64);

impl Number {
    pub(super) fn known(number: i64) -> Self {
        Self(number)
    }

    /// A placeholder that no other text contains.
    fn draw() -> Self {
        const MASK: u64 = i64::MAX.unsigned_abs() >> 1;
        let (_, random) = Uuid::new_v4().as_u64_pair();
        Self(i64::MIN.saturating_add_unsigned(random & MASK))
    }

    /// The value of a column.
    #[must_use]
    pub fn column(self) -> i64 {
        self.0
    }
}

/// The name of the column that the statement which advances a series returns.
pub(super) const LAST_NUMBER: &str = "last_number";

/// What the last statement of a transaction takes and computes.
#[derive(Debug)]
pub(super) struct Numbering {
    /// Advances the series and returns its last number.
    advance: Statement,
    holes: Vec<Hole>,
}

/// A text that only the last statement knows.
#[derive(Debug)]
struct Hole {
    placeholder: String,
    /// Computes the text.
    sql: String,
}

impl Numbering {
    /// The next `count` numbers of the series that `advance` advances by as many.
    pub(super) fn new(advance: Statement, count: i64) -> (Self, Vec<Number>) {
        let numbers: Vec<_> = (0..count).map(|_| Number::draw()).collect();
        let holes = (1..).zip(&numbers).map(|(place, number): (i64, _)| Hole {
            placeholder: number.0.to_string(),
            sql: format!("(SELECT {LAST_NUMBER} - {} FROM numbers)", count - place),
        });
        let holes = holes.collect();
        (Self { advance, holes }, numbers)
    }

    /// A placeholder for the digest of a text that contains a placeholder; `None` if it contains none.
    pub(super) fn digest(&mut self, covered: &str) -> Option<String> {
        let is_in = |hole: &Hole| covered.contains(&hole.placeholder);
        if !self.holes.iter().any(is_in) {
            return None;
        }
        let sql = format!(
            "encode(sha256(convert_to({}, 'UTF8')), 'hex')",
            self.text(covered)
        );
        let placeholder = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        self.holes.push(Hole {
            placeholder: placeholder.clone(),
            sql,
        });
        Some(placeholder)
    }

    /// The message that takes the numbers, makes the changes and commits. The BEGIN behind it leaves the connection
    /// in a transaction, as the driver believes it to be.
    pub(super) fn message(&self, changes: &[Statement]) -> Result<String, DbErr> {
        let mut parts = vec![format!(
            "numbers AS ({})",
            self.with_literals(&self.advance.sql, self.advance.values.as_ref())?
        )];
        for (place, change) in changes.iter().enumerate() {
            let sql = selecting_its_rows(&change.sql);
            let change = self.with_literals(&sql, change.values.as_ref())?;
            parts.push(format!("change_{place} AS ({change})"));
        }
        Ok(format!(
            "WITH {} SELECT 1 WHERE FALSE; COMMIT; BEGIN",
            parts.join(", ")
        ))
    }

    /// A statement with its values as literals. sea-query writes no `$` but before the number of a parameter.
    fn with_literals(&self, sql: &str, values: Option<&Values>) -> Result<String, DbErr> {
        let values = values.map_or(&[] as &[_], |values| &values.0);
        let mut parts = sql.split('$');
        let mut sql = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let end = part.find(|next: char| !next.is_ascii_digit());
            let (number, rest) = part.split_at(end.unwrap_or(part.len()));
            let index = number.parse().ok().and_then(|at: usize| at.checked_sub(1));
            let value = index.and_then(|index| values.get(index)).ok_or_else(|| {
                DbErr::Custom(format!("a change has no value for its parameter {number}"))
            })?;
            sql += &self.literal(value)?;
            sql += rest;
        }
        Ok(sql)
    }

    fn literal(&self, value: &Value) -> Result<String, DbErr> {
        if let Value::String(text) = value {
            return Ok(match text {
                Some(text) => self.text(text),
                None => "NULL::text".to_owned(),
            });
        }
        if let Value::BigInt(number) = value {
            let Some(number) = number else {
                return Ok("NULL::bigint".to_owned());
            };
            let number = number.to_string();
            let hole = self.holes.iter().find(|hole| hole.placeholder == number);
            return Ok(hole.map_or_else(|| format!("'{number}'::bigint"), |hole| hole.sql.clone()));
        }
        if let Value::Int(number) = value {
            return Ok(match number {
                Some(number) => format!("'{number}'::integer"),
                None => "NULL::integer".to_owned(),
            });
        }
        if let Value::Bytes(bytes) = value {
            return Ok(match bytes {
                Some(bytes) => format!("decode('{}', 'hex')", hex::encode(bytes)),
                None => "NULL::bytea".to_owned(),
            });
        }
        Err(DbErr::Custom(format!(
            "a transaction's last statement cannot contain {value:?}"
        )))
    }

    /// Computes a text with the placeholders replaced.
    fn text(&self, text: &str) -> String {
        let mut parts = Vec::new();
        let mut rest = text;
        loop {
            let found = self.holes.iter().filter_map(|hole| {
                let (before, after) = rest.split_once(&hole.placeholder)?;
                Some((before, hole, after))
            });
            let Some((before, hole, after)) = found.min_by_key(|(before, ..)| before.len()) else {
                break;
            };
            parts.push(text_literal(before));
            parts.push(format!("{}::text", hole.sql));
            rest = after;
        }
        parts.push(text_literal(rest));
        format!("({})", parts.join(" || "))
    }
}

/// Makes an INSERT of VALUES, which contain parameters only, an INSERT of a SELECT: a distributed table accepts no
/// subqueries among VALUES. All literals have types.
fn selecting_its_rows(sql: &str) -> String {
    match sql.split_once(" VALUES ") {
        // More may follow the rows, such as ON CONFLICT.
        Some((into, rows)) if !rows.contains(|other: char| other.is_ascii_alphabetic()) => {
            format!("{into} SELECT * FROM (VALUES {rows}) AS made")
        }
        Some(_) | None => sql.to_owned(),
    }
}

/// A literal that nothing in the text can end, with any setting of the session. It contains no function: for a distributed
/// table, those that decode texts may not be in a CASE.
fn text_literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 10);
    literal += "E'";
    for each in text.chars() {
        if each == '\'' || each == '\\' || each.is_ascii_control() {
            literal += &format!("\\x{:02x}", u32::from(each));
        } else {
            literal.push(each);
        }
    }
    literal + "'::text"
}

#[cfg(test)]
mod tests {
    use sea_orm::DbBackend;

    use super::*;

    fn statement(sql: &str, values: Vec<Value>) -> Statement {
        Statement::from_sql_and_values(DbBackend::Postgres, sql, values)
    }

    #[test]
    fn placeholders_become_what_the_last_statement_computes() {
        let advance = statement("UPDATE series SET n = n + $1", vec![2_i64.into()]);
        let (mut numbering, numbers) = Numbering::new(advance, 2);
        let second = numbers[1].column();
        let digest = numbering.digest(&format!("[{second}]")).unwrap();
        assert_eq!(numbering.digest("[7]"), None);
        let change = statement(
            "INSERT INTO t VALUES ($1, $2, $3)",
            vec![second.into(), format!("a{digest}").into(), 7_i64.into()],
        );
        let number = "(SELECT last_number - 0 FROM numbers)";
        let open = "E'['::text";
        let close = "E']'::text";
        let covered = format!("({open} || {number}::text || {close})");
        let sha = format!("encode(sha256(convert_to({covered}, 'UTF8')), 'hex')");
        let a = "E'a'::text";
        let empty = "E''::text";
        let expected = format!(
            "WITH numbers AS (UPDATE series SET n = n + '2'::bigint), change_0 AS (INSERT INTO t \
             SELECT * FROM (VALUES ({number}, ({a} || {sha}::text || {empty}), '7'::bigint)) AS made) \
             SELECT 1 WHERE FALSE; COMMIT; BEGIN"
        );
        assert_eq!(numbering.message(&[change]).unwrap(), expected);
    }

    #[test]
    fn rows_with_numbers_are_selected() {
        for (sql, expected) in [
            (
                "INSERT INTO t (a) VALUES ($1), ($2)",
                "INSERT INTO t (a) SELECT * FROM (VALUES ($1), ($2)) AS made",
            ),
            (
                "INSERT INTO t (a) VALUES ($1) ON CONFLICT DO NOTHING",
                "INSERT INTO t (a) VALUES ($1) ON CONFLICT DO NOTHING",
            ),
            ("UPDATE t SET a = $1", "UPDATE t SET a = $1"),
        ] {
            assert_eq!(selecting_its_rows(sql), expected);
        }
    }

    #[test]
    fn no_text_ends_its_literal() {
        let advance = statement("SELECT $1", vec!["'; \\'é\n\u{1}7".into()]);
        let (numbering, _) = Numbering::new(advance, 0);
        let expected = "WITH numbers AS (SELECT (E'\\x27; \\x5c\\x27é\\x0a\\x017'::text)) SELECT 1 WHERE FALSE; \
                        COMMIT; BEGIN";
        assert_eq!(numbering.message(&[]).unwrap(), expected);
    }

    #[test]
    fn placeholders_differ() {
        let numbers: std::collections::BTreeSet<_> =
            (0..100).map(|_| Number::draw().column()).collect();
        assert_eq!(numbers.len(), 100);
        assert!(numbers.iter().all(|number| number.to_string().len() == 20));
    }
}
