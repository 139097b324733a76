//! Billing and SanLicensing as in production but in this process, each built by its own `build` and served on
//! loopback. Licences are bought by calls and filled by SQL.

use licet_contracts::{
    billing::v1::{
        CreateAccountRequest, CreateProductRequest, DepositRequest, Product, ProductKind,
        SetPricesRequest, VolumeTier, account_service_client::AccountServiceClient,
        catalog_service_client::CatalogServiceClient,
    },
    sanlicensing::v1::{
        AcceptLicenseRequest, GetLicenseRequest, LicenseState, QuoteLicenseRequest,
        issuance_service_client::IssuanceServiceClient,
        license_service_client::LicenseServiceClient, usage_service_client::UsageServiceClient,
    },
    types::v1::{Money, Price},
};
use licet_domain::ids::CertificateId;
use licet_runtime::{
    config::Limits,
    database::Location,
    peer::PeerChannel,
    server::{self, RunningServer, Suite},
};
use licet_san_licensing::EngineSettings;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement, Value};
use serde_json::json;
use tokio::net::TcpListener;
use tonic::transport::{Channel, Endpoint};
use uuid::Uuid;

use crate::{
    cluster::{Cluster, Place, one},
    operation::{Authorize, License, PRODUCT, Usage, from_now},
    trouble::Trouble,
};

/// The clients' HTTP/2 connections, used in turn.
pub(crate) const CONNECTIONS: usize = 8;
pub(crate) const CURRENCY: &str = "USD";
const QUOTA: i64 = 100_000_000;
/// SANs on each certificate of a filled licence.
const SANS_EACH: u32 = 4;

/// The services of one scenario.
pub(crate) struct Service {
    billing: RunningServer,
    san_licensing: RunningServer,
    billing_channel: Channel,
    channels: Vec<Channel>,
}

impl Service {
    /// Starts both services on empty stores.
    pub(crate) async fn start(billing: Location, own: Location) -> Result<Self, Trouble> {
        let suite = Suite::on_system_clock();
        let limits = Limits {
            drain_seconds: 2,
            ..Limits::default()
        };
        let service = licet_billing::build(licet_billing::Deps {
            location: billing,
            seller: None,
        });
        let service = service
            .await
            .map_err(|fault| Trouble(format!("{fault:?}")))?;
        let billing = server::start(service, listener().await?, &limits, &suite).await?;
        let billing_address = format!("http://{}", billing.address());
        let engine = EngineSettings::default();
        let san_licensing = serve(own, &billing_address, engine, &suite).await?;
        let billing_channel = connect(&billing_address, 1).await?.remove(0);
        let address = format!("http://{}", san_licensing.address());
        let this = Self {
            billing,
            san_licensing,
            billing_channel,
            channels: connect(&address, CONNECTIONS).await?,
        };
        this.offer().await?;
        Ok(this)
    }

    /// Starts both services on a new database of a cluster.
    pub(crate) async fn on(cluster: &Cluster, place: &Place) -> Result<Self, Trouble> {
        let billing = cluster.create("billing").await?;
        let billing = cluster.location(&billing, "billing");
        Self::start(billing, cluster.location(place, SCHEMA)).await
    }

    /// Another instance of SanLicensing on its store, which has loaded nothing yet.
    pub(crate) async fn fresh_instance(
        &self,
        own: Location,
        engine: EngineSettings,
    ) -> Result<(RunningServer, Vec<Channel>), Trouble> {
        let suite = Suite::on_system_clock();
        let billing_address = format!("http://{}", self.billing.address());
        let running = serve(own, &billing_address, engine, &suite).await?;
        let address = format!("http://{}", running.address());
        Ok((running, connect(&address, CONNECTIONS).await?))
    }

    pub(crate) async fn stop(self) {
        let Self {
            billing,
            san_licensing,
            billing_channel,
            channels,
        } = self;
        drop((billing_channel, channels));
        san_licensing.shutdown().await;
        billing.shutdown().await;
    }

    async fn offer(&self) -> Result<(), Trouble> {
        let mut catalog = CatalogServiceClient::new(self.billing_channel.clone());
        catalog
            .create_product(CreateProductRequest {
                product: Some(Product {
                    product_id: PRODUCT.to_owned(),
                    display_name: "SAN licence of the benchmark".to_owned(),
                    kind: ProductKind::SanLicense.into(),
                    term_months: vec![12],
                    included_domains: 1,
                    max_domains: 1,
                    ..Product::default()
                }),
                request_id: request_id(),
            })
            .await?;
        let tier = VolumeTier {
            from_quantity: 1,
            price_12_months: Some(Price {
                currency_code: CURRENCY.to_owned(),
                value: "1.00".to_owned(),
            }),
        };
        catalog
            .set_prices(SetPricesRequest {
                product_id: PRODUCT.to_owned(),
                currency_code: CURRENCY.to_owned(),
                san_tiers: vec![tier],
                request_id: request_id(),
                ..SetPricesRequest::default()
            })
            .await?;
        Ok(())
    }

    /// Buys a licence for a new account.
    pub(crate) async fn license(&self) -> Result<License, Trouble> {
        let account_id = self.open_account().await?;
        let mut licenses = LicenseServiceClient::new(self.channels[0].clone());
        let quoted = licenses
            .quote_license(QuoteLicenseRequest {
                account_id: account_id.clone(),
                product_ids: vec![PRODUCT.to_owned()],
                quota: QUOTA,
                term_months: 12,
                hand_price: Some(money("10.00")),
                request_id: request_id(),
                ..QuoteLicenseRequest::default()
            })
            .await?
            .into_inner();
        let license_id = quoted
            .license
            .ok_or_else(|| Trouble("a quote without its licence".to_owned()))?
            .license_id;
        licenses
            .accept_license(AcceptLicenseRequest {
                license_id: license_id.clone(),
                request_id: request_id(),
                ..AcceptLicenseRequest::default()
            })
            .await?;
        let asked = GetLicenseRequest {
            license_id: license_id.clone(),
        };
        for _ in 0..100 {
            let answer = licenses.get_license(asked.clone()).await?.into_inner();
            if answer
                .license
                .is_some_and(|license| license.state() == LicenseState::Active)
            {
                return Ok(License {
                    account_id,
                    license_id,
                });
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        Err(Trouble(format!("licence {license_id} did not start")))
    }

    async fn open_account(&self) -> Result<String, Trouble> {
        let mut accounts = AccountServiceClient::new(self.billing_channel.clone());
        let account_id = accounts
            .create_account(CreateAccountRequest {
                display_name: "Benchmark".to_owned(),
                currency_code: CURRENCY.to_owned(),
                request_id: request_id(),
                ..CreateAccountRequest::default()
            })
            .await?
            .into_inner()
            .account
            .ok_or_else(|| Trouble("Billing answered without the account".to_owned()))?
            .account_id;
        accounts
            .deposit(DepositRequest {
                account_id: account_id.clone(),
                amount: Some(money("100.00")),
                reference: "benchmark".to_owned(),
                request_id: request_id(),
            })
            .await?;
        Ok(account_id)
    }

    /// Streams that authorise on these licences.
    pub(crate) fn authorizing(&self, licenses: &[License], streams: usize) -> Vec<Authorize> {
        (0..streams)
            .map(|stream| Authorize {
                client: IssuanceServiceClient::new(self.channel(stream)),
                licenses: licenses.to_vec(),
                turn: stream,
                hold: None,
            })
            .collect()
    }

    /// Streams that get a licence's usage.
    pub(crate) fn asking_usage(&self, license: &License, sans: u32, streams: usize) -> Vec<Usage> {
        (0..streams)
            .map(|stream| Usage {
                client: UsageServiceClient::new(self.channel(stream)),
                license_id: license.license_id.clone(),
                as_of: None,
                sans: Some(sans.into()),
            })
            .collect()
    }

    pub(crate) fn channel(&self, stream: usize) -> Channel {
        self.channels[stream % self.channels.len()].clone()
    }
}

/// Starts an instance of SanLicensing.
async fn serve(
    location: Location,
    billing_address: &str,
    engine: EngineSettings,
    suite: &Suite,
) -> Result<RunningServer, Trouble> {
    let limits = Limits {
        drain_seconds: 2,
        ..Limits::default()
    };
    let service = licet_san_licensing::build(licet_san_licensing::Deps {
        location,
        clock: suite.clock.clone(),
        billing: PeerChannel::new(billing_address, "san-licensing")?,
        engine,
    });
    let service = service
        .await
        .map_err(|fault| Trouble(format!("{fault:?}")))?;
    Ok(server::start(service, listener().await?, &limits, suite).await?)
}

/// SanLicensing's schema in its database.
pub(crate) const SCHEMA: &str = "san_licensing";

/// Fills a licence with distinct SANs on active certificates that expire one after the other.
pub(crate) async fn fill(
    cluster: &Cluster,
    place: &Place,
    license: &License,
    sans: u32,
) -> Result<(), Trouble> {
    const AT_ONCE: u32 = 5_000;
    let server = cluster.connect(&place.name, SCHEMA).await?;
    // Move the fence, as any change of holdings does, so that the service reads the new rows.
    let moved = format!(
        "UPDATE license_fence SET version = version + 1 WHERE license_id = '{}' RETURNING version",
        license.license_id
    );
    let version: i64 = one(&server, &moved).await?;
    let certificates = sans / SANS_EACH;
    let mut first = 0;
    while first < certificates {
        let end = certificates.min(first + AT_ONCE);
        insert(&server, license, version, first..end).await?;
        first = end;
    }
    let analyze = "ANALYZE certificate, certificate_san";
    server.execute_unprepared(analyze).await?;
    Ok(server.close().await?)
}

async fn insert(
    server: &DatabaseConnection,
    license: &License,
    version: i64,
    numbers: std::ops::Range<u32>,
) -> Result<(), Trouble> {
    let now_us = from_now(0).seconds * 1_000_000;
    let rows: Vec<_> = numbers
        .map(|number| {
            let names: Vec<_> = (0..SANS_EACH)
                .map(|san| format!("d:host{san}-of-{number}.example.com"))
                .collect();
            // As in practice, certificates come and go: one was recorded every 20 seconds, and from
            // tomorrow one expires every 20 seconds.
            let apart_us = i64::from(number) * 20_000_000;
            let not_after_us = now_us + 86_400_000_000 + apart_us;
            json!({
                "c": CertificateId::generate(),
                "s": format!("{number:x}"),
                "n": names.join("\n"),
                "b": now_us - apart_us,
                "e": not_after_us,
                "u": not_after_us + 1_000_000,
            })
        })
        .collect();
    let rows = Value::from(json!(rows).to_string());
    let values = [
        rows.clone(),
        license.account_id.clone().into(),
        license.license_id.clone().into(),
        version.into(),
        PRODUCT.into(),
    ];
    let certificates = include_str!("../sql/load_certificates.sql");
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, certificates, values);
    server.execute_raw(statement).await?;
    let sans = include_str!("../sql/load_certificate_sans.sql");
    let values = [
        rows,
        license.account_id.clone().into(),
        license.license_id.clone().into(),
    ];
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, sans, values);
    server.execute_raw(statement).await?;
    Ok(())
}

/// Opens `count` connections.
pub(crate) async fn connect(address: &str, count: usize) -> Result<Vec<Channel>, Trouble> {
    let mut channels = Vec::with_capacity(count);
    for _ in 0..count {
        let endpoint = Endpoint::from_shared(address.to_owned())?.tcp_nodelay(true);
        channels.push(endpoint.connect().await?);
    }
    Ok(channels)
}

/// A listener on a free port of loopback.
pub(crate) async fn listener() -> Result<TcpListener, Trouble> {
    Ok(TcpListener::bind(("127.0.0.1", 0)).await?)
}

/// An amount in the benchmark's currency.
pub(crate) fn money(value: &str) -> Money {
    Money {
        currency_code: CURRENCY.to_owned(),
        value: value.to_owned(),
    }
}

/// A new request id.
pub(crate) fn request_id() -> String {
    Uuid::new_v4().to_string()
}
