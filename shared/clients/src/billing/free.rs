//! Names that nothing is charged for, in the form of a quote's lines (BL-7): an answer that shows an
//! amount explains those, too. Such a quote is not Billing's: it has no id and cannot be charged.

use licet_contracts::billing::v1 as billing;
use licet_domain::{
    clock::Instant,
    ids::{AccountId, LicenseId, ProductId},
    money::{Currency, Money},
};
use licet_runtime::wire::{encode_count, encode_money, encode_time};

use super::quote::{Quote, Subject};

/// Names of one term that are not charged.
#[derive(Clone, Debug)]
pub struct FreeDomains {
    /// The product that the term was sold with.
    pub product_id: ProductId,
    /// Its version.
    pub product_version: u32,
    /// The currency that the term is charged in.
    pub currency: Currency,
    /// How many names.
    pub names: u32,
    /// How many of them are wildcards.
    pub wildcards: u32,
    /// Why nothing is charged.
    pub why: WhyFree,
}

/// Why names are not charged.
#[derive(Clone, Copy, Debug)]
pub enum WhyFree {
    /// The term's paid slots hold them (MD-2).
    SlotsPaid {
        /// For names that are no wildcards.
        standard: u32,
        /// For wildcards.
        wildcard: u32,
    },
    /// They are drawn from a SAN licence.
    DrawnFrom(LicenseId),
}

impl FreeDomains {
    fn line(&self, number: usize) -> billing::Line {
        let zero = encode_money(Money::zero(self.currency));
        let amount = format!("{} {}", zero.value, zero.currency_code);
        let names = format!("{} names, {} of them wildcards", self.names, self.wildcards);
        let (rule_id, description, explanation) = match self.why {
            WhyFree::SlotsPaid { standard, wildcard } => (
                "MD-2",
                "Names within the slots already paid for",
                format!(
                    "{names}, where {standard} standard and {wildcard} wildcard slots are paid \
                     for: {amount}"
                ),
            ),
            WhyFree::DrawnFrom(license_id) => (
                "X-4",
                "Names drawn from a SAN licence",
                format!(
                    "{names}, drawn from SAN licence {license_id}: no slot is charged, {amount}"
                ),
            ),
        };
        billing::Line {
            number: encode_count(number),
            kind: billing::LineKind::Domain.into(),
            description: description.to_owned(),
            product_id: self.product_id.to_string(),
            product_version: encode_count(self.product_version),
            quantity: 0,
            amount: Some(zero),
            rule_id: rule_id.to_owned(),
            explanation,
            ..billing::Line::default()
        }
    }
}

impl Quote {
    /// What nothing but free names comes to, decided as of `now`.
    #[must_use]
    pub fn free(
        account_id: AccountId,
        subject: &Subject,
        pin: &str,
        names: &FreeDomains,
        now: Instant,
    ) -> Self {
        Self::from(billing::Quote {
            account_id: account_id.to_string(),
            pin: pin.to_owned(),
            subject: Some(subject.encode()),
            lines: vec![names.line(1)],
            total: Some(encode_money(Money::zero(names.currency))),
            decision_time: Some(encode_time(now)),
            ..billing::Quote::default()
        })
    }

    /// The quote with a last line for names that it does not charge. That line is not Billing's, and
    /// on no invoice.
    #[must_use]
    pub fn with_free(self, names: &FreeDomains) -> Self {
        let mut message = self.into_message();
        message.lines.push(names.line(message.lines.len() + 1));
        Self::from(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x_4_drawn_names_are_explained_after_what_is_charged() {
        let license_id = LicenseId::generate();
        let names = FreeDomains {
            product_id: "ssl-wildcard".parse().unwrap(),
            product_version: 3,
            currency: "USD".parse().unwrap(),
            names: 2,
            wildcards: 1,
            why: WhyFree::DrawnFrom(license_id),
        };
        let charged = Quote::from(billing::Quote {
            lines: vec![billing::Line {
                number: 1,
                ..billing::Line::default()
            }],
            ..billing::Quote::default()
        });
        let quote = charged.with_free(&names).into_message();
        let line = quote.lines.last().unwrap();
        assert_eq!(
            (quote.lines.len(), line.number, line.rule_id.as_str()),
            (2, 2, "X-4")
        );
        assert_eq!(
            line.explanation,
            format!(
                "2 names, 1 of them wildcards, drawn from SAN licence {license_id}: no slot is \
                 charged, 0.00 USD"
            )
        );
    }

    #[test]
    fn md_2_a_quote_of_paid_slots_is_zero_and_says_why() {
        let names = FreeDomains {
            product_id: "ssl-wildcard".parse().unwrap(),
            product_version: 3,
            currency: "JPY".parse().unwrap(),
            names: 3,
            wildcards: 0,
            why: WhyFree::SlotsPaid {
                standard: 3,
                wildcard: 1,
            },
        };
        let subject = Subject {
            resource_id: "ord_1".to_owned(),
            term_index: 1,
        };
        let quote = Quote::free(AccountId::generate(), &subject, "pin", &names, Instant::MAX);
        assert!(quote.total().unwrap().is_zero());
        assert_eq!(quote.pin(), "pin");
        let [line] = quote.message().lines.as_slice() else {
            panic!("{:?}", quote.message().lines);
        };
        assert_eq!(line.rule_id, "MD-2");
        assert_eq!(
            line.explanation,
            "3 names, 0 of them wildcards, where 3 standard and 1 wildcard slots are paid for: 0 JPY"
        );
    }
}
