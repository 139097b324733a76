//! The services as in production, but in this process: built by their own `build`, served on loopback, each
//! with its own database, at a time that the test sets.

use std::sync::Arc;

use licet_contracts::{
    billing::v1::{
        account_service_client::AccountServiceClient, catalog_service_client::CatalogServiceClient,
        invoice_service_client::InvoiceServiceClient, quote_service_client::QuoteServiceClient,
        refund_service_client::RefundServiceClient,
    },
    clock::v1::clock_service_client::ClockServiceClient,
    events::v1::event_service_client::EventServiceClient,
    operations::v1::operation_service_client::OperationServiceClient,
    orders::v1::{
        certificate_service_client::CertificateServiceClient,
        order_service_client::OrderServiceClient, server_service_client::ServerServiceClient,
    },
    sanlicensing::v1::{
        issuance_service_client::IssuanceServiceClient,
        license_service_client::LicenseServiceClient, usage_service_client::UsageServiceClient,
    },
};
use licet_domain::clock::Instant;
use licet_runtime::{
    clock::TestClock,
    config::Limits,
    database::{Database, Location},
    peer::{FaultPlan, PeerChannel},
    server::{self, RunningServer, Suite},
};
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::{
    Backend, channel::Channel, clock::StandingClock, free_port, postgres::TestDatabase,
    small_disk::SmallDisk, standby::Servers,
};

/// The location of each service's store, on the test's database.
pub(crate) struct Storage {
    folder: TempDir,
    database: Option<TestDatabase>,
    /// The database's servers, if the test has its own.
    _servers: Option<Servers>,
    /// The disk of the stores, if the test fills it. It is unmounted after the servers have stopped.
    disk: Option<SmallDisk>,
    /// An entry for each loss of a service's store.
    lost: Vec<String>,
}

impl Storage {
    /// Empty: the first use of a location creates its store.
    pub(crate) async fn create(backend: Backend) -> Self {
        let database = match backend {
            Backend::Sqlite => None,
            Backend::Postgres => Some(TestDatabase::create().await),
        };
        Self::with(database)
    }

    async fn create_for_services(backend: Backend) -> Self {
        Self::with(match backend {
            Backend::Sqlite => None,
            Backend::Postgres => Some(TestDatabase::create_for_services().await),
        })
    }

    /// With the stores of the services on PostgreSQL, whose tables are divided by account.
    pub(crate) async fn create_divided() -> Self {
        Self::with(Some(TestDatabase::create_divided().await))
    }

    /// With the stores of the services on PostgreSQL.
    pub(crate) async fn create_with_stores() -> Self {
        Self::with(Some(TestDatabase::create_with_stores().await))
    }

    /// Runs SQL in the database on PostgreSQL as its administrator.
    pub(crate) async fn administer(&self, sql: &str) {
        match &self.database {
            Some(database) => database.administer(sql).await,
            None => panic!("the stores are not on PostgreSQL"),
        }
    }

    /// On a disk of the test's own. PostgreSQL is the test's own as well: a server that cannot write a
    /// database's pages fails in all its databases.
    async fn create_on(backend: Backend, disk: SmallDisk) -> Self {
        let servers = match backend {
            Backend::Sqlite => None,
            Backend::Postgres => Some(Servers::start_on(&disk).await),
        };
        Self {
            folder: tempfile::tempdir_in(disk.folder()).unwrap(),
            database: servers.as_ref().map(Servers::database),
            _servers: servers,
            disk: Some(disk),
            lost: Vec::new(),
        }
    }

    fn with(database: Option<TestDatabase>) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            database,
            _servers: None,
            disk: None,
            lost: Vec::new(),
        }
    }

    pub(crate) fn location(&self, area: &str) -> Location {
        let name = match self.lost.iter().filter(|lost| *lost == area).count() {
            0 => area.to_owned(),
            times => format!("{area}_{times}"),
        };
        match &self.database {
            Some(database) => database.location(area, &name),
            None => Location::Sqlite(self.folder.path().join(format!("{name}.db"))),
        }
    }

    /// Gives the service an empty location, as if its store had been deleted.
    pub(crate) fn lose(&mut self, area: &str) {
        self.lost.push(area.to_owned());
    }
}

/// The services of one test.
pub(crate) struct World {
    /// The time, unless the world is on the suite's own clock.
    pub(crate) time: Arc<StandingClock>,
    suite: Suite,
    /// Billing's setting.
    pub(crate) seller: Option<licet_billing::Seller>,
    storage: Arc<Storage>,
    faults: Option<Arc<dyn FaultPlan>>,
    billing_port: u16,
    orders_port: u16,
    /// The port of the first instance, which Orders calls.
    san_licensing_port: u16,
    billing: Option<RunningServer>,
    billing_store: Option<Database>,
    orders: Option<RunningServer>,
    billing_channel: Channel,
    orders_channel: Channel,
    /// Instances of SanLicensing on one database, in the order of their start.
    san_licensing: Vec<SanLicensing>,
}

struct SanLicensing {
    port: u16,
    running: Option<RunningServer>,
    channel: Channel,
}

async fn listener(port: u16) -> TcpListener {
    TcpListener::bind(("127.0.0.1", port)).await.unwrap()
}

impl World {
    /// As [`World::start`], with a seller.
    pub(crate) async fn start_as(backend: Backend, seller: &str) -> Self {
        let mut world = Self::prepare(backend, None).await;
        world.seller = Some(seller.parse().unwrap());
        world.start_billing().await;
        world.start_orders().await;
        world
    }

    /// Starts Billing and Orders on a clock that stands still.
    pub(crate) async fn start(backend: Backend) -> Self {
        let mut world = Self::prepare(backend, None).await;
        world.start_billing().await;
        world.start_orders().await;
        world
    }

    /// As [`World::start`]; calls from Orders to Billing fail as `faults` says.
    pub(crate) async fn start_with_faults(backend: Backend, faults: Arc<dyn FaultPlan>) -> Self {
        let mut world = Self::prepare(backend, None).await;
        world.faults = Some(faults);
        world.start_billing().await;
        world.start_orders().await;
        world
    }

    /// As [`World::start`], on the suite's own test clock, which runs from real time.
    pub(crate) async fn start_on_test_clock(backend: Backend) -> Self {
        let mut world = Self::prepare(backend, Some("clock")).await;
        world.start_billing().await;
        world.start_orders().await;
        world
    }

    /// Starts Billing and one instance of SanLicensing on a clock that stands still.
    pub(crate) async fn start_with_san_licensing(backend: Backend) -> Self {
        let mut world = Self::prepare(backend, None).await;
        world.start_billing().await;
        world.start_san_licensing().await;
        world
    }

    /// Starts Billing and one instance of SanLicensing on real time, so that processes can join in.
    pub(crate) async fn start_with_san_licensing_on_real_time(backend: Backend) -> Self {
        let mut world = Self::prepare(backend, None).await;
        world.suite = Suite::on_system_clock();
        world.start_billing().await;
        world.start_san_licensing().await;
        world
    }

    /// Starts all three services with their stores on a small disk.
    pub(crate) async fn start_on(backend: Backend, disk: SmallDisk) -> Self {
        let mut world = Self::prepare(backend, None).await;
        world.storage = Arc::new(Storage::create_on(backend, disk).await);
        world.start_all().await;
        world
    }

    /// Starts all three services.
    pub(crate) async fn start_whole(backend: Backend) -> Self {
        let mut world = Self::prepare(backend, None).await;
        world.start_all().await;
        world
    }

    /// As [`World::start_whole`], on servers of the test's own.
    pub(crate) async fn start_whole_at(servers: &Servers) -> Self {
        let storage = Storage::with(Some(servers.database()));
        let mut world = Self::on_storage(Arc::new(storage), None);
        world.start_all().await;
        world
    }

    async fn start_all(&mut self) {
        self.start_billing().await;
        self.start_san_licensing().await;
        self.start_orders().await;
    }

    /// Stops all services and starts them again.
    pub(crate) async fn restart(&mut self) {
        self.stop_all().await;
        self.start_all().await;
    }

    async fn stop_all(&mut self) {
        self.stop_orders().await;
        self.stop_san_licensing(0).await;
        self.stop_billing().await;
    }

    /// The small disk that the stores are on.
    pub(crate) fn disk(&self) -> &SmallDisk {
        self.storage.disk.as_ref().unwrap()
    }

    /// A world at an instant, without services or stores so far.
    pub(crate) async fn empty_at(backend: Backend, now: Instant) -> Self {
        let world = Self::on_storage(Arc::new(Storage::create(backend).await), None);
        world.time.move_to(now);
        world
    }

    /// Starts instances of all three services on this world's stores, at new addresses, with a clock that
    /// stands still and is ahead by `by`.
    pub(crate) async fn twin_ahead(&self, by: chrono::TimeDelta) -> Self {
        let mut twin = Self::on_storage(self.storage.clone(), None);
        twin.time.move_to(self.now().checked_add(by).unwrap());
        twin.start_billing().await;
        twin.start_san_licensing().await;
        twin.start_orders().await;
        twin
    }

    async fn prepare(backend: Backend, test_clock: Option<&str>) -> Self {
        Self::on_storage(
            Arc::new(Storage::create_for_services(backend).await),
            test_clock,
        )
    }

    fn on_storage(storage: Arc<Storage>, test_clock: Option<&str>) -> Self {
        let time = Arc::new(StandingClock::new());
        let suite = match test_clock {
            Some(file) => {
                let clock = TestClock::open(&storage.folder.path().join(file)).unwrap();
                Suite::on_test_clock(Arc::new(clock))
            }
            None => {
                let mut suite = Suite::on_system_clock();
                suite.clock = time.clone();
                suite
            }
        };
        let (billing_port, orders_port) = (free_port(), free_port());
        Self {
            time,
            suite,
            storage,
            faults: None,
            seller: None,
            billing_port,
            orders_port,
            san_licensing_port: free_port(),
            billing: None,
            billing_store: None,
            orders: None,
            billing_channel: Channel::to_port(billing_port),
            orders_channel: Channel::to_port(orders_port),
            san_licensing: Vec::new(),
        }
    }

    /// Does all due work now. Failures are ignored, because the schedules repeat the work.
    pub(crate) async fn catch_up(&self) {
        let _ = self.suite.catch_up().await;
    }

    /// Starts Billing, the first time or again, on the same store and port.
    pub(crate) async fn start_billing(&mut self) {
        let listener = listener(self.billing_port).await;
        let service = licet_billing::build(licet_billing::Deps {
            location: self.storage.location("billing"),
            seller: self.seller.clone(),
        });
        let limits = Limits {
            drain_seconds: 1,
            ..Limits::default()
        };
        let service = service.await.unwrap();
        self.billing_store = Some(service.database.clone());
        let running = server::start(service, listener, &limits, &self.suite).await;
        self.billing = Some(running.unwrap());
    }

    /// Starts Orders, the first time or again, on the same store and port.
    pub(crate) async fn start_orders(&mut self) {
        let running = self.run_orders(self.orders_port).await;
        self.orders = Some(running);
    }

    /// Starts another instance of Orders on the same store, for due work.
    pub(crate) async fn another_orders(&self) -> RunningServer {
        self.run_orders(free_port()).await
    }

    async fn run_orders(&self, port: u16) -> RunningServer {
        let listener = listener(port).await;
        let san_licensing = format!("http://127.0.0.1:{}", self.san_licensing_port);
        let mut san_licensing = PeerChannel::new(&san_licensing, "orders").unwrap();
        let mut billing = PeerChannel::new(&self.billing_address(), "orders").unwrap();
        if let Some(faults) = &self.faults {
            billing = billing.with_faults(faults.clone());
            san_licensing = san_licensing.with_faults(faults.clone());
        }
        let service = licet_orders::build(licet_orders::Deps {
            location: self.storage.location("orders"),
            clock: self.suite.clock.clone(),
            billing,
            san_licensing,
        });
        let limits = Limits {
            drain_seconds: 1,
            ..Limits::default()
        };
        let running = server::start(service.await.unwrap(), listener, &limits, &self.suite).await;
        running.unwrap()
    }

    /// Starts an instance of SanLicensing; all use the same store.
    pub(crate) async fn start_san_licensing(&mut self) {
        let first = self.san_licensing_port;
        let is_taken = self.san_licensing.iter().any(|other| other.port == first);
        let port = if is_taken { free_port() } else { first };
        let running = self.run_san_licensing(port).await;
        self.san_licensing.push(SanLicensing {
            port,
            running: Some(running),
            channel: Channel::to_port(port),
        });
    }

    /// Starts another instance of SanLicensing on the same store, which this world does not count.
    pub(crate) async fn another_san_licensing(&self) -> RunningServer {
        self.run_san_licensing(free_port()).await
    }

    async fn run_san_licensing(&self, port: u16) -> RunningServer {
        let listener = listener(port).await;
        let mut billing = PeerChannel::new(&self.billing_address(), "san-licensing").unwrap();
        if let Some(faults) = &self.faults {
            billing = billing.with_faults(faults.clone());
        }
        let service = licet_san_licensing::build(licet_san_licensing::Deps {
            location: self.san_licensing_location(),
            clock: self.suite.clock.clone(),
            billing,
            engine: licet_san_licensing::EngineSettings::default(),
        });
        let limits = Limits {
            drain_seconds: 1,
            ..Limits::default()
        };
        let running = server::start(service.await.unwrap(), listener, &limits, &self.suite).await;
        running.unwrap()
    }

    /// Services that start later prune as if so many more days of real time had passed.
    pub(crate) fn prune_as_if_after(&mut self, days: i64) {
        self.suite.prune_ahead = chrono::TimeDelta::days(days);
    }

    /// Makes calls from services that start later fail as `faults` says.
    pub(crate) fn interfere(&mut self, faults: Arc<dyn FaultPlan>) {
        self.faults = Some(faults);
    }

    /// The database of the running Billing, for what no call can do.
    pub(crate) fn billing_store(&self) -> &Database {
        self.billing_store.as_ref().unwrap()
    }

    /// Keeps a copy of what the stores hold now; on PostgreSQL alone.
    pub(crate) async fn keep_stores(&self) {
        self.storage.database.as_ref().unwrap().keep().await;
    }

    /// Puts the kept copy in the stores' place while the services run: what was written since is lost.
    pub(crate) async fn put_stores_back(&self) {
        self.storage.database.as_ref().unwrap().put_back().await;
    }

    /// Deletes a service's store before its next start.
    pub(crate) fn lose_store(&mut self, area: &str) {
        let storage = Arc::get_mut(&mut self.storage);
        storage.unwrap().lose(area);
    }

    /// The location of a service's store.
    pub(crate) fn location(&self, area: &str) -> Location {
        self.storage.location(area)
    }

    pub(crate) fn billing_location(&self) -> Location {
        self.storage.location("billing")
    }

    pub(crate) fn orders_location(&self) -> Location {
        self.storage.location("orders")
    }

    pub(crate) fn san_licensing_location(&self) -> Location {
        self.storage.location("san_licensing")
    }

    /// Stops an instance of SanLicensing; later ones move up by one number.
    pub(crate) async fn stop_san_licensing(&mut self, instance: usize) {
        let mut stopped = self.san_licensing.remove(instance);
        if let Some(running) = stopped.running.take() {
            running.shutdown().await;
        }
    }

    /// Stops Billing.
    pub(crate) async fn stop_billing(&mut self) {
        if let Some(running) = self.billing.take() {
            running.shutdown().await;
        }
    }

    /// Stops Orders.
    pub(crate) async fn stop_orders(&mut self) {
        if let Some(running) = self.orders.take() {
            running.shutdown().await;
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.suite.clock.now()
    }

    pub(crate) fn billing_address(&self) -> String {
        format!("http://127.0.0.1:{}", self.billing_port)
    }

    /// The address of the first instance.
    pub(crate) fn san_licensing_address(&self) -> String {
        format!("http://127.0.0.1:{}", self.san_licensing_port)
    }

    pub(crate) fn catalog(&self) -> CatalogServiceClient<Channel> {
        CatalogServiceClient::new(self.billing_channel.clone())
    }

    pub(crate) fn accounts(&self) -> AccountServiceClient<Channel> {
        AccountServiceClient::new(self.billing_channel.clone())
    }

    pub(crate) fn quotes(&self) -> QuoteServiceClient<Channel> {
        QuoteServiceClient::new(self.billing_channel.clone())
    }

    pub(crate) fn invoices(&self) -> InvoiceServiceClient<Channel> {
        InvoiceServiceClient::new(self.billing_channel.clone())
    }

    pub(crate) fn refunds(&self) -> RefundServiceClient<Channel> {
        RefundServiceClient::new(self.billing_channel.clone())
    }

    pub(crate) fn billing_channel(&self) -> Channel {
        self.billing_channel.clone()
    }

    pub(crate) fn orders_channel(&self) -> Channel {
        self.orders_channel.clone()
    }

    pub(crate) fn orders(&self) -> OrderServiceClient<Channel> {
        OrderServiceClient::new(self.orders_channel.clone())
    }

    pub(crate) fn certificates(&self) -> CertificateServiceClient<Channel> {
        CertificateServiceClient::new(self.orders_channel.clone())
    }

    pub(crate) fn servers(&self) -> ServerServiceClient<Channel> {
        ServerServiceClient::new(self.orders_channel.clone())
    }

    pub(crate) fn operations(&self) -> OperationServiceClient<Channel> {
        OperationServiceClient::new(self.orders_channel.clone())
    }

    pub(crate) fn billing_events(&self) -> EventServiceClient<Channel> {
        EventServiceClient::new(self.billing_channel.clone())
    }

    pub(crate) fn orders_events(&self) -> EventServiceClient<Channel> {
        EventServiceClient::new(self.orders_channel.clone())
    }

    pub(crate) fn clock(&self) -> ClockServiceClient<Channel> {
        ClockServiceClient::new(self.orders_channel.clone())
    }

    /// The channel to an instance of SanLicensing, counted from 0.
    pub(crate) fn san_port(&self, instance: usize) -> u16 {
        self.san_licensing[instance].port
    }

    /// Has an Orders that starts later call SanLicensing at this port.
    pub(crate) fn call_san_licensing_at(&mut self, port: u16) {
        self.san_licensing_port = port;
    }

    pub(crate) fn san_channel(&self, instance: usize) -> Channel {
        self.san_licensing[instance].channel.clone()
    }

    pub(crate) fn san_instances(&self) -> usize {
        self.san_licensing.len()
    }

    pub(crate) fn san_licenses(&self) -> LicenseServiceClient<Channel> {
        LicenseServiceClient::new(self.san_channel(0))
    }

    pub(crate) fn san_issuance(&self) -> IssuanceServiceClient<Channel> {
        IssuanceServiceClient::new(self.san_channel(0))
    }

    pub(crate) fn san_usage(&self) -> UsageServiceClient<Channel> {
        UsageServiceClient::new(self.san_channel(0))
    }

    pub(crate) fn san_operations(&self) -> OperationServiceClient<Channel> {
        OperationServiceClient::new(self.san_channel(0))
    }

    pub(crate) fn san_events(&self) -> EventServiceClient<Channel> {
        EventServiceClient::new(self.san_channel(0))
    }
}
