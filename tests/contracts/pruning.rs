//! BL-2, X-2: what is pruned after its stated time. A repeat answers alike before, and neither charges nor issues
//! twice after.

use std::sync::{Arc, Mutex};

use licet_contracts::{
    billing::v1::{ChargeQuoteRequest, GetQuoteRequest, LineKind, Quote},
    operations::v1::{
        CancelOperationRequest, GetOperationRequest, ListOperationsRequest, Operation,
        OperationKind, OperationState,
    },
    orders::v1::{GetOrderRequest, OrderState, PlaceOrderRequest, UpdateDomainsRequest},
    sanlicensing::v1::ingest_record::Report,
};
use licet_domain::clock::Instant;
use licet_runtime::{
    database::Location,
    peer::{FaultPlan, Interference},
};
use prost::Message as _;
use tonic::Code;

use crate::harness::{
    Backend,
    books::BackDoor,
    errors::{Refused, refused},
    eventually,
    ingest::record,
    on_both_databases, request_id,
    samples::{MULTI, change_request, multi_domain_request},
    selling::item,
    world::World,
};

on_both_databases![
    x_2_an_operation_is_found_for_90_days_after_its_end,
    x_2_a_step_repeated_after_pruning_charges_once_or_never,
    md_6_an_expired_quote_goes_and_the_books_agree,
    sl_12_a_denial_loses_its_sans_and_stays_the_answer,
    sl_14_a_refused_record_is_listed_for_90_days,
];

/// Inserts a replay record that is always old enough, so that its absence shows that a service has pruned.
pub(crate) async fn mark(location: &Location) -> BackDoor {
    let door = BackDoor::open(location).await;
    door.run(
        "INSERT INTO replay (caller, method, request_id, fingerprint, outcome, recorded_us)
         SELECT 'nobody', 'none', 'none', fingerprint, outcome, 0 FROM replay LIMIT 1",
    )
    .await;
    door
}

pub(crate) async fn pruned(door: &BackDoor) {
    eventually("the service has pruned", || async {
        let left = door
            .run("UPDATE replay SET outcome = outcome WHERE caller = 'nobody'")
            .await;
        (left == 0).then_some(())
    })
    .await;
}

async fn operation(world: &World, operation_id: &str) -> Result<Operation, Refused> {
    let ask = GetOperationRequest {
        operation_id: operation_id.to_owned(),
    };
    match world.operations().get_operation(ask).await {
        Ok(found) => Ok(found.into_inner().operation.unwrap()),
        status => Err(refused(status)),
    }
}

async fn only_operation(world: &World) -> Operation {
    let all = ListOperationsRequest::default();
    let found = world.operations().list_operations(all).await.unwrap();
    let [found] = <[_; 1]>::try_from(found.into_inner().operations).unwrap();
    found
}

async fn x_2_an_operation_is_found_for_90_days_after_its_end(backend: Backend) {
    let mut world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let place = multi_domain_request(&account_id, &["www.example.com", "a.example"]);
    let first = world.orders().place_order(place.clone()).await.unwrap();
    let first = first.into_inner();
    let found = only_operation(&world).await;
    assert_eq!(found.kind(), OperationKind::PlaceOrder);

    let again = async |world: &World, days: i64| {
        assert_eq!(operation(world, &found.operation_id).await.unwrap(), found);
        let again = world.orders().place_order(place.clone()).await.unwrap();
        let again = again.into_inner().encode_to_vec();
        assert_eq!(again, first.encode_to_vec(), "after {days} days");
    };
    for days in [0, 89] {
        world.stop_orders().await;
        world.prune_as_if_after(days);
        let door = mark(&world.orders_location()).await;
        world.start_orders().await;
        pruned(&door).await;
        again(&world, days).await;
    }
    // A record that is older than its operation's end is kept as long as the operation.
    world.stop_orders().await;
    let door = mark(&world.orders_location()).await;
    door.run("UPDATE replay SET recorded_us = 1").await;
    world.start_orders().await;
    pruned(&door).await;
    again(&world, 89).await;

    world.stop_orders().await;
    world.prune_as_if_after(91);
    let door = mark(&world.orders_location()).await;
    world.start_orders().await;
    pruned(&door).await;
    let gone = operation(&world, &found.operation_id).await.unwrap_err();
    let gone = gone.expect(Code::NotFound, "NOT_FOUND");
    let since: Instant = gone.value("kept_since").parse().unwrap();
    let real = licet_runtime::clock::real_now();
    let ago = since.checked_add(chrono::TimeDelta::days(90)).unwrap();
    assert!(ago <= real && since < ago, "{since}");
    let left = door.run("UPDATE operation SET version = version").await;
    assert_eq!(left, 0, "operations are left");
    let order = world.get_order(&first.order.unwrap().order_id).await;
    assert_eq!(order.state(), OrderState::Paid);
    assert_eq!(world.invoices_of_account(&account_id).await.len(), 1);
}

/// Interferes with calls of one method.
#[derive(Default)]
struct Cutting(Mutex<Option<(&'static str, Interference)>>);

impl Cutting {
    fn set(&self, cut: Option<(&'static str, Interference)>) {
        *self.0.lock().unwrap() = cut;
    }
}

impl FaultPlan for Cutting {
    fn next(&self, path: &str) -> Interference {
        match *self.0.lock().unwrap() {
            Some((method, interference)) if path.ends_with(method) => interference,
            Some(_) | None => Interference::None,
        }
    }
}

/// Where an operation is cut off until Billing has pruned.
const CUTS: [(&str, Interference); 4] = [
    ("/CreateQuote", Interference::LoseRequest),
    ("/CreateQuote", Interference::LoseResponse),
    ("/ChargeQuote", Interference::LoseRequest),
    ("/ChargeQuote", Interference::LoseResponse),
];

/// An order whose operation was cut off.
struct CutOff {
    cut: (&'static str, Interference),
    cancelled: bool,
    account_id: String,
    place: PlaceOrderRequest,
    order_id: String,
    operation_id: String,
}

impl CutOff {
    fn is_charged(&self) -> bool {
        matches!(self.cut, ("/ChargeQuote", Interference::LoseResponse))
    }
}

async fn cut_off(world: &World, plan: &Cutting) -> Vec<CutOff> {
    let door = BackDoor::open(&world.orders_location()).await;
    let mut all = Vec::new();
    for cut in CUTS {
        for cancelled in [false, true] {
            plan.set(Some(cut));
            let account_id = world.account_with("1000.00").await;
            let place = multi_domain_request(&account_id, &["www.example.com", "a.example"]);
            let placed = world.orders().place_order(place.clone()).await.unwrap();
            let order = placed.into_inner().order.unwrap();
            let operation_id = order.pending_change.unwrap().operation_id;
            // It must not be resumed while another one is cut off elsewhere.
            let stays = "UPDATE operation SET due_us = due_us + 1000000000000";
            door.run(stays).await;
            all.push(CutOff {
                cut,
                cancelled,
                account_id,
                place,
                order_id: order.order_id,
                operation_id,
            });
        }
    }
    all
}

/// Every step of a purchase, cut off before or after it took effect, is repeated or given up when Billing and
/// Orders have pruned what they keep for 90 days.
async fn x_2_a_step_repeated_after_pruning_charges_once_or_never(backend: Backend) {
    let mut world = World::start(backend).await;
    world.stop_orders().await;
    let plan = Arc::new(Cutting::default());
    world.interfere(plan.clone());
    world.start_orders().await;
    world.stock().await;
    let all = cut_off(&world, &plan).await;

    world.stop_orders().await;
    world.stop_billing().await;
    world.prune_as_if_after(200);
    let billing = mark(&world.billing_location()).await;
    let orders = mark(&world.orders_location()).await;
    world.start_orders().await;
    pruned(&orders).await;
    world.stop_orders().await;
    world.start_billing().await;
    pruned(&billing).await;
    eventually("quotes that nobody charged are pruned", || async {
        let left = billing
            .run("UPDATE quote SET pin = pin WHERE invoice_id IS NULL")
            .await;
        (left == 0).then_some(())
    })
    .await;
    assert_eq!(billing.run("UPDATE quote SET pin = pin").await, 2);

    // Orders prunes nothing more, so that repeats of the requests are answered.
    plan.set(None);
    world.prune_as_if_after(0);
    world.stop_billing().await;
    orders.run("UPDATE operation SET due_us = 0").await;
    world.start_orders().await;
    for one in all.iter().filter(|one| one.cancelled) {
        let request = CancelOperationRequest {
            operation_id: one.operation_id.clone(),
            request_id: request_id(),
        };
        world.operations().cancel_operation(request).await.unwrap();
    }
    world.start_billing().await;
    for one in &all {
        let ended = eventually("the operation ends", || async {
            let found = operation(&world, &one.operation_id).await.unwrap();
            (found.state() != OperationState::Running).then_some(found)
        })
        .await;
        let text = format!("{:?}, cancelled: {}: {ended:?}", one.cut, one.cancelled);
        let again = world.orders().place_order(one.place.clone()).await;
        let invoices = world.invoices_of_account(&one.account_id).await;
        let balance = world.balance(&one.account_id).await;
        let is_done = ended.state() == OperationState::Done;
        // A quote that was made and not charged is gone, and nothing was bought with it.
        let is_repeated = one.cut.0 == "/CreateQuote" && !one.cancelled;
        assert_eq!(is_done, one.is_charged() || is_repeated, "{text}");
        if is_done {
            assert_eq!(
                again.unwrap().into_inner().order.unwrap().order_id,
                one.order_id
            );
            assert_eq!(
                (invoices.len(), balance.as_str()),
                (1, "853.00 USD"),
                "{text}"
            );
        } else {
            let reason = if one.cancelled {
                (Code::FailedPrecondition, "OPERATION_CANCELLED")
            } else {
                (Code::NotFound, "NOT_FOUND")
            };
            refused(again).expect(reason.0, reason.1);
            assert_eq!(
                (invoices.len(), balance.as_str()),
                (0, "1000.00 USD"),
                "{text}"
            );
            let ask = GetOrderRequest {
                order_id: one.order_id.clone(),
            };
            refused(world.orders().get_order(ask).await).expect(Code::NotFound, "NOT_FOUND");
        }
    }
}

async fn md_6_an_expired_quote_goes_and_the_books_agree(backend: Backend) {
    let mut world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let ask = async |world: &World| {
        let mut wanted = item(LineKind::Domain, MULTI, 1);
        wanted.term_months = 12;
        world.quote(&account_id, vec![wanted]).await
    };
    let charge = |quote: &Quote| ChargeQuoteRequest {
        quote_id: quote.quote_id.clone(),
        pin: quote.pin.clone(),
        request_id: request_id(),
        ..ChargeQuoteRequest::default()
    };
    let (left, charged) = (ask(&world).await, ask(&world).await);
    let charging = charge(&charged);
    world
        .invoices()
        .charge_quote(charging.clone())
        .await
        .unwrap();
    let order = world
        .multi_domain_order(&account_id, &["www.example.com"])
        .await;
    world.record(&order.order_id).await;
    let preview = world
        .preview_domains(&order.order_id, &["b.example"], &[])
        .await;
    let preview = preview.quote.unwrap();

    world.stop_orders().await;
    world.stop_billing().await;
    world.prune_as_if_after(91);
    world.start_billing().await;
    let find = async |world: &World, quote: &Quote| {
        let request = GetQuoteRequest {
            quote_id: quote.quote_id.clone(),
        };
        world.quotes().get_quote(request).await
    };
    for quote in [&left, &preview] {
        eventually("the quote is pruned", || async {
            let found = find(&world, quote).await;
            found.is_err().then(|| refused(found))
        })
        .await
        .expect(Code::NotFound, "NOT_FOUND");
        let late = world.invoices().charge_quote(charge(quote)).await;
        refused(late).expect(Code::NotFound, "NOT_FOUND");
    }
    // A charged quote belongs to its invoice for ever.
    let stays = find(&world, &charged).await.unwrap().into_inner();
    let invoice_id = stays.quote.unwrap().invoice_id;
    let spent = refused(world.invoices().charge_quote(charge(&charged)).await);
    let spent = spent.expect(Code::FailedPrecondition, "QUOTE_SPENT");
    assert_eq!(spent.value("invoice_id"), invoice_id);
    // Also for a repeat of its charge, whose replay record is pruned.
    let door = BackDoor::open(&world.billing_location()).await;
    door.run("DELETE FROM replay").await;
    refused(world.invoices().charge_quote(charging).await)
        .expect(Code::FailedPrecondition, "QUOTE_SPENT");

    let books = licet_billing::verify(&world.billing_location())
        .await
        .unwrap();
    assert_eq!(books.differences(), 0, "{books}");
    // A quote that is deleted by hand shows.
    let another = ask(&world).await;
    let delete = format!("DELETE FROM quote WHERE quote_id = '{}'", another.quote_id);
    assert_eq!(door.run(&delete).await, 1);
    let books = licet_billing::verify(&world.billing_location())
        .await
        .unwrap();
    assert_eq!(books.differences(), 1, "{books}");

    let door = BackDoor::open(&world.orders_location()).await;
    world.start_orders().await;
    eventually("the quote of the preview is pruned in Orders", || async {
        let left = door.run("UPDATE domain_quote SET pin = pin").await;
        (left == 0).then_some(())
    })
    .await;
    let change = UpdateDomainsRequest {
        quote_id: preview.quote_id,
        ..change_request(&order.order_id, &["b.example"], &[])
    };
    let balance = world.balance(&account_id).await;
    refused(world.orders().update_domains(change).await).expect(Code::NotFound, "NOT_FOUND");
    assert_eq!(world.balance(&account_id).await, balance);
}

async fn sl_12_a_denial_loses_its_sans_and_stays_the_answer(backend: Backend) {
    let (mut world, license) = World::start_licensed(backend, 1).await;
    let request = world.question(&license, &["a.example", "b.example"]);
    let denied = world.authorize(request.clone()).await;
    assert_eq!(denied.short_by, 1);
    let held = world.granted(&license, &["c.example"]).await;

    world.stop_san_licensing(0).await;
    world.prune_as_if_after(91);
    let door = BackDoor::open(&world.san_licensing_location()).await;
    world.start_san_licensing().await;
    let sans = "UPDATE decision SET version = version WHERE names <> '' AND state =";
    eventually("the denial has no SANs", || async {
        (door.run(&format!("{sans} 'DENIED'")).await == 0).then_some(())
    })
    .await;
    assert_eq!(door.run(&format!("{sans} 'GRANTED'")).await, 1);
    // There is room now: the decision stays all the same, and nothing is reserved.
    world.release(&license, &held.reservation_id).await;
    assert_eq!(world.authorize(request.clone()).await, denied);
    world.time.advance_days(1);
    assert_eq!(world.authorize(request).await, denied);
    world.granted(&license, &["d.example"]).await;
}

async fn sl_14_a_refused_record_is_listed_for_90_days(backend: Backend) {
    let (mut world, license) = World::start_licensed(backend, 1).await;
    let garbage = record(&license, Report::CertificateDer(vec![0x30; 200]));
    world.ingest(1, vec![garbage]).await;
    assert_eq!(world.refused_records(0).await.len(), 1);
    world.stop_san_licensing(0).await;
    world.prune_as_if_after(91);
    world.start_san_licensing().await;
    eventually("what is old is no longer listed", || async {
        world.refused_records(0).await.is_empty().then_some(())
    })
    .await;
}
