//! BL-8, M-1, M-2: which price a quote finds, by currency and time. A quote without a price, or with an
//! amount out of range, is refused before anything is written.

use chrono::TimeDelta;
use licet_contracts::{
    billing::v1::{
        CreateQuoteRequest, LineKind, Policy, Product, ProductKind, ProrationConvention, QuoteItem,
        SetPricesRequest, TermPrice, UpdateProductRequest,
    },
    types::v1::Money,
};
use licet_domain::clock::Instant;
use tonic::Code;

use crate::harness::{
    Backend,
    clock::{instant, shifted, timestamp},
    errors::{Refused, refused, take_apart},
    on_both_databases, request_id,
    samples::{MULTI, SINGLE, multi_domain_product, shown, term_price},
    san::{BUNDLE, tier, tiers_request},
    selling::{ask, item, price_in, prices_request, term_price_in, world_of_all_kinds},
    world::World,
};

on_both_databases![
    bl_8_a_gap_in_the_prices_is_refused_and_nothing_is_written,
    bl_8_currencies_stand_side_by_side,
    bl_8_scheduled_prices_are_for_sale_when_their_time_has_come,
    what_is_not_in_the_catalogue_is_not_found,
    amounts_that_no_quote_can_have_are_refused,
];

/// The refusal of a quote; the account must not change.
async fn refused_quote(world: &World, account_id: &str, asked: QuoteItem) -> Refused {
    let before = world.get_account(account_id).await;
    let request = ask(account_id, vec![asked]);
    let kept = refused(world.quotes().create_quote(request.clone()).await);
    let preview = CreateQuoteRequest {
        validate_only: true,
        request_id: String::new(),
        ..request
    };
    let previewed = refused(world.quotes().create_quote(preview).await);
    assert_eq!(previewed, kept, "a preview is refused as the quote is");
    assert_eq!(world.get_account(account_id).await, before);
    assert!(world.invoices_of_account(account_id).await.is_empty());
    kept
}

async fn bl_8_a_gap_in_the_prices_is_refused_and_nothing_is_written(backend: Backend) {
    let (world, account_id) = world_of_all_kinds(backend).await;
    let euros = world.account_in("EUR", "1000.00").await;
    let long_ago = shifted(world.now(), -1);
    let year = |kind, product: &str| item(kind, product, 1);
    let of_past = QuoteItem {
        product_version: 1,
        price_time: Some(timestamp(long_ago)),
        ..year(LineKind::Domain, MULTI)
    };
    let pinned = QuoteItem {
        product_version: 1,
        ..year(LineKind::Certificate, MULTI)
    };
    for (account_id, asked, kind, currency) in [
        // No price in that currency, for that kind, or at that time.
        (&euros, pinned, "CERTIFICATE", "EUR"),
        (&euros, year(LineKind::SanQuota, BUNDLE), "SAN_QUOTA", "EUR"),
        (&account_id, of_past, "DOMAIN", "USD"),
    ] {
        let refusal = refused_quote(&world, account_id, asked).await;
        let refusal = refusal.expect(Code::FailedPrecondition, "PRICE_NOT_SET");
        assert_eq!(
            (refusal.value("kind"), refusal.value("currency")),
            (kind, currency)
        );
        assert_eq!(refusal.value("term_months"), "12");
        assert!(!refusal.value("price_time").is_empty());
    }
    world.time.advance_days(1);
    // A list without a kind or a term ends its sale; earlier prices stay.
    let certificate_only = TermPrice {
        domain: None,
        wildcard_domain: None,
        additional_license: None,
        ..term_price(12, ["98.00", "0", "0", "0"])
    };
    world.set_prices(MULTI, vec![certificate_only]).await;
    for kind in [
        LineKind::Domain,
        LineKind::WildcardDomain,
        LineKind::AdditionalLicense,
    ] {
        let refusal = refused_quote(&world, &account_id, year(kind, MULTI)).await;
        refusal.expect(Code::FailedPrecondition, "PRICE_NOT_SET");
    }
    let two_years = QuoteItem {
        term_months: 24,
        ..year(LineKind::Certificate, MULTI)
    };
    let refusal = refused_quote(&world, &account_id, two_years.clone()).await;
    let refusal = refusal.expect(Code::FailedPrecondition, "PRICE_NOT_SET");
    assert_eq!(refusal.value("term_months"), "24");
    let earlier = QuoteItem {
        price_time: Some(timestamp(shifted(world.now(), -1))),
        ..two_years
    };
    let quote = world.preview_quote(&account_id, vec![earlier]).await;
    assert_eq!(shown(quote.unwrap().total.as_ref()), "180.00 USD");
    // Tiers that begin above a quota have no price for it (SL-7).
    let from_ten = tiers_request(BUNDLE, vec![tier(10, "6.00")]);
    world.catalog().set_prices(from_ten).await.unwrap();
    let nine = item(LineKind::SanQuota, BUNDLE, 9);
    let refusal = refused_quote(&world, &account_id, nine).await;
    refusal.expect(Code::FailedPrecondition, "PRICE_NOT_SET");
}

async fn bl_8_currencies_stand_side_by_side(backend: Backend) {
    let world = World::start(backend).await;
    world.create_product(multi_domain_product()).await;
    let domain = |price_time: Option<Instant>| QuoteItem {
        price_time: price_time.map(timestamp),
        ..item(LineKind::Domain, MULTI, 3)
    };
    let listed = [
        ("USD", "49.005", "1000.00", "147.02"),
        ("EUR", "45.00", "1000.00", "135.00"),
        ("JPY", "7350.5", "100000", "22052"),
        ("BHD", "18.4755", "1000.000", "55.427"),
    ];
    let mut accounts = Vec::new();
    for (currency, value, balance, total) in listed {
        let prices = vec![term_price_in(currency, 12, ["99999", value, value, "1"])];
        let request = prices_request(MULTI, currency, prices);
        world.catalog().set_prices(request).await.unwrap();
        accounts.push((world.account_in(currency, balance).await, total, currency));
    }
    let start = world.now();
    world.time.advance_days(1);
    let dearer = vec![term_price_in("JPY", 12, ["99999", "8000", "9000", "1"])];
    let request = prices_request(MULTI, "JPY", dearer);
    world.catalog().set_prices(request).await.unwrap();
    for (account_id, total, currency) in accounts {
        let quote = world.quote(&account_id, vec![domain(Some(start))]).await;
        assert_eq!(shown(quote.total.as_ref()), format!("{total} {currency}"));
        let now = world.preview_quote(&account_id, vec![domain(None)]).await;
        let now = shown(now.unwrap().total.as_ref());
        // A currency's new list does not change another currency's prices.
        let expected = if currency == "JPY" { "24000" } else { total };
        assert_eq!(now, format!("{expected} {currency}"));
        let invoice = world.charge(&quote).await.unwrap();
        assert_eq!(shown(invoice.total.as_ref()), format!("{total} {currency}"));
    }
}

async fn bl_8_scheduled_prices_are_for_sale_when_their_time_has_come(backend: Backend) {
    let (world, account_id) = world_of_all_kinds(backend).await;
    let start = world.now();
    let later = start.checked_add(TimeDelta::days(10)).unwrap();
    let dearer = vec![term_price(12, ["120.00", "60.00", "180.00", "24.00"])];
    let scheduled = SetPricesRequest {
        effective_time: Some(timestamp(later)),
        ..prices_request(MULTI, "USD", dearer)
    };
    world.catalog().set_prices(scheduled).await.unwrap();
    let domain = || item(LineKind::Domain, MULTI, 1);
    // Future prices cannot be quoted, even by naming their time.
    let early = QuoteItem {
        price_time: Some(timestamp(later)),
        ..domain()
    };
    let refusal = refused_quote(&world, &account_id, early).await;
    let refusal = refusal.expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(refusal.paths(), ["items[0].price_time"]);
    world.time.move_to(shifted(later, -1));
    let held = world.quote(&account_id, vec![domain()]).await;
    assert_eq!(shown(held.total.as_ref()), "49.00 USD");
    world.time.move_to(later);
    let quote = world.quote(&account_id, vec![domain()]).await;
    assert_eq!(shown(quote.total.as_ref()), "60.00 USD");
    assert_eq!(instant(quote.lines[0].price_effective_time), later);
    // A stored quote is charged at its own prices.
    let invoice = world.charge(&held).await.unwrap();
    assert_eq!(shown(invoice.total.as_ref()), "49.00 USD");
    let pinned = QuoteItem {
        price_time: invoice.lines[0].price_effective_time,
        ..domain()
    };
    let again = world.preview_quote(&account_id, vec![pinned]).await;
    assert_eq!(shown(again.unwrap().total.as_ref()), "49.00 USD");
}

async fn what_is_not_in_the_catalogue_is_not_found(backend: Backend) {
    let (world, account_id) = world_of_all_kinds(backend).await;
    let later = world.now().checked_add(TimeDelta::days(10)).unwrap();
    let scheduled = Product {
        policy: Some(Policy {
            proration_convention: ProrationConvention::Linear.into(),
            ..Policy::default()
        }),
        effective_time: Some(timestamp(later)),
        ..multi_domain_product()
    };
    let request = UpdateProductRequest {
        product: Some(scheduled),
        request_id: request_id(),
    };
    world.catalog().update_product(request).await.unwrap();
    let domain = |product_id: &str, product_version| QuoteItem {
        product_version,
        ..item(LineKind::Domain, product_id, 1)
    };
    for (asked, id) in [
        (domain("unheard-of", 0), "unheard-of"),
        (domain("unheard-of", 1), "unheard-of version 1"),
        (domain(MULTI, 3), "multi-domain-dv version 3"),
        // Scheduled, not in force yet.
        (domain(MULTI, 2), "multi-domain-dv version 2"),
    ] {
        let refusal = refused_quote(&world, &account_id, asked).await;
        let refusal = refusal.expect(Code::NotFound, "NOT_FOUND");
        assert_eq!(
            (refusal.value("resource"), refusal.value("id")),
            ("product", id)
        );
    }
    for (kind, product_id, has) in [
        (LineKind::Domain, SINGLE, ProductKind::SingleDomain),
        (LineKind::Certificate, BUNDLE, ProductKind::SanLicense),
        (LineKind::SanQuota, MULTI, ProductKind::MultiDomain),
    ] {
        let refusal = refused_quote(&world, &account_id, item(kind, product_id, 1)).await;
        let refusal = refusal.expect(Code::FailedPrecondition, "PRODUCT_KIND_MISMATCH");
        assert!(has.as_str_name().ends_with(refusal.value("kind")));
    }
    world.time.move_to(later);
    for (version, convention) in [
        (0, ProrationConvention::Linear),
        (2, ProrationConvention::Linear),
        (1, ProrationConvention::Monthly),
    ] {
        let quote = world
            .preview_quote(&account_id, vec![domain(MULTI, version)])
            .await;
        assert_eq!(
            quote.unwrap().lines[0].convention(),
            convention,
            "{version}"
        );
    }
}

async fn amounts_that_no_quote_can_have_are_refused(backend: Backend) {
    let (world, account_id) = world_of_all_kinds(backend).await;
    let amount = |value: &str| {
        Some(Money {
            currency_code: "USD".to_owned(),
            value: value.to_owned(),
        })
    };
    let by_hand = |value| QuoteItem {
        hand_amount: amount(value),
        ..item(LineKind::SanQuota, BUNDLE, 5)
    };
    let each = |value| QuoteItem {
        unit_price: price_in("USD", value),
        change_time: Some(timestamp(world.now())),
        ..item(LineKind::SanQuotaIncrease, BUNDLE, 1)
    };
    let request = ask(
        &account_id,
        vec![
            by_hand("1.000"),
            by_hand("-0.01"),
            by_hand("1e3"),
            each("0.0000001"),
            each("-1.00"),
            item(LineKind::Domain, MULTI, 0),
            item(LineKind::Domain, MULTI, 1_000_001),
            item(LineKind::SanQuota, BUNDLE, -5),
            by_hand("1.00"),
        ],
    );
    let refusal = refused(world.quotes().create_quote(request).await)
        .expect(Code::InvalidArgument, "INVALID_FIELDS");
    let expected = [
        "items[0].hand_amount",
        "items[1].hand_amount.value",
        "items[2].hand_amount",
        "items[3].unit_price",
        "items[4].unit_price",
        "items[5].quantity",
        "items[6].quantity",
        "items[7].quantity",
    ];
    assert_eq!(refusal.paths(), expected);

    let foreign = QuoteItem {
        hand_amount: Some(Money {
            currency_code: "JPY".to_owned(),
            value: "1".to_owned(),
        }),
        ..item(LineKind::SanQuota, BUNDLE, 5)
    };
    let refusal = refused_quote(&world, &account_id, foreign).await;
    let refusal = refusal.expect(Code::FailedPrecondition, "CURRENCY_MISMATCH");
    assert_eq!(
        (refusal.value("expected"), refusal.value("given")),
        ("USD", "JPY")
    );

    world.time.advance_days(1);
    let most = "9223372036854.775807";
    let dearest = vec![term_price(12, [most, most, most, "1.00"])];
    world.set_prices(MULTI, dearest).await;
    let many = item(LineKind::Domain, MULTI, 1_000_000);
    let refusal = refused_quote(&world, &account_id, many).await;
    let refusal = refusal.expect(Code::FailedPrecondition, "AMOUNT_OUT_OF_RANGE");
    assert_eq!(refusal.value("quantity"), "1000000");
    assert_eq!(refusal.value("unit_price"), format!("{most} USD"));
    // Nothing overflows: the largest total that fits exceeds the account's balance.
    let quote = world
        .quote(&account_id, vec![item(LineKind::Domain, MULTI, 9_999)])
        .await;
    let refusal = take_apart(&world.charge(&quote).await.unwrap_err());
    let refusal = refusal.expect(Code::ResourceExhausted, "INSUFFICIENT_FUNDS");
    assert_eq!(refusal.value("available"), "100000.00");
    assert_eq!(
        refusal.value("required"),
        shown(quote.total.as_ref()).replace(" USD", "")
    );
}
