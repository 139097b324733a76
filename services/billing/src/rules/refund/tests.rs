//! AL-4 to the microsecond, and what a review grants to the minor unit.

use licet_domain::ids::InvoiceId;

use super::{super::credit::LineCredit, *};
use crate::rules::charge::CreditableLine;

const POLICY: RefundPolicy = RefundPolicy {
    count: RefundCount::FirstIssuance,
    full_refund_days: 25,
    no_refund_days: 30,
};

const BY_PURCHASE: RefundPolicy = RefundPolicy {
    count: RefundCount::Purchase,
    ..POLICY
};

fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

fn later(from: Instant, micros: i64) -> Instant {
    Instant::from_micros(from.as_micros() + micros).unwrap()
}

/// The year 2026, bought two months before and not used.
fn year() -> TermTimes {
    TermTimes {
        bought: at("2025-11-02T12:00:00Z"),
        start: at("2026-01-01T00:00:00Z"),
        end: at("2027-01-01T00:00:00Z"),
        first_use: None,
    }
}

/// The term with its first use.
fn used(term: TermTimes, first_use: Instant) -> TermTimes {
    TermTimes {
        first_use: Some(first_use),
        ..term
    }
}

/// Microseconds since the count began, and the state of the refund then.
fn limits() -> [(i64, RefundState); 10] {
    [
        (0, RefundState::Refunded),
        (days(25) - 1, RefundState::Refunded),
        (days(25), RefundState::Refunded),
        (days(25) + 1, RefundState::PendingReview),
        (days(28), RefundState::PendingReview),
        (days(30) - 1, RefundState::PendingReview),
        (days(30), RefundState::PendingReview),
        (days(30) + 1, RefundState::NotDue),
        (days(31), RefundState::NotDue),
        (days(500), RefundState::NotDue),
    ]
}

/// AL-4: both limits to the microsecond, counted from the first use.
#[test]
fn al_4_limits_from_the_first_use() {
    let issued = at("2026-01-10T08:00:00Z");
    let term = used(year(), issued);
    for (elapsed, state) in limits() {
        let decision = decide(POLICY, &term, later(issued, elapsed));
        assert_eq!(decision.state, state, "{elapsed} µs after the issuance");
        assert_eq!(decision.count, RefundCount::FirstIssuance);
        assert_eq!(decision.counted_from, Some(issued));
        assert_eq!(decision.full_until, Some(at("2026-02-04T08:00:00Z")));
        assert_eq!(decision.review_until, Some(at("2026-02-09T08:00:00Z")));
        let words = "counted from the first issuance: in use since 2026-01-10T08:00:00";
        assert!(decision.explanation.starts_with(words), "{decision:?}");
    }
}

/// AL-4: the same limits counted from the purchase, whether or not anything was issued, and also of
/// a term that is over.
#[test]
fn al_4_limits_from_the_purchase() {
    let bought = at("2026-01-10T08:00:00Z");
    let term = TermTimes { bought, ..year() };
    let issued = used(term, at("2026-02-20T00:00:00Z"));
    let month = TermTimes {
        end: at("2026-01-12T00:00:00Z"),
        ..term
    };
    for (elapsed, state) in limits() {
        for term in [term, issued, month] {
            let decision = decide(BY_PURCHASE, &term, later(bought, elapsed));
            assert_eq!(decision.state, state, "{elapsed} µs after the purchase");
            assert_eq!(decision.count, RefundCount::Purchase);
            assert_eq!(decision.counted_from, Some(bought));
            assert_eq!(decision.full_until, Some(at("2026-02-04T08:00:00Z")));
            let words = "counted from the purchase: bought at 2026-01-10T08:00:00";
            assert!(decision.explanation.starts_with(words), "{decision:?}");
        }
    }
}

/// AL-4: a term that has not begun is refunded in full by either count, however long ago it was
/// bought.
#[test]
fn al_4_a_term_that_has_not_begun() {
    let term = year();
    for policy in [POLICY, BY_PURCHASE] {
        for now in [term.bought, later(term.start, -1)] {
            let decision = decide(policy, &term, now);
            assert_eq!(decision.state, RefundState::Refunded, "{now}");
            assert_eq!((decision.counted_from, decision.full_until), (None, None));
        }
    }
    // From its start on, the 60 days since the purchase count.
    let begun = decide(BY_PURCHASE, &term, term.start);
    assert_eq!(begun.state, RefundState::NotDue);
    assert_eq!(
        decide(POLICY, &term, term.start).state,
        RefundState::Refunded
    );
}

/// AL-4: a term that was never used is refunded in full until it ends, and not afterwards.
#[test]
fn al_4_never_issued() {
    let term = year();
    for (now, state) in [
        (later(term.end, -days(300)), RefundState::Refunded),
        (later(term.end, -1), RefundState::Refunded),
        (term.end, RefundState::NotDue),
        (later(term.end, 1), RefundState::NotDue),
    ] {
        let decision = decide(POLICY, &term, now);
        assert_eq!(
            (decision.state, decision.full_until),
            (state, None),
            "{now}"
        );
    }
}

/// Two equal limits leave no review.
#[test]
fn no_review_between_equal_limits() {
    let policy = RefundPolicy {
        full_refund_days: 14,
        no_refund_days: 14,
        ..POLICY
    };
    let issued = at("2026-01-10T08:00:00Z");
    let term = used(year(), issued);
    let state = |elapsed| decide(policy, &term, later(issued, elapsed)).state;
    assert_eq!(state(days(14)), RefundState::Refunded);
    assert_eq!(state(days(14) + 1), RefundState::NotDue);
}

/// AL-4: a refund does not end an order; the notice says so for an order whose term is not over.
#[test]
fn al_4_a_refund_of_a_running_order_says_that_it_goes_on() {
    let end = year().end;
    let of = |resource_id: String| Subject {
        resource_id,
        term_index: 1,
    };
    let order = of(OrderId::generate().to_string());
    let said = notice(&order, end, later(end, -1)).unwrap();
    assert!(said.contains("OrderService.DeleteOrder"), "{said}");
    assert_eq!(notice(&order, end, end), None);
    assert_eq!(notice(&of("thing-1".to_owned()), end, later(end, -1)), None);
}

fn usd(minor: i64) -> Money {
    Money::from_minor("USD".parse().unwrap(), minor)
}

/// An open invoice of three lines of which a review holds 300.00, 200.00 and 100.01.
fn held() -> CreditableInvoice {
    let lines = [
        (1, 30_000, 30_000),
        (2, 25_000, 20_000),
        (3, 10_001, 10_001),
    ];
    CreditableInvoice {
        invoice_id: InvoiceId::generate(),
        due: usd(5_000),
        lines: lines
            .map(|(line_number, amount, held)| CreditableLine {
                line_number,
                amount: usd(amount),
                credited: usd(amount - held),
                held: usd(held),
            })
            .to_vec(),
    }
}

/// AL-4: an approval grants any amount up to the whole, by line or spread, and not a minor unit
/// more.
#[test]
fn al_4_an_approval_grants_up_to_what_is_held() {
    let held = [held()];
    let line = |line_number, minor| RequestedCredit {
        invoice_id: held[0].invoice_id,
        line: LineCredit {
            line_number,
            amount: usd(minor),
        },
    };
    let granted = |approval: &Approval| {
        plan_approval(&held, approval, usd(0)).map(|credits| {
            let lines = credits.iter().flat_map(|credit| &credit.lines);
            lines.map(|line| line.amount.minor()).collect::<Vec<_>>()
        })
    };
    let by_line = |list: &[(u32, i64)]| {
        Approval::Lines(
            list.iter()
                .map(|&(number, minor)| line(number, minor))
                .collect(),
        )
    };
    for (approval, parts) in [
        (Approval::Whole, &[30_000, 20_000, 10_001][..]),
        (Approval::Amount(usd(60_001)), &[30_000, 20_000, 10_001]),
        (Approval::Amount(usd(60_000)), &[29_999, 20_000, 10_001]),
        (Approval::Amount(usd(6)), &[3, 2, 1]),
        (Approval::Amount(usd(1)), &[1]),
        (by_line(&[(3, 1), (1, 30_000)]), &[30_000, 1]),
    ] {
        assert_eq!(granted(&approval).unwrap(), parts, "{approval:?}");
    }
    for approval in [
        Approval::Amount(usd(60_002)),
        by_line(&[(2, 20_001)]),
        by_line(&[(1, 30_000), (4, 1)]),
    ] {
        let refusal = granted(&approval).unwrap_err();
        assert_eq!(refusal.reason, Reason::CreditExceedsInvoice, "{approval:?}");
    }
}

/// BL-4: an approval lowers what is due first.
#[test]
fn bl_4_an_approval_lowers_the_due_first() {
    let credits = plan_approval(&[held()], &Approval::Amount(usd(6_000)), usd(0)).unwrap();
    assert_eq!(
        (credits[0].total, credits[0].returned, credits[0].due),
        (usd(6_000), usd(1_000), usd(0))
    );
}

fn in_state(state: RefundState) -> Refund {
    Refund {
        refund_id: Some(RefundId::generate()),
        account_id: AccountId::generate(),
        subject: Subject {
            resource_id: "ord_1".to_owned(),
            term_index: 0,
        },
        decision: RefundDecision {
            state,
            count: RefundCount::FirstIssuance,
            counted_from: None,
            full_until: None,
            review_until: None,
            explanation: "between 25 and 30 days later".to_owned(),
        },
        creditable: usd(60_001),
        refunded: usd(0),
        first_issuance: None,
        decided: at("2026-01-10T08:00:00Z"),
        last_invoice: None,
        credit_note_ids: Vec::new(),
        review: None,
    }
}

fn review() -> Review {
    Review {
        reviewer: "ada".to_owned(),
        reason: "bought by mistake".to_owned(),
        time: at("2026-02-10T08:00:00Z"),
    }
}

/// AL-4: a review ends in one of two states, and records who decided, when and why.
#[test]
fn al_4_a_review_is_kept_with_its_outcome() {
    let pending = in_state(RefundState::PendingReview);
    let notes = vec![CreditNoteId::generate()];
    let granted = pending
        .clone()
        .approve(usd(6_000), notes.clone(), review())
        .unwrap();
    assert_eq!(granted.decision.state, RefundState::Refunded);
    assert_eq!(
        (granted.refunded, granted.creditable),
        (usd(6_000), usd(60_001))
    );
    assert_eq!(
        (granted.credit_note_ids, granted.review),
        (notes, Some(review()))
    );
    assert_eq!(
        granted.decision.explanation,
        format!(
            "between 25 and 30 days later; 60.00 USD of 600.01 USD granted at {}",
            review().time
        )
    );
    let rejected = pending.reject(review()).unwrap();
    assert_eq!(rejected.decision.state, RefundState::Rejected);
    assert_eq!(
        (rejected.refunded, rejected.review),
        (usd(0), Some(review()))
    );
    assert!(rejected.credit_note_ids.is_empty());
}

/// AL-4: a decided refund is not decided again.
#[test]
fn al_4_only_what_waits_is_reviewed() {
    for state in [
        RefundState::Refunded,
        RefundState::NotDue,
        RefundState::Rejected,
    ] {
        let refund = in_state(state);
        let approved = refund.clone().approve(usd(1), Vec::new(), review());
        for refusal in [approved.unwrap_err(), refund.reject(review()).unwrap_err()] {
            assert_eq!(refusal.reason, Reason::RefundNotPending);
            assert_eq!(refusal.metadata["state"], state.as_str());
            for key in ["creditable", "refunded", "currency"] {
                assert!(refusal.metadata.contains_key(key), "{key}");
            }
        }
    }
}

/// T-5: a reviewing clock that is behind does not date a review before its refund.
#[test]
fn t_5_a_review_is_never_before_its_refund() {
    let pending = in_state(RefundState::PendingReview);
    let behind = Review {
        time: later(pending.decided, -1),
        ..review()
    };
    let granted = pending.clone().approve(usd(1), Vec::new(), behind.clone());
    for reviewed in [granted.unwrap(), pending.clone().reject(behind).unwrap()] {
        assert_eq!(reviewed.review.unwrap().time, pending.decided);
    }
}
