//! The option of one service's database, and of a file that contains it: a password in a file is seen neither
//! in the list of processes nor in their environment.

use clap::Args;
use licet_runtime::database::Location;

use crate::CommandError;

/// The database of one service: one of the two is required.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct DatabaseOption {
    /// The database: sqlite:PATH, or postgres://USER:PASSWORD@HOST/DATABASE#SCHEMA. Several hosts, as in
    /// HOST:5432,OTHER:5432, are the servers of one database: the one that can be written is used.
    #[arg(long, env = "LICET_DATABASE", hide_env_values = true)]
    database: Option<Location>,
    /// A file that contains the database, as --database takes it.
    #[arg(
        long,
        value_name = "FILE",
        env = "LICET_DATABASE_FILE",
        value_parser = location_in
    )]
    database_file: Option<Location>,
}

impl DatabaseOption {
    /// The database.
    pub(crate) fn location(&self) -> Result<&Location, CommandError> {
        let given = self.database.as_ref().or(self.database_file.as_ref());
        given.ok_or_else(|| {
            CommandError("no database: set --database or --database-file".to_owned())
        })
    }
}

/// Reads a database from a file. The error repeats nothing of the file.
pub(crate) fn location_in(path: &str) -> Result<Location, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    text.trim()
        .parse()
        .map_err(|why| format!("the database in the file {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_a_fault_is_reported_without_its_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("database");
        let text = path.to_str().unwrap();
        assert!(location_in(text).is_err());
        std::fs::write(&path, "sqlite:/a/b\n").unwrap();
        assert_eq!(location_in(text).unwrap().to_string(), "sqlite:/a/b");
        std::fs::write(&path, "postgres://user:secret@host/database\n").unwrap();
        let error = location_in(text).unwrap_err();
        assert!(
            error.contains("schema") && !error.contains("secret"),
            "{error}"
        );
    }
}
