//! A transaction that goes to the database no more often than it has to: changes whose answers nobody
//! needs gather in it, and are written together. On PostgreSQL that is one statement, one way to the
//! database and back; where it is the only one it needs no BEGIN and no COMMIT around it.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, EntityTrait,
    ExecResult, QueryResult, QueryTrait, Statement, StreamTrait, TransactionOptions,
    TransactionStream, TransactionTrait, UpdateMany, Values,
    sea_query::{CommonTableExpression, Expr, Query, SubQueryStatement, UnionType, WithClause},
};
use sea_orm_migration::async_trait;
use tokio::sync::OnceCell;

use crate::{fault::Fault, seal::Seal};

/// A transaction. It begins with the first statement that it needs; whatever is asked of it sees all
/// that was changed in it before.
#[derive(Debug)]
pub struct Tx {
    pool: DatabaseConnection,
    options: TransactionOptions,
    begun: OnceCell<DatabaseTransaction>,
    waiting: Mutex<Waiting>,
    /// Whether a statement failed. SQLite may have rolled all back by then, and would make each further
    /// change a transaction of its own; PostgreSQL answers COMMIT as if it had committed.
    failed: AtomicBool,
    /// By subject, for the event that tells of the change.
    seals: Mutex<BTreeMap<String, String>>,
}

#[derive(Debug, Default)]
struct Waiting {
    opening: Option<SubQueryStatement>,
    changes: Vec<Change>,
}

#[derive(Debug)]
struct Change {
    table: &'static str,
    statement: SubQueryStatement,
    /// Whether all of it is given up where this changes no row.
    must_change: bool,
}

/// The name under which the opening is a part of the first statement.
const OPENING: &str = "opening";

impl Tx {
    pub(super) fn new(pool: DatabaseConnection, options: TransactionOptions) -> Self {
        Self {
            pool,
            options,
            begun: OnceCell::new(),
            waiting: Mutex::default(),
            failed: AtomicBool::new(false),
            seals: Mutex::default(),
        }
    }

    /// Has the transaction's next event say the seal of a row that is written in it.
    pub fn seal(&self, seal: Seal) {
        self.seals().insert(seal.subject, seal.digest);
    }

    /// The seals that no event says yet.
    pub(crate) fn take_seals(&self) -> BTreeMap<String, String> {
        std::mem::take(&mut *self.seals())
    }

    fn seals(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.seals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes rows of an entity's table, at the latest with the transaction's next other statement
    /// or its end: for a change that is sure to be made, whose answer nobody needs.
    ///
    /// # Errors
    /// When the database does not answer, or refuses what gathered before.
    pub async fn later<E, Q>(&self, entity: E, change: Q) -> Result<(), DbErr>
    where
        E: EntityTrait,
        Q: QueryTrait,
        Q::QueryStatement: Into<SubQueryStatement>,
    {
        self.gather(Change {
            table: entity.table_name(),
            statement: change.into_query().into(),
            must_change: false,
        })
        .await
    }

    /// As [`Tx::later`], for a row that must still be as it was read: where it is not, the transaction
    /// is given up as a lost race.
    ///
    /// # Errors
    /// As [`Tx::later`]; a lost race may be seen only at the end.
    pub(crate) async fn later_if_unchanged<E: EntityTrait>(
        &self,
        entity: E,
        update: UpdateMany<E>,
    ) -> Result<(), DbErr> {
        // Or nothing of what is written with it could be taken back.
        self.begun().await?;
        self.gather(Change {
            table: entity.table_name(),
            statement: update.into_query().into(),
            must_change: true,
        })
        .await
    }

    async fn gather(&self, change: Change) -> Result<(), DbErr> {
        if self.pool.get_database_backend() != DbBackend::Postgres {
            self.write_waiting().await?;
            let written = write(self.begun().await?, change).await;
            return self.noted(written);
        }
        // The parts of one statement do not see each other, and may come in any order.
        let meets = |waiting: &Change| waiting.table == change.table;
        let is_known = self.waiting().changes.iter().any(meets);
        if is_known {
            self.write_waiting().await?;
        }
        self.waiting().changes.push(change);
        Ok(())
    }

    /// For reads that may be as of before the transaction, which they do not begin.
    ///
    /// # Errors
    /// When it has begun: then they belong into it.
    pub fn before(&self) -> Result<&DatabaseConnection, Fault> {
        if self.begun.initialized() {
            return Err(Fault::internal(
                "a read from before a transaction that has begun",
            ));
        }
        Ok(&self.pool)
    }

    /// Makes this change the transaction's first, whatever comes next: on PostgreSQL a part of the
    /// first statement. Invariant: nothing else in the transaction is about its table, until
    /// [`Tx::take_opening`].
    pub(crate) fn open_with(
        &self,
        change: impl QueryTrait<QueryStatement: Into<SubQueryStatement>>,
    ) {
        self.waiting().opening = Some(change.into_query().into());
    }

    /// Takes the opening back where there was no first statement yet. Answers whether it did.
    pub(crate) fn take_opening(&self) -> bool {
        self.waiting().opening.take().is_some()
    }

    pub(super) async fn commit(self) -> Result<(), DbErr> {
        if self.begun.initialized() {
            self.write_waiting().await?;
        } else {
            return write_all(&self.pool, self.take_waiting()).await;
        }
        match self.begun.into_inner() {
            Some(begun) => begun.commit().await,
            None => Ok(()),
        }
    }

    pub(super) async fn rollback(self) -> Result<(), DbErr> {
        match self.begun.into_inner() {
            Some(begun) => begun.rollback().await,
            None => Ok(()),
        }
    }

    async fn begun(&self) -> Result<&DatabaseTransaction, DbErr> {
        if self.failed.load(Ordering::Relaxed) {
            return Err(DbErr::Custom(
                "a statement of the transaction failed before".to_owned(),
            ));
        }
        self.begun.get_or_try_init(|| self.begin()).await
    }

    /// In a task of its own: cut off between BEGIN and its answer, the driver would take the connection
    /// for one without a transaction, and what others change on it would wait for a COMMIT.
    async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        let (pool, options) = (self.pool.clone(), self.options);
        let begin = tokio::spawn(async move { pool.begin_with_options(options).await });
        begin
            .await
            .map_err(|error| DbErr::Custom(error.to_string()))?
    }

    /// After a statement that failed there is no other, and no commit.
    fn noted<T>(&self, answer: Result<T, DbErr>) -> Result<T, DbErr> {
        if answer.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        answer
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_waiting(&self) -> Vec<Change> {
        let Waiting { opening, changes } = std::mem::take(&mut *self.waiting());
        let opening = opening.map(|statement| Change {
            table: OPENING,
            statement,
            must_change: false,
        });
        opening.into_iter().chain(changes).collect()
    }

    async fn write_waiting(&self) -> Result<(), DbErr> {
        let written = write_all(self.begun().await?, self.take_waiting()).await;
        self.noted(written)
    }

    /// The transaction for a statement that comes after what waits, and the statement, with the opening
    /// in it where it is the first.
    async fn next(&self, statement: Statement) -> Result<(&DatabaseTransaction, Statement), DbErr> {
        if !self.waiting().changes.is_empty() {
            self.write_waiting().await?;
        }
        let opening = self.waiting().opening.take();
        let begun = self.begun().await?;
        Ok(match opening {
            Some(opening) if statement.db_backend == DbBackend::Postgres => {
                (begun, opened(opening, statement))
            }
            Some(opening) => {
                let opening = built(opening, statement.db_backend);
                let opened = begun.execute_raw(opening).await;
                self.noted(opened)?;
                (begun, statement)
            }
            None => (begun, statement),
        })
    }
}

/// Writes changes of different tables, several as one statement. References between their rows are
/// looked at after all of them.
async fn write_all(
    connection: &impl ConnectionTrait,
    mut changes: Vec<Change>,
) -> Result<(), DbErr> {
    if changes.len() < 2 {
        return match changes.pop() {
            Some(only) => write(connection, only).await,
            None => Ok(()),
        };
    }
    let mut parts = WithClause::new();
    // A row for each change that must be made and is not.
    let mut unmade = Query::select();
    unmade.expr(Expr::val(1)).cond_where(Expr::val(false));
    for Change {
        table,
        mut statement,
        must_change,
    } in changes
    {
        let name = format!("changed_{table}");
        if let (true, SubQueryStatement::UpdateStatement(update)) = (must_change, &mut statement) {
            update.returning(Query::returning().expr(Expr::val(1)));
            let made = Query::select()
                .expr(Expr::val(1))
                .from(name.clone())
                .to_owned();
            let missing = Expr::not_exists(made);
            let row = Query::select()
                .expr(Expr::val(1))
                .cond_where(missing)
                .to_owned();
            unmade.union(UnionType::All, row);
        }
        let part = CommonTableExpression::new()
            .query(statement)
            .table_name(name)
            .to_owned();
        parts.cte(part);
    }
    match connection.query_one(&parts.query(unmade)).await? {
        Some(_) => Err(DbErr::RecordNotUpdated),
        None => Ok(()),
    }
}

async fn write(connection: &impl ConnectionTrait, change: Change) -> Result<(), DbErr> {
    let statement = built(change.statement, connection.get_database_backend());
    let changed = connection.execute_raw(statement).await?.rows_affected();
    if change.must_change && changed == 0 {
        return Err(DbErr::RecordNotUpdated);
    }
    Ok(())
}

fn built(change: SubQueryStatement, backend: DbBackend) -> Statement {
    match change {
        SubQueryStatement::InsertStatement(insert) => backend.build(&insert),
        SubQueryStatement::UpdateStatement(update) => backend.build(&update),
        SubQueryStatement::DeleteStatement(delete) => backend.build(&delete),
        SubQueryStatement::WithStatement(with) => backend.build(&with),
        SubQueryStatement::SelectStatement(select) => backend.build(&select),
    }
}

/// The statement with one more part before it, whose parameters come after its own.
fn opened(opening: SubQueryStatement, statement: Statement) -> Statement {
    let opening = built(opening, statement.db_backend);
    let mut values = statement.values.map_or(Vec::new(), |values| values.0);
    let part = renumbered(&opening.sql, values.len());
    values.extend(opening.values.map_or(Vec::new(), |values| values.0));
    let text = without_comments(&statement.sql);
    let sql = if let Some(rest) = text.strip_prefix("WITH RECURSIVE ") {
        format!("WITH RECURSIVE {OPENING} AS ({part}), {rest}")
    } else if let Some(rest) = text.strip_prefix("WITH ") {
        format!("WITH {OPENING} AS ({part}), {rest}")
    } else {
        format!("WITH {OPENING} AS ({part}) {text}")
    };
    Statement {
        sql,
        values: Some(Values(values)),
        ..statement
    }
}

/// A statement of a file may begin with what it is about.
fn without_comments(sql: &str) -> &str {
    let mut text = sql.trim_start();
    while let Some(comment) = text.strip_prefix("--") {
        let (_, rest) = comment.split_once('\n').unwrap_or_default();
        text = rest.trim_start();
    }
    text
}

/// `$1` as the first parameter after `before` others; no other `$` is in what sea-query writes.
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

#[async_trait::async_trait]
impl ConnectionTrait for Tx {
    fn get_database_backend(&self) -> DbBackend {
        self.pool.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let (begun, statement) = self.next(statement).await?;
        let answer = begun.execute_raw(statement).await;
        self.noted(answer)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.write_waiting().await?;
        let answer = self.begun().await?.execute_unprepared(sql).await;
        self.noted(answer)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let (begun, statement) = self.next(statement).await?;
        let answer = begun.query_one_raw(statement).await;
        self.noted(answer)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let (begun, statement) = self.next(statement).await?;
        let answer = begun.query_all_raw(statement).await;
        self.noted(answer)
    }
}

impl StreamTrait for Tx {
    type Stream<'a> = TransactionStream<'a>;

    fn get_database_backend(&self) -> DbBackend {
        self.pool.get_database_backend()
    }

    fn stream_raw<'a>(
        &'a self,
        statement: Statement,
    ) -> Pin<Box<dyn Future<Output = Result<Self::Stream<'a>, DbErr>> + Send + 'a>> {
        Box::pin(async move {
            let (begun, statement) = self.next(statement).await?;
            let answer = begun.stream_raw(statement).await;
            self.noted(answer)
        })
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::sea_query::Alias;

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
    fn the_opening_is_a_part_of_whatever_statement_comes_first() {
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
    fn parameters_are_numbered_anew() {
        assert_eq!(renumbered("($1, $12)", 10), "($11, $22)");
        assert_eq!(renumbered("$1", 0), "$1");
        assert_eq!(renumbered("NULL", 3), "NULL");
    }
}
