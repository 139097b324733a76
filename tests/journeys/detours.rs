//! MD-4: random detours of changes, over gRPC, never make domains cheaper than buying them at once.
//! LICET_TEST_SEED and LICET_TEST_START repeat a history; LICET_TEST_HISTORIES sets how many are played.

use licet_contracts::{
    billing::v1::WildcardReplacement,
    orders::v1::{CancelDomainChangeRequest, PlaceOrderRequest},
};

use super::{
    abuse::{LONGEST, Terms, seeds, start},
    random::Random,
};
use crate::harness::{Backend, request_id, run_within, samples::minor};

mod md_4_no_names_are_cheaper_by_a_detour_of_changes {
    use super::{Backend, LONGEST, detours, run_within};

    #[test]
    fn sqlite() {
        run_within(LONGEST, detours(Backend::Sqlite));
    }

    #[test]
    fn postgres() {
        run_within(LONGEST, detours(Backend::Postgres));
    }
}

/// Compares a purchase with a detour of changes at the same instant. The detour may be cheaper only by the
/// rounding of its amounts (M-2).
async fn detours(backend: Backend) {
    let world = start(backend).await;
    let mut dearer = 0;
    let seeds = seeds();
    for (number, seed) in seeds.iter().enumerate() {
        println!(
            "history {number}: LICET_TEST_SEED={seed} LICET_TEST_START={} repeat it",
            world.now()
        );
        let mut random = Random::from_seed(*seed);
        let mut terms = Terms::of(&mut random);
        if terms.replacement == WildcardReplacement::Free {
            terms.replacement = WildcardReplacement::Difference;
        }
        let product_id = terms.stock(&world).await;
        let account_id = world.account_with("9999.00").await;
        let all = [
            "a.test", "b.test", "c.test", "*.a.test", "*.b.test", "*.c.test",
        ];
        // Half of the orders start with standard domains only and replace them with wildcards.
        let only_swaps = random.below(2) == 0;
        let bought = |name: &str, chance: u64| match only_swaps {
            true => !name.starts_with('*'),
            false => chance == 0,
        };
        let domains = all.into_iter().filter(|name| bought(name, random.below(2)));
        let domains = domains.map(str::to_owned).collect();
        let mut place = PlaceOrderRequest {
            account_id: account_id.clone(),
            product_id,
            term_months: 12,
            common_name: "cn.test".to_owned(),
            domains,
            server_software: "nginx".to_owned(),
            request_id: request_id(),
            ..PlaceOrderRequest::default()
        };
        let mut order = world.place(place.clone()).await;
        world.record(&order.order_id).await;
        for _ in 0..1 + random.below(4) {
            let has = order.current_term.as_ref().unwrap().domains.clone();
            let (mut add, mut remove) = (vec![], vec![]);
            for name in all {
                let there = has.iter().any(|it| it == name);
                let changes = random.below(2) == 0;
                let permitted = !only_swaps || there != name.starts_with('*');
                if changes && permitted {
                    let list = if there { &mut remove } else { &mut add };
                    list.push(name);
                }
            }
            if only_swaps {
                let pairs = add.len().min(remove.len());
                add.truncate(pairs);
                remove.truncate(pairs);
            }
            if add.is_empty() && remove.is_empty() {
                continue;
            }
            world.update_domains(&order.order_id, &add, &remove).await;
            // Cancels some changes, whose charges are credited (MD-7).
            if random.below(4) == 0 {
                let request = CancelDomainChangeRequest {
                    order_id: order.order_id.clone(),
                    request_id: request_id(),
                    ..CancelDomainChangeRequest::default()
                };
                world.orders().cancel_domain_change(request).await.unwrap();
            } else {
                world.record(&order.order_id).await;
            }
            order = world.get_order(&order.order_id).await;
        }
        let detour: i64 = world
            .invoices_of(&order.order_id)
            .await
            .iter()
            .map(|it| minor(it.total.as_ref()) - minor(it.credited.as_ref()))
            .sum();
        let has = &order.current_term.as_ref().unwrap().domains;
        place.domains = has.iter().filter(|it| *it != "cn.test").cloned().collect();
        place.validate_only = true;
        let at_once = world
            .orders()
            .place_order(place)
            .await
            .unwrap()
            .into_inner();
        let at_once = minor(at_once.quote.unwrap().total.as_ref());
        assert!(
            detour >= at_once,
            "MD-4: {detour} by a detour, {at_once} at once: {has:?}"
        );
        dearer += u32::from(detour > at_once);
    }
    assert!(
        seeds.len() < 60 || dearer > 0,
        "no detour was dearer: slots that were paid and left must cost something"
    );
}
