//! Classifies database errors: a lost race, a full store, an unavailable store, or a defect.

use sea_orm::{DbErr, RuntimeErr};

use crate::fault::Fault;

/// The class of a database error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// A lost race; the same work may succeed when it runs again.
    Contention,
    /// The disk is full; nothing was changed.
    Full,
    /// The database does not answer, or cannot work now.
    Unavailable,
    /// A defect.
    Defect,
}

impl From<DbErr> for Fault {
    fn from(error: DbErr) -> Self {
        match trouble(&error) {
            Trouble::Contention => Self::Contention(error),
            Trouble::Full => {
                tracing::error!(%error, "the store is full");
                Self::store_full()
            }
            Trouble::Unavailable => {
                tracing::error!(%error, "the store does not answer");
                Self::store_unavailable()
            }
            Trouble::Defect => Self::Internal(format!("database: {error}")),
        }
    }
}

/// Whether the server of the store cannot be reached, or cannot do its work now.
pub(super) fn is_unavailable(error: &DbErr) -> bool {
    trouble(error) == Trouble::Unavailable
}

fn trouble(error: &DbErr) -> Trouble {
    if matches!(error, DbErr::RecordNotUpdated) {
        // A row that changed since it was read is a lost race, too.
        return Trouble::Contention;
    }
    // A full pool: its connections wait for the server, or for one another. And a server that the pools have
    // given up.
    if matches!(
        error,
        DbErr::ConnectionAcquire(_) | DbErr::Conn(RuntimeErr::Internal(_))
    ) {
        return Trouble::Unavailable;
    }
    let (DbErr::Exec(RuntimeErr::SqlxError(error))
    | DbErr::Query(RuntimeErr::SqlxError(error))
    | DbErr::Conn(RuntimeErr::SqlxError(error))) = error
    else {
        return Trouble::Defect;
    };
    trouble_of_driver(error)
}

fn trouble_of_driver(error: &sqlx::Error) -> Trouble {
    // A connection that ends within a message breaks the protocol.
    if matches!(
        error,
        sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed
    ) {
        return Trouble::Unavailable;
    }
    let Some(error) = error.as_database_error() else {
        return Trouble::Defect;
    };
    match error.code() {
        Some(code) if lost_its_code(&code, error.message()) => Trouble::Contention,
        Some(code) => trouble_of_code(&code),
        None => Trouble::Defect,
    }
}

/// Whether a unique violation arrives as an internal error: the coordinator of Citus passes on what a worker says of rows
/// that it was sent by COPY, but not the code.
fn lost_its_code(code: &str, message: &str) -> bool {
    code == "XX000" && message.starts_with("duplicate key value violates unique constraint ")
}

/// PostgreSQL's codes have five characters; SQLite's are numbers of at most four digits.
fn trouble_of_code(code: &str) -> Trouble {
    match code {
        // PostgreSQL: serialization_failure, deadlock_detected, lock_not_available, unique_violation (work
        // that reads before it inserts finds the other's row when it runs again).
        // SQLite: BUSY, LOCKED, BUSY_RECOVERY, BUSY_SNAPSHOT, CONSTRAINT_PRIMARYKEY.
        "40001" | "40P01" | "55P03" | "23505" | "5" | "6" | "261" | "517" | "1555" => {
            Trouble::Contention
        }
        // PostgreSQL: disk_full.
        "53100" => Trouble::Full,
        // PostgreSQL: insufficient_resources, out_of_memory, too_many_connections, configuration_limit_exceeded,
        // system_error, io_error, read_only_sql_transaction, statement_completion_unknown,
        // transaction_timeout, idle_in_transaction_session_timeout, invalid_catalog_name (the database of a
        // server that was set up anew).
        "53000" | "53200" | "53300" | "53400" | "58000" | "58030" | "25006" | "40003" | "25P04"
        | "25P03" | "3D000" => Trouble::Unavailable,
        // Connection exceptions; interventions such as a shutdown, a start or a cancelled statement; a
        // server that rejects the service's role.
        postgres if postgres.len() == 5 && has_class(postgres, ["08", "57", "28"]) => {
            Trouble::Unavailable
        }
        postgres if postgres.len() == 5 => Trouble::Defect,
        other => match other.parse::<u16>().map(|code| code & 0xff) {
            Ok(SQLITE_FULL) => Trouble::Full,
            Ok(SQLITE_NOMEM | SQLITE_READONLY | SQLITE_IOERR | SQLITE_CANTOPEN) => {
                Trouble::Unavailable
            }
            Ok(_) | Err(_) => Trouble::Defect,
        },
    }
}

/// The first two characters of PostgreSQL's codes are their class.
fn has_class(code: &str, classes: [&str; 3]) -> bool {
    classes.iter().any(|class| code.starts_with(class))
}

/// The lower eight bits of SQLite's codes are the kind of error; the rest is the detail.
const SQLITE_NOMEM: u16 = 7;
const SQLITE_READONLY: u16 = 8;
const SQLITE_IOERR: u16 = 10;
const SQLITE_FULL: u16 = 13;
const SQLITE_CANTOPEN: u16 = 14;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::TransientReason;

    #[test]
    fn a_unique_violation_without_its_code_is_known_by_its_message() {
        let message = "duplicate key value violates unique constraint \"invoice_account_id_quote_id_key_102056\"";
        assert!(lost_its_code("XX000", message));
        assert!(!lost_its_code("XX000", "cache lookup failed"));
        assert!(!lost_its_code("23503", message));
    }

    #[test]
    fn a_lost_server_and_a_full_pool_are_unavailable() {
        use sea_orm::ConnAcquireErr;
        let driver = |error: sqlx::Error| RuntimeErr::SqlxError(error.into());
        let eof = std::io::ErrorKind::UnexpectedEof;
        for error in [
            DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
            DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
            DbErr::Conn(RuntimeErr::Internal("given up".to_owned())),
            // A commit fails as a query.
            DbErr::Query(driver(sqlx::Error::Io(eof.into()))),
            DbErr::Exec(driver(sqlx::Error::Protocol("cut off".to_owned()))),
            DbErr::Conn(driver(sqlx::Error::PoolClosed)),
        ] {
            let fault = Fault::from(error);
            let Fault::Transient(transient) = &fault else {
                panic!("{fault:?}");
            };
            assert_eq!(transient.reason, TransientReason::StoreUnavailable);
            assert!(transient.retry_after.is_some());
        }
        let defect = Fault::from(DbErr::Custom("a bug".to_owned()));
        assert!(matches!(defect, Fault::Internal(_)), "{defect:?}");
    }

    #[test]
    fn codes_of_both_databases_are_classified() {
        for (code, expected) in [
            ("13", Trouble::Full),
            ("53100", Trouble::Full),
            ("5", Trouble::Contention),
            ("40001", Trouble::Contention),
            // IOERR_WRITE, IOERR_SHMSIZE, NOMEM, CANTOPEN.
            ("778", Trouble::Unavailable),
            ("4874", Trouble::Unavailable),
            ("7", Trouble::Unavailable),
            ("14", Trouble::Unavailable),
            ("57P01", Trouble::Unavailable),
            ("57P02", Trouble::Unavailable),
            ("57P03", Trouble::Unavailable),
            ("57014", Trouble::Unavailable),
            ("25006", Trouble::Unavailable),
            ("25P03", Trouble::Unavailable),
            ("28P01", Trouble::Unavailable),
            ("53300", Trouble::Unavailable),
            ("08006", Trouble::Unavailable),
            // CONSTRAINT_UNIQUE, and a syntax error.
            ("2067", Trouble::Defect),
            ("42601", Trouble::Defect),
            // A code of PostgreSQL whose lower eight bits would be SQLITE_FULL.
            ("25613", Trouble::Defect),
        ] {
            assert_eq!(trouble_of_code(code), expected, "{code}");
        }
    }
}
