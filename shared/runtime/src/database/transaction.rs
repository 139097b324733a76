//! Batches writes whose result nobody reads. PostgreSQL gets them as one statement: one round trip, and no
//! BEGIN and COMMIT if it is the only statement of the transaction.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use sea_orm::{
    AccessMode, ConnectionTrait, DbBackend, DbErr, EntityTrait, ExecResult, IsolationLevel,
    QueryResult, QueryTrait, SqliteTransactionMode, Statement, StreamTrait, TransactionOptions,
    UpdateMany,
    sea_query::{
        CommonTableExpression, Expr, InsertStatement, Query, SubQueryStatement, UnionType,
        WithClause,
    },
};
use sea_orm_migration::async_trait;
use tokio::sync::OnceCell;

use super::{
    connection::{Connection, Rows, Transaction},
    numbering::{LAST_NUMBER, Number, Numbering},
    opening::{OPENING, built, opened},
};
use crate::{fault::Fault, seal::Seal};

/// A transaction. It begins with its first statement. Every statement sees all earlier changes, batched
/// ones included.
#[derive(Debug)]
pub struct Tx {
    connection: Connection,
    options: TransactionOptions,
    transaction: OnceCell<Transaction>,
    batch: Mutex<Batch>,
    /// Why a statement failed. Nothing may follow: SQLite may have rolled back and would commit each
    /// further change by itself, and PostgreSQL reports success for the COMMIT of a failed transaction.
    failure: OnceLock<DbErr>,
    /// Digests by subject, for the event of the change.
    seals: Mutex<BTreeMap<String, String>>,
}

#[derive(Debug, Default)]
struct Batch {
    opening: Option<SubQueryStatement>,
    changes: Vec<Change>,
    /// The numbers that the last statement takes; only on PostgreSQL.
    numbering: Option<Numbering>,
    /// The changes that need those numbers, each of another table.
    last: Vec<Change>,
}

#[derive(Debug)]
struct Change {
    table: &'static str,
    statement: SubQueryStatement,
    /// Whether the transaction fails if this changes no row.
    must_change: bool,
}

/// The options of a write transaction.
pub(super) fn writing() -> TransactionOptions {
    TransactionOptions {
        isolation_level: None,
        access_mode: None,
        // The default takes the write lock midway, and then fails instead of waiting.
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
    }
}

/// The options of a read-only transaction, whose reads see one snapshot.
pub(super) fn reading(backend: DbBackend) -> TransactionOptions {
    // On SQLite every transaction reads one snapshot.
    let (isolation_level, access_mode) = if backend == DbBackend::Postgres {
        (
            Some(IsolationLevel::RepeatableRead),
            Some(AccessMode::ReadOnly),
        )
    } else {
        (None, None)
    };
    TransactionOptions {
        isolation_level,
        access_mode,
        sqlite_transaction_mode: None,
    }
}

impl Tx {
    pub(super) fn new(connection: Connection, options: TransactionOptions) -> Self {
        Self {
            connection,
            options,
            transaction: OnceCell::new(),
            batch: Mutex::default(),
            failure: OnceLock::new(),
            seals: Mutex::default(),
        }
    }

    /// Adds the seal of a written row to the transaction's next event.
    pub fn seal(&self, seal: Seal) {
        let placeholder = match &mut self.lock_batch().numbering {
            Some(numbering) => numbering.digest(&seal.covered),
            None => None,
        };
        let digest = placeholder.unwrap_or_else(|| seal.digest());
        self.seals().insert(seal.subject, digest);
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

    /// Takes the next `count` numbers of a gapless series, in order; once in a transaction. `advance` adds `count`
    /// to the row of the series and returns its new `last_number`.
    ///
    /// On PostgreSQL the last statement runs it, with the commit behind it in one round trip, so that others wait
    /// for the row of the series during the commit only. Changes with a number must be made with [`Tx::last`].
    ///
    /// # Errors
    /// When the database does not answer, or the transaction has taken numbers already.
    pub async fn take_numbers(
        &self,
        advance: InsertStatement,
        count: usize,
    ) -> Result<Vec<Number>, DbErr> {
        let count = i64::try_from(count).map_err(|error| DbErr::Custom(error.to_string()))?;
        let backend = self.connection.get_database_backend();
        let advance = backend.build(&advance);
        if backend != DbBackend::Postgres {
            let row = self.query_one_raw(advance).await?;
            let row = row.ok_or_else(|| DbErr::Custom("a series returned no number".to_owned()))?;
            let last: i64 = row.try_get("", LAST_NUMBER)?;
            return Ok((last - count + 1..=last).map(Number::known).collect());
        }
        let mut batch = self.lock_batch();
        if batch.numbering.is_some() {
            let text = "a transaction takes numbers twice";
            return Err(DbErr::Custom(text.to_owned()));
        }
        let (numbering, numbers) = Numbering::new(advance, count);
        batch.numbering = Some(numbering);
        Ok(numbers)
    }

    /// As [`Tx::later`], for a change that contains a number of the transaction, or refers to a row that does: the
    /// last statement makes it. One change for each table; nothing later in the transaction sees it.
    ///
    /// # Errors
    /// As [`Tx::later`], and for a second change of a table.
    pub async fn last<E, Q>(&self, entity: E, change: Q) -> Result<(), DbErr>
    where
        E: EntityTrait,
        Q: QueryTrait,
        Q::QueryStatement: Into<SubQueryStatement>,
    {
        let change = Change {
            table: entity.table_name(),
            statement: change.into_query().into(),
            must_change: false,
        };
        if !self.takes_numbers() {
            return self.add_to_batch(change).await;
        }
        self.check_last(change.table)?;
        let same_table = |waiting: &Change| waiting.table == change.table;
        let is_batched = self.lock_batch().changes.iter().any(same_table);
        if is_batched {
            self.write_batch().await?;
        }
        self.lock_batch().last.push(change);
        Ok(())
    }

    /// Whether the last statement takes numbers.
    pub(crate) fn takes_numbers(&self) -> bool {
        self.lock_batch().numbering.is_some()
    }

    /// Fails if the last statement changes the table: a statement changes each table once.
    fn check_last(&self, table: &str) -> Result<(), DbErr> {
        if self
            .lock_batch()
            .last
            .iter()
            .any(|last| last.table == table)
        {
            return Err(DbErr::Custom(format!(
                "the last statement of a transaction already changes {table}"
            )));
        }
        Ok(())
    }

    async fn add_to_batch(&self, change: Change) -> Result<(), DbErr> {
        if self.connection.get_database_backend() != DbBackend::Postgres {
            self.write_batch().await?;
            let written = write(self.transaction().await?, change).await;
            return self.checked(written);
        }
        self.check_last(change.table)?;
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
    pub fn before(&self) -> Result<&Connection, Fault> {
        if self.transaction.initialized() {
            return Err(Fault::internal(
                "a read before a transaction that has already begun",
            ));
        }
        Ok(&self.connection)
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
        let numbering = self.lock_batch().numbering.take();
        if let Some(numbering) = numbering {
            return self.commit_numbered(&numbering).await;
        }
        if self.transaction.initialized() {
            self.write_batch().await?;
        } else {
            return write_all(&self.connection, self.take_batch()).await;
        }
        match self.transaction.into_inner() {
            Some(transaction) => transaction.commit().await,
            None => Ok(()),
        }
    }

    /// Takes the numbers, makes the changes that wait, and commits, in one round trip.
    async fn commit_numbered(self, numbering: &Numbering) -> Result<(), DbErr> {
        let is_conditional = |change: &Change| change.must_change;
        let any_conditional = self.lock_batch().changes.iter().any(is_conditional);
        if any_conditional {
            self.write_batch().await?;
        }
        let last = std::mem::take(&mut self.lock_batch().last);
        let changes = last.into_iter().chain(self.take_batch());
        let changes: Vec<_> = changes
            .map(|change| built(change.statement, DbBackend::Postgres))
            .collect();
        let message = numbering.message(&changes)?;
        let transaction = self.transaction().await?;
        let committed = transaction.execute_unprepared(&message).await;
        self.checked(committed)?;
        // Everything is committed. Dropping the transaction queues a ROLLBACK of the empty one that the message began;
        // the pool sends it with its ping when the connection comes back.
        Ok(())
    }

    pub(super) async fn rollback(self) -> Result<(), DbErr> {
        match self.transaction.into_inner() {
            Some(transaction) => transaction.rollback().await,
            None => Ok(()),
        }
    }

    async fn transaction(&self) -> Result<&Transaction, DbErr> {
        if let Some(failure) = self.failure.get() {
            tracing::debug!("a statement follows a failed one of its transaction");
            return Err(failure.clone());
        }
        let begin = || self.connection.begin(self.options);
        self.transaction.get_or_try_init(begin).await
    }

    /// Remembers a failure: no statement and no commit may follow it.
    fn checked<T>(&self, result: Result<T, DbErr>) -> Result<T, DbErr> {
        if let Err(error) = &result {
            // The first failure is the cause of all others.
            let _ = self.failure.set(error.clone());
        }
        result
    }

    fn lock_batch(&self) -> MutexGuard<'_, Batch> {
        self.batch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_batch(&self) -> Vec<Change> {
        let mut batch = self.lock_batch();
        let (opening, changes) = (batch.opening.take(), std::mem::take(&mut batch.changes));
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
    async fn next(&self, statement: Statement) -> Result<(&Transaction, Statement), DbErr> {
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

#[async_trait::async_trait]
impl ConnectionTrait for Tx {
    fn get_database_backend(&self) -> DbBackend {
        self.connection.get_database_backend()
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
    type Stream<'a> = Rows<'a>;

    fn get_database_backend(&self) -> DbBackend {
        self.connection.get_database_backend()
    }

    fn stream_raw<'a>(
        &'a self,
        statement: Statement,
    ) -> Pin<Box<dyn Future<Output = Result<Self::Stream<'a>, DbErr>> + Send + 'a>> {
        Box::pin(async move {
            let (transaction, statement) = self.next(statement).await?;
            let result = transaction.stream(statement).await;
            self.checked(result)
        })
    }
}
