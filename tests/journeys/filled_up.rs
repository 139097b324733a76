//! A store that fills up under load and gets room again keeps everything it acknowledged; refused requests
//! succeed when repeated, and nothing restarts. LICET_TEST_FILLS sets how often it fills.

use std::time::Duration;

use licet_contracts::{
    billing::v1::{DepositRequest, GetAccountRequest},
    orders::v1::{OrderState, PlaceOrderRequest},
    sanlicensing::v1::{License, RecordCertificateRequest},
};
use tonic::Status;

use super::random::from_variable;
use crate::harness::{
    Backend,
    channel::Channel,
    errors::take_apart,
    eventually, request_id, run_within,
    samples::{multi_domain_request, usd},
    san::figures,
    small_disk::SmallDisk,
    world::World,
};

/// The way in which a store fills up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    /// SQLite's page limit on Billing's store.
    Pages,
    /// The disk that holds all three stores.
    Disk,
}

#[test]
fn a_full_store_loses_nothing_sqlite_pages() {
    fill_up(Backend::Sqlite, Limit::Pages);
}

#[test]
fn a_full_disk_loses_nothing_sqlite() {
    fill_up(Backend::Sqlite, Limit::Disk);
}

#[test]
fn a_full_tablespace_loses_nothing_postgres() {
    fill_up(Backend::Postgres, Limit::Disk);
}

fn fills() -> u64 {
    from_variable("LICET_TEST_FILLS").unwrap_or(2)
}

fn fill_up(backend: Backend, limit: Limit) {
    let longest = Duration::from_secs(120 + 60 * fills());
    run_within(longest, async move {
        let world = match limit {
            Limit::Pages => World::start_whole(backend).await,
            Limit::Disk => match SmallDisk::mount(64) {
                Ok(disk) => World::start_on(backend, disk).await,
                Err(why) => {
                    println!("NOT TESTED: this machine mounts no small file system: {why}");
                    return;
                }
            },
        };
        let mut load = Load::prepare(world, limit).await;
        for fill in 0..fills() {
            load.round(fill).await;
        }
        load.check_again().await;
        println!(
            "{} fills, {} calls acknowledged, {} refused and repeated, nothing lost",
            fills(),
            load.acknowledged,
            load.refused
        );
    });
}

/// A mutation, repeated until it is acknowledged.
#[derive(Clone, Debug)]
enum Ask {
    Deposit(DepositRequest),
    Place(PlaceOrderRequest),
    Record(RecordCertificateRequest),
}

struct Load {
    world: World,
    limit: Limit,
    account_id: String,
    license: License,
    acknowledged: u64,
    refused: u64,
    /// What the services acknowledged.
    deposits: usize,
    orders: Vec<String>,
    /// How many of them were checked.
    orders_checked: usize,
    certificates: i64,
    names: u64,
}

impl Load {
    async fn prepare(world: World, limit: Limit) -> Self {
        world.stock_sans().await;
        world.stock().await;
        let buyer = world.account_with("1000000.00").await;
        let license = world.license(&buyer, 100_000).await;
        let account_id = world.empty_account().await;
        Self {
            world,
            limit,
            account_id,
            license,
            acknowledged: 0,
            refused: 0,
            deposits: 0,
            orders: Vec::new(),
            orders_checked: 0,
            certificates: 0,
            names: 0,
        }
    }

    /// The next mutation; all three services take turns.
    fn next(&mut self, number: u64) -> Ask {
        self.names += 1;
        let name = format!("n{}.example", self.names);
        match number % 16 {
            0 => Ask::Place(multi_domain_request(&self.license.account_id, &[&name])),
            1..=3 => Ask::Record(self.world.report(&self.license, &[&name])),
            _ => Ask::Deposit(DepositRequest {
                account_id: self.account_id.clone(),
                amount: usd("1.00"),
                reference: "filling up ".repeat(16),
                request_id: request_id(),
            }),
        }
    }

    /// Sends requests at once and returns those that failed; none may be refused.
    async fn send(&mut self, asks: Vec<Ask>) -> Vec<Ask> {
        let calls: Vec<_> = asks
            .iter()
            .map(|ask| tokio::spawn(call(self.channels(), ask.clone())))
            .collect();
        let mut refused = Vec::new();
        for (ask, answer) in asks.into_iter().zip(calls) {
            match answer.await.unwrap() {
                Ok(order) => {
                    self.acknowledged += 1;
                    match ask {
                        Ask::Deposit(_) => self.deposits += 1,
                        Ask::Record(_) => self.certificates += 1,
                        Ask::Place(_) => self.orders.extend(order),
                    }
                }
                Err(status) => {
                    passes(&status);
                    refused.push(ask);
                }
            }
        }
        refused
    }

    fn channels(&self) -> Channels {
        Channels {
            accounts: self.world.accounts(),
            orders: self.world.orders(),
            issuance: self.world.san_issuance(),
        }
    }

    async fn fill(&self) {
        match self.limit {
            Limit::Pages => self.leave_pages(4).await,
            Limit::Disk => self.world.disk().fill(),
        }
    }

    async fn free(&self) {
        match self.limit {
            Limit::Pages => self.leave_pages(1_000_000).await,
            Limit::Disk => self.world.disk().free(),
        }
    }

    async fn leave_pages(&self, pages: i64) {
        use sea_orm::{ConnectionTrait as _, Statement};
        let writer = self.world.billing_store().write_alone();
        let query = Statement::from_string(writer.get_database_backend(), "PRAGMA page_count");
        let row = writer.query_one_raw(query).await.unwrap().unwrap();
        let used: i64 = row.try_get("", "page_count").unwrap();
        let limit = format!("PRAGMA max_page_count = {}", used + pages);
        writer.execute_unprepared(&limit).await.unwrap();
    }

    /// Fills the store under load, frees it under load, and checks everything acknowledged.
    async fn round(&mut self, fill: u64) {
        let mut open = Vec::new();
        self.fill().await;
        let mut number = 0;
        while open.len() < 20 {
            assert!(number < 20_000, "fill {fill} never filled the store");
            let asks = (0..16).map(|step| self.next(number + step)).collect();
            open.extend(self.send(asks).await);
            number += 16;
            // Reads work meanwhile.
            self.read().await;
            if self.limit == Limit::Pages {
                // The limit belongs to a connection, and a new connection has none.
                self.fill().await;
            }
        }
        self.refused += u64::try_from(open.len()).unwrap();
        let under_load: Vec<_> = (0..16).map(|step| self.next(step)).collect();
        self.free().await;
        open.extend(self.send(under_load).await);
        let mut tries = 0;
        while !open.is_empty() {
            assert!(tries < 100, "there is room, but these still fail: {open:?}");
            tries += 1;
            open = self.send(open).await;
        }
        self.check().await;
    }

    async fn read(&self) {
        let request = GetAccountRequest {
            account_id: self.account_id.clone(),
        };
        self.world.accounts().get_account(request).await.unwrap();
        self.world.usage(&self.license).await;
    }

    async fn check(&mut self) {
        let balance = self.world.balance(&self.account_id).await;
        assert_eq!(balance, format!("{}.00 USD", self.deposits));
        let used = figures(&self.world.usage(&self.license).await).0;
        assert_eq!(used, self.certificates);
        for order_id in &self.orders[self.orders_checked..] {
            // An order accepted while a store was full may still be running.
            eventually("the order is paid", || async {
                let order = self.world.get_order(order_id).await;
                (order.state() == OrderState::Paid).then_some(())
            })
            .await;
            assert_eq!(self.world.invoices_of(order_id).await.len(), 1);
        }
        self.orders_checked = self.orders.len();
        let verification = licet_billing::verify(&self.world.billing_location()).await;
        let verification = verification.unwrap();
        assert_eq!(verification.differences(), 0, "{verification}");
    }

    /// Repeats the checks of each round after a restart.
    async fn check_again(&mut self) {
        self.world.restart().await;
        self.orders_checked = 0;
        self.check().await;
    }
}

struct Channels {
    accounts: licet_contracts::billing::v1::account_service_client::AccountServiceClient<Channel>,
    orders: licet_contracts::orders::v1::order_service_client::OrderServiceClient<Channel>,
    issuance:
        licet_contracts::sanlicensing::v1::issuance_service_client::IssuanceServiceClient<Channel>,
}

/// The id of the order, if one was placed.
async fn call(mut channels: Channels, ask: Ask) -> Result<Option<String>, Status> {
    match ask {
        Ask::Deposit(request) => channels.accounts.deposit(request).await.map(|_| None),
        Ask::Record(request) => {
            let answer = channels.issuance.record_certificate(request).await;
            answer.map(|_| None)
        }
        Ask::Place(request) => {
            let answer = channels.orders.place_order(request).await?.into_inner();
            Ok(answer.order.map(|order| order.order_id))
        }
    }
}

/// A full store causes neither refusals nor internal errors.
#[track_caller]
fn passes(status: &Status) {
    let refusal = take_apart(status);
    let passing = [
        "STORE_FULL",
        "STORE_UNAVAILABLE",
        "OVERLOADED",
        "PEER_UNAVAILABLE",
        "DEADLINE_EXCEEDED",
        "OPERATION_IN_PROGRESS",
    ];
    assert!(passing.contains(&refusal.reason.as_str()), "{refusal:?}");
}
