//! A throwaway PostgreSQL cluster for the whole test process. The first use starts it, and a guardian process
//! that outlives this one ends it. It touches no cluster of the machine.

use std::{
    fmt::Write as _,
    path::Path,
    process::Child,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use licet_runtime::database::Location;
use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};

use super::{
    free_port,
    guardian::{NOT_INSTALLED, find_programs, guard},
    small_disk::SmallDisk,
};

struct Cluster {
    port: u16,
    password: String,
    /// The cluster runs until the guardian's standard input closes, when this process ends.
    _guardian: Child,
}

static CLUSTER: OnceLock<Result<Cluster, String>> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// A test's data need not survive a crash of the machine.
const SETTINGS: &str = "\
fsync = off
synchronous_commit = off
full_page_writes = off
max_wal_size = '512MB'
";

/// The services, each with its own schema and role.
const AREAS: [&str; 3] = ["billing", "orders", "san_licensing"];

/// A fresh database of the cluster.
pub(super) struct TestDatabase {
    port: u16,
    password: String,
    name: String,
}

impl TestDatabase {
    pub(super) async fn create() -> Self {
        Self::create_in(None).await
    }

    /// A database with all its files on a small disk, in its own tablespace.
    pub(super) async fn create_on(disk: &SmallDisk) -> Self {
        Self::create_in(Some(disk)).await
    }

    async fn create_in(disk: Option<&SmallDisk>) -> Self {
        let cluster = match CLUSTER.get_or_init(Cluster::start) {
            Ok(cluster) => cluster,
            Err(why) => panic!("{why}"),
        };
        let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        let server = cluster.connect("postgres").await;
        // By default, two copies of one template wait for each other.
        let mut create = format!("CREATE DATABASE {name} TEMPLATE template0 STRATEGY wal_log");
        if let Some(disk) = disk {
            let query = Statement::from_string(DbBackend::Postgres, "SHOW data_directory");
            let row = server.query_one_raw(query).await.unwrap().unwrap();
            let data: String = row.try_get("", "data_directory").unwrap();
            let folder = disk.folder_of("tablespace", Path::new(&data));
            let space = format!("CREATE TABLESPACE {name} LOCATION '{}'", folder.display());
            server.execute_unprepared(&space).await.unwrap();
            create += &format!(" TABLESPACE {name}");
        }
        server.execute_unprepared(&create).await.unwrap();
        for area in AREAS {
            // As in production: each service can create its own schema and read no other.
            let grant = format!("GRANT CREATE ON DATABASE {name} TO {area}");
            server.execute_unprepared(&grant).await.unwrap();
        }
        server.close().await.unwrap();
        Self {
            port: cluster.port,
            password: cluster.password.clone(),
            name,
        }
    }

    /// Drops the database and its tablespace, so that the cluster survives without the disk.
    pub(super) async fn drop_with_tablespace(&self) {
        let Some(Ok(cluster)) = CLUSTER.get() else {
            return;
        };
        let server = cluster.connect("postgres").await;
        let name = &self.name;
        for sql in [
            format!("DROP DATABASE {name} WITH (FORCE)"),
            format!("DROP TABLESPACE {name}"),
        ] {
            server.execute_unprepared(&sql).await.unwrap();
        }
        server.close().await.unwrap();
    }

    /// Keeps a copy of what the database holds now. Cuts its connections.
    pub(super) async fn keep(&self) {
        let name = &self.name;
        self.alone(&[format!(
            "CREATE DATABASE {name}_kept TEMPLATE {name} STRATEGY wal_log"
        )])
        .await;
    }

    /// Puts the copy that was kept in the place of the database, as a restored backup or a standby that
    /// lags behind would be. Cuts its connections.
    pub(super) async fn put_back(&self) {
        let name = &self.name;
        self.alone(&[
            format!("ALTER DATABASE {name} RENAME TO {name}_lost"),
            format!("ALTER DATABASE {name}_kept RENAME TO {name}"),
            format!("DROP DATABASE {name}_lost WITH (FORCE)"),
        ])
        .await;
    }

    /// Runs statements about the database while nobody is connected to it.
    async fn alone(&self, statements: &[String]) {
        let Some(Ok(cluster)) = CLUSTER.get() else {
            panic!("the database's cluster is not running");
        };
        let server = cluster.connect("postgres").await;
        let name = &self.name;
        let run = async |sql: &str| server.execute_unprepared(sql).await.map(|_| ()).unwrap();
        run(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).await;
        let cut = format!(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{name}'"
        );
        run(&cut).await;
        for sql in statements {
            run(sql).await;
        }
        run(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")).await;
        server.close().await.unwrap();
    }

    pub(super) fn location(&self, area: &str, schema: &str) -> Location {
        Location::Postgres {
            url: format!(
                "postgres://{area}:{}@127.0.0.1:{}/{}",
                self.password, self.port, self.name
            ),
            schema: schema.to_owned(),
        }
    }
}

impl Cluster {
    fn start() -> Result<Self, String> {
        let programs = find_programs().ok_or(NOT_INSTALLED)?;
        let password = uuid::Uuid::new_v4().simple().to_string();
        let mut trouble = String::new();
        // Another process may take the port between its choice and its use.
        for _ in 0..3 {
            let port = free_port();
            match guard(&programs, port, &password, SETTINGS) {
                Ok(guardian) => {
                    let cluster = Self {
                        port,
                        password,
                        _guardian: guardian,
                    };
                    cluster.create_roles()?;
                    return Ok(cluster);
                }
                Err(why) => trouble = why,
            }
        }
        Err(format!(
            "PostgreSQL did not start from {}: {trouble}",
            programs.display()
        ))
    }

    fn create_roles(&self) -> Result<(), String> {
        let mut sql = String::new();
        for area in AREAS {
            let _ = writeln!(
                sql,
                "CREATE ROLE {area} LOGIN PASSWORD '{}';",
                self.password
            );
        }
        // A new thread, because the caller may be inside a runtime.
        std::thread::scope(|scope| {
            let made = scope.spawn(|| {
                let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
                runtime.block_on(async {
                    let server = self.connect("postgres").await;
                    server
                        .execute_unprepared(&sql)
                        .await
                        .map_err(|error| error.to_string())?;
                    server.close().await.map_err(|error| error.to_string())
                })
            });
            made.join()
                .unwrap_or_else(|_| Err("creating the roles panicked".to_owned()))
        })
    }

    async fn connect(&self, database: &str) -> sea_orm::DatabaseConnection {
        let url = format!(
            "postgres://postgres:{}@127.0.0.1:{}/{database}",
            self.password, self.port
        );
        let mut options = sea_orm::ConnectOptions::new(url);
        options.max_connections(1).sqlx_logging(false);
        Database::connect(options).await.unwrap()
    }
}
