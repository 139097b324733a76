//! Errors of reading and computing with money.

use super::currency::{Currency, UnknownCurrency};

/// Why an amount, price or fraction cannot be read or computed. The message follows a field's path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not a currency.
    #[error(transparent)]
    UnknownCurrency(#[from] UnknownCurrency),
    /// Not a plain decimal number.
    #[error("`{value}` is not a plain decimal number such as 24.50")]
    Malformed {
        /// The text found, shortened.
        value: String,
    },
    /// Not a fraction.
    #[error("`{value}` is not a fraction such as 184/365")]
    MalformedFraction {
        /// The text found, shortened.
        value: String,
    },
    /// An amount has exactly its currency's decimals (M-1).
    #[error("must have exactly {expected} decimals for {currency}")]
    WrongDigits {
        /// The currency.
        currency: Currency,
        /// The required number of decimals.
        expected: u32,
    },
    /// A price has at most six decimals (M-1).
    #[error("must have at most {most} decimals")]
    TooManyDigits {
        /// The highest permitted number of decimals.
        most: u32,
    },
    /// Prices are never negative.
    #[error("must not be negative")]
    Negative,
    /// Amounts in two currencies are never combined (M-4).
    #[error("amounts in {left} and {right} cannot be combined")]
    CurrencyMismatch {
        /// The currency of the first amount.
        left: Currency,
        /// The currency of the second amount.
        right: Currency,
    },
    /// More than 64 bits of minor units, or of millionths for a price.
    #[error("is out of range")]
    Overflow,
    /// An amount other than zero cannot be split if all weights are zero.
    #[error("cannot be split, because all weights are zero")]
    NoWeights,
}
