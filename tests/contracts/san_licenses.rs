//! SL-7, SL-8, SL-20: a licence is drafted, accepted and charged; its quota can be raised while it runs; an
//! account has one licence for a product at a time.

use licet_contracts::{
    billing::v1::LineKind,
    operations::v1::{ListOperationsRequest, OperationKind, OperationState, RetryOperationRequest},
    sanlicensing::v1::{
        AcceptLicenseRequest, IncreaseQuotaRequest, LicenseState, ListLicensesRequest,
        QuoteLicenseRequest,
    },
    types::v1::Price,
};
use tonic::Code;

use crate::harness::{
    Backend,
    clock::{instant, shifted, timestamp},
    errors::refused,
    eventually, on_both_databases, request_id,
    samples::{MULTI, multi_domain_product, names, shown, usd},
    san::{
        BUNDLE, OTHER, accept_request, figures, increase_request, quote_request, tier,
        tiers_request,
    },
    world::World,
};

on_both_databases![
    sl_7_a_draft_is_priced_by_its_tier_and_charged_when_accepted,
    sl_7_the_price_of_a_draft_is_fixed,
    sl_7_a_price_by_hand_stands_in_place_of_the_tiers,
    sl_7_a_draft_is_accepted_until_its_time_and_once,
    sl_7_a_preview_keeps_nothing,
    sl_7_what_is_not_for_sale_is_refused,
    sl_7_tiers_never_rise_with_volume,
    sl_8_an_increase_is_charged_for_the_time_left_and_counts_at_once,
    sl_8_an_increase_that_raises_nothing_is_refused,
    sl_20_a_product_has_one_license_at_a_time,
    sl_20_of_many_acceptances_at_once_one_is_charged,
    bl_6_without_money_nothing_happens,
    x_7_with_billing_away_an_acceptance_ends_by_itself,
    licenses_are_listed_newest_first,
];

async fn world_with_account(backend: Backend, balance: &str) -> (World, String) {
    let world = World::start_with_san_licensing(backend).await;
    world.stock_sans().await;
    let account_id = world.account_with(balance).await;
    (world, account_id)
}

#[track_caller]
fn unit_price(price: Option<Price>) -> String {
    price.expect("the term has a unit price").value
}

async fn sl_7_a_draft_is_priced_by_its_tier_and_charged_when_accepted(backend: Backend) {
    let (world, account_id) = world_with_account(backend, "1000.00").await;
    for (quota, months, expected, unit) in [
        (10, 12, "120.00 USD", "12.00"),
        (99, 1, "99.00 USD", "12.00"),
        (100, 12, "600.00 USD", "6.00"),
        (7, 24, "168.00 USD", "12.00"),
    ] {
        let request = QuoteLicenseRequest {
            term_months: months,
            ..quote_request(&account_id, quota)
        };
        let answer = world.san_licenses().quote_license(request).await.unwrap();
        let answer = answer.into_inner();
        let draft = answer.license.unwrap();
        assert_eq!((draft.state(), draft.quota), (LicenseState::Quoted, quota));
        let term = draft.term.unwrap();
        assert_eq!(shown(term.price.as_ref()), expected);
        assert_eq!(unit_price(term.unit_price), unit);
        assert_eq!((term.months, term.period), (months, None));
        let quote = answer.quote.unwrap();
        assert_eq!(shown(quote.total.as_ref()), expected);
        assert_eq!(quote.lines[0].kind(), LineKind::SanQuota);
        assert_eq!(
            instant(draft.quote_valid_until_time),
            shifted(world.now(), 30 * 86_400_000_000)
        );
    }
    assert_eq!(world.balance(&account_id).await, "1000.00 USD");

    let draft = world.quoted(quote_request(&account_id, 10)).await;
    world.time.advance_days(3);
    let accept = accept_request(&draft.license_id);
    let answer = world.san_licenses().accept_license(accept).await.unwrap();
    let answer = answer.into_inner();
    let license = answer.license.unwrap();
    assert_eq!(license.state(), LicenseState::Active);
    assert_eq!(shown(answer.quote.unwrap().total.as_ref()), "120.00 USD");
    let period = license.term.clone().unwrap().period.unwrap();
    assert_eq!(instant(period.start_time), world.now());
    assert_eq!(
        Some(instant(period.end_time)),
        world.now().checked_add_months(12)
    );
    assert_eq!(license.invoice_ids.len(), 1);
    assert_eq!(world.balance(&account_id).await, "880.00 USD");
    let invoices = world.invoices_of(&license.license_id).await;
    assert_eq!(invoices[0].invoice_id, license.invoice_ids[0]);
    assert_eq!(world.get_license(&license.license_id).await, license);
    world.time.move_to(instant(period.end_time));
    let ended = world.get_license(&license.license_id).await;
    assert_eq!(ended.state(), LicenseState::Ended);
}

async fn sl_7_the_price_of_a_draft_is_fixed(backend: Backend) {
    let (world, account_id) = world_with_account(backend, "1000.00").await;
    let draft = world.quoted(quote_request(&account_id, 10)).await;
    world.time.advance_days(1);
    let dearer = tiers_request(BUNDLE, vec![tier(1, "24.00")]);
    world.catalog().set_prices(dearer).await.unwrap();
    let accept = accept_request(&draft.license_id);
    world.san_licenses().accept_license(accept).await.unwrap();
    assert_eq!(world.balance(&account_id).await, "880.00 USD");
}

async fn sl_7_a_price_by_hand_stands_in_place_of_the_tiers(backend: Backend) {
    let (world, account_id) = world_with_account(backend, "1000.00").await;
    let request = QuoteLicenseRequest {
        hand_price: usd("99.00"),
        ..quote_request(&account_id, 10)
    };
    let license = world.license_with(request).await;
    let term = license.term.clone().unwrap();
    assert_eq!(shown(term.price.as_ref()), "99.00 USD");
    assert_eq!(unit_price(term.unit_price), "9.90");
    assert_eq!(world.balance(&account_id).await, "901.00 USD");
    // Half the term is left: 10 × 9.90 × 1/2.
    world.time.advance_months(6);
    world.increase(&license, 20).await;
    assert_eq!(world.balance(&account_id).await, "851.50 USD");
}

async fn sl_7_a_draft_is_accepted_until_its_time_and_once(backend: Backend) {
    let (world, account_id) = world_with_account(backend, "1000.00").await;
    let until = shifted(world.now(), 3_600_000_000);
    let request = QuoteLicenseRequest {
        valid_until_time: Some(timestamp(until)),
        ..quote_request(&account_id, 10)
    };
    let late = world.quoted(request.clone()).await;
    let in_time = world
        .quoted(QuoteLicenseRequest {
            request_id: request_id(),
            ..request
        })
        .await;
    let accept = async |license_id: &str| {
        let accept = accept_request(license_id);
        world.san_licenses().accept_license(accept).await
    };
    world.time.move_to(shifted(until, -1));
    accept(&in_time.license_id).await.unwrap();
    let refusal = refused(accept(&in_time.license_id).await)
        .expect(Code::FailedPrecondition, "LICENSE_NOT_QUOTED");
    assert_eq!(refusal.value("license_id"), in_time.license_id);
    assert_eq!(refusal.value("state"), "ACTIVE");
    world.time.move_to(until);
    let refusal = refused(accept(&late.license_id).await)
        .expect(Code::FailedPrecondition, "LICENSE_QUOTE_EXPIRED");
    assert_eq!(refusal.value("valid_until_time"), until.to_string());
    assert_eq!(world.balance(&account_id).await, "880.00 USD");
}

async fn sl_7_a_preview_keeps_nothing(backend: Backend) {
    let (world, account_id) = world_with_account(backend, "1000.00").await;
    let preview = QuoteLicenseRequest {
        validate_only: true,
        request_id: String::new(),
        ..quote_request(&account_id, 10)
    };
    let seen = world.quoted(preview).await;
    assert_eq!(seen.license_id, "");
    assert_eq!(shown(seen.term.unwrap().price.as_ref()), "120.00 USD");

    let draft = world.quoted(quote_request(&account_id, 10)).await;
    let preview = AcceptLicenseRequest {
        validate_only: true,
        ..accept_request(&draft.license_id)
    };
    let seen = world.san_licenses().accept_license(preview).await.unwrap();
    let seen = seen.into_inner();
    assert_eq!(seen.license, Some(draft));
    assert_eq!(shown(seen.quote.unwrap().total.as_ref()), "120.00 USD");

    let license = world.license(&account_id, 10).await;
    world.time.advance_months(6);
    let preview = IncreaseQuotaRequest {
        validate_only: true,
        ..increase_request(&license, 20)
    };
    let seen = world.san_licenses().increase_quota(preview).await.unwrap();
    let seen = seen.into_inner();
    assert_eq!(seen.license.unwrap().quota, 10);
    let quote = seen.quote.unwrap();
    assert_eq!(shown(quote.total.as_ref()), "60.00 USD");
    assert_eq!(quote.lines[0].kind(), LineKind::SanQuotaIncrease);
    assert_eq!(world.balance(&account_id).await, "880.00 USD");
    let list = ListLicensesRequest {
        account_id,
        ..ListLicensesRequest::default()
    };
    let listed = world.san_licenses().list_licenses(list).await.unwrap();
    assert_eq!(listed.into_inner().licenses.len(), 2);
}

async fn sl_7_what_is_not_for_sale_is_refused(backend: Backend) {
    let (world, account_id) = world_with_account(backend, "1000.00").await;
    world.create_product(multi_domain_product()).await;
    let ask = || quote_request(&account_id, 10);
    let quote = async |request| refused(world.san_licenses().quote_license(request).await);

    let no_product = QuoteLicenseRequest {
        product_ids: names(&["unheard-of"]),
        ..ask()
    };
    let refusal = quote(no_product).await.expect(Code::NotFound, "NOT_FOUND");
    assert_eq!(refusal.value("id"), "unheard-of");
    let other_kind = QuoteLicenseRequest {
        product_ids: names(&[BUNDLE, MULTI]),
        ..ask()
    };
    quote(other_kind)
        .await
        .expect(Code::FailedPrecondition, "PRODUCT_KIND_MISMATCH");
    let other_term = QuoteLicenseRequest {
        term_months: 7,
        ..ask()
    };
    quote(other_term)
        .await
        .expect(Code::FailedPrecondition, "TERM_NOT_SOLD");
    let large_only = tiers_request(BUNDLE, vec![tier(50, "1.00")]);
    world.time.advance_days(1);
    world.catalog().set_prices(large_only).await.unwrap();
    quote(ask())
        .await
        .expect(Code::FailedPrecondition, "PRICE_NOT_SET");
    let other_currency = QuoteLicenseRequest {
        hand_price: crate::harness::samples::money("EUR", "10.00"),
        ..ask()
    };
    quote(other_currency)
        .await
        .expect(Code::FailedPrecondition, "CURRENCY_MISMATCH");
    let nobody = licet_domain::ids::AccountId::generate().to_string();
    let refusal = quote(quote_request(&nobody, 10)).await;
    let refusal = refusal.expect(Code::NotFound, "NOT_FOUND");
    assert_eq!(refusal.value("id"), nobody);
}

async fn sl_7_tiers_never_rise_with_volume(backend: Backend) {
    let (world, _) = world_with_account(backend, "1.00").await;
    world.time.advance_days(1);
    let rising = tiers_request(BUNDLE, vec![tier(100, "6.50"), tier(1, "6.00")]);
    let refusal = refused(world.catalog().set_prices(rising).await)
        .expect(Code::FailedPrecondition, "VOLUME_PRICE_RISES");
    assert_eq!(refusal.value("from_quantity"), "100");
    let level = tiers_request(BUNDLE, vec![tier(1, "6.00"), tier(100, "6.00")]);
    world.catalog().set_prices(level).await.unwrap();
}

async fn sl_8_an_increase_is_charged_for_the_time_left_and_counts_at_once(backend: Backend) {
    let (world, account_id) = world_with_account(backend, "1000.00").await;
    let license = world.license(&account_id, 1).await;
    world.time.advance_months(6);
    let before = world.now();
    world.recorded(&license, &["a.example"]).await;
    world.denied(&license, &["b.example"]).await;
    world.time.move_to(before.checked_add_months(3).unwrap());
    // New licences cost 6.00 at this quota; this one keeps its 12.00, for a quarter of the term.
    let raised = world.increase(&license, 101).await;
    assert_eq!((raised.quota, raised.state()), (101, LicenseState::Active));
    assert_eq!(raised.invoice_ids.len(), 2);
    assert_eq!(world.balance(&account_id).await, "688.00 USD");
    let answer = world.granted(&license, &["b.example"]).await;
    assert_eq!(answer.quota, 101);
    // Past usage keeps its quota.
    let now = world.now();
    assert_eq!(world.usage_at(&license, now).await.quota, 101);
    assert_eq!(world.usage_at(&license, shifted(now, -1)).await.quota, 1);
    assert_eq!(world.usage_at(&license, before).await.quota, 1);
    let term = license.term.clone().unwrap().period.unwrap();
    let end = instant(term.end_time);
    assert_eq!(world.usage_at(&license, shifted(end, -1)).await.quota, 101);
    assert_eq!(world.usage_at(&license, end).await.quota, 0);
    let start = instant(term.start_time);
    assert_eq!(world.usage_at(&license, start).await.quota, 1);
    assert_eq!(world.usage_at(&license, shifted(start, -1)).await.quota, 0);
}

async fn sl_8_an_increase_that_raises_nothing_is_refused(backend: Backend) {
    let (world, account_id) = world_with_account(backend, "1000.00").await;
    let draft = world.quoted(quote_request(&account_id, 10)).await;
    let increase = async |request| refused(world.san_licenses().increase_quota(request).await);
    increase(increase_request(&draft, 20))
        .await
        .expect(Code::FailedPrecondition, "LICENSE_NOT_ACTIVE");
    let license = world.license(&account_id, 10).await;
    for quota in [10, 9, 1] {
        let refusal = increase(increase_request(&license, quota)).await;
        let refusal = refusal.expect(Code::FailedPrecondition, "QUOTA_NOT_HIGHER");
        assert_eq!(refusal.value("quota"), "10");
        assert_eq!(refusal.value("asked"), quota.to_string());
    }
    let end = instant(license.term.clone().unwrap().period.unwrap().end_time);
    world.time.move_to(end);
    increase(increase_request(&license, 20))
        .await
        .expect(Code::FailedPrecondition, "LICENSE_NOT_ACTIVE");
    assert_eq!(world.balance(&account_id).await, "880.00 USD");
}

async fn sl_20_a_product_has_one_license_at_a_time(backend: Backend) {
    let (world, account_id) = world_with_account(backend, "1000.00").await;
    let both = QuoteLicenseRequest {
        product_ids: names(&[BUNDLE, OTHER]),
        ..quote_request(&account_id, 10)
    };
    let both = world.quoted(both).await;
    assert_eq!(both.product_ids, [BUNDLE, OTHER]);
    let license = world.license(&account_id, 10).await;
    let accept = accept_request(&both.license_id);
    let refusal = refused(world.san_licenses().accept_license(accept).await)
        .expect(Code::FailedPrecondition, "PRODUCT_ALREADY_LICENSED");
    assert_eq!(refusal.value("product_id"), BUNDLE);
    assert_eq!(refusal.value("license_id"), license.license_id);
    assert_eq!(refusal.subjects(), [BUNDLE]);
    assert_eq!(world.balance(&account_id).await, "880.00 USD");
    // The refused licence reserves none of its products.
    let other = QuoteLicenseRequest {
        product_ids: names(&[OTHER]),
        ..quote_request(&account_id, 1)
    };
    world.license_with(other).await;
    // Another account can license the product, and the same account after the licence's end.
    let theirs = world.account_with("1000.00").await;
    world.license(&theirs, 10).await;
    let end = instant(license.term.clone().unwrap().period.unwrap().end_time);
    world.time.move_to(end);
    let next = world.license(&account_id, 10).await;
    assert_eq!(
        instant(next.term.unwrap().period.unwrap().start_time),
        world.now()
    );
}

async fn sl_20_of_many_acceptances_at_once_one_is_charged(backend: Backend) {
    let (world, account_id) = world_with_account(backend, "1000.00").await;
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let draft = world.quoted(quote_request(&account_id, 10)).await;
        let (mut licenses, accept) = (world.san_licenses(), accept_request(&draft.license_id));
        asked.spawn(async move { licenses.accept_license(accept).await });
    }
    let mut accepted = 0;
    while let Some(answer) = asked.join_next().await {
        match answer.unwrap() {
            Ok(_) => accepted += 1,
            refusal => {
                refused(refusal).expect(Code::FailedPrecondition, "PRODUCT_ALREADY_LICENSED");
            }
        }
    }
    assert_eq!(accepted, 1);
    assert_eq!(world.balance(&account_id).await, "880.00 USD");
}

async fn bl_6_without_money_nothing_happens(backend: Backend) {
    let (world, account_id) = world_with_account(backend, "100.00").await;
    let draft = world.quoted(quote_request(&account_id, 10)).await;
    let accept = accept_request(&draft.license_id);
    let first = refused(world.san_licenses().accept_license(accept.clone()).await)
        .expect(Code::ResourceExhausted, "INSUFFICIENT_FUNDS");
    assert_eq!(first.value("missing"), "20.00");
    let after = world.get_license(&draft.license_id).await;
    assert_eq!(
        (after.state(), after.pending_change),
        (LicenseState::Quoted, None)
    );
    // A repeat is refused again (BL-2); a new request succeeds.
    world.deposit(&account_id, "50.00").await;
    let again = refused(world.san_licenses().accept_license(accept).await);
    assert_eq!(again, first);
    let accept = accept_request(&draft.license_id);
    world.san_licenses().accept_license(accept).await.unwrap();
    assert_eq!(world.balance(&account_id).await, "30.00 USD");

    let license = world.get_license(&draft.license_id).await;
    let increase = increase_request(&license, 100);
    refused(world.san_licenses().increase_quota(increase).await)
        .expect(Code::ResourceExhausted, "INSUFFICIENT_FUNDS");
    let after = world.get_license(&draft.license_id).await;
    assert_eq!((after.quota, after.pending_change), (10, None));
    assert_eq!(figures(&world.usage(&license).await), (0, 0, 10));
}

async fn x_7_with_billing_away_an_acceptance_ends_by_itself(backend: Backend) {
    let (mut world, account_id) = world_with_account(backend, "1000.00").await;
    let draft = world.quoted(quote_request(&account_id, 10)).await;
    world.stop_billing().await;
    let accept = accept_request(&draft.license_id);
    let accepted = world.now();
    let answer = world.san_licenses().accept_license(accept.clone()).await;
    let waiting = answer.unwrap().into_inner().license.unwrap();
    assert_eq!(waiting.state(), LicenseState::Accepting);
    let pending = waiting.pending_change.clone().unwrap();
    assert_eq!(pending.kind(), OperationKind::AcceptLicense);
    assert_eq!(instant(pending.accept_time), accepted);
    let other = accept_request(&draft.license_id);
    refused(world.san_licenses().accept_license(other).await);
    world.denied(&waiting, &["a.example"]).await;

    world.time.advance_days(2);
    world.start_billing().await;
    let license = eventually("the licence runs", || async {
        let retry = RetryOperationRequest {
            operation_id: pending.operation_id.clone(),
            request_id: request_id(),
        };
        world.san_operations().retry_operation(retry).await.unwrap();
        let license = world.get_license(&draft.license_id).await;
        (license.state() == LicenseState::Active).then_some(license)
    })
    .await;
    // The term starts at its acceptance, however late the charge (T-4).
    let period = license.term.clone().unwrap().period.unwrap();
    assert_eq!(instant(period.start_time), accepted);
    assert_eq!(world.balance(&account_id).await, "880.00 USD");
    world.granted(&license, &["a.example"]).await;
    let list = ListOperationsRequest {
        resource_id: license.license_id.clone(),
        ..ListOperationsRequest::default()
    };
    let operations = world.san_operations().list_operations(list).await.unwrap();
    let operations = operations.into_inner().operations;
    assert_eq!(operations.len(), 1);
    assert_eq!(operations[0].state(), OperationState::Done);
}

async fn licenses_are_listed_newest_first(backend: Backend) {
    let (world, account_id) = world_with_account(backend, "1000.00").await;
    let mut drafted = Vec::new();
    for _ in 0..5 {
        let draft = world.quoted(quote_request(&account_id, 1)).await;
        drafted.insert(0, draft.license_id);
        world.time.advance_days(1);
    }
    world
        .quoted(quote_request(&world.empty_account().await, 1))
        .await;
    let mut listed = Vec::new();
    let mut request = ListLicensesRequest {
        account_id,
        page_size: 2,
        ..ListLicensesRequest::default()
    };
    loop {
        let page = world.san_licenses().list_licenses(request.clone()).await;
        let page = page.unwrap().into_inner();
        listed.extend(page.licenses.into_iter().map(|license| license.license_id));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(listed, drafted);
    let running = ListLicensesRequest {
        state: LicenseState::Active.into(),
        page_token: String::new(),
        ..request
    };
    let running = world.san_licenses().list_licenses(running).await.unwrap();
    assert!(running.into_inner().licenses.is_empty());
}
