//! Upgrades a store of SanLicensing from before licences had several terms. Sold, raised and reserved
//! licences are read and continue.

use licet_contracts::{
    sanlicensing::v1::{
        AuthorizationDecision, AuthorizeIssuanceRequest, License, LicenseOptions,
        QuoteLicenseRequest, RenewLicenseRequest,
    },
    types::v1::KeyType,
};

use crate::harness::{
    Backend,
    books::BackDoor,
    clock::shifted,
    ingest::{counts, revoked},
    on_both_databases,
    san::{OTHER, facts, figures, quote_request, report_of},
    san_life::{end, renew_request},
    world::World,
};

use super::san_allocation::{succeeded, used_in_the_end};

on_both_databases![
    sl_6_a_store_of_before_further_terms_comes_out_right,
    sl_1_a_san_that_no_certificate_carries_is_forgotten,
    sl_6_a_license_sold_while_ed25519_was_called_ecc_keeps_it,
    sl_2_names_kept_in_an_earlier_form_are_known_by_the_present_one,
    sl_20_a_store_whose_rows_did_not_name_their_accounts_comes_out_right,
];

/// The tables whose rows did not name their accounts, with their other columns.
const WITHOUT_ACCOUNT: [(&str, &str); 6] = [
    ("license_fence", "license_id, version, as_of_us, lineage"),
    (
        "license_term",
        "license_id, term_index, anchor_us, first_month, months, sold_json, products_json, sold_us, \
         options_json, raises_json, bought_late_us",
    ),
    ("usage_turn", "license_id, next_us"),
    (
        "decision",
        "license_id, decision_id, version, fingerprint, state, names, decided_us, expire_us, until_us, \
         closed_us, quota, used, reserved, needed, denial_json",
    ),
    (
        "certificate_san",
        "license_id, name, certificate_id, is_wildcard, record_us, until_us",
    ),
    (
        "departure",
        "license_id, version, certificate_id, to_license_id, depart_us",
    ),
];

/// Rewrites every row of a store as it was before each named its account.
pub(crate) async fn undo_tenant_key(door: &BackDoor) {
    for (table, columns) in WITHOUT_ACCOUNT {
        for change in [
            format!("CREATE TABLE {table}_then AS SELECT {columns} FROM {table}"),
            format!("DROP TABLE {table}"),
            format!("ALTER TABLE {table}_then RENAME TO {table}"),
        ] {
            door.run(&change).await;
        }
    }
    // Earlier migrations refer to it.
    door.run("CREATE UNIQUE INDEX license_by_id_alone ON license (license_id)")
        .await;
    door.run("DELETE FROM seaql_migrations WHERE version = 'san_licensing_0009_tenant_key'")
        .await;
}

/// Columns that the first schema had with the licence, their types, and where the second has them.
const MOVED: [(&str, &str, &str); 7] = [
    ("raises_json", "TEXT", "raises_json"),
    ("options_json", "TEXT", "options_json"),
    ("anchor_us", "BIGINT", "anchor_us"),
    ("first_month", "BIGINT", "first_month"),
    ("months", "BIGINT", "months"),
    ("price_json", "TEXT", "sold_json"),
    ("quota", "BIGINT", ""),
];

/// Rewrites every row of a store as the first schema stored it. The second schema has no column for quotas,
/// so they come from `quotas`.
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
    undo_tenant_key(&door).await;
    undo_second_schema(&door, &[&license, &draft]).await;
    drop(door);
    world.start_san_licensing().await;

    assert_eq!(world.get_license(&license.license_id).await, license);
    assert_eq!(world.get_license(&draft.license_id).await, draft);
    assert_eq!(figures(&world.usage(&license).await), figures(&usage));
    assert_eq!(world.usage_at(&license, before_raise).await.quota, 10);
    assert_eq!(world.reservations(&license).await.len(), 1);
    // The licence continues.
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
    let (account_id, license_id) = (&license.account_id, &license.license_id);
    let id = &bare.certificate_id;
    door.run(&format!(
        "INSERT INTO certificate_san \
         (account_id, license_id, name, certificate_id, is_wildcard, record_us, until_us) \
         VALUES ('{account_id}', '{license_id}', '', '{id}', 0, {now}, {until})"
    ))
    .await;
    door.run("DELETE FROM seaql_migrations WHERE version = 'san_licensing_0005_phantoms'")
        .await;
    drop(door);
    world.start_san_licensing().await;

    let usage = world.usage_at(&license, world.now()).await;
    assert_eq!((usage.used, usage.distinct_sans), (1, 1));
}

async fn may_sign(world: &World, license: &License, key_type: KeyType) -> bool {
    let question = AuthorizeIssuanceRequest {
        key_type: key_type.into(),
        ..world.question(license, &["a.example"])
    };
    let answer = world.authorize(question).await;
    answer.decision() == AuthorizationDecision::Granted
}

async fn sl_6_a_license_sold_while_ed25519_was_called_ecc_keeps_it(backend: Backend) {
    let (mut world, both) = World::start_licensed(backend, 10).await;
    let rsa = QuoteLicenseRequest {
        product_ids: vec![OTHER.to_owned()],
        options: Some(LicenseOptions {
            key_types: vec![KeyType::Rsa.into()],
            ..LicenseOptions::default()
        }),
        ..quote_request(&both.account_id, 10)
    };
    let rsa = world.license_with(rsa).await;
    // A licence for ECC that this version sold permits no other curves.
    assert!(may_sign(&world, &both, KeyType::Ecc).await);
    assert!(!may_sign(&world, &both, KeyType::Ed25519).await);

    world.stop_san_licensing(0).await;
    let door = BackDoor::open(&world.san_licensing_location()).await;
    door.run("DELETE FROM seaql_migrations WHERE version = 'san_licensing_0006_edwards'")
        .await;
    drop(door);
    world.start_san_licensing().await;

    for key_type in [KeyType::Rsa, KeyType::Ecc, KeyType::Ed25519] {
        assert!(may_sign(&world, &both, key_type).await, "{key_type:?}");
    }
    assert!(!may_sign(&world, &both, KeyType::Ed448).await);
    // A licence that was not sold for ECC gains nothing.
    assert!(may_sign(&world, &rsa, KeyType::Rsa).await);
    assert!(!may_sign(&world, &rsa, KeyType::Ecc).await);
    assert!(!may_sign(&world, &rsa, KeyType::Ed25519).await);
}

/// Replaces a text wherever SANs are stored.
async fn put_back(door: &BackDoor, present: &str, earlier: &str) {
    for (table, column) in [
        ("certificate_san", "name"),
        ("certificate", "names"),
        ("decision", "names"),
    ] {
        let put = format!("replace({column}, '{present}', '{earlier}')");
        let changed = door
            .run(&format!(
                "UPDATE {table} SET {column} = {put} WHERE {column} <> {put}"
            ))
            .await;
        assert!(changed > 0, "{table} has no {present}");
    }
}

async fn sl_2_names_kept_in_an_earlier_form_are_known_by_the_present_one(backend: Backend) {
    const UPN: &str = "upn:jos\u{e9}@corp";
    let (mut world, license) = World::start_licensed(backend, 20).await;
    let list = [UPN, "a_b.example", "dot_ted.example", "plain.example"];
    let told = facts(&list, world.now(), world.usual_end());
    let first = world.record_san(report_of(&license, told.clone())).await;
    let first = first.certificate.unwrap();
    let second = world.recorded(&license, &[UPN, "a_b.example"]).await;
    // A reservation for another SAN of such a kind, and for one in use.
    let held = world.question(&license, &[UPN, "upn:ren\u{e9}@corp"]);
    let held = world.authorize(held).await;
    assert_eq!(figures(&world.usage(&license).await), (4, 1, 15));

    world.stop_san_licensing(0).await;
    let door = BackDoor::open(&world.san_licensing_location()).await;
    put_back(&door, "\u{e9}@corp", "e\u{301}@corp").await;
    for (present, earlier) in [
        ("a_b.example", "a_b.example."),
        ("dot_ted.example", "dot_ted\u{3002}example"),
    ] {
        for (table, column) in [("certificate_san", "name"), ("certificate", "names")] {
            door.run(&format!(
                "UPDATE {table} SET {column} = replace({column}, '{present}', '{earlier}')"
            ))
            .await;
        }
    }
    // One certificate has a SAN in both spellings.
    let (license_id, id) = (&license.license_id, &first.certificate_id);
    door.run(&format!(
        "INSERT INTO certificate_san \
         (account_id, license_id, name, certificate_id, is_wildcard, record_us, until_us) \
         SELECT account_id, license_id, 'd:a_b.example', certificate_id, is_wildcard, record_us, until_us \
         FROM certificate_san WHERE license_id = '{license_id}' AND certificate_id = '{id}' \
         AND name = 'd:a_b.example.'"
    ))
    .await;
    door.run(&format!(
        "UPDATE certificate SET names = replace(names, 'd:a_b.example.', 'd:a_b.example\nd:a_b.example.') \
         WHERE certificate_id = '{id}'"
    ))
    .await;
    door.run("DELETE FROM seaql_migrations WHERE version = 'san_licensing_0007_canonical'")
        .await;
    drop(door);
    world.start_san_licensing().await;

    assert_eq!(figures(&world.usage(&license).await), (4, 1, 15));
    assert_eq!(world.usage_at(&license, world.now()).await.used, 4);
    let known = world.record_san(report_of(&license, told.clone())).await;
    assert!(known.already_known);
    assert_eq!(known.certificate.unwrap().sans, first.sans);
    let asked = world.question(&license, &[UPN, "upn:ren\u{e9}@corp", "plain.example"]);
    assert_eq!(world.authorize(asked).await.needed, 0);
    // Each SAN returns with its last certificate, and the reserved one with its release.
    world.release(&license, &held.reservation_id).await;
    let answer = world.ingest(1, vec![revoked(&license, &told)]).await;
    assert_eq!(counts(&answer), [0, 0, 1, 0, 0, 0]);
    let left = world.usage(&license).await;
    assert_eq!((left.used, left.distinct_sans), (2, 2));
    world.revoke(&license, &[&second]).await;
    assert_eq!(world.usage(&license).await.used, 0);
}

async fn sl_20_a_store_whose_rows_did_not_name_their_accounts_comes_out_right(backend: Backend) {
    let (mut world, license) = World::start_licensed(backend, 100).await;
    let before = shifted(end(&license), -1);
    let (successor, recorded) = succeeded(&world, &license).await;
    used_in_the_end(&world, &successor, 7).await;
    let stranger = world.account_with("1000.00").await;
    let stranger = world.license(&stranger, 5).await;
    let theirs = world.recorded(&stranger, &["a.example"]).await;
    let held = world.granted(&successor, &["held.example"]).await;
    let past = world.usage_at(&license, before).await;
    let mut licenses = Vec::new();
    for one in [&license, &stranger, &successor] {
        licenses.push(world.get_license(&one.license_id).await);
    }

    world.stop_san_licensing(0).await;
    let door = BackDoor::open(&world.san_licensing_location()).await;
    undo_tenant_key(&door).await;
    drop(door);
    world.start_san_licensing().await;

    for one in &licenses {
        assert_eq!(&world.get_license(&one.license_id).await, one);
    }
    let still = world.usage_at(&license, before).await;
    assert_eq!(
        (still.used, still.distinct_sans),
        (past.used, past.distinct_sans)
    );
    assert_eq!(figures(&world.usage(&successor).await), (7, 1, 92));
    assert_eq!(figures(&world.usage(&stranger).await), (1, 0, 4));
    // Each goes on.
    world.release(&successor, &held.reservation_id).await;
    world.revoke(&successor, &[&recorded[0]]).await;
    world.revoke(&stranger, &[&theirs]).await;
    assert_eq!(figures(&world.usage(&successor).await), (6, 0, 94));
    assert_eq!(figures(&world.usage(&stranger).await), (0, 0, 5));
}
