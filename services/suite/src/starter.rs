//! The starter catalogue and an account with a balance, loaded through Billing's own API when the
//! store is new. Fixed request ids let an interrupted load complete.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
};

use licet_contracts::{
    billing::v1::{
        CreateAccountRequest, CreateProductRequest, DepositRequest, Product, ProductKind,
        SetPricesRequest, TermPrice, VolumeTier, account_service_client::AccountServiceClient,
        catalog_service_client::CatalogServiceClient,
    },
    types::v1::{Money, Price},
};
use licet_runtime::{
    clock::TestClock,
    config::Limits,
    database::Location,
    peer::PeerChannel,
    server::{self, Suite},
};
use tokio::net::TcpListener;

use crate::CommandError;

const CURRENCY: &str = "USD";

/// Loads the starter data unless it is already loaded, and returns the account with the balance.
pub(crate) async fn load(
    data: &Path,
    billing: &Location,
    limits: &Limits,
    clock: &Arc<TestClock>,
) -> Result<String, CommandError> {
    let marker = data.join("starter-account");
    match std::fs::read_to_string(&marker) {
        // A load that ran out of disk space leaves an empty file.
        Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_owned()),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    // Use a private address: the suite's own addresses serve calls only once everything is loaded.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let service = licet_billing::build(licet_billing::Deps {
        location: billing.clone(),
        seller: None,
    })
    .await?;
    let suite = Suite::on_test_clock(clock.clone());
    let running = server::start(service, listener, limits, &suite).await?;
    let account_id = load_through(running.address()).await;
    running.shutdown().await;
    let account_id = account_id?;
    std::fs::write(&marker, &account_id)?;
    Ok(account_id)
}

/// Loads the data through Billing's API and returns the account's id.
async fn load_through(billing: SocketAddr) -> Result<String, CommandError> {
    let channel = PeerChannel::new(&format!("http://{billing}"), "starter")?;
    let mut catalog = CatalogServiceClient::new(channel.clone());
    create_product(&mut catalog, single_domain(), 1).await?;
    let prices = term_prices("single-domain-dv", single_domain_prices());
    set_prices(&mut catalog, prices, 2).await?;
    create_product(&mut catalog, multi_domain(), 3).await?;
    let prices = term_prices("multi-domain-dv", multi_domain_prices());
    set_prices(&mut catalog, prices, 4).await?;
    create_product(&mut catalog, intranet(), 7).await?;
    set_prices(&mut catalog, intranet_prices(), 8).await?;

    let mut accounts = AccountServiceClient::new(channel);
    let account = accounts
        .create_account(CreateAccountRequest {
            display_name: "Starter account".to_owned(),
            currency_code: CURRENCY.to_owned(),
            request_id: request_id(5),
            ..CreateAccountRequest::default()
        })
        .await?
        .into_inner()
        .account
        .ok_or_else(|| CommandError("Billing returned no account".to_owned()))?;
    accounts
        .deposit(DepositRequest {
            account_id: account.account_id.clone(),
            amount: Some(Money {
                currency_code: CURRENCY.to_owned(),
                value: "10000.00".to_owned(),
            }),
            reference: "starter balance".to_owned(),
            request_id: request_id(6),
        })
        .await?;
    Ok(account.account_id)
}

fn request_id(number: u8) -> String {
    format!("00000000-0000-4000-8000-0000000000{number:02x}")
}

async fn create_product(
    catalog: &mut CatalogServiceClient<PeerChannel>,
    product: Product,
    number: u8,
) -> Result<(), CommandError> {
    let request = CreateProductRequest {
        product: Some(product),
        request_id: request_id(number),
    };
    catalog.create_product(request).await?;
    Ok(())
}

async fn set_prices(
    catalog: &mut CatalogServiceClient<PeerChannel>,
    prices: SetPricesRequest,
    number: u8,
) -> Result<(), CommandError> {
    let request = SetPricesRequest {
        request_id: request_id(number),
        ..prices
    };
    catalog.set_prices(request).await?;
    Ok(())
}

fn term_prices(product_id: &str, prices: Vec<TermPrice>) -> SetPricesRequest {
    SetPricesRequest {
        product_id: product_id.to_owned(),
        currency_code: CURRENCY.to_owned(),
        prices,
        ..SetPricesRequest::default()
    }
}

/// One domain on several servers, for trying additional licences.
fn single_domain() -> Product {
    Product {
        product_id: "single-domain-dv".to_owned(),
        display_name: "Single-domain certificate, domain validated".to_owned(),
        kind: ProductKind::SingleDomain.into(),
        tier: 1,
        term_months: vec![12, 24],
        included_domains: 1,
        max_domains: 1,
        max_additional_licenses: 25,
        ..Product::default()
    }
}

/// Several domains that can change during the term, 49.00 a year for each additional one.
fn multi_domain() -> Product {
    Product {
        product_id: "multi-domain-dv".to_owned(),
        display_name: "Multi-domain certificate, domain validated".to_owned(),
        kind: ProductKind::MultiDomain.into(),
        tier: 1,
        term_months: vec![12, 24],
        included_domains: 3,
        max_domains: 100,
        max_additional_licenses: 25,
        wildcards_allowed: true,
        ..Product::default()
    }
}

/// A quota of distinct SANs over any number of certificates.
fn intranet() -> Product {
    Product {
        product_id: "intranet-dv".to_owned(),
        display_name: "SAN licence, domain validated".to_owned(),
        kind: ProductKind::SanLicense.into(),
        tier: 1,
        term_months: vec![12, 24],
        included_domains: 1,
        max_domains: 1000,
        wildcards_allowed: true,
        ..Product::default()
    }
}

/// The price of a SAN per year; the tier that a quota reaches applies to all its SANs.
fn intranet_prices() -> SetPricesRequest {
    let tiers = [(1, "1.00"), (100, "0.80"), (1000, "0.50"), (10_000, "0.25")];
    SetPricesRequest {
        product_id: "intranet-dv".to_owned(),
        currency_code: CURRENCY.to_owned(),
        san_tiers: tiers
            .map(|(from_quantity, value)| VolumeTier {
                from_quantity,
                price_12_months: price(value),
            })
            .to_vec(),
        ..SetPricesRequest::default()
    }
}

fn price(value: &str) -> Option<Price> {
    Some(Price {
        currency_code: CURRENCY.to_owned(),
        value: value.to_owned(),
    })
}

fn single_domain_prices() -> Vec<TermPrice> {
    [(12, "79.00", "39.00"), (24, "149.00", "74.00")]
        .map(|(term_months, certificate, additional_license)| TermPrice {
            term_months,
            certificate: price(certificate),
            additional_license: price(additional_license),
            ..TermPrice::default()
        })
        .to_vec()
}

fn multi_domain_prices() -> Vec<TermPrice> {
    [
        (12, "141.60", "49.00", "199.00", "70.00"),
        (24, "269.00", "98.00", "398.00", "134.00"),
    ]
    .map(
        |(term_months, certificate, domain, wildcard, additional_license)| TermPrice {
            term_months,
            certificate: price(certificate),
            domain: price(domain),
            wildcard_domain: price(wildcard),
            additional_license: price(additional_license),
        },
    )
    .to_vec()
}
