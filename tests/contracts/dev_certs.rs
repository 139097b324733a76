//! `licet dev-certs`, and a service that listens on every address with its files.

use std::{
    fs::File,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use licet_contracts::billing::v1::{
    ListProductsRequest, catalog_service_client::CatalogServiceClient,
};
use licet_runtime::{peer::PeerChannel, tls::Tls};

use crate::harness::{eventually, free_port, process::licet, run};

/// A service, killed when it is dropped.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts Billing on every address.
fn serve(folder: &Path, port: u16, with_tls: bool) -> Child {
    let file = |name: &str| folder.join("certs").join(name);
    let mut command = Command::new(env!("CARGO_BIN_EXE_licet-process"));
    command
        .args([
            "serve",
            "billing",
            "--create",
            "--listen",
            &format!("0.0.0.0:{port}"),
        ])
        .arg(format!(
            "--database=sqlite:{}",
            folder.join("billing.db").display()
        ));
    if with_tls {
        command.arg("--tls-certificate").arg(file("billing.pem"));
        command.arg("--tls-key").arg(file("billing.key"));
        command.arg("--tls-ca").arg(file("ca.pem"));
        command.arg("--access").arg(file("access.toml"));
    }
    let log = folder.join("log");
    let log = File::options().create(true).append(true).open(log).unwrap();
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

#[test]
fn a_service_listens_on_every_address_with_tls_alone() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let certs = folder.path().join("certs");
        let made = licet(&["dev-certs", certs.to_str().unwrap()]);
        let printed = String::from_utf8_lossy(&made.stdout);
        assert!(
            made.status.success() && printed.contains("grpcurl -cacert"),
            "{made:?}"
        );
        for entry in std::fs::read_dir(&certs).unwrap() {
            let mode = entry.unwrap().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let again = licet(&["dev-certs", certs.to_str().unwrap()]);
        assert!(!again.status.success(), "it would have replaced the files");

        let port = free_port();
        assert!(!serve(folder.path(), port, false).wait().unwrap().success());
        let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
        assert!(log.contains("--tls-certificate"), "{log}");

        let _served = Served(serve(folder.path(), port, true));
        let files = ["operator.pem", "operator.key", "ca.pem"].map(|name| certs.join(name));
        let tls = Tls::open(files).await.unwrap();
        let address = format!("https://localhost:{port}");
        let channel = PeerChannel::open(&address, "test", Some(&tls)).unwrap();
        eventually("the operator lists products", || async {
            let mut catalog = CatalogServiceClient::new(channel.clone());
            catalog
                .list_products(ListProductsRequest::default())
                .await
                .ok()
        })
        .await;
    });
}
