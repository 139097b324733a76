//! A connection to the store that outlives a failover: each statement runs on the pool of the server that
//! serves then.

use std::{pin::Pin, sync::Arc};

use futures::{Stream, stream};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult,
    QueryResult, Statement, StreamTrait as _, TransactionOptions, TransactionTrait as _,
};
use sea_orm_migration::async_trait;
use tokio::sync::watch;

use super::pools::{Pool, Pools};

/// Runs single statements, each in a transaction of its own.
#[derive(Clone, Debug)]
pub struct Connection {
    pools: Arc<Pools>,
    access: Access,
    is_reserved: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Access {
    Read,
    Write,
}

/// A transaction on the pool that it began on.
#[derive(Debug)]
pub(super) struct Transaction {
    pool: Arc<Pool>,
    inner: DatabaseTransaction,
}

impl Connection {
    pub(super) fn new(pools: &Arc<Pools>, access: Access) -> Self {
        Self {
            pools: Arc::clone(pools),
            access,
            is_reserved: false,
        }
    }

    /// The same store by the connections that other work leaves alone.
    pub(super) fn reserved(&self) -> Self {
        Self {
            is_reserved: true,
            ..self.clone()
        }
    }

    /// Follows whether the database can be reached.
    pub(super) fn reached(&self) -> watch::Receiver<bool> {
        self.pools.reached()
    }

    /// The driver's pool of the server that serves now.
    pub(super) async fn driver(&self) -> Result<DatabaseConnection, DbErr> {
        let pool = self.pools.pool().await?;
        Ok(self.of(&pool).clone())
    }

    fn of<'a>(&self, pool: &'a Pool) -> &'a DatabaseConnection {
        let pair = if self.is_reserved {
            &pool.reserved
        } else {
            &pool.shared
        };
        match self.access {
            Access::Read => &pair.reader,
            Access::Write => &pair.writer,
        }
    }

    /// In its own task: if it were cancelled during BEGIN, the driver would not know of the transaction, and
    /// later changes on the connection would never be committed.
    pub(super) async fn begin(&self, options: TransactionOptions) -> Result<Transaction, DbErr> {
        let pool = self.pools.pool().await?;
        let connection = self.of(&pool).clone();
        let begin = tokio::spawn(async move { connection.begin_with_options(options).await });
        let begun = async {
            begin
                .await
                .map_err(|error| DbErr::Custom(error.to_string()))?
        };
        let inner = pool.run(begun).await?;
        Ok(Transaction { pool, inner })
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Connection {
    fn get_database_backend(&self) -> DbBackend {
        self.pools.backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let pool = self.pools.pool().await?;
        pool.run(self.of(&pool).execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let pool = self.pools.pool().await?;
        pool.run(self.of(&pool).execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let pool = self.pools.pool().await?;
        pool.run(self.of(&pool).query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let pool = self.pools.pool().await?;
        pool.run(self.of(&pool).query_all_raw(statement)).await
    }
}

/// The rows of a statement.
pub(super) type Rows<'a> = Pin<Box<dyn Stream<Item = Result<QueryResult, DbErr>> + Send + 'a>>;

impl Transaction {
    /// An error of a lost connection leaves unknown whether the transaction is committed.
    pub(super) async fn commit(self) -> Result<(), DbErr> {
        self.pool.run(self.inner.commit()).await
    }

    pub(super) async fn rollback(self) -> Result<(), DbErr> {
        self.pool.run(self.inner.rollback()).await
    }

    /// Rows as they come. If the server is given up, they end with an error.
    pub(super) async fn stream(&self, statement: Statement) -> Result<Rows<'_>, DbErr> {
        let mut rows = Box::pin(self.pool.run(self.inner.stream_raw(statement)).await?);
        let mut given_up = Box::pin(Arc::clone(&self.pool).given_up());
        Ok(Box::pin(stream::poll_fn(move |context| {
            match given_up.as_mut().poll(context) {
                std::task::Poll::Ready(error) => std::task::Poll::Ready(Some(Err(error))),
                std::task::Poll::Pending => rows.as_mut().poll_next(context),
            }
        })))
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        ConnectionTrait::get_database_backend(&self.inner)
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.pool.run(self.inner.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.pool.run(self.inner.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.pool.run(self.inner.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.pool.run(self.inner.query_all_raw(statement)).await
    }
}
