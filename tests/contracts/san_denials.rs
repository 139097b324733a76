//! SL-6, SL-11, SL-12: a denial is an ordinary response with every reason, the figures, and the time from
//! which the request would fit.

use chrono::TimeDelta;
use licet_contracts::{
    sanlicensing::v1::{
        AuthorizationDecision, AuthorizeIssuanceRequest, AuthorizeIssuanceResponse, DenialReason,
        License, LicenseOptions, QuoteLicenseRequest,
    },
    types::v1::KeyType,
};
use licet_domain::clock::Instant;

use crate::harness::{
    Backend,
    clock::{instant, shifted, timestamp},
    on_both_databases,
    samples::names,
    san::{BUNDLE, OTHER, figures, quote_request},
    world::World,
};

on_both_databases![
    sl_6_each_option_denies_with_its_reason,
    sl_6_a_license_without_options_has_the_defaults,
    sl_6_validity_is_counted_to_its_last_second,
    sl_6_every_reason_is_given_at_once,
    sl_11_a_license_that_does_not_run_authorises_nothing,
    sl_11_over_its_quota_it_authorises_no_new_san,
    sl_12_a_denial_gives_the_figures_and_when_it_would_fit,
    sl_12_what_never_fits_has_no_time,
    sl_12_the_time_it_fits_counts_names_of_its_own_that_end,
];

#[track_caller]
fn reasons(answer: &AuthorizeIssuanceResponse) -> Vec<DenialReason> {
    assert_eq!(
        answer.decision(),
        AuthorizationDecision::Denied,
        "{answer:?}"
    );
    assert!(answer.reservation_id.is_empty() && answer.expire_time.is_none());
    assert!(!answer.explanation.is_empty());
    assert!(answer.rule_id.starts_with("SL-"), "{}", answer.rule_id);
    let mut reasons: Vec<_> = answer.reasons().collect();
    reasons.sort_unstable();
    reasons
}

/// A licence for RSA keys, 30 days and no wildcards, within its own term.
async fn narrow(world: &World, account_id: &str) -> License {
    let request = QuoteLicenseRequest {
        options: Some(LicenseOptions {
            wildcards_allowed: false,
            wildcard_multiplier: 3,
            key_types: vec![KeyType::Rsa.into()],
            max_validity_days: 30,
            certificates_may_outlive: Some(false),
            max_term_months: 0,
        }),
        ..quote_request(account_id, 2)
    };
    world.license_with(request).await
}

fn days_ahead(world: &World, days: i64) -> Instant {
    let ahead = TimeDelta::days(days) - TimeDelta::seconds(1);
    world.now().checked_add(ahead).unwrap()
}

/// A request that [`narrow`]'s licence grants.
fn fitting(world: &World, license: &License) -> AuthorizeIssuanceRequest {
    AuthorizeIssuanceRequest {
        not_after_time: Some(timestamp(days_ahead(world, 30))),
        ..world.question(license, &["a.example"])
    }
}

async fn sl_6_each_option_denies_with_its_reason(backend: Backend) {
    let world = World::start_with_san_licensing(backend).await;
    world.stock_sans().await;
    let account_id = world.account_with("1000.00").await;
    let license = narrow(&world, &account_id).await;
    let ask = || fitting(&world, &license);

    let other_product = AuthorizeIssuanceRequest {
        product_id: OTHER.to_owned(),
        ..ask()
    };
    assert_eq!(
        reasons(&world.authorize(other_product).await),
        [DenialReason::ProductNotLicensed]
    );
    let elliptic = AuthorizeIssuanceRequest {
        key_type: KeyType::Ecc.into(),
        ..ask()
    };
    assert_eq!(
        reasons(&world.authorize(elliptic).await),
        [DenialReason::KeyTypeNotAllowed]
    );
    let too_long = AuthorizeIssuanceRequest {
        not_after_time: Some(timestamp(days_ahead(&world, 31))),
        ..ask()
    };
    let answer = world.authorize(too_long).await;
    assert_eq!(reasons(&answer), [DenialReason::ValidityTooLong]);
    assert_eq!(
        instant(answer.latest_not_after_time),
        days_ahead(&world, 30)
    );

    assert_eq!(figures(&world.usage(&license).await), (0, 0, 2));
    let granted = world.authorize(ask()).await;
    assert_eq!(granted.decision(), AuthorizationDecision::Granted);
    assert_eq!(granted.latest_not_after_time, None);

    // The wildcard would weigh 3, which exceeds the quota as well.
    let mut wildcard = world.question(&license, &["*.b.example"]);
    wildcard.not_after_time = ask().not_after_time;
    let answer = world.authorize(wildcard).await;
    assert_eq!(
        reasons(&answer),
        [
            DenialReason::WildcardNotAllowed,
            DenialReason::QuotaExceeded
        ]
    );
    assert_eq!(answer.needed, 3);

    let end = instant(license.term.clone().unwrap().period.unwrap().end_time);
    world.time.move_to(shifted(end, -86_400_000_000));
    let outlives = AuthorizeIssuanceRequest {
        not_after_time: Some(timestamp(end)),
        ..ask()
    };
    let answer = world.authorize(outlives).await;
    assert_eq!(reasons(&answer), [DenialReason::OutlivesLicense]);
    assert_eq!(
        instant(answer.latest_not_after_time),
        shifted(end, -1_000_000)
    );
    let to_its_end = AuthorizeIssuanceRequest {
        not_after_time: answer.latest_not_after_time,
        ..ask()
    };
    let granted = world.authorize(to_its_end).await;
    assert_eq!(granted.decision(), AuthorizationDecision::Granted);
}

async fn sl_6_a_license_without_options_has_the_defaults(backend: Backend) {
    let world = World::start_with_san_licensing(backend).await;
    world.stock_sans().await;
    let account_id = world.account_with("1000.00").await;
    let request = QuoteLicenseRequest {
        options: None,
        ..quote_request(&account_id, 10)
    };
    let license = world.license_with(request).await;
    let options = license.options.clone().unwrap();
    assert_eq!(
        options,
        LicenseOptions {
            wildcards_allowed: false,
            wildcard_multiplier: 5,
            key_types: vec![KeyType::Rsa.into(), KeyType::Ecc.into()],
            max_validity_days: 0,
            certificates_may_outlive: Some(true),
            max_term_months: 0,
        }
    );
    // Ten years exceed the licence's term, with either key type.
    let ten_years = AuthorizeIssuanceRequest {
        not_after_time: Some(timestamp(days_ahead(&world, 3650))),
        key_type: KeyType::Ecc.into(),
        ..world.question(&license, &["a.example"])
    };
    let granted = world.authorize(ten_years).await;
    assert_eq!(granted.decision(), AuthorizationDecision::Granted);
    let wildcard = world
        .authorize(world.question(&license, &["*.example"]))
        .await;
    assert_eq!(reasons(&wildcard), [DenialReason::WildcardNotAllowed]);
    assert_eq!(wildcard.needed, 5);
}

async fn sl_6_validity_is_counted_to_its_last_second(backend: Backend) {
    let world = World::start_with_san_licensing(backend).await;
    world.stock_sans().await;
    let account_id = world.account_with("1000.00").await;
    let license = narrow(&world, &account_id).await;
    // Thirty days from tomorrow, to the last second; one second more is too long.
    let tomorrow = shifted(world.now(), 86_400_000_000);
    let ask = |seconds: i64| AuthorizeIssuanceRequest {
        not_before_time: Some(timestamp(tomorrow)),
        not_after_time: Some(timestamp(shifted(
            days_ahead(&world, 31),
            seconds * 1_000_000,
        ))),
        ..world.question(&license, &["a.example"])
    };
    let answer = world.authorize(ask(1)).await;
    assert_eq!(reasons(&answer), [DenialReason::ValidityTooLong]);
    assert_eq!(
        instant(answer.latest_not_after_time),
        days_ahead(&world, 31)
    );
    let granted = world.authorize(ask(0)).await;
    assert_eq!(granted.decision(), AuthorizationDecision::Granted);
}

async fn sl_6_every_reason_is_given_at_once(backend: Backend) {
    let world = World::start_with_san_licensing(backend).await;
    world.stock_sans().await;
    let account_id = world.account_with("1000.00").await;
    let license = narrow(&world, &account_id).await;
    let end = instant(license.term.clone().unwrap().period.unwrap().end_time);
    world.time.move_to(end);
    let request = AuthorizeIssuanceRequest {
        product_id: OTHER.to_owned(),
        key_type: KeyType::Ecc.into(),
        ..world.question(&license, &["*.a.example"])
    };
    let answer = world.authorize(request).await;
    assert_eq!(
        reasons(&answer),
        [
            DenialReason::LicenseNotActive,
            DenialReason::ProductNotLicensed,
            DenialReason::WildcardNotAllowed,
            DenialReason::KeyTypeNotAllowed,
            DenialReason::ValidityTooLong,
            DenialReason::OutlivesLicense,
            DenialReason::QuotaExceeded,
        ]
    );
    assert_eq!(
        instant(answer.latest_not_after_time),
        shifted(end, -1_000_000)
    );
}

async fn sl_11_a_license_that_does_not_run_authorises_nothing(backend: Backend) {
    let world = World::start_with_san_licensing(backend).await;
    world.stock_sans().await;
    let account_id = world.account_with("1000.00").await;
    // Drafted and not charged.
    let draft = world.quoted(quote_request(&account_id, 10)).await;
    let answer = world
        .authorize(world.question(&draft, &["a.example"]))
        .await;
    assert_eq!(reasons(&answer), [DenialReason::LicenseNotActive]);
    // Charged, but the term starts tomorrow.
    let later = QuoteLicenseRequest {
        product_ids: names(&[BUNDLE]),
        start_time: Some(timestamp(shifted(world.now(), 86_400_000_000))),
        ..quote_request(&account_id, 10)
    };
    let license = world.license_with(later).await;
    let period = license.term.clone().unwrap().period.unwrap();
    world.time.move_to(shifted(instant(period.start_time), -1));
    let answer = world
        .authorize(world.question(&license, &["a.example"]))
        .await;
    assert_eq!(reasons(&answer), [DenialReason::LicenseNotActive]);
    world.time.advance(TimeDelta::microseconds(1));
    world.granted(&license, &["a.example"]).await;
    // Grants end with the term's last microsecond, for SANs in use too.
    let end = instant(period.end_time);
    world.time.move_to(shifted(end, -1));
    world.granted(&license, &["a.example"]).await;
    world.time.move_to(end);
    let answer = world
        .authorize(world.question(&license, &["a.example"]))
        .await;
    assert_eq!(reasons(&answer), [DenialReason::LicenseNotActive]);
    assert_eq!(answer.needed, 0);
}

async fn sl_11_over_its_quota_it_authorises_no_new_san(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 2).await;
    let many = ["a.example", "b.example", "c.example", "d.example"];
    world.recorded(&license, &many).await;
    let answer = world
        .authorize(world.question(&license, &["e.example"]))
        .await;
    assert_eq!(reasons(&answer), [DenialReason::QuotaExceeded]);
    assert_eq!(
        (answer.quota, answer.used, answer.needed, answer.short_by),
        (2, 4, 1, 3)
    );
    world.granted(&license, &many).await;
}

async fn sl_12_a_denial_gives_the_figures_and_when_it_would_fit(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    let start = world.now();
    let at = |seconds: i64| shifted(start, seconds * 1_000_000);
    // Five used: two return after a minute, the other three, one of them shared, after two.
    world
        .recorded_until(&license, &["a.example", "b.example", "c.example"], at(59))
        .await;
    world
        .recorded_until(&license, &["c.example", "d.example", "e.example"], at(119))
        .await;
    // Three reserved, until a time with a fraction of a second.
    let mut hold = world.question(
        &license,
        &["d.example", "x.example", "y.example", "z.example"],
    );
    hold.hold_for = Some(prost_types::Duration {
        seconds: 90,
        nanos: 123_456_000,
    });
    let held = world.authorize(hold).await;
    assert_eq!(
        (held.used, held.reserved, held.needed, held.short_by),
        (5, 0, 3, 0)
    );
    assert_eq!(instant(held.expire_time), shifted(at(90), 123_456));
    assert_eq!(figures(&world.usage(&license).await), (5, 3, 2));

    world.time.move_to(at(1));
    let ask = async |list: &[&str]| world.authorize(world.question(&license, list)).await;
    // One of these four is in use.
    let answer = ask(&["e.example", "p.example", "q.example", "r.example"]).await;
    assert_eq!(reasons(&answer), [DenialReason::QuotaExceeded]);
    assert_eq!(
        (answer.quota, answer.used, answer.reserved, answer.needed),
        (10, 5, 3, 3)
    );
    assert_eq!(answer.short_by, 1);
    assert_eq!(instant(answer.fits_time), at(60));
    assert_eq!(instant(answer.decision_time), at(1));
    // A wildcard weighs five, so two used and three reserved SANs must return first.
    let answer = ask(&["*.p.example"]).await;
    assert_eq!((answer.needed, answer.short_by), (5, 3));
    assert_eq!(instant(answer.fits_time), shifted(at(90), 123_456));

    world.time.move_to(shifted(at(90), 123_455));
    ask(&["*.p.example"]).await.reasons().for_each(|reason| {
        assert_eq!(reason, DenialReason::QuotaExceeded);
    });
    world.time.move_to(shifted(at(90), 123_456));
    let granted = world.granted(&license, &["*.p.example"]).await;
    assert_eq!((granted.used, granted.reserved), (3, 0));
}

async fn sl_12_what_never_fits_has_no_time(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 4).await;
    world.recorded(&license, &["a.example"]).await;
    let answer = world
        .authorize(world.question(&license, &["*.b.example"]))
        .await;
    assert_eq!(reasons(&answer), [DenialReason::QuotaExceeded]);
    assert_eq!((answer.short_by, answer.fits_time), (2, None));
    // The quota is not the reason, so the denial gives no time.
    let mut foreign = world.question(&license, &["b.example"]);
    foreign.product_id = OTHER.to_owned();
    let answer = world.authorize(foreign).await;
    assert_eq!(reasons(&answer), [DenialReason::ProductNotLicensed]);
    assert_eq!((answer.short_by, answer.fits_time), (0, None));
}

/// A requested SAN that is in use now needs room again if it returns before others do.
async fn sl_12_the_time_it_fits_counts_names_of_its_own_that_end(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 2).await;
    let start = world.now();
    let at = |seconds: i64| shifted(start, seconds * 1_000_000);
    world.recorded_until(&license, &["a.example"], at(9)).await;
    world.recorded_until(&license, &["b.example"], at(19)).await;
    let answer = world
        .authorize(world.question(&license, &["a.example", "c.example"]))
        .await;
    assert_eq!((answer.needed, answer.short_by), (1, 1));
    // a.example returns at 10 s but is requested itself, so only the return of b.example makes room.
    assert_eq!(instant(answer.fits_time), at(20));
}
