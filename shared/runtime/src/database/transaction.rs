//! An open transaction. Changes whose answers nobody needs gather in it, and are written together:
//! on PostgreSQL by one statement, which is one way to the database and back.

use std::{
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
};

use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait, ExecResult, QueryResult,
    QueryTrait, Statement, StreamTrait, TransactionStream,
    sea_query::{CommonTableExpression, Expr, Query, SubQueryStatement, WithClause, WithQuery},
};
use sea_orm_migration::async_trait;

/// An open transaction. Whatever is asked of it sees all that was changed in it before.
#[derive(Debug)]
pub struct Tx {
    connection: DatabaseTransaction,
    gathered: Mutex<Vec<Change>>,
}

#[derive(Debug)]
struct Change {
    table: &'static str,
    statement: SubQueryStatement,
}

impl Tx {
    pub(super) fn new(connection: DatabaseTransaction) -> Self {
        Self {
            connection,
            gathered: Mutex::default(),
        }
    }

    /// Changes rows of an entity's table, at the latest with the transaction's next other statement
    /// or its commit: for a change that is sure to be made, whose answer nobody needs.
    ///
    /// # Errors
    /// When the database does not answer, or refuses what gathered before.
    pub async fn later<E, Q>(&self, entity: E, change: Q) -> Result<(), DbErr>
    where
        E: EntityTrait,
        Q: QueryTrait,
        Q::QueryStatement: Into<SubQueryStatement>,
    {
        let change = Change {
            table: entity.table_name(),
            statement: change.into_query().into(),
        };
        if ConnectionTrait::get_database_backend(self) != DbBackend::Postgres {
            return self.execute_change(change.statement).await;
        }
        // The parts of one statement do not see each other, and may come in any order.
        let meets = self.gathered().iter().any(|it| it.table == change.table);
        if meets {
            self.write_gathered().await?;
        }
        self.gathered().push(change);
        Ok(())
    }

    pub(super) async fn commit(self) -> Result<(), DbErr> {
        self.write_gathered().await?;
        self.connection.commit().await
    }

    pub(super) async fn rollback(self) -> Result<(), DbErr> {
        self.connection.rollback().await
    }

    fn gathered(&self) -> MutexGuard<'_, Vec<Change>> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// References between the rows are looked at after all of them.
    async fn write_gathered(&self) -> Result<(), DbErr> {
        let mut changes = std::mem::take(&mut *self.gathered());
        match changes.pop() {
            None => Ok(()),
            Some(only) if changes.is_empty() => self.execute_change(only.statement).await,
            Some(last) => {
                changes.push(last);
                let together = together(changes);
                self.connection.execute(&together).await.map(drop)
            }
        }
    }

    async fn execute_change(&self, change: SubQueryStatement) -> Result<(), DbErr> {
        let connection = &self.connection;
        let changed = match change {
            SubQueryStatement::InsertStatement(insert) => connection.execute(&insert).await,
            SubQueryStatement::UpdateStatement(update) => connection.execute(&update).await,
            SubQueryStatement::DeleteStatement(delete) => connection.execute(&delete).await,
            SubQueryStatement::WithStatement(with) => connection.execute(&with).await,
            SubQueryStatement::SelectStatement(select) => connection.execute(&select).await,
        };
        changed.map(drop)
    }
}

fn together(changes: Vec<Change>) -> WithQuery {
    let mut parts = WithClause::new();
    for Change { table, statement } in changes {
        let part = CommonTableExpression::new()
            .query(statement)
            .table_name(format!("changed_{table}"))
            .to_owned();
        parts.cte(part);
    }
    parts.query(Query::select().expr(Expr::val(1)).to_owned())
}

#[async_trait::async_trait]
impl ConnectionTrait for Tx {
    fn get_database_backend(&self) -> DbBackend {
        ConnectionTrait::get_database_backend(&self.connection)
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.write_gathered().await?;
        self.connection.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.write_gathered().await?;
        self.connection.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.write_gathered().await?;
        self.connection.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.write_gathered().await?;
        self.connection.query_all_raw(statement).await
    }
}

impl StreamTrait for Tx {
    type Stream<'a> = TransactionStream<'a>;

    fn get_database_backend(&self) -> DbBackend {
        ConnectionTrait::get_database_backend(&self.connection)
    }

    fn stream_raw<'a>(
        &'a self,
        statement: Statement,
    ) -> Pin<Box<dyn Future<Output = Result<Self::Stream<'a>, DbErr>> + Send + 'a>> {
        Box::pin(async move {
            self.write_gathered().await?;
            self.connection.stream_raw(statement).await
        })
    }
}
