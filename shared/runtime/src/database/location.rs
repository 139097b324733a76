//! Where a service's data is.

use std::{ffi::OsStr, fmt, path::PathBuf, str::FromStr};

use clap::{
    Arg, Command, Error,
    builder::{TypedValueParser, ValueParserFactory},
    error::ErrorKind,
};

use super::servers::Servers;

/// Where a service stores its data.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// The service's own SQLite file; created if absent.
    Sqlite(PathBuf),
    /// A PostgreSQL database, and the service's schema in it.
    Postgres {
        /// `postgres://user:password@host:port/database`. It may list several hosts, `one:5432,two:5432`, of
        /// which the service uses the one that can be written.
        url: String,
        /// The schema; created if absent. A setting of each connection, or behind a pooler of the role.
        schema: String,
    },
}

/// Omits user, password and parameters of the URL.
impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(formatter, "sqlite:{}", path.display()),
            Self::Postgres { url, schema } => {
                let place = Servers::parse(url).map_or("…".to_owned(), |servers| servers.place());
                write!(formatter, "postgres://{place}#{schema}")
            }
        }
    }
}

/// As [`fmt::Display`]: settings are printed with `Debug`, too.
impl fmt::Debug for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// The error repeats no part of the text, which may contain a password.
impl FromStr for Location {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            return Ok(Self::Sqlite(PathBuf::from(path)));
        }
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(
                "must be sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE#SCHEMA".to_owned(),
            );
        }
        // Without a name, two services would share one schema and mistake each other's tables for theirs.
        let named = text
            .rsplit_once('#')
            .filter(|(_, schema)| !schema.is_empty());
        let (url, schema) = named.ok_or("must name the service's own schema after a #")?;
        if schema.contains('@') {
            return Err("has a # before its host; in a password, write it as %23".to_owned());
        }
        Servers::parse(url)?;
        Ok(Self::Postgres {
            url: url.to_owned(),
            schema: schema.to_owned(),
        })
    }
}

/// Parses the option of a database. Other parsers repeat the text that they refuse, with its password.
#[derive(Clone, Debug)]
pub struct LocationParser;

impl TypedValueParser for LocationParser {
    type Value = Location;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Location, Error> {
        let parsed = match value.to_str() {
            Some(text) => text.parse(),
            None => Err("must be UTF-8".to_owned()),
        };
        parsed.map_err(|why: String| {
            let option = argument.map_or("a database".to_owned(), ToString::to_string);
            let text = format!("invalid value for '{option}': {why}\n");
            Error::raw(ErrorKind::ValueValidation, text).with_cmd(command)
        })
    }
}

impl ValueParserFactory for Location {
    type Parser = LocationParser;

    fn value_parser() -> LocationParser {
        LocationParser
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_shown_without_its_password() {
        for (text, shown) in [
            (
                "postgres://u:p@one:1,two/db?password=x#s",
                "postgres://one:1,two/db#s",
            ),
            ("postgres://u:a@b@one/db#s", "postgres://one/db#s"),
            ("postgres://u:a%23b@one/db#s", "postgres://one/db#s"),
            ("sqlite:/a/b", "sqlite:/a/b"),
        ] {
            let location: Location = text.parse().unwrap();
            assert_eq!(location.to_string(), shown);
            assert_eq!(format!("{location:?}"), shown);
        }
        for wrong in [
            "postgres://u:secret@one/db",
            "postgres://u:secret#x@one/db",
            "postgres://u:secret#x@one/db#s",
            "postgres://u:secret/x@one/db#s",
            "u:secret@one",
        ] {
            let error = wrong.parse::<Location>().unwrap_err();
            assert!(
                !error.contains("secret") && !error.contains("x@"),
                "{error}"
            );
        }
    }
}
