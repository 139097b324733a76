//! The result of verifying a store: its checks, how much each has checked, and the differences found.

use std::fmt;

/// The most differences of one check that are listed.
pub const MOST_SHOWN: usize = 100;

/// One difference between expected and stored values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// What differs, such as an account's or an invoice's id.
    pub subject: String,
    /// The value computed from the underlying rows; an amount has its currency.
    pub expected: String,
    /// The stored value.
    pub found: String,
}

/// A claim about the store, and its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// A short name to search logs for.
    pub name: &'static str,
    /// What must be true, with the rule's id.
    pub claim: &'static str,
    /// How many items were checked.
    pub checked: u64,
    /// How many of them differ.
    pub differences: u64,
    /// The first of them, at most 100.
    pub shown: Vec<Difference>,
}

impl Check {
    /// A check of no items yet.
    #[must_use]
    pub fn new(name: &'static str, claim: &'static str) -> Self {
        Self {
            name,
            claim,
            checked: 0,
            differences: 0,
            shown: Vec::new(),
        }
    }

    /// Counts a difference, and lists it if there is room.
    pub fn note(&mut self, difference: Difference) {
        self.differences += 1;
        if self.shown.len() < MOST_SHOWN {
            self.shown.push(difference);
        }
    }
}

/// All checks of one snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// In the order of execution.
    pub checks: Vec<Check>,
}

impl Verification {
    /// The number of all differences; 0 means that the store is consistent.
    #[must_use]
    pub fn differences(&self) -> u64 {
        self.checks.iter().map(|check| check.differences).sum()
    }
}

/// One line for each check, followed by its differences, and a summary line.
impl fmt::Display for Verification {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        for check in &self.checks {
            let Check {
                name,
                claim,
                checked,
                differences,
                shown,
            } = check;
            let verdict = if *differences == 0 { "ok" } else { "DIFFERS" };
            writeln!(to, "{verdict:7} {name}: {claim}; {checked} checked")?;
            for difference in shown {
                writeln!(
                    to,
                    "        {}: expected {}, found {}",
                    difference.subject, difference.expected, difference.found
                )?;
            }
            if shown.len() as u64 != *differences {
                writeln!(to, "        {} of {differences} shown", shown.len())?;
            }
        }
        let checked: u64 = self.checks.iter().map(|check| check.checked).sum();
        match self.differences() {
            0 => write!(
                to,
                "{} checks of {checked} items: no differences",
                self.checks.len()
            ),
            differences => write!(
                to,
                "{} checks of {checked} items: {differences} DIFFERENCE{}",
                self.checks.len(),
                if differences == 1 { "" } else { "S" }
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(differences: u64, shown: usize) -> Check {
        let difference = |number: usize| Difference {
            subject: format!("acc_{number}"),
            expected: "1.00 USD".to_owned(),
            found: "2.00 USD".to_owned(),
        };
        Check {
            name: "balances",
            claim: "a balance is what its postings sum to (BL-5)",
            checked: 500,
            differences,
            shown: (0..shown).map(difference).collect(),
        }
    }

    #[test]
    fn says_what_was_checked_and_how_it_ended() {
        let clean = Verification {
            checks: vec![check(0, 0), check(0, 0)],
        };
        assert_eq!(clean.differences(), 0);
        let text = clean.to_string();
        assert!(
            text.starts_with("ok      balances: a balance is what"),
            "{text}"
        );
        assert!(
            text.ends_with("2 checks of 1000 items: no differences"),
            "{text}"
        );
    }

    #[test]
    fn says_what_differs_and_how_much_of_it_is_not_shown() {
        let dirty = Verification {
            checks: vec![check(0, 0), check(120, 100), check(1, 1)],
        };
        assert_eq!(dirty.differences(), 121);
        let text = dirty.to_string();
        assert!(
            text.contains("acc_7: expected 1.00 USD, found 2.00 USD\n"),
            "{text}"
        );
        assert_eq!(text.matches("shown").count(), 1, "{text}");
        assert!(text.contains("100 of 120 shown"), "{text}");
        assert!(
            text.ends_with("3 checks of 1500 items: 121 DIFFERENCES"),
            "{text}"
        );
    }
}
