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

    /// What is owned once `charged` is paid for: charged slots stay with the order (MD-2), and the
    /// standard ones that wildcards took for the difference are wildcard slots (MD-4).
    pub(crate) fn plus(self, charged: SlotCharge) -> Slots {
        let (new, taken) = (charged.standard, charged.converted);
        Slots {
            standard: self.standard.saturating_add(new).saturating_sub(taken),
            wildcard: self.wildcard.saturating_add(charged.wildcards()),
        }
    }

    /// What is owned once the charge for `charged` is given back (MD-7).
    pub(crate) fn minus(self, charged: SlotCharge) -> Slots {
        let (new, taken) = (charged.standard, charged.converted);
        Slots {
            standard: self.standard.saturating_add(taken).saturating_sub(new),
            wildcard: self.wildcard.saturating_sub(charged.wildcards()),
        }
    }
}

/// The slots that are to be paid for, by how they are priced (MD-4).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SlotCharge {
    /// New standard slots, at the domain's price.
    pub(crate) standard: u32,
    /// New wildcard slots, at the wildcard's price.
    pub(crate) wildcard: u32,
    /// Standard slots that become wildcard ones, at the difference of both prices.
    pub(crate) converted: u32,
}

impl SlotCharge {
    /// Nothing at all: a change that charges this is free.
    pub(crate) fn is_zero(self) -> bool {
        self == SlotCharge::default()
    }

    /// The wildcard slots that it brings.
    pub(crate) fn wildcards(self) -> u32 {
        self.wildcard.saturating_add(self.converted)
    }
}

/// What a wildcard costs that takes the place of a standard slot (MD-4): policy, pinned when sold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum WildcardReplacement {
    /// Nothing, and no slot changes: the total alone decides.
    Free,
    /// What it costs more than a standard domain; the slot becomes a wildcard slot.
    Difference,
    /// The wildcard's price; the standard slot stays with the order.
    FullPrice,
}

/// The slots to pay for (MD-4). `owned` are the slots that the order has, the included ones among
/// them; `wanted` the names after the change; `wildcards_added` how many of the names that the
/// change brings are wildcards.
///
/// What goes beyond the total owned is charged; of that, as wildcards at most what the change brings
/// and what is not owned as wildcards already, and the rest as standard names. The wildcards that the
/// change brings beyond these, and for which no wildcard slot is owned, take the place of standard
/// slots, and are charged by the policy.
pub(crate) fn slots_to_charge(
    policy: WildcardReplacement,
    owned: Slots,
    wanted: Slots,
    wildcards_added: u32,
) -> SlotCharge {
    let beyond = wanted.total().saturating_sub(owned.total());
    let wildcards_short = wanted.wildcard.saturating_sub(owned.wildcard);
    let wildcard = beyond.min(wildcards_short).min(wildcards_added);
    let in_a_domains_place = (wildcards_short - wildcard).min(wildcards_added - wildcard);
    let charge = SlotCharge {
        standard: beyond - wildcard,
        wildcard,
        converted: 0,
    };
    match policy {
        WildcardReplacement::Free => charge,
        WildcardReplacement::Difference => SlotCharge {
            converted: in_a_domains_place,
            ..charge
        },
        WildcardReplacement::FullPrice => SlotCharge {
            wildcard: wildcard.saturating_add(in_a_domains_place),
            ..charge
        },
    }
}

/// A count of names as u32. Requests are bounded far below its end, so it never saturates.
pub(crate) fn count(names: usize) -> u32 {
    u32::try_from(names).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
