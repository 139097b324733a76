//! Which product prices a licence. The prices themselves are Billing's.

use licet_domain::{ids::ProductId, money::Money};

/// The product that prices a licence: the dearest of them at its quota (SL-10), of equals the
/// first by id. `None` without any. Invariant: all amounts are of one currency.
pub(crate) fn dearest(prices: &[(ProductId, Money)]) -> Option<&ProductId> {
    let dearer = |best: &'_ &(ProductId, Money), next: &'_ &(ProductId, Money)| {
        let by_price = best.1.minor().cmp(&next.1.minor());
        by_price.then_with(|| next.0.cmp(&best.0))
    };
    prices.iter().max_by(dearer).map(|(product, _)| product)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(product: &str, value: &str) -> (ProductId, Money) {
        let amount = Money::parse("USD", value).unwrap();
        (product.parse().unwrap(), amount)
    }

    #[test]
    fn sl_10_the_dearest_product_prices_a_licence() {
        let prices = [price("a", "1.00"), price("c", "3.00"), price("b", "3.00")];
        assert_eq!(dearest(&prices).unwrap().as_str(), "b");
        assert_eq!(dearest(&[]), None);
    }
}
