//! Counting paid slots (MD-2, MD-4): how many further names a change has to pay for. Counts only;
//! which name sits in which slot is never asked.

use std::collections::BTreeSet;

use licet_domain::san::San;
use serde::{Deserialize, Serialize};

/// A number of names by how they are priced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Slots {
    pub(crate) standard: u32,
    pub(crate) wildcard: u32,
}

impl Slots {
    /// Counts a set of names.
    pub(crate) fn of(names: &BTreeSet<San>) -> Slots {
        let wildcard = names.iter().filter(|name| name.is_wildcard()).count();
        Slots {
            standard: count(names.len() - wildcard),
            wildcard: count(wildcard),
        }
    }

    /// Standard and wildcard names together.
    pub(crate) fn total(self) -> u32 {
        self.standard.saturating_add(self.wildcard)
    }

    /// Nothing at all: a change that charges this is free.
    pub(crate) fn is_zero(self) -> bool {
        self.total() == 0
    }

    /// What is owned once `charged` is paid for: charged slots stay with the order (MD-2).
    pub(crate) fn plus(self, charged: Slots) -> Slots {
        Slots {
            standard: self.standard.saturating_add(charged.standard),
            wildcard: self.wildcard.saturating_add(charged.wildcard),
        }
    }

    /// What is owned once the charge for `charged` is given back (MD-7).
    pub(crate) fn minus(self, charged: Slots) -> Slots {
        Slots {
            standard: self.standard.saturating_sub(charged.standard),
            wildcard: self.wildcard.saturating_sub(charged.wildcard),
        }
    }
}

/// The slots to pay for (MD-4). `owned` are the slots that the order has, the included ones among
/// them; `wanted` the names after the change; `wildcards_added` how many of the names that the
/// change brings are wildcards.
///
/// Only what goes beyond the total owned is charged; of that, as wildcards at most what the change
/// brings and what is not owned as wildcards already, and the rest as standard names.
pub(crate) fn slots_to_charge(owned: Slots, wanted: Slots, wildcards_added: u32) -> Slots {
    let beyond = wanted.total().saturating_sub(owned.total());
    let wildcards_short = wanted.wildcard.saturating_sub(owned.wildcard);
    let wildcard = beyond.min(wildcards_short).min(wildcards_added);
    Slots {
        standard: beyond - wildcard,
        wildcard,
    }
}

/// A count of names as u32. Requests are bounded far below its end, so it never saturates.
pub(crate) fn count(names: usize) -> u32 {
    u32::try_from(names).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn slots(standard: u32, wildcard: u32) -> Slots {
        Slots { standard, wildcard }
    }

    #[test]
    fn md_4_worked_cases() {
        // (owned, wanted, wildcards added, charged, why)
        let cases = [
            (
                slots(3, 0),
                slots(3, 0),
                0,
                slots(0, 0),
                "as many as are owned",
            ),
            (
                slots(3, 0),
                slots(1, 0),
                0,
                slots(0, 0),
                "fewer than are owned",
            ),
            (
                slots(3, 0),
                slots(4, 0),
                0,
                slots(1, 0),
                "one standard name more",
            ),
            (
                slots(3, 0),
                slots(3, 1),
                1,
                slots(0, 1),
                "one wildcard more",
            ),
            (
                slots(3, 0),
                slots(2, 1),
                1,
                slots(0, 0),
                "a wildcard in a standard name's place",
            ),
            (
                slots(3, 0),
                slots(2, 2),
                2,
                slots(0, 1),
                "two wildcards, one beyond the total",
            ),
            (
                slots(3, 1),
                slots(4, 1),
                0,
                slots(1, 0),
                "the wildcard is owned already",
            ),
            (
                slots(3, 1),
                slots(4, 1),
                1,
                slots(1, 0),
                "a wildcard swapped, a standard name more",
            ),
            (
                slots(3, 1),
                slots(5, 0),
                0,
                slots(1, 0),
                "a standard name in a wildcard's place",
            ),
            (
                slots(2, 0),
                slots(2, 2),
                1,
                slots(1, 1),
                "a wildcard that once was free counts now",
            ),
            (slots(0, 0), slots(1, 1), 1, slots(1, 1), "nothing owned"),
        ];
        for (owned, wanted, added, expected, why) in cases {
            assert_eq!(slots_to_charge(owned, wanted, added), expected, "{why}");
        }
    }

    #[test]
    fn md_2_removed_today_added_later_is_free() {
        let owned = slots(5, 0);
        assert!(slots_to_charge(owned, slots(3, 0), 0).is_zero());
        assert!(slots_to_charge(owned, slots(5, 0), 0).is_zero());
    }

    proptest! {
        #[test]
        fn md_4_only_the_rise_of_the_total_is_charged(
            s in 0u32..50, w in 0u32..50, a in 0u32..50, b in 0u32..50, added in 0u32..50,
        ) {
            let charged = slots_to_charge(slots(s, w), slots(a, b), added);
            prop_assert_eq!(charged.total(), (a + b).saturating_sub(s + w));
            prop_assert!(charged.wildcard <= added);
            prop_assert!(charged.wildcard <= b.saturating_sub(w));
        }

        #[test]
        fn md_2_what_was_charged_is_not_charged_again(
            s in 0u32..50, w in 0u32..50, a in 0u32..50, b in 0u32..50, added in 0u32..50,
        ) {
            let owned = slots(s, w);
            let after = owned.plus(slots_to_charge(owned, slots(a, b), added));
            prop_assert!(slots_to_charge(after, slots(a, b), added).is_zero());
        }
    }
}
