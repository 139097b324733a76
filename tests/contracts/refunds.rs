//! AL-4, AL-7: what deleting an order refunds, to the microsecond, and what it makes invalid.

use chrono::TimeDelta;
use licet_contracts::{
    billing::v1::{GetRefundRequest, RefundState, RequestRefundRequest, Subject},
    orders::v1::{
        CertificateState, DeleteOrderRequest, DeleteOrderResponse, GetCertificateRequest,
        ListServersRequest, OrderState, ServerState,
    },
};
use tonic::Code;

use crate::harness::{
    Backend,
    clock::{instant, timestamp},
    corrections::in_use,
    errors::{refused, take_apart},
    on_both_databases, request_id,
    samples::shown,
    world::World,
};

on_both_databases![
    al_4_full_refund_at_day_25,
    al_4_review_at_day_28,
    al_4_nothing_at_day_31,
    al_4_limits_to_the_microsecond,
    al_4_never_issued_is_refunded_whole,
    al_4_refunds_added_domains_with_the_rest,
    al_4_a_reissue_does_not_restart_the_clock,
    al_4_preview_changes_nothing,
    al_7_deletion_invalidates_everything_at_once,
    bl_3_one_refund_for_a_term,
    bl_3_of_many_deletions_at_once_one_is_refunded,
];

fn delete(order_id: &str) -> DeleteOrderRequest {
    DeleteOrderRequest {
        order_id: order_id.to_owned(),
        reason: "no longer needed".to_owned(),
        request_id: request_id(),
        ..DeleteOrderRequest::default()
    }
}

/// An order of 147.00 USD on an account that had 1000.00.
struct Placed {
    world: World,
    account_id: String,
    order_id: String,
}

impl Placed {
    async fn new(backend: Backend) -> Self {
        let world = World::start(backend).await;
        world.stock().await;
        let account_id = world.account_with("1000.00").await;
        let order = world
            .multi_domain_order(&account_id, &["www.example.com", "a.example"])
            .await;
        assert_eq!(world.balance(&account_id).await, "853.00 USD");
        Self {
            world,
            account_id,
            order_id: order.order_id,
        }
    }

    async fn issued(backend: Backend) -> Self {
        let placed = Self::new(backend).await;
        placed.world.record(&placed.order_id).await;
        placed
    }

    async fn delete(&self) -> DeleteOrderResponse {
        self.world
            .orders()
            .delete_order(delete(&self.order_id))
            .await
            .unwrap()
            .into_inner()
    }

    /// Deletes the order and compares refund and balance with the expected ones.
    async fn expect(&self, state: RefundState, refunded: &str, balance: &str) {
        let answer = self.delete().await;
        assert_eq!(answer.order.unwrap().state(), OrderState::Deleted);
        let refund = answer
            .refund
            .expect("Billing runs, so the refund is decided");
        assert_eq!(refund.state(), state, "{}", refund.explanation);
        assert_eq!(shown(refund.refunded.as_ref()), refunded);
        assert_eq!(refund.rule_id, "AL-4");
        assert!(!refund.explanation.is_empty());
        assert_eq!(self.world.balance(&self.account_id).await, balance);
        let kept = GetRefundRequest {
            refund_id: refund.refund_id.clone(),
        };
        let kept = self
            .world
            .refunds()
            .get_refund(kept)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(kept.refund, Some(refund));
    }
}

async fn al_4_full_refund_at_day_25(backend: Backend) {
    let placed = Placed::issued(backend).await;
    placed.world.time.advance_days(25);
    placed
        .expect(RefundState::Refunded, "147.00 USD", "1000.00 USD")
        .await;
    let invoices = placed.world.invoices_of(&placed.order_id).await;
    assert_eq!(invoices.len(), 1);
    assert_eq!(shown(invoices[0].credited.as_ref()), "147.00 USD");
    assert_eq!(shown(invoices[0].total.as_ref()), "147.00 USD");
}

async fn al_4_review_at_day_28(backend: Backend) {
    let placed = Placed::issued(backend).await;
    placed.world.time.advance_days(28);
    placed
        .expect(RefundState::PendingReview, "0.00 USD", "853.00 USD")
        .await;
    let refund = placed
        .world
        .get_order(&placed.order_id)
        .await
        .refund
        .unwrap();
    assert_eq!(shown(refund.creditable.as_ref()), "147.00 USD");
    assert!(refund.credit_note_ids.is_empty());
}

async fn al_4_nothing_at_day_31(backend: Backend) {
    let placed = Placed::issued(backend).await;
    placed.world.time.advance_days(31);
    placed
        .expect(RefundState::NotDue, "0.00 USD", "853.00 USD")
        .await;
}

async fn al_4_limits_to_the_microsecond(backend: Backend) {
    let microsecond = TimeDelta::microseconds(1);
    for (after, state, balance) in [
        (
            TimeDelta::days(25) + microsecond,
            RefundState::PendingReview,
            "853.00 USD",
        ),
        (
            TimeDelta::days(30),
            RefundState::PendingReview,
            "853.00 USD",
        ),
        (
            TimeDelta::days(30) + microsecond,
            RefundState::NotDue,
            "853.00 USD",
        ),
    ] {
        let placed = Placed::issued(backend).await;
        placed.world.time.advance(after);
        placed.expect(state, "0.00 USD", balance).await;
    }
}

async fn al_4_never_issued_is_refunded_whole(backend: Backend) {
    let placed = Placed::new(backend).await;
    placed.world.time.advance_days(200);
    placed
        .expect(RefundState::Refunded, "147.00 USD", "1000.00 USD")
        .await;
}

async fn al_4_refunds_added_domains_with_the_rest(backend: Backend) {
    let placed = Placed::issued(backend).await;
    placed.world.time.advance_days(10);
    let change = placed
        .world
        .update_domains(&placed.order_id, &["b.example"], &[])
        .await;
    assert_ne!(shown(change.quote.unwrap().total.as_ref()), "0.00 USD");
    placed.world.record(&placed.order_id).await;
    let answer = placed.delete().await;
    let refund = answer.refund.unwrap();
    assert_eq!(refund.state(), RefundState::Refunded);
    assert_eq!(
        refund.credit_note_ids.len(),
        2,
        "one credit note for each invoice"
    );
    assert_eq!(
        placed.world.balance(&placed.account_id).await,
        "1000.00 USD"
    );
}

async fn al_4_a_reissue_does_not_restart_the_clock(backend: Backend) {
    let placed = Placed::issued(backend).await;
    placed.world.time.advance_days(20);
    placed
        .world
        .update_domains(&placed.order_id, &["b.example"], &["a.example"])
        .await;
    placed.world.record(&placed.order_id).await;
    placed.world.time.advance_days(8);
    placed
        .expect(RefundState::PendingReview, "0.00 USD", "853.00 USD")
        .await;
}

async fn al_4_preview_changes_nothing(backend: Backend) {
    let placed = Placed::issued(backend).await;
    let before = placed.world.get_order(&placed.order_id).await;
    let preview = DeleteOrderRequest {
        validate_only: true,
        request_id: String::new(),
        ..delete(&placed.order_id)
    };
    let answer = placed
        .world
        .orders()
        .delete_order(preview)
        .await
        .unwrap()
        .into_inner();
    let refund = answer.refund.unwrap();
    assert_eq!(refund.state(), RefundState::Refunded);
    assert_eq!(shown(refund.refunded.as_ref()), "147.00 USD");
    assert_eq!(refund.refund_id, "");
    assert_eq!(
        answer.invalidated.unwrap().certificate_ids,
        std::slice::from_ref(&before.certificate_id)
    );
    assert_eq!(placed.world.get_order(&placed.order_id).await, before);
    assert_eq!(placed.world.balance(&placed.account_id).await, "853.00 USD");
}

async fn al_7_deletion_invalidates_everything_at_once(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("100.00").await;
    let order = world.single_domain_order(&account_id, 2).await;
    let certificate = world.record(&order.order_id).await;
    let server = world.server(&order, "one").clone();
    let server = world
        .servers()
        .register_server(server)
        .await
        .unwrap()
        .into_inner()
        .server;
    let server_id = server.unwrap().server_id;

    let answer = world
        .orders()
        .delete_order(delete(&order.order_id))
        .await
        .unwrap()
        .into_inner();
    let invalidated = answer.invalidated.unwrap();
    assert_eq!(
        invalidated.certificate_ids,
        std::slice::from_ref(&certificate.certificate_id)
    );
    assert_eq!(invalidated.server_ids, [server_id]);
    assert_eq!(invalidated.additional_licenses, 2);
    assert!(answer.order.unwrap().delete_time.is_some());

    let ask = GetCertificateRequest {
        certificate_id: certificate.certificate_id,
    };
    let kept = world
        .certificates()
        .get_certificate(ask)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        kept.certificate.unwrap().state(),
        CertificateState::ToRevoke
    );
    let list = ListServersRequest {
        order_id: order.order_id.clone(),
        ..ListServersRequest::default()
    };
    let servers = world
        .servers()
        .list_servers(list)
        .await
        .unwrap()
        .into_inner()
        .servers;
    assert!(
        servers
            .iter()
            .all(|server| server.state() == ServerState::Invalidated)
    );

    let again = refused(world.orders().delete_order(delete(&order.order_id)).await);
    again.expect(Code::FailedPrecondition, "ORDER_DELETED");
    let more = refused(
        world
            .servers()
            .register_server(world.server(&order, "two"))
            .await,
    );
    more.expect(Code::FailedPrecondition, "ORDER_DELETED");
}

async fn bl_3_one_refund_for_a_term(backend: Backend) {
    let placed = Placed::issued(backend).await;
    let now = placed.world.now();
    placed.world.time.advance_days(40);
    let request = || RequestRefundRequest {
        account_id: placed.account_id.clone(),
        subject: Some(Subject {
            resource_id: placed.order_id.clone(),
            term_index: 0,
        }),
        r#use: Some(in_use(Some(now))),
        decision_time: Some(timestamp(now.checked_add(TimeDelta::days(24)).unwrap())),
        validate_only: false,
        request_id: request_id(),
    };
    // T-3: a deletion of day 24 is decided as of day 24, however late the request arrives.
    let refund = placed
        .world
        .refunds()
        .request_refund(request())
        .await
        .unwrap()
        .into_inner();
    let refund = refund.refund.unwrap();
    assert_eq!(refund.state(), RefundState::Refunded);
    let until = instant(refund.full_refund_until_time);
    assert_eq!(until.as_micros() - now.as_micros(), 25 * 86_400_000_000);
    assert_eq!(
        placed.world.balance(&placed.account_id).await,
        "1000.00 USD"
    );
    let again = refused(placed.world.refunds().request_refund(request()).await);
    again.expect(Code::FailedPrecondition, "REFUND_ALREADY_REQUESTED");
    assert_eq!(
        placed.world.balance(&placed.account_id).await,
        "1000.00 USD"
    );
    let nothing = RequestRefundRequest {
        subject: Some(Subject {
            resource_id: placed.order_id.clone(),
            term_index: 7,
        }),
        ..request()
    };
    refused(placed.world.refunds().request_refund(nothing).await)
        .expect(Code::NotFound, "NOT_FOUND");
}

async fn bl_3_of_many_deletions_at_once_one_is_refunded(backend: Backend) {
    let placed = Placed::issued(backend).await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (mut orders, request) = (placed.world.orders(), delete(&placed.order_id));
        calls.spawn(async move { orders.delete_order(request).await });
    }
    let mut deleted = 0;
    while let Some(answer) = calls.join_next().await {
        match answer.unwrap() {
            Ok(_) => deleted += 1,
            Err(status) => {
                let refusal = take_apart(&status);
                let reason = refusal.reason.as_str();
                assert!(
                    matches!(reason, "ORDER_DELETED" | "OPERATION_IN_PROGRESS"),
                    "{refusal:?}"
                );
            }
        }
    }
    assert_eq!(deleted, 1);
    assert_eq!(
        placed.world.balance(&placed.account_id).await,
        "1000.00 USD"
    );
}
