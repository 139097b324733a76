//! Amounts worked out by hand.

use licet_domain::term::Term;

use super::*;
use crate::rules::{
    catalog::tests::product,
    prices::{Prices, TermPrices},
};

mod kinds;
mod san;
mod worked;

fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

fn usd() -> Currency {
    "USD".parse().unwrap()
}

fn price(value: &str) -> Price {
    Price::parse("USD", value).unwrap()
}

fn item(kind: ItemKind, quantity: u32, change_time: Option<&str>) -> Item {
    Item {
        kind,
        quantity,
        product_id: "multi-domain-dv".parse().unwrap(),
        product_version: None,
        price_time: at("2026-01-01T00:00:00Z"),
        term: Term::first(at("2026-01-01T00:00:00Z"), 12).unwrap(),
        change_time: change_time.map(at),
        pricing: Pricing::Listed,
    }
}

fn basis() -> PriceBasis {
    PriceBasis {
        product: ProductVersion {
            product_id: "multi-domain-dv".parse().unwrap(),
            version: 3,
            effective: at("2025-01-01T00:00:00Z"),
            recorded: at("2025-01-01T00:00:00Z"),
            product: product(ProductKind::MultiDomain),
        },
        list: Some(PriceList {
            product_id: "multi-domain-dv".parse().unwrap(),
            currency: usd(),
            effective: at("2025-06-01T00:00:00Z"),
            recorded: at("2025-06-01T00:00:00Z"),
            prices: Prices::ByTerm(vec![year(price("49.00"))]),
        }),
    }
}

fn year(domain: Price) -> TermPrices {
    TermPrices {
        months: 12,
        certificate: price("99.00"),
        domain: Some(domain),
        wildcard_domain: Some(price("149.00")),
        additional_license: None,
    }
}

fn refusal(item: Item, basis: PriceBasis) -> Refusal {
    compute(&[(item, basis)], usd()).unwrap_err()
}

/// MD-3, P-3, BL-7: the source's example, and the line that explains it.
#[test]
fn further_domain_after_half_a_year() {
    let asked = item(ItemKind::Domain, 1, Some("2026-07-01T00:00:00Z"));
    let computed = compute(&[(asked, basis())], usd()).unwrap();
    let line = &computed.lines[0];
    assert_eq!(computed.total.to_string(), "24.50 USD");
    assert_eq!(line.explanation, "round(49.00 USD × 1 × 1/2) = 24.50 USD");
    assert_eq!((line.rule.as_str(), line.product_version), ("MD-1", 3));
    assert_eq!(line.price_effective, Some(at("2025-06-01T00:00:00Z")));
    assert_eq!(line.charged_from, at("2026-07-01T00:00:00Z"));
    assert_eq!(line.term_end, at("2027-01-01T00:00:00Z"));
    assert_eq!(line.description, "Further domain, rest of 12 months");
}

/// MD-4, BL-7, M-2: a wildcard in a domain's place costs the difference, shows both prices, and is
/// rounded once.
#[test]
fn md_4_the_difference_of_two_prices() {
    let asked = item(
        ItemKind::WildcardDifference,
        3,
        Some("2026-07-01T00:00:00Z"),
    );
    let computed = compute(&[(asked.clone(), basis())], usd()).unwrap();
    let line = &computed.lines[0];
    assert_eq!(
        line.explanation,
        "round((149.00 USD − 49.00 USD) × 3 × 1/2) = 150.00 USD"
    );
    assert_eq!(line.unit_price, price("100.00"));
    assert_eq!(line.find_difference(), None);

    let of = |domain: &str, wildcard: Option<&str>| {
        let mut basis = basis();
        if let Some(list) = &mut basis.list {
            let mut prices = year(price(domain));
            prices.wildcard_domain = wildcard.map(price);
            list.prices = Prices::ByTerm(vec![prices]);
        }
        basis
    };
    let whole = item(ItemKind::WildcardDifference, 1, None);
    // Rounded one by one they would be 0.01 and 0.01.
    let odd = compute(&[(whole.clone(), of("0.006", Some("0.011")))], usd()).unwrap();
    assert_eq!(odd.total.to_string(), "0.01 USD");
    let same = compute(&[(whole.clone(), of("5.00", Some("5.00")))], usd()).unwrap();
    assert_eq!(same.total, Money::zero(usd()));

    let unpriced = refusal(whole.clone(), of("49.00", None));
    assert_eq!(unpriced.reason, Reason::PriceNotSet);
    assert_eq!(unpriced.metadata["kind"], "WILDCARD_DOMAIN");
    let mut without = basis();
    if let Some(list) = &mut without.list {
        let mut prices = year(price("49.00"));
        prices.domain = None;
        list.prices = Prices::ByTerm(vec![prices]);
    }
    let unpriced = refusal(whole.clone(), without);
    assert_eq!(unpriced.reason, Reason::PriceNotSet);
    assert_eq!(unpriced.metadata["kind"], "DOMAIN");
    // A list from before the catalogue checked it.
    let low = refusal(whole, of("49.00", Some("48.00")));
    assert_eq!(low.reason, Reason::WildcardPriceTooLow);
}

/// A new term is charged in full, and the total is the sum of the lines.
#[test]
fn new_term() {
    let items = [
        (item(ItemKind::Certificate, 1, None), basis()),
        (item(ItemKind::Domain, 3, None), basis()),
        (item(ItemKind::WildcardDomain, 1, None), basis()),
    ];
    let computed = compute(&items, usd()).unwrap();
    let amounts: Vec<_> = computed
        .lines
        .iter()
        .map(|line| line.amount.minor())
        .collect();
    assert_eq!(amounts, [9_900, 14_700, 14_900]);
    assert_eq!(computed.total.minor(), 39_500);
    assert_eq!(compute(&[], usd()).unwrap().total, Money::zero(usd()));
}

/// P-1: a change before a term bought in advance pays for all of it (MD-8).
#[test]
fn change_before_the_term() {
    let asked = item(ItemKind::Domain, 1, Some("2025-11-01T00:00:00Z"));
    let computed = compute(&[(asked.clone(), basis())], usd()).unwrap();
    assert_eq!(computed.lines[0].amount.minor(), 4_900);
    assert_eq!(computed.lines[0].charged_from, asked.term.start());
}

#[test]
fn refusals() {
    for change in ["2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"] {
        let asked = item(ItemKind::Domain, 1, Some(change));
        assert_eq!(refusal(asked, basis()).reason, Reason::TermEnded);
    }
    let license = item(ItemKind::AdditionalLicense, 1, None);
    let refused = refusal(license, basis());
    assert_eq!(refused.reason, Reason::PriceNotSet);
    assert_eq!(refused.metadata["kind"], "ADDITIONAL_LICENSE");
    let unpriced = PriceBasis {
        list: None,
        ..basis()
    };
    let asked = item(ItemKind::Certificate, 1, None);
    assert_eq!(refusal(asked.clone(), unpriced).reason, Reason::PriceNotSet);

    let mut two_years = asked.clone();
    two_years.term = Term::first(two_years.term.start(), 24).unwrap();
    let refused = refusal(two_years, basis());
    assert_eq!(refused.reason, Reason::TermNotSold);
    assert_eq!(refused.metadata["sold"], "1,12");

    let mut single = basis();
    single.product.product.kind = ProductKind::SingleDomain;
    let refused = refusal(item(ItemKind::Domain, 1, None), single);
    assert_eq!(refused.reason, Reason::ProductKindMismatch);

    let eur = compute(&[(asked, basis())], "EUR".parse().unwrap()).unwrap_err();
    assert_eq!(eur.reason, Reason::CurrencyMismatch);

    let mut dear = basis();
    if let Some(list) = &mut dear.list {
        let dearest = Price::from_micros(usd(), i64::MAX).unwrap();
        list.prices = Prices::ByTerm(vec![year(dearest)]);
    }
    let many = item(ItemKind::Domain, 1_000_000, None);
    assert_eq!(refusal(many, dear).reason, Reason::AmountOutOfRange);
}
