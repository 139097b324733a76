//! Upgrades the stores of earlier versions, which tests/stores has as SQL text: this version reads everything
//! in them and continues to work on them.

use std::path::Path;

use licet_contracts::{
    billing::v1::{GetProductRequest, WildcardReplacement},
    orders::v1::{Order, OrderState},
};

use crate::harness::{
    Backend, eventually,
    old_store::{KeptStore, answers, fill, keep, placing, put_back},
    on_both_databases,
    process::{database_option, licet},
    samples::{MULTI, multi_domain_request},
    world::World,
};

on_both_databases![
    stores_of_before_stores_had_ids_are_taken_over,
    stores_of_this_version_can_be_kept_for_later_ones,
];

/// Fails unless every earlier line is still there, in order. New lines may be in between, and a usage's
/// version may have moved with the upgrade.
fn says_the_same(what: &str, then: &str, now: &str) {
    let mut said = now.lines();
    let counts_changes = |line: &&str| what.starts_with("usage") && line.starts_with("version: ");
    for line in then.lines().filter(|line| !counts_changes(line)) {
        assert!(
            said.any(|other| other == line),
            "{what}: {line:?} is missing from\n{now}\nwhich was\n{then}"
        );
    }
}

fn verify(world: &World) {
    let database = database_option(&world.billing_location());
    let output = licet(&["verify", "--billing-database", &database]);
    assert!(output.status.success(), "{output:?}");
}

async fn paid(world: &World, order_id: &str) -> Order {
    eventually("the order is paid", || async {
        let order = world.get_order(order_id).await;
        (order.state() == OrderState::Paid).then_some(order)
    })
    .await
}

async fn stores_of_before_stores_had_ids_are_taken_over(backend: Backend) {
    const VERSION: &str = "before_store_ids";
    let kept = KeptStore::load(VERSION, backend);
    let mut world = World::empty_at(backend, kept.now()).await;
    put_back(&world, VERSION, backend).await;
    world.start_billing().await;
    world.start_san_licensing().await;
    world.start_orders().await;

    let found = answers(&world, &kept).await;
    for (what, then) in &kept.answers {
        says_the_same(what, then, &found[what]);
    }
    verify(&world);
    // MD-4, BL-8: a product version older than the policy still means FREE.
    let ask = GetProductRequest {
        product_id: MULTI.to_owned(),
        selection: None,
    };
    let product = world.catalog().get_product(ask).await.unwrap();
    let policy = product.into_inner().product.unwrap().policy.unwrap();
    assert_eq!(policy.wildcard_replacement(), WildcardReplacement::Free);
    // A repeat gets its earlier response, and pending operations end, once.
    let buyer = kept.id("buyer");
    let balance = world.balance(&buyer).await;
    let repeated = world.place(placing(&kept)).await;
    assert_eq!(repeated.order_id, kept.id("order paid"));
    assert_eq!(world.balance(&buyer).await, balance);
    let waiting = kept.id("order waiting");
    paid(&world, &waiting).await;
    assert_eq!(world.invoices_of(&waiting).await.len(), 1);

    go_on(&world, &kept).await;
    verify(&world);
}

/// Does each kind of work, on stored resources and on new ones.
async fn go_on(world: &World, kept: &KeptStore) {
    world.record(&kept.id("order paid")).await;
    world.record(&kept.id("order changing")).await;
    let fresh = multi_domain_request(&kept.id("buyer"), &["fresh.example"]);
    let fresh = world.place(fresh).await;
    world.record(&fresh.order_id).await;
    let license = world.get_license(&kept.id("license")).await;
    let before = world.usage(&license).await;
    world.recorded(&license, &["fresh.example"]).await;
    world.granted(&license, &["later.example"]).await;
    let after = world.usage(&license).await;
    assert_eq!(after.used, before.used + 1);
    assert_eq!(after.reserved, before.reserved + 1);
    world.increase(&license, license.quota + 5).await;
}

/// If the environment names a folder, the stores are written to a new folder in it.
async fn stores_of_this_version_can_be_kept_for_later_ones(backend: Backend) {
    let (world, kept) = fill(backend).await;
    let folder = tempfile::tempdir().unwrap();
    let named = std::env::var_os("LICET_TEST_KEEP_STORES");
    let folder = named.as_deref().map_or(folder.path(), Path::new);
    keep(&world, &kept, backend, folder);
    assert!(!kept.answers.is_empty());
}
