//! What sessions of PostgreSQL must be like. The settings come with each connection; a pooler may ignore them, and then
//! they must be settings of the role.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::{
    location::Location,
    options::{Setting, reading_settings, serving_settings},
    pools::connect_once,
};

/// What mends the sessions of a service.
const PREPARE: &str = "Run licet database prepare --apply, which makes them settings of the role, and let the \
                       pooler connect again";
/// What mends the sessions of a command that reads a store.
const CONNECT_DIRECTLY: &str = "Name the address of PostgreSQL itself";

/// Fails unless the sessions of a service use its schema and have its settings. The schema may be absent still.
///
/// # Errors
/// The first difference, and what mends it.
pub(super) async fn check_serving(
    connection: &impl ConnectionTrait,
    schema: &str,
) -> Result<(), DbErr> {
    check(connection, schema, &serving_settings(), PREPARE).await
}

/// As [`check_serving`], for the schema alone.
///
/// # Errors
/// As [`check_serving`].
pub(super) async fn check_schema(
    connection: &impl ConnectionTrait,
    schema: &str,
) -> Result<(), DbErr> {
    check(connection, schema, &[], PREPARE).await
}

/// As [`check_serving`], for commands that read a store.
///
/// # Errors
/// As [`check_serving`].
pub(super) async fn check_reading(
    connection: &impl ConnectionTrait,
    schema: &str,
) -> Result<(), DbErr> {
    check(connection, schema, &reading_settings(), CONNECT_DIRECTLY).await
}

async fn check(
    connection: &impl ConnectionTrait,
    schema: &str,
    settings: &[Setting],
    remedy: &str,
) -> Result<(), DbErr> {
    let names = settings.iter().map(|(name, _)| format!("'{name}'"));
    let names: Vec<_> = names.chain(["''".to_owned()]).collect();
    let query = format!(
        "SELECT 'current_schema' AS name, COALESCE(current_schema(), '') AS setting \
         UNION ALL SELECT name, setting FROM pg_settings WHERE name IN ({})",
        names.join(", ")
    );
    let query = Statement::from_string(DbBackend::Postgres, query);
    for row in connection.query_all_raw(query).await? {
        let (name, found): (String, String) =
            (row.try_get("", "name")?, row.try_get("", "setting")?);
        let expected = match settings.iter().find(|(of, _)| *of == name) {
            Some((_, value)) => value,
            // A schema that is absent is not the current one.
            None if found.is_empty() => continue,
            None => schema,
        };
        if found != expected {
            return Err(DbErr::Custom(format!(
                "sessions of the database have {name} = {found} instead of {expected}: a pooler in between ignores \
                 the settings of connections. {remedy}"
            )));
        }
    }
    Ok(())
}

/// The statements that make the settings of a service's sessions settings of its role in its database. They can be
/// repeated.
///
/// # Errors
/// When the database cannot be reached, or another service uses the role.
pub async fn prepare(location: &Location, apply: bool) -> Result<Vec<String>, DbErr> {
    let Location::Postgres { url, schema } = location else {
        let text = "a store on SQLite needs no preparation";
        return Err(DbErr::Custom(text.to_owned()));
    };
    let server = connect_once(url).await?;
    let role = Role::read(&server).await?;
    role.check_free_for(schema)?;
    let statements = role.statements(schema);
    if apply {
        for statement in &statements {
            server.execute_unprepared(statement).await?;
        }
    }
    server.close().await?;
    Ok(statements)
}

/// The role that a location connects as.
struct Role {
    name: String,
    database: String,
    /// Its schemas in the database, if they are settings of the role.
    search_path: Option<String>,
}

impl Role {
    async fn read(server: &impl ConnectionTrait) -> Result<Self, DbErr> {
        const QUERY: &str = "SELECT current_user::text AS name, current_database()::text AS database, ( \
                SELECT substr(setting, strpos(setting, '=') + 1) \
                FROM pg_db_role_setting AS its, unnest(its.setconfig) AS setting \
                WHERE its.setrole = (SELECT oid FROM pg_roles WHERE rolname = current_user) \
                AND its.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()) \
                AND setting LIKE 'search_path=%' \
            ) AS search_path";
        let query = Statement::from_string(DbBackend::Postgres, QUERY);
        let row = server.query_one_raw(query).await?;
        let row = row.ok_or_else(|| DbErr::Custom("the database names no role".to_owned()))?;
        Ok(Self {
            name: row.try_get("", "name")?,
            database: row.try_get("", "database")?,
            search_path: row.try_get("", "search_path")?,
        })
    }

    /// Fails if the role is another service's: it has one search path.
    fn check_free_for(&self, schema: &str) -> Result<(), DbErr> {
        match &self.search_path {
            Some(other) if *other != quoted(schema) && *other != schema => {
                Err(DbErr::Custom(format!(
                    "the role {} has search_path = {other} in the database {}: give each service a role of its own",
                    self.name, self.database
                )))
            }
            _ => Ok(()),
        }
    }

    fn statements(&self, schema: &str) -> Vec<String> {
        let settings = serving_settings().into_iter();
        let settings = settings.map(|(name, value)| (name, format!("'{value}'")));
        let all = settings.chain([("search_path", quoted(schema))]);
        all.map(|(name, value)| {
            format!(
                "ALTER ROLE {} IN DATABASE {} SET {name} TO {value};",
                quoted(&self.name),
                quoted(&self.database)
            )
        })
        .collect()
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
