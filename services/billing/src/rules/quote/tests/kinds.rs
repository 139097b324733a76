//! Every kind of item in every part of a term, and the versions and lists that apply to it.

use super::*;
use crate::rules::volume::VolumeTier;

const MULTI: &str = "multi-domain-dv";
const SANS: &str = "san-license";

fn version(
    product_id: &str,
    number: u32,
    effective: &str,
    convention: Convention,
) -> ProductVersion {
    let kind = if product_id == SANS {
        ProductKind::SanLicense
    } else {
        ProductKind::MultiDomain
    };
    let mut product = product(kind);
    product.policy.convention = convention;
    ProductVersion {
        product_id: product_id.parse().unwrap(),
        version: number,
        effective: at(effective),
        recorded: at("2025-01-01T00:00:00Z"),
        product,
    }
}

fn list(product_id: &str, currency: &str, effective: &str, prices: Prices) -> PriceList {
    PriceList {
        product_id: product_id.parse().unwrap(),
        currency: currency.parse().unwrap(),
        effective: at(effective),
        recorded: at("2025-01-01T00:00:00Z"),
        prices,
    }
}

/// Certificate, domain, wildcard domain and additional licence for 12 months.
fn by_term(currency: &str, each: [&str; 4]) -> Prices {
    let [certificate, domain, wildcard_domain, additional_license] =
        each.map(|value| Price::parse(currency, value).unwrap());
    Prices::ByTerm(vec![TermPrices {
        months: 12,
        certificate,
        domain: Some(domain),
        wildcard_domain: Some(wildcard_domain),
        additional_license: Some(additional_license),
    }])
}

fn by_volume(each: &[(u32, &str)]) -> Prices {
    let tiers = each.iter().map(|(from_quantity, value)| VolumeTier {
        from_quantity: *from_quantity,
        price: price(value),
    });
    Prices::ByVolume(tiers.collect())
}

/// Prices rise with 2027. The policy counts days from version 2 on; version 3, scheduled for 2028,
/// counts linearly.
fn catalogue() -> (Vec<ProductVersion>, Vec<PriceList>) {
    let versions = vec![
        version(MULTI, 1, "2026-01-01T00:00:00Z", Convention::Monthly),
        version(MULTI, 2, "2027-01-01T00:00:00Z", Convention::Daily),
        version(MULTI, 3, "2028-01-01T00:00:00Z", Convention::Linear),
        version(SANS, 1, "2026-01-01T00:00:00Z", Convention::Monthly),
    ];
    let old = by_term("USD", ["98.00", "49.00", "149.00", "19.00"]);
    let new = by_term("USD", ["120.00", "60.00", "180.00", "24.00"]);
    let lists = vec![
        list(MULTI, "USD", "2026-01-01T00:00:00Z", old),
        list(MULTI, "USD", "2027-01-01T00:00:00Z", new),
        list(
            SANS,
            "USD",
            "2026-01-01T00:00:00Z",
            by_volume(&[(1, "0.50"), (1_000, "0.35")]),
        ),
        list(
            SANS,
            "USD",
            "2027-01-01T00:00:00Z",
            by_volume(&[(1, "0.60"), (1_000, "0.40")]),
        ),
    ];
    (versions, lists)
}

/// An item of the first or second year from 2026 on, at the prices of `price_time`.
fn of_year(
    kind: ItemKind,
    quantity: u32,
    first_month: u32,
    price_time: &str,
    change_time: Option<&str>,
) -> Item {
    let is_san = matches!(kind, ItemKind::SanQuota | ItemKind::SanQuotaIncrease);
    let product_id = if is_san { SANS } else { MULTI };
    Item {
        product_id: product_id.parse().unwrap(),
        price_time: at(price_time),
        term: Term::new(at("2026-01-01T00:00:00Z"), first_month, 12).unwrap(),
        pricing: if kind == ItemKind::SanQuotaIncrease {
            Pricing::UnitPrice(price("0.35"))
        } else {
            Pricing::Listed
        },
        ..item(kind, quantity, change_time)
    }
}

/// The items' lines and total by the prices of `catalogue()`, decided as of `decision`.
fn quoted(items: &[Item], decision: &str) -> Result<ComputedQuote, Refusal> {
    let (versions, lists) = catalogue();
    let priced: Result<Vec<_>, Refusal> = items
        .iter()
        .map(|item| {
            let basis = PriceBasis::find(item, &versions, &lists, at(decision))?;
            Ok((item.clone(), basis))
        })
        .collect();
    compute(&priced?, usd())
}

/// T-4, AL-5, AL-9, MD-1, MD-4, MD-8, MD-10, SL-7 to SL-9: each kind, bought with a term, with a
/// renewal, for the rest of a term, and for all of a coming term.
#[test]
fn every_kind_in_every_part_of_a_term() {
    // Kind, how many, of which year, bought (-) or changed in mid-2026, amount, rule, description.
    for row in [
        "CERTIFICATE 1 first - 98.00 T-4 Certificate, 12 months",
        "CERTIFICATE 1 second - 120.00 MD-10 Certificate, renewal for 12 months",
        "DOMAIN 3 first - 147.00 M-2 Further domain, 12 months",
        "DOMAIN 3 first changed 73.50 MD-1 Further domain, rest of 12 months",
        "DOMAIN 3 second - 180.00 MD-10 Further domain, renewal for 12 months",
        "DOMAIN 3 second changed 180.00 MD-8 Further domain, the coming 12 months",
        "WILDCARD_DOMAIN 1 first - 149.00 MD-4 Further wildcard domain, 12 months",
        "WILDCARD_DOMAIN 2 first changed 149.00 MD-4 Further wildcard domain, rest of 12 months",
        "WILDCARD_DOMAIN 1 second - 180.00 MD-4 Further wildcard domain, renewal for 12 months",
        "WILDCARD_DOMAIN 1 second changed 180.00 MD-8 Further wildcard domain, the coming 12 months",
        "WILDCARD_DIFFERENCE 1 first - 100.00 MD-4 Wildcard domain instead of a domain, 12 months",
        "WILDCARD_DIFFERENCE 2 first changed 100.00 MD-4 Wildcard domain instead of a domain, rest of 12 months",
        "WILDCARD_DIFFERENCE 1 second - 120.00 MD-4 Wildcard domain instead of a domain, renewal for 12 months",
        "WILDCARD_DIFFERENCE 1 second changed 120.00 MD-8 Wildcard domain instead of a domain, the coming 12 months",
        "ADDITIONAL_LICENSE 4 first - 76.00 AL-5 Additional licence, 12 months",
        "ADDITIONAL_LICENSE 2 second - 48.00 AL-9 Additional licence, renewal for 12 months",
        "SAN_QUOTA 999 first - 499.50 SL-7 SAN quota, 12 months",
        "SAN_QUOTA 1000 first - 350.00 SL-7 SAN quota, 12 months",
        "SAN_QUOTA 1000 second - 400.00 SL-9 SAN quota, renewal for 12 months",
        "SAN_QUOTA_INCREASE 500 first changed 87.50 SL-8 SAN quota increase, rest of 12 months",
        "SAN_QUOTA_INCREASE 500 second changed 175.00 SL-8 SAN quota increase, the coming 12 months",
    ] {
        let fields: Vec<&str> = row.splitn(7, ' ').collect();
        let [kind, quantity, year, change, amount, rule, description] = fields[..] else {
            panic!("a row of another form: {row}");
        };
        let (month, price_time) = match year {
            "first" => (0, "2026-01-01T00:00:00Z"),
            _ => (12, "2027-01-01T00:00:00Z"),
        };
        let change = (change == "changed").then_some("2026-07-01T00:00:00Z");
        let (kind, quantity) = (kind.parse().unwrap(), quantity.parse().unwrap());
        let asked = of_year(kind, quantity, month, price_time, change);
        let computed = quoted(&[asked], "2027-06-01T00:00:00Z").unwrap();
        let line = &computed.lines[0];
        assert_eq!(
            (
                line.amount.value().as_str(),
                line.rule.as_str(),
                line.description.as_str()
            ),
            (amount, rule, description),
        );
        assert_eq!(computed.total, line.amount);
    }
}

/// MD-8: a change while the next term is already bought pays for the rest of this term and all of
/// the next, each at its own prices and by its own policy.
#[test]
fn md_8_a_change_across_this_term_and_the_next() {
    let change = Some("2026-11-30T12:00:00Z");
    let this = of_year(ItemKind::Domain, 2, 0, "2026-01-01T00:00:00Z", change);
    let next = Item {
        product_version: Some(2),
        ..of_year(ItemKind::Domain, 2, 12, "2027-01-01T00:00:00Z", change)
    };
    let computed = quoted(&[this, next], "2027-01-01T00:00:00Z").unwrap();
    let [this, next] = &computed.lines[..] else {
        panic!("two items have two lines");
    };
    // A month, and half a day of November's thirty: 98.00 × (1 + 1/60) / 12 = 8.302…
    assert_eq!(this.explanation, "round(49.00 USD × 2 × 61/720) = 8.30 USD");
    assert_eq!(next.explanation, "round(60.00 USD × 2 × 1) = 120.00 USD");
    assert_eq!((this.rule.as_str(), next.rule.as_str()), ("MD-1", "MD-8"));
    assert_eq!((this.product_version, next.product_version), (1, 2));
    assert_eq!(next.convention, Convention::Daily);
    assert_eq!(next.charged_from, next.term_start);
    assert_eq!(this.term_end, next.term_start);
    assert_eq!(computed.total.to_string(), "128.30 USD");
}

/// BL-8: past versions and prices apply for ever to what was sold by them, those in force to what
/// is sold now, and scheduled ones to nothing yet.
#[test]
fn bl_8_versions_past_present_and_scheduled() {
    let decision = "2027-06-01T00:00:00Z";
    let at_time = |price_time: &str, product_version| {
        let item = Item {
            product_version,
            ..of_year(ItemKind::Domain, 1, 0, price_time, None)
        };
        quoted(&[item], decision).map(|computed| {
            let line = &computed.lines[0];
            let effective = line.price_effective.unwrap();
            (line.product_version, line.unit_price.value(), effective)
        })
    };
    let (old, new) = (at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"));
    for (price_time, version, number, unit, effective) in [
        ("2026-01-01T00:00:00Z", None, 1, "49.00", old),
        ("2026-12-31T23:59:59.999999Z", None, 1, "49.00", old),
        ("2027-01-01T00:00:00Z", None, 2, "60.00", new),
        (decision, None, 2, "60.00", new),
        (decision, Some(1), 1, "60.00", new),
        ("2026-05-01T00:00:00Z", Some(2), 2, "49.00", old),
    ] {
        let expected = Ok((number, unit.to_owned(), effective));
        assert_eq!(
            at_time(price_time, version),
            expected,
            "{price_time} {version:?}"
        );
    }
    for version in [3, 4] {
        let refused = at_time(decision, Some(version)).unwrap_err();
        assert_eq!(refused.reason, Reason::NotFound);
        assert_eq!(refused.metadata["product_version"], version.to_string());
    }
    let refused = at_time("2025-12-31T23:59:59.999999Z", None).unwrap_err();
    assert_eq!(refused.reason, Reason::NotFound);
    assert_eq!(refused.metadata["id"], MULTI);
    let before_all_lists = at_time("2025-12-31T23:59:59.999999Z", Some(1)).unwrap_err();
    assert_eq!(before_all_lists.reason, Reason::PriceNotSet);
    let unknown = Item {
        product_id: "unheard-of".parse().unwrap(),
        ..of_year(ItemKind::Domain, 1, 0, decision, None)
    };
    let refused = quoted(&[unknown], decision).unwrap_err();
    assert_eq!(
        (refused.reason, &refused.metadata["id"][..]),
        (Reason::NotFound, "unheard-of")
    );
}

/// M-2: an amount out of range is refused with the figures behind it, for a line and for the total.
#[test]
fn m_2_amounts_beyond_the_range_say_their_numbers() {
    let mut basis = basis();
    let most = Price::from_micros(usd(), i64::MAX).unwrap();
    if let Some(list) = &mut basis.list {
        list.prices = Prices::ByTerm(vec![year(most)]);
    }
    let alone = refusal(item(ItemKind::Domain, 1_000_000, None), basis.clone());
    assert_eq!(alone.reason, Reason::AmountOutOfRange);
    for (key, value) in [
        ("currency", "USD"),
        ("kind", "DOMAIN"),
        ("quantity", "1000000"),
        ("unit_price", "9223372036854.775807 USD"),
        ("fraction", "1"),
    ] {
        assert_eq!(alone.metadata[key], value);
    }
    // Each fits by itself; the total does not.
    let each = (item(ItemKind::Domain, 9_999, None), basis);
    assert!(compute(std::slice::from_ref(&each), usd()).is_ok());
    let together = compute(&[each.clone(), each], usd()).unwrap_err();
    assert_eq!(together.reason, Reason::AmountOutOfRange);
    assert_eq!(together.metadata["items"], "2");
}
