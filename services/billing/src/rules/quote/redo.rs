//! Computes a line again from its own figures, as a person would (BL-7): to verify a store, not to
//! charge.

use licet_domain::{
    money::{Money, MoneyError},
    term::Term,
};

use super::{Line, proration, volume};
use crate::rules::item::{ItemKind, is_priced_yearly};

impl Line {
    /// The first difference, as expected and found; `None` if the line is right.
    ///
    /// Where the amount was agreed by hand for the whole quota, the unit price follows from the
    /// amount, and is checked against it (SL-7).
    pub(crate) fn find_difference(&self) -> Option<(String, String)> {
        let Some(term) = Term::new(self.term_anchor, self.term_first_month, self.term_months)
        else {
            let found = format!("{} months", self.term_months);
            return Some(("a valid term".to_owned(), found));
        };
        let said = (self.term_start, self.term_end);
        if said != (term.start(), term.end()) {
            let expected = format!("term {} to {}", term.start(), term.end());
            return Some((expected, format!("{} to {}", said.0, said.1)));
        }
        let fraction = proration::fraction(self.convention, &term, self.charged_from, term.end());
        if self.fraction != fraction {
            let found = self.fraction.to_string();
            return Some((format!("fraction {fraction}"), found));
        }
        if self.kind == ItemKind::WildcardDifference || self.difference.is_some() {
            let expected = self.difference.and_then(|both| both.unit_price());
            if expected != Some(self.unit_price) {
                let expected =
                    expected.map_or_else(|| "two prices".to_owned(), |it| it.to_string());
                return Some((expected, self.unit_price.to_string()));
            }
        }
        if let Some(sold) = self.hand_price {
            let amount = volume::hand_share(sold, self.quantity, &fraction);
            return self.find_other_amount(amount);
        }
        let priced = if is_priced_yearly(self.kind) {
            volume::years(self.term_months).mul(&fraction)
        } else {
            fraction
        };
        let amount = self.unit_price.amount(self.quantity, &priced);
        if self.is_priced_by_hand() {
            return None;
        }
        self.find_other_amount(amount)
    }

    fn find_other_amount(&self, amount: Result<Money, MoneyError>) -> Option<(String, String)> {
        if amount.as_ref() == Ok(&self.amount) {
            return None;
        }
        let expected = amount.map_or_else(|error| error.to_string(), |amount| amount.to_string());
        Some((expected, self.amount.to_string()))
    }

    fn is_priced_by_hand(&self) -> bool {
        let share = volume::unit_share(self.amount, self.quantity, self.term_months);
        is_priced_yearly(self.kind)
            && self.price_effective.is_none()
            && share.as_ref() == Ok(&self.unit_price)
    }
}

#[cfg(test)]
mod tests {
    use licet_domain::{
        clock::Instant,
        money::{Fraction, Price},
    };

    use super::{super::proration::Convention, *};
    use crate::rules::item::{HandPrice, PriceDifference};

    fn at(text: &str) -> Instant {
        text.parse().unwrap()
    }

    fn usd(minor: i64) -> Money {
        Money::from_minor("USD".parse().unwrap(), minor)
    }

    /// P-3: 49.00 a year, with half of the year left.
    fn half_a_year() -> Line {
        Line {
            kind: ItemKind::Domain,
            product_id: "multi-domain-dv".parse().unwrap(),
            product_version: 1,
            rule: "MD-1".to_owned(),
            unit_price: Price::parse("USD", "49.00").unwrap(),
            hand_price: None,
            difference: None,
            price_time: at("2026-01-01T00:00:00Z"),
            price_effective: Some(at("2025-01-01T00:00:00Z")),
            quantity: 1,
            term_anchor: at("2026-01-01T00:00:00Z"),
            term_first_month: 0,
            term_months: 12,
            term_start: at("2026-01-01T00:00:00Z"),
            term_end: at("2027-01-01T00:00:00Z"),
            charged_from: at("2026-07-01T00:00:00Z"),
            convention: Convention::Monthly,
            fraction: Fraction::new(1, 2).unwrap(),
            amount: usd(2_450),
            description: String::new(),
            explanation: String::new(),
        }
    }

    /// 1000 SANs for a year at 123.45 in total, agreed by hand: 0.12345 each.
    fn by_hand() -> Line {
        Line {
            kind: ItemKind::SanQuota,
            unit_price: Price::parse("USD", "0.12345").unwrap(),
            price_effective: None,
            quantity: 1_000,
            charged_from: at("2026-01-01T00:00:00Z"),
            fraction: Fraction::one(),
            amount: usd(12_345),
            ..half_a_year()
        }
    }

    /// 3 000 000 more SANs where 3 were sold by hand for 100.00 a year, with half of the year left.
    fn more_by_hand() -> Line {
        Line {
            kind: ItemKind::SanQuotaIncrease,
            unit_price: Price::parse("USD", "33.333333").unwrap(),
            hand_price: Some(HandPrice {
                amount: usd(10_000),
                quantity: 3,
            }),
            price_effective: None,
            quantity: 3_000_000,
            amount: usd(5_000_000_000),
            ..half_a_year()
        }
    }

    /// MD-4: 149.00 minus 49.00, for half a year.
    fn in_a_domains_place() -> Line {
        let price = |value| Price::parse("USD", value).unwrap();
        Line {
            kind: ItemKind::WildcardDifference,
            unit_price: price("100.00"),
            difference: Some(PriceDifference {
                wildcard: price("149.00"),
                domain: price("49.00"),
            }),
            amount: usd(5_000),
            ..half_a_year()
        }
    }

    #[test]
    fn bl_7_a_line_as_it_was_computed_has_no_difference() {
        assert_eq!(in_a_domains_place().find_difference(), None);
        assert_eq!(half_a_year().find_difference(), None);
        assert_eq!(by_hand().find_difference(), None);
        assert_eq!(more_by_hand().find_difference(), None);
        // A third of a cent each: the share is rounded, and no multiple of it is the amount.
        let rounded = Line {
            quantity: 300_000,
            unit_price: Price::parse("USD", "0.003333").unwrap(),
            amount: usd(100_000),
            ..by_hand()
        };
        assert_eq!(rounded.find_difference(), None);
    }

    #[test]
    fn bl_7_whatever_was_changed_on_a_line_shows() {
        let other_domain = PriceDifference {
            domain: Price::parse("USD", "48.00").unwrap(),
            ..in_a_domains_place().difference.unwrap()
        };
        let spoilt = [
            Line {
                difference: Some(other_domain),
                ..in_a_domains_place()
            },
            Line {
                difference: None,
                ..in_a_domains_place()
            },
            Line {
                amount: usd(2_451),
                ..half_a_year()
            },
            Line {
                quantity: 2,
                ..half_a_year()
            },
            Line {
                unit_price: Price::parse("USD", "49.02").unwrap(),
                ..half_a_year()
            },
            Line {
                fraction: Fraction::one(),
                ..half_a_year()
            },
            Line {
                convention: Convention::Daily,
                ..half_a_year()
            },
            Line {
                charged_from: at("2026-07-02T00:00:00Z"),
                ..half_a_year()
            },
            Line {
                term_end: at("2027-01-02T00:00:00Z"),
                ..half_a_year()
            },
            Line {
                term_months: 6,
                ..half_a_year()
            },
            Line {
                term_months: 0,
                ..half_a_year()
            },
            Line {
                amount: usd(12_346),
                ..by_hand()
            },
            Line {
                amount: usd(4_999_999_950),
                ..more_by_hand()
            },
            // A price from a list does not follow from its amount.
            Line {
                quantity: 300_000,
                unit_price: Price::parse("USD", "0.003333").unwrap(),
                amount: usd(100_000),
                price_effective: Some(at("2025-01-01T00:00:00Z")),
                ..by_hand()
            },
        ];
        for line in spoilt {
            assert!(line.find_difference().is_some(), "{line:?}");
        }
    }
}
