//! Mutual TLS: who is let in, what the access table allows, and files that change while calls run.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use licet_contracts::{METHODS, types::v1::Role};
use licet_runtime::{
    access::Access,
    config::Limits,
    peer::PeerChannel,
    server::{self, RunningServer, Security, Suite, shutdown},
    tls::Tls,
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tonic::{Code, Request, Status};

use crate::harness::{
    Backend,
    errors::take_apart,
    eventually,
    identities::{ClientAuthority, VALID, channel, replace},
    on_both_databases, raw, run,
    world::Storage,
};

on_both_databases![
    every_method_refuses_strangers_wrong_roles_and_false_fronts,
    a_changed_table_takes_effect_on_open_connections,
    certificates_and_authorities_change_under_load,
    bad_certificates_are_refused,
];

const DOMAIN: &str = "spiffe://ca.example";
const LIST_PRODUCTS: &str = "/licet.billing.v1.CatalogService/ListProducts";

/// All three services behind mutual TLS. Their peers are away.
struct Secured {
    _storage: Storage,
    folder: TempDir,
    authority: ClientAuthority,
    files: [PathBuf; 3],
    running: Vec<RunningServer>,
}

fn every_role() -> impl Iterator<Item = Role> {
    (1..).map_while(|number| Role::try_from(number).ok())
}

/// `customer` for `ROLE_CUSTOMER`.
fn word(role: Role) -> String {
    let name = role.as_str_name().trim_start_matches("ROLE_");
    name.to_ascii_lowercase()
}

/// A caller of each role, and a front that may speak for all of them and for somebody whom the table does not know.
fn table() -> String {
    let callers = every_role().map(|role| {
        let word = word(role);
        format!("[[identity]]\nname = \"{DOMAIN}/{word}\"\nroles = [\"{word}\"]\n")
    });
    let front = format!("[[identity]]\nname = \"{DOMAIN}/front\"\nspeaks_for = [\"{DOMAIN}/*\"]\n");
    callers.chain([front]).collect()
}

impl Secured {
    async fn start(backend: Backend) -> Self {
        let storage = Storage::create(backend).await;
        let folder = tempfile::tempdir().unwrap();
        let authority = ClientAuthority::new();
        let name = format!("{DOMAIN}/service");
        let files = authority.issue(folder.path(), "service", &[&name], VALID);
        replace(&folder.path().join("access.toml"), &table());
        let mut suite = Suite::on_system_clock();
        suite.security = Some(Security {
            tls: Tls::open(files.clone()).await.unwrap(),
            access: Access::open(folder.path().join("access.toml"))
                .await
                .unwrap(),
        });
        let away = || PeerChannel::new("http://127.0.0.1:1", "test").unwrap();
        let billing = licet_billing::build(licet_billing::Deps {
            location: storage.location("billing"),
            seller: None,
        });
        let orders = licet_orders::build(licet_orders::Deps {
            location: storage.location("orders"),
            clock: suite.clock.clone(),
            billing: away(),
            san_licensing: away(),
        });
        let san_licensing = licet_san_licensing::build(licet_san_licensing::Deps {
            location: storage.location("san_licensing"),
            clock: suite.clock.clone(),
            billing: away(),
            engine: licet_san_licensing::EngineSettings::default(),
        });
        let limits = Limits {
            drain_seconds: 1,
            ..Limits::default()
        };
        let services = [
            billing.await.unwrap(),
            orders.await.unwrap(),
            san_licensing.await.unwrap(),
        ];
        let mut running = Vec::new();
        for service in services {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            running.push(
                server::start(service, listener, &limits, &suite)
                    .await
                    .unwrap(),
            );
        }
        Self {
            _storage: storage,
            folder,
            authority,
            files,
            running,
        }
    }

    fn billing(&self) -> SocketAddr {
        self.running[0].address()
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        self.running.iter().map(RunningServer::address).collect()
    }

    /// The certificate of a caller.
    async fn tls(&self, name: &str) -> Tls {
        let uri = format!("{DOMAIN}/{name}");
        let files = self
            .authority
            .issue(self.folder.path(), name, &[&uri], VALID);
        Tls::open(files).await.unwrap()
    }

    async fn stop(self) {
        shutdown(self.running).await;
    }
}

async fn call(
    channel: PeerChannel,
    path: &'static str,
    caller: Option<&str>,
) -> Result<Option<Vec<u8>>, Status> {
    let mut request = Request::new(Vec::new());
    if let Some(caller) = caller {
        let name = format!("{DOMAIN}/{caller}");
        request
            .metadata_mut()
            .insert("licet-caller", name.parse().unwrap());
    }
    raw::first_answer(channel, path, request).await
}

async fn list_products(channel: PeerChannel) -> Result<(), Status> {
    call(channel, LIST_PRODUCTS, None).await.map(|_| ())
}

async fn every_method_refuses_strangers_wrong_roles_and_false_fronts(backend: Backend) {
    let secured = Secured::start(backend).await;
    let mut identities = BTreeMap::new();
    for name in every_role()
        .map(word)
        .chain(["stranger", "front"].map(str::to_owned))
    {
        let tls = secured.tls(&name).await;
        identities.insert(name, tls);
    }
    let mut cells = 0;
    for address in secured.addresses() {
        let channels: BTreeMap<_, _> = identities
            .iter()
            .map(|(name, tls)| (name.clone(), channel(address, tls)))
            .collect();
        for method in METHODS {
            let right = word(method.roles[0]);
            let mut cases = vec![
                ("stranger", None, Code::Unauthenticated),
                ("front", None, Code::PermissionDenied),
                ("front", Some("stranger"), Code::Unauthenticated),
                (right.as_str(), Some("stranger"), Code::PermissionDenied),
            ];
            // Some methods are open to every role.
            let wrong = every_role().find(|role| !method.roles.contains(role));
            let wrong = wrong.map(word);
            if let Some(wrong) = wrong.as_deref() {
                cases.push((wrong, None, Code::PermissionDenied));
                cases.push(("front", Some(wrong), Code::PermissionDenied));
            }
            for (name, speaks_for, code) in cases {
                let answer = call(channels[name].clone(), method.path, speaks_for).await;
                let refusal = take_apart(&answer.unwrap_err());
                if refusal.code == Code::Unimplemented {
                    // Another service has this method.
                    continue;
                }
                assert_eq!(refusal.code, code, "{} {name} {speaks_for:?}", method.path);
                cells += 1;
            }
        }
    }
    println!("{cells} cells refused");
    assert!(cells > 4 * 50, "{cells}");
    let operator = channel(secured.billing(), &identities["operator"]);
    list_products(operator).await.unwrap();
    let front = channel(secured.billing(), &identities["front"]);
    call(front, LIST_PRODUCTS, Some("operator")).await.unwrap();
    secured.stop().await;
}

async fn a_changed_table_takes_effect_on_open_connections(backend: Backend) {
    let secured = Secured::start(backend).await;
    let operator = channel(secured.billing(), &secured.tls("operator").await);
    list_products(operator.clone()).await.unwrap();
    let path = secured.folder.path().join("access.toml");
    let denied = format!("denied_identities = [\"{DOMAIN}/operator\"]\n{}", table());
    replace(&path, &denied);
    eventually("the operator is denied", || async {
        list_products(operator.clone()).await.err()
    })
    .await;
    // With a fault, the table before stays in force.
    replace(&path, &format!("nonsense = 1\n{}", table()));
    tokio::time::sleep(2 * licet_runtime::reloaded::RELOAD_INTERVAL).await;
    let refusal = list_products(operator.clone()).await.unwrap_err();
    assert_eq!(refusal.code(), Code::Unauthenticated);
    replace(&path, &table());
    eventually("the operator is allowed again", || async {
        list_products(operator.clone()).await.ok()
    })
    .await;
    secured.stop().await;
}

async fn certificates_and_authorities_change_under_load(backend: Backend) {
    let secured = Secured::start(backend).await;
    let addresses = secured.addresses();
    let operator = secured.tls("operator").await;
    let open = channel(addresses[0], &operator);
    let (ended, done) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let load = tokio::spawn({
        let (ended, done) = (ended.clone(), done.clone());
        async move {
            while !ended.load(Ordering::Relaxed) {
                list_products(open.clone()).await.unwrap();
                done.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    let other = ClientAuthority::new();
    let elsewhere = secured.folder.path().join("other");
    std::fs::create_dir(&elsewhere).unwrap();
    let uri = format!("{DOMAIN}/operator");
    let new = other.issue(&elsewhere, "operator", &[&uri], VALID);
    let new = Tls::open(new).await.unwrap();
    list_products(channel(addresses[0], &new))
        .await
        .unwrap_err();
    // The key alone does not fit the certificate; nothing changes until all three fit.
    let name = format!("{DOMAIN}/service");
    let replaced = other.issue(&elsewhere, "service", &[&name], VALID);
    for (from, to) in replaced.iter().zip(&secured.files).rev() {
        replace(to, &std::fs::read_to_string(from).unwrap());
    }
    for address in addresses {
        eventually("a new connection shows the new certificate", || async {
            let path = "/licet.clock.v1.ClockService/GetTime";
            let status = call(channel(address, &new), path, None).await.unwrap_err();
            // The test clock is off: with a connection, the service says so.
            (status.code() == Code::Unimplemented).then_some(())
        })
        .await;
    }
    let before = done.load(Ordering::Relaxed);
    eventually("the open connection goes on", || async {
        (done.load(Ordering::Relaxed) > before).then_some(())
    })
    .await;
    ended.store(true, Ordering::Relaxed);
    load.await.unwrap();
    println!("{} calls, none failed", done.load(Ordering::Relaxed));
    // The authority before is no longer trusted.
    list_products(channel(secured.billing(), &operator))
        .await
        .unwrap_err();
    secured.stop().await;
}

async fn bad_certificates_are_refused(backend: Backend) {
    let secured = Secured::start(backend).await;
    let folder = secured.folder.path();
    let uri = format!("{DOMAIN}/operator");
    let nameless = secured.authority.issue(folder, "nameless", &[], VALID);
    let nameless = channel(secured.billing(), &Tls::open(nameless).await.unwrap());
    let refusal = list_products(nameless).await.unwrap_err();
    assert_eq!(refusal.code(), Code::Unauthenticated);
    assert!(
        refusal.message().contains("no URI or DNS name"),
        "{refusal:?}"
    );

    // A process does not even start to use them.
    for (file, years, wrong) in [
        ("expired", (2020, 2021), "expired"),
        ("early", (2050, 2060), "not valid yet"),
    ] {
        let files = secured.authority.issue(folder, file, &[&uri], years);
        let error = Tls::open(files).await.unwrap_err().to_string();
        assert!(error.contains(wrong) && error.contains(file), "{error}");
    }
    // The client trusts the service's authority, but the service does not trust the client's.
    let [certificate, key, _] = ClientAuthority::new().issue(folder, "other", &[&uri], VALID);
    let mut both = std::fs::read_to_string(folder.join("other.ca")).unwrap();
    both.push_str(&std::fs::read_to_string(&secured.files[2]).unwrap());
    let ca = folder.join("both.ca");
    replace(&ca, &both);
    let tls = Tls::open([certificate, key, ca]).await.unwrap();
    let refusal = list_products(channel(secured.billing(), &tls))
        .await
        .unwrap_err();
    assert_ne!(
        refusal.code(),
        Code::Unauthenticated,
        "refused in the handshake"
    );
    secured.stop().await;
}

#[test]
fn plaintext_and_other_machines_do_not_go_together() {
    run(async {
        for address in [
            "http://ca.example:1",
            "http://10.0.0.1:1",
            "https://127.0.0.1:1",
        ] {
            let error = PeerChannel::new(address, "test").err().unwrap();
            assert!(error.to_string().contains("--tls-certificate"), "{error}");
        }
        for address in ["http://localhost:1", "http://127.0.0.2:1", "http://[::1]:1"] {
            assert!(PeerChannel::new(address, "test").is_ok(), "{address}");
        }
    });
}
