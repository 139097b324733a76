//! MD-7, MD-8: a domain change can be cancelled before its certificate is recorded; its charge is credited in
//! full.

use licet_contracts::{
    operations::v1::OperationKind,
    orders::v1::{
        BeginIssuanceRequest, CancelDomainChangeRequest, CancelDomainChangeResponse,
        ListPendingIssuanceRequest, PlaceOrderRequest, RenewOrderRequest,
    },
    types::v1::KeyType,
};
use tonic::Code;

use super::domains::Issued;
use crate::harness::{
    Backend,
    clock::timestamp,
    corrections::goodwill,
    errors::refused,
    on_both_databases, request_id,
    samples::{change_request, multi_domain_request, names, shown},
    san::figures,
    world::World,
};

on_both_databases![
    md_7_a_charged_change_is_cancelled_and_credited_whole,
    md_7_a_free_change_is_just_cancelled,
    md_7_while_billing_is_away_nothing_is_signed_and_the_credit_comes,
    x_7_a_change_that_is_being_charged_is_not_cancelled,
    bl_3_what_was_credited_before_is_not_credited_again,
    md_8_a_change_over_two_terms_is_credited_in_both,
    x_4_the_reservation_for_the_certificate_is_released,
    md_10_an_ended_order_keeps_its_change,
];

pub(super) fn cancel_request(order_id: &str) -> CancelDomainChangeRequest {
    CancelDomainChangeRequest {
        order_id: order_id.to_owned(),
        reason: "the domain is not ours".to_owned(),
        request_id: request_id(),
        ..CancelDomainChangeRequest::default()
    }
}

async fn cancelled(world: &World, order_id: &str) -> CancelDomainChangeResponse {
    let request = cancel_request(order_id);
    let answer = world.orders().cancel_domain_change(request).await;
    answer.unwrap().into_inner()
}

async fn awaited(world: &World) -> usize {
    let ask = ListPendingIssuanceRequest::default();
    let answer = world.certificates().list_pending_issuance(ask).await;
    answer.unwrap().into_inner().pending_issuances.len()
}

async fn md_7_a_charged_change_is_cancelled_and_credited_whole(backend: Backend) {
    let Issued {
        world,
        account_id,
        order,
    } = Issued::new(backend, &["www.example.com", "a.example"]).await;
    let order_id = order.order_id.as_str();
    world.time.advance_months(6);
    world
        .update_domains(order_id, &["b.example"], &["a.example"])
        .await;
    world.record(order_id).await;
    let before = world.get_order(order_id).await;
    world.update_domains(order_id, &["c.example"], &[]).await;
    let waiting = world.get_order(order_id).await;
    assert_eq!(world.balance(&account_id).await, "828.50 USD");

    let preview = CancelDomainChangeRequest {
        validate_only: true,
        ..cancel_request(order_id)
    };
    let preview = world.orders().cancel_domain_change(preview).await.unwrap();
    let preview = preview.into_inner();
    assert_eq!(shown(preview.credit_notes[0].total.as_ref()), "24.50 USD");
    assert_eq!(preview.credit_notes[0].credit_note_id, "");
    assert_eq!(
        preview.order.as_ref(),
        Some(&waiting),
        "the preview changes nothing"
    );

    let request = cancel_request(order_id);
    let answer = world.orders().cancel_domain_change(request.clone()).await;
    let answer = answer.unwrap().into_inner();
    let note = &answer.credit_notes[0];
    assert_eq!(shown(note.total.as_ref()), "24.50 USD");
    assert!(note.reason.ends_with("the domain is not ours"), "{note:?}");
    assert_eq!(world.balance(&account_id).await, "853.00 USD");
    let after = world.get_order(order_id).await;
    assert_eq!(answer.order.as_ref(), Some(&after));
    assert_eq!(after.domains, before.domains);
    assert_eq!(after.pending_change, None);
    let slots = |order: &licet_contracts::orders::v1::Order| {
        order.current_term.as_ref().unwrap().paid_standard_domains
    };
    assert_eq!((slots(&waiting), slots(&after)), (3, slots(&before)));
    assert_eq!(awaited(&world).await, 0);
    let again = world.orders().cancel_domain_change(request).await.unwrap();
    assert_eq!(again.into_inner(), answer, "BL-2");
    assert_eq!(world.balance(&account_id).await, "853.00 USD");

    let report = world.issuance(
        order_id,
        &names(&["www.example.com", "b.example", "c.example"]),
    );
    refused(world.certificates().record_issuance(report).await)
        .expect(Code::FailedPrecondition, "ISSUANCE_NOT_PENDING");
    let second = refused(
        world
            .orders()
            .cancel_domain_change(cancel_request(order_id))
            .await,
    );
    let second = second.expect(Code::FailedPrecondition, "NO_CHANGE_PENDING");
    assert_eq!(second.value("state"), "ISSUED");
    // Crediting the charge ended its slot, so the same domain is charged again.
    world.update_domains(order_id, &["c.example"], &[]).await;
    assert_eq!(world.balance(&account_id).await, "828.50 USD");
}

async fn md_7_a_free_change_is_just_cancelled(backend: Backend) {
    let Issued {
        world,
        account_id,
        order,
    } = Issued::new(backend, &["www.example.com", "a.example"]).await;
    world
        .update_domains(&order.order_id, &["b.example"], &["a.example"])
        .await;
    assert_eq!(awaited(&world).await, 1);
    let answer = cancelled(&world, &order.order_id).await;
    assert_eq!(answer.credit_notes, []);
    let after = answer.order.unwrap();
    assert_eq!(after.domains, names(&["a.example", "www.example.com"]));
    assert_eq!((after.pending_change, awaited(&world).await), (None, 0));
    assert_eq!(world.balance(&account_id).await, "853.00 USD");
    world
        .update_domains(&order.order_id, &["c.example"], &["a.example"])
        .await;
}

async fn md_7_while_billing_is_away_nothing_is_signed_and_the_credit_comes(backend: Backend) {
    let Issued {
        mut world,
        account_id,
        order,
    } = Issued::new(backend, &["www.example.com"]).await;
    let order_id = order.order_id.as_str();
    world.update_domains(order_id, &["b.example"], &[]).await;
    assert_eq!(world.balance(&account_id).await, "853.00 USD");
    world.stop_billing().await;
    let answer = cancelled(&world, order_id).await;
    let pending = answer.order.unwrap().pending_change.unwrap();
    assert_eq!(
        (pending.kind(), pending.step.as_str()),
        (OperationKind::CancelDomainChange, "credit")
    );
    assert_eq!((answer.credit_notes, awaited(&world).await), (vec![], 0));
    let report = world.issuance(order_id, &names(&["www.example.com", "b.example"]));
    refused(world.certificates().record_issuance(report).await)
        .expect(Code::Aborted, "OPERATION_IN_PROGRESS");
    refused(
        world
            .orders()
            .update_domains(change_request(order_id, &["c.example"], &[]))
            .await,
    )
    .expect(Code::Aborted, "OPERATION_IN_PROGRESS");
    world.start_billing().await;
    let after = world.settled(order_id).await;
    assert_eq!(after.pending_change, None);
    assert_eq!(after.domains, names(&["www.example.com"]));
    assert_eq!(world.balance(&account_id).await, "902.00 USD");
}

async fn x_7_a_change_that_is_being_charged_is_not_cancelled(backend: Backend) {
    let Issued {
        mut world, order, ..
    } = Issued::new(backend, &["www.example.com"]).await;
    world.stop_billing().await;
    world
        .update_domains(&order.order_id, &["b.example"], &[])
        .await;
    let cancel = cancel_request(&order.order_id);
    refused(world.orders().cancel_domain_change(cancel).await)
        .expect(Code::Aborted, "OPERATION_IN_PROGRESS");
    world.start_billing().await;
    world.settled(&order.order_id).await;
    let answer = cancelled(&world, &order.order_id).await;
    assert_eq!(answer.credit_notes.len(), 1);
}

async fn bl_3_what_was_credited_before_is_not_credited_again(backend: Backend) {
    let Issued {
        world,
        account_id,
        order,
    } = Issued::new(backend, &["www.example.com"]).await;
    let order_id = order.order_id.as_str();
    for (credited, left) in [("10.00", Some("39.00 USD")), ("49.00", None)] {
        world.update_domains(order_id, &["b.example"], &[]).await;
        let invoices = world.invoices_of(order_id).await;
        let note = goodwill(invoices.last().unwrap(), &[(1, credited)]);
        world.invoices().issue_credit_note(note).await.unwrap();
        let answer = cancelled(&world, order_id).await;
        let totals = answer.credit_notes.iter();
        let totals: Vec<_> = totals.map(|note| shown(note.total.as_ref())).collect();
        assert_eq!(totals, Vec::from_iter(left), "after {credited}");
        assert_eq!(answer.order.unwrap().pending_change, None);
        assert_eq!(world.balance(&account_id).await, "902.00 USD");
    }
}

/// Buys a second year for the order's present domains, 300 days into the first.
pub(super) async fn renewed(issued: &Issued, additional_licenses: i32) {
    issued.world.time.advance_days(300);
    let renewal = RenewOrderRequest {
        order_id: issued.order.order_id.clone(),
        term_months: 12,
        additional_licenses,
        request_id: request_id(),
        ..RenewOrderRequest::default()
    };
    issued.world.orders().renew_order(renewal).await.unwrap();
}

async fn md_8_a_change_over_two_terms_is_credited_in_both(backend: Backend) {
    let issued = Issued::new(backend, &["www.example.com"]).await;
    renewed(&issued, 0).await;
    let Issued {
        world,
        account_id,
        order,
    } = &issued;
    let order_id = order.order_id.as_str();
    let before = world.get_order(order_id).await;
    let balance = world.balance(account_id).await;
    assert_eq!(balance, "804.00 USD");
    world.update_domains(order_id, &["b.example"], &[]).await;
    let waiting = world.get_order(order_id).await;
    let next = waiting.next_term.as_ref().unwrap();
    assert_eq!(next.paid_standard_domains, 2);
    let answer = cancelled(world, order_id).await;
    assert_eq!(answer.credit_notes.len(), 2);
    let whole = answer.credit_notes.last().unwrap().total.as_ref();
    assert_eq!(shown(whole), "49.00 USD", "a whole year of the next term");
    assert_eq!(&world.balance(account_id).await, &balance);
    let after = world.get_order(order_id).await;
    let paid =
        |term: Option<&licet_contracts::orders::v1::OrderTerm>| term.unwrap().paid_standard_domains;
    for term in [
        |order: &licet_contracts::orders::v1::Order| order.current_term.clone(),
        |order: &licet_contracts::orders::v1::Order| order.next_term.clone(),
    ] {
        assert_eq!(paid(term(&after).as_ref()), paid(term(&before).as_ref()));
    }
    assert_eq!(
        after.next_term.unwrap().domains,
        before.next_term.unwrap().domains
    );
}

async fn x_4_the_reservation_for_the_certificate_is_released(backend: Backend) {
    let (mut world, license) = World::start_licensed(backend, 10).await;
    world.start_orders().await;
    world.stock().await;
    let request = PlaceOrderRequest {
        san_license_id: license.license_id.clone(),
        ..multi_domain_request(&license.account_id, &["www.example.com"])
    };
    let order = world.place(request).await;
    let begin = || BeginIssuanceRequest {
        order_id: order.order_id.clone(),
        key_type: KeyType::Ecc.into(),
        not_after_time: Some(timestamp(world.usual_end())),
        request_id: request_id(),
    };
    world.certificates().begin_issuance(begin()).await.unwrap();
    world.record(&order.order_id).await;
    world
        .update_domains(&order.order_id, &["b.example"], &[])
        .await;
    world.certificates().begin_issuance(begin()).await.unwrap();
    assert_eq!(figures(&world.usage(&license).await), (1, 1, 8));
    let answer = cancelled(&world, &order.order_id).await;
    assert_eq!(answer.order.unwrap().pending_change, None);
    assert_eq!(figures(&world.usage(&license).await), (1, 0, 9));
}

async fn md_10_an_ended_order_keeps_its_change(backend: Backend) {
    let Issued { world, order, .. } = Issued::new(backend, &["www.example.com"]).await;
    world
        .update_domains(&order.order_id, &["b.example"], &[])
        .await;
    world.time.advance_months(12);
    let cancel = cancel_request(&order.order_id);
    let ended = refused(world.orders().cancel_domain_change(cancel).await);
    ended.expect(Code::FailedPrecondition, "ORDER_ENDED");
    let long = CancelDomainChangeRequest {
        reason: "x".repeat(151),
        order_id: "ord_none".to_owned(),
        ..cancel_request("")
    };
    let long = refused(world.orders().cancel_domain_change(long).await);
    let long = long.expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(long.paths(), ["order_id", "reason"]);
}
