//! Makes the first change of a transaction a part of its first statement.

use sea_orm::{DbBackend, Statement, Values, sea_query::SubQueryStatement};

/// The name of the opening change inside the first statement.
pub(super) const OPENING: &str = "opening";

/// The statement in the dialect of the database.
pub(super) fn built(change: SubQueryStatement, backend: DbBackend) -> Statement {
    match change {
        SubQueryStatement::InsertStatement(insert) => backend.build(&insert),
        SubQueryStatement::UpdateStatement(update) => backend.build(&update),
        SubQueryStatement::DeleteStatement(delete) => backend.build(&delete),
        SubQueryStatement::WithStatement(with) => backend.build(&with),
        SubQueryStatement::SelectStatement(select) => backend.build(&select),
    }
}

/// Prepends the opening change to a statement; its parameters follow the statement's own.
pub(super) fn opened(opening: SubQueryStatement, statement: Statement) -> Statement {
    let opening = built(opening, statement.db_backend);
    let mut values = statement.values.map_or(Vec::new(), |values| values.0);
    let part = renumbered(&opening.sql, values.len());
    values.extend(opening.values.map_or(Vec::new(), |values| values.0));
    let (mark, text) = split_mark(without_comments(&statement.sql));
    let sql = if let Some(rest) = text.strip_prefix("WITH RECURSIVE ") {
        format!("{mark}WITH RECURSIVE {OPENING} AS ({part}), {rest}")
    } else if let Some(rest) = text.strip_prefix("WITH ") {
        format!("{mark}WITH {OPENING} AS ({part}), {rest}")
    } else {
        format!("{mark}WITH {OPENING} AS ({part}) {text}")
    };
    Statement {
        sql,
        values: Some(Values(values)),
        ..statement
    }
}

/// Skips leading comments; SQL files begin with them.
fn without_comments(sql: &str) -> &str {
    let mut text = sql.trim_start();
    while let Some(comment) = text.strip_prefix("--") {
        let (_, rest) = comment.split_once('\n').unwrap_or_default();
        text = rest.trim_start();
    }
    text
}

/// Splits a leading mark, such as that of a read of all accounts, from the text: it stays in front.
fn split_mark(text: &str) -> (&str, &str) {
    let end = text.strip_prefix("/*").and_then(|rest| rest.find("*/ "));
    text.split_at(end.map_or(0, |end| end + "/**/ ".len()))
}

/// Shifts parameter numbers by `before`. sea-query writes no `$` elsewhere.
fn renumbered(sql: &str, before: usize) -> String {
    let mut parts = sql.split('$');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|next: char| !next.is_ascii_digit());
        let (number, rest) = part.split_at(end.unwrap_or(part.len()));
        let number = number
            .parse()
            .map_or(before, |number: usize| number + before);
        text += &format!("${number}{rest}");
    }
    text
}

#[cfg(test)]
mod tests {
    use sea_orm::sea_query::{Alias, Query};

    use super::*;

    fn opening() -> SubQueryStatement {
        let insert = Query::insert()
            .into_table(Alias::new("record"))
            .columns([Alias::new("id"), Alias::new("word")])
            .values_panic([1.into(), "once".into()])
            .to_owned();
        insert.into()
    }

    #[test]
    fn the_opening_is_part_of_the_first_statement() {
        const PART: &str = "opening AS (INSERT INTO \"record\" (\"id\", \"word\") VALUES";
        for (first, expected) in [
            (
                "SELECT a FROM b WHERE c = $1 AND d = $2 FOR UPDATE",
                format!("WITH {PART} ($3, $4)) SELECT a FROM b WHERE c = $1 AND d = $2 FOR UPDATE"),
            ),
            (
                "-- What it is for,\n-- in two lines.\nWITH e AS (SELECT $1 + $2) SELECT * FROM e",
                format!("WITH {PART} ($3, $4)), e AS (SELECT $1 + $2) SELECT * FROM e"),
            ),
            (
                "/* all accounts: a page */ SELECT $1, $2",
                format!("/* all accounts: a page */ WITH {PART} ($3, $4)) SELECT $1, $2"),
            ),
            (
                "WITH RECURSIVE e (n) AS (SELECT $1) SELECT $2 FROM e",
                format!("WITH RECURSIVE {PART} ($3, $4)), e (n) AS (SELECT $1) SELECT $2 FROM e"),
            ),
        ] {
            let values = [5.into(), 6.into()];
            let first = Statement::from_sql_and_values(DbBackend::Postgres, first, values);
            let statement = opened(opening(), first);
            assert_eq!(statement.sql, expected);
            let values = statement.values.unwrap().0;
            assert_eq!(values, [5.into(), 6.into(), 1.into(), "once".into()]);
        }
    }

    #[test]
    fn parameters_are_renumbered() {
        assert_eq!(renumbered("($1, $12)", 10), "($11, $22)");
        assert_eq!(renumbered("$1", 0), "$1");
        assert_eq!(renumbered("NULL", 3), "NULL");
    }
}
