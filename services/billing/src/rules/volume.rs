//! Volume tiers (SL-7): which lists are valid, which tier a quota reaches, and how prices for 12
//! months and amounts for a term follow from each other. Only `quote` charges by them.

use licet_domain::{
    ids::ProductId,
    money::{Currency, Fraction, Money, MoneyError, Price},
    refusal::{Reason, Refusal},
};
use serde::{Deserialize, Serialize};

use super::{currency_mismatch, item::HandPrice};

/// The largest quota.
pub(crate) const MAX_QUANTITY: u32 = 1_000_000_000;

/// The decimals of a price, which is stored in millionths (M-1).
const PRICE_DIGITS: u32 = 6;

/// The price of SANs from one quota on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VolumeTier {
    /// The smallest quota of the tier.
    pub(crate) from_quantity: u32,
    /// One SAN for 12 months.
    pub(crate) price: Price,
}

/// Whether the tiers, ascending by quantity, are all in `currency`, and a larger quota never makes
/// a SAN dearer (SL-7).
///
/// # Errors
/// CURRENCY_MISMATCH, VOLUME_PRICE_RISES.
pub(crate) fn check_tiers(
    product_id: &ProductId,
    currency: Currency,
    tiers: &[VolumeTier],
) -> Result<(), Refusal> {
    if let Some(other) = tiers.iter().find(|tier| tier.price.currency() != currency) {
        return Err(currency_mismatch(currency, other.price.currency()));
    }
    for pair in tiers.windows(2) {
        let [lower, tier] = pair else { continue };
        if tier.price.micros() > lower.price.micros() {
            return Err(price_rises(product_id, lower, tier));
        }
    }
    Ok(())
}

fn price_rises(product_id: &ProductId, lower: &VolumeTier, tier: &VolumeTier) -> Refusal {
    Refusal::new(
        Reason::VolumePriceRises,
        format!(
            "a SAN costs {} from {} SANs on; it must not cost more than the {} from {} SANs on",
            tier.price, tier.from_quantity, lower.price, lower.from_quantity
        ),
    )
    .with("product_id", product_id.as_str())
    .with("from_quantity", tier.from_quantity)
    .with("price", tier.price)
    .with("lower_price", lower.price)
}

/// The price for 12 months of each of `quantity` SANs: that of the highest tier that they reach,
/// which applies to all of them (SL-7). `None`: they reach none.
pub(crate) fn find_price(tiers: &[VolumeTier], quantity: u32) -> Option<Price> {
    tiers
        .iter()
        .rev()
        .find(|tier| tier.from_quantity <= quantity)
        .map(|tier| tier.price)
}

/// The length of a term in years, since a price is for 12 months (SL-7).
pub(crate) fn years(months: u32) -> Fraction {
    // The fallback is not reached: 12 is not zero.
    Fraction::new(months.into(), 12).unwrap_or_else(Fraction::one)
}

/// What one of `quantity` SANs costs for 12 months if all of them cost `amount` for `months`: the
/// unit price that a line with an amount by hand shows (SL-7). Rounded half away from zero to the 6
/// decimals of a price, so no amount is computed from it ([`hand_share`]).
///
/// # Errors
/// [`MoneyError::Negative`], or [`MoneyError::Overflow`] beyond the largest price.
pub(crate) fn unit_share(amount: Money, quantity: u32, months: u32) -> Result<Price, MoneyError> {
    let currency = amount.currency();
    let decimals = PRICE_DIGITS.saturating_sub(currency.minor_digits());
    let parts = i128::from(quantity) * i128::from(months);
    let micros_12 = i128::from(amount.minor()) * 10_i128.pow(decimals) * 12;
    let rounded = (2 * micros_12 + parts)
        .checked_div(2 * parts)
        .and_then(|micros| i64::try_from(micros).ok())
        .ok_or(MoneyError::Overflow)?;
    Price::from_micros(currency, rounded)
}

/// What `quantity` more SANs cost for `part` of a term that was sold by hand: exactly their share,
/// rounded once (SL-8, M-2).
///
/// # Errors
/// [`MoneyError::Overflow`].
pub(crate) fn hand_share(
    sold: HandPrice,
    quantity: u32,
    part: &Fraction,
) -> Result<Money, MoneyError> {
    let currency = sold.amount.currency();
    let minor_unit = 10_i64.pow(PRICE_DIGITS.saturating_sub(currency.minor_digits()));
    let minor_unit = Price::from_micros(currency, minor_unit)?;
    let sans = Fraction::new(quantity.into(), sold.quantity.into()).ok_or(MoneyError::Overflow)?;
    let minor = Fraction::new(sold.amount.minor().into(), 1).ok_or(MoneyError::Overflow)?;
    minor_unit.amount(1, &minor.mul(&sans).mul(part))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tier(from_quantity: u32, value: &str) -> VolumeTier {
        VolumeTier {
            from_quantity,
            price: Price::parse("USD", value).unwrap(),
        }
    }

    fn check(tiers: &[VolumeTier]) -> Result<(), Refusal> {
        let product_id = "san-license".parse().unwrap();
        check_tiers(&product_id, "USD".parse().unwrap(), tiers)
    }

    /// SL-7: the tier that a quota reaches applies to all of its SANs, from the first one on.
    #[test]
    fn the_tier_that_a_quota_reaches() {
        let tiers = [tier(1, "0.50"), tier(1_000, "0.35"), tier(10_000, "0.125")];
        for (quantity, expected) in [
            (1, "0.50"),
            (999, "0.50"),
            (1_000, "0.35"),
            (9_999, "0.35"),
            (10_000, "0.125"),
            (MAX_QUANTITY, "0.125"),
        ] {
            let found = find_price(&tiers, quantity).unwrap();
            assert_eq!(found.value(), expected, "{quantity}");
        }
        assert_eq!(find_price(&tiers[1..], 999), None);
        assert_eq!(find_price(&[], 1), None);
    }

    /// SL-7: a larger quota may cost the same each, never more; the refusal names both prices.
    #[test]
    fn prices_that_rise_with_volume() {
        assert_eq!(check(&[tier(1, "0.35"), tier(100, "0.35")]), Ok(()));
        assert_eq!(check(&[tier(1, "0.35"), tier(100, "0.00")]), Ok(()));
        let rising = [tier(1, "0.50"), tier(100, "0.35"), tier(1_000, "0.350001")];
        let refused = check(&rising).unwrap_err();
        assert_eq!(refused.reason, Reason::VolumePriceRises);
        let said = |key: &str| refused.metadata[key].clone();
        assert_eq!(said("product_id"), "san-license");
        assert_eq!(said("from_quantity"), "1000");
        assert_eq!(
            (said("price"), said("lower_price")),
            ("0.350001 USD".to_owned(), "0.35 USD".to_owned())
        );
        let euros = VolumeTier {
            price: Price::parse("EUR", "0.10").unwrap(),
            ..tier(100, "0.10")
        };
        let refused = check(&[tier(1, "0.35"), euros]).unwrap_err();
        assert_eq!(refused.reason, Reason::CurrencyMismatch);
    }

    /// SL-7, M-1: amount × 12 / (quantity × months), half away from zero to 6 decimals.
    #[test]
    fn unit_price_of_an_amount_by_hand() {
        for (code, amount, quantity, months, expected) in [
            ("USD", "600.00", 1_000, 24, "0.30"),
            ("USD", "100.00", 3, 12, "33.333333"),
            ("USD", "200.00", 3, 12, "66.666667"),
            // 0.01 × 12 / (20 000 × 12) is half a millionth.
            ("USD", "0.01", 20_000, 12, "0.000001"),
            ("USD", "0.01", 20_001, 12, "0.00"),
            ("USD", "0.00", 5, 12, "0.00"),
            ("JPY", "1000", 7, 1, "1714.285714"),
            ("BHD", "1.001", 1, 6, "2.002"),
        ] {
            let amount = Money::parse(code, amount).unwrap();
            let share = unit_share(amount, quantity, months).unwrap();
            assert_eq!(share.value(), expected, "{amount} / {quantity} / {months}");
        }
        let most = Money::from_minor("USD".parse().unwrap(), i64::MAX);
        assert_eq!(unit_share(most, 1, 12), Err(MoneyError::Overflow));
        assert!(unit_share(most, MAX_QUANTITY, 12).is_ok());
    }

    proptest! {
        /// SL-7: tiers that pass the check never make a SAN dearer in a larger quota.
        #[test]
        fn more_sans_never_cost_more_each(
            prices in prop::collection::btree_map(2_u32..2_000, 0_i64..1_000, 0..6),
            first in 0_i64..1_000, one in 1_u32..2_000, other in 1_u32..2_000,
        ) {
            let usd: Currency = "USD".parse().unwrap();
            let tiers: Vec<VolumeTier> = std::iter::once((1, first))
                .chain(prices)
                .map(|(from_quantity, micros)| VolumeTier {
                    from_quantity,
                    price: Price::from_micros(usd, micros).unwrap(),
                })
                .collect();
            let micros = |quantity| find_price(&tiers, quantity).unwrap().micros();
            if check(&tiers).is_ok() {
                prop_assert!(micros(one.min(other)) >= micros(one.max(other)));
            } else {
                let rises = tiers.windows(2).any(|pair| {
                    micros(pair[0].from_quantity) < micros(pair[1].from_quantity)
                });
                prop_assert!(rises);
            }
        }

        /// SL-7: the unit price of an amount by hand differs from the exact share by at most half a
        /// millionth.
        #[test]
        fn unit_share_is_the_nearest_price(
            minor in 0_i64..1_000_000_000_000, quantity in 1_u32..=MAX_QUANTITY, months in 1_u32..=120,
        ) {
            let amount = Money::from_minor("USD".parse().unwrap(), minor);
            prop_assume!(quantity > 1_000 || minor < 1_000_000_000);
            let share = unit_share(amount, quantity, months).unwrap();
            let parts = i128::from(quantity) * i128::from(months);
            let exact = i128::from(minor) * 10_000 * 12;
            prop_assert!((i128::from(share.micros()) * parts - exact).abs() * 2 <= parts);
        }
    }
}
