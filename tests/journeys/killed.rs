//! The embedded suite as a process: killed during a change, stopped, and started twice.

use std::time::Duration;

use licet_contracts::{
    billing::v1::{
        GetAccountRequest, Invoice, ListInvoicesRequest,
        account_service_client::AccountServiceClient, invoice_service_client::InvoiceServiceClient,
    },
    clock::v1::{
        AdvanceTimeRequest, GetTimeRequest, advance_time_request::By,
        clock_service_client::ClockServiceClient,
    },
    events::v1::event_service_client::EventServiceClient,
    orders::v1::{
        GetOrderRequest, Order, UpdateDomainsRequest,
        certificate_service_client::CertificateServiceClient,
        order_service_client::OrderServiceClient,
    },
};
use licet_domain::clock::Instant;

use super::random::Random;
use crate::{
    contracts::events::{check_chain, log},
    harness::{
        certificates,
        clock::instant,
        eventually,
        process::SuiteProcess,
        request_id, run,
        samples::{
            change_request, common_name_first, issuance_of, multi_domain_request, names, shown,
        },
    },
};

/// Domains included in the price of the starter catalogue's multi-domain product.
const INCLUDED: [&str; 3] = ["www.example.com", "a.example", "b.example"];

async fn now(suite: &SuiteProcess) -> Instant {
    let mut clock = ClockServiceClient::new(suite.orders());
    instant(
        clock
            .get_time(GetTimeRequest {})
            .await
            .unwrap()
            .into_inner()
            .current_time,
    )
}

async fn get_order(suite: &SuiteProcess, order_id: &str) -> Order {
    let ask = GetOrderRequest {
        order_id: order_id.to_owned(),
    };
    let mut orders = OrderServiceClient::new(suite.orders());
    orders
        .get_order(ask)
        .await
        .unwrap()
        .into_inner()
        .order
        .unwrap()
}

async fn balance(suite: &SuiteProcess) -> String {
    let ask = GetAccountRequest {
        account_id: suite.starter_account(),
    };
    let mut accounts = AccountServiceClient::new(suite.billing());
    let account = accounts
        .get_account(ask)
        .await
        .unwrap()
        .into_inner()
        .account
        .unwrap();
    shown(account.balance.as_ref())
}

async fn invoices(suite: &SuiteProcess, order_id: &str) -> Vec<Invoice> {
    let ask = ListInvoicesRequest {
        resource_id: order_id.to_owned(),
        ..Default::default()
    };
    let mut invoices = InvoiceServiceClient::new(suite.billing());
    invoices
        .list_invoices(ask)
        .await
        .unwrap()
        .into_inner()
        .invoices
}

async fn record(suite: &SuiteProcess, order_id: &str, list: Vec<String>) {
    let list = common_name_first(list, INCLUDED[0]);
    let chain = certificates::chain_for(&list, now(suite).await, 30);
    let mut certificates = CertificateServiceClient::new(suite.orders());
    certificates
        .record_issuance(issuance_of(order_id, chain))
        .await
        .unwrap();
}

async fn issued_order(suite: &SuiteProcess) -> Order {
    let request = multi_domain_request(&suite.starter_account(), &INCLUDED);
    let mut orders = OrderServiceClient::new(suite.orders());
    let order = orders
        .place_order(request)
        .await
        .unwrap()
        .into_inner()
        .order
        .unwrap();
    record(suite, &order.order_id, order.domains.clone()).await;
    order
}

const ROUNDS: i64 = 14;

/// Removes one domain and adds two. That makes four, one more than the three that are paid.
fn change(order: &Order) -> UpdateDomainsRequest {
    change_request(&order.order_id, &["c.example", "d.example"], &["b.example"])
}

/// The duration of an undisturbed change, in microseconds.
async fn undisturbed_micros(suite: &SuiteProcess) -> u64 {
    let order = issued_order(suite).await;
    let mut orders = OrderServiceClient::new(suite.orders());
    let asked = tokio::time::Instant::now();
    orders.update_domains(change(&order)).await.unwrap();
    u64::try_from(asked.elapsed().as_micros()).unwrap()
}

/// whenever the power fails, a repeat makes the change exactly once and completely.
#[test]
fn x_2_killed_in_the_middle_of_a_change_it_is_done_once() {
    let mut random = Random::from_variable_or_chance("LICET_TEST_SEED");
    println!("seed {} (set LICET_TEST_SEED to repeat it)", random.seed());
    run(async move {
        let mut suite = SuiteProcess::start().await;
        let mut clock = ClockServiceClient::new(suite.orders());
        let advance = AdvanceTimeRequest {
            by: Some(By::Months(1)),
            request_id: request_id(),
        };
        clock.advance_time(advance).await.unwrap();
        // Some kills come before the change starts, most during it, a few after the response.
        let longest_wait = undisturbed_micros(&suite).await * 5 / 4;
        for round in 1..=ROUNDS {
            let order = issued_order(&suite).await;
            let change = change(&order);
            let wait = Duration::from_micros(random.below(longest_wait));
            let answered = kill_during(&mut suite, &change, wait).await;
            println!("round {round}: killed after {wait:?}; response came first: {answered}");
            expect_done_once(&suite, &order.order_id, &change).await;
            // The starter account had 10000.00; an order costs 141.60 and its change 49.00.
            let cents = 1_000_000 - (round + 1) * 19_060;
            assert_eq!(
                balance(&suite).await,
                format!("{}.{:02} USD", cents / 100, cents % 100)
            );
        }
        for channel in [suite.orders(), suite.billing()] {
            let log = log(EventServiceClient::new(channel)).await;
            assert!(!log.is_empty());
            check_chain(&log);
        }
    });
}

/// Requests the change, kills the suite after `wait` and restarts it. Returns whether the response came
/// first.
async fn kill_during(
    suite: &mut SuiteProcess,
    change: &UpdateDomainsRequest,
    wait: Duration,
) -> bool {
    let before = now(suite).await;
    let (mut orders, change) = (OrderServiceClient::new(suite.orders()), change.clone());
    let asked = tokio::spawn(async move { orders.update_domains(change).await.is_ok() });
    tokio::time::sleep(wait).await;
    suite.kill();
    let answered = asked.await.unwrap();
    suite.start_again().await;
    assert!(now(suite).await >= before, "time ran back");
    answered
}

/// Repeats the request until it gets a response, and expects one charge and, once issued, the right domains.
async fn expect_done_once(suite: &SuiteProcess, order_id: &str, change: &UpdateDomainsRequest) {
    let again = eventually("a definite answer", || {
        let (mut orders, change) = (OrderServiceClient::new(suite.orders()), change.clone());
        async move { orders.update_domains(change).await.ok() }
    })
    .await
    .into_inner();
    let after = names(&["a.example", "c.example", "d.example", "www.example.com"]);
    assert_eq!(again.names, after);
    let charged = eventually("the change is charged", || async {
        let pending = get_order(suite, order_id).await.pending_change?;
        pending.domain_change?.charged
    })
    .await;
    assert_eq!(shown(Some(&charged)), "49.00 USD");
    let issued = invoices(suite, order_id).await;
    assert_eq!(
        issued.len(),
        2,
        "expected one invoice for the order and one for the change: {issued:?}"
    );
    record(suite, order_id, after.clone()).await;
    let done = get_order(suite, order_id).await;
    assert_eq!((done.domains, done.pending_change), (after, None));
}

#[test]
fn stopped_and_started_again_it_finds_everything_as_it_was() {
    run(async {
        let mut suite = SuiteProcess::start().await;
        let mut clock = ClockServiceClient::new(suite.orders());
        let advance = AdvanceTimeRequest {
            by: Some(By::Months(2)),
            request_id: request_id(),
        };
        clock.advance_time(advance).await.unwrap();
        let order_id = issued_order(&suite).await.order_id;
        let before = (get_order(&suite, &order_id).await, balance(&suite).await);
        let time = now(&suite).await;
        assert!(suite.terminate().success());
        suite.start_again().await;
        assert_eq!(
            (get_order(&suite, &order_id).await, balance(&suite).await),
            before
        );
        assert!(now(&suite).await >= time, "time ran back");
    });
}

#[test]
fn a_second_start_on_the_same_folder_is_refused() {
    run(async {
        let suite = SuiteProcess::start().await;
        let (status, said) = suite.start_a_second();
        assert!(!status.success());
        assert!(said.contains("another licet runs on"), "{said}");
        assert_eq!(balance(&suite).await, "10000.00 USD");
    });
}
