//! BL-1, BL-7, M-2, P-1 to P-3: one place computes amounts, and exactly these are charged.

use licet_contracts::billing::v1::{
    ChargeQuoteRequest, CreateQuoteRequest, GetQuoteRequest, LineKind, Policy, Product,
    ProrationConvention, Quote, QuoteItem, QuoteState, TermRef,
};
use licet_domain::clock::Instant;
use tonic::Code;

use crate::harness::{
    Backend,
    clock::{instant, timestamp},
    corrections::first_term,
    errors::refused,
    on_both_databases, request_id,
    samples::{MULTI, multi_domain_product, shown, term_price},
    world::World,
};

on_both_databases![
    p_3_the_worked_example_in_each_convention,
    p_1_a_change_after_the_end_is_refused,
    m_2_bulk_prices_are_rounded_once,
    a_quote_is_charged_once_and_only_with_its_pin,
    a_quote_charged_by_many_at_once_is_charged_once,
    a_preview_of_a_quote_is_not_kept,
    al_4_a_subject_is_one_term_of_one_product,
];

fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

fn further_domain(product_id: &str, change: &str) -> QuoteItem {
    QuoteItem {
        kind: LineKind::Domain.into(),
        product_id: product_id.to_owned(),
        quantity: 1,
        term: Some(TermRef {
            anchor_time: Some(timestamp(at("2026-01-01T00:00:00Z"))),
            first_month: 0,
            months: 12,
        }),
        change_time: Some(timestamp(at(change))),
        price_time: Some(timestamp(at("2026-01-01T00:00:00Z"))),
        ..QuoteItem::default()
    }
}

fn ask(account_id: &str, items: Vec<QuoteItem>) -> CreateQuoteRequest {
    CreateQuoteRequest {
        account_id: account_id.to_owned(),
        items,
        request_id: request_id(),
        ..CreateQuoteRequest::default()
    }
}

async fn quote(world: &World, account_id: &str, items: Vec<QuoteItem>) -> Quote {
    let answer = world
        .quotes()
        .create_quote(ask(account_id, items))
        .await
        .unwrap();
    answer.into_inner().quote.unwrap()
}

async fn p_3_the_worked_example_in_each_convention(backend: Backend) {
    let world = World::start(backend).await;
    let account_id = world.account_with("1000.00").await;
    let conventions = [
        ("monthly", ProrationConvention::Monthly, "24.50 USD", "1/2"),
        ("daily", ProrationConvention::Daily, "24.70 USD", "184/365"),
        (
            "linear",
            ProrationConvention::Linear,
            "24.70 USD",
            "184/365",
        ),
    ];
    for (product_id, convention, _, _) in conventions {
        let policy = Policy {
            proration_convention: convention.into(),
            ..Policy::default()
        };
        let product = Product {
            product_id: product_id.to_owned(),
            policy: Some(policy),
            ..multi_domain_product()
        };
        world.create_product(product).await;
        let prices = vec![term_price(12, ["98.00", "49.00", "149.00", "19.00"])];
        world.set_prices(product_id, prices).await;
    }
    world.time.advance_months(6);
    for (product_id, convention, total, fraction) in conventions {
        let quote = quote(
            &world,
            &account_id,
            vec![further_domain(product_id, "2026-07-01T00:00:00Z")],
        );
        let quote = quote.await;
        assert_eq!(shown(quote.total.as_ref()), total, "{product_id}");
        let line = &quote.lines[0];
        assert_eq!(
            (line.fraction.as_str(), line.convention()),
            (fraction, convention)
        );
        assert_eq!(
            instant(line.charged_period.unwrap().start_time),
            at("2026-07-01T00:00:00Z")
        );
        assert_eq!(
            instant(line.charged_period.unwrap().end_time),
            at("2027-01-01T00:00:00Z")
        );
        assert!(line.explanation.contains("49.00"), "{}", line.explanation);
    }
}

async fn p_1_a_change_after_the_end_is_refused(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    world.time.advance_months(13);
    let items = vec![further_domain(MULTI, "2027-01-01T00:00:00.000001Z")];
    refused(world.quotes().create_quote(ask(&account_id, items)).await)
        .expect(Code::FailedPrecondition, "TERM_ENDED");
}

async fn m_2_bulk_prices_are_rounded_once(backend: Backend) {
    let world = World::start(backend).await;
    world.create_product(multi_domain_product()).await;
    world
        .set_prices(
            MULTI,
            vec![term_price(12, ["98.00", "0.125", "2.00", "1.00"])],
        )
        .await;
    let account_id = world.account_with("1000.00").await;
    let item = |quantity| QuoteItem {
        quantity,
        ..further_domain(MULTI, "2026-01-01T00:00:00Z")
    };
    for (quantity, total) in [(1, "0.13 USD"), (3, "0.38 USD"), (1000, "125.00 USD")] {
        let quote = quote(&world, &account_id, vec![item(quantity)]).await;
        assert_eq!(shown(quote.total.as_ref()), total);
    }
    let too_many = refused(
        world
            .quotes()
            .create_quote(ask(&account_id, vec![item(0)]))
            .await,
    );
    let too_many = too_many.expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(too_many.paths(), ["items[0].quantity"]);
}

async fn a_quote_is_charged_once_and_only_with_its_pin(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let pinned = CreateQuoteRequest {
        pin: "revision 7".to_owned(),
        ..ask(
            &account_id,
            vec![further_domain(MULTI, "2026-01-01T00:00:00Z")],
        )
    };
    let quote = world
        .quotes()
        .create_quote(pinned)
        .await
        .unwrap()
        .into_inner()
        .quote
        .unwrap();
    let charge = |pin: &str| ChargeQuoteRequest {
        quote_id: quote.quote_id.clone(),
        pin: pin.to_owned(),
        request_id: request_id(),
        ..ChargeQuoteRequest::default()
    };
    let stale = refused(world.invoices().charge_quote(charge("revision 8")).await);
    stale.expect(Code::FailedPrecondition, "QUOTE_STALE");
    let invoice = world
        .invoices()
        .charge_quote(charge("revision 7"))
        .await
        .unwrap()
        .into_inner();
    let invoice = invoice.invoice.unwrap();
    assert_eq!(
        (&invoice.lines, &invoice.total),
        (&quote.lines, &quote.total)
    );
    let spent = refused(world.invoices().charge_quote(charge("revision 7")).await)
        .expect(Code::FailedPrecondition, "QUOTE_SPENT");
    assert_eq!(spent.value("invoice_id"), invoice.invoice_id);
    assert_eq!(world.balance(&account_id).await, "951.00 USD");
    let kept = GetQuoteRequest {
        quote_id: quote.quote_id.clone(),
    };
    let kept = world
        .quotes()
        .get_quote(kept)
        .await
        .unwrap()
        .into_inner()
        .quote
        .unwrap();
    assert_eq!(
        (kept.state(), kept.invoice_id),
        (QuoteState::Charged, invoice.invoice_id)
    );
}

async fn a_preview_of_a_quote_is_not_kept(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let preview = CreateQuoteRequest {
        validate_only: true,
        request_id: String::new(),
        ..ask(
            &account_id,
            vec![further_domain(MULTI, "2026-01-01T00:00:00Z")],
        )
    };
    let quote = world
        .quotes()
        .create_quote(preview)
        .await
        .unwrap()
        .into_inner()
        .quote
        .unwrap();
    assert_eq!(
        (
            quote.quote_id.as_str(),
            shown(quote.total.as_ref()).as_str()
        ),
        ("", "49.00 USD")
    );
}

async fn a_quote_charged_by_many_at_once_is_charged_once(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let quote = quote(
        &world,
        &account_id,
        vec![further_domain(MULTI, "2026-01-01T00:00:00Z")],
    )
    .await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let charge = ChargeQuoteRequest {
            quote_id: quote.quote_id.clone(),
            request_id: request_id(),
            ..ChargeQuoteRequest::default()
        };
        let mut invoices = world.invoices();
        calls.spawn(async move { invoices.charge_quote(charge).await });
    }
    let mut charged = 0;
    while let Some(answer) = calls.join_next().await {
        match answer.unwrap() {
            Ok(_) => charged += 1,
            Err(status) => {
                refused::<()>(Err(status)).expect(Code::FailedPrecondition, "QUOTE_SPENT");
            }
        }
    }
    assert_eq!(charged, 1);
    assert_eq!(world.balance(&account_id).await, "951.00 USD");
}

async fn al_4_a_subject_is_one_term_of_one_product(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let running = further_domain(MULTI, "2026-01-01T00:00:00Z");
    let next = QuoteItem {
        term: running.term.map(|term| TermRef {
            first_month: 12,
            ..term
        }),
        ..running.clone()
    };
    let about = |items: Vec<QuoteItem>| CreateQuoteRequest {
        subject: first_term("thing-1"),
        ..ask(&account_id, items)
    };
    let both = vec![running.clone(), next];
    let refusal = refused(world.quotes().create_quote(about(both.clone())).await);
    assert_eq!(refusal.paths(), ["subject"]);
    // MD-8: only a quote that nothing refunds may cover two terms.
    let unnamed = ask(&account_id, both);
    world.quotes().create_quote(unnamed).await.unwrap();
    let twice = about(vec![running.clone(), running]);
    world.quotes().create_quote(twice).await.unwrap();
}
