//! Lines for domains that cost nothing (BL-7), so that a response with an amount explains them, too. A quote
//! made here is not Billing's: it has no id and cannot be charged.

use licet_contracts::billing::v1 as billing;
use licet_domain::{
    clock::Instant,
    ids::{AccountId, LicenseId, ProductId},
    money::{Currency, Money},
};
use licet_runtime::wire::{encode_count, encode_money, encode_time};

use super::quote::{Quote, Subject};

/// Domains of one term that are not charged.
#[derive(Clone, Debug)]
pub struct FreeDomains {
    /// The term's product.
    pub product_id: ProductId,
    /// Its version.
    pub product_version: u32,
    /// The currency of the term's charges.
    pub currency: Currency,
    /// How many domains.
    pub domains: u32,
    /// How many of them are wildcards.
    pub wildcards: u32,
    /// Why they are free.
    pub why: WhyFree,
}

/// Why domains are not charged.
#[derive(Clone, Copy, Debug)]
pub enum WhyFree {
    /// They fit into slots that are already paid (MD-2).
    SlotsPaid {
        /// Paid slots for domains that are not wildcards.
        standard: u32,
        /// Paid slots for wildcards.
        wildcard: u32,
    },
    /// They count against a SAN licence.
    DrawnFrom(LicenseId),
}

impl FreeDomains {
    fn line(&self, number: usize) -> billing::Line {
        let zero = encode_money(Money::zero(self.currency));
        let amount = format!("{} {}", zero.value, zero.currency_code);
        let domains = format!(
            "{} domains, {} of them wildcards",
            self.domains, self.wildcards
        );
        let (rule_id, description, explanation) = match self.why {
            WhyFree::SlotsPaid { standard, wildcard } => (
                "MD-2",
                "Domains within the slots already paid for",
                format!(
                    "{domains}; {standard} standard and {wildcard} wildcard slots are already paid \
                     for: {amount}"
                ),
            ),
            WhyFree::DrawnFrom(license_id) => (
                "X-4",
                "Domains drawn from a SAN licence",
                format!(
                    "{domains}, drawn from SAN licence {license_id}; no slot is charged: {amount}"
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
    /// A quote for nothing but free domains, decided at `now`.
    #[must_use]
    pub fn free(
        account_id: AccountId,
        subject: &Subject,
        pin: &str,
        domains: &FreeDomains,
        now: Instant,
    ) -> Self {
        Self::from(billing::Quote {
            account_id: account_id.to_string(),
            pin: pin.to_owned(),
            subject: Some(subject.encode()),
            lines: vec![domains.line(1)],
            total: Some(encode_money(Money::zero(domains.currency))),
            decision_time: Some(encode_time(now)),
            ..billing::Quote::default()
        })
    }

    /// The quote with an additional line for free domains. The line is not Billing's and is on no invoice.
    #[must_use]
    pub fn with_free(self, domains: &FreeDomains) -> Self {
        let mut message = self.into_message();
        message.lines.push(domains.line(message.lines.len() + 1));
        Self::from(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x_4_drawn_domains_are_explained_after_the_charged_lines() {
        let license_id = LicenseId::generate();
        let domains = FreeDomains {
            product_id: "ssl-wildcard".parse().unwrap(),
            product_version: 3,
            currency: "USD".parse().unwrap(),
            domains: 2,
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
        let quote = charged.with_free(&domains).into_message();
        let line = quote.lines.last().unwrap();
        assert_eq!(
            (quote.lines.len(), line.number, line.rule_id.as_str()),
            (2, 2, "X-4")
        );
        assert_eq!(
            line.explanation,
            format!(
                "2 domains, 1 of them wildcards, drawn from SAN licence {license_id}; no slot is \
                 charged: 0.00 USD"
            )
        );
    }

    #[test]
    fn md_2_a_quote_of_paid_slots_is_zero_and_says_why() {
        let domains = FreeDomains {
            product_id: "ssl-wildcard".parse().unwrap(),
            product_version: 3,
            currency: "JPY".parse().unwrap(),
            domains: 3,
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
        let quote = Quote::free(
            AccountId::generate(),
            &subject,
            "pin",
            &domains,
            Instant::MAX,
        );
        assert!(quote.total().unwrap().is_zero());
        assert_eq!(quote.pin(), "pin");
        let [line] = quote.message().lines.as_slice() else {
            panic!("{:?}", quote.message().lines);
        };
        assert_eq!(line.rule_id, "MD-2");
        assert_eq!(
            line.explanation,
            "3 domains, 0 of them wildcards; 3 standard and 1 wildcard slots are already paid for: 0 JPY"
        );
    }
}
