//! BL-6: one request charges several quotes of an account: each becomes an invoice, or none does and the
//! request leaves no trace.

use licet_contracts::billing::v1::{
    ChargeQuotesRequest, Invoice, InvoiceState, LineKind, ListEntriesRequest, Quote, QuoteToCharge,
};
use tonic::Code;

use crate::harness::{
    Backend, errors::refused, on_both_databases, request_id, samples::MULTI, samples::shown,
    selling::item, world::World,
};

on_both_databases![
    bl_6_several_quotes_are_charged_in_one_transaction,
    bl_6_what_is_missing_is_missing_of_the_sum,
    bl_6_the_credit_limit_holds_for_the_sum,
    bl_6_one_quote_that_cannot_be_charged_keeps_all_out,
    bl_6_charged_by_many_at_once_each_quote_is_charged_once,
    bl_8_the_numbers_of_one_charge_follow_each_other,
];

/// A quote for `number` further domains for a year, 49.00 each.
async fn domains(world: &World, account_id: &str, number: i32) -> Quote {
    let mut wanted = item(LineKind::Domain, MULTI, number);
    wanted.term_months = 12;
    world.quote(account_id, vec![wanted]).await
}

fn charge(account_id: &str, quotes: &[&Quote]) -> ChargeQuotesRequest {
    let quotes = quotes.iter().map(|quote| QuoteToCharge {
        quote_id: quote.quote_id.clone(),
        pin: quote.pin.clone(),
    });
    ChargeQuotesRequest {
        account_id: account_id.to_owned(),
        quotes: quotes.collect(),
        request_id: request_id(),
        ..ChargeQuotesRequest::default()
    }
}

async fn charged(world: &World, request: &ChargeQuotesRequest) -> Vec<Invoice> {
    let answer = world.invoices().charge_quotes(request.clone()).await;
    answer.unwrap().into_inner().invoices
}

/// How many invoices and ledger entries an account has.
async fn written(world: &World, account_id: &str) -> (usize, usize) {
    let request = ListEntriesRequest {
        account_id: account_id.to_owned(),
        ..ListEntriesRequest::default()
    };
    let entries = world.accounts().list_entries(request).await.unwrap();
    let invoices = world.invoices_of_account(account_id).await;
    (invoices.len(), entries.into_inner().entries.len())
}

async fn bl_6_several_quotes_are_charged_in_one_transaction(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("200.00").await;
    let one = domains(&world, &account_id, 1).await;
    let two = domains(&world, &account_id, 2).await;
    let request = charge(&account_id, &[&two, &one]);
    let preview = ChargeQuotesRequest {
        validate_only: true,
        ..request.clone()
    };
    let preview = charged(&world, &preview).await;
    assert_eq!(written(&world, &account_id).await, (0, 1));
    let invoices = charged(&world, &request).await;
    let said = |invoice: &Invoice| {
        let total = shown(invoice.total.as_ref());
        (total, invoice.quote_id.clone(), invoice.state())
    };
    let expected = [
        (
            "98.00 USD".to_owned(),
            two.quote_id.clone(),
            InvoiceState::Paid,
        ),
        (
            "49.00 USD".to_owned(),
            one.quote_id.clone(),
            InvoiceState::Paid,
        ),
    ];
    assert_eq!(invoices.iter().map(said).collect::<Vec<_>>(), expected);
    assert_eq!(preview.iter().map(said).collect::<Vec<_>>(), expected);
    assert!(preview.iter().all(|it| it.invoice_id.is_empty()));
    assert_eq!(world.balance(&account_id).await, "53.00 USD");
    assert_eq!(written(&world, &account_id).await, (2, 5));
    // BL-2: a repeat returns the same response and charges nothing.
    assert_eq!(charged(&world, &request).await, invoices);
    assert_eq!(world.balance(&account_id).await, "53.00 USD");
    for invoice in invoices {
        assert_eq!(world.invoice(&invoice.invoice_id).await, invoice);
    }
}

async fn bl_6_what_is_missing_is_missing_of_the_sum(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("60.00").await;
    let one = domains(&world, &account_id, 1).await;
    let two = domains(&world, &account_id, 1).await;
    let request = charge(&account_id, &[&one, &two]);
    for _ in 0..2 {
        let refusal = refused(world.invoices().charge_quotes(request.clone()).await)
            .expect(Code::ResourceExhausted, "INSUFFICIENT_FUNDS");
        let said = ["required", "available", "missing"].map(|key| refusal.value(key));
        assert_eq!(said, ["98.00", "60.00", "38.00"]);
    }
    assert_eq!(written(&world, &account_id).await, (0, 1));
    assert_eq!(world.balance(&account_id).await, "60.00 USD");
    world.deposit(&account_id, "38.00").await;
    let again = charge(&account_id, &[&one, &two]);
    assert_eq!(charged(&world, &again).await.len(), 2);
    assert_eq!(world.balance(&account_id).await, "0.00 USD");
}

async fn bl_6_the_credit_limit_holds_for_the_sum(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_on_terms("97.99", 30, 10).await;
    let one = domains(&world, &account_id, 1).await;
    let two = domains(&world, &account_id, 1).await;
    let both = charge(&account_id, &[&one, &two]);
    let refusal = refused(world.invoices().charge_quotes(both).await)
        .expect(Code::ResourceExhausted, "CREDIT_LIMIT_EXCEEDED");
    assert_eq!(refusal.value("missing"), "0.01");
    assert_eq!(written(&world, &account_id).await, (0, 0));
    let invoices = charged(&world, &charge(&account_id, &[&one])).await;
    assert_eq!(invoices[0].state(), InvoiceState::Open);
}

async fn bl_6_one_quote_that_cannot_be_charged_keeps_all_out(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("500.00").await;
    let other_id = world.account_with("500.00").await;
    let one = domains(&world, &account_id, 1).await;
    let others = domains(&world, &other_id, 1).await;
    let spent = domains(&world, &account_id, 1).await;
    charged(&world, &charge(&account_id, &[&spent])).await;
    let stale = Quote {
        pin: "another".to_owned(),
        ..domains(&world, &account_id, 1).await
    };
    let before = written(&world, &account_id).await;
    for (bad, code, reason) in [
        (&others, Code::NotFound, "NOT_FOUND"),
        (&spent, Code::FailedPrecondition, "QUOTE_SPENT"),
        (&stale, Code::FailedPrecondition, "QUOTE_STALE"),
    ] {
        let request = charge(&account_id, &[&one, bad]);
        refused(world.invoices().charge_quotes(request).await).expect(code, reason);
    }
    // All violations of a request are reported at once.
    let mut wrong = charge("nobody", &[&one, &one]);
    wrong.quotes[0].quote_id = "qte_1".to_owned();
    wrong.quotes.push(wrong.quotes[1].clone());
    let refusal = refused(world.invoices().charge_quotes(wrong).await)
        .expect(Code::InvalidArgument, "INVALID_FIELDS");
    let paths = ["account_id", "quotes[0].quote_id", "quotes[2].quote_id"];
    assert_eq!(refusal.paths(), paths);
    let none = refused(
        world
            .invoices()
            .charge_quotes(charge(&account_id, &[]))
            .await,
    )
    .expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(none.paths(), ["quotes"]);
    assert_eq!(written(&world, &account_id).await, before);
    charged(&world, &charge(&account_id, &[&one])).await;
}

async fn bl_6_charged_by_many_at_once_each_quote_is_charged_once(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("500.00").await;
    let one = domains(&world, &account_id, 1).await;
    let two = domains(&world, &account_id, 1).await;
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..16 {
        // Quotes named in either order do not deadlock.
        let quotes = if number % 2 == 0 {
            [&one, &two]
        } else {
            [&two, &one]
        };
        let request = charge(&account_id, &quotes);
        let mut invoices = world.invoices();
        calls.spawn(async move { invoices.charge_quotes(request).await });
    }
    let answers = calls.join_all().await;
    let made = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(made, 1);
    for answer in answers.into_iter().filter(Result::is_err) {
        refused(answer).expect(Code::FailedPrecondition, "QUOTE_SPENT");
    }
    assert_eq!(world.balance(&account_id).await, "402.00 USD");
}

async fn bl_8_the_numbers_of_one_charge_follow_each_other(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("500.00").await;
    let mut numbers = Vec::new();
    for count in [1, 3, 1, 2] {
        let mut quotes = Vec::new();
        for _ in 0..count {
            quotes.push(domains(&world, &account_id, 1).await);
        }
        let quotes: Vec<_> = quotes.iter().collect();
        let invoices = charged(&world, &charge(&account_id, &quotes)).await;
        numbers.extend(invoices.into_iter().map(|invoice| invoice.number));
    }
    let expected: Vec<_> = (1..=7).map(|number| format!("INV-{number:06}")).collect();
    assert_eq!(numbers, expected);
}
