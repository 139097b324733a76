//! Reads that reach the rows of every account. The tables of accounts' rows may be divided by account over
//! parts or machines, so such a read costs one read per part, and says why it is worth that.

use licet_domain::ids::AccountId;
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, Statement,
    sea_query::{Expr, ExprTrait, Query},
};
use sea_orm_migration::async_trait;

use crate::{caller::AccountScope, fault::Fault, stored::parsed};

/// A connection whose reads may reach the rows of every account. Each statement begins with a comment that
/// says why. It refuses changes: a change names the account of its rows.
#[derive(Debug)]
pub struct AllAccounts<'a, C> {
    connection: &'a C,
    /// `None` if the reads name one account after all.
    reason: Option<&'static str>,
}

impl<'a, C> AllAccounts<'a, C> {
    /// Reads over all accounts for a reason in a few words.
    pub fn new(connection: &'a C, reason: &'static str) -> Self {
        Self {
            connection,
            reason: Some(reason),
        }
    }

    /// As [`AllAccounts::new`], for reads that have an account in their condition if there is one.
    pub fn unless_of(
        account_id: Option<AccountId>,
        connection: &'a C,
        reason: &'static str,
    ) -> Self {
        Self {
            connection,
            reason: account_id.is_none().then_some(reason),
        }
    }

    fn marked(&self, statement: Statement) -> Statement {
        match self.reason {
            Some(reason) => Statement {
                sql: format!("/* all accounts: {reason} */ {}", statement.sql),
                ..statement
            },
            None => statement,
        }
    }
}

/// The account of the row that a request names by its id alone, if the caller may see it. `subject` is the
/// column of the id and its table.
///
/// # Errors
/// When the database does not answer.
pub async fn find_account(
    connection: &impl ConnectionTrait,
    scope: &AccountScope,
    (column, table): (&'static str, &'static str),
    id: &str,
) -> Result<Option<AccountId>, Fault> {
    let mut wanted = Query::select();
    wanted
        .column("account_id")
        .from(table)
        .and_where(Expr::col(column).eq(id));
    if let AccountScope::Only(accounts) = scope {
        if accounts.is_empty() {
            return Ok(None);
        }
        let accounts = accounts.iter().map(ToString::to_string);
        wanted.and_where(Expr::col("account_id").is_in(accounts));
    }
    let reads = AllAccounts::unless_of(
        scope.only_account(),
        connection,
        "the request names an id, not its account",
    );
    let Some(found) = reads.query_one(&wanted).await? else {
        return Ok(None);
    };
    let account_id: String = found.try_get("", "account_id")?;
    parsed("account_id", &account_id).map(Some)
}

fn no_change() -> DbErr {
    DbErr::Custom("a change must name the account of its rows".to_owned())
}

#[async_trait::async_trait]
impl<C: ConnectionTrait> ConnectionTrait for AllAccounts<'_, C> {
    fn get_database_backend(&self) -> DbBackend {
        self.connection.get_database_backend()
    }

    async fn execute_raw(&self, _: Statement) -> Result<ExecResult, DbErr> {
        Err(no_change())
    }

    async fn execute_unprepared(&self, _: &str) -> Result<ExecResult, DbErr> {
        Err(no_change())
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.connection.query_one_raw(self.marked(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.connection.query_all_raw(self.marked(statement)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_read_without_an_account_says_why() {
        let text = |reads: AllAccounts<'_, ()>| {
            let statement = Statement::from_string(DbBackend::Sqlite, "SELECT 1");
            reads.marked(statement).sql
        };
        let account_id = Some(AccountId::generate());
        assert_eq!(
            text(AllAccounts::unless_of(account_id, &(), "a list")),
            "SELECT 1"
        );
        for reads in [
            AllAccounts::new(&(), "a list"),
            AllAccounts::unless_of(None, &(), "a list"),
        ] {
            assert_eq!(text(reads), "/* all accounts: a list */ SELECT 1");
        }
    }
}
