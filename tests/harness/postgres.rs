//! A throwaway PostgreSQL cluster for the whole test process, or with LICET_TEST_CITUS three that Citus connects. The
//! first use starts it, and a guardian process that outlives this one ends it. It touches no cluster of the machine.

use std::{
    process::Child,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use licet_runtime::{
    database::{Location, distribute},
    fault::Fault,
    peer::PeerChannel,
};
use sea_orm::{ConnectionTrait, Database};

use super::{
    clock::StandingClock,
    free_port,
    guardian::{NOT_INSTALLED, find_programs, guard},
};

struct Cluster {
    /// One, or the coordinator of Citus and its workers.
    servers: Vec<Server>,
    password: String,
}

struct Server {
    port: u16,
    /// The server runs until the guardian's standard input closes, when this process ends.
    _guardian: Child,
}

static CLUSTER: OnceLock<Result<Cluster, String>> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(0);
/// Whether the template is there, or why not.
static TEMPLATE: OnceLock<Result<(), String>> = OnceLock::new();

/// A database in which the services have migrated their schemas, and whose tables are divided.
const DIVIDED: &str = "divided";

/// Whether the services find their tables divided by account, with LICET_TEST_DIVIDED or LICET_TEST_CITUS set.
fn is_divided() -> bool {
    std::env::var_os("LICET_TEST_DIVIDED").is_some() || is_on_citus()
}

/// Whether Citus divides the tables, over two workers.
fn is_on_citus() -> bool {
    std::env::var_os("LICET_TEST_CITUS").is_some()
}

/// A test's data need not survive a crash of the machine.
const SETTINGS: &str = "\
fsync = off
synchronous_commit = off
full_page_writes = off
max_wal_size = '512MB'
";

/// A node of Citus.
const NODE: &str = "\
shared_preload_libraries = 'citus'
max_prepared_transactions = 300
max_worker_processes = 300
citus.shard_count = 4
citus.recover_2pc_interval = '2s'
citus.node_conninfo = 'sslmode=disable'
";

/// The guardian notes the statements when the cluster ends.
const NOTING_STATEMENTS: &str = "\
shared_preload_libraries = 'pg_stat_statements'
pg_stat_statements.max = 20000
";

/// The services, each with its own schema and role.
pub(crate) const AREAS: [&str; 3] = ["billing", "orders", "san_licensing"];

/// A fresh database of the cluster, or of servers that the test has for itself.
pub(super) struct TestDatabase {
    /// Hosts and ports.
    servers: String,
    password: String,
    /// The database, and parameters of its URL.
    name: String,
    /// Whether it is dropped from the cluster when the test ends.
    is_dropped: bool,
}

impl TestDatabase {
    /// An empty database.
    pub(super) async fn create() -> Self {
        Self::create_from("template0").await
    }

    pub(super) fn at(servers: String, password: String, name: String) -> Self {
        Self {
            servers,
            password,
            name,
            is_dropped: false,
        }
    }

    /// A database for the services.
    pub(super) async fn create_for_services() -> Self {
        if is_divided() {
            Self::create_divided().await
        } else {
            Self::create().await
        }
    }

    /// A database with the stores of the services, whose tables are divided.
    pub(super) async fn create_divided() -> Self {
        let cluster = Cluster::get();
        if let Err(why) = TEMPLATE.get_or_init(|| on_new_runtime(|| cluster.create_template())) {
            panic!("the template: {why}");
        }
        let created = Self::create_from(DIVIDED).await;
        let server = cluster.connect(&created.name).await;
        for area in AREAS {
            let store_id = uuid::Uuid::now_v7();
            let change = format!("UPDATE {area}.store SET store_id = '{store_id}'");
            server.execute_unprepared(&change).await.unwrap();
        }
        server.close().await.unwrap();
        created
    }

    /// A database with the stores of the services.
    pub(super) async fn create_with_stores() -> Self {
        let created = Self::create().await;
        migrate(&created).await.unwrap();
        created
    }

    /// Runs SQL in it as its administrator.
    pub(super) async fn administer(&self, sql: &str) {
        let server = Cluster::get().connect(&self.name).await;
        server.execute_unprepared(sql).await.unwrap();
        server.close().await.unwrap();
    }

    async fn create_from(template: &str) -> Self {
        let cluster = Cluster::get();
        let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        // By default, two copies of one template wait for each other.
        let create = format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY wal_log");
        cluster.run_on_each("postgres", &[create]).await.unwrap();
        let mut created = cluster.database(name);
        created.is_dropped = true;
        created.permit_schemas().await;
        created
    }

    /// As in production: each service can create its own schema and read no other.
    async fn permit_schemas(&self) {
        let grant = |area| format!("GRANT CREATE ON DATABASE {} TO {area}", self.name);
        let grants = AREAS.map(grant);
        let cluster = Cluster::get();
        cluster.run_on_each("postgres", &grants).await.unwrap();
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
        let name = &self.name;
        let cluster = Cluster::get();
        let run = async |statements: &[String]| {
            let ran = cluster.run_on_each("postgres", statements).await;
            ran.unwrap();
        };
        run(&shutting_out(name)).await;
        run(statements).await;
        run(&[format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")]).await;
    }

    pub(super) fn location(&self, area: &str, schema: &str) -> Location {
        Location::Postgres {
            url: format!(
                "postgres://{area}:{}@{}/{}",
                self.password, self.servers, self.name
            ),
            schema: schema.to_owned(),
        }
    }
}

impl Drop for TestDatabase {
    /// The databases of all tests together would fill the disk.
    fn drop(&mut self) {
        if !self.is_dropped {
            return;
        }
        let name = &self.name;
        let drops =
            ["", "_kept"].map(|copy| format!("DROP DATABASE IF EXISTS {name}{copy} WITH (FORCE)"));
        let dropped = on_new_runtime(async || Cluster::get().run_on_each("postgres", &drops).await);
        if let Err(why) = dropped {
            eprintln!("{name} was not dropped: {why}");
        }
    }
}

/// Ends the connections to a database, and allows no others.
fn shutting_out(name: &str) -> [String; 2] {
    [
        format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"),
        format!(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{name}'"
        ),
    ]
}

/// Builds each service once, which migrates its schema. Their connections end with the runtime.
async fn migrate(database: &TestDatabase) -> Result<(), Fault> {
    let clock = Arc::new(StandingClock::new());
    let nowhere = || PeerChannel::new("http://127.0.0.1:1", "template").map_err(Fault::internal);
    licet_billing::build(licet_billing::Deps {
        location: database.location("billing", "billing"),
        seller: None,
    })
    .await?;
    licet_orders::build(licet_orders::Deps {
        location: database.location("orders", "orders"),
        clock: clock.clone(),
        billing: nowhere()?,
        san_licensing: nowhere()?,
    })
    .await?;
    licet_san_licensing::build(licet_san_licensing::Deps {
        location: database.location("san_licensing", "san_licensing"),
        clock,
        billing: nowhere()?,
        engine: licet_san_licensing::EngineSettings::default(),
    })
    .await?;
    Ok(())
}

/// Runs `work` on a thread with a runtime of its own, because the caller may be inside a runtime.
fn on_new_runtime<F>(work: impl FnOnce() -> F + Send) -> Result<(), String>
where
    F: Future<Output = Result<(), String>>,
{
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
            runtime.block_on(work())
        });
        worker
            .join()
            .unwrap_or_else(|_| Err("the work panicked".to_owned()))
    })
}

impl Cluster {
    fn get() -> &'static Self {
        match CLUSTER.get_or_init(Self::start) {
            Ok(cluster) => cluster,
            Err(why) => panic!("{why}"),
        }
    }

    fn start() -> Result<Self, String> {
        let password = uuid::Uuid::new_v4().simple().to_string();
        let mut settings = SETTINGS.to_owned();
        if std::env::var_os("LICET_TEST_NOTE_STATEMENTS").is_some() {
            settings += NOTING_STATEMENTS;
        }
        if is_on_citus() {
            settings += NODE;
        }
        let count = if is_on_citus() { 3 } else { 1 };
        let servers = (0..count).map(|_| Server::start(&password, &settings));
        let servers = servers.collect::<Result<_, _>>()?;
        let cluster = Self { servers, password };
        cluster.create_roles()?;
        Ok(cluster)
    }

    fn create_roles(&self) -> Result<(), String> {
        let role = |area| format!("CREATE ROLE {area} LOGIN PASSWORD '{}'", self.password);
        let roles = AREAS.map(role);
        on_new_runtime(async || self.run_on_each("postgres", &roles).await)
    }

    /// Has the services migrate their schemas in the template, and divides its tables.
    async fn create_template(&self) -> Result<(), String> {
        let create = format!("CREATE DATABASE {DIVIDED} TEMPLATE template0");
        self.run_on_each("postgres", &[create]).await?;
        if is_on_citus() {
            self.connect_nodes().await?;
        }
        let template = self.database(DIVIDED.to_owned());
        template.permit_schemas().await;
        migrate(&template)
            .await
            .map_err(|fault| format!("{fault:?}"))?;
        if is_on_citus() {
            for area in AREAS {
                let distributed = distribute(&template.location(area, area), true).await;
                distributed.map_err(|error| format!("{area}: {error}"))?;
            }
            // Citus stays connected to it, and nobody can copy it then.
            return self.run_on_each("postgres", &shutting_out(DIVIDED)).await;
        }
        let server = self.connect(DIVIDED).await;
        for area in AREAS {
            let divide = include_str!("divide.sql");
            let sql = format!("SET ROLE {area}; SET search_path = {area}; {divide}; RESET ROLE");
            let divided = server.execute_unprepared(&sql).await;
            divided.map_err(|error| format!("{area}: {error}"))?;
        }
        server.close().await.map_err(|error| error.to_string())
    }

    /// Makes the first server the coordinator of Citus, and the others its workers. Copies of the database have the
    /// same nodes.
    async fn connect_nodes(&self) -> Result<(), String> {
        let extension = "CREATE EXTENSION citus".to_owned();
        self.run_on_each(DIVIDED, &[extension]).await?;
        let server = self.connect(DIVIDED).await;
        for (place, Server { port, .. }) in self.servers.iter().enumerate() {
            let function = match place {
                0 => "citus_set_coordinator_host",
                _ => "citus_add_node",
            };
            let added = server
                .execute_unprepared(&format!("SELECT {function}('127.0.0.1', {port})"))
                .await;
            added.map_err(|error| error.to_string())?;
        }
        server.close().await.map_err(|error| error.to_string())
    }

    /// Runs statements on each server.
    async fn run_on_each(&self, database: &str, statements: &[String]) -> Result<(), String> {
        for server in &self.servers {
            let server = server.connect(&self.password, database).await;
            for statement in statements {
                let ran = server.execute_unprepared(statement).await;
                ran.map_err(|error| format!("{statement}: {error}"))?;
            }
            server.close().await.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn database(&self, name: String) -> TestDatabase {
        let servers = format!("127.0.0.1:{}", self.servers[0].port);
        TestDatabase::at(servers, self.password.clone(), name)
    }

    /// A connection to the first server.
    async fn connect(&self, database: &str) -> sea_orm::DatabaseConnection {
        self.servers[0].connect(&self.password, database).await
    }
}

impl Server {
    fn start(password: &str, settings: &str) -> Result<Self, String> {
        let programs = find_programs().ok_or(NOT_INSTALLED)?;
        let mut trouble = String::new();
        // Another process may take the port between its choice and its use.
        for _ in 0..3 {
            let port = free_port();
            match guard(&programs, port, password, settings) {
                Ok(guardian) => {
                    return Ok(Self {
                        port,
                        _guardian: guardian,
                    });
                }
                Err(why) => trouble = why,
            }
        }
        Err(format!(
            "PostgreSQL did not start from {}: {trouble}",
            programs.display()
        ))
    }

    async fn connect(&self, password: &str, database: &str) -> sea_orm::DatabaseConnection {
        let url = format!(
            "postgres://postgres:{password}@127.0.0.1:{}/{database}",
            self.port
        );
        let mut options = sea_orm::ConnectOptions::new(url);
        options.max_connections(1).sqlx_logging(false);
        Database::connect(options).await.unwrap()
    }
}
