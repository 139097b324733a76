//! HAProxy in front of two instances of SanLicensing, with the settings that the operator is given, as Debian
//! packages it.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    process::{Child, Stdio},
};

use tempfile::TempDir;
use tokio::net::TcpStream;

use super::{eventually, free_port, guardian::shell};

const SETTINGS: &str = include_str!("../../services/suite/packaging/haproxy.cfg");

/// The ports in the file: the proxy's, and those of the instances.
const WRITTEN: [u16; 3] = [50063, 50053, 50054];

/// A proxy that ends with this value.
pub(crate) struct Proxy {
    _folder: TempDir,
    pub(crate) port: u16,
    child: Child,
}

impl Proxy {
    pub(crate) async fn start([first, second]: [u16; 2]) -> Self {
        let port = free_port();
        let mut settings = SETTINGS.to_owned();
        for (written, real) in WRITTEN.into_iter().zip([port, first, second]) {
            let written = format!("127.0.0.1:{written}");
            assert!(settings.contains(&written), "{settings}");
            settings = settings.replace(&written, &format!("127.0.0.1:{real}"));
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("haproxy.cfg");
        fs::write(&path, settings).unwrap();
        // The proxy does not run as root.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        // However this process ends, the pipe closes, and the proxy ends.
        let script = "PATH=$PATH:/usr/sbin; haproxy -db -f \"$1\" & cat >/dev/null; kill $!; wait";
        let child = shell(script)
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        eventually("haproxy listens, which tests/run installs", || async move {
            TcpStream::connect(("127.0.0.1", port)).await.ok()
        })
        .await;
        Self {
            _folder: folder,
            port,
            child: child.unwrap(),
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
