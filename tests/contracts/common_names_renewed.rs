//! MD-5, AL-6: a term is bought while a move of the common name waits. If the move is cancelled, neither term
//! shows it, then or when the next one starts.

use licet_contracts::orders::v1::{Order, RenewOrderRequest, Server};

use super::{
    common_names::{cancel, certificate, moving, pending, servers, update},
    domains::Issued,
    renewal::{move_to_days_before_end, renew, renewal},
};
use crate::harness::{
    Backend,
    clock::instant,
    errors::refused,
    on_both_databases,
    samples::{multi_domain_request, names, shown, single_domain_request},
    world::World,
};

on_both_databases![
    md_5_a_single_domain_order_keeps_the_name_of_its_first_certificate,
    md_5_a_move_cancelled_in_the_new_term_leaves_it,
    md_5_a_cancelled_move_leaves_the_next_term,
    al_6_after_a_move_is_cancelled_further_servers_come,
    al_6_a_move_that_is_made_is_made_in_the_next_term,
    md_4_a_wildcard_that_may_come_back_is_paid_for,
];

const LIST: [&str; 3] = ["cn.example", "a.example", "b.example"];

/// The common name and the domains of the next term.
fn next_names(order: &Order) -> (&str, &[String]) {
    let next = order.next_term.as_ref().unwrap();
    (&next.common_name, &next.domains)
}

/// A paid single-domain order whose next term was bought while its common name waited to move.
async fn single(backend: Backend) -> (World, Order) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let order = world.place(single_domain_request(&account_id, 0)).await;
    move_to_days_before_end(&world, &order, 31);
    let old = order.common_name.as_str();
    update(
        &world,
        moving(&order, "new.example", &["new.example"], &[old]),
    )
    .await;
    let renewed = renew(&world, renewal(&order, 12)).await.order.unwrap();
    let new = names(&["new.example"]);
    assert_eq!(next_names(&renewed), ("new.example", new.as_slice()));
    (world, order)
}

/// The order has only its old domain and awaits no certificate.
async fn stands(world: &World, order: &Order) {
    let old = order.common_name.as_str();
    let found = world.get_order(&order.order_id).await;
    assert_eq!(found.common_name, old);
    assert_eq!(found.domains, [old]);
    let term = found.current_term.unwrap();
    assert_eq!(
        (term.common_name.as_str(), term.domains),
        (old, names(&[old]))
    );
    assert_eq!(found.pending_change, None);
    assert_eq!(pending(world).await, vec![]);
}

async fn md_5_a_single_domain_order_keeps_the_name_of_its_first_certificate(backend: Backend) {
    let (world, order) = single(backend).await;
    cancel(&world, &order).await;
    let old = order.common_name.as_str();
    let back = world.get_order(&order.order_id).await;
    assert_eq!(next_names(&back), (old, names(&[old]).as_slice()));
    certificate(&world, &order, &[old]).await.unwrap();
    stands(&world, &order).await;
    world.time.move_to(instant(order.end_time));
    stands(&world, &order).await;
}

async fn md_5_a_move_cancelled_in_the_new_term_leaves_it(backend: Backend) {
    let (world, order) = single(backend).await;
    world.time.move_to(instant(order.end_time));
    assert_eq!(pending(&world).await[0].names, names(&["new.example"]));
    cancel(&world, &order).await;
    let old = order.common_name.as_str();
    let asked = pending(&world).await;
    assert_eq!(
        (asked[0].common_name.as_str(), &asked[0].names),
        (old, &names(&[old]))
    );
    certificate(&world, &order, &["new.example"])
        .await
        .unwrap_err();
    certificate(&world, &order, &[old]).await.unwrap();
    stands(&world, &order).await;
}

/// An order with two domains besides its common name, an additional licence and its primary server. It is
/// renewed for one domain while its common name waits to move from there to another.
async fn moving_and_renewed(backend: Backend) -> (World, Order) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let mut request = multi_domain_request(&account_id, &LIST);
    request.additional_licenses = 1;
    let order = world.place(request).await;
    world.record(&order.order_id).await;
    let first = world.server(&order, "one");
    world.servers().register_server(first).await.unwrap();
    move_to_days_before_end(&world, &order, 31);
    update(&world, moving(&order, "a.example", &[], &["cn.example"])).await;
    let request = RenewOrderRequest {
        domains: names(&["b.example"]),
        additional_licenses: 1,
        ..renewal(&order, 12)
    };
    let renewed = renew(&world, request).await.order.unwrap();
    let with_the_move = names(&["a.example", "b.example"]);
    assert_eq!(
        next_names(&renewed),
        ("a.example", with_the_move.as_slice())
    );
    (world, order)
}

async fn md_5_a_cancelled_move_leaves_the_next_term(backend: Backend) {
    let (world, order) = moving_and_renewed(backend).await;
    cancel(&world, &order).await;
    // The old common name replaces the new one, so the number of paid domains stays the same.
    let back = world.get_order(&order.order_id).await;
    let without = names(&["b.example", "cn.example"]);
    assert_eq!(next_names(&back), ("cn.example", without.as_slice()));
    world.time.move_to(instant(order.end_time));
    let asked = pending(&world).await;
    assert_eq!(
        (asked[0].common_name.as_str(), &asked[0].names),
        ("cn.example", &without)
    );
    world.record(&order.order_id).await;
    let started = world.get_order(&order.order_id).await;
    assert_eq!(
        (started.common_name.as_str(), started.domains),
        ("cn.example", without)
    );
}

async fn al_6_after_a_move_is_cancelled_further_servers_come(backend: Backend) {
    let (world, order) = moving_and_renewed(backend).await;
    let second = world.server(&order, "two");
    let beside = refused(world.servers().register_server(second).await);
    assert_eq!(beside.reason, "CHANGE_IN_PROGRESS");
    cancel(&world, &order).await;
    let second = world.server(&order, "two");
    world.servers().register_server(second).await.unwrap();
    world.time.move_to(instant(order.end_time));
    serve(&world, &order, "cn.example").await;
    world.record(&order.order_id).await;
    serve(&world, &order, "cn.example").await;
}

/// Every server of the order serves this common name (AL-6).
async fn serve(world: &World, order: &Order, common_name: &str) {
    let found = world.get_order(&order.order_id).await;
    assert_eq!(found.common_name, common_name);
    let all: Vec<Server> = servers(world, order).await;
    let serving: Vec<_> = all.iter().map(|it| it.common_name.as_str()).collect();
    assert_eq!(serving, [common_name; 2]);
}

async fn al_6_a_move_that_is_made_is_made_in_the_next_term(backend: Backend) {
    let (world, order) = moving_and_renewed(backend).await;
    world.record(&order.order_id).await;
    let moved = world.get_order(&order.order_id).await;
    let with_the_move = names(&["a.example", "b.example"]);
    assert_eq!(next_names(&moved), ("a.example", with_the_move.as_slice()));
    let second = world.server(&moved, "two");
    world.servers().register_server(second).await.unwrap();
    world.time.move_to(instant(order.end_time));
    serve(&world, &order, "a.example").await;
    assert_eq!(pending(&world).await, vec![]);
}

async fn md_4_a_wildcard_that_may_come_back_is_paid_for(backend: Backend) {
    let issued = Issued::new(backend, &["*.cn.example", "a.example"]).await;
    let Issued { world, order, .. } = &issued;
    world.deposit(&issued.account_id, "1000.00").await;
    move_to_days_before_end(world, order, 31);
    update(world, moving(order, "a.example", &[], &["*.cn.example"])).await;
    let preview = RenewOrderRequest {
        validate_only: true,
        ..renewal(order, 12)
    };
    let preview = renew(world, preview).await;
    let answer = renew(world, renewal(order, 12)).await;
    // The certificate, and a wildcard in place of the included domain.
    assert_eq!(shown(answer.quote.unwrap().total.as_ref()), "198.00 USD");
    let (term, previewed) = (answer.term.unwrap(), preview.term.unwrap());
    assert_eq!(term.domains, names(&["a.example"]));
    assert_eq!(term.domains, previewed.domains);
    assert_eq!(term.common_name, previewed.common_name);
    assert_eq!(term.paid_wildcard_domains, 1);
    cancel(world, order).await;
    let back = world.get_order(&order.order_id).await;
    let wildcard = names(&["*.cn.example"]);
    assert_eq!(next_names(&back), ("*.cn.example", wildcard.as_slice()));
}
