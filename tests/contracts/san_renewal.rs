//! SL-6, SL-9, SL-20: a licence is renewed within its window, with the new term's quota, options and price,
//! completely or not at all.

use licet_contracts::{
    billing::v1::LineKind,
    operations::v1::{OperationKind, RetryOperationRequest},
    sanlicensing::v1::{
        License, LicenseOptions, LicenseState, ListLicensesRequest, QuoteLicenseRequest,
        RenewLicenseRequest,
    },
};
use tonic::Code;

use crate::harness::{
    Backend,
    clock::{instant, shifted},
    errors::{Refused, refused},
    eventually, on_both_databases, request_id,
    samples::{shown, usd},
    san::{BUNDLE, OTHER, figures, increase_request, quote_request, tier, tiers_request},
    san_life::{end, late_request, renew_request, span, wildcards_of},
    world::World,
};

on_both_databases![
    sl_9_a_renewal_is_priced_by_the_day_and_starts_at_the_old_end,
    sl_9_it_is_renewed_within_its_window_and_late_by_a_stated_exception,
    sl_9_there_is_one_future_term_at_most,
    sl_9_usage_foreseen_over_the_new_quota_is_refused_unless_accepted,
    sl_9_a_preview_buys_nothing,
    sl_9_only_what_was_charged_is_renewed,
    sl_6_a_term_has_options_and_a_price_of_its_own,
    sl_6_the_past_keeps_the_term_that_contained_it,
    sl_8_an_increase_raises_the_running_term_alone,
    sl_11_between_its_end_and_a_late_renewal_it_authorises_nothing,
    sl_20_a_license_whose_product_was_taken_is_not_renewed,
    sl_20_products_stay_held_while_a_late_renewal_is_charged,
    t_2_a_renewal_keeps_the_first_anchor,
    bl_2_a_renewal_is_made_once,
    bl_6_a_renewal_without_money_leaves_the_license_as_it_was,
    x_7_with_billing_away_a_renewal_ends_by_itself,
    licenses_are_listed_by_their_last_term,
];

async fn refused_renewal(world: &World, request: RenewLicenseRequest) -> Refused {
    refused(world.san_licenses().renew_license(request).await)
}

async fn sl_9_a_renewal_is_priced_by_the_day_and_starts_at_the_old_end(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    let both = world.added(&license, OTHER).await.license.unwrap();
    assert_eq!(both.product_ids, [BUNDLE, OTHER]);
    let old_end = end(&license);
    world.move_before_end(&license, 30);
    // The bundle is cheaper now, so the other product sets the term's price (SL-10).
    let cheaper = tiers_request(BUNDLE, vec![tier(1, "3.00")]);
    world.catalog().set_prices(cheaper).await.unwrap();
    let before = world.balance(&license.account_id).await;
    assert_eq!(before, "999880.00 USD");
    let answer = world.renewed(renew_request(&license, 20)).await;
    assert_eq!(world.balance(&license.account_id).await, "999640.00 USD");
    let quote = answer.quote.unwrap();
    assert_eq!(shown(quote.total.as_ref()), "240.00 USD");
    let line = &quote.lines[0];
    assert_eq!(
        (line.kind(), line.rule_id.as_str()),
        (LineKind::SanQuota, "SL-9")
    );
    assert_eq!(line.product_id, OTHER);
    assert_eq!(quote.subject.unwrap().term_index, 1);
    let next = answer.term.unwrap();
    assert_eq!(
        span(Some(&next)),
        (old_end, old_end.checked_add_months(12).unwrap())
    );
    assert_eq!((next.quota, next.sold_quota), (20, 20));
    assert_eq!(next.product_ids, [BUNDLE, OTHER]);
    let foreseen = answer.foreseen_usage.unwrap();
    assert_eq!(instant(foreseen.as_of_time), old_end);
    assert_eq!((foreseen.used, foreseen.over_by), (0, 0));

    let license = answer.license.unwrap();
    assert_eq!(license.state(), LicenseState::Active);
    assert_eq!((license.quota, license.invoice_ids.len()), (10, 2));
    assert_eq!(license.next_term, Some(next.clone()));
    assert_eq!(license.pending_change, None);
    assert_eq!(world.usage(&license).await.quota, 10);
    world.time.move_to(shifted(old_end, -1));
    assert_eq!(world.get_license(&license.license_id).await, license);
    world.time.move_to(old_end);
    let after = world.get_license(&license.license_id).await;
    assert_eq!((after.quota, after.next_term), (20, None));
    assert_eq!(
        (after.term, after.past_terms),
        (Some(next), vec![license.term.unwrap()])
    );
    world.time.move_to(old_end.checked_add_months(12).unwrap());
    let over = world.get_license(&license.license_id).await;
    assert_eq!(over.state(), LicenseState::Ended);
}

async fn sl_9_it_is_renewed_within_its_window_and_late_by_a_stated_exception(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    let old_end = end(&license);
    let day = 86_400_000_000;
    let (from, until) = (shifted(old_end, -30 * day), shifted(old_end, 30 * day));
    world.time.move_to(shifted(from, -1));
    // The exception permits a late renewal, not an early one.
    let refusal = refused_renewal(&world, late_request(&license, 10))
        .await
        .expect(Code::FailedPrecondition, "RENEWAL_TOO_EARLY");
    assert_eq!(refusal.value("from_time"), from.to_string());
    assert_eq!(refusal.value("end_time"), old_end.to_string());
    world.time.move_to(old_end);
    let refusal = refused_renewal(&world, renew_request(&license, 10))
        .await
        .expect(Code::FailedPrecondition, "RENEWAL_EXCEPTION_REQUIRED");
    assert_eq!(refusal.value("until_time"), until.to_string());
    let theirs = world.account_with("1000.00").await;
    let request = QuoteLicenseRequest {
        term_months: 1,
        ..quote_request(&theirs, 10)
    };
    let other = world.license_with(request).await;
    world.time.move_to(shifted(until, -1));
    let answer = world.renewed(late_request(&license, 10)).await;
    let term = answer.term.unwrap();
    assert_eq!(span(Some(&term)).0, old_end);
    assert_eq!(instant(term.bought_late_time), world.now());
    assert_eq!(answer.license.unwrap().state(), LicenseState::Active);
    let renewed = eventually("the renewal's event is written", || async {
        let log = super::events::log(world.san_events()).await;
        let mut events = log.into_iter().filter_map(|entry| entry.event);
        events.find(|event| event.r#type == "licet.sanlicensing.license.renewed.v1")
    })
    .await;
    let data = format!("{renewed:?}");
    assert!(data.contains("the order was lost in the post"), "{data}");

    world.time.move_to(shifted(end(&other), 30 * day));
    let refusal = refused_renewal(&world, late_request(&other, 10))
        .await
        .expect(Code::FailedPrecondition, "RENEWAL_TOO_LATE");
    assert_eq!(refusal.value("license_id"), other.license_id);
}

async fn sl_9_there_is_one_future_term_at_most(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    world.move_before_end(&license, 3);
    let month = |license: &License| RenewLicenseRequest {
        term_months: 1,
        ..renew_request(license, 10)
    };
    let next = world.renewed(month(&license)).await.term.unwrap();
    let refusal = refused_renewal(&world, month(&license))
        .await
        .expect(Code::FailedPrecondition, "RENEWAL_ALREADY_BOUGHT");
    let (start, end) = span(Some(&next));
    assert_eq!(refusal.value("start_time"), start.to_string());
    assert_eq!(refusal.value("end_time"), end.to_string());
    // Once the next term runs, another one can be bought.
    world.time.move_to(end);
    let third = world.renewed(RenewLicenseRequest {
        term_months: 1,
        ..late_request(&license, 10)
    });
    let third = third.await.license.unwrap();
    assert_eq!(third.past_terms.len(), 2);
    assert_eq!(third.next_term, None);
    assert_eq!(span(third.term.as_ref()).0, end);
}

async fn sl_9_usage_foreseen_over_the_new_quota_is_refused_unless_accepted(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 20).await;
    world.move_before_end(&license, 10);
    let old_end = end(&license);
    world
        .recorded(&license, &["a.example", "*.a.example"])
        .await;
    world
        .recorded_until(&license, &["b.example"], shifted(old_end, -1_000_000))
        .await;
    world
        .recorded_until(&license, &["c.example"], old_end)
        .await;
    // A reservation does not count as a certificate.
    world.granted(&license, &["d.example"]).await;
    assert_eq!(world.usage(&license).await.used, 8);
    let request = || RenewLicenseRequest {
        options: Some(wildcards_of(7)),
        ..renew_request(&license, 8)
    };
    let refusal = refused_renewal(&world, request())
        .await
        .expect(Code::FailedPrecondition, "FORESEEN_USAGE_EXCEEDS_QUOTA");
    for (key, value) in [("foreseen", "9"), ("quota", "8"), ("over_by", "1")] {
        assert_eq!(refusal.value(key), value);
    }
    assert_eq!(refusal.value("as_of_time"), old_end.to_string());
    assert_eq!(world.get_license(&license.license_id).await, license);
    let accepted = RenewLicenseRequest {
        accept_over_quota: true,
        ..request()
    };
    let foreseen = world.renewed(accepted).await.foreseen_usage.unwrap();
    assert_eq!((foreseen.used, foreseen.quota, foreseen.over_by), (9, 8, 1));
    // Beyond the quota, SANs in use are granted and no others (SL-11).
    world.time.move_to(old_end);
    assert_eq!(figures(&world.usage(&license).await), (9, 0, -1));
    world.granted(&license, &["a.example"]).await;
    world.denied(&license, &["e.example"]).await;
}

async fn sl_9_a_preview_buys_nothing(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    let preview = || RenewLicenseRequest {
        validate_only: true,
        request_id: String::new(),
        ..renew_request(&license, 100)
    };
    refused_renewal(&world, preview())
        .await
        .expect(Code::FailedPrecondition, "RENEWAL_TOO_EARLY");
    world.move_before_end(&license, 10);
    let seen = world.renewed(preview()).await;
    assert_eq!(seen.license, Some(license.clone()));
    assert_eq!(shown(seen.quote.unwrap().total.as_ref()), "600.00 USD");
    assert_eq!(seen.term.unwrap().quota, 100);
    let by_hand = RenewLicenseRequest {
        hand_price: usd("99.00"),
        ..preview()
    };
    let seen = world.renewed(by_hand).await.term.unwrap();
    assert_eq!(shown(seen.price.as_ref()), "99.00 USD");
    assert_eq!(world.get_license(&license.license_id).await, license);
    assert_eq!(world.balance(&license.account_id).await, "999880.00 USD");
}

async fn sl_9_only_what_was_charged_is_renewed(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    let draft = world.quoted(quote_request(&license.account_id, 10)).await;
    world.move_before_end(&license, 10);
    let refusal = refused_renewal(&world, renew_request(&draft, 10))
        .await
        .expect(Code::FailedPrecondition, "LICENSE_NOT_ACTIVE");
    assert_eq!(refusal.value("state"), "QUOTED");
    let unsold = RenewLicenseRequest {
        term_months: 7,
        ..renew_request(&license, 10)
    };
    refused_renewal(&world, unsold)
        .await
        .expect(Code::FailedPrecondition, "TERM_NOT_SOLD");
    let foreign = RenewLicenseRequest {
        hand_price: crate::harness::samples::money("EUR", "10.00"),
        ..renew_request(&license, 10)
    };
    refused_renewal(&world, foreign)
        .await
        .expect(Code::FailedPrecondition, "CURRENCY_MISMATCH");
    world.cancelled(&license).await;
    let refusal = refused_renewal(&world, renew_request(&license, 10)).await;
    let refusal = refusal.expect(Code::FailedPrecondition, "LICENSE_NOT_ACTIVE");
    assert_eq!(refusal.value("state"), "CANCELLED");
}

async fn sl_6_a_term_has_options_and_a_price_of_its_own(backend: Backend) {
    let world = World::start_with_san_licensing(backend).await;
    world.stock_sans().await;
    let account_id = world.account_with("10000.00").await;
    let options = LicenseOptions {
        max_term_months: 12,
        ..wildcards_of(3)
    };
    let license = world
        .license_with(QuoteLicenseRequest {
            options: Some(options),
            ..quote_request(&account_id, 10)
        })
        .await;
    world.move_before_end(&license, 1);
    let longer = RenewLicenseRequest {
        term_months: 24,
        ..renew_request(&license, 10)
    };
    let refusal = refused_renewal(&world, longer.clone())
        .await
        .expect(Code::FailedPrecondition, "TERM_TOO_LONG");
    assert_eq!(refusal.value("maximum"), "12");
    let same = RenewLicenseRequest {
        validate_only: true,
        ..renew_request(&license, 10)
    };
    let kept = world.renewed(same).await.term.unwrap();
    assert_eq!(kept.options, license.options);
    let other = RenewLicenseRequest {
        options: Some(LicenseOptions {
            wildcards_allowed: false,
            ..wildcards_of(2)
        }),
        hand_price: usd("99.00"),
        request_id: request_id(),
        ..longer
    };
    let next = world.renewed(other).await.term.unwrap();
    assert_eq!(shown(next.price.as_ref()), "99.00 USD");
    world.granted(&license, &["*.a.example"]).await;
    world.time.move_to(end(&license));
    let after = world.get_license(&license.license_id).await;
    assert_eq!(after.options, next.options);
    let denied = world.denied(&license, &["*.b.example"]).await;
    assert_eq!(denied.reasons.len(), 1);
    // Half the term is left: 10 × 99.00 / 10 × 1/2, at the running term's price (SL-8).
    world.time.advance_months(12);
    let before = world.balance(&account_id).await;
    world.increase(&license, 20).await;
    assert_eq!(before, "9781.00 USD");
    assert_eq!(world.balance(&account_id).await, "9731.50 USD");
}

async fn sl_6_the_past_keeps_the_term_that_contained_it(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 20).await;
    let old_end = end(&license);
    world.move_before_end(&license, 10);
    world
        .recorded(&license, &["a.example", "*.a.example"])
        .await;
    let other = RenewLicenseRequest {
        options: Some(wildcards_of(2)),
        ..renew_request(&license, 9)
    };
    world.renewed(other).await;
    // Future usage has the weights of the term then in force.
    let figures_at = async |at| {
        let usage = world.usage_at(&license, at).await;
        (usage.quota, usage.used)
    };
    for _ in 0..2 {
        assert_eq!(figures_at(shifted(old_end, -1)).await, (20, 6));
        assert_eq!(figures_at(old_end).await, (9, 3));
        world.time.move_to(old_end);
    }
    let usage = world.usage(&license).await;
    assert_eq!((usage.quota, usage.used), (9, 3));
}

async fn sl_8_an_increase_raises_the_running_term_alone(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    world.move_before_end(&license, 10);
    world.renewed(renew_request(&license, 5)).await;
    let raised = world.increase(&license, 12).await;
    assert_eq!((raised.quota, raised.next_term.unwrap().quota), (12, 5));
    world.time.move_to(end(&license));
    let after = world.get_license(&license.license_id).await;
    assert_eq!((after.quota, after.past_terms[0].quota), (5, 12));
    assert_eq!(after.past_terms[0].raises.len(), 1);
    refused(
        world
            .san_licenses()
            .increase_quota(increase_request(&license, 5))
            .await,
    )
    .expect(Code::FailedPrecondition, "QUOTA_NOT_HIGHER");
    let raised = world.increase(&license, 6).await;
    assert_eq!((raised.quota, raised.past_terms[0].quota), (6, 12));
}

async fn sl_11_between_its_end_and_a_late_renewal_it_authorises_nothing(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    let old_end = end(&license);
    world.time.move_to(old_end);
    world.recorded(&license, &["z.example"]).await;
    world.time.advance_days(5);
    let gap = world.now();
    world.denied(&license, &["a.example"]).await;
    assert_eq!(world.usage_at(&license, gap).await.quota, 0);
    world.time.advance_days(1);
    let answer = world.renewed(late_request(&license, 10)).await;
    // Past usage never changes (T-6).
    assert_eq!(world.usage_at(&license, gap).await.quota, 0);
    assert_eq!(
        world.usage_at(&license, shifted(old_end, -1)).await.quota,
        10
    );
    assert_eq!(world.usage(&license).await.quota, 10);
    world.granted(&license, &["a.example"]).await;
    let term = answer.term.unwrap();
    assert_eq!(
        span(Some(&term)),
        (old_end, old_end.checked_add_months(12).unwrap())
    );
    assert_eq!(shown(term.price.as_ref()), "120.00 USD");
}

async fn sl_20_a_license_whose_product_was_taken_is_not_renewed(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    world.time.move_to(end(&license));
    let successor = world.license(&license.account_id, 10).await;
    let before = world.balance(&license.account_id).await;
    let request = late_request(&license, 10);
    for validate_only in [true, false] {
        let request = RenewLicenseRequest {
            validate_only,
            ..request.clone()
        };
        let refusal = refused_renewal(&world, request)
            .await
            .expect(Code::FailedPrecondition, "PRODUCT_ALREADY_LICENSED");
        assert_eq!(refusal.value("license_id"), successor.license_id);
        assert_eq!(refusal.subjects(), [BUNDLE]);
    }
    assert_eq!(world.balance(&license.account_id).await, before);
    // Once the successor is cancelled, the old licence can be renewed again.
    world.cancelled(&successor).await;
    world.renewed(late_request(&license, 10)).await;
    world.granted(&license, &["a.example"]).await;
}

async fn sl_20_products_stay_held_while_a_late_renewal_is_charged(backend: Backend) {
    let (mut world, license) = World::start_licensed(backend, 10).await;
    let draft = world.quoted(quote_request(&license.account_id, 10)).await;
    let draft = QuoteLicenseRequest {
        valid_until_time: None,
        ..quote_request(&draft.account_id, 10)
    };
    world.time.move_to(end(&license));
    let draft = world.quoted(draft).await;
    world.stop_billing().await;
    let answer = world.renewed(late_request(&license, 10)).await;
    let pending = answer.license.unwrap().pending_change.unwrap();
    assert_eq!(pending.kind(), OperationKind::RenewLicense);
    world.denied(&license, &["a.example"]).await;
    let accept = crate::harness::san::accept_request(&draft.license_id);
    let refusal = refused(world.san_licenses().accept_license(accept).await)
        .expect(Code::FailedPrecondition, "PRODUCT_ALREADY_LICENSED");
    assert_eq!(refusal.value("license_id"), license.license_id);
    world.start_billing().await;
    let license = settled(&world, &license, &pending.operation_id).await;
    assert_eq!(license.state(), LicenseState::Active);
    world.granted(&license, &["a.example"]).await;
}

/// The licence once its operation has ended.
async fn settled(world: &World, license: &License, operation_id: &str) -> License {
    eventually("the operation ends", || async {
        let retry = RetryOperationRequest {
            operation_id: operation_id.to_owned(),
            request_id: request_id(),
        };
        world.san_operations().retry_operation(retry).await.unwrap();
        let license = world.get_license(&license.license_id).await;
        license.pending_change.is_none().then_some(license)
    })
    .await
}

async fn t_2_a_renewal_keeps_the_first_anchor(backend: Backend) {
    let world = World::start_with_san_licensing(backend).await;
    world.stock_sans().await;
    let account_id = world.account_with("10000.00").await;
    let anchor = "2027-01-31T00:00:00Z".parse().unwrap();
    world.time.move_to(anchor);
    let license = world
        .license_with(QuoteLicenseRequest {
            term_months: 1,
            ..quote_request(&account_id, 12)
        })
        .await;
    assert_eq!(end(&license).to_string(), "2027-02-28T00:00:00.000000Z");
    let month = RenewLicenseRequest {
        term_months: 1,
        ..renew_request(&license, 12)
    };
    let next = world.renewed(month).await.term.unwrap();
    let (_, next_end) = span(Some(&next));
    assert_eq!(next_end.to_string(), "2027-03-31T00:00:00.000000Z");
    assert_eq!(shown(next.price.as_ref()), "12.00 USD");
    // A month that would be over when bought is refused (P-1).
    let other = world.account_with("10000.00").await;
    world.time.move_to("2029-01-01T00:00:00Z".parse().unwrap());
    let license = world
        .license_with(QuoteLicenseRequest {
            term_months: 1,
            ..quote_request(&other, 12)
        })
        .await;
    world.time.move_to("2029-03-01T00:00:00Z".parse().unwrap());
    let month = RenewLicenseRequest {
        term_months: 1,
        ..late_request(&license, 12)
    };
    let refusal = refused_renewal(&world, month).await;
    let refusal = refusal.expect(Code::FailedPrecondition, "TERM_ENDED");
    assert_eq!(refusal.value("end_time"), "2029-03-01T00:00:00.000000Z");
}

async fn bl_2_a_renewal_is_made_once(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    let request = renew_request(&license, 10);
    let early = refused_renewal(&world, request.clone()).await;
    world.move_before_end(&license, 10);
    // A repeat gets the first refusal.
    assert_eq!(refused_renewal(&world, request).await, early);
    let request = renew_request(&license, 10);
    let first = world.renewed(request.clone()).await;
    world.time.move_to(end(&license));
    assert_eq!(world.renewed(request.clone()).await, first);
    let other = RenewLicenseRequest {
        quota: 11,
        ..request
    };
    refused_renewal(&world, other)
        .await
        .expect(Code::AlreadyExists, "REQUEST_ID_REUSED");
    assert_eq!(world.balance(&license.account_id).await, "999760.00 USD");
}

async fn bl_6_a_renewal_without_money_leaves_the_license_as_it_was(backend: Backend) {
    let world = World::start_with_san_licensing(backend).await;
    world.stock_sans().await;
    let account_id = world.account_with("130.00").await;
    let license = world.license(&account_id, 10).await;
    world.move_before_end(&license, 10);
    let refusal = refused_renewal(&world, renew_request(&license, 10)).await;
    let refusal = refusal.expect(Code::ResourceExhausted, "INSUFFICIENT_FUNDS");
    assert_eq!(refusal.value("missing"), "110.00");
    assert_eq!(world.get_license(&license.license_id).await, license);
    assert_eq!(world.balance(&account_id).await, "10.00 USD");
    // After its end the licence no longer reserves its products.
    world.time.move_to(end(&license));
    refused_renewal(&world, late_request(&license, 10))
        .await
        .expect(Code::ResourceExhausted, "INSUFFICIENT_FUNDS");
    world.deposit(&account_id, "120.00").await;
    world.license(&account_id, 10).await;
}

async fn x_7_with_billing_away_a_renewal_ends_by_itself(backend: Backend) {
    let (mut world, license) = World::start_licensed(backend, 10).await;
    world.move_before_end(&license, 10);
    let accepted = world.now();
    world.stop_billing().await;
    let request = renew_request(&license, 20);
    let answer = world.renewed(request.clone()).await;
    assert_eq!((answer.quote, answer.term), (None, None));
    let waiting = answer.license.unwrap();
    assert_eq!((waiting.quota, waiting.next_term), (10, None));
    let pending = waiting.pending_change.unwrap();
    assert_eq!(instant(pending.accept_time), accepted);
    refused_renewal(&world, renew_request(&license, 20))
        .await
        .expect(Code::Aborted, "OPERATION_IN_PROGRESS");
    let cancel = crate::harness::san_life::cancel_request(&license);
    refused(world.san_licenses().cancel_license(cancel).await)
        .expect(Code::Aborted, "OPERATION_IN_PROGRESS");
    // The old term ends meanwhile, and authorisation with it (SL-11).
    world.time.move_to(end(&license));
    world.denied(&license, &["a.example"]).await;
    world.start_billing().await;
    let license = settled(&world, &license, &pending.operation_id).await;
    // It was accepted in time, so the term starts at the old end (T-3, T-4).
    let term = license.term.clone().unwrap();
    assert_eq!((license.quota, term.bought_late_time), (20, None));
    world.granted(&license, &["a.example"]).await;
    assert_eq!(world.renewed(request).await.license.unwrap().quota, 20);
    assert_eq!(world.balance(&license.account_id).await, "999640.00 USD");
}

async fn licenses_are_listed_by_their_last_term(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    let listed = async |state: LicenseState| {
        let list = ListLicensesRequest {
            account_id: license.account_id.clone(),
            state: state.into(),
            ..ListLicensesRequest::default()
        };
        let listed = world.san_licenses().list_licenses(list).await.unwrap();
        listed.into_inner().licenses.len()
    };
    world.move_before_end(&license, 1);
    world.renewed(renew_request(&license, 10)).await;
    world.time.move_to(end(&license));
    assert_eq!(listed(LicenseState::Active).await, 1);
    assert_eq!(listed(LicenseState::Ended).await, 0);
    world.time.advance_months(12);
    assert_eq!(listed(LicenseState::Active).await, 0);
    assert_eq!(listed(LicenseState::Ended).await, 1);
    world.renewed(late_request(&license, 10)).await;
    assert_eq!(listed(LicenseState::Active).await, 1);
    world.cancelled(&license).await;
    assert_eq!(listed(LicenseState::Active).await, 0);
    assert_eq!(listed(LicenseState::Ended).await, 0);
    assert_eq!(listed(LicenseState::Cancelled).await, 1);
}
