//! pgbouncer in front of the tests' PostgreSQL, as Debian packages it.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    process::{Child, Stdio},
};

use licet_runtime::database::Location;
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::{eventually, free_port, guardian::shell};

/// A pooler for one role and database; it ends with this value.
pub(crate) struct Pooler {
    folder: TempDir,
    port: u16,
    child: Option<Child>,
    /// The store by way of the pooler.
    pub(crate) location: Location,
}

impl Pooler {
    /// Starts a pooler that ignores the settings of connections, as all poolers do unless they are told otherwise.
    pub(crate) async fn start(store: &Location) -> Self {
        let Location::Postgres { url, schema } = store else {
            panic!("a pooler needs PostgreSQL, not {store}");
        };
        let (user, rest) = url
            .strip_prefix("postgres://")
            .unwrap()
            .split_once(':')
            .unwrap();
        let (password, rest) = rest.split_once('@').unwrap();
        let (server, database) = rest.split_once('/').unwrap();
        let (host, server_port) = server.split_once(':').unwrap();
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let path = |name: &str| folder.path().join(name);
        let settings = format!(
            "[databases]\n* = host={host} port={server_port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = plain\nauth_file = {}\npool_mode = session\n\
             ignore_startup_parameters = options, extra_float_digits\n",
            path("users").display()
        );
        fs::write(path("settings"), settings).unwrap();
        fs::write(path("users"), format!("\"{user}\" \"{password}\"\n")).unwrap();
        // pgbouncer refuses to run as root, and reads the files as its own user.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let location = Location::Postgres {
            url: format!("postgres://{user}:{password}@127.0.0.1:{port}/{database}"),
            schema: schema.clone(),
        };
        let mut pooler = Self {
            folder,
            port,
            child: None,
            location,
        };
        pooler.connect_again().await;
        pooler
    }

    /// Starts it, or starts it again, so that it has new connections to the server.
    pub(crate) async fn connect_again(&mut self) {
        self.stop();
        let log = fs::File::create(self.folder.path().join("log")).unwrap();
        // However this process ends, the pipe closes, and the pooler ends.
        let child = shell("pgbouncer \"$1\" & cat >/dev/null; kill $!; wait")
            .arg(self.folder.path().join("settings"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.child = Some(child.unwrap());
        let port = self.port;
        eventually(
            "pgbouncer listens, which tests/run installs",
            || async move { TcpStream::connect(("127.0.0.1", port)).await.ok() },
        )
        .await;
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.stdin.take());
            child.wait().unwrap();
        }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        self.stop();
    }
}
