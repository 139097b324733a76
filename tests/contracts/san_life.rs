//! SL-7, SL-10, SL-11, SL-20: withdrawing a draft, adding a product to a running licence, cancelling a
//! licence. Each takes effect once and at once, with an event.

use chrono::TimeDelta;
use licet_contracts::{
    billing::v1::{CreateProductRequest, Product, ProductKind, UpdateProductRequest},
    sanlicensing::v1::{
        AddProductRequest, AllocateCertificateRequest, AuthorizationDecision, CancelLicenseRequest,
        DenialReason, License, LicenseState, QuoteLicenseRequest, ReservationState,
        WithdrawQuoteRequest,
    },
};
use tonic::{Code, Request};

use crate::harness::{
    Backend,
    clock::{instant, shifted, timestamp},
    errors::{Refused, refused},
    eventually,
    ingest::signed,
    on_both_databases, request_id,
    samples::{MULTI, multi_domain_product, names, shown},
    san::{
        BUNDLE, OTHER, accept_request, facts, figures, increase_request, quote_request,
        san_product, tier, tiers_request,
    },
    san_life::{add_request, cancel_request, end, late_request, renew_request, withdraw_request},
    world::World,
};

on_both_databases![
    sl_7_a_draft_is_withdrawn_until_it_is_accepted,
    sl_7_a_cancelled_license_is_over_at_once_and_nothing_is_refunded,
    sl_7_only_a_charged_license_is_cancelled,
    sl_11_a_license_that_starts_later_says_when,
    sl_7_a_license_that_has_not_begun_is_cancelled,
    sl_10_a_product_joins_by_its_tier_or_its_price,
    sl_10_the_tier_of_the_sale_counts_and_the_price_of_now,
    sl_10_what_cannot_join_is_refused,
    sl_11_a_reservation_outlasts_a_cancellation_and_counts_nowhere,
    sl_20_a_product_that_joins_is_held,
    bl_2_every_change_of_a_life_is_made_once,
    x_5_every_change_of_a_life_leaves_its_event,
    x_7_with_billing_away_no_product_joins,
    a_life_is_changed_by_those_who_may,
];

async fn refused_addition(world: &World, license: &License, product_id: &str) -> Refused {
    let request = add_request(license, product_id);
    refused(world.san_licenses().add_product(request).await)
}

/// A SAN product of this tier, at this price for a SAN per year.
async fn ranked(world: &World, product_id: &str, rank: i32, price: &str) {
    let product = Product {
        tier: rank,
        ..san_product(product_id)
    };
    let create = CreateProductRequest {
        product: Some(product),
        request_id: request_id(),
    };
    world.catalog().create_product(create).await.unwrap();
    let prices = tiers_request(product_id, vec![tier(1, price)]);
    world.catalog().set_prices(prices).await.unwrap();
}

async fn sl_7_a_draft_is_withdrawn_until_it_is_accepted(backend: Backend) {
    let world = World::start_with_san_licensing(backend).await;
    world.stock_sans().await;
    let account_id = world.account_with("1000.00").await;
    let until = shifted(world.now(), 1_000_000);
    let soon = QuoteLicenseRequest {
        valid_until_time: Some(timestamp(until)),
        ..quote_request(&account_id, 10)
    };
    let expired = world.quoted(soon).await;
    let draft = world.quoted(quote_request(&account_id, 10)).await;
    world.time.move_to(until);
    let withdraw = async |request| world.san_licenses().withdraw_quote(request).await;
    let preview = WithdrawQuoteRequest {
        validate_only: true,
        ..withdraw_request(&draft)
    };
    let seen = withdraw(preview).await.unwrap().into_inner().license;
    assert_eq!(seen.unwrap().state(), LicenseState::Cancelled);
    assert_eq!(world.get_license(&draft.license_id).await, draft);
    for drafted in [&draft, &expired] {
        let answer = withdraw(withdraw_request(drafted)).await.unwrap();
        let license = answer.into_inner().license.unwrap();
        assert_eq!(license.state(), LicenseState::Cancelled);
        assert_eq!(instant(license.cancel_time), world.now());
        assert_eq!(license.term.clone().unwrap().period, None);
        assert_eq!(world.get_license(&license.license_id).await, license);
        let refusal = refused(withdraw(withdraw_request(drafted)).await)
            .expect(Code::FailedPrecondition, "LICENSE_NOT_QUOTED");
        assert_eq!(refusal.value("state"), "CANCELLED");
        let accept = accept_request(&drafted.license_id);
        refused(world.san_licenses().accept_license(accept).await)
            .expect(Code::FailedPrecondition, "LICENSE_NOT_QUOTED");
    }
    let license = world.license(&account_id, 10).await;
    let refusal = refused(withdraw(withdraw_request(&license)).await)
        .expect(Code::FailedPrecondition, "LICENSE_NOT_QUOTED");
    assert_eq!(refusal.value("state"), "ACTIVE");
    assert_eq!(world.balance(&account_id).await, "880.00 USD");
}

async fn sl_7_a_cancelled_license_is_over_at_once_and_nothing_is_refunded(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    world.move_before_end(&license, 10);
    world.renewed(renew_request(&license, 20)).await;
    let certificate = world.recorded(&license, &["a.example"]).await;
    let before = world.now();
    world.time.advance_days(1);
    let preview = CancelLicenseRequest {
        validate_only: true,
        request_id: String::new(),
        ..cancel_request(&license)
    };
    let seen = world.san_licenses().cancel_license(preview).await.unwrap();
    let seen = seen.into_inner().license.unwrap();
    assert_eq!(seen.state(), LicenseState::Cancelled);
    world.granted(&license, &["b.example"]).await;

    let balance = world.balance(&license.account_id).await;
    let cancelled = world.cancelled(&license).await;
    assert_eq!(cancelled.state(), LicenseState::Cancelled);
    assert_eq!(instant(cancelled.cancel_time), world.now());
    assert_eq!(world.balance(&license.account_id).await, balance);
    assert_eq!(world.invoices_of(&license.license_id).await.len(), 2);
    // A cancelled licence authorises nothing, not even SANs in use.
    let denied = world.denied(&license, &["a.example"]).await;
    assert_eq!(
        denied.reasons().collect::<Vec<_>>(),
        [DenialReason::LicenseNotActive]
    );
    // Existing certificates and past usage stay.
    assert_eq!(certificate.license_id, license.license_id);
    let usage = world.usage(&license).await;
    assert_eq!((usage.quota, usage.used), (0, 1));
    assert_eq!(world.usage_at(&license, before).await.quota, 10);
    assert_eq!(world.usage_at(&license, end(&license)).await.quota, 0);
    // The product can be licensed again at once (SL-20).
    let successor = world.license(&license.account_id, 5).await;
    world.granted(&successor, &["a.example"]).await;
    world.time.move_to(end(&license));
    let after = world.get_license(&license.license_id).await;
    assert_eq!(after.state(), LicenseState::Cancelled);
    // The next term never starts.
    assert_eq!((after.term, after.next_term), (license.term.clone(), None));
    // The certificate counts in the cancelled licence until the successor takes it over.
    eventually("the successor has taken it over", || async {
        let used = (
            world.usage(&license).await.used,
            world.usage(&successor).await.used,
        );
        (used == (0, 1)).then_some(())
    })
    .await;
    world.denied(&license, &["c.example"]).await;
}

/// A licence that starts later is ACTIVE, so a refusal must not say that it is not.
async fn sl_11_a_license_that_starts_later_says_when(backend: Backend) {
    let (world, _) = World::start_licensed(backend, 10).await;
    let start = world.now().checked_add(TimeDelta::days(30)).unwrap();
    let account_id = world.account_with("1000.00").await;
    let later = QuoteLicenseRequest {
        start_time: Some(timestamp(start)),
        ..quote_request(&account_id, 10)
    };
    let later = world.license_with(later).await;
    assert_eq!(later.state(), LicenseState::Active);
    let says_when = |refusal: Refused| {
        let refusal = refusal.expect(Code::FailedPrecondition, "LICENSE_NOT_ACTIVE");
        assert_eq!(refusal.value("start_time"), start.to_string());
        assert!(!refusal.metadata.contains_key("state"), "{refusal:?}");
        let said = format!("starts at {start}");
        assert!(refusal.message.contains(&said), "{refusal:?}");
    };
    let raise = increase_request(&later, 20);
    says_when(refused(world.san_licenses().increase_quota(raise).await));
    says_when(refused_addition(&world, &later, OTHER).await);
    let mut told = signed(
        &later,
        &facts(&["a.example"], world.now(), world.usual_end()),
    );
    told.product_id = OTHER.to_owned();
    world.ingest(1, vec![told]).await;
    let waiting = world.unallocated("", 0).await.remove(0);
    let allocate = AllocateCertificateRequest {
        certificate_id: waiting.certificate_id,
        license_id: later.license_id.clone(),
        request_id: request_id(),
    };
    let answer = world
        .san_ingest()
        .allocate_certificate(allocate.clone())
        .await;
    says_when(refused(answer));
    // After the end the refusal says so.
    world.time.move_to(end(&later));
    let allocate = AllocateCertificateRequest {
        request_id: request_id(),
        ..allocate
    };
    let answer = world.san_ingest().allocate_certificate(allocate).await;
    let refusal = refused(answer).expect(Code::FailedPrecondition, "LICENSE_NOT_ACTIVE");
    assert_eq!(refusal.value("state"), "ENDED");
}

async fn sl_7_only_a_charged_license_is_cancelled(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    let draft = world.quoted(quote_request(&license.account_id, 10)).await;
    let cancel = async |license: &License| {
        let request = cancel_request(license);
        let answer = world.san_licenses().cancel_license(request).await;
        let refusal = refused(answer).expect(Code::FailedPrecondition, "LICENSE_NOT_ACTIVE");
        refusal.value("state").to_owned()
    };
    assert_eq!(cancel(&draft).await, "QUOTED");
    let other = world.account_with("1000.00").await;
    let other = world.license(&other, 10).await;
    world.cancelled(&other).await;
    assert_eq!(cancel(&other).await, "CANCELLED");
    world.time.move_to(end(&license));
    assert_eq!(cancel(&license).await, "ENDED");
}

async fn sl_7_a_license_that_has_not_begun_is_cancelled(backend: Backend) {
    let world = World::start_with_san_licensing(backend).await;
    world.stock_sans().await;
    let account_id = world.account_with("1000.00").await;
    let start = shifted(world.now(), 86_400_000_000);
    let later = QuoteLicenseRequest {
        start_time: Some(timestamp(start)),
        ..quote_request(&account_id, 10)
    };
    let license = world.license_with(later).await;
    world.cancelled(&license).await;
    assert_eq!(world.usage_at(&license, start).await.quota, 0);
    world.license(&account_id, 10).await;
}

async fn sl_10_a_product_joins_by_its_tier_or_its_price(backend: Backend) {
    let (world, _) = World::start_licensed(backend, 10).await;
    ranked(&world, "middle", 2, "9.00").await;
    ranked(&world, "ranked-lower", 1, "20.00").await;
    ranked(&world, "priced-equal", 3, "9.00").await;
    ranked(&world, "too-high", 3, "9.000001").await;
    let account_id = world.account_with("1000.00").await;
    let request = QuoteLicenseRequest {
        product_ids: names(&["middle"]),
        ..quote_request(&account_id, 10)
    };
    let license = world.license_with(request).await;
    let refusal = refused_addition(&world, &license, "too-high")
        .await
        .expect(Code::FailedPrecondition, "PRODUCT_TOO_HIGH");
    for (key, value) in [
        ("tier", "3"),
        ("highest_tier", "2"),
        ("price", "9.000001"),
        ("highest_price", "9.00"),
        ("currency", "USD"),
    ] {
        assert_eq!(refusal.value(key), value);
    }
    let preview = AddProductRequest {
        validate_only: true,
        request_id: String::new(),
        ..add_request(&license, "ranked-lower")
    };
    let seen = world.san_licenses().add_product(preview).await.unwrap();
    let seen = seen.into_inner().license.unwrap();
    assert_eq!(seen.product_ids, ["middle", "ranked-lower"]);
    assert_eq!(world.get_license(&license.license_id).await, license);

    let answer = world.added(&license, "ranked-lower").await;
    assert_eq!((answer.tier, answer.highest_tier), (1, 2));
    assert_eq!(answer.rule_id, "SL-10");
    assert!(
        answer.explanation.contains("tier 1 is not above 2"),
        "{answer:?}"
    );
    let answer = world.added(&license, "priced-equal").await;
    assert_eq!(answer.price.clone().unwrap().value, "9.00");
    assert!(answer.explanation.contains("price"), "{answer:?}");
    // An added product does not raise the limit for others (SL-10): the term was sold with one product.
    refused_addition(&world, &license, "too-high")
        .await
        .expect(Code::FailedPrecondition, "PRODUCT_TOO_HIGH");
    assert_eq!(world.balance(&account_id).await, "910.00 USD");
    let license = world.get_license(&license.license_id).await;
    assert_eq!(
        license.product_ids,
        ["middle", "priced-equal", "ranked-lower"]
    );
    assert_eq!(license.term.clone().unwrap().product_ids, ["middle"]);
    // Certificates for it count in the same quota at once.
    let mut question = world.question(&license, &["a.example"]);
    question.product_id = "priced-equal".to_owned();
    let granted = world.authorize(question).await;
    assert_eq!(granted.decision(), AuthorizationDecision::Granted);
    let mut report = world.report(&license, &["a.example"]);
    report.product_id = "ranked-lower".to_owned();
    world.record_san(report).await;
    assert_eq!(figures(&world.usage(&license).await), (1, 0, 9));
    // The next term is sold with all products.
    world.move_before_end(&license, 10);
    let next = world.renewed(renew_request(&license, 10)).await;
    assert_eq!(next.term.unwrap().product_ids, license.product_ids);
    assert_eq!(shown(next.quote.unwrap().total.as_ref()), "200.00 USD");
}

async fn sl_10_the_tier_of_the_sale_counts_and_the_price_of_now(backend: Backend) {
    let (world, _) = World::start_licensed(backend, 10).await;
    ranked(&world, "sold", 2, "9.00").await;
    ranked(&world, "wanted", 2, "20.00").await;
    ranked(&world, "dear", 3, "10.00").await;
    let account_id = world.account_with("1000.00").await;
    let request = QuoteLicenseRequest {
        product_ids: names(&["sold"]),
        ..quote_request(&account_id, 10)
    };
    let license = world.license_with(request).await;
    world.time.advance_days(1);
    // The product's tier is lower now; the sale's higher tier decides (BL-8).
    let lower = UpdateProductRequest {
        product: Some(san_product("sold")),
        request_id: request_id(),
    };
    world.catalog().update_product(lower).await.unwrap();
    let answer = world.added(&license, "wanted").await;
    assert_eq!((answer.tier, answer.highest_tier), (2, 2));
    refused_addition(&world, &license, "dear")
        .await
        .expect(Code::FailedPrecondition, "PRODUCT_TOO_HIGH");
    let dearer = tiers_request("sold", vec![tier(1, "12.00"), tier(10, "10.00")]);
    world.catalog().set_prices(dearer).await.unwrap();
    let answer = world.added(&license, "dear").await;
    assert_eq!(answer.highest_price.unwrap().value, "10.00");
}

async fn sl_10_what_cannot_join_is_refused(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    world.create_product(multi_domain_product()).await;
    let refusal = refused_addition(&world, &license, BUNDLE)
        .await
        .expect(Code::FailedPrecondition, "PRODUCT_ALREADY_LICENSED");
    assert_eq!(refusal.value("license_id"), license.license_id);
    let refusal = refused_addition(&world, &license, "unheard-of").await;
    let refusal = refusal.expect(Code::NotFound, "NOT_FOUND");
    assert_eq!(refusal.value("id"), "unheard-of");
    refused_addition(&world, &license, MULTI)
        .await
        .expect(Code::FailedPrecondition, "PRODUCT_KIND_MISMATCH");
    let unpriced = CreateProductRequest {
        product: Some(san_product("unpriced")),
        request_id: request_id(),
    };
    world.catalog().create_product(unpriced).await.unwrap();
    refused_addition(&world, &license, "unpriced")
        .await
        .expect(Code::FailedPrecondition, "PRICE_NOT_SET");
    let short = Product {
        term_months: vec![1],
        kind: ProductKind::SanLicense.into(),
        ..san_product("short")
    };
    let short = CreateProductRequest {
        product: Some(short),
        request_id: request_id(),
    };
    world.catalog().create_product(short).await.unwrap();
    let prices = tiers_request("short", vec![tier(1, "1.00")]);
    world.catalog().set_prices(prices).await.unwrap();
    refused_addition(&world, &license, "short")
        .await
        .expect(Code::FailedPrecondition, "TERM_NOT_SOLD");
    let draft = world.quoted(quote_request(&license.account_id, 10)).await;
    refused_addition(&world, &draft, OTHER)
        .await
        .expect(Code::FailedPrecondition, "LICENSE_NOT_ACTIVE");
    world.time.move_to(end(&license));
    refused_addition(&world, &license, OTHER)
        .await
        .expect(Code::FailedPrecondition, "LICENSE_NOT_ACTIVE");
}

async fn sl_11_a_reservation_outlasts_a_cancellation_and_counts_nowhere(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    let granted = world.granted(&license, &["a.example"]).await;
    world.cancelled(&license).await;
    let held = world.reservations(&license).await;
    assert_eq!(held[0].state(), ReservationState::Held);
    // The certificate was signed, so it is recorded, without a licence (SL-16, SL-21).
    let mut report = world.report(&license, &["a.example"]);
    report.reservation_id = granted.reservation_id;
    let answer = world.record_san(report).await;
    assert_eq!(answer.certificate.unwrap().license_id, "");
    assert!(world.reservations(&license).await.is_empty());
    assert_eq!(figures(&world.usage(&license).await), (0, 0, 0));
}

async fn sl_20_a_product_that_joins_is_held(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    let other = QuoteLicenseRequest {
        product_ids: names(&[OTHER]),
        ..quote_request(&license.account_id, 10)
    };
    let other = world.license_with(other).await;
    let refusal = refused_addition(&world, &license, OTHER)
        .await
        .expect(Code::FailedPrecondition, "PRODUCT_ALREADY_LICENSED");
    assert_eq!(refusal.value("license_id"), other.license_id);
    assert_eq!(refusal.value("product_id"), OTHER);
    let unchanged = world.get_license(&license.license_id).await;
    assert_eq!(unchanged.product_ids, [BUNDLE]);
    world.cancelled(&other).await;
    world.added(&license, OTHER).await;
    let again = QuoteLicenseRequest {
        product_ids: names(&[OTHER]),
        ..quote_request(&license.account_id, 10)
    };
    let again = world.quoted(again).await;
    let accept = accept_request(&again.license_id);
    let refusal = refused(world.san_licenses().accept_license(accept).await)
        .expect(Code::FailedPrecondition, "PRODUCT_ALREADY_LICENSED");
    assert_eq!(refusal.value("license_id"), license.license_id);
}

async fn bl_2_every_change_of_a_life_is_made_once(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    let draft = world.quoted(quote_request(&license.account_id, 10)).await;
    let (withdraw, add) = (withdraw_request(&draft), add_request(&license, OTHER));
    let cancel = cancel_request(&license);
    let withdrawn = world.san_licenses().withdraw_quote(withdraw.clone()).await;
    let withdrawn = withdrawn.unwrap().into_inner();
    let added = world.san_licenses().add_product(add.clone()).await;
    let added = added.unwrap().into_inner();
    let cancelled = world.san_licenses().cancel_license(cancel.clone()).await;
    let cancelled = cancelled.unwrap().into_inner();
    world.time.advance_days(1);
    let again = world.san_licenses().withdraw_quote(withdraw).await.unwrap();
    assert_eq!(again.into_inner(), withdrawn);
    let again = world.san_licenses().add_product(add.clone()).await.unwrap();
    assert_eq!(again.into_inner(), added);
    let again = world.san_licenses().cancel_license(cancel).await.unwrap();
    assert_eq!(again.into_inner(), cancelled);
    let other = AddProductRequest {
        product_id: "something-else".to_owned(),
        ..add
    };
    refused(world.san_licenses().add_product(other).await)
        .expect(Code::AlreadyExists, "REQUEST_ID_REUSED");
}

async fn x_5_every_change_of_a_life_leaves_its_event(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    let draft = world.quoted(quote_request(&license.account_id, 10)).await;
    let withdraw = withdraw_request(&draft);
    world.san_licenses().withdraw_quote(withdraw).await.unwrap();
    world.added(&license, OTHER).await;
    world.move_before_end(&license, 1);
    world.renewed(renew_request(&license, 10)).await;
    world.cancelled(&license).await;
    let log = eventually("all events are written", || async {
        let log = super::events::log(world.san_events()).await;
        let events = log.iter().filter_map(|entry| entry.event.as_ref());
        let mut kinds = events.map(|event| event.r#type.as_str());
        let last = "licet.sanlicensing.license.cancelled.v1";
        kinds.any(|kind| kind == last).then_some(log)
    })
    .await;
    let kinds = |license: &License| -> Vec<String> {
        let events = log.iter().filter_map(|entry| entry.event.as_ref());
        let of_license = events.filter(|event| event.subject == license.license_id);
        let kinds = of_license.map(|event| event.r#type.as_str());
        kinds
            .filter_map(|kind| {
                kind.strip_prefix("licet.sanlicensing.")?
                    .strip_suffix(".v1")
            })
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(kinds(&draft), ["license.quoted", "license.withdrawn"]);
    assert_eq!(
        kinds(&license),
        [
            "license.quoted",
            "license.accepted",
            "license.charged",
            "license.product_added",
            "renewal.accepted",
            "license.renewed",
            "license.cancelled",
        ]
    );
}

async fn x_7_with_billing_away_no_product_joins(backend: Backend) {
    let (mut world, license) = World::start_licensed(backend, 10).await;
    world.stop_billing().await;
    let request = add_request(&license, OTHER);
    let refusal = refused(world.san_licenses().add_product(request.clone()).await);
    refusal.expect(Code::Unavailable, "PEER_UNAVAILABLE");
    let unchanged = world.get_license(&license.license_id).await;
    assert_eq!(unchanged, license);
    world.start_billing().await;
    // The same request may be sent again (BL-2).
    let answer = world.san_licenses().add_product(request).await.unwrap();
    let license = answer.into_inner().license.unwrap();
    assert_eq!(license.product_ids, [BUNDLE, OTHER]);
}

/// A request of a caller with one role who sees only one account.
fn bound<M>(message: M, role: &str, account_id: &str) -> Request<M> {
    let mut request = Request::new(message);
    let metadata = request.metadata_mut();
    metadata.insert("licet-roles", role.parse().unwrap());
    metadata.insert("licet-accounts", account_id.parse().unwrap());
    request
}

async fn a_life_is_changed_by_those_who_may(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    let draft = world.quoted(quote_request(&license.account_id, 10)).await;
    let stranger = world.empty_account().await;
    for (role, account, code) in [
        ("customer", &license.account_id, Code::PermissionDenied),
        ("sales", &stranger, Code::NotFound),
    ] {
        let mut licenses = world.san_licenses();
        let withdraw = bound(withdraw_request(&draft), role, account);
        let add = bound(add_request(&license, OTHER), role, account);
        let renew = bound(late_request(&license, 10), role, account);
        let cancel = bound(cancel_request(&license), role, account);
        let codes = [
            licenses.withdraw_quote(withdraw).await.unwrap_err().code(),
            licenses.add_product(add).await.unwrap_err().code(),
            licenses.renew_license(renew).await.unwrap_err().code(),
            licenses.cancel_license(cancel).await.unwrap_err().code(),
        ];
        assert_eq!(codes, [code; 4], "{role}");
    }
    assert_eq!(world.get_license(&license.license_id).await, license);
    let sales = bound(cancel_request(&license), "sales", &license.account_id);
    world.san_licenses().cancel_license(sales).await.unwrap();
}
