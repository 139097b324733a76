//! A sample catalogue, account and orders, made through the services.

use licet_contracts::{
    billing::v1::{
        Account, CreateAccountRequest, CreateProductRequest, DepositRequest, GetAccountRequest,
        Invoice, LedgerEntry, ListEntriesRequest, ListInvoicesRequest, Product, ProductKind,
        SetPricesRequest, TermPrice,
    },
    orders::v1::{
        Certificate, GetOrderRequest, Order, OrderState, PlaceOrderRequest, RecordIssuanceRequest,
        RegisterServerRequest, UpdateDomainsRequest, UpdateDomainsResponse,
        record_issuance_request,
    },
    types::v1::{Money, Price},
};
use licet_domain::money::Money as DomainMoney;

use super::{certificates, eventually, request_id, world::World};

pub(crate) const SINGLE: &str = "single-domain-dv";
pub(crate) const MULTI: &str = "multi-domain-dv";
/// Days that a sample certificate is valid, fewer than any limit of MD-9 in the years tested.
pub(crate) const VALID_DAYS: i64 = 90;

pub(crate) fn usd(value: &str) -> Option<Money> {
    money("USD", value)
}

/// An amount of the contract in minor units.
pub(crate) fn minor(money: Option<&Money>) -> i64 {
    let money = money.expect("the response has an amount here");
    let money = DomainMoney::parse(&money.currency_code, &money.value);
    money.unwrap().minor()
}

pub(crate) fn money(currency: &str, value: &str) -> Option<Money> {
    Some(Money {
        currency_code: currency.to_owned(),
        value: value.to_owned(),
    })
}

pub(crate) fn price(value: &str) -> Option<Price> {
    Some(Price {
        currency_code: "USD".to_owned(),
        value: value.to_owned(),
    })
}

/// `["a.example", …]` as the contract's messages take it.
pub(crate) fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

/// An amount of a response, as "24.50 USD".
#[track_caller]
pub(crate) fn shown(money: Option<&Money>) -> String {
    let money = money.expect("the response has an amount here");
    format!("{} {}", money.value, money.currency_code)
}

pub(crate) fn multi_domain_product() -> Product {
    Product {
        product_id: MULTI.to_owned(),
        display_name: "Multi-domain certificate".to_owned(),
        kind: ProductKind::MultiDomain.into(),
        term_months: vec![1, 12, 24],
        included_domains: 1,
        max_domains: 20,
        max_additional_licenses: 10,
        wildcards_allowed: true,
        ..Product::default()
    }
}

pub(crate) fn single_domain_product() -> Product {
    Product {
        product_id: SINGLE.to_owned(),
        display_name: "Single-domain certificate".to_owned(),
        kind: ProductKind::SingleDomain.into(),
        term_months: vec![12],
        included_domains: 1,
        max_domains: 1,
        max_additional_licenses: 10,
        ..Product::default()
    }
}

/// Prices of a certificate, a further domain, a wildcard domain and an additional licence for a term.
pub(crate) fn term_price(months: i32, each: [&str; 4]) -> TermPrice {
    TermPrice {
        term_months: months,
        certificate: price(each[0]),
        domain: price(each[1]),
        wildcard_domain: price(each[2]),
        additional_license: price(each[3]),
    }
}

impl World {
    /// A multi-domain product at 49.00 a year for each further domain, and a single-domain one.
    pub(crate) async fn stock(&self) {
        for product in [multi_domain_product(), single_domain_product()] {
            self.create_product(product).await;
        }
        let multi = vec![
            term_price(1, ["12.00", "5.00", "15.00", "2.00"]),
            term_price(12, ["98.00", "49.00", "149.00", "19.00"]),
            term_price(24, ["180.00", "90.00", "280.00", "35.00"]),
        ];
        self.set_prices(MULTI, multi).await;
        let single = TermPrice {
            domain: None,
            wildcard_domain: None,
            ..term_price(12, ["60.00", "0", "0", "20.00"])
        };
        self.set_prices(SINGLE, vec![single]).await;
    }

    pub(crate) async fn create_product(&self, product: Product) {
        let request = CreateProductRequest {
            product: Some(product),
            request_id: request_id(),
        };
        self.catalog().create_product(request).await.unwrap();
    }

    pub(crate) async fn set_prices(&self, product_id: &str, prices: Vec<TermPrice>) {
        let request = SetPricesRequest {
            product_id: product_id.to_owned(),
            currency_code: "USD".to_owned(),
            prices,
            request_id: request_id(),
            ..SetPricesRequest::default()
        };
        self.catalog().set_prices(request).await.unwrap();
    }

    /// A new USD account without money.
    pub(crate) async fn empty_account(&self) -> String {
        let request = CreateAccountRequest {
            display_name: "Example Ltd".to_owned(),
            currency_code: "USD".to_owned(),
            request_id: request_id(),
            ..CreateAccountRequest::default()
        };
        let answer = self
            .accounts()
            .create_account(request)
            .await
            .unwrap()
            .into_inner();
        answer.account.unwrap().account_id
    }

    /// A new USD account with this balance.
    pub(crate) async fn account_with(&self, balance: &str) -> String {
        let account_id = self.empty_account().await;
        self.deposit(&account_id, balance).await;
        account_id
    }

    pub(crate) async fn deposit(&self, account_id: &str, amount: &str) {
        let request = DepositRequest {
            account_id: account_id.to_owned(),
            amount: usd(amount),
            reference: "wire transfer".to_owned(),
            request_id: request_id(),
        };
        self.accounts().deposit(request).await.unwrap();
    }

    pub(crate) async fn get_account(&self, account_id: &str) -> Account {
        let request = GetAccountRequest {
            account_id: account_id.to_owned(),
        };
        self.accounts()
            .get_account(request)
            .await
            .unwrap()
            .into_inner()
            .account
            .unwrap()
    }

    /// The balance of an account, as "24.50 USD".
    pub(crate) async fn balance(&self, account_id: &str) -> String {
        shown(self.get_account(account_id).await.balance.as_ref())
    }

    pub(crate) async fn invoices_of(&self, resource_id: &str) -> Vec<Invoice> {
        let request = ListInvoicesRequest {
            resource_id: resource_id.to_owned(),
            page_size: 1000,
            ..ListInvoicesRequest::default()
        };
        self.invoices()
            .list_invoices(request)
            .await
            .unwrap()
            .into_inner()
            .invoices
    }

    pub(crate) async fn invoices_of_account(&self, account_id: &str) -> Vec<Invoice> {
        let request = ListInvoicesRequest {
            account_id: account_id.to_owned(),
            page_size: 1000,
            ..ListInvoicesRequest::default()
        };
        self.invoices()
            .list_invoices(request)
            .await
            .unwrap()
            .into_inner()
            .invoices
    }

    pub(crate) async fn entries_of(&self, account_id: &str) -> Vec<LedgerEntry> {
        let request = ListEntriesRequest {
            account_id: account_id.to_owned(),
            page_size: 1000,
            ..ListEntriesRequest::default()
        };
        self.accounts()
            .list_entries(request)
            .await
            .unwrap()
            .into_inner()
            .entries
    }

    pub(crate) async fn get_order(&self, order_id: &str) -> Order {
        let request = GetOrderRequest {
            order_id: order_id.to_owned(),
        };
        self.orders()
            .get_order(request)
            .await
            .unwrap()
            .into_inner()
            .order
            .unwrap()
    }

    /// Places an order, which must be charged at once.
    pub(crate) async fn place(&self, request: PlaceOrderRequest) -> Order {
        let answer = self
            .orders()
            .place_order(request)
            .await
            .unwrap()
            .into_inner();
        let order = answer.order.unwrap();
        assert_eq!(order.state(), OrderState::Paid, "{order:?}");
        order
    }

    /// A paid order of the multi-domain product for a year; its first domain is the common name.
    pub(crate) async fn multi_domain_order(&self, account_id: &str, list: &[&str]) -> Order {
        self.place(multi_domain_request(account_id, list)).await
    }

    /// A paid order of the single-domain product for a year.
    pub(crate) async fn single_domain_order(&self, account_id: &str, additional: i32) -> Order {
        self.place(single_domain_request(account_id, additional))
            .await
    }

    /// Records the certificate that the order awaits, valid from now.
    pub(crate) async fn record(&self, order_id: &str) -> Certificate {
        let order = self.get_order(order_id).await;
        let change = order
            .pending_change
            .and_then(|pending| pending.domain_change);
        let (list, common_name) = match change {
            Some(change) => (change.names_after, change.common_name),
            None => (order.domains, order.common_name),
        };
        let list = common_name_first(list, &common_name);
        let request = self.issuance(order_id, &list);
        let answer = self
            .certificates()
            .record_issuance(request)
            .await
            .unwrap()
            .into_inner();
        answer.certificate.unwrap()
    }

    /// The report of a certificate for these names, valid from now.
    pub(crate) fn issuance(&self, order_id: &str, list: &[String]) -> RecordIssuanceRequest {
        let chain = certificates::chain_for(list, self.now(), VALID_DAYS);
        issuance_of(order_id, chain)
    }

    /// Changes an order's domains at the present price.
    pub(crate) async fn update_domains(
        &self,
        order_id: &str,
        add: &[&str],
        remove: &[&str],
    ) -> UpdateDomainsResponse {
        let request = change_request(order_id, add, remove);
        self.orders()
            .update_domains(request)
            .await
            .unwrap()
            .into_inner()
    }

    /// Previews a domain change, with its quote.
    pub(crate) async fn preview_domains(
        &self,
        order_id: &str,
        add: &[&str],
        remove: &[&str],
    ) -> UpdateDomainsResponse {
        let request = UpdateDomainsRequest {
            validate_only: true,
            ..change_request(order_id, add, remove)
        };
        self.orders()
            .update_domains(request)
            .await
            .unwrap()
            .into_inner()
    }

    /// Waits until no operation of an order runs; it may still await its certificate.
    pub(crate) async fn settled(&self, order_id: &str) -> Order {
        eventually("the order's operation ends", || async {
            let order = self.get_order(order_id).await;
            let waits = |step: &str| step.contains("certificate");
            let step = order
                .pending_change
                .as_ref()
                .map(|pending| pending.step.clone());
            step.is_none_or(|step| waits(&step.to_lowercase()))
                .then_some(order)
        })
        .await
    }

    pub(crate) fn server(&self, order: &Order, host: &str) -> RegisterServerRequest {
        RegisterServerRequest {
            order_id: order.order_id.clone(),
            host_name: host.to_owned(),
            server_software: order.server_software.clone(),
            common_name: order.common_name.clone(),
            request_id: request_id(),
        }
    }
}

pub(crate) fn common_name_first(mut list: Vec<String>, common_name: &str) -> Vec<String> {
    list.sort_by_key(|name| name != common_name);
    list
}

pub(crate) fn issuance_of(order_id: &str, pem: String) -> RecordIssuanceRequest {
    RecordIssuanceRequest {
        order_id: order_id.to_owned(),
        certificate: Some(record_issuance_request::Certificate::CertificatePem(pem)),
        request_id: request_id(),
    }
}

pub(crate) fn change_request(
    order_id: &str,
    add: &[&str],
    remove: &[&str],
) -> UpdateDomainsRequest {
    UpdateDomainsRequest {
        order_id: order_id.to_owned(),
        add_domains: names(add),
        remove_domains: names(remove),
        request_id: request_id(),
        ..UpdateDomainsRequest::default()
    }
}

pub(crate) fn multi_domain_request(account_id: &str, list: &[&str]) -> PlaceOrderRequest {
    PlaceOrderRequest {
        account_id: account_id.to_owned(),
        product_id: MULTI.to_owned(),
        term_months: 12,
        common_name: list[0].to_owned(),
        domains: names(&list[1..]),
        server_software: "nginx".to_owned(),
        request_id: request_id(),
        ..PlaceOrderRequest::default()
    }
}

pub(crate) fn single_domain_request(account_id: &str, additional: i32) -> PlaceOrderRequest {
    PlaceOrderRequest {
        account_id: account_id.to_owned(),
        product_id: SINGLE.to_owned(),
        term_months: 12,
        common_name: "www.example.com".to_owned(),
        server_software: "nginx".to_owned(),
        additional_licenses: additional,
        request_id: request_id(),
        ..PlaceOrderRequest::default()
    }
}
