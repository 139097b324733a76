//! Stores with one of everything, saved as SQL text to test later upgrades, with the responses of their
//! services.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    path::{Path, PathBuf},
    process::Command,
};

use chrono::TimeDelta;
use licet_contracts::{
    billing::v1::{
        GetInvoiceRequest, GetStatementRequest, ListCreditNotesRequest, ListProductsRequest,
        ListRefundsRequest,
    },
    events::v1::{StreamEventsRequest, event_service_client::EventServiceClient},
    orders::v1::{
        BeginIssuanceRequest, DeleteOrderRequest, ListCertificatesRequest, ListOrderHistoryRequest,
        ListPendingIssuanceRequest, ListServersRequest, OrderState, PlaceOrderRequest,
    },
    sanlicensing::v1::{
        GetUsageRequest, License, ListCertificatesRequest as ListSanCertificatesRequest,
        ListLicensesRequest, ListUniqueSansRequest,
    },
    types::v1::{KeyType, Period},
};
use licet_domain::clock::Instant;
use licet_runtime::database::Location;
use sea_orm::{ConnectionTrait, Database};
use serde::{Deserialize, Serialize};
use tokio_stream::StreamExt as _;

use super::{
    Backend,
    books::Books,
    certificates::chain_for,
    channel::Channel,
    clock::timestamp,
    eventually,
    guardian::{NOT_INSTALLED, find_programs},
    ingest::{revoked, signed},
    request_id,
    samples::{issuance_of, multi_domain_request},
    san::{facts, quote_request},
    world::World,
};

/// The contents of a saved store.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct KeptStore {
    /// The time of its services when it was saved.
    pub(crate) now_us: i64,
    /// Ids of its resources, by their names in [`fill`].
    pub(crate) ids: BTreeMap<String, String>,
    /// The responses of its services, by request.
    pub(crate) answers: BTreeMap<String, String>,
}

impl KeptStore {
    /// The stores of `version`, a folder of tests/stores.
    pub(crate) fn load(version: &str, backend: Backend) -> Self {
        let file = format!("{}.json", word(backend));
        let text = std::fs::read_to_string(folder(version).join(file)).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::from_micros(self.now_us).unwrap()
    }

    pub(crate) fn id(&self, name: &str) -> String {
        self.ids[name].clone()
    }

    fn name(&mut self, name: &str, id: &str) {
        self.ids.insert(name.to_owned(), id.to_owned());
    }
}

fn word(backend: Backend) -> &'static str {
    match backend {
        Backend::Sqlite => "sqlite",
        Backend::Postgres => "postgres",
    }
}

fn folder(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("stores")
        .join(version)
}

const AREAS: [&str; 3] = ["billing", "orders", "san_licensing"];

/// Restores the stores of an earlier version to the places where a world looks for them.
pub(crate) async fn put_back(world: &World, version: &str, backend: Backend) {
    for area in AREAS {
        let file = format!("{area}.{}.sql", word(backend));
        let mut text = std::fs::read_to_string(folder(version).join(file)).unwrap();
        let connection = match world.location(area) {
            Location::Sqlite(path) => {
                // The tables are in alphabetical order, not by their references.
                text.insert_str(0, "PRAGMA foreign_keys = OFF;\n");
                let url = format!("sqlite:{}?mode=rwc", path.display());
                Database::connect(url).await.unwrap()
            }
            Location::Postgres { url, .. } => Database::connect(url).await.unwrap(),
        };
        connection.execute_unprepared(&text).await.unwrap();
        // Requests are stored for ninety days of real time, so make these recent.
        let table = match backend {
            Backend::Sqlite => "replay".to_owned(),
            Backend::Postgres => format!("{area}.replay"),
        };
        let recorded_us = licet_runtime::clock::real_now().as_micros();
        let renew = format!("UPDATE {table} SET recorded_us = {recorded_us}");
        connection.execute_unprepared(&renew).await.unwrap();
        connection.close().await.unwrap();
    }
}

fn programs() -> PathBuf {
    find_programs().expect(NOT_INSTALLED)
}

/// Saves the stores of a world, with their contents, to a folder.
pub(crate) fn keep(world: &World, kept: &KeptStore, backend: Backend, folder: &Path) {
    for area in AREAS {
        let output = match world.location(area) {
            Location::Sqlite(path) => Command::new("python3")
                .arg("-c")
                .arg("import sqlite3, sys\nprint(*sqlite3.connect(sys.argv[1]).iterdump(), sep='\\n')")
                .arg(path)
                .output(),
            Location::Postgres { url, schema } => Command::new(programs().join("pg_dump"))
                .args(["--no-owner", "--no-privileges", "--inserts"])
                .args(["--rows-per-insert=50", "--schema", &schema, &url])
                .output(),
        };
        let output = output.unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        // A store cannot run psql's commands.
        let sql: Vec<_> = text
            .lines()
            .filter(|line| !line.starts_with(['\\', '-']))
            .collect();
        let file = folder.join(format!("{area}.{}.sql", word(backend)));
        std::fs::write(file, sql.join("\n") + "\n").unwrap();
    }
    let text = serde_json::to_string_pretty(kept).unwrap();
    std::fs::write(folder.join(format!("{}.json", word(backend))), text + "\n").unwrap();
}

/// The request that placed the paid order.
pub(crate) fn placing(kept: &KeptStore) -> PlaceOrderRequest {
    PlaceOrderRequest {
        request_id: kept.id("placing request"),
        ..multi_domain_request(&kept.id("buyer"), &["paid.example", "b.example"])
    }
}

/// Fills the stores of all three services and stops them. One order's charge is left pending.
pub(crate) async fn fill(backend: Backend) -> (World, KeptStore) {
    let books = Books::keep(backend).await;
    let mut world = books.world;
    let mut kept = KeptStore::default();
    kept.name("prepaid", &books.prepaid);
    kept.name("on terms", &books.on_terms);
    kept.name("part paid", &books.part_paid.invoice_id);
    let buyer = world.account_with("5000.00").await;
    kept.name("buyer", &buyer);

    let paid = request_id();
    kept.name("placing request", &paid);
    let order = world.place(placing(&kept)).await;
    kept.name("order paid", &order.order_id);
    sell_orders(&world, &mut kept, &buyer).await;
    world.start_san_licensing().await;
    fill_license(&world, &mut kept, &buyer).await;

    kept.now_us = world.now().as_micros();
    kept.answers = answers(&world, &kept).await;
    wait_for_another(&mut world, &mut kept).await;
    world.stop_orders().await;
    world.stop_san_licensing(0).await;
    (world, kept)
}

/// Orders in each state, two years old at most.
async fn sell_orders(world: &World, kept: &mut KeptStore, buyer: &str) {
    let short = PlaceOrderRequest {
        term_months: 1,
        ..multi_domain_request(buyer, &["ended.example"])
    };
    let ended = world.place(short).await;
    let chain = chain_for(&ended.domains, world.now(), 27);
    let report = issuance_of(&ended.order_id, chain);
    world.certificates().record_issuance(report).await.unwrap();
    kept.name("order ended", &ended.order_id);
    let reviewed = world.multi_domain_order(buyer, &["reviewed.example"]).await;
    world.record(&reviewed.order_id).await;
    kept.name("order deleted", &reviewed.order_id);

    world.time.advance(TimeDelta::days(28));
    let delete = DeleteOrderRequest {
        order_id: reviewed.order_id,
        request_id: request_id(),
        ..DeleteOrderRequest::default()
    };
    world.orders().delete_order(delete).await.unwrap();

    let issued = world.single_domain_order(buyer, 2).await;
    world.record(&issued.order_id).await;
    let server = world.server(&issued, "one.internal");
    world.servers().register_server(server).await.unwrap();
    kept.name("order issued", &issued.order_id);
    let changing = world.multi_domain_order(buyer, &["changing.example"]).await;
    world.record(&changing.order_id).await;
    let more = ["added.example", "*.wild.example"];
    world.update_domains(&changing.order_id, &more, &[]).await;
    kept.name("order changing", &changing.order_id);
    world.time.advance(TimeDelta::days(10));
}

/// A licence with certificates, a reservation, a feed and revocations, whose quota was raised once.
async fn fill_license(world: &World, kept: &mut KeptStore, buyer: &str) {
    world.stock_sans().await;
    let license = world.license(buyer, 20).await;
    kept.name("license", &license.license_id);
    let draft = world.quoted(quote_request(buyer, 30)).await;
    kept.name("draft", &draft.license_id);
    let list = [
        "a.example",
        "*.a.example",
        "mail:Ann@Example.com",
        "ip:10.0.0.1",
    ];
    world.recorded(&license, &list).await;
    let gone = world.recorded(&license, &["gone.example"]).await;
    world.revoke(&license, &[&gone]).await;
    let held = world.granted(&license, &["held.example"]).await;
    world.granted(&license, &["let-go.example"]).await;
    kept.name("reservation", &held.reservation_id);
    feed(world, &license).await;
    world.time.advance(TimeDelta::days(3));
    let license = world.increase(&license, 25).await;
    world.granted(&license, &["asked.example"]).await;
    draw(world, kept, &license).await;
}

async fn feed(world: &World, license: &License) {
    let fed = |list: &[&str]| facts(list, world.now(), world.usual_end());
    let (first, second) = (fed(&["fed.example"]), fed(&["back.example"]));
    world
        .ingest(1, vec![signed(license, &first), signed(license, &second)])
        .await;
    let stranger = licet_contracts::sanlicensing::v1::IngestRecord {
        product_id: "nothing-sold".to_owned(),
        ..signed(license, &fed(&["stray.example"]))
    };
    world
        .ingest(2, vec![revoked(license, &second), stranger])
        .await;
}

/// An order whose domains count in the licence, with an authorised certificate.
async fn draw(world: &World, kept: &mut KeptStore, license: &License) {
    let drawing = PlaceOrderRequest {
        san_license_id: license.license_id.clone(),
        ..multi_domain_request(&license.account_id, &["drawn.example", "d.example"])
    };
    let order = world.place(drawing).await;
    kept.name("order drawn", &order.order_id);
    let begin = BeginIssuanceRequest {
        order_id: order.order_id,
        key_type: KeyType::Ecc.into(),
        not_after_time: Some(timestamp(world.usual_end())),
        request_id: request_id(),
    };
    world.certificates().begin_issuance(begin).await.unwrap();
}

async fn wait_for_another(world: &mut World, kept: &mut KeptStore) {
    let waiting = world.account_with("500.00").await;
    kept.name("waiting account", &waiting);
    world.stop_billing().await;
    let request = multi_domain_request(&waiting, &["waiting.example"]);
    let answer = world.orders().place_order(request).await.unwrap();
    let order = answer.into_inner().order.unwrap();
    assert_eq!(order.state(), OrderState::Pending);
    kept.name("order waiting", &order.order_id);
}

/// A response as text, a line for each field.
fn shown(answer: &impl Debug) -> String {
    let text = format!("{answer:#?}");
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    lines.join("\n")
}

/// The responses of the three services about everything that [`fill`] finished.
pub(crate) async fn answers(world: &World, kept: &KeptStore) -> BTreeMap<String, String> {
    let mut answers = BTreeMap::new();
    let mut note = |what: &str, answer: String| {
        answers.insert(what.to_owned(), answer);
    };
    for account in ["prepaid", "on terms", "buyer"] {
        let id = kept.id(account);
        note(account, shown(&world.get_account(&id).await));
        note(
            &format!("entries of {account}"),
            shown(&world.entries_of(&id).await),
        );
        note(
            &format!("invoices of {account}"),
            shown(&world.invoices_of_account(&id).await),
        );
        let refunds = ListRefundsRequest {
            account_id: id.clone(),
            ..ListRefundsRequest::default()
        };
        let refunds = world.refunds().list_refunds(refunds).await.unwrap();
        note(
            &format!("refunds of {account}"),
            shown(&refunds.into_inner()),
        );
        let notes = ListCreditNotesRequest {
            account_id: id,
            ..ListCreditNotesRequest::default()
        };
        let notes = world.invoices().list_credit_notes(notes).await.unwrap();
        note(
            &format!("credit notes of {account}"),
            shown(&notes.into_inner()),
        );
    }
    let invoice = GetInvoiceRequest {
        invoice_id: kept.id("part paid"),
    };
    let invoice = world.invoices().get_invoice(invoice).await.unwrap();
    note("part paid", shown(&invoice.into_inner()));
    let products = ListProductsRequest::default();
    let products = world.catalog().list_products(products).await.unwrap();
    note("products", shown(&products.into_inner()));
    note("statement", statement(world, kept).await);
    note_orders(world, kept, &mut note).await;
    note_license(world, kept, &mut note).await;
    for (name, client) in [
        ("billing", world.billing_events()),
        ("orders", world.orders_events()),
        ("san-licensing", world.san_events()),
    ] {
        note(&format!("events of {name}"), events(client).await);
    }
    answers
}

async fn statement(world: &World, kept: &KeptStore) -> String {
    let now = kept.now();
    let from = now.checked_add(-TimeDelta::days(60)).unwrap();
    let request = GetStatementRequest {
        account_id: kept.id("on terms"),
        period: Some(Period {
            start_time: Some(timestamp(from)),
            end_time: Some(timestamp(now)),
        }),
    };
    let answer = world.accounts().get_statement(request).await.unwrap();
    shown(&answer.into_inner())
}

async fn note_orders(world: &World, kept: &KeptStore, note: &mut impl FnMut(&str, String)) {
    for (name, order_id) in kept
        .ids
        .iter()
        .filter(|(name, _)| name.starts_with("order "))
    {
        if name == "order waiting" {
            continue;
        }
        note(name, shown(&world.get_order(order_id).await));
        let certificates = ListCertificatesRequest {
            order_id: order_id.clone(),
            ..ListCertificatesRequest::default()
        };
        let answer = world.certificates().list_certificates(certificates).await;
        note(
            &format!("certificates of {name}"),
            shown(&answer.unwrap().into_inner()),
        );
        let history = ListOrderHistoryRequest {
            order_id: order_id.clone(),
            ..ListOrderHistoryRequest::default()
        };
        let answer = world.orders().list_order_history(history).await;
        note(
            &format!("history of {name}"),
            shown(&answer.unwrap().into_inner()),
        );
    }
    let servers = ListServersRequest {
        order_id: kept.id("order issued"),
        ..ListServersRequest::default()
    };
    let servers = world.servers().list_servers(servers).await.unwrap();
    note("servers", shown(&servers.into_inner()));
    let pending = ListPendingIssuanceRequest::default();
    let pending = world.certificates().list_pending_issuance(pending).await;
    note("pending issuance", shown(&pending.unwrap().into_inner()));
}

async fn note_license(world: &World, kept: &KeptStore, note: &mut impl FnMut(&str, String)) {
    let license_id = kept.id("license");
    let licenses = ListLicensesRequest {
        account_id: kept.id("buyer"),
        ..ListLicensesRequest::default()
    };
    let answer = world.san_licenses().list_licenses(licenses).await;
    note("licenses", shown(&answer.unwrap().into_inner()));
    let now = kept.now();
    for days in [-2, 30, 95] {
        let usage = GetUsageRequest {
            license_id: license_id.clone(),
            as_of_time: now.checked_add(TimeDelta::days(days)).map(timestamp),
        };
        let answer = world.san_usage().get_usage(usage).await.unwrap();
        note(
            &format!("usage in {days} days"),
            shown(&answer.into_inner()),
        );
    }
    let certificates = ListSanCertificatesRequest {
        license_id: license_id.clone(),
        ..ListSanCertificatesRequest::default()
    };
    let answer = world.san_usage().list_certificates(certificates).await;
    note("certificates", shown(&answer.unwrap().into_inner()));
    let unique = ListUniqueSansRequest {
        license_id,
        ..ListUniqueSansRequest::default()
    };
    let answer = world.san_usage().list_unique_sans(unique).await;
    note("unique SANs", shown(&answer.unwrap().into_inner()));
    note("feed", shown(&world.feed().await.unwrap()));
    note("refused records", shown(&world.refused_records(100).await));
    let unallocated = world.unallocated(&kept.id("buyer"), 100).await;
    note("unallocated", shown(&unallocated));
}

/// The first events of a service's log, with their chain.
async fn events(client: EventServiceClient<Channel>) -> String {
    eventually("the events have their positions", || async {
        let request = StreamEventsRequest {
            follow: Some(false),
            ..StreamEventsRequest::default()
        };
        let stream = client.clone().stream_events(request).await.unwrap();
        let first: Vec<_> = stream.into_inner().take(12).collect().await;
        (first.len() == 12).then(|| shown(&first))
    })
    .await
}
