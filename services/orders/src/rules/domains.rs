//! Changing the names of an order (MD-1, MD-2, MD-5 to MD-7): what the names become, which slots
//! that charges, and the pin by which a quote belongs to exactly this change.

use std::collections::BTreeSet;

use licet_domain::{
    ids::OrderId,
    refusal::{Reason, Refusal},
    san::San,
};
use sha2::{Digest, Sha256};

use super::{
    order::{Order, Product, ProductKind, Sold},
    refusing::Objections,
    reissue::change_in_progress,
    san_license::name_limit,
    slots::{SlotCharge, Slots, count},
    transitions::changed_names,
};

/// The names to add and to remove, canonical already: case variants of one name are one name
/// here, and a name listed twice is listed once (MD-5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WantedChange {
    pub(crate) add: BTreeSet<San>,
    pub(crate) remove: BTreeSet<San>,
}

/// What a change of names comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DomainPlan {
    /// All names after the change, the common name among them.
    pub(crate) names: BTreeSet<San>,
    pub(crate) added: BTreeSet<San>,
    pub(crate) removed: BTreeSet<San>,
    /// The slots to pay for (MD-4); zero for a change that does not raise the total (MD-2).
    pub(crate) charge: SlotCharge,
    /// Those to pay for in the next term, where one is bought (MD-8).
    pub(crate) next_charge: SlotCharge,
    /// Binds a quote to this change of this revision of the order (MD-6).
    pub(crate) pin: String,
}

impl DomainPlan {
    /// Whether it costs nothing, in no term (MD-2).
    pub(crate) fn is_free(&self) -> bool {
        self.charge.is_zero() && self.next_charge.is_zero()
    }
}

/// Decides a change of names, or says everything that stands against it. A change that waits for
/// its certificate blocks the next one (MD-7); names that a renewal brought do not. Names drawn
/// from a SAN licence are not charged.
///
/// Where a next term is bought the names change in that one, too, and are charged there by what it
/// was sold with (MD-8).
pub(crate) fn plan_domain_change(
    order: &Order,
    wanted: &WantedChange,
) -> Result<DomainPlan, Refusal> {
    if let Some(waiting) = &order.change {
        return Err(change_in_progress(order, waiting));
    }

    let sold = order.sold()?;
    object_to_kind(&sold.product)?;
    let mut objections = Objections::default();
    object_to_names(order, &sold.product, wanted, &mut objections);
    let names = changed_names(order.term_names(), &wanted.add, &wanted.remove);
    let draws_on_license = order.san_license_id.is_some();
    let limit = name_limit(&sold.product, draws_on_license);
    object_to_number(&sold.product, limit, &names, &mut objections);
    let next = order.next_term.as_ref();
    let next = next.and_then(|next| next.names.as_ref().zip(next.sold.as_ref()));
    let next = next.map(|(before, sold)| {
        let after = changed_names(before, &wanted.add, &wanted.remove);
        (sold, before, after)
    });
    if let Some((next, before, after)) = &next {
        // What the running term refuses already is not said twice.
        if sold.product.wildcards_offered {
            object_to_wildcards(
                &next.product,
                wanted.add.difference(before),
                &mut objections,
            );
        }
        if count(names.len()) <= limit {
            let limit = name_limit(&next.product, draws_on_license);
            object_to_number(&next.product, limit, after, &mut objections);
        }
    }
    objections.refuse_if_any()?;

    if names == *order.term_names() {
        return Err(Refusal::new(
            Reason::NoChange,
            format!(
                "this leaves the {} names of order {} as they are",
                names.len(),
                order.id
            ),
        )
        .with("order_id", order.id));
    }
    let charge = |sold: &Sold, before: &BTreeSet<San>, after: &BTreeSet<San>| {
        if draws_on_license {
            return SlotCharge::default();
        }
        // The next term may have some of the added names already.
        let added = after.difference(before);
        let wildcards_added = count(added.filter(|name| name.is_wildcard()).count());
        let wanted = Slots::of(after);
        sold.product.charge(sold.slots, wanted, wildcards_added)
    };
    Ok(DomainPlan {
        charge: charge(sold, order.term_names(), &names),
        next_charge: next
            .map(|(sold, before, after)| charge(sold, before, &after))
            .unwrap_or_default(),
        pin: pin(order.id, order.revision, &names),
        names,
        added: wanted.add.clone(),
        removed: wanted.remove.clone(),
    })
}

/// Further names are sold by the slot for multi-domain products only.
fn object_to_kind(product: &Product) -> Result<(), Refusal> {
    let kind = match product.kind {
        ProductKind::MultiDomain => return Ok(()),
        ProductKind::SingleDomain => "SINGLE_DOMAIN",
        ProductKind::SanLicense => "SAN_LICENSE",
    };
    let id = product.id.as_str();
    Err(Refusal::new(
        Reason::ProductKindMismatch,
        format!("{id} is of kind {kind}: the names of its orders do not change"),
    )
    .with("product_id", id)
    .with("kind", kind))
}

/// Holds each name of the request against those that the order has. A name that is added and
/// removed at once fails one of the two, whichever of them it is.
fn object_to_names(
    order: &Order,
    product: &Product,
    wanted: &WantedChange,
    objections: &mut Objections,
) {
    for name in &wanted.add {
        if order.term_names().contains(name) {
            objections.add(
                Reason::DomainAlreadyPresent,
                name.value(),
                format!("{name} is one of the order's names already"),
            );
        }
        object_to_wildcards(product, [name], objections);
    }
    for name in &wanted.remove {
        if *name == order.common_name {
            objections
                .add(
                    Reason::CommonNameFixed,
                    name.value(),
                    format!("{name} is the order's common name and stays as long as the order"),
                )
                .with("common_name", name);
        } else if !order.term_names().contains(name) {
            objections.add(
                Reason::DomainNotPresent,
                name.value(),
                format!("{name} is not one of the order's names"),
            );
        }
    }
}

/// Holds the number of names against the limit for orders of the product, which counts the common name (MD-4).
pub(super) fn object_to_number(
    product: &Product,
    limit: u32,
    names: &BTreeSet<San>,
    objections: &mut Objections,
) {
    let number = count(names.len());
    if number > limit {
        let id = product.id.as_str();
        objections
            .add(
                Reason::TooManyDomains,
                id,
                format!("{number} names, the common name among them, where {id} allows {limit}"),
            )
            .with("product_id", id)
            .with("maximum", limit)
            .with("asked", number);
    }
}

/// Notes each wildcard among names that come, where the product sells none (MD-8: that of their term).
pub(super) fn object_to_wildcards<'a>(
    product: &Product,
    names: impl IntoIterator<Item = &'a San>,
    objections: &mut Objections,
) {
    if product.wildcards_offered {
        return;
    }
    let (id, version) = (product.id.as_str(), product.version);
    for name in names.into_iter().filter(|name| name.is_wildcard()) {
        objections
            .add(
                Reason::WildcardNotOffered,
                name.value(),
                format!("{name} is a wildcard, and {id} offers none in its version {version}"),
            )
            .with("product_id", id);
    }
}

/// SHA-256, in hex, over the order, its revision and the names after the change (MD-6). Names
/// hold no line break, so the text hashed is read back in one way only.
fn pin(order: OrderId, revision: u64, names: &BTreeSet<San>) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{order}\n{revision}\n"));
    for name in names {
        hash.update(name.value());
        hash.update("\n");
    }
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use licet_domain::ids::LicenseId;

    use super::{
        super::{
            order::{ChangeProgress, DomainChange},
            samples,
            slots::WildcardReplacement,
        },
        *,
    };

    fn change(add: &[&str], remove: &[&str]) -> WantedChange {
        WantedChange {
            add: samples::names(add),
            remove: samples::names(remove),
        }
    }

    fn kinds(refusal: &Refusal) -> Vec<(&str, &str)> {
        refusal
            .violations
            .iter()
            .map(|v| (v.kind.as_str(), v.subject.as_str()))
            .collect()
    }

    #[test]
    fn md_2_a_swap_is_free_and_md_1_a_fourth_name_is_charged() {
        let order = samples::order(&["example.com", "a.example.com", "b.example.com"]);
        let swap = plan_domain_change(&order, &change(&["c.example.com"], &["a.example.com"]));
        assert!(swap.unwrap().charge.is_zero());

        let more = plan_domain_change(&order, &change(&["c.example.com"], &[])).unwrap();
        assert_eq!(
            more.charge,
            SlotCharge {
                standard: 1,
                ..SlotCharge::default()
            }
        );
        assert_eq!(more.names.len(), 4);
    }

    #[test]
    fn md_8_each_term_is_charged_by_its_own_slots_and_limits() {
        let slots = |standard, wildcard| Slots { standard, wildcard };
        let charge = |standard, wildcard| SlotCharge {
            standard,
            wildcard,
            converted: 0,
        };
        let mut order = samples::order(&["example.com", "a.example.com", "b.example.com"]);
        let mut next = order.term.clone();
        next.index = 1;
        next.term = order.term.term.next(12).unwrap();
        next.names = Some(samples::names(&["example.com"]));
        order.next_term = Some(next);
        // Beyond what is paid today, and well within what is paid for the next term.
        let more = change(&["c.example.com", "*.example.com"], &[]);
        let plan = plan_domain_change(&order, &more).unwrap();
        assert_eq!(
            (plan.charge, plan.next_charge),
            (charge(1, 1), charge(0, 0))
        );
        assert!(!plan.is_free());
        // The other way round.
        order.term.sold.as_mut().unwrap().slots = slots(5, 0);
        let next = order.next_term.as_mut().unwrap();
        next.sold.as_mut().unwrap().slots = slots(1, 0);
        let plan = plan_domain_change(&order, &more).unwrap();
        let replaced = SlotCharge {
            converted: 1,
            ..charge(0, 0)
        };
        assert_eq!((plan.charge, plan.next_charge), (replaced, charge(1, 1)));
        // Each by its own policy (MD-4).
        let sold = order.term.sold.as_mut().unwrap();
        sold.product.wildcard_replacement = WildcardReplacement::Free;
        let plan = plan_domain_change(&order, &more).unwrap();
        assert_eq!(
            (plan.charge, plan.next_charge),
            (charge(0, 0), charge(1, 1))
        );
        // The next term may take fewer names than this one.
        let next = order.next_term.as_mut().unwrap();
        next.sold.as_mut().unwrap().product.max_domains = 2;
        let refusal = plan_domain_change(&order, &more).unwrap_err();
        assert_eq!(refusal.reason, Reason::TooManyDomains);
        let next = order.next_term.as_mut().unwrap();
        next.sold.as_mut().unwrap().product.wildcards_offered = false;
        let both = plan_domain_change(&order, &more).unwrap_err();
        assert_eq!(
            kinds(&both),
            [
                ("WILDCARD_NOT_OFFERED", "*.example.com"),
                ("TOO_MANY_DOMAINS", "multi-domain-dv")
            ]
        );
        assert_eq!(
            (
                refusal.violations.len(),
                refusal.metadata["maximum"].as_str()
            ),
            (1, "2")
        );
    }

    #[test]
    fn md_4_a_wildcard_that_the_next_term_has_already_is_not_added_there() {
        let mut order = samples::order(&["example.com"]);
        let mut next = order.term.clone();
        next.index = 1;
        next.term = order.term.term.next(12).unwrap();
        // Bought in the place of a standard name, and nothing is left.
        next.names = Some(samples::names(&["example.com", "*.example.com"]));
        next.sold.as_mut().unwrap().slots.standard = 2;
        order.next_term = Some(next);
        let plan = plan_domain_change(&order, &change(&["*.example.com", "c.example.com"], &[]));
        let one_standard = SlotCharge {
            standard: 1,
            ..SlotCharge::default()
        };
        assert_eq!(plan.unwrap().next_charge, one_standard);
    }

    #[test]
    fn md_4_a_cancelled_change_gives_converted_slots_back() {
        let slots = |standard, wildcard| Slots { standard, wildcard };
        let before = samples::order(&["example.com", "a.example.com", "b.example.com"]);
        let now = samples::instant("2026-07-01T00:00:00Z");
        let wanted = change(&["*.example.com", "*.a.example.com"], &["b.example.com"]);
        let plan = plan_domain_change(&before, &wanted).unwrap();
        let charged = before
            .clone()
            .apply_change(plan, None, now)
            .apply_change_charged(None, None, now);
        assert_eq!(charged.sold().unwrap().slots, slots(2, 2));
        let back = charged.apply_change_cancelled(now);
        assert_eq!(back.sold().unwrap().slots, slots(3, 0));
    }

    #[test]
    fn md_8_a_term_bought_after_a_change_keeps_the_names_it_was_bought_for() {
        let before = samples::order(&["example.com", "a.example.com"]);
        let now = samples::instant("2026-12-01T00:00:00Z");
        let plan = plan_domain_change(&before, &change(&["c.example.com"], &["a.example.com"]));
        let mut waiting = before.clone().apply_change(plan.unwrap(), None, now);
        let bought = samples::names(&["example.com", "a.example.com"]);
        let mut next = before.term.clone();
        next.index = 1;
        next.term = before.term.term.next(12).unwrap();
        next.names = Some(bought.clone());
        waiting.next_term = Some(next);
        let issued = waiting.clone().apply_issuance(now);
        assert_eq!(
            issued.names,
            samples::names(&["example.com", "c.example.com"])
        );
        assert_eq!(issued.next_term.unwrap().names, Some(bought.clone()));
        // The same where the change still waits when that term starts.
        let later = waiting.settled_at(before.term.term.end());
        assert_eq!(later.wanted_names(), &bought);
    }

    #[test]
    fn md_8_charged_slots_grow_in_both_terms_and_a_cancel_gives_both_back() {
        let slots = |standard| Slots {
            standard,
            wildcard: 0,
        };
        let mut before = samples::order(&["example.com", "a.example.com", "b.example.com"]);
        let mut next = before.term.clone();
        next.index = 1;
        next.term = before.term.term.next(12).unwrap();
        next.names = Some(before.names.clone());
        before.next_term = Some(next);
        let now = samples::instant("2026-12-01T00:00:00Z");
        let plan = plan_domain_change(&before, &change(&["c.example.com"], &[])).unwrap();
        let charged = before
            .clone()
            .apply_change(plan, None, now)
            .apply_change_charged(None, None, now);
        let owned = |order: &Order| {
            let next = order.next_term.as_ref().and_then(|term| term.sold.as_ref());
            (order.sold().unwrap().slots, next.map(|sold| sold.slots))
        };
        assert_eq!(owned(&charged), (slots(4), Some(slots(4))));
        let back = charged.clone().apply_change_cancelled(now);
        assert_eq!(owned(&back), (slots(3), Some(slots(3))));
        // Once the next term runs, what it was charged for is in that one.
        let later = charged.settled_at(before.term.term.end());
        assert_eq!(owned(&later), (slots(4), None));
        let back = later.apply_change_cancelled(now);
        assert_eq!(owned(&back), (slots(3), None));
        assert_eq!(back.wanted_names(), &before.names);
    }

    #[test]
    fn x_4_names_drawn_from_a_licence_are_not_charged() {
        let mut order = samples::order(&["example.com", "a.example.com", "b.example.com"]);
        order.san_license_id = Some(LicenseId::generate());
        let wanted = change(&["c.example.com", "*.example.com"], &[]);
        let plan = plan_domain_change(&order, &wanted).unwrap();
        assert_eq!((plan.charge.is_zero(), plan.names.len()), (true, 5));
    }

    #[test]
    fn md_5_case_and_the_trailing_dot_make_no_second_domain() {
        let order = samples::order(&["example.com"]);
        let plan = plan_domain_change(&order, &change(&["A.Example.com", "a.example.COM."], &[]));
        assert_eq!(plan.unwrap().added, samples::names(&["a.example.com"]));

        let refusal = plan_domain_change(&order, &change(&["Example.COM."], &[])).unwrap_err();
        assert_eq!(refusal.reason, Reason::DomainAlreadyPresent);
    }

    #[test]
    fn md_5_every_objection_is_named_at_once() {
        let mut order = samples::order(&["example.com", "a.example.com"]);
        order.term.sold.as_mut().unwrap().product.wildcards_offered = false;
        let wanted = change(
            &[
                "a.example.com",
                "*.example.com",
                "1.example.com",
                "2.example.com",
                "3.example.com",
            ],
            &["example.com", "nowhere.example.com"],
        );
        let refusal = plan_domain_change(&order, &wanted).unwrap_err();
        assert_eq!(
            kinds(&refusal),
            [
                ("WILDCARD_NOT_OFFERED", "*.example.com"),
                ("DOMAIN_ALREADY_PRESENT", "a.example.com"),
                ("COMMON_NAME_FIXED", "example.com"),
                ("DOMAIN_NOT_PRESENT", "nowhere.example.com"),
            ]
        );
        let refusal = plan_domain_change(
            &order,
            &change(
                &[
                    "1.example.com",
                    "2.example.com",
                    "3.example.com",
                    "4.example.com",
                ],
                &[],
            ),
        )
        .unwrap_err();
        assert_eq!(kinds(&refusal), [("TOO_MANY_DOMAINS", "multi-domain-dv")]);
        assert_eq!(refusal.metadata["maximum"], "5");
    }

    #[test]
    fn md_4_the_limit_counts_the_common_name() {
        let order = samples::order(&["example.com", "1.example.com", "2.example.com"]);
        let two = change(&["3.example.com", "4.example.com"], &[]);
        assert_eq!(plan_domain_change(&order, &two).unwrap().names.len(), 5);
    }

    #[test]
    fn a_single_domain_order_keeps_its_name() {
        let mut order = samples::order(&["example.com"]);
        order.term.sold.as_mut().unwrap().product = samples::single_domain();
        let refusal = plan_domain_change(&order, &change(&["a.example.com"], &[])).unwrap_err();
        assert_eq!(refusal.reason, Reason::ProductKindMismatch);
    }

    #[test]
    fn a_change_of_nothing_is_refused() {
        let order = samples::order(&["example.com"]);
        let refusal = plan_domain_change(&order, &change(&[], &[])).unwrap_err();
        assert_eq!(refusal.reason, Reason::NoChange);
    }

    #[test]
    fn md_7_a_second_change_waits_for_the_first() {
        let mut order = samples::order(&["example.com"]);
        order.change = Some(DomainChange {
            progress: ChangeProgress::AwaitingIssuance,
            term_index: 0,
            in_next_term: false,
            names: samples::names(&["example.com", "a.example.com"]),
            added: samples::names(&["a.example.com"]),
            removed: BTreeSet::new(),
            charge: SlotCharge::default(),
            next_charge: SlotCharge::default(),
            operation_id: None,
            charged: None,
            next_charged: None,
            accept_time: order.create_time,
        });
        let refusal = plan_domain_change(&order, &change(&["b.example.com"], &[])).unwrap_err();
        assert_eq!(refusal.reason, Reason::ChangeInProgress);
    }

    #[test]
    fn md_6_the_pin_follows_the_order_its_revision_and_the_names() {
        let order = samples::order(&["example.com"]);
        let one = plan_domain_change(&order, &change(&["a.example.com"], &[]))
            .unwrap()
            .pin;
        let same = plan_domain_change(&order, &change(&["A.example.com"], &[]))
            .unwrap()
            .pin;
        let other_names = plan_domain_change(&order, &change(&["b.example.com"], &[]))
            .unwrap()
            .pin;
        let mut later = order.clone();
        later.revision += 1;
        let later = plan_domain_change(&later, &change(&["a.example.com"], &[]))
            .unwrap()
            .pin;
        assert_eq!(one, same);
        assert_ne!(one, other_names);
        assert_ne!(one, later);
    }
}
