//! The one place that computes an amount (BL-1): items and the catalogue in, lines and their total
//! out. Every line has everything that it was computed from (BL-7).

mod redo;
mod wording;

use licet_domain::{
    clock::Instant,
    ids::ProductId,
    money::{Currency, Fraction, Money, MoneyError, Price},
    refusal::{Reason, Refusal},
};
use serde::{Deserialize, Serialize};
use wording::{describe, explain, explain_difference, rule};

use super::{
    catalog::{ProductKind, ProductVersion, kind_mismatch, term_not_sold},
    currency_mismatch,
    item::{HandPrice, Item, ItemKind, PriceDifference, Pricing, is_priced_yearly},
    money_refusal, not_found,
    prices::{PriceList, wildcard_too_low},
    proration::{self, Convention},
    term_ended, volume,
};

/// What the catalogue says about an item, as of its price time.
#[derive(Clone, Debug)]
pub(crate) struct PriceBasis {
    /// The version of the product that applies.
    pub(crate) product: ProductVersion,
    /// The price list in the quote's currency; `None`: none is in force.
    pub(crate) list: Option<PriceList>,
}

impl PriceBasis {
    /// Picks what applies to `item`: the version that it names, if that is in force by `decision`,
    /// or the one in force at its price time; and the price list in force at its price time (MD-8).
    /// All `lists` are in the quote's currency.
    ///
    /// # Errors
    /// NOT_FOUND if there is no such product or version, or none in force at that time.
    pub(crate) fn find(
        item: &Item,
        versions: &[ProductVersion],
        lists: &[PriceList],
        decision: Instant,
    ) -> Result<Self, Refusal> {
        let of_product = versions
            .iter()
            .filter(|version| version.product_id == item.product_id);
        let id = item.product_id.as_str();
        let product = match item.product_version {
            // A version that is only scheduled is not sold yet (BL-8).
            Some(number) => of_product
                .filter(|version| version.effective <= decision)
                .find(|version| version.version == number)
                .ok_or_else(|| {
                    not_found("product", format!("{id} version {number}"))
                        .with("product_id", id)
                        .with("product_version", number)
                        .with("decision_time", decision)
                })?,
            None => of_product
                .filter(|version| version.effective <= item.price_time)
                .max_by_key(|version| version.version)
                .ok_or_else(|| {
                    not_found("product", id)
                        .with("product_id", id)
                        .with("price_time", item.price_time)
                })?,
        };
        let list = lists
            .iter()
            .filter(|list| list.product_id == item.product_id && list.effective <= item.price_time)
            .max_by_key(|list| list.effective);
        Ok(Self {
            product: product.clone(),
            list: list.cloned(),
        })
    }
}

/// A computed line, with everything a person needs to compute it again (BL-7).
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
    /// The price of one unit for the whole term, or of a SAN for 12 months. Rounded to the decimals
    /// of a price if it follows from an amount by hand ([`volume::unit_share`]).
    pub(crate) unit_price: Price,
    /// What the amount was computed from instead of `unit_price`; `None`: from `unit_price`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hand_price: Option<HandPrice>,
    /// The two prices whose difference `unit_price` is; only for a wildcard that takes a standard
    /// slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) difference: Option<PriceDifference>,
    /// The instant whose prices applied.
    pub(crate) price_time: Instant,
    /// When the price list took effect: as a price time, it finds the same list for ever (BL-8).
    /// `None`: the price came with the request.
    pub(crate) price_effective: Option<Instant>,
    /// The number of units.
    pub(crate) quantity: u32,
    /// The anchor that the term's months are counted from (T-2).
    pub(crate) term_anchor: Instant,
    /// The first month of the term, counted from the anchor.
    pub(crate) term_first_month: u32,
    /// The length of the term, in months.
    pub(crate) term_months: u32,
    /// The start of the term.
    pub(crate) term_start: Instant,
    /// The end of the term.
    pub(crate) term_end: Instant,
    /// The start of the charged part, which runs to the term's end.
    pub(crate) charged_from: Instant,
    /// How the charged part was measured.
    pub(crate) convention: Convention,
    /// The part of the term that is charged.
    pub(crate) fraction: Fraction,
    /// What the line costs.
    pub(crate) amount: Money,
    /// What is charged, for people.
    pub(crate) description: String,
    /// The computation, for people.
    pub(crate) explanation: String,
}

/// The lines of a quote and their total.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ComputedQuote {
    /// In the order of the items.
    pub(crate) lines: Vec<Line>,
    /// The sum of the lines.
    pub(crate) total: Money,
}

/// Computes what `items` cost in `currency` (BL-1), for previews and charges alike.
///
/// # Errors
/// PRODUCT_KIND_MISMATCH, TERM_NOT_SOLD, TERM_ENDED (P-1), PRICE_NOT_SET, WILDCARD_PRICE_TOO_LOW,
/// CURRENCY_MISMATCH (M-4) and AMOUNT_OUT_OF_RANGE, of the first item that is refused.
pub(crate) fn compute(
    items: &[(Item, PriceBasis)],
    currency: Currency,
) -> Result<ComputedQuote, Refusal> {
    let mut lines = Vec::with_capacity(items.len());
    let mut total = Money::zero(currency);
    for (item, basis) in items {
        let line = compute_line(item, basis, currency)?;
        total = total
            .checked_add(line.amount)
            .map_err(|error| money_refusal(currency, &error).with("items", items.len()))?;
        lines.push(line);
    }
    Ok(ComputedQuote { lines, total })
}

fn compute_line(item: &Item, basis: &PriceBasis, currency: Currency) -> Result<Line, Refusal> {
    let product = &basis.product;
    check_kind(item, product)?;
    check_term(item, product)?;
    let charged_from = match item.change_time {
        None => item.term.start(),
        Some(change_time) if change_time >= item.term.end() => {
            return Err(term_ended(item.term.end(), change_time));
        }
        Some(change_time) => change_time.max(item.term.start()),
    };
    let ResolvedPrice {
        unit_price,
        effective: price_effective,
        difference,
    } = find_price(item, basis, currency)?;
    let convention = product.product.policy.convention;
    let fraction = proration::fraction(convention, &item.term, charged_from, item.term.end());
    let refused = |error: MoneyError| {
        money_refusal(currency, &error)
            .with("kind", item.kind.as_str())
            .with("quantity", item.quantity)
            .with("unit_price", unit_price)
            .with("fraction", &fraction)
    };
    let (amount, hand_price) = match item.pricing {
        Pricing::Amount(amount) => (amount, None),
        Pricing::Share(sold) => {
            let amount = volume::hand_share(sold, item.quantity, &fraction).map_err(refused)?;
            (amount, Some(sold))
        }
        Pricing::Listed | Pricing::UnitPrice(_) => {
            let part = priced_part(item, &fraction);
            (
                unit_price.amount(item.quantity, &part).map_err(refused)?,
                None,
            )
        }
    };
    let explanation = match difference {
        Some(both) => explain_difference(item, both, &fraction, amount),
        None => explain(item, unit_price, &fraction, amount),
    };
    Ok(Line {
        kind: item.kind,
        product_id: item.product_id.clone(),
        product_version: product.version,
        rule: rule(item).to_owned(),
        unit_price,
        hand_price,
        difference,
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

/// The part of its unit price that the item costs: of a price for the term, or for 12 months.
fn priced_part(item: &Item, fraction: &Fraction) -> Fraction {
    if is_priced_yearly(item.kind) {
        volume::years(item.term.months()).mul(fraction)
    } else {
        fraction.clone()
    }
}

fn check_kind(item: &Item, version: &ProductVersion) -> Result<(), Refusal> {
    let kind = version.product.kind;
    let sold = match item.kind {
        ItemKind::Certificate | ItemKind::AdditionalLicense => {
            matches!(kind, ProductKind::SingleDomain | ProductKind::MultiDomain)
        }
        ItemKind::Domain | ItemKind::WildcardDomain | ItemKind::WildcardDifference => {
            matches!(kind, ProductKind::MultiDomain)
        }
        ItemKind::SanQuota | ItemKind::SanQuotaIncrease => matches!(kind, ProductKind::SanLicense),
    };
    if sold {
        return Ok(());
    }
    let why = format!("it does not sell {}", item.kind.as_str());
    Err(kind_mismatch(&item.product_id, kind, &why))
}

fn check_term(item: &Item, version: &ProductVersion) -> Result<(), Refusal> {
    let months = item.term.months();
    if version.product.term_months.contains(&months) {
        return Ok(());
    }
    let sold = &version.product.term_months;
    Err(term_not_sold(&item.product_id, sold, months))
}

/// A unit price, when its list took effect, and the two prices whose difference it is.
struct ResolvedPrice {
    unit_price: Price,
    effective: Option<Instant>,
    difference: Option<PriceDifference>,
}

fn find_price(
    item: &Item,
    basis: &PriceBasis,
    currency: Currency,
) -> Result<ResolvedPrice, Refusal> {
    let months = item.term.months();
    let unit_share = |amount: Money, quantity: u32| {
        volume::unit_share(amount, quantity, months)
            .map_err(|error| money_refusal(currency, &error))
    };
    let given = |unit_price: Price| ResolvedPrice {
        unit_price,
        effective: None,
        difference: None,
    };
    let found = match item.pricing {
        Pricing::Listed => listed(item, basis, currency)?,
        Pricing::UnitPrice(price) => given(price),
        Pricing::Amount(amount) => given(unit_share(amount, item.quantity)?),
        Pricing::Share(sold) => given(unit_share(sold.amount, sold.quantity)?),
    };
    if found.unit_price.currency() != currency {
        return Err(currency_mismatch(currency, found.unit_price.currency()));
    }
    Ok(found)
}

fn listed(item: &Item, basis: &PriceBasis, currency: Currency) -> Result<ResolvedPrice, Refusal> {
    let months = item.term.months();
    let price = |kind: ItemKind| {
        let list = basis.list.as_ref();
        list.and_then(|list| {
            Some((
                list.find_price(kind, months, item.quantity)?,
                list.effective,
            ))
        })
        .ok_or_else(|| price_not_set(item, kind, currency))
    };
    if item.kind != ItemKind::WildcardDifference {
        let (unit_price, effective) = price(item.kind)?;
        return Ok(ResolvedPrice {
            unit_price,
            effective: Some(effective),
            difference: None,
        });
    }
    let (wildcard, effective) = price(ItemKind::WildcardDomain)?;
    let (domain, _) = price(ItemKind::Domain)?;
    let difference = PriceDifference { wildcard, domain };
    // A list from before SetPrices checked this may still be in force.
    let unit_price = difference.unit_price();
    let unit_price = unit_price.ok_or_else(|| wildcard_too_low(months, domain, wildcard))?;
    Ok(ResolvedPrice {
        unit_price,
        effective: Some(effective),
        difference: Some(difference),
    })
}

fn price_not_set(item: &Item, kind: ItemKind, currency: Currency) -> Refusal {
    Refusal::new(
        Reason::PriceNotSet,
        format!(
            "{} has no {} price for {} months in {} at {}",
            item.product_id.as_str(),
            kind.as_str(),
            item.term.months(),
            currency.code(),
            item.price_time
        ),
    )
    .with("product_id", item.product_id.as_str())
    .with("kind", kind.as_str())
    .with("term_months", item.term.months())
    .with("currency", currency.code())
    .with("price_time", item.price_time)
}

#[cfg(test)]
mod tests;
