//! The embedded suite, or one of its services, as a process on free ports with a store that outlives it.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
};

use licet_runtime::database::Location;
use tempfile::{NamedTempFile, TempDir};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use super::{channel::Channel, eventually, free_port};

/// A running suite, killed at the latest when it is dropped.
pub(crate) struct SuiteProcess {
    folder: TempDir,
    ports: [u16; 3],
    child: Child,
}

impl SuiteProcess {
    /// Starts the suite on a fresh folder and waits until it can be used.
    pub(crate) async fn start() -> Self {
        let mut process = Self::spawn();
        process.wait_until_ready().await;
        process
    }

    /// Starts the suite on a new folder, which it creates.
    pub(crate) fn spawn() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ports = [free_port(), free_port(), free_port()];
        let child = spawn(
            &folder.path().join("data"),
            ports,
            &folder.path().join("log"),
        );
        Self {
            folder,
            ports,
            child,
        }
    }

    /// Starts it again on the same store.
    pub(crate) async fn start_again(&mut self) {
        self.child = spawn(&self.data(), self.ports, &self.folder.path().join("log"));
        self.wait_until_ready().await;
    }

    async fn wait_until_ready(&mut self) {
        let log = self.folder.path().join("log");
        // Orders reports its health last.
        let health = HealthClient::new(self.orders());
        let child = &mut self.child;
        eventually("the suite is ready", || {
            if let Some(status) = child.try_wait().unwrap() {
                let log = std::fs::read_to_string(&log).unwrap_or_default();
                panic!("the suite ended with {status}:\n{log}");
            }
            let mut health = health.clone();
            async move {
                let answer = health.check(HealthCheckRequest::default()).await.ok()?;
                (answer.into_inner().status() == ServingStatus::Serving).then_some(())
            }
        })
        .await;
    }

    /// Kills the process, as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop, as a service manager does, and waits for its end.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        // The shell's built-in: a small system has no program `kill`.
        let command = format!("kill -TERM {}", self.child.id());
        assert!(
            Command::new("sh")
                .args(["-c", &command])
                .status()
                .unwrap()
                .success()
        );
        self.child.wait().unwrap()
    }

    /// Starts another suite on the same folder; returns how it ended and what it printed.
    pub(crate) fn start_a_second(&self) -> (ExitStatus, String) {
        let log = self.folder.path().join("second");
        let ports = [free_port(), free_port(), free_port()];
        let status = spawn(&self.data(), ports, &log).wait().unwrap();
        (status, std::fs::read_to_string(log).unwrap())
    }

    /// Starts it again, which must fail; returns what it printed.
    pub(crate) fn fail_to_start(&self) -> String {
        let log = self.folder.path().join("failed");
        let status = spawn(&self.data(), self.ports, &log).wait().unwrap();
        let said = std::fs::read_to_string(log).unwrap();
        assert!(!status.success(), "it ended without an error: {said}");
        said
    }

    /// The test's folder, with the suite's data in it.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The account that the starter data opened.
    pub(crate) fn starter_account(&self) -> String {
        std::fs::read_to_string(self.data().join("starter-account"))
            .unwrap()
            .trim()
            .to_owned()
    }

    /// Host and port of Orders.
    pub(crate) fn orders_address(&self) -> String {
        self.addresses()[0].clone()
    }

    /// Hosts and ports of Orders, Billing and SanLicensing.
    pub(crate) fn addresses(&self) -> [String; 3] {
        self.ports.map(|port| format!("127.0.0.1:{port}"))
    }

    /// Host and port of Billing.
    pub(crate) fn billing_address(&self) -> String {
        format!("127.0.0.1:{}", self.ports[1])
    }

    pub(crate) fn orders(&self) -> Channel {
        Channel::to_port(self.ports[0])
    }

    pub(crate) fn billing(&self) -> Channel {
        Channel::to_port(self.ports[1])
    }

    pub(crate) fn san_licensing(&self) -> Channel {
        Channel::to_port(self.ports[2])
    }
}

impl Drop for SuiteProcess {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(data: &Path, [orders, billing, san_licensing]: [u16; 3], log: &Path) -> Child {
    let log = File::options().create(true).append(true).open(log).unwrap();
    Command::new(env!("CARGO_BIN_EXE_licet-process"))
        .arg("--data")
        .arg(data)
        .args(["--orders-listen", &format!("127.0.0.1:{orders}")])
        .args(["--billing-listen", &format!("127.0.0.1:{billing}")])
        .args([
            "--san-licensing-listen",
            &format!("127.0.0.1:{san_licensing}"),
        ])
        // Longer than any test, so that a stop which waits for the whole drain fails its test.
        .env("LICET_DRAIN_SECONDS", "600")
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// Runs `licet` with these arguments to its end, without settings from the environment.
pub(crate) fn licet(arguments: &[&str]) -> Output {
    command(arguments).stdin(Stdio::null()).output().unwrap()
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_licet-process"));
    command
        .args(arguments)
        .env_remove("LICET_BILLING_DATABASE")
        .env_remove("LICET_CREATE")
        .env_remove("LICET_DATABASE")
        .env_remove("LICET_ORDERS_DATABASE")
        .env_remove("LICET_SAN_LICENSING_DATABASE")
        .env_remove("LICET_BILLING_URL")
        .env_remove("LICET_DATA")
        .env_remove("LICET_SAN_LICENSING_URL");
    command
}

/// Runs `licet` as [`licet`] does, with a file as its standard input.
pub(crate) fn licet_reading(arguments: &[&str], input: &Path) -> Output {
    command(arguments)
        .stdin(File::open(input).unwrap())
        .output()
        .unwrap()
}

/// A store's location as a command-line option.
pub(crate) fn database_option(location: &Location) -> String {
    match location {
        Location::Sqlite(path) => format!("sqlite:{}", path.display()),
        Location::Postgres { url, schema } => format!("{url}#{schema}"),
    }
}

/// Runs a command of `licet database` and returns what it prints.
pub(crate) async fn database_command(
    name: &'static str,
    location: &Location,
    more: &'static [&'static str],
) -> Result<String, String> {
    let database = database_option(location);
    let running = tokio::task::spawn_blocking(move || {
        let fixed = ["database", name, "--database", &database];
        let arguments: Vec<&str> = fixed.into_iter().chain(more.iter().copied()).collect();
        licet(&arguments)
    });
    let output = running.await.unwrap();
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// A running `licet serve san-licensing`, killed at the latest when it is dropped.
pub(crate) struct SanLicensingProcess {
    log: NamedTempFile,
    port: u16,
    child: Child,
}

impl SanLicensingProcess {
    /// Starts it on a store that may be shared, and waits until it responds.
    pub(crate) async fn start(location: &Location, billing_address: &str) -> Self {
        let database = database_option(location);
        let log = NamedTempFile::new().unwrap();
        let port = free_port();
        let child = Command::new(env!("CARGO_BIN_EXE_licet-process"))
            .args(["serve", "san-licensing"])
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .args(["--billing-url", billing_address])
            .env("LICET_DATABASE", database)
            .stdin(Stdio::null())
            .stdout(log.reopen().unwrap())
            .stderr(log.reopen().unwrap())
            .spawn()
            .unwrap();
        let mut process = Self { log, port, child };
        let (path, child) = (process.log.path(), &mut process.child);
        eventually("the process answers", || {
            if let Some(status) = child.try_wait().unwrap() {
                let log = std::fs::read_to_string(path).unwrap_or_default();
                panic!("the process ended with {status}:\n{log}");
            }
            async move {
                let connected = tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
                connected.is_ok().then_some(())
            }
        })
        .await;
        process
    }

    /// Kills the process, as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn channel(&self) -> Channel {
        Channel::to_port(self.port)
    }

    /// The address for `--san-licensing-url`.
    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its memory now.
    pub(crate) fn resident_bytes(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// Its peak memory.
    pub(crate) fn highest_bytes(&self) -> u64 {
        self.memory("VmHWM:")
    }

    fn memory(&self, line: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let found = status.lines().find_map(|text| text.strip_prefix(line));
        let kib = found.unwrap().trim().trim_end_matches(" kB");
        kib.parse::<u64>().unwrap() << 10
    }
}

impl Drop for SanLicensingProcess {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
