//! Accounts, prices and quotes in any currency, made through Billing, for tests that need more than the USD
//! catalogue of `samples`.

use licet_contracts::{
    billing::v1::{
        ChargeQuoteRequest, CreateAccountRequest, CreateQuoteRequest, DepositRequest, Invoice,
        LineKind, ListPricesRequest, PriceList, Quote, QuoteItem, SetPricesRequest, TermPrice,
        TermRef,
    },
    types::v1::Price,
};
use licet_domain::clock::Instant;
use tonic::{Response, Status};

use super::{
    Backend,
    clock::timestamp,
    request_id,
    samples::money,
    san::{BUNDLE, san_product, tier, tiers_request},
    world::World,
};

/// `49.00` in a currency.
pub(crate) fn price_in(currency: &str, value: &str) -> Option<Price> {
    Some(Price {
        currency_code: currency.to_owned(),
        value: value.to_owned(),
    })
}

/// Prices of a certificate, a further domain, a wildcard domain and an additional licence for a term.
pub(crate) fn term_price_in(currency: &str, months: i32, each: [&str; 4]) -> TermPrice {
    let [certificate, domain, wildcard_domain, additional_license] =
        each.map(|value| price_in(currency, value));
    TermPrice {
        term_months: months,
        certificate,
        domain,
        wildcard_domain,
        additional_license,
    }
}

/// The request to set prices from now on.
pub(crate) fn prices_request(
    product_id: &str,
    currency: &str,
    prices: Vec<TermPrice>,
) -> SetPricesRequest {
    SetPricesRequest {
        product_id: product_id.to_owned(),
        currency_code: currency.to_owned(),
        prices,
        request_id: request_id(),
        ..SetPricesRequest::default()
    }
}

/// An item for the whole of a new term of 12 months.
pub(crate) fn item(kind: LineKind, product_id: &str, quantity: i32) -> QuoteItem {
    QuoteItem {
        kind: kind.into(),
        product_id: product_id.to_owned(),
        quantity,
        term_months: 12,
        ..QuoteItem::default()
    }
}

/// An item for a term counted from an anchor, whole or from a change on.
pub(crate) fn item_of_term(
    item: QuoteItem,
    anchor: Instant,
    (first_month, months): (i32, i32),
    change: Option<Instant>,
) -> QuoteItem {
    QuoteItem {
        term: Some(TermRef {
            anchor_time: Some(timestamp(anchor)),
            first_month,
            months,
        }),
        term_months: 0,
        change_time: change.map(timestamp),
        ..item
    }
}

pub(crate) fn ask(account_id: &str, items: Vec<QuoteItem>) -> CreateQuoteRequest {
    CreateQuoteRequest {
        account_id: account_id.to_owned(),
        items,
        request_id: request_id(),
        ..CreateQuoteRequest::default()
    }
}

/// The samples' catalogue, and SANs at 12.00 a year, 6.00 from 100 SANs.
pub(crate) async fn world_of_all_kinds(backend: Backend) -> (World, String) {
    let world = World::start(backend).await;
    world.stock().await;
    world.create_product(san_product(BUNDLE)).await;
    let tiers = tiers_request(BUNDLE, vec![tier(1, "12.00"), tier(100, "6.00")]);
    world.catalog().set_prices(tiers).await.unwrap();
    let account_id = world.account_with("100000.00").await;
    (world, account_id)
}

impl World {
    /// A new prepaid account with this currency and balance.
    pub(crate) async fn account_in(&self, currency: &str, balance: &str) -> String {
        let request = CreateAccountRequest {
            display_name: format!("Example in {currency}"),
            currency_code: currency.to_owned(),
            request_id: request_id(),
            ..CreateAccountRequest::default()
        };
        let answer = self.accounts().create_account(request).await.unwrap();
        let account_id = answer.into_inner().account.unwrap().account_id;
        let request = DepositRequest {
            account_id: account_id.clone(),
            amount: money(currency, balance),
            reference: "wire transfer".to_owned(),
            request_id: request_id(),
        };
        self.accounts().deposit(request).await.unwrap();
        account_id
    }

    /// The price lists in force at a time, of one currency or, if it is empty, of all.
    pub(crate) async fn price_lists(
        &self,
        product_id: &str,
        currency: &str,
        as_of: Option<Instant>,
    ) -> Vec<PriceList> {
        let request = ListPricesRequest {
            product_id: product_id.to_owned(),
            currency_code: currency.to_owned(),
            as_of_time: as_of.map(timestamp),
            ..ListPricesRequest::default()
        };
        let answer = self.catalog().list_prices(request).await;
        answer.unwrap().into_inner().price_lists
    }

    /// Previews a quote for these items; nothing is stored.
    pub(crate) async fn preview_quote(
        &self,
        account_id: &str,
        items: Vec<QuoteItem>,
    ) -> Result<Quote, Status> {
        let request = CreateQuoteRequest {
            validate_only: true,
            request_id: String::new(),
            ..ask(account_id, items)
        };
        let answer = self.quotes().create_quote(request).await?;
        Ok(answer.into_inner().quote.unwrap())
    }

    /// A stored quote.
    pub(crate) async fn quote(&self, account_id: &str, items: Vec<QuoteItem>) -> Quote {
        let answer = self.quotes().create_quote(ask(account_id, items)).await;
        answer.unwrap().into_inner().quote.unwrap()
    }

    /// Charges a quote without a pin, accepted now.
    pub(crate) async fn charge(&self, quote: &Quote) -> Result<Invoice, Status> {
        let request = ChargeQuoteRequest {
            quote_id: quote.quote_id.clone(),
            request_id: request_id(),
            ..ChargeQuoteRequest::default()
        };
        let answer = self.invoices().charge_quote(request).await;
        answer
            .map(Response::into_inner)
            .map(|it| it.invoice.unwrap())
    }
}
