//! A PostgreSQL server of a test's own, which the test stops, kills and freezes, and a streaming standby
//! that takes over from it. A script that outlives this process ends both.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::Path,
    process::{Child, ChildStdout, Stdio},
};

use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DbBackend, Statement,
};

use super::{
    eventually, free_port,
    guardian::{NOT_INSTALLED, find_programs, shell},
    postgres::{AREAS, TestDatabase},
    small_disk::SmallDisk,
};

const DATABASE: &str = "licet";

/// One of the two servers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Server {
    First = 1,
    Second = 2,
}

/// A server, and its standby if the test has one.
pub(crate) struct Servers {
    script: Child,
    answers: BufReader<ChildStdout>,
    ports: [u16; 2],
    password: String,
}

impl Servers {
    /// Starts one server.
    pub(crate) async fn start() -> Self {
        let servers = Self::launch();
        servers.create_database("").await;
        servers
    }

    /// Starts one server. The files of its database are on the disk, and its write-ahead log is not.
    pub(super) async fn start_on(disk: &SmallDisk) -> Self {
        let servers = Self::launch();
        let data = servers.ask_in(Server::First, "postgres", "SHOW data_directory");
        let folder = disk.folder_of("tablespace", Path::new(&data.await));
        let create = format!("CREATE TABLESPACE disk LOCATION '{}'", folder.display());
        servers.run_in(Server::First, "postgres", &create).await;
        servers.create_database("TABLESPACE disk").await;
        // The pages of a new database are holes in its files until a checkpoint writes them.
        servers.run(Server::First, "CHECKPOINT").await;
        servers
    }

    /// Starts a primary and its standby. If the standby is synchronous, a commit waits for it.
    pub(crate) async fn start_pair(is_synchronous: bool) -> Self {
        // Nothing could be committed before there is a standby: it is synchronous from then on.
        let mut servers = Self::launch();
        servers.create_database("").await;
        servers.command("copy");
        if is_synchronous {
            let wait = "ALTER SYSTEM SET synchronous_standby_names = 'standby'";
            servers.run(Server::First, wait).await;
            servers.run(Server::First, "SELECT pg_reload_conf()").await;
        }
        servers.caught_up().await;
        servers
    }

    fn launch() -> Self {
        let programs = find_programs().expect(NOT_INSTALLED);
        let ports = [free_port(), free_port()];
        let password = uuid::Uuid::new_v4().simple().to_string();
        let mut script = shell(include_str!("standby.sh"))
            .arg(programs)
            .args(ports.map(|port| port.to_string()))
            .env("LICET_TEST_PASSWORD", &password)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut answers = BufReader::new(script.stdout.take().unwrap());
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        if line.trim() != "ready" {
            drop(script.stdin.take());
            let mut trouble = String::new();
            script
                .stderr
                .take()
                .unwrap()
                .read_to_string(&mut trouble)
                .unwrap();
            panic!("PostgreSQL did not start: {trouble}");
        }
        Self {
            script,
            answers,
            ports,
            password,
        }
    }

    fn command(&mut self, command: &str) {
        let input = self.script.stdin.as_mut().unwrap();
        writeln!(input, "{command}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "done", "{command}");
    }

    /// Stops a server in order: it ends its connections itself.
    pub(crate) fn stop(&mut self, server: Server) {
        self.command(&format!("stop {} fast", server as u8));
    }

    /// Stops a server at once, as a crash would.
    pub(crate) fn kill(&mut self, server: Server) {
        self.command(&format!("stop {} immediate", server as u8));
    }

    pub(crate) fn start_again(&mut self, server: Server) {
        self.command(&format!("start {}", server as u8));
    }

    /// Halts a server: its connections stay open, and nothing answers.
    pub(crate) fn freeze(&mut self, server: Server) {
        self.command(&format!("freeze {}", server as u8));
    }

    pub(crate) fn thaw(&mut self, server: Server) {
        self.command(&format!("thaw {}", server as u8));
    }

    /// Cuts the standby off from its primary.
    pub(crate) async fn detach(&self) {
        self.run(Server::Second, "ALTER SYSTEM SET primary_conninfo = ''")
            .await;
        self.run(Server::Second, "SELECT pg_reload_conf()").await;
        eventually("the standby is detached", || async {
            let left = self.ask(
                Server::First,
                "SELECT count(*)::text FROM pg_stat_replication",
            );
            (left.await == "0").then_some(())
        })
        .await;
    }

    /// Makes the standby the primary.
    pub(crate) fn promote(&mut self) {
        self.command("promote");
    }

    /// Waits until the standby has all that the primary has now.
    pub(crate) async fn caught_up(&self) {
        let now = self
            .ask(Server::First, "SELECT pg_current_wal_flush_lsn()::text")
            .await;
        let behind =
            format!("SELECT count(*)::text FROM pg_stat_replication WHERE replay_lsn >= '{now}'");
        eventually("the standby has caught up", || async {
            (self.ask(Server::First, &behind).await == "1").then_some(())
        })
        .await;
    }

    /// The services' database, at whichever server serves.
    pub(super) fn database(&self) -> TestDatabase {
        let [first, second] = self.ports;
        TestDatabase::at(
            format!("127.0.0.1:{first},127.0.0.1:{second}"),
            self.password.clone(),
            format!("{DATABASE}?target_session_attrs=read-write"),
        )
    }

    async fn create_database(&self, options: &str) {
        for area in AREAS {
            let role = format!("CREATE ROLE {area} LOGIN PASSWORD '{}'", self.password);
            self.run_in(Server::First, "postgres", &role).await;
        }
        self.run_in(
            Server::First,
            "postgres",
            &format!("CREATE DATABASE {DATABASE} {options}"),
        )
        .await;
        for area in AREAS {
            let grant = format!("GRANT CREATE ON DATABASE {DATABASE} TO {area}");
            self.run_in(Server::First, "postgres", &grant).await;
        }
    }

    /// Runs a statement as the superuser.
    pub(crate) async fn run(&self, server: Server, sql: &str) {
        self.run_in(server, DATABASE, sql).await;
    }

    async fn run_in(&self, server: Server, database: &str, sql: &str) {
        let connection = self.connect(server, database).await;
        connection.execute_unprepared(sql).await.unwrap();
        connection.close().await.unwrap();
    }

    /// The text that a query answers, as the superuser.
    pub(crate) async fn ask(&self, server: Server, sql: &str) -> String {
        self.ask_in(server, DATABASE, sql).await
    }

    async fn ask_in(&self, server: Server, database: &str, sql: &str) -> String {
        let connection = self.connect(server, database).await;
        let query = Statement::from_string(DbBackend::Postgres, sql);
        let row = connection.query_one_raw(query).await.unwrap().unwrap();
        connection.close().await.unwrap();
        row.try_get_by_index(0).unwrap()
    }

    /// The URL of a server's database for the superuser.
    pub(crate) fn url(&self, server: Server) -> String {
        self.url_of(server, DATABASE)
    }

    fn url_of(&self, server: Server, database: &str) -> String {
        let port = self.ports[server as usize - 1];
        format!(
            "postgres://postgres:{}@127.0.0.1:{port}/{database}",
            self.password
        )
    }

    async fn connect(&self, server: Server, database: &str) -> DatabaseConnection {
        let mut options = ConnectOptions::new(self.url_of(server, database));
        options.max_connections(1).sqlx_logging(false);
        Database::connect(options).await.unwrap()
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        // The script ends the servers when its input closes.
        drop(self.script.stdin.take());
        let _ = self.script.wait();
    }
}
