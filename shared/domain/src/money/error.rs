//! Why an amount, a price or a fraction cannot be read or computed.

use super::currency::{Currency, UnknownCurrency};

/// Why an amount cannot be read or computed; a sentence to put after a field's path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// No currency.
    #[error(transparent)]
    UnknownCurrency(#[from] UnknownCurrency),
    /// No plain decimal number.
    #[error("`{value}` is not a plain decimal number such as 24.50")]
    Malformed {
        /// What stood there, shortened.
        value: String,
    },
    /// No fraction.
    #[error("`{value}` is not a fraction such as 184/365")]
    MalformedFraction {
        /// What stood there, shortened.
        value: String,
    },
    /// An amount has exactly its currency's decimals (M-1).
    #[error("must have exactly {expected} decimals, as amounts in {currency} do")]
    WrongDigits {
        /// The currency that decides.
        currency: Currency,
        /// How many decimals it has.
        expected: u32,
    },
    /// A price has at most six decimals (M-1).
    #[error("must have at most {most} decimals")]
    TooManyDigits {
        /// How many are allowed.
        most: u32,
    },
    /// A price is never below zero.
    #[error("must not be negative")]
    Negative,
    /// Amounts of two currencies never meet (M-4).
    #[error("amounts in {left} and {right} cannot be put together")]
    CurrencyMismatch {
        /// The currency of the one.
        left: Currency,
        /// The currency of the other.
        right: Currency,
    },
    /// More than 64 bits of minor units, or of millionths for a price.
    #[error("is out of range")]
    Overflow,
    /// An amount other than zero cannot be split over parts that all weigh nothing.
    #[error("cannot be split, because no part has a weight")]
    NoWeights,
}
