//! Accounts and their ledger, with many writers at once: BL-5, BL-6, BL-8, M-4.

use std::collections::BTreeMap;

use licet_contracts::billing::v1::{
    ChargeQuoteRequest, CreateQuoteRequest, DepositRequest, EntryKind, LedgerAccount, LedgerEntry,
    LineKind, ListInvoicesRequest, QuoteItem,
};
use prost::Message as _;
use tonic::Code;

use crate::harness::{
    Backend,
    errors::refused,
    on_both_databases, request_id,
    samples::{MULTI, money, usd},
    selling::item,
    world::World,
};

on_both_databases![
    bl_5_every_entry_sums_to_zero_and_the_balance_is_the_ledgers,
    m_4_an_account_has_one_currency,
    deposits_must_be_amounts_of_the_currency,
    sixty_four_deposits_at_once_lose_nothing,
    bl_6_sixty_four_charges_at_once_spend_what_is_there_and_no_more,
    long_invoices_are_listed_in_pages_that_fit_into_an_answer,
];

/// Minor units of "-24.50".
fn minor(value: &str) -> i64 {
    let (whole, cents) = value.split_once('.').unwrap();
    assert_eq!(cents.len(), 2, "{value}");
    format!("{whole}{cents}").parse().unwrap()
}

fn sums(entries: &[LedgerEntry]) -> BTreeMap<LedgerAccount, i64> {
    let mut sums = BTreeMap::new();
    for entry in entries {
        let postings: Vec<_> = entry
            .postings
            .iter()
            .map(|it| {
                (
                    it.ledger_account(),
                    minor(&it.amount.as_ref().unwrap().value),
                )
            })
            .collect();
        let total: i64 = postings.iter().map(|(_, amount)| amount).sum();
        assert_eq!(total, 0, "{entry:?}");
        for (account, amount) in postings {
            *sums.entry(account).or_default() += amount;
        }
    }
    sums
}

async fn bl_5_every_entry_sums_to_zero_and_the_balance_is_the_ledgers(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let order = world
        .multi_domain_order(&account_id, &["www.example.com", "a.example"])
        .await;
    let kept = world
        .multi_domain_order(&account_id, &["www.example.org"])
        .await;
    world.record(&order.order_id).await;
    world.record(&kept.order_id).await;
    let delete = licet_contracts::orders::v1::DeleteOrderRequest {
        order_id: order.order_id,
        request_id: request_id(),
        ..Default::default()
    };
    world.orders().delete_order(delete).await.unwrap();

    let entries = world.entries_of(&account_id).await;
    let kinds: Vec<_> = entries.iter().map(LedgerEntry::kind).collect();
    assert_eq!(kinds[0], EntryKind::Deposit);
    for (kind, times) in [
        (EntryKind::Invoice, 2),
        (EntryKind::Payment, 2),
        (EntryKind::CreditNote, 1),
    ] {
        assert_eq!(
            kinds.iter().filter(|it| **it == kind).count(),
            times,
            "{kind:?}: {kinds:?}"
        );
    }
    let sums = sums(&entries);
    assert_eq!(sums[&LedgerAccount::Cash], 100_000);
    assert_eq!(sums[&LedgerAccount::Receivable], 0);
    assert_eq!(
        sums[&LedgerAccount::Revenue],
        -9_800,
        "revenue of the remaining order"
    );
    assert_eq!(sums[&LedgerAccount::Balance], -90_200);
    assert_eq!(world.balance(&account_id).await, "902.00 USD");
}

async fn m_4_an_account_has_one_currency(backend: Backend) {
    let world = World::start(backend).await;
    let account_id = world.empty_account().await;
    let request = DepositRequest {
        account_id: account_id.clone(),
        amount: money("EUR", "10.00"),
        reference: String::new(),
        request_id: request_id(),
    };
    let other = refused(world.accounts().deposit(request).await)
        .expect(Code::FailedPrecondition, "CURRENCY_MISMATCH");
    assert_eq!(
        (other.value("expected"), other.value("given")),
        ("USD", "EUR")
    );
    assert_eq!(world.balance(&account_id).await, "0.00 USD");
}

async fn deposits_must_be_amounts_of_the_currency(backend: Backend) {
    let world = World::start(backend).await;
    let account_id = world.empty_account().await;
    for value in [
        "10", "10.0", "10.000", "-1.00", "+1.00", "1e3", "1,000.00", "", "0.00", "x",
    ] {
        let request = DepositRequest {
            account_id: account_id.clone(),
            amount: usd(value),
            reference: String::new(),
            request_id: request_id(),
        };
        let refusal = refused(world.accounts().deposit(request).await);
        let refusal = refusal.expect(Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(refusal.fields.len(), 1, "{value:?}: {refusal:?}");
        assert!(
            refusal.fields[0].0.starts_with("amount"),
            "{value:?}: {refusal:?}"
        );
    }
    let most = usd("92233720368547758.07");
    let request = |amount| DepositRequest {
        account_id: account_id.clone(),
        amount,
        reference: String::new(),
        request_id: request_id(),
    };
    world.accounts().deposit(request(most)).await.unwrap();
    refused(world.accounts().deposit(request(usd("0.01"))).await)
        .expect(Code::FailedPrecondition, "AMOUNT_OUT_OF_RANGE");
    assert_eq!(world.balance(&account_id).await, "92233720368547758.07 USD");
    assert_eq!(world.entries_of(&account_id).await.len(), 1);
}

async fn sixty_four_deposits_at_once_lose_nothing(backend: Backend) {
    let world = World::start(backend).await;
    let account_id = world.empty_account().await;
    let mut calls = tokio::task::JoinSet::new();
    for number in 1..=64 {
        let mut accounts = world.accounts();
        let request = DepositRequest {
            account_id: account_id.clone(),
            amount: usd(&format!("{number}.01")),
            reference: String::new(),
            request_id: request_id(),
        };
        calls.spawn(async move { accounts.deposit(request).await });
    }
    while let Some(answer) = calls.join_next().await {
        answer.unwrap().unwrap();
    }
    // 1 + … + 64 = 2080, and 64 cents.
    assert_eq!(world.balance(&account_id).await, "2080.64 USD");
    let entries = world.entries_of(&account_id).await;
    assert_eq!(entries.len(), 64);
    assert_eq!(sums(&entries)[&LedgerAccount::Balance], -208_064);
}

async fn bl_6_sixty_four_charges_at_once_spend_what_is_there_and_no_more(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    // Enough for 40 charges of 12.00.
    let account_id = world.account_with("480.00").await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let item = QuoteItem {
            kind: LineKind::Certificate.into(),
            product_id: MULTI.to_owned(),
            quantity: 1,
            term_months: 1,
            ..QuoteItem::default()
        };
        let ask = CreateQuoteRequest {
            account_id: account_id.clone(),
            items: vec![item],
            request_id: request_id(),
            ..CreateQuoteRequest::default()
        };
        let (mut quotes, mut invoices) = (world.quotes(), world.invoices());
        calls.spawn(async move {
            let quote = quotes
                .create_quote(ask)
                .await
                .unwrap()
                .into_inner()
                .quote
                .unwrap();
            let charge = ChargeQuoteRequest {
                quote_id: quote.quote_id,
                request_id: request_id(),
                ..ChargeQuoteRequest::default()
            };
            invoices.charge_quote(charge).await
        });
    }
    let (mut numbers, mut short) = (Vec::new(), 0);
    while let Some(answer) = calls.join_next().await {
        match answer.unwrap() {
            Ok(answer) => numbers.push(answer.into_inner().invoice.unwrap().number),
            Err(status) => {
                refused::<()>(Err(status)).expect(Code::ResourceExhausted, "INSUFFICIENT_FUNDS");
                short += 1;
            }
        }
    }
    assert_eq!((numbers.len(), short), (40, 24));
    assert_eq!(world.balance(&account_id).await, "0.00 USD");
    numbers.sort();
    // BL-8: the numbers of invoices run without a gap.
    let expected: Vec<_> = (1..=40).map(|number| format!("INV-{number:06}")).collect();
    assert_eq!(numbers, expected);
    let sums = sums(&world.entries_of(&account_id).await);
    assert_eq!(
        (sums[&LedgerAccount::Balance], sums[&LedgerAccount::Revenue]),
        (0, -48_000)
    );
}

async fn long_invoices_are_listed_in_pages_that_fit_into_an_answer(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("100000.00").await;
    let mut charged = Vec::new();
    for _ in 0..36 {
        let mut domain = item(LineKind::Domain, MULTI, 1);
        domain.term_months = 1;
        let quote = world.quote(&account_id, vec![domain; 100]).await;
        charged.push(world.charge(&quote).await.unwrap().invoice_id);
    }
    let mut request = ListInvoicesRequest {
        account_id,
        page_size: 1000,
        ..ListInvoicesRequest::default()
    };
    let mut pages = Vec::new();
    loop {
        let answer = world.invoices().list_invoices(request.clone()).await;
        let page = answer.unwrap().into_inner();
        assert!(
            page.encoded_len() <= 2 << 20,
            "{} bytes",
            page.encoded_len()
        );
        assert!(page.invoices.iter().all(|it| it.lines.len() == 100));
        let ids = page.invoices.into_iter().map(|invoice| invoice.invoice_id);
        pages.push(ids.collect::<Vec<_>>());
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert!(
        pages.len() > 1,
        "{} invoices are on one page",
        charged.len()
    );
    assert_eq!(pages.concat(), charged);
}
