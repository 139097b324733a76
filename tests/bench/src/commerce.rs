//! Billing, alone or with Orders and SanLicensing, as in production but in this process, each on its own
//! schema of one database; and their clients' charges, orders and domain changes.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use licet_contracts::{
    billing::v1::{
        ChargeQuoteRequest, CreateAccountRequest, CreateProductRequest, CreateQuoteRequest,
        DepositRequest, InvoiceState, LineKind, Product, ProductKind, QuoteItem, SetPricesRequest,
        Subject, TermPrice, account_service_client::AccountServiceClient,
        catalog_service_client::CatalogServiceClient, invoice_service_client::InvoiceServiceClient,
        quote_service_client::QuoteServiceClient,
    },
    orders::v1::{
        GetOrderRequest, Order, OrderState, PlaceOrderRequest, UpdateDomainsRequest,
        order_service_client::OrderServiceClient,
    },
    types::v1::Price,
};
use licet_runtime::{
    config::Limits,
    database::Location,
    peer::PeerChannel,
    server::{self, RunningServer, Service, Suite},
};
use tonic::transport::Channel;
use uuid::Uuid;

use crate::{
    cluster::{Cluster, Place},
    drive::Operation,
    service::{CONNECTIONS, CURRENCY, connect, listener, money, request_id},
    trouble::Trouble,
};

const PRODUCT: &str = "bench-multi-domain";
/// The pin of every quote of the benchmark.
const PIN: &str = "bench";

/// The services of one scenario, a product and an account with a balance.
pub(crate) struct Commerce {
    /// A caller comes before the services that it calls.
    running: Vec<RunningServer>,
    billing: Vec<Channel>,
    orders: Vec<Channel>,
    pub(crate) account_id: String,
}

impl Commerce {
    /// Starts Billing alone on an empty database.
    pub(crate) async fn billing(cluster: &Cluster, place: &Place) -> Result<Self, Trouble> {
        Self::billing_at(cluster.location(place, "billing")).await
    }

    /// Starts Billing alone on an empty database.
    pub(crate) async fn billing_at(location: Location) -> Result<Self, Trouble> {
        let suite = Suite::on_system_clock();
        let built = licet_billing::build(licet_billing::Deps {
            location,
            seller: None,
        })
        .await;
        let billing = serve(
            built.map_err(|fault| Trouble(format!("{fault:?}")))?,
            &suite,
        )
        .await?;
        Self::open(vec![billing]).await
    }

    /// Starts all three services on an empty database.
    pub(crate) async fn whole(cluster: &Cluster, place: &Place) -> Result<Self, Trouble> {
        Self::whole_at(|schema: &str| cluster.location(place, schema)).await
    }

    /// Starts all three services on empty stores.
    pub(crate) async fn whole_at(location: impl Fn(&str) -> Location) -> Result<Self, Trouble> {
        let suite = Suite::on_system_clock();
        let deps = licet_billing::Deps {
            location: location("billing"),
            seller: None,
        };
        let built = licet_billing::build(deps).await;
        let billing = serve(
            built.map_err(|fault| Trouble(format!("{fault:?}")))?,
            &suite,
        )
        .await?;
        let billing_url = format!("http://{}", billing.address());
        let deps = licet_san_licensing::Deps {
            location: location("san_licensing"),
            clock: suite.clock.clone(),
            billing: PeerChannel::new(&billing_url, "san-licensing")?,
            engine: licet_san_licensing::EngineSettings::default(),
        };
        let built = licet_san_licensing::build(deps).await;
        let san_licensing = serve(
            built.map_err(|fault| Trouble(format!("{fault:?}")))?,
            &suite,
        )
        .await?;
        let deps = licet_orders::Deps {
            location: location("orders"),
            clock: suite.clock.clone(),
            billing: PeerChannel::new(&billing_url, "orders")?,
            san_licensing: PeerChannel::new(
                &format!("http://{}", san_licensing.address()),
                "orders",
            )?,
        };
        let built = licet_orders::build(deps).await;
        let orders = serve(
            built.map_err(|fault| Trouble(format!("{fault:?}")))?,
            &suite,
        )
        .await?;
        Self::open(vec![orders, san_licensing, billing]).await
    }

    async fn open(running: Vec<RunningServer>) -> Result<Self, Trouble> {
        let address = |running: Option<&RunningServer>| {
            running.map_or_else(String::new, |running| {
                format!("http://{}", running.address())
            })
        };
        let mut this = Self {
            billing: connect(&address(running.last()), CONNECTIONS).await?,
            // With Billing alone, nobody uses this connection.
            orders: connect(&address(running.first()), CONNECTIONS).await?,
            running,
            account_id: String::new(),
        };
        this.offer().await?;
        this.account_id = this.open_account().await?;
        Ok(this)
    }

    pub(crate) async fn stop(self) {
        drop((self.billing, self.orders));
        for running in self.running {
            running.shutdown().await;
        }
    }

    async fn offer(&self) -> Result<(), Trouble> {
        let mut catalog = CatalogServiceClient::new(self.billing[0].clone());
        let product = Product {
            product_id: PRODUCT.to_owned(),
            display_name: "Multi-domain certificate of the benchmark".to_owned(),
            kind: ProductKind::MultiDomain.into(),
            term_months: vec![12],
            included_domains: 3,
            max_domains: 100,
            max_additional_licenses: 25,
            wildcards_allowed: true,
            ..Product::default()
        };
        let request = CreateProductRequest {
            product: Some(product),
            request_id: request_id(),
        };
        catalog.create_product(request).await?;
        let prices = TermPrice {
            term_months: 12,
            certificate: price("141.60"),
            domain: price("49.00"),
            wildcard_domain: price("199.00"),
            additional_license: price("70.00"),
        };
        let request = SetPricesRequest {
            product_id: PRODUCT.to_owned(),
            currency_code: CURRENCY.to_owned(),
            prices: vec![prices],
            request_id: request_id(),
            ..SetPricesRequest::default()
        };
        catalog.set_prices(request).await?;
        Ok(())
    }

    async fn open_account(&self) -> Result<String, Trouble> {
        let mut accounts = AccountServiceClient::new(self.billing[0].clone());
        let request = CreateAccountRequest {
            display_name: "Benchmark".to_owned(),
            currency_code: CURRENCY.to_owned(),
            request_id: request_id(),
            ..CreateAccountRequest::default()
        };
        let answer = accounts.create_account(request).await?.into_inner();
        let account = answer
            .account
            .ok_or_else(|| Trouble("Billing answered without the account".to_owned()))?;
        let request = DepositRequest {
            account_id: account.account_id.clone(),
            amount: Some(money("1000000000000.00")),
            reference: "benchmark".to_owned(),
            request_id: request_id(),
        };
        accounts.deposit(request).await?;
        Ok(account.account_id)
    }

    /// Creates a quote for a certificate and a further domain for a year.
    pub(crate) async fn quote(&self) -> Result<String, Trouble> {
        let item = |kind: LineKind| QuoteItem {
            kind: kind.into(),
            product_id: PRODUCT.to_owned(),
            quantity: 1,
            term_months: 12,
            ..QuoteItem::default()
        };
        let request = CreateQuoteRequest {
            account_id: self.account_id.clone(),
            items: vec![item(LineKind::Certificate), item(LineKind::Domain)],
            pin: PIN.to_owned(),
            subject: Some(Subject {
                resource_id: "benchmark".to_owned(),
                term_index: 0,
            }),
            request_id: request_id(),
            ..CreateQuoteRequest::default()
        };
        let mut quotes = QuoteServiceClient::new(self.billing[0].clone());
        let answer = quotes.create_quote(request).await?.into_inner();
        let quote = answer.quote.map(|quote| quote.quote_id);
        quote.ok_or_else(|| Trouble("Billing answered without the quote".to_owned()))
    }

    /// Charges one quote.
    pub(crate) async fn charge(&self, quote_id: String) -> Result<(), Trouble> {
        for mut stream in self.charging(&Prepared::new(vec![quote_id]), 1) {
            stream.once().await?;
        }
        Ok(())
    }

    /// Places one order and returns its id.
    pub(crate) async fn place_order(&self) -> Result<String, Trouble> {
        let mut placed = String::new();
        for mut stream in self.placing(std::slice::from_ref(&self.account_id), 1) {
            placed = stream.place().await?;
        }
        Ok(placed)
    }

    /// Adds a domain to one order.
    pub(crate) async fn add_domain(&self, order_id: String) -> Result<(), Trouble> {
        for mut stream in self.changing(&Prepared::new(vec![order_id]), 1) {
            stream.once().await?;
        }
        Ok(())
    }

    /// Streams that each charge prepared quotes.
    pub(crate) fn charging(&self, quotes: &Prepared, streams: usize) -> Vec<Charge> {
        (0..streams)
            .map(|stream| Charge {
                client: InvoiceServiceClient::new(self.billing[stream % CONNECTIONS].clone()),
                quotes: quotes.clone(),
            })
            .collect()
    }

    /// Streams that each deposit to these accounts in turn.
    pub(crate) fn depositing(&self, accounts: &[String], streams: usize) -> Vec<Deposit> {
        (0..streams)
            .map(|stream| Deposit {
                client: AccountServiceClient::new(self.billing[stream % CONNECTIONS].clone()),
                accounts: accounts.to_vec(),
                // Apart from the other streams.
                turn: stream * accounts.len() / streams.max(1),
            })
            .collect()
    }

    /// Streams that place orders for these accounts in turn.
    pub(crate) fn placing(&self, accounts: &[String], streams: usize) -> Vec<PlaceOrder> {
        (0..streams)
            .map(|stream| PlaceOrder {
                client: OrderServiceClient::new(self.orders[stream % CONNECTIONS].clone()),
                accounts: accounts.to_vec(),
                turn: stream,
            })
            .collect()
    }

    /// Streams that each add a domain to prepared orders.
    pub(crate) fn changing(&self, orders: &Prepared, streams: usize) -> Vec<AddDomain> {
        (0..streams)
            .map(|stream| AddDomain {
                client: OrderServiceClient::new(self.orders[stream % CONNECTIONS].clone()),
                orders: orders.clone(),
            })
            .collect()
    }
}

async fn serve(service: Service, suite: &Suite) -> Result<RunningServer, Trouble> {
    let limits = Limits {
        drain_seconds: 2,
        ..Limits::default()
    };
    Ok(server::start(service, listener().await?, &limits, suite).await?)
}

fn price(value: &str) -> Option<Price> {
    Some(Price {
        currency_code: CURRENCY.to_owned(),
        value: value.to_owned(),
    })
}

/// Ids made in advance, each to be used once.
#[derive(Clone)]
pub(crate) struct Prepared(Arc<Mutex<Vec<String>>>);

impl Prepared {
    pub(crate) fn new(ids: Vec<String>) -> Self {
        Self(Arc::new(Mutex::new(ids)))
    }

    fn take(&self) -> Result<String, Trouble> {
        let mut ids = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ids.pop()
            .ok_or_else(|| Trouble("more was done than was prepared".to_owned()))
    }
}

/// Charges a quote.
pub(crate) struct Charge {
    client: InvoiceServiceClient<Channel>,
    quotes: Prepared,
}

impl Operation for Charge {
    async fn once(&mut self) -> Result<(), Trouble> {
        let request = ChargeQuoteRequest {
            quote_id: self.quotes.take()?,
            pin: PIN.to_owned(),
            request_id: request_id(),
            ..ChargeQuoteRequest::default()
        };
        let answer = self.client.charge_quote(request).await?.into_inner();
        match answer.invoice {
            Some(invoice) if invoice.state() == InvoiceState::Paid => Ok(()),
            other => Err(Trouble(format!("a charge came to {other:?}"))),
        }
    }
}

/// Deposits to the next account.
pub(crate) struct Deposit {
    client: AccountServiceClient<Channel>,
    accounts: Vec<String>,
    turn: usize,
}

impl Operation for Deposit {
    async fn once(&mut self) -> Result<(), Trouble> {
        self.turn += 1;
        let request = DepositRequest {
            account_id: self.accounts[self.turn % self.accounts.len()].clone(),
            amount: Some(money("1.00")),
            reference: "benchmark".to_owned(),
            request_id: request_id(),
        };
        self.client.deposit(request).await?;
        Ok(())
    }
}

/// Places an order for three domains, all included, and waits until it is paid.
pub(crate) struct PlaceOrder {
    client: OrderServiceClient<Channel>,
    accounts: Vec<String>,
    turn: usize,
}

impl PlaceOrder {
    /// Returns the order's id.
    async fn place(&mut self) -> Result<String, Trouble> {
        self.turn += 1;
        let name = format!("{}.example.com", Uuid::new_v4().simple());
        let request = PlaceOrderRequest {
            account_id: self.accounts[self.turn % self.accounts.len()].clone(),
            product_id: PRODUCT.to_owned(),
            term_months: 12,
            domains: vec![format!("www.{name}"), format!("shop.{name}")],
            common_name: name,
            server_software: "nginx".to_owned(),
            request_id: request_id(),
            ..PlaceOrderRequest::default()
        };
        let answer = self.client.place_order(request).await?.into_inner();
        let is_paid = |order: &Order| order.state() == OrderState::Paid;
        let order = ended(&mut self.client, answer.order, is_paid).await?;
        Ok(order.order_id)
    }
}

impl Operation for PlaceOrder {
    async fn once(&mut self) -> Result<(), Trouble> {
        self.place().await.map(|_| ())
    }
}

/// Adds a fourth domain to an order and waits until it is charged for the rest of the term.
pub(crate) struct AddDomain {
    client: OrderServiceClient<Channel>,
    orders: Prepared,
}

impl Operation for AddDomain {
    async fn once(&mut self) -> Result<(), Trouble> {
        let request = UpdateDomainsRequest {
            order_id: self.orders.take()?,
            add_domains: vec![format!("{}.example.net", Uuid::new_v4().simple())],
            request_id: request_id(),
            ..UpdateDomainsRequest::default()
        };
        let answer = self.client.update_domains(request).await?.into_inner();
        let is_charged = |order: &Order| {
            let change = order.pending_change.as_ref();
            change.is_some_and(|change| {
                let charge = change.domain_change.as_ref();
                charge.is_some_and(|charge| !charge.invoice_id.is_empty())
            })
        };
        ended(&mut self.client, answer.order, is_charged).await?;
        Ok(())
    }
}

/// Waits until the order's operation has ended, starting with the response's order.
async fn ended(
    client: &mut OrderServiceClient<Channel>,
    answered: Option<Order>,
    is_ended: impl Fn(&Order) -> bool,
) -> Result<Order, Trouble> {
    let mut seen = answered;
    for _ in 0..300 {
        let order = seen.ok_or_else(|| Trouble("Orders answered without the order".to_owned()))?;
        if is_ended(&order) {
            return Ok(order);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        let request = GetOrderRequest {
            order_id: order.order_id,
        };
        seen = client.get_order(request).await?.into_inner().order;
    }
    Err(Trouble("an operation on an order did not end".to_owned()))
}
