//! calls between the services lose requests or responses at random, by a printed seed; every change is
//! still made exactly once.

use std::sync::{Arc, Mutex};

use licet_contracts::{
    operations::v1::RetryOperationRequest,
    orders::v1::{DeleteOrderRequest, Order, OrderState},
    sanlicensing::v1::{License, QuoteLicenseRequest},
};
use licet_runtime::peer::{FaultPlan, Interference};
use tonic::Status;

use super::random::Random;
use crate::harness::{
    Backend, eventually, on_both_databases, request_id,
    samples::{change_request, multi_domain_request, names, shown},
    san::{BUNDLE, OTHER, accept_request, quote_request},
    san_life::renew_request,
    world::World,
};

on_both_databases![
    x_2_every_change_is_made_exactly_once_whatever_is_lost,
    x_2_every_renewal_is_made_exactly_once_whatever_is_lost,
];

/// Loses a third of the calls while it is on.
struct Losing {
    random: Mutex<Random>,
    lost: Mutex<[u32; 2]>,
}

impl FaultPlan for Losing {
    fn next(&self, _: &str) -> Interference {
        let roll = self.random.lock().unwrap().below(6);
        let mut lost = self.lost.lock().unwrap();
        match roll {
            0 => {
                lost[0] += 1;
                Interference::LoseRequest
            }
            1 => {
                lost[1] += 1;
                Interference::LoseResponse
            }
            _ => Interference::None,
        }
    }
}

/// Repeats a request with the same id until it gets a definite result, as a client would.
async fn insist<T, F>(mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<tonic::Response<T>, Status>>,
{
    eventually("a definite answer", || {
        let answer = ask();
        async move { answer.await.ok().map(tonic::Response::into_inner) }
    })
    .await
}

const ORDERS: usize = 24;

async fn x_2_every_change_is_made_exactly_once_whatever_is_lost(backend: Backend) {
    let random = Random::from_variable_or_chance("LICET_TEST_SEED");
    println!("seed {} (set LICET_TEST_SEED to repeat it)", random.seed());
    let losing = Arc::new(Losing {
        random: Mutex::new(random),
        lost: Mutex::default(),
    });
    let world = Arc::new(World::start_with_faults(backend, losing.clone()).await);
    world.stock().await;
    let mut journeys = tokio::task::JoinSet::new();
    for number in 0..ORDERS {
        let world = world.clone();
        journeys.spawn(async move { journey(&world, number % 3 == 0).await });
    }
    while let Some(journey) = journeys.join_next().await {
        journey.unwrap();
    }
    let [requests, answers] = *losing.lost.lock().unwrap();
    assert!(
        requests > 0 && answers > 0,
        "nothing was lost: {requests}, {answers}"
    );
}

/// Places, changes and perhaps deletes one order on a new account.
async fn journey(world: &World, deletes: bool) {
    let account_id = world.account_with("1000.00").await;
    let place = multi_domain_request(&account_id, &["www.example.com", "a.example"]);
    let answer = insist(|| {
        let (mut orders, place) = (world.orders(), place.clone());
        async move { orders.place_order(place).await }
    })
    .await;
    let order_id = answer.order.unwrap().order_id;
    let order = settled(world, &order_id, OrderState::Paid).await;
    assert_eq!(world.balance(&account_id).await, "853.00 USD");
    assert_eq!(world.invoices_of_account(&account_id).await.len(), 1);
    world.record(&order.order_id).await;

    let change = change_request(&order_id, &["b.example"], &[]);
    insist(|| {
        let (mut orders, change) = (world.orders(), change.clone());
        async move { orders.update_domains(change).await }
    })
    .await;
    let charged = eventually("the change is charged", || async {
        let pending = hurried(world, &order_id).await.pending_change.unwrap();
        pending.domain_change.unwrap().charged
    })
    .await;
    assert_eq!(shown(Some(&charged)), "49.00 USD");
    assert_eq!(world.balance(&account_id).await, "804.00 USD");
    world.record(&order_id).await;
    assert_eq!(world.get_order(&order_id).await.domains.len(), 3);

    if deletes {
        let delete = DeleteOrderRequest {
            order_id: order_id.clone(),
            request_id: request_id(),
            ..DeleteOrderRequest::default()
        };
        insist(|| {
            let (mut orders, delete) = (world.orders(), delete.clone());
            async move { orders.delete_order(delete).await }
        })
        .await;
        let deleted = settled(world, &order_id, OrderState::Deleted).await;
        assert_eq!(deleted.refund.unwrap().credit_note_ids.len(), 2);
        assert_eq!(world.balance(&account_id).await, "1000.00 USD");
    }
    let invoices = world.invoices_of_account(&account_id).await;
    assert_eq!(invoices.len(), 2, "{invoices:?}");
}

async fn settled(world: &World, order_id: &str, state: OrderState) -> Order {
    eventually("the order settles", || async {
        let order = hurried(world, order_id).await;
        (order.state() == state && order.pending_change.is_none()).then_some(order)
    })
    .await
}

/// Reads the order and retries its operation at once, since after many losses its backoff would outlast the
/// test.
async fn hurried(world: &World, order_id: &str) -> Order {
    let order = world.get_order(order_id).await;
    if let Some(pending) = order
        .pending_change
        .as_ref()
        .filter(|pending| pending.attempts > 3)
    {
        let retry = RetryOperationRequest {
            operation_id: pending.operation_id.clone(),
            request_id: request_id(),
        };
        world.operations().retry_operation(retry).await.unwrap();
    }
    order
}

const LICENSES: usize = 12;

/// SL-9: sold for two products, so that the dearer one prices the renewal.
async fn x_2_every_renewal_is_made_exactly_once_whatever_is_lost(backend: Backend) {
    let random = Random::from_variable_or_chance("LICET_TEST_SEED");
    println!("seed {} (set LICET_TEST_SEED to repeat it)", random.seed());
    let losing = Arc::new(Losing {
        random: Mutex::new(random),
        lost: Mutex::default(),
    });
    let mut world = World::start_with_faults(backend, losing.clone()).await;
    world.start_san_licensing().await;
    world.stock_sans().await;
    let mut licenses = Vec::new();
    for _ in 0..LICENSES {
        let account_id = world.account_with("400.00").await;
        let request = QuoteLicenseRequest {
            product_ids: names(&[BUNDLE, OTHER]),
            ..quote_request(&account_id, 10)
        };
        let draft = insist(|| {
            let (mut licenses, request) = (world.san_licenses(), request.clone());
            async move { licenses.quote_license(request).await }
        })
        .await;
        let accept = accept_request(&draft.license.unwrap().license_id);
        let accepted = insist(|| {
            let (mut licenses, accept) = (world.san_licenses(), accept.clone());
            async move { licenses.accept_license(accept).await }
        })
        .await;
        licenses.push(settled_license(&world, accepted.license.unwrap()).await);
    }
    world.move_before_end(&licenses[0], 10);
    let world = Arc::new(world);
    let mut journeys = tokio::task::JoinSet::new();
    for license in licenses {
        let world = world.clone();
        journeys.spawn(async move { renewal(&world, license).await });
    }
    while let Some(journey) = journeys.join_next().await {
        journey.unwrap();
    }
    let [requests, answers] = *losing.lost.lock().unwrap();
    assert!(requests > 0 && answers > 0);
}

async fn renewal(world: &World, license: License) {
    let renew = renew_request(&license, 20);
    let answer = insist(|| {
        let (mut licenses, renew) = (world.san_licenses(), renew.clone());
        async move { licenses.renew_license(renew).await }
    })
    .await;
    let license = settled_license(world, answer.license.unwrap()).await;
    assert_eq!(license.next_term.unwrap().quota, 20);
    // 120.00 for the first term and 240.00 for the next, each charged once.
    assert_eq!(world.balance(&license.account_id).await, "40.00 USD");
    let invoices = world.invoices_of_account(&license.account_id).await;
    assert_eq!(invoices.len(), 2, "{invoices:?}");
}

async fn settled_license(world: &World, license: License) -> License {
    eventually("the licence settles", || async {
        let license = world.get_license(&license.license_id).await;
        let Some(pending) = &license.pending_change else {
            return Some(license);
        };
        let retry = RetryOperationRequest {
            operation_id: pending.operation_id.clone(),
            request_id: request_id(),
        };
        world.san_operations().retry_operation(retry).await.unwrap();
        None
    })
    .await
}
