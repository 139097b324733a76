//! One throwaway PostgreSQL cluster for the whole test process, started when first asked for and
//! ended by a guardian process that outlives this one. Nothing here touches a cluster of the machine.

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use licet_runtime::database::Location;
use sea_orm::{ConnectionTrait, Database};

use super::free_port;

struct Cluster {
    port: u16,
    password: String,
    /// Its standard input is the pipe that keeps the cluster: held until this process ends.
    _guardian: Child,
}

static CLUSTER: OnceLock<Result<Cluster, String>> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// The services that have a schema and a role of their own.
const AREAS: [&str; 2] = ["billing", "orders"];

/// A fresh database of the cluster.
pub(super) struct TestDatabase {
    port: u16,
    password: String,
    name: String,
}

impl TestDatabase {
    pub(super) async fn create() -> Self {
        let cluster = match CLUSTER.get_or_init(Cluster::start) {
            Ok(cluster) => cluster,
            Err(why) => panic!("{why}"),
        };
        let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        let server = cluster.connect("postgres").await;
        // Two at once wait for each other where they copy the same template by files.
        let create = format!("CREATE DATABASE {name} TEMPLATE template0 STRATEGY wal_log");
        server.execute_unprepared(&create).await.unwrap();
        for area in AREAS {
            // As in production: each service may make its own schema and see no other.
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

    pub(super) fn location(&self, area: &str) -> Location {
        Location::Postgres {
            url: format!(
                "postgres://{area}:{}@127.0.0.1:{}/{}",
                self.password, self.port, self.name
            ),
            schema: area.to_owned(),
        }
    }
}

impl Cluster {
    fn start() -> Result<Self, String> {
        let programs = find_programs().ok_or(
            "PostgreSQL is not installed: neither /usr/lib/postgresql/*/bin nor PATH has initdb. \
             Run tests/run, which installs what is missing, or install the package postgresql \
             (Debian, Ubuntu) or postgresql-server (Fedora)",
        )?;
        let password = uuid::Uuid::new_v4().simple().to_string();
        let mut trouble = String::new();
        // Another process may take the port between its choice and its use.
        for _ in 0..3 {
            let port = free_port();
            match guard(&programs, port, &password) {
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
        // A thread of its own, because the caller may be inside of a runtime already.
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

/// Starts the guardian and waits until it says that the cluster is ready.
fn guard(programs: &Path, port: u16, password: &str) -> Result<Child, String> {
    let script = include_str!("guardian.sh");
    let mut command = if runs_as_root() {
        // initdb refuses root; the account of the package, or else the one that owns nothing.
        let user = if has_user("postgres") {
            "postgres"
        } else {
            "nobody"
        };
        let mut command = Command::new("setpriv");
        command.args([
            "--reuid",
            user,
            "--regid",
            &group_of(user),
            "--clear-groups",
            "--",
            "sh",
        ]);
        // Root's own temporary folder is closed to that user.
        command.env_remove("TMPDIR").env("HOME", "/");
        command
    } else {
        Command::new("sh")
    };
    let mut guardian = command
        .args(["-c", script, "guardian"])
        .arg(programs)
        .arg(port.to_string())
        .env("LICET_TEST_PASSWORD", password)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{command:?}: {error}"))?;
    let mut line = String::new();
    if let Some(stdout) = guardian.stdout.take() {
        let _ = BufReader::new(stdout).read_line(&mut line);
    }
    if line.trim() == "ready" {
        return Ok(guardian);
    }
    drop(guardian.stdin.take());
    let mut trouble = String::new();
    if let Some(mut stderr) = guardian.stderr.take() {
        let _ = stderr.read_to_string(&mut trouble);
    }
    let _ = guardian.wait();
    Err(trouble)
}

/// The newest PostgreSQL of the machine.
fn find_programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let packaged = versions
        .filter_map(|entry| {
            let version: u32 = entry.file_name().to_str()?.parse().ok()?;
            let programs = entry.path().join("bin");
            programs
                .join("initdb")
                .is_file()
                .then_some((version, programs))
        })
        .max()
        .map(|(_, programs)| programs);
    packaged.or_else(|| {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(|folder| folder.join("initdb").is_file())
    })
}

fn runs_as_root() -> bool {
    // The owner of this process's own entry, without a foreign function call.
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|entry| entry.uid() == 0)
}

fn has_user(name: &str) -> bool {
    passwd_line(name).is_some()
}

fn group_of(user: &str) -> String {
    let line = passwd_line(user).unwrap_or_default();
    line.split(':').nth(3).unwrap_or(user).to_owned()
}

fn passwd_line(name: &str) -> Option<String> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let prefix = format!("{name}:");
    users
        .lines()
        .find(|line| line.starts_with(&prefix))
        .map(str::to_owned)
}
