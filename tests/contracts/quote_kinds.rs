//! BL-1: Orders and SanLicensing need these kinds of quotes; each is previewed, stored and charged alike.

use licet_contracts::{
    billing::v1::{ChargeQuoteRequest, GetQuoteRequest, LineKind, Quote, QuoteItem, QuoteState},
    types::v1::{Money, Price},
};
use licet_domain::clock::Instant;
use tonic::Code;

use crate::harness::{
    Backend,
    clock::{instant, shifted, timestamp},
    errors::{refused, take_apart},
    on_both_databases, request_id,
    samples::{MULTI, SINGLE, shown, term_price},
    san::{BUNDLE, tier, tiers_request},
    selling::{item, item_of_term, price_in, world_of_all_kinds},
};

on_both_databases![
    bl_1_every_kind_of_item_is_previewed_quoted_and_charged_alike,
    md_8_a_change_across_this_term_and_the_next_pays_each_ones_price,
    sl_8_an_increase_costs_the_licenses_own_price_after_the_tiers_rose,
    a_quote_is_judged_by_the_time_of_its_acceptance,
];

/// Kind, amount, rule and description of each line.
fn told(quote: &Quote) -> Vec<(LineKind, String, &str, &str)> {
    let lines = quote.lines.iter();
    lines
        .map(|line| {
            let amount = shown(line.amount.as_ref());
            (
                line.kind(),
                amount,
                line.rule_id.as_str(),
                line.description.as_str(),
            )
        })
        .collect()
}

async fn bl_1_every_kind_of_item_is_previewed_quoted_and_charged_alike(backend: Backend) {
    use LineKind::{
        AdditionalLicense, Certificate, Domain, SanQuota, SanQuotaIncrease, WildcardDifference,
        WildcardDomain,
    };
    let (world, account_id) = world_of_all_kinds(backend).await;
    let bought = world.now();
    world.time.advance_months(6);
    let half = Some(world.now());
    let first = |kind, product: &str, quantity| {
        item_of_term(item(kind, product, quantity), bought, (0, 12), None)
    };
    let renewed = |kind, product: &str, quantity| {
        item_of_term(item(kind, product, quantity), bought, (12, 24), None)
    };
    let rest = |kind, product: &str, quantity| {
        item_of_term(item(kind, product, quantity), bought, (0, 12), half)
    };
    let increase = QuoteItem {
        unit_price: price_in("USD", "9.99"),
        ..rest(SanQuotaIncrease, BUNDLE, 7)
    };
    let by_hand = QuoteItem {
        hand_amount: Some(Money {
            currency_code: "USD".to_owned(),
            value: "77.77".to_owned(),
        }),
        ..first(SanQuota, BUNDLE, 99)
    };
    let items = vec![
        item(Certificate, MULTI, 1),
        first(Certificate, SINGLE, 1),
        first(Domain, MULTI, 3),
        first(WildcardDomain, MULTI, 1),
        first(AdditionalLicense, SINGLE, 2),
        rest(Domain, MULTI, 1),
        rest(WildcardDomain, MULTI, 2),
        rest(WildcardDifference, MULTI, 3),
        renewed(Certificate, MULTI, 1),
        renewed(Domain, MULTI, 2),
        renewed(WildcardDomain, MULTI, 1),
        renewed(AdditionalLicense, MULTI, 1),
        first(SanQuota, BUNDLE, 99),
        first(SanQuota, BUNDLE, 100),
        renewed(SanQuota, BUNDLE, 100),
        by_hand,
        increase,
    ];
    let preview = world.preview_quote(&account_id, items.clone()).await;
    let preview = preview.unwrap();
    let kept = world.quote(&account_id, items).await;
    let expected = [
        (Certificate, "98.00", "T-4", "Certificate, 12 months"),
        (Certificate, "60.00", "T-4", "Certificate, 12 months"),
        (Domain, "147.00", "M-2", "Further domain, 12 months"),
        (
            WildcardDomain,
            "149.00",
            "MD-4",
            "Further wildcard domain, 12 months",
        ),
        (
            AdditionalLicense,
            "40.00",
            "AL-5",
            "Additional licence, 12 months",
        ),
        (Domain, "24.50", "MD-1", "Further domain, rest of 12 months"),
        (
            WildcardDomain,
            "149.00",
            "MD-4",
            "Further wildcard domain, rest of 12 months",
        ),
        (
            WildcardDifference,
            "150.00",
            "MD-4",
            "Wildcard domain instead of a domain, rest of 12 months",
        ),
        (
            Certificate,
            "180.00",
            "MD-10",
            "Certificate, renewal for 24 months",
        ),
        (
            Domain,
            "180.00",
            "MD-10",
            "Further domain, renewal for 24 months",
        ),
        (
            WildcardDomain,
            "280.00",
            "MD-4",
            "Further wildcard domain, renewal for 24 months",
        ),
        (
            AdditionalLicense,
            "35.00",
            "AL-9",
            "Additional licence, renewal for 24 months",
        ),
        (SanQuota, "1188.00", "SL-7", "SAN quota, 12 months"),
        (SanQuota, "600.00", "SL-7", "SAN quota, 12 months"),
        (
            SanQuota,
            "1200.00",
            "SL-9",
            "SAN quota, renewal for 24 months",
        ),
        (SanQuota, "77.77", "SL-7", "SAN quota, 12 months"),
        // 9.99 × 7 × 1/2 = 34.965, rounded away from zero.
        (
            SanQuotaIncrease,
            "34.97",
            "SL-8",
            "SAN quota increase, rest of 12 months",
        ),
    ];
    let expected: Vec<_> = expected
        .into_iter()
        .map(|(kind, amount, rule, text)| (kind, format!("{amount} USD"), rule, text))
        .collect();
    assert_eq!(told(&kept), expected);
    assert_eq!(shown(kept.total.as_ref()), "4593.24 USD");
    assert_eq!((&preview.lines, &preview.total), (&kept.lines, &kept.total));
    let invoice = world.charge(&kept).await.unwrap();
    assert_eq!((&invoice.lines, &invoice.total), (&kept.lines, &kept.total));
    assert_eq!(world.balance(&account_id).await, "95406.76 USD");
}

async fn md_8_a_change_across_this_term_and_the_next_pays_each_ones_price(backend: Backend) {
    let (world, account_id) = world_of_all_kinds(backend).await;
    let bought = world.now();
    world.time.advance_months(10);
    let dearer = vec![term_price(12, ["120.00", "60.00", "180.00", "24.00"])];
    world.set_prices(MULTI, dearer).await;
    let renewed = world.now();
    world.time.advance_months(1);
    let dearest = vec![term_price(12, ["999.00", "999.00", "999.00", "99.00"])];
    world.set_prices(MULTI, dearest).await;
    let now = Some(world.now());
    let at_price_of = |time, first_month| QuoteItem {
        price_time: Some(timestamp(time)),
        ..item_of_term(
            item(LineKind::Domain, MULTI, 3),
            bought,
            (first_month, 12),
            now,
        )
    };
    let items = vec![at_price_of(bought, 0), at_price_of(renewed, 12)];
    let quote = world.quote(&account_id, items).await;
    let (this, next) = (&quote.lines[0], &quote.lines[1]);
    // 3 of 12 months are left: 49.00 × 3 / 12.
    assert_eq!(
        (this.fraction.as_str(), this.rule_id.as_str()),
        ("1/12", "MD-1")
    );
    assert_eq!(shown(this.amount.as_ref()), "12.25 USD");
    assert_eq!(
        (next.fraction.as_str(), next.rule_id.as_str()),
        ("1", "MD-8")
    );
    assert_eq!(shown(next.amount.as_ref()), "180.00 USD");
    assert_eq!(
        this.charged_period.unwrap().end_time,
        next.charged_period.unwrap().start_time
    );
    assert_eq!(instant(this.price_effective_time), bought);
    assert_eq!(instant(next.price_effective_time), renewed);
    assert_eq!(shown(quote.total.as_ref()), "192.25 USD");
    world.charge(&quote).await.unwrap();
    assert_eq!(world.balance(&account_id).await, "99807.75 USD");
}

async fn sl_8_an_increase_costs_the_licenses_own_price_after_the_tiers_rose(backend: Backend) {
    let (world, account_id) = world_of_all_kinds(backend).await;
    let bought = world.now();
    world.time.advance_months(3);
    let dearer = tiers_request(BUNDLE, vec![tier(1, "99.00")]);
    world.catalog().set_prices(dearer).await.unwrap();
    let increase = |unit_price: Option<Price>| QuoteItem {
        unit_price,
        ..item_of_term(
            item(LineKind::SanQuotaIncrease, BUNDLE, 10),
            bought,
            (0, 24),
            Some(world.now()),
        )
    };
    let own = increase(price_in("USD", "6.00"));
    let quote = world.quote(&account_id, vec![own]).await;
    // Two years are twice 12 months, and 21 of 24 are left: 6.00 × 10 × 2 × 7/8.
    assert_eq!(shown(quote.total.as_ref()), "105.00 USD");
    assert_eq!(quote.lines[0].price_effective_time, None);
    let listed = world.preview_quote(&account_id, vec![increase(None)]).await;
    let listed = take_apart(&listed.unwrap_err()).expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(listed.paths(), ["items[0].unit_price"]);
    let foreign = increase(price_in("EUR", "6.00"));
    let foreign = world.preview_quote(&account_id, vec![foreign]).await;
    let foreign =
        take_apart(&foreign.unwrap_err()).expect(Code::FailedPrecondition, "CURRENCY_MISMATCH");
    assert_eq!(
        (foreign.value("expected"), foreign.value("given")),
        ("USD", "EUR")
    );
}

async fn a_quote_is_judged_by_the_time_of_its_acceptance(backend: Backend) {
    let (world, account_id) = world_of_all_kinds(backend).await;
    let domain = || vec![item(LineKind::Domain, MULTI, 1)];
    let first = world.quote(&account_id, domain()).await;
    let second = world.quote(&account_id, domain()).await;
    let expire = instant(first.expire_time);
    assert_eq!(expire, shifted(world.now(), 15 * 60 * 1_000_000));
    world.time.move_to(shifted(expire, 3_600_000_000));
    let charge = |quote: &Quote, accepted: Option<Instant>| ChargeQuoteRequest {
        quote_id: quote.quote_id.clone(),
        accept_time: accepted.map(timestamp),
        request_id: request_id(),
        ..ChargeQuoteRequest::default()
    };
    for late in [None, Some(expire)] {
        let refusal = refused(world.invoices().charge_quote(charge(&first, late)).await)
            .expect(Code::FailedPrecondition, "QUOTE_EXPIRED");
        assert_eq!(refusal.value("expire_time"), expire.to_string());
    }
    let state = |quote: &Quote| {
        let ask = GetQuoteRequest {
            quote_id: quote.quote_id.clone(),
        };
        let mut quotes = world.quotes();
        async move {
            quotes
                .get_quote(ask)
                .await
                .unwrap()
                .into_inner()
                .quote
                .unwrap()
                .state()
        }
    };
    assert_eq!(state(&first).await, QuoteState::Expired);
    assert_eq!(world.balance(&account_id).await, "100000.00 USD");
    // It was accepted in time, however late its charge arrives (MD-6).
    let in_time = charge(&second, Some(shifted(expire, -1)));
    world.invoices().charge_quote(in_time).await.unwrap();
    assert_eq!(state(&second).await, QuoteState::Charged);
    assert_eq!(world.balance(&account_id).await, "99951.00 USD");
}
