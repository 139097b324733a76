//! Amounts of SAN licences (SL-7, SL-8).

use proptest::prelude::*;

use super::*;
use crate::rules::volume::VolumeTier;

/// An item of a licence whose term of `months` begins in January 2026.
fn sans(
    kind: ItemKind,
    quantity: u32,
    months: u32,
    change_time: Option<&str>,
    pricing: Pricing,
) -> Item {
    Item {
        product_id: "san-license".parse().unwrap(),
        term: Term::first(at("2026-01-01T00:00:00Z"), months).unwrap(),
        pricing,
        ..item(kind, quantity, change_time)
    }
}

/// A SAN licence: 0.50 each, from a thousand 0.35, from ten thousand 0.125.
fn san_basis(convention: Convention) -> PriceBasis {
    let mut basis = basis();
    basis.product.product_id = "san-license".parse().unwrap();
    basis.product.product = product(ProductKind::SanLicense);
    basis.product.product.term_months = vec![1, 7, 12, 24, 36];
    basis.product.product.policy.convention = convention;
    let tiers = [(1, "0.50"), (1_000, "0.35"), (10_000, "0.125")];
    let tiers = tiers.map(|(from_quantity, value)| VolumeTier {
        from_quantity,
        price: price(value),
    });
    if let Some(list) = &mut basis.list {
        list.product_id = "san-license".parse().unwrap();
        list.prices = Prices::ByVolume(tiers.to_vec());
    }
    basis
}

fn san_line(item: Item, convention: Convention) -> Line {
    let computed = compute(&[(item, san_basis(convention))], usd()).unwrap();
    let [line] = computed.lines.try_into().unwrap();
    line
}

fn each(value: &str) -> Pricing {
    Pricing::UnitPrice(price(value))
}

/// SL-7, M-2, BL-7: the 12-month price of the tier × quota × N/12, exact and rounded once.
#[test]
fn sl7_quota_at_the_price_of_its_tier() {
    for (quota, months, expected) in [
        (1_000, 24, "round(0.35 USD × 1000 × 24/12) = 700.00 USD"),
        (999, 24, "round(0.50 USD × 999 × 24/12) = 999.00 USD"),
        (1, 12, "round(0.50 USD × 1 × 12/12) = 0.50 USD"),
        // 0.041666…: the month is not rounded before it is multiplied.
        (1, 1, "round(0.50 USD × 1 × 1/12) = 0.04 USD"),
        (100, 1, "round(0.50 USD × 100 × 1/12) = 4.17 USD"),
        (1_234, 7, "round(0.35 USD × 1234 × 7/12) = 251.94 USD"),
        // 3750.375 is half a cent, and rounded away from zero.
        (10_001, 36, "round(0.125 USD × 10001 × 36/12) = 3750.38 USD"),
        (
            1_000_000_000,
            36,
            "round(0.125 USD × 1000000000 × 36/12) = 375000000.00 USD",
        ),
    ] {
        let asked = sans(ItemKind::SanQuota, quota, months, None, Pricing::Listed);
        let line = san_line(asked, Convention::Monthly);
        assert_eq!(line.explanation, expected);
        assert!(expected.ends_with(&format!("= {}", line.amount)));
        assert_eq!((line.rule.as_str(), line.quantity), ("SL-7", quota));
        assert_eq!(line.price_effective, Some(at("2025-06-01T00:00:00Z")));
        assert_eq!(line.fraction, Fraction::one());
    }
    let asked = sans(ItemKind::SanQuota, 1_000, 24, None, Pricing::Listed);
    let line = san_line(asked, Convention::Monthly);
    assert_eq!(line.description, "SAN quota, 24 months");
}

/// SL-7: an amount agreed by hand is charged as it is; the line shows the share of each SAN.
#[test]
fn sl7_amount_by_hand() {
    for (amount, quota, months, share) in [
        ("600.00", 1_000, 24, "0.30"),
        ("100.00", 3, 12, "33.333333"),
        ("0.00", 5, 12, "0.00"),
    ] {
        let amount = Money::parse("USD", amount).unwrap();
        let pricing = Pricing::Amount(amount);
        let asked = sans(ItemKind::SanQuota, quota, months, None, pricing);
        let line = san_line(asked, Convention::Monthly);
        assert_eq!((line.amount, line.unit_price), (amount, price(share)));
        assert_eq!((line.rule.as_str(), line.price_effective), ("SL-7", None));
        let expected = format!("{amount} by hand, for {quota} × {months}/12");
        assert_eq!(line.explanation, expected);
    }
}

/// SL-8, P-3: an increase costs the licence's own price for the rest of the term, whatever the
/// tiers say, by the product's convention.
#[test]
fn sl8_increase_for_the_rest_of_the_term() {
    use Convention::{Daily, Linear, Monthly};
    for (convention, months, change, expected) in [
        // Six of 24 months are over; 18 of them cost 0.35 × 500 × 1.5.
        (
            Monthly,
            24,
            "2026-07-01T00:00:00Z",
            "round(0.35 USD × 500 × 24/12 × 3/4) = 262.50 USD",
        ),
        // 184 of 365 days: 88.219… of 175.00.
        (
            Daily,
            12,
            "2026-07-01T00:00:00Z",
            "round(0.35 USD × 500 × 12/12 × 184/365) = 88.22 USD",
        ),
        (
            Linear,
            12,
            "2026-07-01T00:00:00Z",
            "round(0.35 USD × 500 × 12/12 × 184/365) = 88.22 USD",
        ),
        // The day of the change counts, all of it.
        (
            Daily,
            12,
            "2026-07-01T12:00:00Z",
            "round(0.35 USD × 500 × 12/12 × 184/365) = 88.22 USD",
        ),
        // 183.5 of 365 days: 87.979…
        (
            Linear,
            12,
            "2026-07-01T12:00:00Z",
            "round(0.35 USD × 500 × 12/12 × 367/730) = 87.98 USD",
        ),
        (
            Monthly,
            1,
            "2026-01-16T12:00:00Z",
            "round(0.35 USD × 500 × 1/12 × 1/2) = 7.29 USD",
        ),
        (
            Monthly,
            12,
            "2026-01-01T00:00:00Z",
            "round(0.35 USD × 500 × 12/12) = 175.00 USD",
        ),
    ] {
        let kind = ItemKind::SanQuotaIncrease;
        let line = san_line(
            sans(kind, 500, months, Some(change), each("0.35")),
            convention,
        );
        assert_eq!(line.explanation, expected, "{convention:?} {change}");
        assert!(expected.ends_with(&format!("= {}", line.amount)));
        assert_eq!((line.rule.as_str(), line.price_effective), ("SL-8", None));
        assert_eq!(line.charged_from, at(change));
    }
    let asked = sans(
        ItemKind::SanQuotaIncrease,
        1,
        24,
        Some("2026-07-01T00:00:00Z"),
        each("0.333333"),
    );
    let line = san_line(asked, Monthly);
    assert_eq!(line.description, "SAN quota increase, rest of 24 months");
}

/// SL-8, M-2: the own price of a licence sold by hand is its amount for all of its SANs, rounded
/// only in the amount of an increase.
#[test]
fn sl8_increase_of_a_license_sold_by_hand() {
    for (amount, sold, added, change, expected) in [
        (
            "100.00",
            3,
            3_000_000,
            "2026-01-01T00:00:00Z",
            "round(100.00 USD × 3000000/3) = 100000000.00 USD",
        ),
        (
            "100.00",
            3,
            1,
            "2026-07-01T00:00:00Z",
            "round(100.00 USD × 1/3 × 1/2) = 16.67 USD",
        ),
        // The price for each SAN is nothing to 6 decimals.
        (
            "0.01",
            1_000_000,
            1_000_000_000,
            "2026-01-01T00:00:00Z",
            "round(0.01 USD × 1000000000/1000000) = 10.00 USD",
        ),
    ] {
        let pricing = Pricing::Share(HandPrice {
            amount: Money::parse("USD", amount).unwrap(),
            quantity: sold,
        });
        let kind = ItemKind::SanQuotaIncrease;
        let asked = sans(kind, added, 12, Some(change), pricing);
        let line = san_line(asked, Convention::Monthly);
        assert_eq!(line.explanation, expected);
        assert!(expected.ends_with(&format!("= {}", line.amount)));
        assert_eq!(line.find_difference(), None);
    }
}

/// P-1, M-4: the refusals of an increase and of a quota.
#[test]
fn san_refusals() {
    let refused = |item: Item, basis: PriceBasis| compute(&[(item, basis)], usd()).unwrap_err();
    let increase = |change: &str, pricing| {
        let kind = ItemKind::SanQuotaIncrease;
        sans(kind, 1_000_000_000, 12, Some(change), pricing)
    };
    let monthly = || san_basis(Convention::Monthly);
    let end = increase("2027-01-01T00:00:00Z", each("0.35"));
    assert_eq!(refused(end, monthly()).reason, Reason::TermEnded);
    let half = "2026-07-01T00:00:00Z";
    let euros = Pricing::UnitPrice(Price::parse("EUR", "0.35").unwrap());
    let refusal = refused(increase(half, euros), monthly());
    assert_eq!(refusal.reason, Reason::CurrencyMismatch);
    let dear = Pricing::UnitPrice(Price::from_micros(usd(), i64::MAX).unwrap());
    let refusal = refused(increase(half, dear), monthly());
    assert_eq!(refusal.reason, Reason::AmountOutOfRange);
    let listed = refused(increase(half, Pricing::Listed), monthly());
    assert_eq!(listed.reason, Reason::PriceNotSet);

    let quota = |months, pricing| sans(ItemKind::SanQuota, 10, months, None, pricing);
    let euros = Pricing::Amount(Money::parse("EUR", "9.00").unwrap());
    let refusal = refused(quota(12, euros), monthly());
    assert_eq!(refusal.reason, Reason::CurrencyMismatch);
    let refusal = refused(quota(13, Pricing::Listed), monthly());
    assert_eq!(refusal.reason, Reason::TermNotSold);
    let unpriced = PriceBasis {
        list: None,
        ..monthly()
    };
    let refusal = refused(quota(12, Pricing::Listed), unpriced);
    assert_eq!(refusal.reason, Reason::PriceNotSet);
    let refusal = refused(quota(12, Pricing::Listed), basis());
    assert_eq!(refusal.reason, Reason::ProductKindMismatch);
    let certificate = Item {
        kind: ItemKind::Certificate,
        ..quota(12, Pricing::Listed)
    };
    let refusal = refused(certificate, monthly());
    assert_eq!(refusal.reason, Reason::ProductKindMismatch);
}

fn conventions() -> impl Strategy<Value = Convention> {
    prop::sample::select(vec![
        Convention::Monthly,
        Convention::Daily,
        Convention::Linear,
    ])
}

proptest! {
    /// P-2, SL-8: cut the time of an increase anywhere. The parts sum to exactly the whole, a later
    /// increase never costs more, and amounts differ only by rounding.
    #[test]
    fn p2_parts_of_an_increase_sum_to_the_whole(
        convention in conventions(), months in prop::sample::select(vec![1_u32, 7, 12, 24, 36]),
        quantity in 1_u32..=1_000_000_000, micros in 0_i64..10_000_000,
        cuts in prop::collection::btree_set(0_i64..94_000_000_000_000, 1..6),
    ) {
        let unit = Price::from_micros(usd(), micros).unwrap();
        let pricing = Pricing::UnitPrice(unit);
        let whole = sans(ItemKind::SanQuotaIncrease, quantity, months, None, pricing);
        let (start, end) = (whole.term.start(), whole.term.end());
        let changes: Vec<Instant> = cuts
            .into_iter()
            .filter_map(|cut| Instant::from_micros(start.as_micros() + cut))
            .filter(|change| *change < end)
            .collect();
        let mut earlier = san_line(whole.clone(), convention);
        prop_assert_eq!(&earlier.fraction, &Fraction::one());
        let mut passed = Fraction::zero();
        for change in changes {
            let later = Item { change_time: Some(change), ..whole.clone() };
            let later = san_line(later, convention);
            let part = earlier.fraction.sub(&later.fraction);
            let exact = volume::years(months).mul(&part);
            let between = unit.amount(quantity, &exact).unwrap().minor();
            prop_assert!(between >= 0);
            prop_assert!((earlier.amount.minor() - between - later.amount.minor()).abs() <= 1);
            passed = passed.add(&part);
            earlier = later;
        }
        prop_assert_eq!(passed.add(&earlier.fraction), Fraction::one());
    }

    /// SL-7: consecutive terms cost together what one term of their length does, except for the
    /// rounding of each.
    #[test]
    fn sl7_terms_sum_to_the_longer_one(quota in 1_u32..=1_000_000_000) {
        let minor = |months| {
            let asked = sans(ItemKind::SanQuota, quota, months, None, Pricing::Listed);
            san_line(asked, Convention::Monthly).amount.minor()
        };
        prop_assert!((minor(12) + minor(24) - minor(36)).abs() <= 1);
        prop_assert!((12 * minor(1) - minor(12)).abs() <= 6);
    }
}
