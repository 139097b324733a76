//! Finds the server of a URL that a service can use: its hosts are asked at once, and the first in their
//! order that suits is taken.

use std::{str::FromStr, time::Duration};

use futures::{StreamExt as _, stream::FuturesOrdered};
use sea_orm::{DbErr, RuntimeErr};
use sqlx::{
    ConnectOptions as _, Connection as _, PgConnection, Row as _, error::DatabaseError,
    postgres::PgConnectOptions,
};

use super::{servers::Servers, trouble::is_unavailable};

/// How long a server may take to answer. A service's statements wait no longer for one that is cut off.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Asks a server which it is. Every start of a server is another one, so that no connection outlives it.
const WHICH: &str = "SELECT extract(epoch FROM pg_postmaster_start_time())::text, \
     current_setting('transaction_read_only')";

const TOO_MANY_CONNECTIONS: &str = "53300";

/// A running server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    /// Its number in the URL.
    pub(super) number: usize,
    started: String,
    /// Not in recovery, and not set to read only.
    writes: bool,
}

/// Why no server of a URL can be used.
#[derive(Debug)]
pub(super) struct NoServer {
    /// What each host answered.
    why: Vec<String>,
    /// Whether a later attempt may succeed.
    pub(super) is_passing: bool,
    /// Whether the host that was asked first was silent: perhaps only this machine is slow.
    pub(super) is_silent: bool,
    /// Whether a host has no connection left: it may serve those that it has.
    pub(super) is_crowded: bool,
}

impl From<NoServer> for DbErr {
    fn from(none: NoServer) -> Self {
        Self::Conn(RuntimeErr::Internal(format!(
            "no server can be used: {}",
            none.why.join("; ")
        )))
    }
}

enum Failure {
    Silent,
    Database(DbErr),
}

/// The first server that answers, and that writes if it must. The order is that of the URL, from `first` on:
/// a server that serves is not left because an earlier one is back.
pub(super) async fn find(
    servers: &Servers,
    first: usize,
    must_write: bool,
) -> Result<Server, NoServer> {
    let order = (first..servers.count()).chain(0..first);
    let all = order.clone().map(|number| async move {
        let url = servers.url(number);
        let asked = ask(&url, number);
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(answer) => answer.map_err(Failure::Database),
            Err(_) => Err(Failure::Silent),
        }
    });
    let mut answers: FuturesOrdered<_> = all.collect();
    let mut none = NoServer {
        why: Vec::new(),
        is_passing: false,
        is_silent: false,
        is_crowded: false,
    };
    for number in order {
        let Some(answer) = answers.next().await else {
            break;
        };
        let why = match answer {
            Ok(server) if server.writes || !must_write => return Ok(server),
            Ok(_) => {
                none.is_passing = true;
                "accepts no changes (a standby, or read-only)".to_owned()
            }
            Err(Failure::Silent) => {
                none.is_passing = true;
                none.is_silent |= number == first;
                "did not answer".to_owned()
            }
            Err(Failure::Database(error)) => {
                none.is_passing |= is_unavailable(&error);
                none.is_crowded |= is_crowded(&error);
                error.to_string()
            }
        };
        none.why.push(format!("{} {why}", servers.host(number)));
    }
    Err(none)
}

fn is_crowded(error: &DbErr) -> bool {
    let DbErr::Conn(RuntimeErr::SqlxError(error)) = error else {
        return false;
    };
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.is_some_and(|code| code == TOO_MANY_CONNECTIONS)
}

async fn ask(url: &str, number: usize) -> Result<Server, DbErr> {
    let failed = |error: sqlx::Error| DbErr::Conn(RuntimeErr::SqlxError(error.into()));
    let options = PgConnectOptions::from_str(url)
        .map_err(failed)?
        .application_name("licet")
        .disable_statement_logging();
    let mut connection = options.connect().await.map_err(failed)?;
    let (started, writes) = which(&mut connection).await.map_err(failed)?;
    // The server notices by itself if this fails.
    let _ = connection.close().await;
    Ok(Server {
        number,
        started,
        writes,
    })
}

async fn which(connection: &mut PgConnection) -> Result<(String, bool), sqlx::Error> {
    let row = sqlx::raw_sql(WHICH).fetch_one(connection).await?;
    let read_only: &str = row.try_get(1)?;
    Ok((row.try_get(0)?, read_only == "off"))
}

impl Server {
    /// Fails if a new connection leads to another server, or to one that no longer writes.
    pub(super) async fn check(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let (started, writes) = which(connection).await?;
        if started == self.started && writes == self.writes {
            return Ok(());
        }
        let error = "another server answers in this one's place";
        Err(sqlx::Error::Io(std::io::Error::other(error)))
    }
}
