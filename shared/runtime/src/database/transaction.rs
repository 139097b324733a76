//! Batches writes whose result nobody reads. PostgreSQL gets them as one statement: one round trip, and no
//! BEGIN and COMMIT if it is the only statement of the transaction.

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

/// A transaction. It begins with its first statement. Every statement sees all earlier changes, batched
/// ones included.
#[derive(Debug)]
pub struct Tx {
    pool: DatabaseConnection,
    options: TransactionOptions,
    transaction: OnceCell<DatabaseTransaction>,
    batch: Mutex<Batch>,
    /// Whether a statement failed. Nothing may follow: SQLite may have rolled back and would commit each
    /// further change by itself, and PostgreSQL reports success for the COMMIT of a failed transaction.
    failed: AtomicBool,
    /// Digests by subject, for the event of the change.
    seals: Mutex<BTreeMap<String, String>>,
}

#[derive(Debug, Default)]
struct Batch {
    opening: Option<SubQueryStatement>,
    changes: Vec<Change>,
}

#[derive(Debug)]
struct Change {
    table: &'static str,
    statement: SubQueryStatement,
    /// Whether the transaction fails if this changes no row.
    must_change: bool,
}

/// The name of the opening change inside the first statement.
const OPENING: &str = "opening";

impl Tx {
    pub(super) fn new(pool: DatabaseConnection, options: TransactionOptions) -> Self {
        Self {
            pool,
            options,
            transaction: OnceCell::new(),
            batch: Mutex::default(),
            failed: AtomicBool::new(false),
            seals: Mutex::default(),
        }
    }

    /// Adds the seal of a written row to the transaction's next event.
    pub fn seal(&self, seal: Seal) {
        self.seals().insert(seal.subject, seal.digest);
    }

    /// Takes the seals that no event contains yet.
    pub(crate) fn take_seals(&self) -> BTreeMap<String, String> {
        std::mem::take(&mut *self.seals())
    }

    fn seals(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.seals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Batches a change of an entity's table. It is written before the transaction's next statement, or
    /// with its commit. For a change whose result nobody reads.
    ///
    /// # Errors
    /// When the database does not answer, or an earlier batched change fails.
    pub async fn later<E, Q>(&self, entity: E, change: Q) -> Result<(), DbErr>
    where
        E: EntityTrait,
        Q: QueryTrait,
        Q::QueryStatement: Into<SubQueryStatement>,
    {
        self.add_to_batch(Change {
            table: entity.table_name(),
            statement: change.into_query().into(),
            must_change: false,
        })
        .await
    }

    /// As [`Tx::later`], for an update of a row that must be unchanged since it was read. If it is not, the
    /// transaction fails as a lost race.
    ///
    /// # Errors
    /// As [`Tx::later`]; a lost race may show only at the commit.
    pub(crate) async fn later_if_unchanged<E: EntityTrait>(
        &self,
        entity: E,
        update: UpdateMany<E>,
    ) -> Result<(), DbErr> {
        // A failed condition must roll back the changes beside it, so this needs a real transaction.
        self.transaction().await?;
        self.add_to_batch(Change {
            table: entity.table_name(),
            statement: update.into_query().into(),
            must_change: true,
        })
        .await
    }

    async fn add_to_batch(&self, change: Change) -> Result<(), DbErr> {
        if self.pool.get_database_backend() != DbBackend::Postgres {
            self.write_batch().await?;
            let written = write(self.transaction().await?, change).await;
            return self.checked(written);
        }
        // Parts of one statement do not see each other and run in any order, so each table appears once.
        let same_table = |waiting: &Change| waiting.table == change.table;
        let is_repeated = self.lock_batch().changes.iter().any(same_table);
        if is_repeated {
            self.write_batch().await?;
        }
        self.lock_batch().changes.push(change);
        Ok(())
    }

    /// A connection for reads before the transaction begins.
    ///
    /// # Errors
    /// If the transaction has begun, because reads must then use it.
    pub fn before(&self) -> Result<&DatabaseConnection, Fault> {
        if self.transaction.initialized() {
            return Err(Fault::internal(
                "a read before a transaction that has already begun",
            ));
        }
        Ok(&self.pool)
    }

    /// Makes this change the transaction's first; on PostgreSQL it becomes a part of the first statement.
    /// Invariant: no other statement of the transaction touches its table before [`Tx::take_opening`].
    pub(crate) fn open_with(
        &self,
        change: impl QueryTrait<QueryStatement: Into<SubQueryStatement>>,
    ) {
        self.lock_batch().opening = Some(change.into_query().into());
    }

    /// Removes the opening change if no statement has run yet. Returns whether it did.
    pub(crate) fn take_opening(&self) -> bool {
        self.lock_batch().opening.take().is_some()
    }

    pub(super) async fn commit(self) -> Result<(), DbErr> {
        if self.transaction.initialized() {
            self.write_batch().await?;
        } else {
            return write_all(&self.pool, self.take_batch()).await;
        }
        match self.transaction.into_inner() {
            Some(transaction) => transaction.commit().await,
            None => Ok(()),
        }
    }

    pub(super) async fn rollback(self) -> Result<(), DbErr> {
        match self.transaction.into_inner() {
            Some(transaction) => transaction.rollback().await,
            None => Ok(()),
        }
    }

    async fn transaction(&self) -> Result<&DatabaseTransaction, DbErr> {
        if self.failed.load(Ordering::Relaxed) {
            return Err(DbErr::Custom(
                "an earlier statement of the transaction failed".to_owned(),
            ));
        }
        self.transaction.get_or_try_init(|| self.begin()).await
    }

    /// In its own task: if it were cancelled during BEGIN, the driver would not know of the transaction, and
    /// later changes on the connection would never be committed.
    async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        let (pool, options) = (self.pool.clone(), self.options);
        let begin = tokio::spawn(async move { pool.begin_with_options(options).await });
        begin
            .await
            .map_err(|error| DbErr::Custom(error.to_string()))?
    }

    /// Remembers a failure: no statement and no commit may follow it.
    fn checked<T>(&self, result: Result<T, DbErr>) -> Result<T, DbErr> {
        if result.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        result
    }

    fn lock_batch(&self) -> MutexGuard<'_, Batch> {
        self.batch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_batch(&self) -> Vec<Change> {
        let Batch { opening, changes } = std::mem::take(&mut *self.lock_batch());
        let opening = opening.map(|statement| Change {
            table: OPENING,
            statement,
            must_change: false,
        });
        opening.into_iter().chain(changes).collect()
    }

    async fn write_batch(&self) -> Result<(), DbErr> {
        let written = write_all(self.transaction().await?, self.take_batch()).await;
        self.checked(written)
    }

    /// Writes the batch, and returns the transaction and the statement to run in it: `statement`, with the
    /// opening change included if it is the first.
    async fn next(&self, statement: Statement) -> Result<(&DatabaseTransaction, Statement), DbErr> {
        if !self.lock_batch().changes.is_empty() {
            self.write_batch().await?;
        }
        let opening = self.lock_batch().opening.take();
        let transaction = self.transaction().await?;
        Ok(match opening {
            Some(opening) if statement.db_backend == DbBackend::Postgres => {
                (transaction, opened(opening, statement))
            }
            Some(opening) => {
                let opening = built(opening, statement.db_backend);
                let opened = transaction.execute_raw(opening).await;
                self.checked(opened)?;
                (transaction, statement)
            }
            None => (transaction, statement),
        })
    }
}

/// Writes changes of different tables as one statement. PostgreSQL checks references between their rows at
/// its end.
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
    // Selects a row for each conditional change that changed nothing.
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

/// Prepends the opening change to a statement; its parameters follow the statement's own.
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

/// Skips leading comments; SQL files begin with them.
fn without_comments(sql: &str) -> &str {
    let mut text = sql.trim_start();
    while let Some(comment) = text.strip_prefix("--") {
        let (_, rest) = comment.split_once('\n').unwrap_or_default();
        text = rest.trim_start();
    }
    text
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

#[async_trait::async_trait]
impl ConnectionTrait for Tx {
    fn get_database_backend(&self) -> DbBackend {
        self.pool.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let (transaction, statement) = self.next(statement).await?;
        let result = transaction.execute_raw(statement).await;
        self.checked(result)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.write_batch().await?;
        let result = self.transaction().await?.execute_unprepared(sql).await;
        self.checked(result)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let (transaction, statement) = self.next(statement).await?;
        let result = transaction.query_one_raw(statement).await;
        self.checked(result)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let (transaction, statement) = self.next(statement).await?;
        let result = transaction.query_all_raw(statement).await;
        self.checked(result)
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
            let (transaction, statement) = self.next(statement).await?;
            let result = transaction.stream_raw(statement).await;
            self.checked(result)
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
