//! MD-2, MD-4, MD-7: which slots a domain change charges, and that no detour is cheaper.

use std::collections::BTreeSet;

use WildcardReplacement::{Difference, Free, FullPrice};
use proptest::prelude::*;

use super::*;

const POLICIES: [WildcardReplacement; 3] = [Free, Difference, FullPrice];

fn slots(standard: u32, wildcard: u32) -> Slots {
    Slots { standard, wildcard }
}

fn charge([standard, wildcard, converted]: [u32; 3]) -> SlotCharge {
    SlotCharge {
        standard,
        wildcard,
        converted,
    }
}

#[test]
fn md_4_worked_cases() {
    // (owned, wanted, wildcards added, then under FREE, DIFFERENCE and FULL_PRICE: new standard
    // slots, new wildcard slots, standard slots that become wildcard ones, why)
    let none = [0, 0, 0];
    let one = [1, 0, 0];
    let cases = [
        (
            slots(3, 0),
            slots(3, 0),
            0,
            [none; 3],
            "as many as are owned",
        ),
        (
            slots(3, 0),
            slots(1, 0),
            0,
            [none; 3],
            "fewer than are owned",
        ),
        (
            slots(3, 0),
            slots(4, 0),
            0,
            [one; 3],
            "one standard name more",
        ),
        (
            slots(3, 0),
            slots(3, 1),
            1,
            [[0, 1, 0]; 3],
            "one wildcard more",
        ),
        (
            slots(3, 0),
            slots(2, 1),
            1,
            [none, [0, 0, 1], [0, 1, 0]],
            "a wildcard in a standard name's place",
        ),
        (
            slots(3, 0),
            slots(0, 3),
            3,
            [none, [0, 0, 3], [0, 3, 0]],
            "three wildcards in the place of what is included",
        ),
        (
            slots(3, 0),
            slots(2, 2),
            2,
            [[0, 1, 0], [0, 1, 1], [0, 2, 0]],
            "two wildcards, one beyond the total",
        ),
        (
            slots(3, 1),
            slots(2, 2),
            1,
            [none, [0, 0, 1], [0, 1, 0]],
            "a second wildcard in a standard name's place",
        ),
        (
            slots(3, 1),
            slots(4, 1),
            0,
            [one; 3],
            "the wildcard is owned",
        ),
        (
            slots(3, 1),
            slots(4, 1),
            1,
            [one; 3],
            "a wildcard swapped, a standard name more",
        ),
        (
            slots(3, 1),
            slots(4, 0),
            0,
            [none; 3],
            "a standard name in a wildcard slot",
        ),
        (slots(3, 1), slots(5, 0), 0, [one; 3], "and one beyond it"),
        (
            slots(2, 0),
            slots(2, 2),
            1,
            [[1, 1, 0]; 3],
            "a wildcard that was free in an earlier term counts now",
        ),
        (slots(0, 0), slots(1, 1), 1, [[1, 1, 0]; 3], "nothing owned"),
    ];
    for (owned, wanted, added, expected, why) in cases {
        for (policy, expected) in POLICIES.into_iter().zip(expected) {
            let found = slots_to_charge(policy, owned, wanted, added);
            assert_eq!(found, charge(expected), "{why}, {policy:?}");
        }
    }
}

#[test]
fn md_4_what_is_owned_after_a_replacement() {
    let owned = slots(3, 0);
    let after = |policy| owned.plus(slots_to_charge(policy, owned, slots(2, 1), 1));
    assert_eq!(after(Free), slots(3, 0), "no slot changes");
    assert_eq!(after(Difference), slots(2, 1), "it becomes a wildcard slot");
    assert_eq!(after(FullPrice), slots(3, 1), "the standard slot stays");
}

#[test]
fn md_2_removed_today_added_later_is_free() {
    let owned = slots(5, 0);
    for policy in POLICIES {
        assert!(slots_to_charge(policy, owned, slots(3, 0), 0).is_zero());
        assert!(slots_to_charge(policy, owned, slots(5, 0), 0).is_zero());
    }
}

/// An order's domains and slots, and what was paid for them. At one instant every price is prorated
/// by the same fraction, so prices for the whole term compare the costs of changes exactly.
#[derive(Clone, Debug)]
struct Standing {
    policy: WildcardReplacement,
    /// Of a domain and of a wildcard.
    prices: (u64, u64),
    names: BTreeSet<u8>,
    owned: Slots,
    paid: u64,
}

/// Names from this number on are wildcards.
const FIRST_WILDCARD: u8 = 7;
const NAMES: u8 = 12;

impl Standing {
    fn changed_to(&self, names: &BTreeSet<u8>) -> Self {
        let wildcards = |names: &mut dyn Iterator<Item = &u8>| {
            count(names.filter(|name| **name >= FIRST_WILDCARD).count())
        };
        let wildcard = wildcards(&mut names.iter());
        let wanted = slots(count(names.len()) - wildcard, wildcard);
        let added = wildcards(&mut names.difference(&self.names));
        let charge = slots_to_charge(self.policy, self.owned, wanted, added);
        let (domain, wildcard) = self.prices;
        let total = u64::from(charge.standard) * domain
            + u64::from(charge.wildcard) * wildcard
            + u64::from(charge.converted) * (wildcard - domain);
        Self {
            names: names.clone(),
            owned: self.owned.plus(charge),
            paid: self.paid + total,
            ..self.clone()
        }
    }
}

fn some_names() -> impl Strategy<Value = BTreeSet<u8>> {
    prop::collection::btree_set(0..NAMES, 1..8)
}

/// The formula of the rule before there were policies.
fn by_the_total_alone(owned: Slots, wanted: Slots, added: u32) -> SlotCharge {
    let (s, w) = (i64::from(owned.standard), i64::from(owned.wildcard));
    let (a, b) = (i64::from(wanted.standard), i64::from(wanted.wildcard));
    let x = (a + b - s - w).max(0);
    let y = x.min((b - w).max(0)).min(i64::from(added));
    let count = |number: i64| u32::try_from(number).unwrap();
    charge([count(x - y), count(y), 0])
}

proptest! {
    #[test]
    fn md_4_free_lets_the_total_alone_decide(
        s in 0u32..50, w in 0u32..50, a in 0u32..50, b in 0u32..50, added in 0u32..50,
    ) {
        let charged = slots_to_charge(Free, slots(s, w), slots(a, b), added);
        prop_assert_eq!(charged, by_the_total_alone(slots(s, w), slots(a, b), added));
    }

    #[test]
    fn md_4_only_what_the_change_brings_is_charged(
        s in 0u32..50, w in 0u32..50, a in 0u32..50, b in 0u32..50, added in 0u32..50,
    ) {
        for policy in POLICIES {
            let charged = slots_to_charge(policy, slots(s, w), slots(a, b), added);
            let beyond = (a + b).saturating_sub(s + w);
            prop_assert!(charged.standard <= beyond);
            prop_assert!(charged.standard + charged.wildcards() >= beyond);
            prop_assert!(charged.wildcards() <= added);
            prop_assert!(charged.wildcards() <= b.saturating_sub(w));
            prop_assert!(charged.converted <= s);
        }
    }

    #[test]
    fn md_2_what_was_charged_is_not_charged_again(
        s in 0u32..50, w in 0u32..50, a in 0u32..50, added in 0u32..50, covered in 0u32..50,
    ) {
        // Every wildcard has a slot, or is added by the change.
        let wanted = slots(a, added + covered.min(w));
        for policy in POLICIES {
            let owned = slots(s, w);
            let charged = slots_to_charge(policy, owned, wanted, added);
            let after = owned.plus(charged);
            prop_assert!(slots_to_charge(policy, after, wanted, added).is_zero(), "{:?}", policy);
            // MD-7: a cancellation removes exactly those slots, including converted ones.
            prop_assert_eq!(after.minus(charged), owned);
        }
    }

    /// MD-4: under DIFFERENCE and FULL_PRICE, no detour of changes makes a set of domains cheaper
    /// than buying it at once, from nothing or from an existing order.
    #[test]
    fn md_4_no_detour_is_cheaper(
        included in 1u32..5,
        domain in 0u64..1_000,
        more in 0u64..1_000,
        first in some_names(),
        detour in prop::collection::vec(some_names(), 0..6),
        last in some_names(),
        policy in prop::sample::select(vec![Difference, FullPrice]),
    ) {
        let nothing = Standing {
            policy,
            prices: (domain, domain + more),
            names: BTreeSet::new(),
            owned: slots(included, 0),
            paid: 0,
        };
        let placed = nothing.changed_to(&first);
        let around = detour.iter().fold(placed.clone(), |it, names| it.changed_to(names));
        let around = around.changed_to(&last);
        prop_assert!(around.paid >= placed.changed_to(&last).paid, "{:?}", around);
        prop_assert!(around.paid >= nothing.changed_to(&last).paid, "{:?}", around);
        // Every domain has a slot.
        prop_assert!(count(last.len()) <= around.owned.total());
        let wildcards = last.iter().filter(|name| **name >= FIRST_WILDCARD).count();
        prop_assert!(count(wildcards) <= around.owned.wildcard);
    }
}
