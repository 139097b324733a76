//! What an error of the database means to the caller: a lost race, a full store, a store that is
//! away, or a defect.

use sea_orm::{DbErr, RuntimeErr};

use crate::fault::Fault;

/// What an error of the database means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// A lost race, which the same work may win when it is run again.
    Contention,
    /// No room is left: nothing was changed.
    Full,
    /// The database does not answer, or cannot do its work just now.
    Away,
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
            Trouble::Away => {
                tracing::error!(%error, "the store does not answer");
                Self::store_away()
            }
            Trouble::Defect => Self::Internal(format!("database: {error}")),
        }
    }
}

/// What `error` means.
fn trouble(error: &DbErr) -> Trouble {
    // A row that is not as it was read any more is as good as a race that the database reports.
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
        return Trouble::Away;
    }
    match error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
    {
        Some(code) => meaning(&code),
        None => Trouble::Defect,
    }
}

/// PostgreSQL's codes have five characters, SQLite's are numbers of at most four digits.
fn meaning(code: &str) -> Trouble {
    match code {
        // PostgreSQL: serialization_failure, deadlock_detected, lock_not_available, unique_violation:
        // work that looks first and then inserts finds the rival's row when it looks again.
        // SQLite: BUSY, LOCKED, BUSY_RECOVERY, BUSY_SNAPSHOT, CONSTRAINT_PRIMARYKEY.
        "40001" | "40P01" | "55P03" | "23505" | "5" | "6" | "261" | "517" | "1555" => {
            Trouble::Contention
        }
        // PostgreSQL: disk_full.
        "53100" => Trouble::Full,
        // PostgreSQL: insufficient_resources, out_of_memory, too_many_connections, system_error,
        // io_error, admin_shutdown, crash_shutdown, cannot_connect_now, read_only_sql_transaction.
        "53000" | "53200" | "53300" | "58000" | "58030" | "57P01" | "57P02" | "57P03" | "25006" => {
            Trouble::Away
        }
        postgres if postgres.len() == 5 && postgres.starts_with("08") => Trouble::Away,
        postgres if postgres.len() == 5 => Trouble::Defect,
        other => match other.parse::<u16>().map(|code| code & 0xff) {
            Ok(SQLITE_FULL) => Trouble::Full,
            Ok(SQLITE_NOMEM | SQLITE_READONLY | SQLITE_IOERR | SQLITE_CANTOPEN) => Trouble::Away,
            Ok(_) | Err(_) => Trouble::Defect,
        },
    }
}

/// The lower eight bits of SQLite's codes say the kind; the rest says where it happened.
const SQLITE_NOMEM: u16 = 7;
const SQLITE_READONLY: u16 = 8;
const SQLITE_IOERR: u16 = 10;
const SQLITE_FULL: u16 = 13;
const SQLITE_CANTOPEN: u16 = 14;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_its_meaning_on_both_databases() {
        for (code, expected) in [
            ("13", Trouble::Full),
            ("53100", Trouble::Full),
            ("5", Trouble::Contention),
            ("40001", Trouble::Contention),
            // IOERR_WRITE, IOERR_SHMSIZE, NOMEM, CANTOPEN.
            ("778", Trouble::Away),
            ("4874", Trouble::Away),
            ("7", Trouble::Away),
            ("14", Trouble::Away),
            ("57P01", Trouble::Away),
            ("08006", Trouble::Away),
            // CONSTRAINT_UNIQUE, and a syntax error.
            ("2067", Trouble::Defect),
            ("42601", Trouble::Defect),
            // As a number it would end in SQLITE_FULL.
            ("25613", Trouble::Defect),
        ] {
            assert_eq!(meaning(code), expected, "{code}");
        }
    }
}
