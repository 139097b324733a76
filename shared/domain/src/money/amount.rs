//! Amounts, exact to the minor unit (M-1), and their arithmetic (M-4).

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{currency::Currency, error::MoneyError};
use crate::text::shortened;

/// An amount: a currency and a whole number of its minor units, positive or negative (M-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    currency: Currency,
    minor: i64,
}

impl Money {
    /// The amount of `minor` minor units (cents for USD).
    pub fn from_minor(currency: Currency, minor: i64) -> Self {
        Self { currency, minor }
    }

    /// Zero in that currency.
    pub fn zero(currency: Currency) -> Self {
        Self::from_minor(currency, 0)
    }

    /// Parses an ISO 4217 code and a decimal with exactly that currency's digits: `USD`, `24.50`. A
    /// minus sign is accepted; callers that need a non-negative amount check for it.
    pub fn parse(code: &str, value: &str) -> Result<Self, MoneyError> {
        let currency: Currency = code.parse()?;
        let expected = currency.minor_digits();
        let decimal = match plain_decimal(value)? {
            Some(decimal) if decimal.scale() == expected => decimal,
            Some(_) | None => return Err(MoneyError::WrongDigits { currency, expected }),
        };
        let minor = i64::try_from(decimal.mantissa()).map_err(|_| MoneyError::Overflow)?;
        Ok(Self::from_minor(currency, minor))
    }

    /// The currency.
    pub fn currency(self) -> Currency {
        self.currency
    }

    /// The amount in minor units.
    pub fn minor(self) -> i64 {
        self.minor
    }

    /// Whether the amount is zero.
    pub fn is_zero(self) -> bool {
        self.minor == 0
    }

    /// The amount as a decimal with exactly the currency's digits: `24.50`.
    pub fn value(self) -> String {
        Decimal::new(self.minor, self.currency.minor_digits()).to_string()
    }

    /// The sum; fails for two currencies (M-4) or beyond 64 bits.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        self.with_minor(self.minor.checked_add(other.minor))
    }

    /// The difference; fails for two currencies (M-4) or beyond 64 bits.
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        self.with_minor(self.minor.checked_sub(other.minor))
    }

    /// The amount with the other sign; fails beyond 64 bits.
    pub fn checked_neg(self) -> Result<Self, MoneyError> {
        self.with_minor(self.minor.checked_neg())
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            Ok(())
        } else {
            Err(MoneyError::CurrencyMismatch {
                left: self.currency,
                right: other.currency,
            })
        }
    }

    fn with_minor(self, minor: Option<i64>) -> Result<Self, MoneyError> {
        minor
            .map(|minor| Self::from_minor(self.currency, minor))
            .ok_or(MoneyError::Overflow)
    }
}

/// The amount, then its currency: `24.50 USD`.
impl fmt::Display for Money {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{} {}", self.value(), self.currency)
    }
}

/// Parses digits with at most one point and an optional minus sign, in a single spelling: no plus,
/// exponent, separators, leading zeros or negative zero. `None` if it has more decimals than `Decimal`
/// can hold.
pub(super) fn plain_decimal(value: &str) -> Result<Option<Decimal>, MoneyError> {
    let malformed = || MoneyError::Malformed {
        value: shortened(value),
    };
    let digits = value.strip_prefix('-').unwrap_or(value);
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    if !all_digits(whole) || !all_digits(decimals) || leading_zero {
        return Err(malformed());
    }
    match Decimal::from_str_exact(value) {
        Ok(decimal) if decimal.is_zero() && value.starts_with('-') => Err(malformed()),
        Ok(decimal) => Ok(Some(decimal)),
        Err(rust_decimal::Error::Underflow) => Ok(None),
        Err(_) => Err(MoneyError::Overflow),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::money::Price;

    fn usd(minor: i64) -> Money {
        Money::from_minor("USD".parse().unwrap(), minor)
    }

    /// M-1: exactly the currency's digits.
    #[test]
    fn m1_reads_and_writes_exactly_the_currencys_digits() {
        for (code, value, minor) in [
            ("USD", "24.50", 2450),
            ("USD", "-1.00", -100),
            ("USD", "0.00", 0),
            ("USD", "-0.01", -1),
            ("JPY", "2450", 2450),
            ("BHD", "24.500", 24500),
            ("USD", "92233720368547758.07", i64::MAX),
            ("USD", "-92233720368547758.08", i64::MIN),
        ] {
            let money = Money::parse(code, value).unwrap();
            assert_eq!((money.minor(), money.value().as_str()), (minor, value));
            assert_eq!(money.to_string(), format!("{value} {code}"));
        }
        for (code, value) in [
            ("USD", "24.5"),
            ("USD", "24.500"),
            ("USD", "24"),
            ("JPY", "24.0"),
            ("BHD", "24.50"),
            ("USD", "0.0000000000000000000000000000000001"),
        ] {
            let error = Money::parse(code, value).unwrap_err();
            assert!(
                matches!(error, MoneyError::WrongDigits { .. }),
                "{value} {code}: {error}"
            );
        }
    }

    #[test]
    fn m1_refuses_what_is_not_plain() {
        for value in [
            "", "-", ".", "+1.00", "1,00", "1_0.00", " 1.00", "1.00 ", "01.00", "1e2", ".50", "1.",
            "-0.00", "--1.00", "1.0.0", "NaN", "٢.٠٠",
        ] {
            let error = Money::parse("USD", value).unwrap_err();
            assert!(
                matches!(error, MoneyError::Malformed { .. }),
                "{value}: {error}"
            );
        }
        for value in [
            "92233720368547758.08",
            "99999999999999999999999999999999999999.00",
        ] {
            assert_eq!(
                Money::parse("USD", value),
                Err(MoneyError::Overflow),
                "{value}"
            );
        }
    }

    /// M-4: two currencies are never combined, and nothing wraps.
    #[test]
    fn m4_sums_are_checked() {
        let yen = Money::zero("JPY".parse().unwrap());
        let error = usd(1).checked_add(yen).unwrap_err();
        assert_eq!(
            error.to_string(),
            "amounts in USD and JPY cannot be combined"
        );
        assert_eq!(usd(1).checked_sub(yen), Err(error));
        assert_eq!(usd(150).checked_add(usd(-50)), Ok(usd(100)));
        assert_eq!(usd(150).checked_sub(usd(200)), Ok(usd(-50)));
        assert_eq!(usd(150).checked_neg(), Ok(usd(-150)));
        assert_eq!(usd(i64::MAX).checked_add(usd(1)), Err(MoneyError::Overflow));
        assert_eq!(usd(i64::MIN).checked_sub(usd(1)), Err(MoneyError::Overflow));
        assert_eq!(usd(i64::MIN).checked_neg(), Err(MoneyError::Overflow));
        assert!(usd(0).is_zero() && !usd(1).is_zero());
    }

    proptest! {
        /// M-1: an amount round-trips through text and JSON, in currencies of 0, 2, 3 and 4 minor digits.
        #[test]
        fn m1_round_trips(
            minor in any::<i64>(), code in prop::sample::select(vec!["USD", "JPY", "BHD", "CLF"]),
        ) {
            let money = Money::from_minor(code.parse().unwrap(), minor);
            prop_assert_eq!(Money::parse(code, &money.value()), Ok(money));
            let json = serde_json::to_string(&money).unwrap();
            prop_assert_eq!(serde_json::from_str::<Money>(&json).unwrap(), money);
        }

        #[test]
        fn m1_never_panics(code in "\\PC{0,4}", value in "[-+0-9._eE ]{0,40}") {
            drop(Money::parse(&code, &value));
            drop(Money::parse("USD", &value));
            drop(Price::parse("USD", &value));
        }
    }
}
