//! A store of SanLicensing that was kept before licences had several terms comes out right: what was
//! sold, raised and reserved, and each goes on from there.

use licet_contracts::sanlicensing::v1::{License, RenewLicenseRequest};

use crate::harness::{
    Backend,
    books::BackDoor,
    clock::shifted,
    on_both_databases,
    san::{OTHER, figures, quote_request},
    san_life::{end, renew_request},
    world::World,
};

on_both_databases![
    sl_6_a_store_of_before_further_terms_comes_out_right,
    sl_1_a_san_that_no_certificate_carries_is_forgotten,
];

/// What the first schema kept of a term beside its licence, and where the second has it.
const MOVED: [(&str, &str, &str); 7] = [
    ("raises_json", "TEXT", "raises_json"),
    ("options_json", "TEXT", "options_json"),
    ("anchor_us", "BIGINT", "anchor_us"),
    ("first_month", "BIGINT", "first_month"),
    ("months", "BIGINT", "months"),
    ("price_json", "TEXT", "sold_json"),
    ("quota", "BIGINT", ""),
];

/// Puts every row of a store back as the first schema kept it. A quota is in no column of the second:
/// `quotas` says those of all licences.
async fn undo_second_schema(door: &BackDoor, quotas: &[&License]) {
    for (column, kind, now) in MOVED {
        door.run(&format!("ALTER TABLE license ADD COLUMN {column} {kind}"))
            .await;
        if !now.is_empty() {
            let of_term = format!(
                "SELECT {now} FROM license_term WHERE license_term.license_id = license.license_id"
            );
            door.run(&format!("UPDATE license SET {column} = ({of_term})"))
                .await;
        }
    }
    for license in quotas {
        let (id, quota) = (&license.license_id, license.quota);
        door.run(&format!(
            "UPDATE license SET quota = {quota} WHERE license_id = '{id}'"
        ))
        .await;
    }
    door.run("DROP TABLE license_term").await;
    for column in ["renewing", "cancel_us"] {
        door.run(&format!("ALTER TABLE license DROP COLUMN {column}"))
            .await;
    }
    door.run("ALTER TABLE decision DROP COLUMN until_us").await;
    door.run("DELETE FROM seaql_migrations WHERE version = 'san_licensing_0002_terms'")
        .await;
}

async fn sl_6_a_store_of_before_further_terms_comes_out_right(backend: Backend) {
    let (mut world, license) = World::start_licensed(backend, 10).await;
    let draft = world.quoted(quote_request(&license.account_id, 7)).await;
    world.time.advance_days(5);
    let before_raise = world.now();
    world.time.advance_days(1);
    let license = world.increase(&license, 15).await;
    world
        .recorded(&license, &["a.example", "*.a.example"])
        .await;
    let held = world.granted(&license, &["b.example"]).await;
    let usage = world.usage(&license).await;
    assert_eq!(figures(&usage), (6, 1, 8));

    world.stop_san_licensing(0).await;
    let door = BackDoor::open(&world.san_licensing_location()).await;
    undo_second_schema(&door, &[&license, &draft]).await;
    drop(door);
    world.start_san_licensing().await;

    assert_eq!(world.get_license(&license.license_id).await, license);
    assert_eq!(world.get_license(&draft.license_id).await, draft);
    assert_eq!(figures(&world.usage(&license).await), figures(&usage));
    assert_eq!(world.usage_at(&license, before_raise).await.quota, 10);
    assert_eq!(world.reservations(&license).await.len(), 1);
    // And it goes on from there.
    world.release(&license, &held.reservation_id).await;
    world.increase(&license, 20).await;
    world.added(&license, OTHER).await;
    world.move_before_end(&license, 10);
    let next = RenewLicenseRequest {
        term_months: 1,
        ..renew_request(&license, 5)
    };
    world.renewed(next).await;
    world.time.move_to(shifted(end(&license), 1));
    let after = world.get_license(&license.license_id).await;
    assert_eq!((after.quota, after.past_terms[0].quota), (5, 20));
    let accept = crate::harness::san::accept_request(&draft.license_id);
    assert!(world.san_licenses().accept_license(accept).await.is_err());
}

async fn sl_1_a_san_that_no_certificate_carries_is_forgotten(backend: Backend) {
    let (mut world, license) = World::start_licensed(backend, 10).await;
    world.recorded(&license, &["a.example"]).await;
    let bare = world.recorded(&license, &[]).await;
    let (now, until) = (world.now().as_micros(), world.usual_end().as_micros());

    world.stop_san_licensing(0).await;
    let door = BackDoor::open(&world.san_licensing_location()).await;
    let (license_id, id) = (&license.license_id, &bare.certificate_id);
    door.run(&format!(
        "INSERT INTO certificate_san (license_id, name, certificate_id, is_wildcard, record_us, until_us) \
        VALUES ('{license_id}', '', '{id}', 0, {now}, {until})"
    ))
    .await;
    door.run("DELETE FROM seaql_migrations WHERE version = 'san_licensing_0005_phantoms'")
        .await;
    drop(door);
    world.start_san_licensing().await;

    let usage = world.usage_at(&license, world.now()).await;
    assert_eq!((usage.used, usage.distinct_sans), (1, 1));
}
