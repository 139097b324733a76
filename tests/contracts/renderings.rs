//! BL-7: invoices and statements as pages to send to a customer: every figure is shown, every text
//! escaped, nothing loaded from elsewhere.

use licet_contracts::{
    billing::v1::{RenderInvoiceRequest, RenderStatementRequest, UpdateAccountRequest},
    types::v1::Period,
};
use licet_domain::clock::Instant;
use tonic::{Code, Response, Status};

use crate::harness::{
    Backend,
    books::{BackDoor, Books, sell},
    clock::{shifted, timestamp},
    errors::refused,
    on_both_databases,
    process::licet,
    request_id,
    samples::shown,
    world::World,
};

on_both_databases![
    bl_7_an_invoice_shows_what_every_amount_was_computed_from,
    an_invoice_shows_what_is_paid_credited_held_and_due,
    a_statement_lists_its_entries_and_reconciles,
    a_statement_of_a_quiet_period_is_short,
    a_page_escapes_what_people_wrote,
    a_page_needs_nothing_from_elsewhere,
    a_page_is_for_those_who_see_the_account,
    a_statement_of_too_many_entries_is_refused_with_their_count,
    the_command_writes_the_page_as_it_is,
];

async fn invoice_page(world: &World, invoice_id: &str) -> String {
    let request = RenderInvoiceRequest {
        invoice_id: invoice_id.to_owned(),
    };
    let answer = world.invoices().render_invoice(request).await.unwrap();
    let answer = answer.into_inner();
    assert_eq!(answer.content_type, "text/html; charset=utf-8");
    String::from_utf8(answer.content).unwrap()
}

async fn ask_statement(
    world: &World,
    account_id: &str,
    from: Instant,
    to: Instant,
) -> Result<Response<licet_contracts::billing::v1::RenderStatementResponse>, Status> {
    let request = RenderStatementRequest {
        account_id: account_id.to_owned(),
        period: Some(Period {
            start_time: Some(timestamp(from)),
            end_time: Some(timestamp(to)),
        }),
    };
    world.accounts().render_statement(request).await
}

/// The page of the statement over all time.
async fn statement_page(world: &World, account_id: &str) -> String {
    let answer = ask_statement(world, account_id, Instant::MIN, Instant::MAX).await;
    let answer = answer.unwrap().into_inner();
    assert_eq!(answer.content_type, "text/html; charset=utf-8");
    String::from_utf8(answer.content).unwrap()
}

/// The text that a reader sees: without markup, entities decoded, white space joined.
fn text_of(page: &str) -> String {
    let body = page.split_once("<body>").unwrap().1;
    let (mut text, mut in_tag) = (String::new(), false);
    for char in body.chars() {
        match char {
            '<' => {
                in_tag = true;
                text.push(' ');
            }
            '>' if in_tag => in_tag = false,
            _ if in_tag => {}
            _ => text.push(char),
        }
    }
    for (entity, char) in [
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#38;", "&"),
    ] {
        text = text.replace(entity, char);
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn expect_all(text: &str, expected: &[&str]) {
    for part in expected {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
}

async fn bl_7_an_invoice_shows_what_every_amount_was_computed_from(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let order = world
        .multi_domain_order(&account_id, &["www.example.com"])
        .await;
    world.record(&order.order_id).await;
    world.time.advance_months(6);
    world
        .update_domains(&order.order_id, &["further.example"], &[])
        .await;
    let invoices = world.invoices_of(&order.order_id).await;
    for invoice in &invoices {
        let text = text_of(&invoice_page(&world, &invoice.invoice_id).await);
        expect_all(
            &text,
            &[
                &invoice.number,
                &invoice.invoice_id,
                &invoice.quote_id,
                &account_id,
                &order.order_id,
                "Example Ltd",
                "licet",
            ],
        );
        for line in &invoice.lines {
            let (price, amount) = (line.unit_price.as_ref().unwrap(), line.amount.as_ref());
            expect_all(
                &text,
                &[
                    &line.description,
                    &line.product_id,
                    &line.explanation,
                    &line.rule_id,
                    &format!("{} {}", price.value, price.currency_code),
                    &shown(amount),
                    "months of equal weight",
                    "Price list of",
                ],
            );
        }
    }
    let change = text_of(&invoice_page(&world, &invoices[1].invoice_id).await);
    let whole = text_of(&invoice_page(&world, &invoices[0].invoice_id).await);
    expect_all(&whole, &["the whole term"]);
    expect_all(&change, &["MD-1", "× 1/2) = 24.50 USD", "Due 0.00 USD"]);
}

async fn an_invoice_shows_what_is_paid_credited_held_and_due(backend: Backend) {
    let books = Books::keep(backend).await;
    let (world, goodwill) = (&books.world, &books.goodwill);

    let text = text_of(&invoice_page(world, &books.part_paid.invoice_id).await);
    expect_all(
        &text,
        &[
            "INV-000004 To be paid",
            "To be paid by 2026-01-31 00:00:00 UTC",
            "As of 2026-01-29 00:00:00 UTC",
            "Total 196.00 USD",
            "Paid from the balance 40.00 USD",
            "Credited 10.00 USD",
            "Due 146.00 USD",
            "credited 10.00 USD",
            &goodwill.number,
            "1: 10.00",
        ],
    );
    assert!(!text.contains("Held"), "{text}");

    world.time.advance_days(3);
    let text = text_of(&invoice_page(world, &books.part_paid.invoice_id).await);
    expect_all(&text, &["INV-000004 Overdue", "Due 146.00 USD"]);

    let text = text_of(&invoice_page(world, &books.refunded.invoice_id).await);
    expect_all(
        &text,
        &[
            "Nothing is due",
            "Total 196.00 USD",
            "Paid from the balance 196.00 USD",
            "Credited 196.00 USD",
            "of that, returned to the balance 196.00 USD",
            "Due 0.00 USD",
        ],
    );
    assert!(!text.contains("To be paid"), "{text}");

    let text = text_of(&invoice_page(world, &books.held.invoice_id).await);
    expect_all(
        &text,
        &[
            "Held by a refund in review 196.00 USD",
            "Due 196.00 USD",
            "held 98.00 USD",
        ],
    );
    assert!(!text.contains("Credit notes"), "{text}");
}

async fn a_statement_lists_its_entries_and_reconciles(backend: Backend) {
    let books = Books::keep(backend).await;
    let world = &books.world;
    for account_id in [&books.prepaid, &books.on_terms] {
        let account = world.get_account(account_id).await;
        let page = statement_page(world, account_id).await;
        let text = text_of(&page);
        let value =
            |money: Option<&licet_contracts::types::v1::Money>| money.unwrap().value.clone();
        let (balance, due) = (value(account.balance.as_ref()), value(account.due.as_ref()));
        expect_all(
            &text,
            &[
                &account.display_name,
                account_id,
                "Opening 0.00 0.00",
                &format!("Closing {balance} {due}"),
            ],
        );
        let entries = world.entries_of(account_id).await;
        // A row for each entry; the last row shows the closing figures.
        assert_eq!(page.matches("<tr><td>2").count(), entries.len(), "{page}");
        let (_, rows) = text.split_once("Balance by Due by").unwrap();
        let (rows, _) = rows.split_once("Balance is what").unwrap();
        assert!(
            rows.trim_end().ends_with(&format!("{balance} {due}")),
            "{rows}"
        );
    }
    let text = text_of(&statement_page(world, &books.on_terms).await);
    let (part_paid, goodwill) = (&books.part_paid.number, &books.goodwill.number);
    expect_all(
        &text,
        &[
            &format!("Invoice {part_paid} +196.00"),
            &format!("Payment {part_paid} -40.00 -40.00"),
            &format!("Credit note {goodwill} on {part_paid} -10.00"),
            "Deposit, 1 in all +250.00",
        ],
    );
    let text = text_of(&statement_page(world, &books.prepaid).await);
    expect_all(
        &text,
        &[
            "Reversal booked twice -20.00",
            "Withdrawal -30.00",
            "Withdrawal, 1 in all -30.00",
        ],
    );
}

async fn a_statement_of_a_quiet_period_is_short(backend: Backend) {
    let world = World::start(backend).await;
    let account_id = world.account_with("24.50").await;
    let now = world.now();
    world.time.advance_days(10);
    let answer = ask_statement(&world, &account_id, shifted(now, 1), shifted(now, 2)).await;
    let page = String::from_utf8(answer.unwrap().into_inner().content).unwrap();
    let text = text_of(&page);
    expect_all(
        &text,
        &[
            "None in this period.",
            "Opening 24.50 0.00",
            "Closing 24.50 0.00",
        ],
    );
    // A period that has not begun, and an empty one.
    let ahead = world.now();
    let answer = ask_statement(&world, &account_id, shifted(ahead, 1_000), Instant::MAX).await;
    let page = String::from_utf8(answer.unwrap().into_inner().content).unwrap();
    expect_all(
        &text_of(&page),
        &["None in this period.", "Closing 24.50 0.00"],
    );
    refused(ask_statement(&world, &account_id, now, now).await)
        .expect(Code::InvalidArgument, "INVALID_FIELDS");
}

async fn a_page_escapes_what_people_wrote(backend: Backend) {
    let books = Books::keep(backend).await;
    let world = &books.world;
    let hostile = "\"/><img src=x onerror=alert(1)>&amp;";
    let rename = UpdateAccountRequest {
        account_id: books.on_terms.clone(),
        display_name: hostile.to_owned(),
        request_id: request_id(),
        ..UpdateAccountRequest::default()
    };
    world.accounts().update_account(rename).await.unwrap();
    let pages = [
        invoice_page(world, &books.part_paid.invoice_id).await,
        statement_page(world, &books.on_terms).await,
        statement_page(world, &books.prepaid).await,
    ];
    for page in &pages {
        for markup in ["<script", "<img", "<b>", "<Ltd>"] {
            assert!(!page.contains(markup), "{markup} in {page}");
        }
    }
    // Escaped, the whole text is still there.
    assert!(text_of(&pages[0]).contains(hostile), "{}", pages[0]);
    assert!(text_of(&pages[0]).contains("goodwill <script>alert(1)</script>"));
    assert!(text_of(&pages[1]).contains(hostile), "{}", pages[1]);
    expect_all(
        &text_of(&pages[2]),
        &["<b>twice</b> & wrong", "Prepaid & Söhne <Ltd>"],
    );
}

async fn a_page_needs_nothing_from_elsewhere(backend: Backend) {
    let books = Books::keep(backend).await;
    for page in [
        invoice_page(&books.world, &books.part_paid.invoice_id).await,
        statement_page(&books.world, &books.on_terms).await,
    ] {
        assert!(page.starts_with("<!DOCTYPE html>"), "{page}");
        for part in ["<meta charset=\"utf-8\">", "@media print", "size: A4"] {
            assert!(page.contains(part), "no {part} in {page}");
        }
        for fetched in [
            "http:", "https:", "src=", "href=", "url(", "@import", "<script",
        ] {
            assert!(!page.contains(fetched), "{fetched} in {page}");
        }
    }
}

async fn a_page_is_for_those_who_see_the_account(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let owner = world.account_with("500.00").await;
    let other = world.empty_account().await;
    let invoice = sell(&world, &owner, "ord_seen").await;
    let as_customer = |account_id: &str| {
        [
            ("licet-roles", "customer".to_owned()),
            ("licet-accounts", account_id.to_owned()),
        ]
    };
    for (account_id, sees) in [(&owner, true), (&other, false)] {
        let mut invoice_request = tonic::Request::new(RenderInvoiceRequest {
            invoice_id: invoice.invoice_id.clone(),
        });
        let mut statement_request = tonic::Request::new(RenderStatementRequest {
            account_id: owner.clone(),
            period: Some(Period {
                start_time: Some(timestamp(Instant::MIN)),
                end_time: Some(timestamp(Instant::MAX)),
            }),
        });
        for (key, value) in as_customer(account_id) {
            let value: tonic::metadata::MetadataValue<_> = value.parse().unwrap();
            invoice_request.metadata_mut().insert(key, value.clone());
            statement_request.metadata_mut().insert(key, value);
        }
        let invoice_answer = world.invoices().render_invoice(invoice_request).await;
        let statement_answer = world.accounts().render_statement(statement_request).await;
        assert_eq!(
            (invoice_answer.is_ok(), statement_answer.is_ok()),
            (sees, sees)
        );
        if !sees {
            refused(invoice_answer).expect(Code::NotFound, "NOT_FOUND");
            refused(statement_answer).expect(Code::NotFound, "NOT_FOUND");
        }
    }
}

/// Writes `count` deposits of one cent to the store directly, numbered from `first`.
async fn book_deposits(door: &BackDoor, account_id: &str, first: u32, count: u32, time_us: i64) {
    let last = first + count - 1;
    let numbers = format!(
        "WITH RECURSIVE numbers (number) AS (
            SELECT {first} UNION ALL SELECT number + 1 FROM numbers WHERE number < {last}
        )"
    );
    door.run(&format!(
        "INSERT INTO ledger_entry (account_id, entry_id, kind, currency, reference, entry_us)
         {numbers} SELECT '{account_id}', 'ent_' || number, 'DEPOSIT', 'USD', 'wire transfer ' || number, {time_us}
         FROM numbers"
    ))
    .await;
    for (posting_number, ledger_account, amount_minor) in [(1, "CASH", 1), (2, "BALANCE", -1)] {
        door.run(&format!(
            "INSERT INTO posting (account_id, entry_id, posting_number, ledger_account, amount_minor)
             {numbers} SELECT '{account_id}', 'ent_' || number, {posting_number}, '{ledger_account}', {amount_minor}
             FROM numbers"
        ))
        .await;
    }
}

async fn a_statement_of_too_many_entries_is_refused_with_their_count(backend: Backend) {
    let world = World::start(backend).await;
    let account_id = world.empty_account().await;
    let door = BackDoor::open(&world.billing_location()).await;
    let now = world.now();
    book_deposits(&door, &account_id, 10_001, 10_000, now.as_micros()).await;
    let page = statement_page(&world, &account_id).await;
    assert_eq!(page.matches("wire transfer ").count(), 10_000);
    expect_all(&text_of(&page), &["Closing 100.00 0.00"]);

    book_deposits(&door, &account_id, 20_001, 1, now.as_micros()).await;
    let all = ask_statement(&world, &account_id, Instant::MIN, Instant::MAX).await;
    let too_long = refused(all).expect(Code::FailedPrecondition, "STATEMENT_TOO_LONG");
    assert_eq!(
        (too_long.value("entries"), too_long.value("maximum")),
        ("10001", "10000")
    );

    // Fewer entries, whose texts would exceed the largest response.
    door.run("DELETE FROM posting WHERE entry_id = 'ent_20001'")
        .await;
    door.run("DELETE FROM ledger_entry WHERE entry_id = 'ent_20001'")
        .await;
    let long = "<".repeat(200);
    door.run(&format!("UPDATE ledger_entry SET reference = '{long}'"))
        .await;
    let all = ask_statement(&world, &account_id, Instant::MIN, Instant::MAX).await;
    let too_long = refused(all).expect(Code::FailedPrecondition, "STATEMENT_TOO_LONG");
    assert_eq!(too_long.value("entries"), "10000");
    let fitting: u32 = too_long.value("maximum").parse().unwrap();
    assert!((1_000..10_000).contains(&fitting), "{fitting}");
}

async fn the_command_writes_the_page_as_it_is(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("500.00").await;
    let invoice = sell(&world, &account_id, "ord_printed").await;
    let billing = world.billing_address();
    // The services run in this test's runtime, so the command must not block it.
    let run = |arguments: Vec<String>| async {
        let arguments: Vec<String> = arguments;
        tokio::task::spawn_blocking(move || {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            licet(&arguments)
        })
        .await
        .unwrap()
    };
    let words = |list: &[&str]| {
        list.iter()
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>()
    };

    let output = run(words(&[
        "render",
        "invoice",
        &invoice.invoice_id,
        "--billing-url",
        &billing,
    ]))
    .await;
    assert!(output.status.success(), "{output:?}");
    let written = String::from_utf8(output.stdout).unwrap();
    assert_eq!(written, invoice_page(&world, &invoice.invoice_id).await);

    let now = world.now();
    let (from, to) = ("2020-01-01", shifted(now, 1).to_string());
    let output = run(words(&[
        "render",
        "statement",
        &account_id,
        "--from",
        from,
        "--to",
        &to,
        "--billing-url",
        &billing,
    ]))
    .await;
    assert!(output.status.success(), "{output:?}");
    let from: Instant = "2020-01-01T00:00:00Z".parse().unwrap();
    let answer = ask_statement(&world, &account_id, from, shifted(now, 1)).await;
    assert_eq!(output.stdout, answer.unwrap().into_inner().content);

    let absent = "inv_01jd0000000000000000000000";
    let output = run(words(&[
        "render",
        "invoice",
        absent,
        "--billing-url",
        &billing,
    ]))
    .await;
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), output.stdout.len()),
        (Some(1), 0),
        "{log}"
    );
    assert!(log.contains(absent), "{log}");
}
