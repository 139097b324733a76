//! ISO 4217 currencies.

use std::{fmt, str::FromStr};

use crate::text::{serde_as_text, shortened};

/// An ISO 4217 currency with a minor unit: no metals, test codes or units of account without one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency {
    iso: iso_currency::Currency,
    minor_digits: u32,
}

impl Currency {
    /// The code, `USD`.
    pub fn code(self) -> &'static str {
        self.iso.code()
    }

    /// The number of decimals of the minor unit: USD 2, JPY 0, BHD 3 (M-1).
    pub fn minor_digits(self) -> u32 {
        self.minor_digits
    }

    /// Whether ISO 4217 has withdrawn it. Existing amounts in it can still be read, paid and refunded,
    /// but nothing new can be opened or priced in it (M-1).
    pub fn is_withdrawn(self) -> bool {
        WITHDRAWN.contains(&self.code())
    }
}

/// The supported currencies that ISO 4217 lists as historic, as of November 2026.
const WITHDRAWN: [&str; 5] = ["BGN", "CUC", "HRK", "SLL", "ZWL"];

impl fmt::Display for Currency {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.code())
    }
}

/// Not an ISO 4217 code, or one without a minor unit, such as gold. The message follows a field's path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{code}` is not the ISO 4217 code of a currency with a minor unit, such as USD")]
pub struct UnknownCurrency {
    /// The text found, shortened.
    code: String,
}

impl FromStr for Currency {
    type Err = UnknownCurrency;

    fn from_str(code: &str) -> Result<Self, UnknownCurrency> {
        iso_currency::Currency::from_code(code)
            .and_then(|iso| {
                Some(Self {
                    iso,
                    minor_digits: iso.exponent()?.into(),
                })
            })
            .ok_or_else(|| UnknownCurrency {
                code: shortened(code),
            })
    }
}

serde_as_text!(Currency);

#[cfg(test)]
mod tests {
    use super::*;

    /// M-1: every supported historic currency counts as withdrawn.
    #[test]
    fn m1_withdrawn() {
        for code in ["BGN", "CUC", "HRK", "SLL", "ZWL"] {
            assert!(code.parse::<Currency>().unwrap().is_withdrawn(), "{code}");
        }
        // ISO 4217 still lists VES beside VED.
        for code in ["EUR", "SLE", "ZWG", "CUP", "VES", "VED", "CLF"] {
            assert!(!code.parse::<Currency>().unwrap().is_withdrawn(), "{code}");
        }
        for code in ["ANG", "DEM", "LTL", "MRO", "STD", "BYR", "VEF"] {
            assert!(code.parse::<Currency>().is_err(), "{code}");
        }
    }

    /// M-1: the digits of the minor unit are those of ISO 4217.
    #[test]
    fn m1_minor_digits() {
        for (code, digits) in [("USD", 2), ("EUR", 2), ("JPY", 0), ("BHD", 3), ("CLF", 4)] {
            let currency: Currency = code.parse().unwrap();
            assert_eq!((currency.code(), currency.minor_digits()), (code, digits));
            assert_eq!(serde_json::to_value(currency).unwrap(), code);
        }
        for code in ["", "usd", "US", "USDX", "XAU", "XXX", "XTS", "€"] {
            assert!(code.parse::<Currency>().is_err(), "{code}");
        }
    }
}
