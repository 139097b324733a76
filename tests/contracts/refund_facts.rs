//! AL-4: a refund request may name the decision time and the time from which the term is in use. The response
//! says what the refund does not change.

use chrono::TimeDelta;
use licet_contracts::billing::v1::{
    ChargeQuoteRequest, CreateQuoteRequest, LineKind, Policy, Product, Refund, RefundCount,
    RefundState, RequestRefundRequest, RequestRefundResponse,
};
use licet_domain::clock::Instant;
use tonic::{Code, Response, Status};

use crate::harness::{
    Backend,
    clock::{instant, shifted, timestamp},
    corrections::{first_term, in_use},
    errors::refused,
    on_both_databases, request_id,
    samples::{MULTI, multi_domain_product, term_price},
    selling::{ask, item},
    world::World,
};

on_both_databases![
    al_4_no_decision_is_before_the_purchase,
    al_4_no_decision_is_before_what_was_invoiced_last,
    t_5_a_decision_within_the_clocks_difference_is_as_of_the_purchase,
    t_5_a_second_decision_is_no_earlier_than_the_first,
    t_5_no_charge_is_accepted_before_it_was_offered,
    al_4_the_first_issuance_lies_in_the_term,
    al_4_a_refund_does_not_end_a_running_license,
];

const DAY_MICROS: i64 = 86_400_000_000;

/// A world whose multi-domain product counts refund days from `count`, and an account of 1000.00.
async fn counting_from(backend: Backend, count: RefundCount) -> (World, String) {
    let world = World::start(backend).await;
    let product = Product {
        policy: Some(Policy {
            refund_count: count.into(),
            ..Policy::default()
        }),
        ..multi_domain_product()
    };
    world.create_product(product).await;
    let prices = vec![term_price(12, ["98.00", "49.00", "149.00", "19.00"])];
    world.set_prices(MULTI, prices).await;
    let account_id = world.account_with("1000.00").await;
    (world, account_id)
}

fn question(account_id: &str, since: Option<Instant>) -> RequestRefundRequest {
    RequestRefundRequest {
        account_id: account_id.to_owned(),
        subject: first_term("thing-1"),
        r#use: Some(in_use(since)),
        request_id: request_id(),
        ..RequestRefundRequest::default()
    }
}

fn as_of(account_id: &str, since: Option<Instant>, decided: Instant) -> RequestRefundRequest {
    RequestRefundRequest {
        decision_time: Some(timestamp(decided)),
        ..question(account_id, since)
    }
}

async fn asked(
    world: &World,
    request: RequestRefundRequest,
) -> Result<Response<RequestRefundResponse>, Status> {
    world.refunds().request_refund(request).await
}

async fn decided(world: &World, request: RequestRefundRequest) -> Refund {
    let answer = asked(world, request).await.unwrap();
    answer.into_inner().refund.unwrap()
}

async fn sell(world: &World, account_id: &str, kind: LineKind) {
    world.sell_about(account_id, "thing-1", &[(kind, 1)]).await;
}

async fn al_4_no_decision_is_before_the_purchase(backend: Backend) {
    for count in [RefundCount::Purchase, RefundCount::FirstIssuance] {
        let (world, account_id) = counting_from(backend, count).await;
        let bought = world.now();
        sell(&world, &account_id, LineKind::Certificate).await;
        world.time.advance_days(100);
        for before in [5 * 60 * 1_000_000 + 1, 400 * DAY_MICROS] {
            for validate_only in [true, false] {
                let request = RequestRefundRequest {
                    validate_only,
                    ..as_of(&account_id, None, shifted(bought, -before))
                };
                let refusal = refused(asked(&world, request).await);
                let refusal = refusal.expect(Code::FailedPrecondition, "DECISION_BEFORE_PURCHASE");
                assert_eq!(refusal.value("accept_time"), bought.to_string());
                let decided = shifted(bought, -before).to_string();
                assert_eq!(refusal.value("decision_time"), decided);
            }
        }
        assert_eq!(world.balance(&account_id).await, "902.00 USD");
        // Decided as of now, it is too late for a refund, counted from the purchase or the first issuance.
        let refund = decided(&world, question(&account_id, Some(bought))).await;
        assert_eq!(refund.state(), RefundState::NotDue);
    }
}

/// A purchase of day 40 cannot be refunded as of day 24.
async fn al_4_no_decision_is_before_what_was_invoiced_last(backend: Backend) {
    let (world, account_id) = counting_from(backend, RefundCount::Purchase).await;
    let bought = world.now();
    sell(&world, &account_id, LineKind::Certificate).await;
    world.time.advance_days(40);
    sell(&world, &account_id, LineKind::Domain).await;
    let day_24 = shifted(bought, 24 * DAY_MICROS);
    let refusal = refused(asked(&world, as_of(&account_id, None, day_24)).await);
    let refusal = refusal.expect(Code::FailedPrecondition, "DECISION_BEFORE_PURCHASE");
    assert_eq!(refusal.value("accept_time"), world.now().to_string());
    let refund = decided(&world, question(&account_id, None)).await;
    assert_eq!(refund.state(), RefundState::NotDue);
}

async fn t_5_a_decision_within_the_clocks_difference_is_as_of_the_purchase(backend: Backend) {
    let (world, account_id) = counting_from(backend, RefundCount::Purchase).await;
    let bought = world.now();
    sell(&world, &account_id, LineKind::Certificate).await;
    let earlier = bought.checked_add(TimeDelta::minutes(-5)).unwrap();
    let refund = decided(&world, as_of(&account_id, None, earlier)).await;
    assert_eq!(refund.state(), RefundState::Refunded);
    assert_eq!(instant(refund.decision_time), bought);
    assert_eq!(instant(refund.count_start_time), bought);
}

async fn t_5_a_second_decision_is_no_earlier_than_the_first(backend: Backend) {
    let (world, account_id) = counting_from(backend, RefundCount::FirstIssuance).await;
    let bought = world.now();
    sell(&world, &account_id, LineKind::Certificate).await;
    world.time.advance_days(10);
    sell(&world, &account_id, LineKind::Domain).await;
    world.time.advance_days(16);
    let first = decided(&world, question(&account_id, Some(bought))).await;
    assert_eq!(first.state(), RefundState::PendingReview);
    // A new charge, and a request as of a time just before it, as from a clock that is behind.
    sell(&world, &account_id, LineKind::WildcardDomain).await;
    let request = as_of(&account_id, Some(bought), shifted(world.now(), -1));
    let second = decided(&world, request).await;
    assert_eq!(second.state(), RefundState::PendingReview);
    assert_eq!(second.refund_id, first.refund_id);
    assert!(instant(second.decision_time) >= instant(first.decision_time));
}

/// Otherwise a refund's days could be over before the purchase.
async fn t_5_no_charge_is_accepted_before_it_was_offered(backend: Backend) {
    let (world, account_id) = counting_from(backend, RefundCount::Purchase).await;
    let offered = world.now();
    let wanted = CreateQuoteRequest {
        subject: first_term("thing-1"),
        ..ask(&account_id, vec![item(LineKind::Certificate, MULTI, 1)])
    };
    let quote = world.quotes().create_quote(wanted).await.unwrap();
    let quote = quote.into_inner().quote.unwrap();
    world.time.advance(TimeDelta::minutes(1));
    let charge = ChargeQuoteRequest {
        quote_id: quote.quote_id,
        pin: quote.pin,
        accept_time: Some(timestamp(shifted(offered, -400 * DAY_MICROS))),
        request_id: request_id(),
        ..ChargeQuoteRequest::default()
    };
    let invoice = world.invoices().charge_quote(charge).await.unwrap();
    let invoice = invoice.into_inner().invoice.unwrap();
    assert_eq!(instant(invoice.accept_time), offered);
    let refund = decided(&world, question(&account_id, None)).await;
    assert_eq!(refund.state(), RefundState::Refunded);
    assert_eq!(instant(refund.count_start_time), offered);
}

async fn al_4_the_first_issuance_lies_in_the_term(backend: Backend) {
    for count in [RefundCount::Purchase, RefundCount::FirstIssuance] {
        let (world, account_id) = counting_from(backend, count).await;
        let start = world.now();
        sell(&world, &account_id, LineKind::Certificate).await;
        let end = start.checked_add_months(12).unwrap();
        world.time.move_to(shifted(end, DAY_MICROS));
        for first in [shifted(start, -1), shifted(start, -900 * DAY_MICROS), end] {
            for validate_only in [true, false] {
                let request = RequestRefundRequest {
                    validate_only,
                    ..question(&account_id, Some(first))
                };
                let refusal = refused(asked(&world, request).await);
                let refusal = refusal.expect(Code::FailedPrecondition, "ISSUANCE_OUTSIDE_TERM");
                let keys = ["first_issuance_time", "start_time", "end_time"];
                let times = [first, start, end].map(|time| time.to_string());
                assert_eq!(keys.map(|key| refusal.value(key)), times);
            }
        }
        for first in [start, shifted(end, -1)] {
            let request = RequestRefundRequest {
                validate_only: true,
                ..question(&account_id, Some(first))
            };
            let refund = decided(&world, request).await;
            assert_eq!(instant(refund.first_issuance_time), first);
        }
        assert_eq!(world.balance(&account_id).await, "902.00 USD");
    }
}

async fn al_4_a_refund_does_not_end_a_running_license(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    let request = |validate_only| RequestRefundRequest {
        subject: first_term(&license.license_id),
        validate_only,
        ..question(&license.account_id, None)
    };
    for validate_only in [true, false] {
        let answer = world.refunds().request_refund(request(validate_only)).await;
        let notice = answer.unwrap().into_inner().notice;
        assert!(notice.contains(&license.license_id), "{notice}");
        assert!(notice.contains("does not end the licence"), "{notice}");
        assert!(notice.contains("LicenseService.CancelLicense"), "{notice}");
    }
    let running = world.get_license(&license.license_id).await;
    assert_eq!(running.state(), license.state());
}
