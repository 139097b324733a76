//! Credit notes: exact to the minor unit and by line (BL-3), on unpaid, part-paid and paid invoices
//! (BL-4), many at once.

use licet_contracts::billing::v1::{
    CreditNote, CreditNoteLine, EntryKind, Invoice, InvoiceState, IssueCreditNoteRequest,
    LedgerAccount, LineKind,
};
use tonic::{Code, Request};

use crate::{
    contracts::events::log,
    harness::{
        Backend,
        corrections::{credit_lines, figures, goodwill, named},
        errors::{refused, take_apart},
        eventually, on_both_databases, request_id,
        samples::{money, shown},
        world::World,
    },
};

on_both_databases![
    bl_4_credit_on_a_paid_invoice_returns_to_the_balance,
    bl_4_credit_on_an_open_invoice_lowers_what_is_due_and_nothing_else,
    bl_4_credit_on_a_part_paid_invoice_lowers_the_due_before_anything_returns,
    bl_3_every_line_beyond_its_rest_is_named_and_nothing_is_credited,
    bl_3_without_lines_all_that_is_left_is_credited_once,
    bl_3_of_many_credits_at_once_one_takes_the_rest,
    bl_3_many_small_credits_at_once_stop_at_the_invoice,
    bl_3_what_a_review_holds_is_not_creditable,
    bl_8_credit_notes_are_numbered_without_a_gap,
    bl_1_a_preview_is_the_credit_and_changes_nothing,
    bl_2_a_repeat_credits_once,
    every_violation_of_a_credit_comes_at_once,
    m_4_a_credit_is_in_the_invoices_currency,
    another_accounts_invoice_is_not_found,
    x_5_a_credit_leaves_an_event,
];

/// Lines of 98.00, 98.00 (two domains) and 149.00.
async fn sell(world: &World, account_id: &str) -> Invoice {
    let kinds = [
        (LineKind::Certificate, 1),
        (LineKind::Domain, 2),
        (LineKind::WildcardDomain, 1),
    ];
    let invoice = world.sell_about(account_id, "thing-1", &kinds).await;
    assert_eq!(shown(invoice.total.as_ref()), "345.00 USD");
    invoice
}

/// A paid invoice of 345.00 on an account with 655.00 left.
async fn paid(backend: Backend) -> (World, String, Invoice) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let invoice = sell(&world, &account_id).await;
    assert_eq!(invoice.state(), InvoiceState::Paid);
    (world, account_id, invoice)
}

/// An open invoice of 345.00 on an account with a balance of 200.00.
async fn open(backend: Backend) -> (World, String, Invoice) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_on_terms("1000.00", 30, 10).await;
    world.deposit(&account_id, "200.00").await;
    let invoice = sell(&world, &account_id).await;
    assert_eq!(invoice.state(), InvoiceState::Open);
    (world, account_id, invoice)
}

async fn issue(world: &World, request: IssueCreditNoteRequest) -> (CreditNote, Invoice) {
    let answer = world.invoices().issue_credit_note(request).await.unwrap();
    let answer = answer.into_inner();
    (answer.credit_note.unwrap(), answer.invoice.unwrap())
}

/// Balance and amount due of an account.
async fn stands(world: &World, account_id: &str) -> (String, String) {
    let account = world.get_account(account_id).await;
    (shown(account.balance.as_ref()), shown(account.due.as_ref()))
}

/// The postings of the account's credit notes, as "CASH 1.00", in order.
async fn postings(world: &World, account_id: &str) -> Vec<Vec<String>> {
    let entries = world.entries_of(account_id).await;
    let notes = entries
        .iter()
        .filter(|entry| entry.kind() == EntryKind::CreditNote);
    let each = notes.map(|entry| {
        let sides = entry.postings.iter().map(|side| {
            let account = match side.ledger_account() {
                LedgerAccount::Cash => "CASH",
                LedgerAccount::Balance => "BALANCE",
                LedgerAccount::Receivable => "RECEIVABLE",
                LedgerAccount::Revenue => "REVENUE",
                LedgerAccount::Unspecified => "?",
            };
            format!("{account} {}", side.amount.as_ref().unwrap().value)
        });
        sides.collect()
    });
    each.collect()
}

async fn bl_4_credit_on_a_paid_invoice_returns_to_the_balance(backend: Backend) {
    let (world, account_id, invoice) = paid(backend).await;
    let (note, after) = issue(&world, goodwill(&invoice, &[(1, "8.00"), (3, "100.01")])).await;
    assert_eq!(shown(note.total.as_ref()), "108.01 USD");
    assert_eq!(shown(note.returned.as_ref()), "108.01 USD");
    assert_eq!(note.lines, credit_lines(&[(1, "8.00"), (3, "100.01")]));
    assert_eq!(note.reason, "the outage of May");
    assert_eq!(note.rule_id, "BL-4");
    assert_eq!(
        note.explanation,
        "108.01 USD credited: 0.00 USD off what was due on the invoice, 108.01 USD back to the balance"
    );
    assert_eq!(
        figures(&after),
        ["345.00", "345.00", "108.01", "108.01", "0.00", "0.00"]
    );
    assert_eq!(after.state(), InvoiceState::Paid);
    assert_eq!(world.invoice(&invoice.invoice_id).await, after);
    assert_eq!(world.credit_notes_of(&invoice).await, [note]);
    assert_eq!(
        stands(&world, &account_id).await,
        ("763.01 USD".to_owned(), "0.00 USD".to_owned())
    );
    assert_eq!(
        postings(&world, &account_id).await,
        [["REVENUE 108.01", "BALANCE -108.01"]]
    );
}

async fn bl_4_credit_on_an_open_invoice_lowers_what_is_due_and_nothing_else(backend: Backend) {
    let (world, account_id, invoice) = open(backend).await;
    let (note, after) = issue(&world, goodwill(&invoice, &[(2, "45.00")])).await;
    assert_eq!(shown(note.returned.as_ref()), "0.00 USD");
    assert_eq!(
        figures(&after),
        ["345.00", "0.00", "45.00", "0.00", "0.00", "300.00"]
    );
    assert_eq!(after.state(), InvoiceState::Open);
    assert_eq!(
        stands(&world, &account_id).await,
        ("200.00 USD".to_owned(), "300.00 USD".to_owned())
    );
    // The rest is credited: nothing is due, and nothing was ever paid.
    let (note, after) = issue(&world, goodwill(&invoice, &[])).await;
    assert_eq!(shown(note.total.as_ref()), "300.00 USD");
    assert_eq!(shown(note.returned.as_ref()), "0.00 USD");
    assert_eq!(after.state(), InvoiceState::Paid);
    assert_eq!(
        figures(&after),
        ["345.00", "0.00", "345.00", "0.00", "0.00", "0.00"]
    );
    assert_eq!(
        stands(&world, &account_id).await,
        ("200.00 USD".to_owned(), "0.00 USD".to_owned())
    );
    assert_eq!(
        postings(&world, &account_id).await,
        [
            ["REVENUE 45.00", "RECEIVABLE -45.00"],
            ["REVENUE 300.00", "RECEIVABLE -300.00"]
        ]
    );
}

async fn bl_4_credit_on_a_part_paid_invoice_lowers_the_due_before_anything_returns(
    backend: Backend,
) {
    let (world, account_id, invoice) = open(backend).await;
    world.pay_part(&invoice, "145.00").await;
    // 250.01 are credited: the 200.00 that are due first; the rest was paid and returns.
    let (note, after) = issue(
        &world,
        goodwill(&invoice, &[(1, "98.00"), (2, "98.00"), (3, "54.01")]),
    )
    .await;
    assert_eq!(shown(note.total.as_ref()), "250.01 USD");
    assert_eq!(shown(note.returned.as_ref()), "50.01 USD");
    assert_eq!(after.state(), InvoiceState::Paid);
    assert_eq!(
        figures(&after),
        ["345.00", "145.00", "250.01", "50.01", "0.00", "0.00"]
    );
    assert_eq!(
        stands(&world, &account_id).await,
        ("105.01 USD".to_owned(), "0.00 USD".to_owned())
    );
    assert_eq!(
        postings(&world, &account_id).await,
        [["REVENUE 250.01", "RECEIVABLE -200.00", "BALANCE -50.01"]]
    );
    let (note, after) = issue(&world, goodwill(&invoice, &[])).await;
    assert_eq!(shown(note.total.as_ref()), "94.99 USD");
    assert_eq!(shown(note.returned.as_ref()), "94.99 USD");
    assert_eq!(
        figures(&after),
        ["345.00", "145.00", "345.00", "145.00", "0.00", "0.00"]
    );
    assert_eq!(world.balance(&account_id).await, "200.00 USD");
}

async fn bl_3_every_line_beyond_its_rest_is_named_and_nothing_is_credited(backend: Backend) {
    let (world, account_id, invoice) = paid(backend).await;
    issue(&world, goodwill(&invoice, &[(1, "8.00")])).await;
    let before = world.invoice(&invoice.invoice_id).await;
    let request = goodwill(
        &invoice,
        &[(1, "90.01"), (2, "98.00"), (3, "149.01"), (4, "0.01")],
    );
    let refusal = refused(world.invoices().issue_credit_note(request).await)
        .expect(Code::FailedPrecondition, "CREDIT_EXCEEDS_INVOICE");
    assert_eq!(
        [
            "invoice_id",
            "line_number",
            "asked",
            "creditable",
            "currency"
        ]
        .map(|key| refusal.value(key)),
        [invoice.invoice_id.as_str(), "1", "90.01", "90.00", "USD"]
    );
    let id = &invoice.invoice_id;
    assert_eq!(
        refusal.subjects(),
        [1, 3, 4].map(|line| format!("{id} line {line}"))
    );
    assert_eq!(world.invoice(&invoice.invoice_id).await, before);
    assert_eq!(world.balance(&account_id).await, "663.00 USD");
    assert_eq!(world.credit_notes_of(&invoice).await.len(), 1);
}

async fn bl_3_without_lines_all_that_is_left_is_credited_once(backend: Backend) {
    let (world, account_id, invoice) = paid(backend).await;
    issue(&world, goodwill(&invoice, &[(2, "98.00"), (3, "9.00")])).await;
    let (note, after) = issue(&world, goodwill(&invoice, &[])).await;
    assert_eq!(note.lines, credit_lines(&[(1, "98.00"), (3, "140.00")]));
    assert_eq!(after.credited, after.total);
    assert_eq!(world.balance(&account_id).await, "1000.00 USD");
    let again = refused(
        world
            .invoices()
            .issue_credit_note(goodwill(&invoice, &[]))
            .await,
    );
    let again = again.expect(Code::FailedPrecondition, "CREDIT_EXCEEDS_INVOICE");
    assert_eq!(again.value("creditable"), "0.00");
    assert_eq!(world.balance(&account_id).await, "1000.00 USD");
}

async fn bl_3_of_many_credits_at_once_one_takes_the_rest(backend: Backend) {
    let (world, account_id, invoice) = paid(backend).await;
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..8 {
        let mut invoices = world.invoices();
        // Half of the requests credit one line, half the whole invoice: any two of them exclude each other.
        let lines: &[(i32, &str)] = if number % 2 == 0 {
            &[(3, "149.00")]
        } else {
            &[]
        };
        let request = goodwill(&invoice, lines);
        calls.spawn(async move { (lines.len(), invoices.issue_credit_note(request).await) });
    }
    let mut credited = Vec::new();
    while let Some(answer) = calls.join_next().await {
        let (lines, answer) = answer.unwrap();
        match answer {
            Ok(answer) => credited.push((lines, answer.into_inner().credit_note.unwrap())),
            Err(status) => {
                take_apart(&status).expect(Code::FailedPrecondition, "CREDIT_EXCEEDS_INVOICE");
            }
        }
    }
    // Either one credited everything, or one credited the line and another one the rest.
    let by_line = credited.iter().filter(|(lines, _)| *lines == 1).count();
    assert!(
        by_line <= 1 && credited.len() - by_line == 1,
        "{credited:?}"
    );
    let after = world.invoice(&invoice.invoice_id).await;
    assert_eq!(
        figures(&after),
        ["345.00", "345.00", "345.00", "345.00", "0.00", "0.00"]
    );
    assert_eq!(world.balance(&account_id).await, "1000.00 USD");
    assert_eq!(world.credit_notes_of(&invoice).await.len(), credited.len());
}

async fn bl_3_many_small_credits_at_once_stop_at_the_invoice(backend: Backend) {
    let (world, account_id, invoice) = open(backend).await;
    world.pay_part(&invoice, "45.00").await;
    let mut calls = tokio::task::JoinSet::new();
    // The line of 149.00 has room for 14 of these.
    for _ in 0..24 {
        let mut invoices = world.invoices();
        let request = goodwill(&invoice, &[(3, "10.50")]);
        calls.spawn(async move { invoices.issue_credit_note(request).await });
    }
    let mut credited = 0;
    while let Some(answer) = calls.join_next().await {
        match answer.unwrap() {
            Ok(_) => credited += 1,
            Err(status) => {
                let refusal =
                    take_apart(&status).expect(Code::FailedPrecondition, "CREDIT_EXCEEDS_INVOICE");
                assert_eq!(refusal.value("creditable"), "2.00");
            }
        }
    }
    assert_eq!(credited, 14);
    let after = world.invoice(&invoice.invoice_id).await;
    assert_eq!(
        figures(&after),
        ["345.00", "45.00", "147.00", "0.00", "0.00", "153.00"]
    );
    assert_eq!(
        stands(&world, &account_id).await,
        ("155.00 USD".to_owned(), "153.00 USD".to_owned())
    );
}

async fn bl_3_what_a_review_holds_is_not_creditable(backend: Backend) {
    let (world, account_id, invoice) = paid(backend).await;
    let issued = world.now();
    world.time.advance_days(28);
    let refund = world.request_refund(&account_id, "thing-1", issued).await;
    assert_eq!(shown(refund.creditable.as_ref()), "345.00 USD");
    for lines in [&[(1, "0.01")][..], &[]] {
        let request = goodwill(&invoice, lines);
        let refusal = refused(world.invoices().issue_credit_note(request).await)
            .expect(Code::FailedPrecondition, "CREDIT_EXCEEDS_INVOICE");
        assert_eq!(refusal.value("creditable"), "0.00");
    }
    assert_eq!(world.balance(&account_id).await, "655.00 USD");
}

async fn bl_8_credit_notes_are_numbered_without_a_gap(backend: Backend) {
    let (world, _, invoice) = paid(backend).await;
    for lines in [&[(1, "1.00")][..], &[(1, "98.00")], &[(2, "1.00")]] {
        drop(
            world
                .invoices()
                .issue_credit_note(goodwill(&invoice, lines))
                .await,
        );
    }
    let notes = world.credit_notes_of(&invoice).await;
    let numbers: Vec<_> = notes.iter().map(|note| note.number.as_str()).collect();
    assert_eq!(numbers, ["CDN-000001", "CDN-000002"]);
}

async fn bl_1_a_preview_is_the_credit_and_changes_nothing(backend: Backend) {
    let (world, account_id, invoice) = open(backend).await;
    let invoice = world.pay_part(&invoice, "145.00").await;
    let preview = IssueCreditNoteRequest {
        validate_only: true,
        request_id: String::new(),
        ..goodwill(&invoice, &[(3, "149.00"), (1, "90.00")])
    };
    let (tried, would_be) = issue(&world, preview.clone()).await;
    assert_eq!(
        (tried.credit_note_id.as_str(), tried.number.as_str()),
        ("", "")
    );
    assert_eq!(world.invoice(&invoice.invoice_id).await, invoice);
    assert_eq!(
        stands(&world, &account_id).await,
        ("55.00 USD".to_owned(), "200.00 USD".to_owned())
    );
    assert!(world.credit_notes_of(&invoice).await.is_empty());

    let request = IssueCreditNoteRequest {
        validate_only: false,
        request_id: request_id(),
        ..preview.clone()
    };
    let (made, after) = issue(&world, request).await;
    assert_eq!(after, would_be);
    let unnamed = CreditNote {
        credit_note_id: String::new(),
        number: String::new(),
        ..made
    };
    assert_eq!(unnamed, tried);
    // The preview is refused like the request.
    refused(world.invoices().issue_credit_note(preview).await)
        .expect(Code::FailedPrecondition, "CREDIT_EXCEEDS_INVOICE");
}

async fn bl_2_a_repeat_credits_once(backend: Backend) {
    let (world, account_id, invoice) = paid(backend).await;
    let request = goodwill(&invoice, &[(1, "10.00")]);
    let first = issue(&world, request.clone()).await;
    assert_eq!(issue(&world, request.clone()).await, first);
    assert_eq!(world.balance(&account_id).await, "665.00 USD");
    let other = IssueCreditNoteRequest {
        lines: credit_lines(&[(1, "10.01")]),
        ..request
    };
    refused(world.invoices().issue_credit_note(other).await)
        .expect(Code::AlreadyExists, "REQUEST_ID_REUSED");
}

async fn every_violation_of_a_credit_comes_at_once(backend: Backend) {
    let (world, account_id, invoice) = paid(backend).await;
    let mut request = goodwill(
        &invoice,
        &[
            (1, "0.00"),
            (2, "-1.00"),
            (2, "1.00"),
            (0, "1.00"),
            (3, "1.0"),
        ],
    );
    request.lines.push(CreditNoteLine::default());
    request.reason = " ".to_owned();
    request.request_id = "x".to_owned();
    let refusal = refused(world.invoices().issue_credit_note(request).await)
        .expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(
        refusal.paths(),
        [
            "lines[0].amount.value",
            "lines[1].amount.value",
            "lines[2].line_number",
            "lines[3].line_number",
            "lines[4].amount",
            "lines[5].amount",
            "lines[5].line_number",
            "lines[5].line_number",
            "reason",
            "request_id",
        ]
    );
    assert_eq!(world.balance(&account_id).await, "655.00 USD");
}

async fn m_4_a_credit_is_in_the_invoices_currency(backend: Backend) {
    let (world, account_id, invoice) = paid(backend).await;
    let mut request = goodwill(&invoice, &[(1, "1.00")]);
    request.lines[0].amount = money("EUR", "1.00");
    let refusal = refused(world.invoices().issue_credit_note(request).await)
        .expect(Code::FailedPrecondition, "CURRENCY_MISMATCH");
    assert_eq!(
        (refusal.value("expected"), refusal.value("given")),
        ("USD", "EUR")
    );
    assert_eq!(world.balance(&account_id).await, "655.00 USD");
}

async fn another_accounts_invoice_is_not_found(backend: Backend) {
    let (world, _, invoice) = paid(backend).await;
    let other = world.empty_account().await;
    for validate_only in [false, true] {
        let mut request = Request::new(IssueCreditNoteRequest {
            validate_only,
            ..goodwill(&invoice, &[(1, "1.00")])
        });
        let metadata = request.metadata_mut();
        metadata.insert("licet-accounts", other.parse().unwrap());
        refused(world.invoices().issue_credit_note(request).await)
            .expect(Code::NotFound, "NOT_FOUND");
    }
    let mut request = Request::new(goodwill(&invoice, &[(1, "1.00")]));
    let metadata = request.metadata_mut();
    metadata.insert("licet-roles", "sales,customer".parse().unwrap());
    let status = world.invoices().issue_credit_note(request).await;
    assert_eq!(status.unwrap_err().code(), Code::PermissionDenied);
}

async fn x_5_a_credit_leaves_an_event(backend: Backend) {
    let (world, account_id, invoice) = paid(backend).await;
    let request = Request::new(goodwill(&invoice, &[(1, "10.00")]));
    let request = named(request, "ada");
    let note = world.invoices().issue_credit_note(request).await.unwrap();
    let note = note.into_inner().credit_note.unwrap();
    let event = eventually("the credit is in the log", || async {
        let log = log(world.billing_events()).await;
        let mut events = log.into_iter().filter_map(|entry| entry.event);
        events.find(|event| event.r#type == "licet.billing.credit_note.issued.v1")
    })
    .await;
    assert_eq!(
        (
            &event.subject,
            &event.account_id,
            event.caller.as_str(),
            event.why.as_str()
        ),
        (
            &note.credit_note_id,
            &account_id,
            "ada",
            "the outage of May"
        )
    );
    let data: serde_json::Value = serde_json::from_str(&event.text_data).unwrap();
    assert_eq!(
        ["invoice_id", "total", "returned"].map(|key| data[key].as_str().unwrap()),
        [invoice.invoice_id.as_str(), "10.00", "10.00"]
    );
}
