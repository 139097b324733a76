//! The numbers of invoices and credit notes, and the seller whose series they run in (BL-8).

use std::{fmt, str::FromStr, sync::Arc};

/// Who issues invoices and credit notes. Its numbers run without a gap, so two installations of one company are two
/// sellers, and every number but the first seller's names its seller.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seller(Arc<str>);

/// The seller of an installation that names none.
const DEFAULT_SELLER: &str = "licet";
const MOST_CHARACTERS: usize = 16;

impl Default for Seller {
    fn default() -> Self {
        Self(DEFAULT_SELLER.into())
    }
}

impl FromStr for Seller {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let starts = text.starts_with(|first: char| first.is_ascii_uppercase());
        let fits = |char: char| char.is_ascii_uppercase() || char.is_ascii_digit();
        let is_named = starts && text.chars().all(fits) && text.len() <= MOST_CHARACTERS;
        if is_named || text == DEFAULT_SELLER {
            return Ok(Self(text.into()));
        }
        Err(format!(
            "must be a capital letter followed by at most {} capital letters and digits, or {DEFAULT_SELLER}",
            MOST_CHARACTERS - 1
        ))
    }
}

impl fmt::Display for Seller {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Seller {
    /// Its name, as rows and pages show it.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// An invoice's number: `INV-000001`, or `INV-EU1-000001`.
    pub(crate) fn invoice_number(&self, number: i64) -> String {
        self.written("INV", number)
    }

    /// A credit note's number: `CDN-000001`, or `CDN-EU1-000001`.
    pub(crate) fn credit_note_number(&self, number: i64) -> String {
        self.written("CDN", number)
    }

    fn written(&self, kind: &str, number: i64) -> String {
        if self.as_str() == DEFAULT_SELLER {
            format!("{kind}-{number:06}")
        } else {
            format!("{kind}-{self}-{number:06}")
        }
    }
}

/// The number of an invoice or a credit note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DocumentNumber {
    /// Who issued it.
    pub(crate) seller: Seller,
    /// Its place in the seller's series, from 1.
    pub(crate) number: i64,
}

impl DocumentNumber {
    /// The written form of an invoice's number.
    pub(crate) fn of_invoice(&self) -> String {
        self.seller.invoice_number(self.number)
    }

    /// The written form of a credit note's number.
    pub(crate) fn of_credit_note(&self) -> String {
        self.seller.credit_note_number(self.number)
    }

    /// The number that `text` writes; `None` if it is not an invoice's.
    pub(crate) fn parse_invoice(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("INV-")?;
        let (seller, number) = match rest.split_once('-') {
            Some((seller, number)) => (seller.parse().ok()?, number),
            None => (Seller::default(), rest),
        };
        let found = Self {
            seller,
            number: number.parse().ok()?,
        };
        (found.of_invoice() == text).then_some(found)
    }
}

#[cfg(test)]
impl DocumentNumber {
    /// A number of the default seller.
    pub(crate) fn sample(number: i64) -> Self {
        let seller = Seller::default();
        Self { seller, number }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// BL-8: the numbers of two sellers never look alike.
    #[test]
    fn numbers_are_read_as_they_are_written() {
        for (seller, number, text) in [
            ("licet", 1, "INV-000001"),
            ("licet", 1_234_567, "INV-1234567"),
            ("EU1", 12, "INV-EU1-000012"),
        ] {
            let number = DocumentNumber {
                seller: seller.parse().unwrap(),
                number,
            };
            assert_eq!(number.of_invoice(), text);
            assert_eq!(DocumentNumber::parse_invoice(text), Some(number));
        }
        for text in [
            "INV-1",
            "INV-licet-000001",
            "INV-EU1-1",
            "INV-eu1-000001",
            "CDN-000001",
            "INV--000001",
        ] {
            assert_eq!(DocumentNumber::parse_invoice(text), None, "{text}");
        }
    }

    #[test]
    fn a_seller_fits_into_a_number() {
        for name in ["", "eu1", "1EU", "E-U", "ÄU", "ABCDEFGHIJKLMNOPQ"] {
            assert!(name.parse::<Seller>().is_err(), "{name}");
        }
        assert!("ABCDEFGHIJKLMNOP".parse::<Seller>().is_ok());
    }
}
