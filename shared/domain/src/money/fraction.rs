//! Exact fractions, for the share of a term that remains. Arbitrary precision, because terms are
//! measured in microseconds and their fractions are added up.

use std::{fmt, str::FromStr};

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Zero};

use super::error::MoneyError;
use crate::text::{serde_as_text, shortened};

/// An exact fraction in lowest terms. Rounding happens only where a price becomes an amount (M-2).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fraction(BigRational);

impl Fraction {
    /// One.
    pub fn one() -> Self {
        Self(BigRational::one())
    }

    /// Zero.
    pub fn zero() -> Self {
        Self(BigRational::zero())
    }

    /// `numerator / denominator`; `None` if the denominator is zero.
    pub fn new(numerator: i128, denominator: i128) -> Option<Self> {
        (denominator != 0).then(|| {
            Self(BigRational::new(
                BigInt::from(numerator),
                BigInt::from(denominator),
            ))
        })
    }

    /// The sum.
    #[must_use]
    pub fn add(&self, other: &Self) -> Self {
        Self(&self.0 + &other.0)
    }

    /// The difference, which may be negative.
    #[must_use]
    pub fn sub(&self, other: &Self) -> Self {
        Self(&self.0 - &other.0)
    }

    /// The product.
    #[must_use]
    pub fn mul(&self, other: &Self) -> Self {
        Self(&self.0 * &other.0)
    }

    pub(super) fn as_ratio(&self) -> &BigRational {
        &self.0
    }
}

/// In lowest terms, `184/365`; a whole number without denominator, `1`.
impl fmt::Display for Fraction {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(to)
    }
}

impl FromStr for Fraction {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        text.parse()
            .map(Self)
            .map_err(|_| MoneyError::MalformedFraction {
                value: shortened(text),
            })
    }
}

serde_as_text!(Fraction);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_and_writes_lowest_terms() {
        for (text, expected) in [
            ("184/365", "184/365"),
            ("6/12", "1/2"),
            ("4/2", "2"),
            ("0/7", "0"),
        ] {
            assert_eq!(text.parse::<Fraction>().unwrap().to_string(), expected);
        }
        for text in ["", "/", "1/", "1/0", "0.5", "1/2/3", "half"] {
            assert!(text.parse::<Fraction>().is_err(), "{text}");
        }
        assert_eq!(Fraction::new(1, 0), None);
    }

    proptest! {
        /// A fraction round-trips through text and JSON, and its arithmetic is exact.
        #[test]
        fn round_trips_and_stays_exact(
            a in any::<i128>(), b in 1_i128.., c in any::<i128>(), d in 1_i128..,
        ) {
            let (one, other) = (Fraction::new(a, b).unwrap(), Fraction::new(c, d).unwrap());
            prop_assert_eq!(one.to_string().parse::<Fraction>(), Ok(one.clone()));
            let json = serde_json::to_string(&one).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Fraction>(&json).unwrap(), &one);
            prop_assert_eq!(&one.add(&other).sub(&other), &one);
            prop_assert_eq!(one.mul(&other), other.mul(&one));
            prop_assert_eq!(one.mul(&Fraction::one()), one.add(&Fraction::zero()));
        }
    }
}
