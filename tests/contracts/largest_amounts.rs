//! M-1, BL-3, BL-4: amounts up to the largest that can be stored, 2^63 - 1 minor units, are charged, paid,
//! credited, refunded, shown and verified like any other. Anything that would exceed it is refused first.

use licet_contracts::billing::v1::{
    ApproveRefundRequest, CreateAccountRequest, CreateQuoteRequest, Invoice, InvoiceState,
    IssueCreditNoteRequest, LineKind, PaymentTerms, RefundState, RenderInvoiceRequest,
    RenderStatementRequest, RequestRefundRequest,
};
use licet_domain::clock::Instant;
use tonic::Code;

use crate::harness::{
    Backend,
    corrections::{approval, first_term, goodwill, in_use},
    errors::refused,
    on_both_databases, request_id,
    samples::{MULTI, money, shown},
    selling::{ask, item, prices_request, term_price_in},
    terms::period,
    world::World,
};

on_both_databases![
    bl_3_the_largest_invoice_is_credited_whole,
    bl_3_a_part_paid_invoice_beyond_half_the_range_is_credited_whole,
    al_4_the_largest_invoice_is_refunded_whole,
    al_4_the_largest_refund_in_review_is_granted,
    bl_4_what_no_balance_can_keep_is_refused_before_it_is_promised,
    m_1_a_charge_beyond_the_largest_amount_is_refused,
];

/// 2^63 - 1 thousandths of a dinar.
const LARGEST: &str = "9223372036854775.807";
/// A 3577th of the largest amount.
const EACH: &str = "2578521676503.991";
const DOMAINS: i32 = 3577;

/// A world where `DOMAINS` domains cost the largest amount; a further domain at a dinar exceeds it.
async fn world(backend: Backend) -> World {
    let world = World::start(backend).await;
    world.stock().await;
    let prices = term_price_in("BHD", 12, ["1.000", EACH, EACH, "0.500"]);
    let prices = prices_request(MULTI, "BHD", vec![prices]);
    world.catalog().set_prices(prices).await.unwrap();
    world
}

async fn on_terms(world: &World) -> String {
    let request = CreateAccountRequest {
        display_name: "On terms".to_owned(),
        currency_code: "BHD".to_owned(),
        kind: licet_contracts::billing::v1::AccountKind::OnTerms.into(),
        terms: Some(PaymentTerms {
            credit_limit: money("BHD", LARGEST),
            net_days: 30,
            overdue_grace_days: 0,
        }),
        request_id: request_id(),
    };
    let answer = world.accounts().create_account(request).await.unwrap();
    answer.into_inner().account.unwrap().account_id
}

async fn deposit(world: &World, account_id: &str, amount: &str) {
    let request = licet_contracts::billing::v1::DepositRequest {
        account_id: account_id.to_owned(),
        amount: money("BHD", amount),
        request_id: request_id(),
        ..Default::default()
    };
    world.accounts().deposit(request).await.unwrap();
}

fn asked(account_id: &str, quantity: i32) -> CreateQuoteRequest {
    CreateQuoteRequest {
        subject: first_term("thing-1"),
        ..ask(account_id, vec![item(LineKind::Domain, MULTI, quantity)])
    }
}

/// An invoice of the largest amount.
async fn sell(world: &World, account_id: &str) -> Invoice {
    let quote = world
        .quotes()
        .create_quote(asked(account_id, DOMAINS))
        .await;
    let quote = quote.unwrap().into_inner().quote.unwrap();
    let invoice = world.charge(&quote).await.unwrap();
    assert_eq!(shown(invoice.total.as_ref()), format!("{LARGEST} BHD"));
    invoice
}

fn wish(account_id: &str, issued: Option<Instant>) -> RequestRefundRequest {
    RequestRefundRequest {
        account_id: account_id.to_owned(),
        subject: first_term("thing-1"),
        r#use: Some(in_use(issued)),
        request_id: request_id(),
        ..RequestRefundRequest::default()
    }
}

fn credit(invoice: &Invoice) -> [IssueCreditNoteRequest; 2] {
    let deed = goodwill(invoice, &[]);
    let preview = IssueCreditNoteRequest {
        validate_only: true,
        request_id: String::new(),
        ..deed.clone()
    };
    [preview, deed]
}

/// Checks the account's balance, and that statement, pages and verification agree.
async fn check(world: &World, account_id: &str, invoice: &Invoice, balance: &str) {
    let invoice = world.invoice(&invoice.invoice_id).await;
    assert_eq!(invoice.state(), InvoiceState::Paid);
    assert_eq!(shown(invoice.due.as_ref()), "0.000 BHD");
    assert_eq!(world.balance(account_id).await, format!("{balance} BHD"));
    let all = period(Instant::MIN, Instant::MAX);
    let statement = world.statement(account_id, Instant::MIN, Instant::MAX);
    let statement = statement.await.unwrap();
    assert_eq!(
        shown(statement.closing_balance.as_ref()),
        format!("{balance} BHD")
    );
    let page = RenderStatementRequest {
        account_id: account_id.to_owned(),
        period: Some(all),
    };
    world.accounts().render_statement(page).await.unwrap();
    let page = RenderInvoiceRequest {
        invoice_id: invoice.invoice_id.clone(),
    };
    world.invoices().render_invoice(page).await.unwrap();
    verify(world).await;
}

async fn verify(world: &World) {
    let verification = licet_billing::verify(&world.billing_location()).await;
    let verification = verification.unwrap();
    assert_eq!(verification.differences(), 0, "{verification}");
}

async fn bl_3_the_largest_invoice_is_credited_whole(backend: Backend) {
    let world = world(backend).await;
    let account_id = world.account_in("BHD", LARGEST).await;
    let invoice = sell(&world, &account_id).await;
    check(&world, &account_id, &invoice, "0.000").await;
    for request in credit(&invoice) {
        let answer = world.invoices().issue_credit_note(request).await.unwrap();
        let answer = answer.into_inner();
        let note = answer.credit_note.unwrap();
        assert_eq!(shown(note.returned.as_ref()), format!("{LARGEST} BHD"));
    }
    check(&world, &account_id, &invoice, LARGEST).await;
}

/// The paid part returns and the rest is no longer due, though paid plus credited exceeds the range.
async fn bl_3_a_part_paid_invoice_beyond_half_the_range_is_credited_whole(backend: Backend) {
    const PAID: &str = "9223372036854775.800";
    let world = world(backend).await;
    let account_id = on_terms(&world).await;
    let invoice = sell(&world, &account_id).await;
    deposit(&world, &account_id, PAID).await;
    let pay = licet_contracts::billing::v1::PayInvoiceRequest {
        invoice_id: invoice.invoice_id.clone(),
        amount: money("BHD", PAID),
        request_id: request_id(),
        ..Default::default()
    };
    let paid = world.invoices().pay_invoice(pay).await.unwrap();
    let paid = paid.into_inner().invoice.unwrap();
    assert_eq!(shown(paid.due.as_ref()), "0.007 BHD");
    for request in credit(&invoice) {
        let answer = world.invoices().issue_credit_note(request).await.unwrap();
        let note = answer.into_inner().credit_note.unwrap();
        assert_eq!(shown(note.returned.as_ref()), format!("{PAID} BHD"));
    }
    check(&world, &account_id, &invoice, PAID).await;
}

async fn al_4_the_largest_invoice_is_refunded_whole(backend: Backend) {
    let world = world(backend).await;
    let account_id = world.account_in("BHD", LARGEST).await;
    let invoice = sell(&world, &account_id).await;
    for validate_only in [true, false] {
        let request = RequestRefundRequest {
            validate_only,
            ..wish(&account_id, None)
        };
        let answer = world.refunds().request_refund(request).await.unwrap();
        let refund = answer.into_inner().refund.unwrap();
        assert_eq!(refund.state(), RefundState::Refunded);
        assert_eq!(shown(refund.refunded.as_ref()), format!("{LARGEST} BHD"));
    }
    check(&world, &account_id, &invoice, LARGEST).await;
}

async fn al_4_the_largest_refund_in_review_is_granted(backend: Backend) {
    for amount in [None, Some("9223372036854775.806")] {
        let world = world(backend).await;
        let account_id = world.account_in("BHD", LARGEST).await;
        let issued = world.now();
        let invoice = sell(&world, &account_id).await;
        world.time.advance_days(28);
        let refund = world.request_refund(&account_id, "thing-1", issued).await;
        assert_eq!(refund.state(), RefundState::PendingReview);
        let deed = ApproveRefundRequest {
            amount: amount.and_then(|amount| money("BHD", amount)),
            ..approval(&refund, None)
        };
        let preview = ApproveRefundRequest {
            validate_only: true,
            request_id: String::new(),
            ..deed.clone()
        };
        for request in [preview, deed] {
            let granted = world.grant(request).await.refund.unwrap();
            let whole = format!("{} BHD", amount.unwrap_or(LARGEST));
            assert_eq!(shown(granted.refunded.as_ref()), whole);
        }
        check(&world, &account_id, &invoice, amount.unwrap_or(LARGEST)).await;
    }
}

async fn bl_4_what_no_balance_can_keep_is_refused_before_it_is_promised(backend: Backend) {
    let world = world(backend).await;
    let account_id = world.account_in("BHD", LARGEST).await;
    let issued = world.now();
    let invoice = sell(&world, &account_id).await;
    deposit(&world, &account_id, "0.001").await;
    for request in credit(&invoice) {
        let answer = world.invoices().issue_credit_note(request).await;
        refused(answer).expect(Code::FailedPrecondition, "AMOUNT_OUT_OF_RANGE");
    }
    for validate_only in [true, false] {
        let request = RequestRefundRequest {
            validate_only,
            ..wish(&account_id, None)
        };
        let answer = world.refunds().request_refund(request).await;
        refused(answer).expect(Code::FailedPrecondition, "AMOUNT_OUT_OF_RANGE");
    }
    world.time.advance_days(28);
    let refund = world.request_refund(&account_id, "thing-1", issued).await;
    for validate_only in [true, false] {
        let request = ApproveRefundRequest {
            validate_only,
            ..approval(&refund, None)
        };
        let answer = world.refunds().approve_refund(request).await;
        refused(answer).expect(Code::FailedPrecondition, "AMOUNT_OUT_OF_RANGE");
    }
    assert_eq!(world.balance(&account_id).await, "0.001 BHD");
    verify(&world).await;
}

async fn m_1_a_charge_beyond_the_largest_amount_is_refused(backend: Backend) {
    let world = world(backend).await;
    let account_id = on_terms(&world).await;
    for validate_only in [true, false] {
        let request = CreateQuoteRequest {
            validate_only,
            ..asked(&account_id, DOMAINS + 1)
        };
        let answer = world.quotes().create_quote(request).await;
        refused(answer).expect(Code::FailedPrecondition, "AMOUNT_OUT_OF_RANGE");
    }
}
