//! The one place where an amount is computed (BL-1): items and the catalogue's facts in, lines and
//! their total out, every line with all that it was computed from (BL-7).

use licet_domain::{
    clock::Instant,
    ids::ProductId,
    money::{Currency, Fraction, Money, Price},
    refusal::{Reason, Refusal},
    term::Term,
    worded,
};
use serde::{Deserialize, Serialize};

use super::{
    catalog::{ProductKind, ProductVersion, kind_mismatch, term_not_sold},
    currency_mismatch,
    prices::ListedPrices,
    proration::{self, Convention},
    sum_refused, term_ended,
};

worded! {
    /// What is sold.
    pub(crate) enum ItemKind {
        /// The certificate with what it includes.
        Certificate = "CERTIFICATE",
        /// A further standard domain.
        Domain = "DOMAIN",
        /// A further wildcard domain (MD-4).
        WildcardDomain = "WILDCARD_DOMAIN",
        /// The licence for one further server (AL-1).
        AdditionalLicense = "ADDITIONAL_LICENSE",
    }
}

/// One thing asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// What it is.
    pub(crate) kind: ItemKind,
    /// How many, at least 1.
    pub(crate) quantity: u32,
    /// The product it belongs to.
    pub(crate) product_id: ProductId,
    /// The version that it is or was sold with; `None`: the one in force at `price_time`.
    pub(crate) product_version: Option<u32>,
    /// The instant whose prices apply (MD-8).
    pub(crate) price_time: Instant,
    /// The term that it is bought for.
    pub(crate) term: Term,
    /// `None`: the whole term. Otherwise the rest of it from this instant on.
    pub(crate) change_time: Option<Instant>,
}

/// What the catalogue knows about an item, as of the item's own price time.
#[derive(Clone, Debug)]
pub(crate) struct ItemFacts {
    /// The product in the version that applies.
    pub(crate) product: ProductVersion,
    /// The prices for the item's number of months in the quote's currency; `None`: none in force.
    pub(crate) prices: Option<ListedPrices>,
}

/// A computed line, whole enough for a person to redo it (BL-7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    /// What is charged.
    pub(crate) kind: ItemKind,
    /// Its product.
    pub(crate) product_id: ProductId,
    /// The version of the product that applied.
    pub(crate) product_version: u32,
    /// The rule that decided how much of the term is charged.
    pub(crate) rule: String,
    /// The price of one for the whole term.
    pub(crate) unit_price: Price,
    /// The instant whose prices applied.
    pub(crate) price_time: Instant,
    /// When the list that they stand in took effect: a price time that finds it for ever (BL-8).
    pub(crate) price_effective: Instant,
    /// How many.
    pub(crate) quantity: u32,
    /// The anchor from which the term's months are counted (T-2).
    pub(crate) term_anchor: Instant,
    /// The number of the term's first month, from the anchor.
    pub(crate) term_first_month: u32,
    /// The months of the term.
    pub(crate) term_months: u32,
    /// Where the term begins.
    pub(crate) term_start: Instant,
    /// Where the term ends.
    pub(crate) term_end: Instant,
    /// The first instant that is charged for; the charge runs to the term's end.
    pub(crate) charged_from: Instant,
    /// How the rest of the term was counted.
    pub(crate) convention: Convention,
    /// The part of the term that is charged.
    pub(crate) fraction: Fraction,
    /// What the line costs.
    pub(crate) amount: Money,
    /// What is charged, as text.
    pub(crate) description: String,
    /// The computation as text.
    pub(crate) explanation: String,
}

/// Lines with their sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Computed {
    /// In the order of the items.
    pub(crate) lines: Vec<Line>,
    /// The sum of the lines.
    pub(crate) total: Money,
}

/// Computes what `items` cost in `currency` (BL-1): the preview and the charge both come from here.
///
/// # Errors
/// PRODUCT_KIND_MISMATCH, TERM_NOT_SOLD, TERM_ENDED (P-1), PRICE_NOT_SET, CURRENCY_MISMATCH (M-4)
/// and AMOUNT_OUT_OF_RANGE, for the first item that meets one.
pub(crate) fn compute(
    items: &[(Item, ItemFacts)],
    currency: Currency,
) -> Result<Computed, Refusal> {
    let mut lines = Vec::with_capacity(items.len());
    let mut total = Money::zero(currency);
    for (item, facts) in items {
        let line = compute_line(item, facts, currency)?;
        total = total
            .checked_add(line.amount)
            .map_err(|error| sum_refused(currency, &error))?;
        lines.push(line);
    }
    Ok(Computed { lines, total })
}

fn compute_line(item: &Item, facts: &ItemFacts, currency: Currency) -> Result<Line, Refusal> {
    let product = &facts.product;
    check_kind(item, product)?;
    check_term(item, product)?;
    let charged_from = match item.change_time {
        None => item.term.start(),
        Some(change_time) if change_time >= item.term.end() => {
            return Err(term_ended(item.term.end(), change_time));
        }
        Some(change_time) => change_time.max(item.term.start()),
    };
    let (price, price_effective) = find_price(item, facts, currency)?;
    let convention = product.product.policy.convention;
    let fraction = proration::fraction(convention, &item.term, charged_from, item.term.end());
    let amount = price
        .amount(item.quantity, &fraction)
        .map_err(|error| sum_refused(currency, &error))?;
    let explanation = format!("round({price} × {} × {fraction}) = {amount}", item.quantity);
    Ok(Line {
        kind: item.kind,
        product_id: item.product_id.clone(),
        product_version: product.version,
        rule: rule(item).to_owned(),
        unit_price: price,
        price_time: item.price_time,
        price_effective,
        quantity: item.quantity,
        term_anchor: item.term.anchor(),
        term_first_month: item.term.first_month(),
        term_months: item.term.months(),
        term_start: item.term.start(),
        term_end: item.term.end(),
        charged_from,
        convention,
        fraction,
        amount,
        description: describe(item),
        explanation,
    })
}

fn describe(item: &Item) -> String {
    let what = match item.kind {
        ItemKind::Certificate => "Certificate",
        ItemKind::Domain => "Further domain",
        ItemKind::WildcardDomain => "Further wildcard domain",
        ItemKind::AdditionalLicense => "Additional licence",
    };
    match (item.term.months(), item.change_time) {
        (1, None) => format!("{what}, 1 month"),
        (months, None) => format!("{what}, {months} months"),
        (1, Some(_)) => format!("{what}, rest of 1 month"),
        (months, Some(_)) => format!("{what}, rest of {months} months"),
    }
}

/// The rule that says how much of the term the item pays for.
fn rule(item: &Item) -> &'static str {
    match (item.kind, item.change_time) {
        (ItemKind::Certificate, _) => "T-4",
        (ItemKind::AdditionalLicense, _) => "AL-5",
        (ItemKind::WildcardDomain, _) => "MD-4",
        (ItemKind::Domain, Some(_)) => "MD-1",
        (ItemKind::Domain, None) => "M-2",
    }
}

fn check_kind(item: &Item, version: &ProductVersion) -> Result<(), Refusal> {
    let kind = version.product.kind;
    let sold = match item.kind {
        ItemKind::Certificate | ItemKind::AdditionalLicense => {
            matches!(kind, ProductKind::SingleDomain | ProductKind::MultiDomain)
        }
        ItemKind::Domain | ItemKind::WildcardDomain => matches!(kind, ProductKind::MultiDomain),
    };
    if sold {
        return Ok(());
    }
    let why = format!("it has no {}", item.kind.as_str());
    Err(kind_mismatch(&item.product_id, kind, &why))
}

fn check_term(item: &Item, version: &ProductVersion) -> Result<(), Refusal> {
    let months = item.term.months();
    if version.product.term_months.contains(&months) {
        return Ok(());
    }
    Err(term_not_sold(version, months))
}

/// The price of one, and when its list took effect.
fn find_price(
    item: &Item,
    facts: &ItemFacts,
    currency: Currency,
) -> Result<(Price, Instant), Refusal> {
    let listed = facts
        .prices
        .as_ref()
        .ok_or_else(|| price_not_set(item, currency))?;
    let price = match item.kind {
        ItemKind::Certificate => Some(listed.prices.certificate),
        ItemKind::Domain => listed.prices.domain,
        ItemKind::WildcardDomain => listed.prices.wildcard_domain,
        ItemKind::AdditionalLicense => listed.prices.additional_license,
    };
    let price = price.ok_or_else(|| price_not_set(item, currency))?;
    if price.currency() != currency {
        return Err(currency_mismatch(currency, price.currency()));
    }
    Ok((price, listed.effective))
}

fn price_not_set(item: &Item, currency: Currency) -> Refusal {
    Refusal::new(
        Reason::PriceNotSet,
        format!(
            "{} has no {} price for {} months in {} at {}",
            item.product_id.as_str(),
            item.kind.as_str(),
            item.term.months(),
            currency.code(),
            item.price_time
        ),
    )
    .with("product_id", item.product_id.as_str())
    .with("kind", item.kind.as_str())
    .with("term_months", item.term.months())
    .with("currency", currency.code())
    .with("price_time", item.price_time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{catalog::tests::product, prices::TermPrices};

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
        }
    }

    fn facts() -> ItemFacts {
        ItemFacts {
            product: ProductVersion {
                product_id: "multi-domain-dv".parse().unwrap(),
                version: 3,
                effective: at("2025-01-01T00:00:00Z"),
                recorded: at("2025-01-01T00:00:00Z"),
                product: product(ProductKind::MultiDomain),
            },
            prices: Some(ListedPrices {
                effective: at("2025-06-01T00:00:00Z"),
                prices: TermPrices {
                    months: 12,
                    certificate: price("99.00"),
                    domain: Some(price("49.00")),
                    wildcard_domain: Some(price("149.00")),
                    additional_license: None,
                },
            }),
        }
    }

    fn refusal(item: Item, facts: ItemFacts) -> Refusal {
        compute(&[(item, facts)], usd()).unwrap_err()
    }

    /// MD-3, P-3, BL-7: the source's example, with the line that explains it.
    #[test]
    fn further_domain_after_half_a_year() {
        let asked = item(ItemKind::Domain, 1, Some("2026-07-01T00:00:00Z"));
        let computed = compute(&[(asked, facts())], usd()).unwrap();
        let line = &computed.lines[0];
        assert_eq!(computed.total.to_string(), "24.50 USD");
        assert_eq!(line.explanation, "round(49.00 USD × 1 × 1/2) = 24.50 USD");
        assert_eq!((line.rule.as_str(), line.product_version), ("MD-1", 3));
        assert_eq!(line.price_effective, at("2025-06-01T00:00:00Z"));
        assert_eq!(line.charged_from, at("2026-07-01T00:00:00Z"));
        assert_eq!(line.term_end, at("2027-01-01T00:00:00Z"));
        assert_eq!(line.description, "Further domain, rest of 12 months");
    }

    /// A new term is charged whole, and the total is the sum of the lines.
    #[test]
    fn new_term() {
        let items = [
            (item(ItemKind::Certificate, 1, None), facts()),
            (item(ItemKind::Domain, 3, None), facts()),
            (item(ItemKind::WildcardDomain, 1, None), facts()),
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

    /// P-1: a change ahead of a term bought in advance pays for all of it (MD-8).
    #[test]
    fn change_before_the_term() {
        let asked = item(ItemKind::Domain, 1, Some("2025-11-01T00:00:00Z"));
        let computed = compute(&[(asked.clone(), facts())], usd()).unwrap();
        assert_eq!(computed.lines[0].amount.minor(), 4_900);
        assert_eq!(computed.lines[0].charged_from, asked.term.start());
    }

    #[test]
    fn refusals() {
        for change in ["2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"] {
            let asked = item(ItemKind::Domain, 1, Some(change));
            assert_eq!(refusal(asked, facts()).reason, Reason::TermEnded);
        }
        let licence = item(ItemKind::AdditionalLicense, 1, None);
        let refused = refusal(licence, facts());
        assert_eq!(refused.reason, Reason::PriceNotSet);
        assert_eq!(refused.metadata["kind"], "ADDITIONAL_LICENSE");
        let unpriced = ItemFacts {
            prices: None,
            ..facts()
        };
        let asked = item(ItemKind::Certificate, 1, None);
        assert_eq!(refusal(asked.clone(), unpriced).reason, Reason::PriceNotSet);

        let mut two_years = asked.clone();
        two_years.term = Term::first(two_years.term.start(), 24).unwrap();
        let refused = refusal(two_years, facts());
        assert_eq!(refused.reason, Reason::TermNotSold);
        assert_eq!(refused.metadata["sold"], "1,12");

        let mut single = facts();
        single.product.product.kind = ProductKind::SingleDomain;
        let refused = refusal(item(ItemKind::Domain, 1, None), single);
        assert_eq!(refused.reason, Reason::ProductKindMismatch);

        let eur = compute(&[(asked, facts())], "EUR".parse().unwrap()).unwrap_err();
        assert_eq!(eur.reason, Reason::CurrencyMismatch);

        let mut dear = facts();
        if let Some(listed) = &mut dear.prices {
            listed.prices.domain = Price::from_micros(usd(), i64::MAX).ok();
        }
        let many = item(ItemKind::Domain, 1_000_000, None);
        assert_eq!(refusal(many, dear).reason, Reason::AmountOutOfRange);
    }
}
