//! A transaction that goes to the database no more often than it has to: changes whose answers nobody
//! needs gather in it, and are written together. On PostgreSQL that is one statement, one way to the
//! database and back; where it is the only one it needs no BEGIN and no COMMIT around it.

use std::{
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
};

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, EntityTrait,
    ExecResult, QueryResult, QueryTrait, Statement, StreamTrait, TransactionOptions,
    TransactionStream, TransactionTrait, Values,
    sea_query::{CommonTableExpression, Expr, Query, SubQueryStatement, WithClause, WithQuery},
};
use sea_orm_migration::async_trait;
use tokio::sync::OnceCell;

/// A transaction. It begins with the first statement that it needs; whatever is asked of it sees all
/// that was changed in it before.
#[derive(Debug)]
pub struct Tx {
    pool: DatabaseConnection,
    options: TransactionOptions,
    begun: OnceCell<DatabaseTransaction>,
    waiting: Mutex<Waiting>,
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
        }
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
        let table = entity.table_name();
        let statement = change.into_query().into();
        if self.pool.get_database_backend() != DbBackend::Postgres {
            return execute_change(self.begun().await?, statement).await;
        }
        // The parts of one statement do not see each other, and may come in any order.
        let meets = self.waiting().changes.iter().any(|it| it.table == table);
        if meets {
            self.write_waiting().await?;
        }
        self.waiting().changes.push(Change { table, statement });
        Ok(())
    }

    /// Makes this change a part of the transaction's first statement, whatever that is. Invariant:
    /// nothing else in the transaction is about its table, until [`Tx::take_opening`].
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
        } else if let Some(all) = self.take_waiting() {
            return execute_change(&self.pool, all).await;
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
        let begin = || self.pool.begin_with_options(self.options);
        self.begun.get_or_try_init(begin).await
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that waits, as one statement. References between the rows are looked at after all of them.
    fn take_waiting(&self) -> Option<SubQueryStatement> {
        let Waiting { opening, changes } = std::mem::take(&mut *self.waiting());
        let changes = changes.into_iter().map(|Change { table, statement }| {
            let name = format!("changed_{table}");
            (name, statement)
        });
        let opening = opening.map(|statement| (OPENING.to_owned(), statement));
        let mut all: Vec<_> = opening.into_iter().chain(changes).collect();
        match all.pop() {
            Some((_, only)) if all.is_empty() => Some(only),
            Some(last) => {
                all.push(last);
                Some(together(all).into())
            }
            None => None,
        }
    }

    async fn write_waiting(&self) -> Result<(), DbErr> {
        match self.take_waiting() {
            Some(all) => execute_change(self.begun().await?, all).await,
            None => Ok(()),
        }
    }

    /// The transaction for a statement that comes after what waits, and the statement, with the opening
    /// in it where it is the first.
    async fn next(&self, statement: Statement) -> Result<(&DatabaseTransaction, Statement), DbErr> {
        if !self.waiting().changes.is_empty() {
            self.write_waiting().await?;
        }
        let opening = self.waiting().opening.take();
        let statement = match opening {
            Some(opening) => opened(opening, statement),
            None => statement,
        };
        Ok((self.begun().await?, statement))
    }
}

fn together(changes: Vec<(String, SubQueryStatement)>) -> WithQuery {
    let mut parts = WithClause::new();
    for (name, change) in changes {
        let part = CommonTableExpression::new()
            .query(change)
            .table_name(name)
            .to_owned();
        parts.cte(part);
    }
    parts.query(Query::select().expr(Expr::val(1)).to_owned())
}

async fn execute_change(
    connection: &impl ConnectionTrait,
    change: SubQueryStatement,
) -> Result<(), DbErr> {
    let statement = built(change, connection.get_database_backend());
    connection.execute_raw(statement).await.map(drop)
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
        begun.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.write_waiting().await?;
        self.begun().await?.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let (begun, statement) = self.next(statement).await?;
        begun.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let (begun, statement) = self.next(statement).await?;
        begun.query_all_raw(statement).await
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
            begun.stream_raw(statement).await
        })
    }
}
