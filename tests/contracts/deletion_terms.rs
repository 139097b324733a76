//! AL-4, AL-7, X-3: deleting an order with two terms refunds each term by its own policy and first issuance;
//! the order shows a later review's decision.

use licet_contracts::{
    billing::v1::{Refund, RefundState},
    orders::v1::{DeleteOrderRequest, DeleteOrderResponse, Order},
};
use tonic::Code;

use super::{cancel_change::renewed, domains::Issued, events::log, reissue::reissue_request};
use crate::harness::{
    Backend, corrections::approval, errors::refused, eventually, on_both_databases, request_id,
    samples::shown, world::World,
};

on_both_databases![
    al_4_each_term_is_refunded_by_its_own_first_issuance,
    al_4_a_renewed_term_counts_from_its_own_first_certificate,
    al_4_a_change_over_both_terms_is_refunded_with_each,
    al_4_the_order_shows_what_the_review_granted,
    al_4_the_order_shows_that_the_review_turned_it_down,
    x_3_while_billing_is_away_both_refunds_are_still_to_come,
];

fn delete_request(order_id: &str) -> DeleteOrderRequest {
    DeleteOrderRequest {
        order_id: order_id.to_owned(),
        request_id: request_id(),
        ..DeleteOrderRequest::default()
    }
}

async fn deleted(world: &World, request: DeleteOrderRequest) -> DeleteOrderResponse {
    let answer = world.orders().delete_order(request).await;
    answer.unwrap().into_inner()
}

/// State, amount and term of a refund.
fn told(refund: Option<&Refund>) -> (RefundState, String, i32) {
    let refund = refund.expect("the refund is decided");
    let index = refund.subject.as_ref().unwrap().term_index;
    (refund.state(), shown(refund.refunded.as_ref()), index)
}

async fn al_4_each_term_is_refunded_by_its_own_first_issuance(backend: Backend) {
    let issued = Issued::new(backend, &["www.example.com", "a.example"]).await;
    renewed(&issued, 3).await;
    let Issued {
        world,
        account_id,
        order,
    } = &issued;
    assert_eq!(world.balance(account_id).await, "649.00 USD");
    let preview = DeleteOrderRequest {
        validate_only: true,
        ..delete_request(&order.order_id)
    };
    let preview = deleted(world, preview).await;
    let request = delete_request(&order.order_id);
    let answer = deleted(world, request.clone()).await;
    let whole = "204.00 USD".to_owned();
    for answer in [&preview, &answer] {
        let (first, next) = (answer.refund.as_ref(), answer.next_term_refund.as_ref());
        assert_eq!(told(first), (RefundState::NotDue, "0.00 USD".to_owned(), 0));
        assert_eq!(told(next).2, 1);
        assert_eq!(told(next).0, RefundState::Refunded);
        let void = answer.invalidated.as_ref().unwrap();
        assert_eq!(
            (void.additional_licenses, void.next_term_additional_licenses),
            (0, 3)
        );
        // The only certificate expired long ago.
        assert_eq!(void.certificate_ids.len(), 0);
    }
    assert_eq!(told(answer.next_term_refund.as_ref()).1, whole);
    assert_eq!(world.balance(account_id).await, "853.00 USD");
    let after = world.get_order(&order.order_id).await;
    assert_eq!(after.refund, answer.refund);
    assert_eq!(after.next_term_refund, answer.next_term_refund);
    assert_eq!(deleted(world, request).await, answer, "BL-2");
}

async fn al_4_a_renewed_term_counts_from_its_own_first_certificate(backend: Backend) {
    let issued = Issued::new(backend, &["www.example.com"]).await;
    renewed(&issued, 0).await;
    let Issued { world, order, .. } = &issued;
    world.time.advance_days(70);
    let preview = || async {
        let request = DeleteOrderRequest {
            validate_only: true,
            ..delete_request(&order.order_id)
        };
        deleted(world, request).await
    };
    // The second year runs, without a certificate so far.
    let unissued = preview().await;
    let whole = (RefundState::Refunded, 1);
    let state = |answer: &DeleteOrderResponse| {
        let (state, _, index) = told(answer.refund.as_ref());
        (state, index)
    };
    assert_eq!((state(&unissued), unissued.next_term_refund), (whole, None));
    let reissue = reissue_request(&order.order_id, "");
    world.orders().request_reissue(reissue).await.unwrap();
    world.record(&order.order_id).await;
    for (days, expected) in [
        (25, RefundState::Refunded),
        (5, RefundState::PendingReview),
        (1, RefundState::NotDue),
    ] {
        world.time.advance_days(days);
        assert_eq!(state(&preview().await), (expected, 1), "{days} days later");
    }
}

async fn al_4_a_change_over_both_terms_is_refunded_with_each(backend: Backend) {
    let issued = Issued::new(backend, &["www.example.com"]).await;
    renewed(&issued, 0).await;
    let Issued {
        world,
        account_id,
        order,
    } = &issued;
    world
        .update_domains(&order.order_id, &["b.example"], &[])
        .await;
    let charged = world.invoices_of(&order.order_id).await;
    assert_eq!(charged.len(), 4);
    let before = world.balance(account_id).await;
    let answer = deleted(world, delete_request(&order.order_id)).await;
    let next = told(answer.next_term_refund.as_ref());
    // The second year and its domain are refunded in full, the used year not at all.
    assert_eq!(next, (RefundState::Refunded, "147.00 USD".to_owned(), 1));
    assert_ne!(world.balance(account_id).await, before);
    assert_eq!(told(answer.refund.as_ref()).0, RefundState::NotDue);
}

/// An order that was deleted 27 days after its first certificate, with its refund in review.
async fn in_review(backend: Backend) -> (Issued, Refund) {
    let issued = Issued::new(backend, &["www.example.com"]).await;
    issued.world.time.advance_days(27);
    let answer = deleted(&issued.world, delete_request(&issued.order.order_id)).await;
    let refund = answer.refund.unwrap();
    assert_eq!(refund.state(), RefundState::PendingReview);
    (issued, refund)
}

async fn reviewed(issued: &Issued) -> Order {
    eventually("the order shows the review's outcome", || async {
        let order = issued.world.get_order(&issued.order.order_id).await;
        let state = order.refund.as_ref().unwrap().state();
        (state != RefundState::PendingReview).then_some(order)
    })
    .await
}

async fn outcomes(world: &World) -> Vec<String> {
    let events = eventually("the review is an event", || async {
        let all = log(world.orders_events()).await;
        let kind = "licet.orders.order.refund_reviewed.v1";
        let of_kind: Vec<_> = all
            .into_iter()
            .filter_map(|entry| entry.event)
            .filter(|event| event.r#type == kind)
            .collect();
        (!of_kind.is_empty()).then_some(of_kind)
    })
    .await;
    events.into_iter().map(|event| event.outcome).collect()
}

async fn al_4_the_order_shows_what_the_review_granted(backend: Backend) {
    let (issued, refund) = in_review(backend).await;
    let world = &issued.world;
    world.grant(approval(&refund, Some("60.00"))).await;
    let order = reviewed(&issued).await;
    assert_eq!(told(order.refund.as_ref()).1, "60.00 USD");
    assert_eq!(order.refund.unwrap(), world.get_refund(&refund).await);
    assert_eq!(world.balance(&issued.account_id).await, "962.00 USD");
    assert_eq!(outcomes(world).await, ["REFUND_STATE_REFUNDED"]);
    // The outcome is published once; asking Billing again adds nothing.
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    assert_eq!(outcomes(world).await.len(), 1);
}

async fn al_4_the_order_shows_that_the_review_turned_it_down(backend: Backend) {
    let (issued, refund) = in_review(backend).await;
    let reject = licet_contracts::billing::v1::RejectRefundRequest {
        refund_id: refund.refund_id.clone(),
        reason: "used for 27 days".to_owned(),
        request_id: request_id(),
        ..licet_contracts::billing::v1::RejectRefundRequest::default()
    };
    issued.world.refunds().reject_refund(reject).await.unwrap();
    let order = reviewed(&issued).await;
    let shown = order.refund.unwrap();
    assert_eq!(shown.state(), RefundState::Rejected);
    assert_eq!(shown.review_reason, "used for 27 days");
    assert_eq!(issued.world.balance(&issued.account_id).await, "902.00 USD");
}

async fn x_3_while_billing_is_away_both_refunds_are_still_to_come(backend: Backend) {
    let mut issued = Issued::new(backend, &["www.example.com"]).await;
    renewed(&issued, 0).await;
    issued.world.stop_billing().await;
    let order_id = issued.order.order_id.clone();
    let answer = deleted(&issued.world, delete_request(&order_id)).await;
    assert_eq!((answer.refund, answer.next_term_refund), (None, None));
    let pending = answer.order.unwrap().pending_change.unwrap();
    assert_eq!(pending.step, "refund");
    let again = refused(
        issued
            .world
            .orders()
            .delete_order(delete_request(&order_id))
            .await,
    );
    assert!(
        [Code::FailedPrecondition, Code::Aborted].contains(&again.code),
        "{again:?}"
    );
    issued.world.start_billing().await;
    let done = issued.world.settled(&order_id).await;
    assert_eq!(told(done.refund.as_ref()).0, RefundState::NotDue);
    let next = told(done.next_term_refund.as_ref());
    assert_eq!(next, (RefundState::Refunded, "98.00 USD".to_owned(), 1));
    assert_eq!(issued.world.balance(&issued.account_id).await, "902.00 USD");
}
