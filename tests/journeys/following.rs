//! SanLicensing's events reach Orders: a certificate revoked in a SAN licence is revoked once on its
//! order, even if a service was unreachable or restarted, or the event arrived twice.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use chrono::TimeDelta;
use licet_contracts::{
    clock::v1::{AdvanceTimeRequest, advance_time_request::By},
    orders::v1::{
        BeginIssuanceRequest, Certificate, CertificateState, GetCertificateRequest, HistoryEntry,
        ListOrderHistoryRequest, Order, OrderState, PlaceOrderRequest, RevokeCertificateRequest,
    },
    sanlicensing::v1::{
        Certificate as SanCertificate, CertificateFacts, IngestRecord, License,
        ListCertificatesRequest, RevocationReason,
    },
    types::v1::KeyType,
};
use licet_domain::{certificate::parse_chain, clock::Instant};
use licet_runtime::peer::{FaultPlan, Interference};
use tonic::Request;

use crate::contracts::{
    peer_stores::{accept, store_id},
    pruning::{mark, pruned},
};
use crate::harness::{
    Backend,
    books::BackDoor,
    certificates::chain_for,
    clock::{instant, timestamp},
    eventually, ingest, on_both_databases, request_id,
    samples::{issuance_of, multi_domain_request, names},
    san::figures,
    world::World,
};

on_both_databases![
    x_1_a_certificate_revoked_in_san_licensing_is_revoked_in_orders,
    x_1_a_revocation_waits_for_whoever_is_away,
    x_1_an_event_that_comes_again_or_back_changes_nothing,
    x_1_a_revocation_before_its_certificate_waits_for_it,
    x_1_a_revocation_stored_without_its_account_waits_no_less,
    x_1_a_revocation_that_was_pruned_comes_with_the_record,
    x_1_what_the_authority_reports_to_a_license_reaches_the_order,
    x_1_two_instances_apply_an_event_once,
    x_1_a_new_store_of_san_licensing_is_followed_from_its_beginning,
    x_6_an_advance_of_time_answers_when_revocations_have_followed,
];

const NAMES: [&str; 2] = ["www.example.com", "a.example"];

pub(super) async fn started(backend: Backend) -> (World, License) {
    let (mut world, license) = World::start_licensed(backend, 100).await;
    world.start_orders().await;
    world.stock().await;
    (world, license)
}

/// An order under the licence, whose certificate may be signed.
pub(super) async fn begun(world: &World, license: &License, list: &[&str]) -> Order {
    let request = PlaceOrderRequest {
        san_license_id: license.license_id.clone(),
        ..multi_domain_request(&license.account_id, list)
    };
    let answer = world.orders().place_order(request).await.unwrap();
    let accepted = answer.into_inner().order.unwrap();
    // Peers need a moment to connect to a new store.
    let order = world.settled(&accepted.order_id).await;
    begin(world, &order).await;
    order
}

async fn begin(world: &World, order: &Order) {
    let request = BeginIssuanceRequest {
        order_id: order.order_id.clone(),
        key_type: KeyType::Ecc.into(),
        not_after_time: Some(timestamp(world.usual_end())),
        request_id: request_id(),
    };
    world.certificates().begin_issuance(request).await.unwrap();
}

/// An order with its recorded certificate.
pub(super) async fn issued(
    world: &World,
    license: &License,
    list: &[&str],
) -> (Order, Certificate) {
    let order = begun(world, license, list).await;
    let certificate = world.record(&order.order_id).await;
    (order, certificate)
}

/// The licence's active certificates, as SanLicensing shows them.
pub(super) async fn active(world: &World, license: &License) -> Vec<SanCertificate> {
    let ask = ListCertificatesRequest {
        license_id: license.license_id.clone(),
        state: licet_contracts::sanlicensing::v1::CertificateState::Active.into(),
        ..ListCertificatesRequest::default()
    };
    let answer = world.san_usage().list_certificates(ask).await.unwrap();
    answer.into_inner().certificates
}

/// Revokes all certificates of the licence in SanLicensing, for a compromised key; returns the request id.
pub(super) async fn revoke_all(world: &World, license: &License) -> String {
    let all = active(world, license).await;
    let mut request = world
        .revocation(license, &all.iter().collect::<Vec<_>>())
        .await;
    request.set_reason(RevocationReason::KeyCompromise);
    let id = request.request_id.clone();
    let mut request = Request::new(request);
    let caller = "security-team".parse().unwrap();
    request.metadata_mut().insert("licet-caller", caller);
    world
        .san_issuance()
        .revoke_certificates(request)
        .await
        .unwrap();
    id
}

pub(super) async fn get(world: &World, certificate: &Certificate) -> Certificate {
    let ask = GetCertificateRequest {
        certificate_id: certificate.certificate_id.clone(),
    };
    let answer = world.certificates().get_certificate(ask).await.unwrap();
    answer.into_inner().certificate.unwrap()
}

pub(super) async fn revoked(world: &World, certificate: &Certificate) -> Certificate {
    eventually("the certificate counts as revoked", || async {
        let found = get(world, certificate).await;
        (found.state() == CertificateState::Revoked).then_some(found)
    })
    .await
}

async fn history(world: &World, order: &Order) -> Vec<HistoryEntry> {
    let ask = ListOrderHistoryRequest {
        order_id: order.order_id.clone(),
        ..ListOrderHistoryRequest::default()
    };
    let answer = world.orders().list_order_history(ask).await.unwrap();
    let mut entries = answer.into_inner().entries;
    for entry in &mut entries {
        // The position, which an event may get later, is left out.
        entry.position = 0;
    }
    entries
}

pub(super) async fn revocations(world: &World, order: &Order) -> Vec<HistoryEntry> {
    let mut entries = history(world, order).await;
    entries.retain(|entry| entry.r#type == "licet.orders.certificate.revoked.v1");
    entries
}

/// Waits until Orders has applied every event of SanLicensing's log.
pub(super) async fn followed(world: &World, door: &BackDoor) {
    let last = eventually("all of SanLicensing's events are in its log", || async {
        let door = BackDoor::open(&world.san_licensing_location()).await;
        let waiting = door.run("UPDATE outbox SET why = why").await;
        let log = crate::contracts::events::log(world.san_events()).await;
        let log = log.into_iter().filter(|entry| {
            let event = entry.event.as_ref().unwrap();
            event.r#type == "licet.sanlicensing.usage.changed.v1"
        });
        (waiting == 0).then(|| log.map(|entry| entry.position).max())
    })
    .await;
    let there = format!(
        "UPDATE following SET source = source WHERE position >= {}",
        last.unwrap()
    );
    eventually("Orders has applied all events", || async {
        (door.run(&there).await == 1).then_some(())
    })
    .await;
}

async fn x_1_a_certificate_revoked_in_san_licensing_is_revoked_in_orders(backend: Backend) {
    let (world, license) = started(backend).await;
    let (order, certificate) = issued(&world, &license, &NAMES).await;
    let (other, stays) = issued(&world, &license, &["b.example"]).await;
    let before = history(&world, &other).await;
    world.time.advance_days(2);
    let asked = world.now();
    let all = active(&world, &license).await;
    let one: Vec<_> = all.iter().filter(|found| found.sans.len() == 2).collect();
    let mut request = world.revocation(&license, &one).await;
    request.set_reason(RevocationReason::PrivilegeWithdrawn);
    let id = request.request_id.clone();
    world
        .san_issuance()
        .revoke_certificates(request)
        .await
        .unwrap();

    let found = revoked(&world, &certificate).await;
    assert_eq!(instant(found.revoke_time), asked);
    assert_eq!(
        found.revocation_reason(),
        RevocationReason::PrivilegeWithdrawn,
        "{found:?}"
    );
    // The order has no pending certificate: its owner must request a reissue.
    let order = world.get_order(&order.order_id).await;
    assert_eq!(order.state(), OrderState::Issued);
    assert!(order.pending_change.is_none(), "{order:?}");
    let told = history(&world, &order).await.pop().unwrap();
    assert_eq!(told.r#type, "licet.orders.certificate.revoked.v1");
    assert_eq!(
        (told.why.as_str(), told.outcome.as_str()),
        ("X-1", "REVOKED")
    );
    assert_eq!(
        (told.request_id, told.caller.as_str()),
        (id, "local-operator")
    );
    let method = "/licet.sanlicensing.v1.IssuanceService/RevokeCertificates";
    assert_eq!(told.method, method);
    assert_eq!(instant(told.time), asked);

    assert_eq!(get(&world, &stays).await, stays);
    assert_eq!(history(&world, &other).await, before);
    assert_eq!(figures(&world.usage(&license).await), (1, 0, 99));
}

async fn x_1_a_revocation_waits_for_whoever_is_away(backend: Backend) {
    let (mut world, license) = started(backend).await;
    let (order, certificate) = issued(&world, &license, &NAMES).await;
    world.stop_orders().await;
    let told = world.now();
    let id = revoke_all(&world, &license).await;
    let door = BackDoor::open(&world.san_licensing_location()).await;
    eventually("the event is in the log", || async {
        (door.run("UPDATE outbox SET why = why").await == 0).then_some(())
    })
    .await;
    world.stop_san_licensing(0).await;
    world.start_orders().await;
    world.time.advance(TimeDelta::hours(1));
    tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
    assert_eq!(get(&world, &certificate).await, certificate);
    world.start_san_licensing().await;

    // Orders dates the revocation by its own clock; SanLicensing's time stays in the event's data (T-6).
    let found = revoked(&world, &certificate).await;
    assert_eq!(instant(found.revoke_time), world.now());
    let entries = revocations(&world, &order).await;
    assert_eq!(entries.len(), 1, "{entries:?}");
    let facts: serde_json::Value = serde_json::from_str(&entries[0].data_json).unwrap();
    let there: Instant = serde_json::from_value(facts["san_revoke_time"].clone()).unwrap();
    assert_eq!(there, told);
    assert_eq!(facts["reason"], "KEY_COMPROMISE");
    assert_eq!(entries[0].caller, "security-team");
    assert_eq!(entries[0].request_id, id);

    // After another restart, Orders resumes at its position.
    begin_again(&world, &order).await;
    let next = world.record(&order.order_id).await;
    world.stop_orders().await;
    world.start_orders().await;
    revoke_all(&world, &license).await;
    revoked(&world, &next).await;
    assert_eq!(revocations(&world, &order).await.len(), 2);
}

/// Requests a reissue.
async fn begin_again(world: &World, order: &Order) {
    let request = licet_contracts::orders::v1::RequestReissueRequest {
        order_id: order.order_id.clone(),
        request_id: request_id(),
        ..Default::default()
    };
    world.orders().request_reissue(request).await.unwrap();
    begin(world, order).await;
}

async fn x_1_an_event_that_comes_again_or_back_changes_nothing(backend: Backend) {
    let (world, license) = started(backend).await;
    let door = BackDoor::open(&world.orders_location()).await;
    let (order, certificate) = issued(&world, &license, &NAMES).await;
    revoke_all(&world, &license).await;
    let first = revoked(&world, &certificate).await;
    // Orders revokes one certificate by request and one by replacement. SanLicensing's events report both.
    let (mine, own) = issued(&world, &license, &["b.example"]).await;
    let request = RevokeCertificateRequest {
        certificate_id: own.certificate_id.clone(),
        request_id: request_id(),
        ..RevokeCertificateRequest::default()
    };
    world
        .certificates()
        .revoke_certificate(request)
        .await
        .unwrap();
    let (changed, replaced) = issued(&world, &license, &["c.example"]).await;
    world
        .update_domains(&changed.order_id, &["d.example"], &[])
        .await;
    begin(&world, &changed).await;
    world.record(&changed.order_id).await;
    world.time.advance_days(3);
    eventually("all SANs are free", || async {
        let usage = figures(&world.usage(&license).await);
        (usage == (2, 0, 98)).then_some(())
    })
    .await;
    followed(&world, &door).await;
    let all = [(&order, &certificate), (&mine, &own), (&changed, &replaced)];
    let mut before = Vec::new();
    for (order, certificate) in all {
        eventually("the order's history shows the free SANs", || async {
            let kinds = history(&world, order).await;
            let back = "licet.orders.certificate.sans_returned.v1";
            let noted = kinds.iter().filter(|entry| entry.r#type == back).count();
            (noted == usize::from(order.order_id != all[0].0.order_id)).then_some(())
        })
        .await;
        let found = get(&world, certificate).await;
        assert_eq!(found.state(), CertificateState::Revoked);
        before.push((history(&world, order).await, found));
    }
    assert_eq!(before[0].1, first);
    let counts = [1, 1, 0];
    for ((order, _), count) in all.into_iter().zip(counts) {
        assert_eq!(revocations(&world, order).await.len(), count);
    }

    world.time.advance_days(1);
    assert_eq!(door.run("UPDATE following SET position = 0").await, 1);
    followed(&world, &door).await;
    for ((order, certificate), before) in all.into_iter().zip(before) {
        let after = (history(&world, order).await, get(&world, certificate).await);
        assert_eq!(after, before);
    }
}

/// Loses the responses to RecordCertificate while it is on.
#[derive(Default)]
struct Forgetting(AtomicBool);

impl FaultPlan for Forgetting {
    fn next(&self, path: &str) -> Interference {
        if self.0.load(Ordering::Relaxed) && path.ends_with("/RecordCertificate") {
            Interference::LoseResponse
        } else {
            Interference::None
        }
    }
}

async fn x_1_a_revocation_before_its_certificate_waits_for_it(backend: Backend) {
    revoked_before_recorded(backend, Meanwhile::Nothing).await;
}

async fn x_1_a_revocation_stored_without_its_account_waits_no_less(backend: Backend) {
    revoked_before_recorded(backend, Meanwhile::Upgraded).await;
}

/// Rewrites the revocations that wait as versions before the tenant key stored them.
async fn undo_tenant_key(door: &BackDoor) {
    let columns = "san_certificate_id, reason, san_revoke_us, caller, method, request_id";
    for sql in [
        format!("CREATE TABLE earlier AS SELECT {columns} FROM early_revocation"),
        "DROP TABLE early_revocation".to_owned(),
        "ALTER TABLE earlier RENAME TO early_revocation".to_owned(),
    ] {
        door.run(&sql).await;
    }
    let migrations = "DELETE FROM seaql_migrations
        WHERE version IN ('orders_0017_tenant_key', 'orders_0018_retention')";
    assert_eq!(door.run(migrations).await, 2);
}

async fn x_1_a_revocation_that_was_pruned_comes_with_the_record(backend: Backend) {
    revoked_before_recorded(backend, Meanwhile::Pruned).await;
}

/// What happens between the revocation and the record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meanwhile {
    Nothing,
    /// Orders is upgraded.
    Upgraded,
    /// So much time passes that the revocation is pruned in Orders, and replay records in SanLicensing.
    Pruned,
}

async fn revoked_before_recorded(backend: Backend, meanwhile: Meanwhile) {
    let (mut world, license) = World::start_licensed(backend, 100).await;
    let forgetting = Arc::new(Forgetting::default());
    world.interfere(forgetting.clone());
    world.start_orders().await;
    world.stock().await;
    let door = BackDoor::open(&world.orders_location()).await;
    let order = begun(&world, &license, &NAMES).await;
    forgetting.0.store(true, Ordering::Relaxed);
    let report = world.issuance(&order.order_id, &names(&NAMES));
    let answer = world
        .certificates()
        .record_issuance(report.clone())
        .await
        .unwrap();
    assert_eq!(answer.into_inner().certificate, None);
    assert_eq!(active(&world, &license).await.len(), 1, "recorded there");
    revoke_all(&world, &license).await;
    followed(&world, &door).await;
    assert_eq!(revocations(&world, &order).await, []);
    let stored = "UPDATE early_revocation SET reason = reason";
    match meanwhile {
        Meanwhile::Nothing => {}
        Meanwhile::Upgraded => {
            world.stop_orders().await;
            undo_tenant_key(&door).await;
            world.start_orders().await;
            followed(&world, &door).await;
        }
        Meanwhile::Pruned => {
            assert_eq!(door.run(stored).await, 1);
            world.stop_orders().await;
            world.stop_san_licensing(0).await;
            world.prune_as_if_after(181);
            world.time.advance_days(181);
            let there = mark(&world.san_licensing_location()).await;
            world.start_san_licensing().await;
            world.start_orders().await;
            eventually("the revocation is pruned", || async {
                (door.run(stored).await == 0).then_some(())
            })
            .await;
            pruned(&there).await;
        }
    }

    forgetting.0.store(false, Ordering::Relaxed);
    world.settled(&order.order_id).await;
    let answer = world.certificates().record_issuance(report).await.unwrap();
    let recorded = answer.into_inner().certificate.unwrap();
    assert_eq!(recorded.state(), CertificateState::Revoked);
    assert_eq!(
        recorded.revocation_reason(),
        RevocationReason::KeyCompromise
    );
    assert_eq!(recorded.revoke_time, recorded.record_time);
    assert_eq!(get(&world, &recorded).await, recorded);
    let entries = history(&world, &order).await;
    let kinds: Vec<_> = entries.iter().map(|entry| entry.r#type.as_str()).collect();
    assert!(
        kinds.ends_with(&[
            "licet.orders.certificate.recorded.v1",
            "licet.orders.certificate.revoked.v1"
        ]),
        "{kinds:?}"
    );
    // Who asked for a pruned one is known to SanLicensing alone.
    let caller = match meanwhile {
        Meanwhile::Nothing | Meanwhile::Upgraded => "security-team",
        Meanwhile::Pruned => "san-licensing",
    };
    assert_eq!(entries.last().unwrap().caller, caller);
    assert_eq!(door.run(stored).await, 0);
}

/// The report that an order's certificate, given by its chain, was revoked.
fn report(license: &License, chain: &[u8]) -> IngestRecord {
    let parsed = parse_chain(chain).unwrap().remove(0);
    let facts = CertificateFacts {
        issuer_der: parsed.issuer_der,
        serial: parsed.serial_hex,
        ..CertificateFacts::default()
    };
    ingest::revoked(license, &facts)
}

async fn x_1_what_the_authority_reports_to_a_license_reaches_the_order(backend: Backend) {
    let (world, license) = started(backend).await;
    let (order, certificate) = issued(&world, &license, &NAMES).await;
    world
        .ingest(1, vec![report(&license, certificate.chain_pem.as_bytes())])
        .await;
    let found = revoked(&world, &certificate).await;
    assert_eq!(found.revocation_reason(), RevocationReason::KeyCompromise);
    assert_eq!(revocations(&world, &order).await.len(), 1);

    // The licence learns of the revocation before the certificate (SL-15).
    let order = begun(&world, &license, &["b.example"]).await;
    let chain = chain_for(&names(&["b.example"]), world.now(), 90);
    let told = report(&license, chain.as_bytes());
    world.ingest(2, vec![told]).await;
    let request = issuance_of(&order.order_id, chain);
    let answer = world.certificates().record_issuance(request).await.unwrap();
    let certificate = answer.into_inner().certificate.unwrap();
    revoked(&world, &certificate).await;
    let entries = revocations(&world, &order).await;
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(entries[0].why, "X-1");
    assert_eq!(figures(&world.usage(&license).await), (0, 0, 100));
}

async fn x_1_two_instances_apply_an_event_once(backend: Backend) {
    let (world, license) = started(backend).await;
    // SQLite serves one instance only.
    let _second = match backend {
        Backend::Sqlite => None,
        Backend::Postgres => Some(world.another_orders().await),
    };
    let door = BackDoor::open(&world.orders_location()).await;
    let mut all = Vec::new();
    for list in [["a.example"], ["b.example"], ["c.example"], ["d.example"]] {
        all.push(issued(&world, &license, &list).await);
    }
    for found in active(&world, &license).await {
        world.revoke(&license, &[&found]).await;
    }
    for (_, certificate) in &all {
        revoked(&world, certificate).await;
    }
    for _ in 0..3 {
        followed(&world, &door).await;
        assert_eq!(door.run("UPDATE following SET position = 0").await, 1);
    }
    followed(&world, &door).await;
    for (order, _) in &all {
        let entries = revocations(&world, order).await;
        assert_eq!(entries.len(), 1, "{entries:?}");
    }
}

async fn x_6_an_advance_of_time_answers_when_revocations_have_followed(backend: Backend) {
    let mut world = World::start_on_test_clock(backend).await;
    world.start_san_licensing().await;
    world.stock_sans().await;
    world.stock().await;
    let account_id = world.account_with("1000000.00").await;
    let license = world.license(&account_id, 100).await;
    // Repeats, because a schedule may happen to be faster once.
    for list in [["a.example"], ["b.example"], ["c.example"], ["d.example"]] {
        let (_, certificate) = issued(&world, &license, &list).await;
        revoke_all(&world, &license).await;
        let minute = prost_types::Duration {
            seconds: 60,
            nanos: 0,
        };
        let advance = AdvanceTimeRequest {
            by: Some(By::Duration(minute)),
            request_id: request_id(),
        };
        world.clock().advance_time(advance).await.unwrap();
        let found = get(&world, &certificate).await;
        assert_eq!(found.state(), CertificateState::Revoked);
    }
}

async fn x_1_a_new_store_of_san_licensing_is_followed_from_its_beginning(backend: Backend) {
    let (mut world, license) = started(backend).await;
    // Makes the old store's log longer than the new one's.
    for name in ["a.example", "b.example", "c.example"] {
        let (_, certificate) = issued(&world, &license, &[name]).await;
        revoke_all(&world, &license).await;
        revoked(&world, &certificate).await;
    }
    world.stop_san_licensing(0).await;
    world.lose_store("san_licensing");
    world.start_san_licensing().await;
    let new = store_id(&world.san_licensing_location()).await;
    accept(&world.billing_location(), "san-licensing", &new);
    accept(&world.orders_location(), "san-licensing", &new);

    let account_id = world.account_with("1000000.00").await;
    let license = world.license(&account_id, 100).await;
    let (_, certificate) = issued(&world, &license, &["d.example"]).await;
    revoke_all(&world, &license).await;
    revoked(&world, &certificate).await;
}
