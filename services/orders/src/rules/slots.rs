//! Paid slots (MD-2, MD-4): how many slots a change has to pay for. Only numbers matter; no domain
//! is assigned to a slot.

use std::collections::BTreeSet;

use licet_domain::san::San;
use serde::{Deserialize, Serialize};

/// Numbers of domains, or of slots, by how they are priced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Slots {
    pub(crate) standard: u32,
    pub(crate) wildcard: u32,
}

impl Slots {
    /// Counts a set of domains.
    pub(crate) fn of(names: &BTreeSet<San>) -> Slots {
        let wildcard = names.iter().filter(|name| name.is_wildcard()).count();
        Slots {
            standard: count(names.len() - wildcard),
            wildcard: count(wildcard),
        }
    }

    /// Standard and wildcard together.
    pub(crate) fn total(self) -> u32 {
        self.standard.saturating_add(self.wildcard)
    }

    /// What is owned once `charged` is paid: charged slots stay with the order (MD-2), and
    /// converted standard slots are wildcard slots (MD-4).
    pub(crate) fn plus(self, charged: SlotCharge) -> Slots {
        let (new, taken) = (charged.standard, charged.converted);
        Slots {
            standard: self.standard.saturating_add(new).saturating_sub(taken),
            wildcard: self.wildcard.saturating_add(charged.wildcards()),
        }
    }

    /// What is owned once `charged` is credited (MD-7).
    pub(crate) fn minus(self, charged: SlotCharge) -> Slots {
        let (new, taken) = (charged.standard, charged.converted);
        Slots {
            standard: self.standard.saturating_add(taken).saturating_sub(new),
            wildcard: self.wildcard.saturating_sub(charged.wildcards()),
        }
    }
}

/// The slots to pay for, by how they are priced (MD-4).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SlotCharge {
    /// New standard slots, at the domain's price.
    pub(crate) standard: u32,
    /// New wildcard slots, at the wildcard's price.
    pub(crate) wildcard: u32,
    /// Standard slots that become wildcard slots, at the difference of both prices.
    pub(crate) converted: u32,
}

impl SlotCharge {
    /// Whether nothing is charged.
    pub(crate) fn is_zero(self) -> bool {
        self == SlotCharge::default()
    }

    /// The wildcard slots that it adds.
    pub(crate) fn wildcards(self) -> u32 {
        self.wildcard.saturating_add(self.converted)
    }
}

/// What a wildcard costs that takes a standard slot (MD-4): a policy, stored with the sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum WildcardReplacement {
    /// Nothing, and no slot changes: only the total counts.
    Free,
    /// The difference to a standard domain; the slot becomes a wildcard slot.
    Difference,
    /// The full price of a wildcard; the standard slot stays with the order.
    FullPrice,
}

/// The slots to pay for (MD-4). `owned` are the order's slots, including those in the product's
/// price; `wanted` counts the domains after the change; `wildcards_added` counts the wildcards
/// among the added domains.
///
/// Domains beyond the total owned are charged: as wildcards at most as many as the change adds and
/// no wildcard slot is owned for, the rest as standard domains. Any other added wildcard without a
/// wildcard slot takes a standard slot, and is charged by the policy.
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

/// A count of domains as u32. Requests are far smaller, so it never saturates.
pub(crate) fn count(names: usize) -> u32 {
    u32::try_from(names).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
