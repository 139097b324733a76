//! BL-6, M-1: every method that charges refuses beyond the credit limit, while an invoice is overdue, and
//! for amounts larger than can be stored.

use licet_contracts::{
    billing::v1::{
        ChargeQuoteRequest, ChargeQuotesRequest, LineKind, Product, Quote, QuoteToCharge,
        SetPricesRequest, VolumeTier,
    },
    orders::v1::{Order, PlaceOrderRequest, RenewOrderRequest},
    sanlicensing::v1::License,
};

use crate::harness::{
    Backend,
    clock::{instant, shifted},
    errors::reason,
    on_both_databases, request_id,
    samples::{MULTI, change_request, multi_domain_product, multi_domain_request},
    san::{BUNDLE, OTHER, accept_request, increase_request, quote_request, tiers_request},
    san_life::renew_request,
    selling::{item, price_in, prices_request, term_price_in},
    terms::payment_request,
    world::World,
};

on_both_databases![
    bl_6_what_an_account_may_not_owe_is_refused_by_every_method_that_charges,
    m_1_what_no_amount_can_be_is_refused_by_every_method_that_prices,
];

const DAY_MICROS: i64 = 86_400_000_000;
/// At 900 million each, their price exceeds every amount.
const MANY: i64 = 200_000_000;
/// A product that permits more domains than the sample does.
const MANY_NAMES: &str = "many-names";

struct Buyer {
    world: World,
    account_id: String,
    order: Order,
    license: License,
}

impl Buyer {
    fn place(&self) -> PlaceOrderRequest {
        PlaceOrderRequest {
            term_months: 24,
            ..multi_domain_request(&self.account_id, &["other.example"])
        }
    }

    fn renew(&self) -> RenewOrderRequest {
        RenewOrderRequest {
            order_id: self.order.order_id.clone(),
            term_months: 24,
            request_id: request_id(),
            ..RenewOrderRequest::default()
        }
    }

    /// The reasons with which the methods that charge are refused, but for the renewals.
    async fn charged(&self) -> Vec<String> {
        let world = &self.world;
        let order_id = &self.order.order_id;
        let change = change_request(order_id, &["a.example", "b.example", "c.example"], &[]);
        let mut draft = quote_request(&self.account_id, 20);
        draft.product_ids = vec![OTHER.to_owned()];
        let draft = world.quoted(draft).await;
        let quote = self.quote(20).await;
        vec![
            reason(world.orders().place_order(self.place()).await),
            reason(world.orders().update_domains(change).await),
            reason(
                world
                    .san_licenses()
                    .accept_license(accept_request(&draft.license_id))
                    .await,
            ),
            reason(
                world
                    .san_licenses()
                    .increase_quota(increase_request(&self.license, 100))
                    .await,
            ),
            reason(world.invoices().charge_quote(one(&quote)).await),
            reason(
                world
                    .invoices()
                    .charge_quotes(several(&self.account_id, &quote))
                    .await,
            ),
        ]
    }

    /// The reason with which each renewal is refused.
    async fn renewed(&self) -> Vec<String> {
        let license = renew_request(&self.license, 100);
        vec![
            reason(self.world.orders().renew_order(self.renew()).await),
            reason(self.world.san_licenses().renew_license(license).await),
        ]
    }

    async fn quote(&self, certificates: i32) -> Quote {
        let wanted = item(LineKind::Certificate, MULTI, certificates);
        self.world.quote(&self.account_id, vec![wanted]).await
    }

    async fn pay_all(&self) {
        let due = self.world.get_account(&self.account_id).await.due;
        let due = due.unwrap().value;
        self.world.deposit(&self.account_id, &due).await;
        for invoice in self.world.invoices_of_account(&self.account_id).await {
            let pay = payment_request(&invoice.invoice_id, None);
            let _ = self.world.invoices().pay_invoice(pay).await;
        }
        let account = self.world.get_account(&self.account_id).await;
        assert_eq!(account.due.unwrap().value, "0.00");
    }
}

fn one(quote: &Quote) -> ChargeQuoteRequest {
    ChargeQuoteRequest {
        quote_id: quote.quote_id.clone(),
        pin: quote.pin.clone(),
        request_id: request_id(),
        ..ChargeQuoteRequest::default()
    }
}

fn several(account_id: &str, quote: &Quote) -> ChargeQuotesRequest {
    ChargeQuotesRequest {
        account_id: account_id.to_owned(),
        quotes: vec![QuoteToCharge {
            quote_id: quote.quote_id.clone(),
            pin: quote.pin.clone(),
        }],
        request_id: request_id(),
        ..ChargeQuotesRequest::default()
    }
}

#[track_caller]
fn all(ends: &[String], reason: &str) {
    assert!(
        ends.iter().all(|end| end == reason),
        "{ends:?}, expected {reason} only"
    );
}

async fn bl_6_what_an_account_may_not_owe_is_refused_by_every_method_that_charges(
    backend: Backend,
) {
    let world = World::start_whole(backend).await;
    world.stock().await;
    world.stock_sans().await;
    let account_id = world.account_on_terms("100.00", 1, 0).await;
    let order = world
        .multi_domain_order(&account_id, &["www.example.com"])
        .await;
    world.record(&order.order_id).await;
    let mut buyer = Buyer {
        license: License::default(),
        world,
        account_id,
        order,
    };
    buyer.pay_all().await;
    buyer.license = buyer.world.license(&buyer.account_id, 1).await;
    all(&buyer.charged().await, "CREDIT_LIMIT_EXCEEDED");

    buyer.pay_all().await;
    let end = instant(buyer.order.end_time);
    buyer.world.time.move_to(shifted(end, -30 * DAY_MICROS));
    all(&buyer.renewed().await, "CREDIT_LIMIT_EXCEEDED");

    buyer.world.buy(&buyer.account_id, 1).await.unwrap();
    buyer.world.time.advance_days(2);
    all(&buyer.charged().await, "ACCOUNT_OVERDUE");
    all(&buyer.renewed().await, "ACCOUNT_OVERDUE");
}

/// CLF has four decimals: a hundred times the highest price exceeds every amount.
async fn m_1_what_no_amount_can_be_is_refused_by_every_method_that_prices(backend: Backend) {
    let world = World::start_whole(backend).await;
    world.stock_sans().await;
    let product = Product {
        product_id: MANY_NAMES.to_owned(),
        max_domains: 250,
        ..multi_domain_product()
    };
    world.create_product(product).await;
    price(&world, "0.0001", "0.01").await;
    let account_id = world.account_in("CLF", "1000.0000").await;
    let names: Vec<_> = (0..105)
        .map(|number| format!("n{number}.example"))
        .collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let place = || PlaceOrderRequest {
        product_id: MANY_NAMES.to_owned(),
        ..multi_domain_request(&account_id, &names)
    };
    let order = world.place(place()).await;
    world.record(&order.order_id).await;
    let license = world.license(&account_id, 1).await;
    world.time.advance_days(1);
    price(&world, "9000000000000", "900000000").await;

    let draft = quote_request(&account_id, MANY);
    let half = item(LineKind::Domain, MANY_NAMES, 60);
    let (one, other) = (
        world.quote(&account_id, vec![half.clone()]).await,
        world.quote(&account_id, vec![half]).await,
    );
    let mut both = several(&account_id, &one);
    both.quotes.extend(several(&account_id, &other).quotes);
    let ends = [
        reason(world.orders().place_order(place()).await),
        reason(world.san_licenses().quote_license(draft).await),
        reason(world.invoices().charge_quotes(both).await),
    ];
    all(&ends, "AMOUNT_OUT_OF_RANGE");
    world
        .time
        .move_to(shifted(instant(order.end_time), -30 * DAY_MICROS));
    let renew = RenewOrderRequest {
        order_id: order.order_id.clone(),
        term_months: 12,
        request_id: request_id(),
        ..RenewOrderRequest::default()
    };
    let ends = [
        reason(world.orders().renew_order(renew).await),
        reason(
            world
                .san_licenses()
                .renew_license(renew_request(&license, MANY))
                .await,
        ),
    ];
    all(&ends, "AMOUNT_OUT_OF_RANGE");

    // What was bought at these prices is changed at these prices.
    let rich = world.account_in("CLF", "900000001.0000").await;
    let license = world.license(&rich, 1).await;
    let order = PlaceOrderRequest {
        account_id: rich,
        domains: vec![],
        ..place()
    };
    let order = world.place(order).await;
    let change = change_request(&order.order_id, &names[1..], &[]);
    let increase = increase_request(&license, MANY);
    let ends = [
        reason(world.orders().update_domains(change).await),
        reason(world.san_licenses().increase_quota(increase).await),
    ];
    all(&ends, "AMOUNT_OUT_OF_RANGE");
}

/// Sets the price of a domain and of a SAN for a year.
async fn price(world: &World, name: &str, san: &str) {
    let names = term_price_in("CLF", 12, ["1", name, name, "0.5"]);
    let names = prices_request(MANY_NAMES, "CLF", vec![names]);
    world.catalog().set_prices(names).await.unwrap();
    let sans = VolumeTier {
        from_quantity: 1,
        price_12_months: price_in("CLF", san),
    };
    let sans = SetPricesRequest {
        currency_code: "CLF".to_owned(),
        ..tiers_request(BUNDLE, vec![sans])
    };
    world.catalog().set_prices(sans).await.unwrap();
}
