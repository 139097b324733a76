//! Prices: finer than amounts, because a SAN sold in bulk costs a fraction of a cent (M-1). Only here
//! is an exact value rounded to an amount (M-2).

use std::fmt;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::ToPrimitive;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{
    amount::{Money, plain_decimal},
    currency::Currency,
    error::MoneyError,
    fraction::Fraction,
};

/// Maximum number of decimals of a price (M-1).
const PRICE_DIGITS: u32 = 6;

/// A price per unit, not negative, in millionths of the currency's major unit (M-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "StoredPrice")]
pub struct Price {
    currency: Currency,
    micros: i64,
}

impl Price {
    /// The price of `micros` millionths of the major unit; an error if negative.
    pub fn from_micros(currency: Currency, micros: i64) -> Result<Self, MoneyError> {
        if micros < 0 {
            return Err(MoneyError::Negative);
        }
        Ok(Self { currency, micros })
    }

    /// Parses an ISO 4217 code and a decimal with at most six decimals: `USD`, `0.0025`.
    pub fn parse(code: &str, value: &str) -> Result<Self, MoneyError> {
        let currency: Currency = code.parse()?;
        let too_many = MoneyError::TooManyDigits { most: PRICE_DIGITS };
        let decimal = match plain_decimal(value)? {
            Some(decimal) if decimal.scale() <= PRICE_DIGITS => decimal,
            Some(_) | None => return Err(too_many),
        };
        let micros = decimal
            .mantissa()
            .checked_mul(10_i128.pow(PRICE_DIGITS - decimal.scale()))
            .and_then(|micros| i64::try_from(micros).ok())
            .ok_or(MoneyError::Overflow)?;
        Self::from_micros(currency, micros)
    }

    /// The price in millionths of the major unit.
    pub fn micros(self) -> i64 {
        self.micros
    }

    /// The currency.
    pub fn currency(self) -> Currency {
        self.currency
    }

    /// The price as a decimal with at least the currency's digits and no further trailing zeros:
    /// `49.00`, `0.0025`.
    pub fn value(self) -> String {
        let mut decimal = Decimal::new(self.micros, PRICE_DIGITS).normalize();
        decimal.rescale(decimal.scale().max(self.currency.minor_digits()));
        decimal.to_string()
    }

    /// price × quantity × fraction, computed exactly and rounded once, half away from zero, to the
    /// minor unit (M-2). An error beyond 64 bits of minor units.
    pub fn amount(&self, quantity: u32, fraction: &Fraction) -> Result<Money, MoneyError> {
        let micros = BigInt::from(self.micros) * BigInt::from(quantity);
        let minor_per_major = BigInt::from(10_u32.pow(self.currency.minor_digits()));
        let micros_per_major = BigInt::from(10_u32.pow(PRICE_DIGITS));
        let exact =
            BigRational::new(micros * minor_per_major, micros_per_major) * fraction.as_ratio();
        let minor = exact
            .round()
            .to_integer()
            .to_i64()
            .ok_or(MoneyError::Overflow)?;
        Ok(Money::from_minor(self.currency, minor))
    }
}

/// The price, then its currency: `49.00 USD`.
impl fmt::Display for Price {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{} {}", self.value(), self.currency)
    }
}

#[derive(Deserialize)]
struct StoredPrice {
    currency: Currency,
    micros: i64,
}

impl TryFrom<StoredPrice> for Price {
    type Error = MoneyError;

    fn try_from(stored: StoredPrice) -> Result<Self, MoneyError> {
        Self::from_micros(stored.currency, stored.micros)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// M-1: up to six decimals, never negative.
    #[test]
    fn m1_reads_and_writes_prices() {
        for (code, value, micros, expected) in [
            ("USD", "49.00", 49_000_000, "49.00"),
            ("USD", "49", 49_000_000, "49.00"),
            ("USD", "0.0025", 2_500, "0.0025"),
            ("USD", "0.002500", 2_500, "0.0025"),
            ("USD", "0.000001", 1, "0.000001"),
            ("USD", "0.00", 0, "0.00"),
            ("JPY", "7.5", 7_500_000, "7.5"),
            ("JPY", "100", 100_000_000, "100"),
            ("BHD", "1.1", 1_100_000, "1.100"),
            (
                "USD",
                "9223372036854.775807",
                i64::MAX,
                "9223372036854.775807",
            ),
        ] {
            let price = Price::parse(code, value).unwrap();
            assert_eq!(
                (price.micros(), price.value().as_str()),
                (micros, expected),
                "{value}"
            );
            assert_eq!(price.to_string(), format!("{expected} {code}"));
        }
        for (value, expected) in [
            ("-0.01", MoneyError::Negative),
            ("0.0000001", MoneyError::TooManyDigits { most: 6 }),
            ("9223372036854.775808", MoneyError::Overflow),
            ("9999999999999999999999999999", MoneyError::Overflow),
        ] {
            assert_eq!(Price::parse("USD", value), Err(expected), "{value}");
        }
        assert!(serde_json::from_str::<Price>(r#"{"currency":"USD","micros":-1}"#).is_err());
    }

    /// M-2: exact, then rounded once, half away from zero.
    #[test]
    fn m2_rounds_once_half_away_from_zero() {
        for (code, price, quantity, fraction, expected) in [
            ("USD", "49.00", 1, "1/2", "24.50"),
            ("USD", "49.00", 1, "184/365", "24.70"),
            ("USD", "0.005", 1, "1", "0.01"),
            ("USD", "0.015", 1, "1", "0.02"),
            ("USD", "0.004999", 1, "1", "0.00"),
            ("USD", "0.005", 1, "-1", "-0.01"),
            ("USD", "0.015", 1, "-1", "-0.02"),
            ("USD", "0.01", 1, "-499999/1000000", "0.00"),
            // Rounding per unit would give 10.00.
            ("USD", "0.0025", 1000, "1", "2.50"),
            ("JPY", "0.5", 1, "1", "1"),
            ("JPY", "100", 3, "1/7", "43"),
            ("BHD", "1.0005", 1, "1", "1.001"),
            ("CLF", "1.00005", 1, "1", "1.0001"),
            ("USD", "49.00", 0, "1", "0.00"),
            // A third of a cent stays exact until the end.
            ("USD", "0.01", 3, "1/3", "0.01"),
        ] {
            let price = Price::parse(code, price).unwrap();
            let amount = price.amount(quantity, &fraction.parse().unwrap()).unwrap();
            assert_eq!(
                amount.value(),
                expected,
                "{price} x {quantity} x {fraction}"
            );
            assert_eq!(amount.currency(), price.currency());
        }
        let dearest = Price::from_micros("CLF".parse().unwrap(), i64::MAX).unwrap();
        let amount = dearest.amount(u32::MAX, &Fraction::one());
        assert_eq!(amount, Err(MoneyError::Overflow));
    }

    proptest! {
        #[test]
        fn m1_round_trips(
            micros in 0_i64.., code in prop::sample::select(vec!["USD", "JPY", "BHD", "CLF"]),
        ) {
            let price = Price::from_micros(code.parse().unwrap(), micros).unwrap();
            prop_assert_eq!(Price::parse(code, &price.value()), Ok(price));
            let json = serde_json::to_string(&price).unwrap();
            prop_assert_eq!(serde_json::from_str::<Price>(&json).unwrap(), price);
        }

        /// M-2: the amount differs from the exact value by at most half a minor unit.
        #[test]
        fn m2_is_within_half_a_minor_unit(
            micros in 0_i64..1_000_000_000_000, quantity in 0_u32..10_000,
            part in 0_i128..=1_000_003, whole in Just(1_000_003_i128),
        ) {
            let price = Price::from_micros("USD".parse().unwrap(), micros).unwrap();
            let amount = price.amount(quantity, &Fraction::new(part, whole).unwrap()).unwrap();
            let exact = i128::from(micros) * i128::from(quantity) * part;
            let given = i128::from(amount.minor()) * 10_000 * whole;
            prop_assert!((exact - given).abs() * 2 <= 10_000 * whole);
        }
    }
}
