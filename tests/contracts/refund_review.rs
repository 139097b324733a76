//! AL-4: a refund under review is approved, by any amount up to the whole, spread or by line, or rejected;
//! once, even if many try.

use licet_contracts::billing::v1::{
    ApproveRefundRequest, CreditNote, LineKind, Refund, RefundLine, RefundState,
    RejectRefundRequest,
};
use tonic::{Code, Request};

use crate::{
    contracts::events::log,
    harness::{
        Backend,
        clock::instant,
        corrections::{Review, approval, goodwill, named},
        errors::{refused, take_apart},
        eventually, on_both_databases,
        samples::{money, shown, usd},
    },
};

on_both_databases![
    al_4_approving_the_whole_refunds_everything_that_is_held,
    m_3_an_amount_is_spread_over_all_lines_by_largest_remainder,
    al_4_approval_by_line_grants_those_lines,
    bl_3_an_approval_beyond_what_is_held_changes_nothing,
    al_4_a_rejection_lets_go_of_what_was_held,
    al_4_who_reviewed_when_and_why_is_kept,
    a_refund_is_reviewed_once,
    bl_1_the_preview_of_an_approval_is_its_outcome,
    bl_2_a_repeated_review_is_answered_alike,
    of_many_reviews_at_once_one_decides,
    every_violation_of_a_review_comes_at_once,
    m_4_an_approval_is_in_the_accounts_currency,
    another_accounts_refund_is_not_found,
];

/// The lines of each credit note as (line, amount), and what the note returned.
fn amounts(notes: &[CreditNote]) -> Vec<(Vec<(i32, String)>, String)> {
    let each = notes.iter().map(|note| {
        let lines = note
            .lines
            .iter()
            .map(|line| (line.line_number, line.amount.clone().unwrap().value));
        (lines.collect(), shown(note.returned.as_ref()))
    });
    each.collect()
}

async fn al_4_approving_the_whole_refunds_everything_that_is_held(backend: Backend) {
    let review = Review::prepaid(backend).await;
    assert_eq!(review.refund.state(), RefundState::PendingReview);
    assert_eq!(shown(review.refund.creditable.as_ref()), "394.00 USD");
    assert_eq!(review.refund.reviewer, "");
    assert_eq!(review.refund.review_time, None);
    assert_eq!(review.balance().await, "606.00 USD");
    let (refund, notes) = review.approve(None).await;
    assert_eq!(refund.state(), RefundState::Refunded);
    assert_eq!(shown(refund.refunded.as_ref()), "394.00 USD");
    assert_eq!(refund.creditable, review.refund.creditable);
    let ids: Vec<_> = notes.iter().map(|note| &note.credit_note_id).collect();
    assert_eq!(refund.credit_note_ids.iter().collect::<Vec<_>>(), ids);
    assert_eq!(
        amounts(&notes),
        [
            (
                vec![
                    (1, "98.00".to_owned()),
                    (2, "98.00".to_owned()),
                    (3, "149.00".to_owned())
                ],
                "345.00 USD".to_owned()
            ),
            (vec![(1, "49.00".to_owned())], "49.00 USD".to_owned()),
        ]
    );
    assert!(notes.iter().all(|note| note.reason == "bought by mistake"));
    assert_eq!(review.balance().await, "1000.00 USD");
    assert_eq!(
        review.figures().await,
        [
            ["345.00", "345.00", "345.00", "345.00", "0.00", "0.00"],
            ["49.00", "49.00", "49.00", "49.00", "0.00", "0.00"],
        ]
    );
    assert_eq!(review.world.get_refund(&refund).await, refund);
}

async fn m_3_an_amount_is_spread_over_all_lines_by_largest_remainder(backend: Backend) {
    let review = Review::prepaid(backend).await;
    let (refund, notes) = review.approve(Some("100.00")).await;
    // 10 000 × 98/394, 98/394, 149/394, 49/394 = 2487.3…, 2487.3…, 3781.7…, 1243.65…
    assert_eq!(
        amounts(&notes),
        [
            (
                vec![
                    (1, "24.87".to_owned()),
                    (2, "24.87".to_owned()),
                    (3, "37.82".to_owned())
                ],
                "87.56 USD".to_owned()
            ),
            (vec![(1, "12.44".to_owned())], "12.44 USD".to_owned()),
        ]
    );
    assert_eq!(shown(refund.refunded.as_ref()), "100.00 USD");
    assert_eq!(review.balance().await, "706.00 USD");
    // The rest of the hold is released, so goodwill may credit it.
    assert_eq!(
        review.figures().await,
        [
            ["345.00", "345.00", "87.56", "87.56", "0.00", "0.00"],
            ["49.00", "49.00", "12.44", "12.44", "0.00", "0.00"],
        ]
    );
    let rest = goodwill(&review.invoices[0], &[]);
    let rest = review
        .world
        .invoices()
        .issue_credit_note(rest)
        .await
        .unwrap();
    let rest = rest.into_inner().credit_note.unwrap();
    assert_eq!(shown(rest.total.as_ref()), "257.44 USD");
}

async fn al_4_approval_by_line_grants_those_lines(backend: Backend) {
    let review = Review::prepaid(backend).await;
    let request = review.by_line(&[(1, 1, "49.00"), (0, 3, "0.01"), (0, 1, "98.00")]);
    let answer = review.world.grant(request).await;
    assert_eq!(
        amounts(&answer.credit_notes),
        [
            (
                vec![(1, "98.00".to_owned()), (3, "0.01".to_owned())],
                "98.01 USD".to_owned()
            ),
            (vec![(1, "49.00".to_owned())], "49.00 USD".to_owned()),
        ]
    );
    assert_eq!(
        shown(answer.refund.unwrap().refunded.as_ref()),
        "147.01 USD"
    );
    assert_eq!(review.balance().await, "753.01 USD");
    let first = review.world.invoice(&review.invoices[0].invoice_id).await;
    let lines: Vec<_> = first
        .line_credits
        .iter()
        .map(|line| (line.line_number, shown(line.credited.as_ref())))
        .collect();
    assert_eq!(
        lines,
        [(1, "98.00 USD".to_owned()), (3, "0.01 USD".to_owned())]
    );
}

async fn bl_3_an_approval_beyond_what_is_held_changes_nothing(backend: Backend) {
    let review = Review::prepaid(backend).await;
    let too_much = approval(&review.refund, Some("394.01"));
    let refusal = refused(review.world.refunds().approve_refund(too_much).await)
        .expect(Code::FailedPrecondition, "CREDIT_EXCEEDS_INVOICE");
    assert_eq!(
        ["refund_id", "asked", "creditable", "currency"].map(|key| refusal.value(key)),
        [review.refund.refund_id.as_str(), "394.01", "394.00", "USD"]
    );
    let other = review
        .world
        .sell_about(&review.account_id, "thing-2", &[(LineKind::Domain, 1)])
        .await;
    let mut lines = review.by_line(&[(0, 1, "98.01"), (0, 2, "98.00"), (1, 1, "49.01")]);
    lines.lines.push(RefundLine {
        invoice_id: other.invoice_id.clone(),
        line_number: 1,
        amount: usd("1.00"),
    });
    let refusal = refused(review.world.refunds().approve_refund(lines).await)
        .expect(Code::FailedPrecondition, "CREDIT_EXCEEDS_INVOICE");
    let [first, second] = &review.invoices;
    assert_eq!(
        refusal.subjects(),
        [
            format!("{} line 1", first.invoice_id),
            format!("{} line 1", second.invoice_id),
            format!("{} line 1", other.invoice_id),
        ]
    );
    assert_eq!(review.balance().await, "557.00 USD");
    assert_eq!(review.world.get_refund(&review.refund).await, review.refund);
    assert_eq!(review.figures().await[0][4], "345.00", "still held");
}

async fn al_4_a_rejection_lets_go_of_what_was_held(backend: Backend) {
    let review = Review::prepaid(backend).await;
    let preview = RejectRefundRequest {
        validate_only: true,
        request_id: String::new(),
        ..review.rejection()
    };
    let preview = review.world.refunds().reject_refund(preview).await;
    assert_eq!(review.world.get_refund(&review.refund).await, review.refund);
    let answer = review
        .world
        .refunds()
        .reject_refund(review.rejection())
        .await
        .unwrap();
    let refund = answer.into_inner().refund.unwrap();
    assert_eq!(preview.unwrap().into_inner().refund.as_ref(), Some(&refund));
    assert_eq!(refund.state(), RefundState::Rejected);
    assert_eq!(shown(refund.refunded.as_ref()), "0.00 USD");
    assert!(refund.credit_note_ids.is_empty());
    assert_eq!(review.balance().await, "606.00 USD");
    assert_eq!(
        review.figures().await,
        [
            ["345.00", "345.00", "0.00", "0.00", "0.00", "0.00"],
            ["49.00", "49.00", "0.00", "0.00", "0.00", "0.00"],
        ]
    );
    let credit = goodwill(&review.invoices[0], &[(1, "98.00")]);
    review
        .world
        .invoices()
        .issue_credit_note(credit)
        .await
        .unwrap();
    assert_eq!(review.balance().await, "704.00 USD");
}

async fn al_4_who_reviewed_when_and_why_is_kept(backend: Backend) {
    for approves in [true, false] {
        let review = Review::prepaid(backend).await;
        review.world.time.advance_days(3);
        let now = review.world.now();
        let (refund, kind, why) = if approves {
            let request = Request::new(approval(&review.refund, Some("10.00")));
            let request = named(request, "ada");
            let answer = review.world.refunds().approve_refund(request).await;
            (
                answer.unwrap().into_inner().refund.unwrap(),
                "licet.billing.refund.approved.v1",
                "bought by mistake",
            )
        } else {
            let request = named(Request::new(review.rejection()), "ada");
            let answer = review.world.refunds().reject_refund(request).await;
            (
                answer.unwrap().into_inner().refund.unwrap(),
                "licet.billing.refund.rejected.v1",
                "used for four weeks",
            )
        };
        assert_eq!(
            (refund.reviewer.as_str(), refund.review_reason.as_str()),
            ("ada", why)
        );
        assert_eq!(instant(refund.review_time), now);
        assert_eq!(refund.decision_time, review.refund.decision_time);
        assert_eq!(review.world.get_refund(&refund).await, refund);
        let event = eventually("the review is in the log", || async {
            let log = log(review.world.billing_events()).await;
            let mut events = log.into_iter().filter_map(|entry| entry.event);
            events.find(|event| event.r#type == kind)
        })
        .await;
        assert_eq!(
            (&event.subject, event.caller.as_str(), event.why.as_str()),
            (&refund.refund_id, "ada", why)
        );
    }
}

async fn a_refund_is_reviewed_once(backend: Backend) {
    let review = Review::prepaid(backend).await;
    review.approve(Some("94.00")).await;
    let before = review.figures().await;
    let again = refused(
        review
            .world
            .refunds()
            .approve_refund(approval(&review.refund, None))
            .await,
    );
    let again = again.expect(Code::FailedPrecondition, "REFUND_NOT_PENDING");
    assert_eq!(
        (again.value("refund_id"), again.value("state")),
        (review.refund.refund_id.as_str(), "REFUNDED")
    );
    refused(
        review
            .world
            .refunds()
            .reject_refund(review.rejection())
            .await,
    )
    .expect(Code::FailedPrecondition, "REFUND_NOT_PENDING");
    assert_eq!(review.figures().await, before);
    assert_eq!(review.balance().await, "700.00 USD");

    // A refund that needed no review cannot be reviewed.
    let issued = review.world.now();
    let kinds = [(LineKind::Domain, 1)];
    let account_id = &review.account_id;
    review.world.sell_about(account_id, "late", &kinds).await;
    review.world.time.advance_days(31);
    let late = review
        .world
        .request_refund(&review.account_id, "late", issued)
        .await;
    assert_eq!(late.state(), RefundState::NotDue);
    let refusal = refused(
        review
            .world
            .refunds()
            .approve_refund(approval(&late, None))
            .await,
    );
    let refusal = refusal.expect(Code::FailedPrecondition, "REFUND_NOT_PENDING");
    assert_eq!(refusal.value("state"), "NOT_DUE");
}

async fn bl_1_the_preview_of_an_approval_is_its_outcome(backend: Backend) {
    let review = Review::on_terms(backend).await;
    let (figures, balance) = (review.figures().await, review.balance().await);
    for amount in [Some("300.01"), None, Some("0.01")] {
        let preview = ApproveRefundRequest {
            validate_only: true,
            request_id: String::new(),
            ..approval(&review.refund, amount)
        };
        let tried = review.world.grant(preview).await;
        assert_eq!(tried.refund.unwrap().state(), RefundState::Refunded);
    }
    let preview = ApproveRefundRequest {
        validate_only: true,
        request_id: String::new(),
        ..approval(&review.refund, Some("300.01"))
    };
    let tried = review.world.grant(preview).await;
    assert_eq!(review.figures().await, figures);
    assert_eq!(review.balance().await, balance);
    assert_eq!(review.world.get_refund(&review.refund).await, review.refund);

    let made = review
        .world
        .grant(approval(&review.refund, Some("300.01")))
        .await;
    let unnamed = made.credit_notes.into_iter().map(|note| CreditNote {
        credit_note_id: String::new(),
        number: String::new(),
        ..note
    });
    assert_eq!(unnamed.collect::<Vec<_>>(), tried.credit_notes);
    let refund = Refund {
        credit_note_ids: Vec::new(),
        ..made.refund.unwrap()
    };
    assert_eq!(Some(refund), tried.refund);
}

async fn bl_2_a_repeated_review_is_answered_alike(backend: Backend) {
    let review = Review::prepaid(backend).await;
    let request = approval(&review.refund, Some("10.00"));
    let first = review.world.grant(request.clone()).await;
    assert_eq!(review.world.grant(request).await, first);
    assert_eq!(review.balance().await, "616.00 USD");
}

async fn of_many_reviews_at_once_one_decides(backend: Backend) {
    let review = Review::prepaid(backend).await;
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..12 {
        let (mut refunds, mut invoices) = (review.world.refunds(), review.world.invoices());
        let approve = approval(&review.refund, None);
        let reject = review.rejection();
        let credit = goodwill(&review.invoices[0], &[(1, "98.00")]);
        calls.spawn(async move {
            match number % 3 {
                0 => refunds.approve_refund(approve).await.map(|_| "APPROVED"),
                1 => refunds.reject_refund(reject).await.map(|_| "REJECTED"),
                _ => invoices.issue_credit_note(credit).await.map(|_| "CREDITED"),
            }
        });
    }
    let mut done = Vec::new();
    while let Some(answer) = calls.join_next().await {
        match answer.unwrap() {
            Ok(what) => done.push(what),
            Err(status) => {
                let refusal = take_apart(&status);
                assert!(
                    ["REFUND_NOT_PENDING", "CREDIT_EXCEEDS_INVOICE"]
                        .contains(&refusal.reason.as_str()),
                    "{refusal:?}"
                );
            }
        }
    }
    done.sort_unstable();
    let balance = review.balance().await;
    match done.as_slice() {
        ["APPROVED"] => assert_eq!(balance, "1000.00 USD"),
        ["REJECTED"] => assert_eq!(balance, "606.00 USD"),
        // Goodwill could credit the line only after the rejection.
        ["CREDITED", "REJECTED"] => assert_eq!(balance, "704.00 USD"),
        others => panic!("{others:?}"),
    }
    assert_eq!(review.figures().await[0][4], "0.00", "nothing is held");
}

async fn every_violation_of_a_review_comes_at_once(backend: Backend) {
    let review = Review::prepaid(backend).await;
    let mut request = review.by_line(&[(0, 1, "0.00"), (0, 1, "-1.00"), (1, 0, "1.0")]);
    request.lines[2].invoice_id = "inv_1".to_owned();
    request.amount = usd("0.00");
    request.reason = String::new();
    request.request_id = String::new();
    let refusal = refused(review.world.refunds().approve_refund(request).await)
        .expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(
        refusal.paths(),
        [
            "amount",
            "amount.value",
            "lines[0].amount.value",
            "lines[1].amount.value",
            "lines[1].line_number",
            "lines[2].amount",
            "lines[2].invoice_id",
            "lines[2].line_number",
            "reason",
            "request_id",
        ]
    );
    let request = RejectRefundRequest {
        refund_id: "rfd_x".to_owned(),
        ..RejectRefundRequest::default()
    };
    let refusal = refused(review.world.refunds().reject_refund(request).await)
        .expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(refusal.paths(), ["reason", "refund_id", "request_id"]);
    assert_eq!(review.world.get_refund(&review.refund).await, review.refund);
}

async fn m_4_an_approval_is_in_the_accounts_currency(backend: Backend) {
    let review = Review::prepaid(backend).await;
    let by_amount = ApproveRefundRequest {
        amount: money("JPY", "1"),
        ..approval(&review.refund, None)
    };
    let mut by_line = review.by_line(&[(0, 1, "1.00")]);
    by_line.lines[0].amount = money("JPY", "1");
    for request in [by_amount, by_line] {
        let refusal = refused(review.world.refunds().approve_refund(request).await)
            .expect(Code::FailedPrecondition, "CURRENCY_MISMATCH");
        assert_eq!(
            (refusal.value("expected"), refusal.value("given")),
            ("USD", "JPY")
        );
    }
}

async fn another_accounts_refund_is_not_found(backend: Backend) {
    let review = Review::prepaid(backend).await;
    let other = review.world.empty_account().await;
    let mut approve = Request::new(approval(&review.refund, None));
    let mut reject = Request::new(review.rejection());
    approve
        .metadata_mut()
        .insert("licet-accounts", other.parse().unwrap());
    reject
        .metadata_mut()
        .insert("licet-accounts", other.parse().unwrap());
    refused(review.world.refunds().approve_refund(approve).await)
        .expect(Code::NotFound, "NOT_FOUND");
    refused(review.world.refunds().reject_refund(reject).await).expect(Code::NotFound, "NOT_FOUND");
    assert_eq!(review.world.get_refund(&review.refund).await, review.refund);
}
