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

fn trouble(error: &DbErr) -> Trouble {
    // A row that changed since it was read is a lost race, too.
    if matches!(error, DbErr::ConnectionAcquire(_) | DbErr::RecordNotUpdated) {
        return Trouble::Contention;
    }
    let (DbErr::Exec(RuntimeErr::SqlxError(error))
    | DbErr::Query(RuntimeErr::SqlxError(error))
    | DbErr::Conn(RuntimeErr::SqlxError(error))) = error
    else {
        return Trouble::Defect;
    };
    if matches!(
        **error,
        sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed | sqlx::Error::BeginFailed
    ) {
        return Trouble::Unavailable;
    }
    match error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
    {
        Some(code) => trouble_of_code(&code),
        None => Trouble::Defect,
    }
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
        // PostgreSQL: insufficient_resources, out_of_memory, too_many_connections, system_error,
        // io_error, admin_shutdown, crash_shutdown, cannot_connect_now, read_only_sql_transaction.
        "53000" | "53200" | "53300" | "58000" | "58030" | "57P01" | "57P02" | "57P03" | "25006" => {
            Trouble::Unavailable
        }
        postgres if postgres.len() == 5 && postgres.starts_with("08") => Trouble::Unavailable,
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

/// The lower eight bits of SQLite's codes are the kind of error; the rest is the detail.
const SQLITE_NOMEM: u16 = 7;
const SQLITE_READONLY: u16 = 8;
const SQLITE_IOERR: u16 = 10;
const SQLITE_FULL: u16 = 13;
const SQLITE_CANTOPEN: u16 = 14;

#[cfg(test)]
mod tests {
    use super::*;

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
