//! MD-1, MD-2, MD-4 to MD-8, X-4: what domain changes cost, and what is refused.

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
        common_name: None,
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
    // Beyond the total of the running term, within the total of the next.
    let more = change(&["c.example.com", "*.example.com"], &[]);
    let plan = plan_domain_change(&order, &more).unwrap();
    let replaced = SlotCharge {
        converted: 1,
        ..charge(0, 0)
    };
    assert_eq!((plan.charge, plan.next_charge), (charge(1, 1), replaced));
    assert!(!plan.is_free());
    // The other way round.
    order.term.sold.as_mut().unwrap().slots = slots(5, 0);
    let next = order.next_term.as_mut().unwrap();
    next.sold.as_mut().unwrap().slots = slots(1, 0);
    let plan = plan_domain_change(&order, &more).unwrap();
    assert_eq!((plan.charge, plan.next_charge), (replaced, charge(1, 1)));
    // Each by its own policy (MD-4).
    let sold = order.term.sold.as_mut().unwrap();
    sold.product.wildcard_replacement = WildcardReplacement::Free;
    let plan = plan_domain_change(&order, &more).unwrap();
    assert_eq!(
        (plan.charge, plan.next_charge),
        (charge(0, 0), charge(1, 1))
    );
    // The next term may allow fewer domains than this one.
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
    // Bought for a standard slot, with no slot left.
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
    // The same if the change is still pending when that term starts.
    let later = waiting.with_turns(before.term.term.end());
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
    let later = charged.with_turns(before.term.term.end());
    assert_eq!(owned(&later), (slots(4), None));
    let back = later.apply_change_cancelled(now);
    assert_eq!(owned(&back), (slots(3), None));
    assert_eq!(back.wanted_names(), &before.names);
}

#[test]
fn x_4_names_drawn_from_a_license_are_not_charged() {
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
        common_name: None,
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
