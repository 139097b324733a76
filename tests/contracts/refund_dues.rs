//! BL-4: refunded money lowers what is due on open and part-paid invoices; the rest goes to the balance.
//! BL-3: a review holds the amounts meanwhile.

use chrono::TimeDelta;
use licet_contracts::billing::v1::{
    ApproveRefundRequest, InvoiceState, Refund, RefundState, RequestRefundRequest,
};
use tonic::Code;

use crate::harness::{
    Backend,
    corrections::{
        Review, approval, credit_lines, figures, first_term, goodwill, in_use, sell_both,
    },
    errors::refused,
    on_both_databases, request_id,
    samples::shown,
    world::World,
};

on_both_databases![
    bl_4_a_review_of_an_open_invoice_lowers_what_is_due,
    bl_4_a_full_refund_of_open_and_part_paid_invoices,
    bl_3_credit_given_before_is_not_held,
    bl_3_a_held_invoice_can_be_paid,
    al_4_a_review_that_holds_nothing_grants_nothing,
    money_that_does_not_fit_the_balance_is_not_refunded,
    al_4_no_issuance_is_after_the_decision,
];

async fn bl_4_a_review_of_an_open_invoice_lowers_what_is_due(backend: Backend) {
    let review = Review::on_terms(backend).await;
    let account = review.world.get_account(&review.account_id).await;
    assert_eq!(shown(account.due.as_ref()), "249.00 USD");
    // 200.00 are due on the first invoice and 49.00 on the second; only paid money returns.
    let (refund, notes) = review.approve(Some("394.00")).await;
    assert_eq!(refund.state(), RefundState::Refunded);
    let returned: Vec<_> = notes
        .iter()
        .map(|note| shown(note.returned.as_ref()))
        .collect();
    assert_eq!(returned, ["145.00 USD", "0.00 USD"]);
    assert_eq!(
        review.figures().await,
        [
            ["345.00", "145.00", "345.00", "145.00", "0.00", "0.00"],
            ["49.00", "0.00", "49.00", "0.00", "0.00", "0.00"],
        ]
    );
    let account = review.world.get_account(&review.account_id).await;
    assert_eq!(shown(account.due.as_ref()), "0.00 USD");
    assert_eq!(shown(account.balance.as_ref()), "200.00 USD");
}

async fn bl_4_a_full_refund_of_open_and_part_paid_invoices(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_on_terms("1000.00", 30, 10).await;
    world.deposit(&account_id, "200.00").await;
    let issued = world.now();
    let [first, second] = sell_both(&world, &account_id).await;
    world.pay_part(&first, "150.00").await;
    let request = |validate_only| RequestRefundRequest {
        account_id: account_id.clone(),
        subject: first_term("thing-1"),
        r#use: Some(in_use(Some(issued))),
        validate_only,
        request_id: request_id(),
        ..RequestRefundRequest::default()
    };
    let preview = world.refunds().request_refund(request(true)).await.unwrap();
    let refund = world
        .refunds()
        .request_refund(request(false))
        .await
        .unwrap();
    let refund = refund.into_inner().refund.unwrap();
    assert_eq!(refund.state(), RefundState::Refunded);
    assert_eq!(shown(refund.refunded.as_ref()), "394.00 USD");
    let unnamed = Refund {
        refund_id: String::new(),
        credit_note_ids: Vec::new(),
        ..refund
    };
    assert_eq!(Some(unnamed), preview.into_inner().refund);
    for (invoice, expected) in [
        (
            first,
            ["345.00", "150.00", "345.00", "150.00", "0.00", "0.00"],
        ),
        (second, ["49.00", "0.00", "49.00", "0.00", "0.00", "0.00"]),
    ] {
        let invoice = world.invoice(&invoice.invoice_id).await;
        assert_eq!(figures(&invoice), expected);
        assert_eq!(invoice.state(), InvoiceState::Paid);
    }
    let account = world.get_account(&account_id).await;
    assert_eq!(shown(account.due.as_ref()), "0.00 USD");
    assert_eq!(
        shown(account.balance.as_ref()),
        "200.00 USD",
        "only paid money returns"
    );
}

async fn bl_3_credit_given_before_is_not_held(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let issued = world.now();
    let [first, _] = sell_both(&world, &account_id).await;
    let credit = goodwill(&first, &[(1, "98.00"), (3, "9.00")]);
    world.invoices().issue_credit_note(credit).await.unwrap();
    world.time.advance_days(26);
    let refund = world.request_refund(&account_id, "thing-1", issued).await;
    assert_eq!(shown(refund.creditable.as_ref()), "287.00 USD");
    let answer = world.grant(approval(&refund, None)).await;
    assert_eq!(
        answer.credit_notes[0].lines,
        credit_lines(&[(2, "98.00"), (3, "140.00")])
    );
    assert_eq!(world.balance(&account_id).await, "1000.00 USD");
}

async fn bl_3_a_held_invoice_can_be_paid(backend: Backend) {
    let review = Review::on_terms(backend).await;
    review.world.deposit(&review.account_id, "145.00").await;
    let paid = review.world.pay_part(&review.invoices[0], "200.00").await;
    assert_eq!(paid.state(), InvoiceState::Paid);
    assert_eq!(
        figures(&paid),
        ["345.00", "345.00", "0.00", "0.00", "345.00", "0.00"]
    );
    let (_, notes) = review.approve(None).await;
    assert_eq!(shown(notes[0].returned.as_ref()), "345.00 USD");
    assert_eq!(shown(notes[1].returned.as_ref()), "0.00 USD");
    assert_eq!(review.balance().await, "345.00 USD");
}

async fn al_4_a_review_that_holds_nothing_grants_nothing(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let issued = world.now();
    for invoice in sell_both(&world, &account_id).await {
        let credit = goodwill(&invoice, &[]);
        world.invoices().issue_credit_note(credit).await.unwrap();
    }
    world.time.advance_days(28);
    let refund = world.request_refund(&account_id, "thing-1", issued).await;
    assert_eq!(refund.state(), RefundState::PendingReview);
    assert_eq!(shown(refund.creditable.as_ref()), "0.00 USD");
    refused(
        world
            .refunds()
            .approve_refund(approval(&refund, Some("0.01")))
            .await,
    )
    .expect(Code::FailedPrecondition, "CREDIT_EXCEEDS_INVOICE");
    let answer = world.grant(approval(&refund, None)).await;
    assert!(answer.credit_notes.is_empty());
    assert_eq!(shown(answer.refund.unwrap().refunded.as_ref()), "0.00 USD");
    assert_eq!(world.balance(&account_id).await, "1000.00 USD");
}

async fn money_that_does_not_fit_the_balance_is_not_refunded(backend: Backend) {
    let review = Review::prepaid(backend).await;
    // 100.00 below the largest balance.
    review
        .world
        .deposit(&review.account_id, "92233720368547052.07")
        .await;
    assert_eq!(review.balance().await, "92233720368547658.07 USD");
    for validate_only in [true, false] {
        let request = ApproveRefundRequest {
            validate_only,
            ..approval(&review.refund, Some("100.01"))
        };
        refused(review.world.refunds().approve_refund(request).await)
            .expect(Code::FailedPrecondition, "AMOUNT_OUT_OF_RANGE");
    }
    assert_eq!(review.world.get_refund(&review.refund).await, review.refund);
    review.approve(Some("100.00")).await;
    assert_eq!(review.balance().await, "92233720368547758.07 USD");
}

async fn al_4_no_issuance_is_after_the_decision(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("500.00").await;
    sell_both(&world, &account_id).await;
    let now = world.now();
    // Another instance's clock may be ahead by 5 minutes (T-5).
    let furthest = now.checked_add(TimeDelta::minutes(5)).unwrap();
    let request = |issued| RequestRefundRequest {
        account_id: account_id.clone(),
        subject: first_term("thing-1"),
        r#use: Some(in_use(Some(issued))),
        request_id: request_id(),
        ..RequestRefundRequest::default()
    };
    let after = furthest.checked_add(TimeDelta::microseconds(1)).unwrap();
    let refusal = refused(world.refunds().request_refund(request(after)).await);
    assert_eq!(refusal.paths(), ["first_issuance_time"]);
    let refund = world.request_refund(&account_id, "thing-1", furthest).await;
    assert_eq!(refund.state(), RefundState::Refunded);
}
