//! The start of a random history of orders: a product with its prices, and an account.

use licet_contracts::billing::v1::{
    CreateAccountRequest, DepositRequest, Policy as SoldPolicy, Product as Sold,
    ProrationConvention, RefundCount, SetPricesRequest, Supersede, TermPrice, ValidityLimits,
    WildcardReplacement as SoldReplacement, supersede::Handling,
};
use licet_domain::money::{Money, Price};
use licet_oracle::orders::policy::{Policy, WildcardReplacement};

use super::{
    billing_prices::{List, Prices, Product},
    orders_histories::History,
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
        let included = 1 + random.below(3).cast_signed();
        let refund_days = [(25, 30), (10, 20), (0, 0)][random.index(3)];
        let policy = Policy {
            is_single_domain: is_single,
            term_months: vec![1, 12, 24],
            included_domains: if is_single { 1 } else { included },
            max_domains: if is_single { 1 } else { 7 },
            has_wildcards: random.below(6) > 0,
            wildcard_replacement: [
                WildcardReplacement::Difference,
                WildcardReplacement::Free,
                WildcardReplacement::FullPrice,
            ][random.index(3)],
            max_licenses: 2,
            is_public: random.below(3) > 0,
            superseded_hours: [None, Some(0), Some(72)][random.index(3)],
            tolerance_hours: 24,
            renewal_open_days: [90, 30][random.index(2)],
            renewal_grace_days: [30, 10][random.index(2)],
            full_refund_days: refund_days.0,
            no_refund_days: Some(refund_days.1),
            counts_from_purchase: random.below(3) == 0,
        };
        println!("  {currency}, {convention:?}, {policy:?}");
        let mut history = Self {
            world,
            random,
            account_id: String::new(),
            currency: currency.parse().unwrap(),
            balance: 0,
            policy,
            product: Product {
                // Products cannot be deleted, so each history uses new names.
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
        let policy = self.policy.clone();
        let int = |value: i64| i32::try_from(value).unwrap();
        let handling = match policy.superseded_hours {
            Some(hours) => Handling::AfterHours(int(hours)),
            None => Handling::Never(true),
        };
        let limits = match policy.is_public {
            true => ValidityLimits::PublicTls,
            false => ValidityLimits::None,
        };
        let sold = Sold {
            product_id: self.product.id.clone(),
            included_domains: int(policy.included_domains),
            max_domains: int(policy.max_domains),
            term_months: vec![1, 12, 24],
            max_additional_licenses: int(policy.max_licenses),
            wildcards_allowed: policy.has_wildcards,
            validity_limits: limits.into(),
            policy: Some(SoldPolicy {
                proration_convention: self.product.convention.into(),
                full_refund_days: Some(int(policy.full_refund_days)),
                no_refund_after_days: policy.no_refund_days.map(int),
                refund_count: match policy.counts_from_purchase {
                    true => RefundCount::Purchase.into(),
                    false => RefundCount::FirstIssuance.into(),
                },
                renewal_open_days: Some(int(policy.renewal_open_days)),
                renewal_grace_days: Some(int(policy.renewal_grace_days)),
                wildcard_replacement: match policy.wildcard_replacement {
                    WildcardReplacement::Free => SoldReplacement::Free.into(),
                    // Unset means the default.
                    WildcardReplacement::Difference => SoldReplacement::Unspecified.into(),
                    WildcardReplacement::FullPrice => SoldReplacement::FullPrice.into(),
                },
                supersede: Some(Supersede {
                    handling: Some(handling),
                }),
                ..SoldPolicy::default()
            }),
            ..match policy.is_single_domain {
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
        // Sometimes too little for the next purchase.
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

    /// New prices from now on; often with a fraction of the minor unit.
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
        let is_single = self.policy.is_single_domain;
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
