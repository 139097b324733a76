//! Which product prices a licence, and which may be added to it. The prices themselves are Billing's.

use licet_domain::{
    ids::{LicenseId, ProductId},
    money::{Money, Price},
    refusal::{Reason, Refusal},
};

/// The product that prices a licence: the dearest one at its quota (SL-10), the first by id among equals.
/// `None` for no products. Invariant: all amounts are of one currency.
pub(crate) fn dearest(prices: &[(ProductId, Money)]) -> Option<&ProductId> {
    let dearer = |best: &'_ &(ProductId, Money), next: &'_ &(ProductId, Money)| {
        let by_price = best.1.minor().cmp(&next.1.minor());
        by_price.then_with(|| next.0.cmp(&best.0))
    };
    prices.iter().max_by(dearer).map(|(product, _)| product)
}

/// A product to be added to a licence, compared with those that the current term was sold with (SL-10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProductComparison {
    pub(crate) product_id: ProductId,
    /// Its tier in the catalogue of now.
    pub(crate) tier: u32,
    /// The highest tier of the others, when they were sold.
    pub(crate) highest_tier: u32,
    /// Its price of one SAN for 12 months at the licence's quota, by the catalogue of now.
    pub(crate) price: Price,
    /// The highest such price of the others; `None` if the catalogue no longer prices any.
    pub(crate) highest_price: Option<Price>,
}

impl ProductComparison {
    fn is_ranked(&self) -> bool {
        self.tier <= self.highest_tier
    }

    fn is_priced(&self) -> bool {
        let micros = self.price.micros();
        self.highest_price
            .is_some_and(|highest| micros <= highest.micros())
    }

    fn highest(&self) -> String {
        let highest = self.highest_price;
        highest.map_or_else(|| "none".to_owned(), |price| price.to_string())
    }

    /// Permits the product if its tier or its price is no higher than the others'. Invariant: both prices are
    /// of one currency.
    pub(crate) fn permit(&self, license_id: LicenseId) -> Result<(), Refusal> {
        if self.is_ranked() || self.is_priced() {
            return Ok(());
        }
        let message = format!(
            "{} has tier {} and costs {} per SAN and year; both exceed the highest of the products \
             that the term was sold with (tier {}, price {})",
            self.product_id,
            self.tier,
            self.price,
            self.highest_tier,
            self.highest()
        );
        Err(Refusal::new(Reason::ProductTooHigh, message)
            .with("license_id", license_id)
            .with("product_id", &self.product_id)
            .with("tier", self.tier)
            .with("highest_tier", self.highest_tier)
            .with("price", self.price.value())
            .with(
                "highest_price",
                self.highest_price.map_or_else(String::new, Price::value),
            )
            .with("currency", self.price.currency().code()))
    }

    /// Why the product is permitted, with the prices that were compared.
    pub(crate) fn explain(&self) -> String {
        if self.is_ranked() {
            return format!(
                "its tier {} is not above {}, the highest of the products that the term was sold with",
                self.tier, self.highest_tier
            );
        }
        format!(
            "its price of {} per SAN and year is not above {}, the highest of the products that the \
             term was sold with",
            self.price,
            self.highest()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(product: &str, value: &str) -> (ProductId, Money) {
        let amount = Money::parse("USD", value).unwrap();
        (product.parse().unwrap(), amount)
    }

    #[test]
    fn sl_10_the_dearest_product_prices_a_license() {
        let prices = [price("a", "1.00"), price("c", "3.00"), price("b", "3.00")];
        assert_eq!(dearest(&prices).unwrap().as_str(), "b");
        assert_eq!(dearest(&[]), None);
    }

    #[test]
    fn sl_10_a_product_joins_by_its_tier_or_by_its_price() {
        let license_id = LicenseId::generate();
        let usd = |value: &str| Price::parse("USD", value).unwrap();
        for (tier, price, highest_price, permitted) in [
            (2, "9.00", Some("1.00"), true),
            (3, "1.00", Some("1.00"), true),
            (3, "1.000001", Some("1.00"), false),
            (3, "0.10", None, false),
            (2, "0.10", None, true),
        ] {
            let comparison = ProductComparison {
                product_id: "b".parse().unwrap(),
                tier,
                highest_tier: 2,
                price: usd(price),
                highest_price: highest_price.map(usd),
            };
            let result = comparison.permit(license_id);
            assert_eq!(result.is_ok(), permitted, "{comparison:?}");
            if let Err(refusal) = result {
                assert_eq!(refusal.reason, Reason::ProductTooHigh);
                assert_eq!(refusal.metadata["highest_tier"], "2");
            }
        }
    }
}
