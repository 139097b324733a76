//! AL-10, SL-7, M-1: the checks of a product and of a price list. A refused one leaves no trace.

use licet_contracts::billing::v1::{
    CreateProductRequest, GetProductRequest, ListProductsRequest, Policy, Product, ProductKind,
    ProrationConvention, RefundCount, SetPricesRequest, Supersede, TermPrice, ValidityLimits,
    WildcardReplacement, supersede::Handling,
};
use tonic::Code;

use crate::harness::{
    Backend,
    clock::timestamp,
    errors::refused,
    on_both_databases, request_id,
    samples::{MULTI, SINGLE, multi_domain_product, single_domain_product, term_price},
    san::{BUNDLE, san_product, tier, tiers_request},
    selling::{price_in, prices_request, term_price_in},
    world::World,
};

on_both_databases![
    every_kind_of_product_says_all_that_it_was_given,
    al_10_holds_for_every_term_and_currency_of_a_list,
    sl_7_no_tier_of_any_currency_costs_more_than_a_smaller_one,
    a_refused_list_leaves_the_one_before_it_in_force,
];

async fn every_kind_of_product_says_all_that_it_was_given(backend: Backend) {
    let world = World::start(backend).await;
    let policy = Policy {
        proration_convention: ProrationConvention::Linear.into(),
        full_refund_days: Some(0),
        no_refund_after_days: Some(3_650),
        renewal_open_days: Some(30),
        renewal_grace_days: Some(0),
        supersede: Some(Supersede {
            handling: Some(Handling::Never(true)),
        }),
        outlive_tolerance_hours: Some(0),
        wildcard_replacement: WildcardReplacement::Free.into(),
        refund_count: RefundCount::Purchase.into(),
    };
    let after_hours = Policy {
        proration_convention: ProrationConvention::Daily.into(),
        supersede: Some(Supersede {
            handling: Some(Handling::AfterHours(0)),
        }),
        wildcard_replacement: WildcardReplacement::FullPrice.into(),
        ..policy
    };
    let single = Product {
        tier: 7,
        validity_limits: ValidityLimits::None.into(),
        policy: Some(policy),
        ..single_domain_product()
    };
    let multi = Product {
        included_domains: 3,
        max_domains: 1_000,
        max_additional_licenses: 10_000,
        wildcards_allowed: false,
        term_months: (1..=120).collect(),
        validity_limits: ValidityLimits::PublicTls.into(),
        policy: Some(after_hours),
        ..multi_domain_product()
    };
    let sans = Product {
        tier: 2,
        validity_limits: ValidityLimits::PublicTls.into(),
        policy: Some(policy),
        ..san_product(BUNDLE)
    };
    for (given, kind) in [
        (single, ProductKind::SingleDomain),
        (multi, ProductKind::MultiDomain),
        (sans, ProductKind::SanLicense),
    ] {
        let request = CreateProductRequest {
            product: Some(given.clone()),
            request_id: request_id(),
        };
        let made = world.catalog().create_product(request).await.unwrap();
        let expected = Product {
            version: 1,
            effective_time: Some(timestamp(world.now())),
            create_time: Some(timestamp(world.now())),
            ..given
        };
        assert_eq!(made.into_inner().product.as_ref(), Some(&expected));
        let read = GetProductRequest {
            product_id: expected.product_id.clone(),
            selection: None,
        };
        let read = world.catalog().get_product(read).await.unwrap();
        assert_eq!(read.into_inner().product.unwrap(), expected);
        let only = ListProductsRequest {
            kind: kind.into(),
            ..ListProductsRequest::default()
        };
        let listed = world.catalog().list_products(only).await.unwrap();
        assert_eq!(listed.into_inner().products, [expected]);
    }
}

async fn al_10_holds_for_every_term_and_currency_of_a_list(backend: Backend) {
    let world = World::start(backend).await;
    world.create_product(multi_domain_product()).await;
    world.create_product(single_domain_product()).await;
    for (product_id, currency, dear, just_below) in [
        (MULTI, "USD", "180.00", "179.999999"),
        (MULTI, "JPY", "180", "179.999999"),
        (SINGLE, "BHD", "180.000", "179.999999"),
    ] {
        let list = |additional: &str| {
            let year = term_price_in(currency, 12, ["180", "1", "2", additional]);
            let short = term_price_in(currency, 1, ["200", "1", "2", "19"]);
            let mut terms = vec![year];
            if product_id == MULTI {
                terms.push(short);
            }
            prices_request(product_id, currency, terms)
        };
        let refusal = refused(world.catalog().set_prices(list("180")).await).expect(
            Code::FailedPrecondition,
            "ADDITIONAL_LICENSE_PRICE_TOO_HIGH",
        );
        assert_eq!(refusal.value("term_months"), "12");
        let dear = format!("{dear} {currency}");
        assert_eq!(
            (
                refusal.value("additional_license"),
                refusal.value("certificate")
            ),
            (dear.as_str(), dear.as_str())
        );
        assert_eq!(world.price_lists(product_id, currency, None).await, []);
        world.catalog().set_prices(list(just_below)).await.unwrap();
    }
    // With a free certificate, every other price must be zero too.
    world.time.advance_days(1);
    let free = TermPrice {
        domain: None,
        wildcard_domain: None,
        ..term_price(12, ["0.00", "0", "0", "0.00"])
    };
    let free = world
        .catalog()
        .set_prices(prices_request(MULTI, "USD", vec![free]))
        .await;
    refused(free).expect(
        Code::FailedPrecondition,
        "ADDITIONAL_LICENSE_PRICE_TOO_HIGH",
    );
}

async fn sl_7_no_tier_of_any_currency_costs_more_than_a_smaller_one(backend: Backend) {
    let world = World::start(backend).await;
    world.create_product(san_product(BUNDLE)).await;
    for currency in ["USD", "JPY", "BHD"] {
        let list = |prices: [&str; 3]| {
            let mut tiers = Vec::new();
            for (from, value) in [(1_000, prices[2]), (1, prices[0]), (100, prices[1])] {
                let mut tier = tier(from, "1.00");
                tier.price_12_months = price_in(currency, value);
                tiers.push(tier);
            }
            SetPricesRequest {
                currency_code: currency.to_owned(),
                ..tiers_request(BUNDLE, tiers)
            }
        };
        let refusal = refused(
            world
                .catalog()
                .set_prices(list(["3", "2", "2.000001"]))
                .await,
        )
        .expect(Code::FailedPrecondition, "VOLUME_PRICE_RISES");
        assert_eq!(refusal.value("from_quantity"), "1000");
        assert_eq!(refusal.value("price"), format!("2.000001 {currency}"));
        assert_eq!(world.price_lists(BUNDLE, currency, None).await, []);
        world
            .catalog()
            .set_prices(list(["3", "2", "2"]))
            .await
            .unwrap();
        let listed = world.price_lists(BUNDLE, currency, None).await;
        let from: Vec<_> = listed[0]
            .san_tiers
            .iter()
            .map(|tier| tier.from_quantity)
            .collect();
        assert_eq!(from, [1, 100, 1_000]);
    }
}

async fn a_refused_list_leaves_the_one_before_it_in_force(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let before = world.price_lists(MULTI, "", None).await;
    world.time.advance_days(1);
    let year = |each| term_price(12, each);
    let fine = ["98.00", "49.00", "149.00", "19.00"];
    let in_euros = term_price_in("EUR", 12, fine);
    for (prices, code, reason) in [
        (
            vec![year(fine), in_euros.clone()],
            Code::InvalidArgument,
            "INVALID_FIELDS",
        ),
        (
            vec![in_euros],
            Code::FailedPrecondition,
            "CURRENCY_MISMATCH",
        ),
        (
            vec![term_price(36, fine)],
            Code::FailedPrecondition,
            "TERM_NOT_SOLD",
        ),
        (vec![], Code::InvalidArgument, "INVALID_FIELDS"),
        (
            vec![year(["98.0000001", "-1.00", "1e2", "99999999999999999999"])],
            Code::InvalidArgument,
            "INVALID_FIELDS",
        ),
    ] {
        let request = prices_request(MULTI, "USD", prices);
        refused(world.catalog().set_prices(request).await).expect(code, reason);
    }
    let unknown = prices_request("unheard-of", "USD", vec![year(fine)]);
    refused(world.catalog().set_prices(unknown).await).expect(Code::NotFound, "NOT_FOUND");
    let faulty = prices_request(MULTI, "XXX", vec![year(["1.0000001", "-1", "1e2", "1"])]);
    let faulty = refused(world.catalog().set_prices(faulty).await)
        .expect(Code::InvalidArgument, "INVALID_FIELDS");
    let expected = [
        "currency_code",
        "prices[0].certificate",
        "prices[0].domain",
        "prices[0].wildcard_domain",
    ];
    assert_eq!(faulty.paths(), expected);
    assert_eq!(world.price_lists(MULTI, "", None).await, before);
}
