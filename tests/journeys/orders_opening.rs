//! What a random history of orders begins with: a product with its prices, and an account.

use licet_contracts::billing::v1::{
    CreateAccountRequest, DepositRequest, Policy as SoldPolicy, Product as Sold,
    ProrationConvention, RefundCount, SetPricesRequest, Supersede, TermPrice, ValidityLimits,
    WildcardReplacement, supersede::Handling,
};
use licet_domain::money::{Money, Price};

use super::{
    billing_prices::{List, Prices, Product},
    orders_histories::History,
    orders_model::Policy,
    random::Random,
};
use crate::harness::{
    request_id,
    samples::{money, multi_domain_product, single_domain_product},
    selling::price_in,
    world::World,
};

impl<'a> History<'a> {
    pub(super) async fn start(world: &'a World, mut random: Random) -> Self {
        let currency = ["USD", "JPY", "BHD"][random.index(3)];
        let convention = [
            ProrationConvention::Monthly,
            ProrationConvention::Daily,
            ProrationConvention::Linear,
        ][random.index(3)];
        let is_single = random.below(4) == 0;
        let included = 1 + i32::try_from(random.below(3)).unwrap();
        let policy = Policy {
            is_single,
            included: if is_single { 1 } else { included },
            maximum: if is_single { 1 } else { 7 },
            wildcards: random.below(6) > 0,
            replacement: [
                WildcardReplacement::Unspecified,
                WildcardReplacement::Free,
                WildcardReplacement::FullPrice,
            ][random.index(3)],
            licenses: 2,
            is_public: random.below(3) > 0,
            superseded_hours: [None, Some(0), Some(72)][random.index(3)],
            open_days: [90, 30][random.index(2)],
            grace_days: [30, 10][random.index(2)],
            refund_days: [(25, 30), (10, 20), (0, 0)][random.index(3)],
            counts_from_purchase: random.below(3) == 0,
        };
        let mut history = Self {
            world,
            random,
            account_id: String::new(),
            currency: currency.parse().unwrap(),
            balance: 0,
            policy,
            product: Product {
                // Products are for good: those of another history have other names.
                id: format!("multi-{}", uuid::Uuid::new_v4()),
                is_license: false,
                since: world.now(),
                convention,
                lists: vec![],
            },
            orders: vec![],
            touched: 0,
            asked: vec![],
        };
        println!("  {currency}, {convention:?}, {policy:?}");
        history.stock().await;
        history.open().await;
        history.deposit().await;
        while history.orders.is_empty() {
            if history.place().await != "done" {
                history.deposit().await;
            }
        }
        history
    }

    async fn stock(&mut self) {
        let policy = self.policy;
        let days = |days: i64| i32::try_from(days).ok();
        let handling = match policy.superseded_hours {
            Some(hours) => Handling::AfterHours(hours),
            None => Handling::Never(true),
        };
        let limits = match policy.is_public {
            true => ValidityLimits::PublicTls,
            false => ValidityLimits::None,
        };
        let sold = Sold {
            product_id: self.product.id.clone(),
            included_domains: policy.included,
            max_domains: policy.maximum,
            term_months: vec![1, 12, 24],
            max_additional_licenses: policy.licenses,
            wildcards_allowed: policy.wildcards,
            validity_limits: limits.into(),
            policy: Some(SoldPolicy {
                proration_convention: self.product.convention.into(),
                full_refund_days: days(policy.refund_days.0),
                no_refund_after_days: days(policy.refund_days.1),
                refund_count: match policy.counts_from_purchase {
                    true => RefundCount::Purchase.into(),
                    false => RefundCount::FirstIssuance.into(),
                },
                renewal_open_days: days(policy.open_days),
                renewal_grace_days: days(policy.grace_days),
                wildcard_replacement: policy.replacement.into(),
                supersede: Some(Supersede {
                    handling: Some(handling),
                }),
                ..SoldPolicy::default()
            }),
            ..match policy.is_single {
                true => single_domain_product(),
                false => multi_domain_product(),
            }
        };
        self.world.create_product(sold).await;
        assert_eq!(self.set_prices().await, "done");
    }

    async fn open(&mut self) {
        let request = CreateAccountRequest {
            display_name: "Random Ltd".to_owned(),
            currency_code: self.currency.code().to_owned(),
            request_id: request_id(),
            ..CreateAccountRequest::default()
        };
        let answer = self.world.accounts().create_account(request).await.unwrap();
        self.account_id = answer.into_inner().account.unwrap().account_id;
    }

    pub(super) async fn deposit(&mut self) -> &'static str {
        // Sometimes short, so that something cannot be paid.
        let amount = self.minor(1_000, 60_000);
        let text = Money::from_minor(self.currency, amount).value();
        let request = DepositRequest {
            account_id: self.account_id.clone(),
            amount: money(self.currency.code(), &text),
            reference: "wire transfer".to_owned(),
            request_id: request_id(),
        };
        self.world.accounts().deposit(request).await.unwrap();
        self.balance += amount;
        "done"
    }

    /// New prices for all that is sold, from now on; often with a fraction of the minor unit.
    pub(super) async fn set_prices(&mut self) -> &'static str {
        let now = self.now();
        if self
            .product
            .lists
            .last()
            .is_some_and(|list| list.effective >= now)
        {
            return "idle";
        }
        let is_single = self.policy.is_single;
        let unit = 10_i64.pow(6 - self.digits());
        let mut price = |least, most| self.minor(least, most) * unit + self.minor(0, 1) * 4_321;
        let prices: Vec<(i32, [Option<i64>; 4])> = [1, 12, 24]
            .into_iter()
            .map(|months| {
                let domain = price(100, 9_000);
                let wildcard = domain + price(0, 11_000);
                let of_slots = |price: i64| (!is_single).then_some(price);
                let all = [
                    Some(price(2_000, 15_000)),
                    of_slots(domain),
                    of_slots(wildcard),
                    Some(price(10, 1_900)),
                ];
                (months, all)
            })
            .collect();
        let code = self.currency.code();
        let text = |micros: Option<i64>| {
            let price = Price::from_micros(self.currency, micros?);
            price_in(code, &price.unwrap().value())
        };
        let request = SetPricesRequest {
            product_id: self.product.id.clone(),
            currency_code: code.to_owned(),
            prices: prices
                .iter()
                .map(|(months, each)| TermPrice {
                    term_months: *months,
                    certificate: text(each[0]),
                    domain: text(each[1]),
                    wildcard_domain: text(each[2]),
                    additional_license: text(each[3]),
                })
                .collect(),
            request_id: request_id(),
            ..SetPricesRequest::default()
        };
        self.world.catalog().set_prices(request).await.unwrap();
        self.product.lists.push(List {
            effective: now,
            prices: Prices::ByTerm(prices),
        });
        "done"
    }
}
