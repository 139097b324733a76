//! Placing an order (its charge, preview and refusals), and how orders are listed.

use licet_contracts::orders::v1::{ListOrdersRequest, OrderState, PlaceOrderRequest};
use licet_domain::ids::AccountId;
use tonic::Code;

use crate::harness::{
    Backend,
    clock::instant,
    errors::refused,
    on_both_databases, request_id,
    samples::{multi_domain_request, names, shown, single_domain_request},
    world::World,
};

on_both_databases![
    an_order_is_charged_and_starts_when_it_is_accepted,
    a_preview_places_nothing,
    bl_6_without_the_money_nothing_happens_and_the_refusal_says_what_is_missing,
    what_the_product_does_not_offer_is_refused,
    orders_are_listed_by_page_newest_first,
];

async fn an_order_is_charged_and_starts_when_it_is_accepted(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let list = ["www.example.com", "b.example", "*.a.example"];
    let request = multi_domain_request(&account_id, &list);
    let answer = world
        .orders()
        .place_order(request)
        .await
        .unwrap()
        .into_inner();
    let (order, quote) = (answer.order.unwrap(), answer.quote.unwrap());
    assert_eq!(
        order.domains,
        names(&["*.a.example", "b.example", "www.example.com"])
    );
    // 98.00 including one domain, 49.00 for a standard one, 149.00 for a wildcard.
    assert_eq!(shown(quote.total.as_ref()), "296.00 USD");
    assert_eq!(world.balance(&account_id).await, "704.00 USD");
    let term = order.current_term.clone().unwrap();
    assert_eq!((term.term_index, term.months), (0, 12));
    assert_eq!(
        (term.paid_standard_domains, term.paid_wildcard_domains),
        (2, 1)
    );
    assert_eq!(instant(order.create_time), world.now());
    assert_eq!(
        instant(order.end_time),
        world.now().checked_add_months(12).unwrap()
    );
    let invoices = world.invoices_of(&order.order_id).await;
    assert_eq!(invoices.len(), 1);
    assert_eq!(
        (&invoices[0].lines, &invoices[0].quote_id),
        (&quote.lines, &quote.quote_id)
    );
    assert_eq!(term.invoice_ids, [invoices[0].invoice_id.clone()]);
    assert!(
        quote
            .lines
            .iter()
            .all(|line| line.fraction == "1" && !line.rule_id.is_empty())
    );
    assert_eq!(world.get_order(&order.order_id).await, order);
}

async fn a_preview_places_nothing(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let preview = PlaceOrderRequest {
        validate_only: true,
        request_id: String::new(),
        ..multi_domain_request(&account_id, &["www.example.com", "a.example"])
    };
    let answer = world
        .orders()
        .place_order(preview)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.order.unwrap().order_id, "");
    assert_eq!(shown(answer.quote.unwrap().total.as_ref()), "147.00 USD");
    assert_eq!(world.balance(&account_id).await, "1000.00 USD");
    assert_eq!(list(&world, &account_id).await, [] as [String; 0]);
}

/// The ids of an account's orders.
async fn list(world: &World, account_id: &str) -> Vec<String> {
    let ask = ListOrdersRequest {
        account_id: account_id.to_owned(),
        ..Default::default()
    };
    let answer = world.orders().list_orders(ask).await.unwrap().into_inner();
    answer
        .orders
        .into_iter()
        .map(|order| order.order_id)
        .collect()
}

async fn bl_6_without_the_money_nothing_happens_and_the_refusal_says_what_is_missing(
    backend: Backend,
) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("100.00").await;
    let request = multi_domain_request(&account_id, &["www.example.com", "a.example"]);
    let short = refused(world.orders().place_order(request).await)
        .expect(Code::ResourceExhausted, "INSUFFICIENT_FUNDS");
    assert_eq!(short.value("missing"), "47.00");
    assert_eq!(short.value("available"), "100.00");
    assert_eq!(short.value("required"), "147.00");
    assert_eq!(short.value("currency"), "USD");
    assert!(short.message.contains("47.00"), "{}", short.message);
    assert_eq!(world.balance(&account_id).await, "100.00 USD");
    assert_eq!(world.invoices_of_account(&account_id).await, []);
    assert_eq!(
        world.entries_of(&account_id).await.len(),
        1,
        "the deposit alone"
    );
    assert_eq!(
        list(&world, &account_id).await,
        [] as [String; 0],
        "no order is left"
    );
}

async fn what_the_product_does_not_offer_is_refused(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let place =
        |request: PlaceOrderRequest| async { refused(world.orders().place_order(request).await) };
    let request = multi_domain_request(&account_id, &["www.example.com"]);
    let term = place(PlaceOrderRequest {
        term_months: 36,
        ..request.clone()
    })
    .await;
    let term = term.expect(Code::FailedPrecondition, "TERM_NOT_SOLD");
    assert_eq!(
        (term.value("term_months"), term.value("sold")),
        ("36", "1,12,24")
    );
    let product = PlaceOrderRequest {
        product_id: "unheard-of".to_owned(),
        ..request.clone()
    };
    let product = place(PlaceOrderRequest {
        request_id: request_id(),
        ..product
    })
    .await;
    let product = product.expect(Code::NotFound, "NOT_FOUND");
    assert_eq!(product.value("id"), "unheard-of");
    let nobody = AccountId::generate().to_string();
    let account = multi_domain_request(&nobody, &["www.example.com"]);
    let account = place(account).await.expect(Code::NotFound, "NOT_FOUND");
    assert_eq!(account.value("id"), nobody);
    let many: Vec<_> = (0..21).map(|number| format!("n{number}.example")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let many = place(multi_domain_request(&account_id, &many)).await;
    many.expect(Code::FailedPrecondition, "TOO_MANY_DOMAINS");
    let mut wildcard = single_domain_request(&account_id, 0);
    wildcard.common_name = "*.example.com".to_owned();
    place(wildcard)
        .await
        .expect(Code::FailedPrecondition, "WILDCARD_NOT_OFFERED");
    let mut several = single_domain_request(&account_id, 0);
    several.domains = names(&["a.example"]);
    place(several)
        .await
        .expect(Code::FailedPrecondition, "TOO_MANY_DOMAINS");
    assert_eq!(world.balance(&account_id).await, "1000.00 USD");
    assert_eq!(list(&world, &account_id).await, [] as [String; 0]);
}

async fn orders_are_listed_by_page_newest_first(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let mut placed = Vec::new();
    for number in 0..5 {
        let domain = format!("n{number}.example");
        let order = world.multi_domain_order(&account_id, &[&domain]).await;
        placed.insert(0, order.order_id);
        // Two orders are placed at each instant; among those the id decides.
        if number % 2 == 1 {
            world.time.advance_days(1);
        }
    }
    let mut ask = ListOrdersRequest {
        account_id: account_id.clone(),
        page_size: 2,
        ..ListOrdersRequest::default()
    };
    let mut seen = Vec::new();
    for page in 0..3 {
        let answer = world
            .orders()
            .list_orders(ask.clone())
            .await
            .unwrap()
            .into_inner();
        if page == 0 {
            // An order placed between two pages does not disturb the listing.
            world
                .multi_domain_order(&account_id, &["late.example"])
                .await;
        }
        seen.extend(answer.orders.into_iter().map(|order| order.order_id));
        ask.page_token = answer.next_page_token;
    }
    assert_eq!((seen, ask.page_token.as_str()), (placed.clone(), ""));

    ask.page_size = 0;
    ask.domain = "N3.example.".to_owned();
    let by_name = world
        .orders()
        .list_orders(ask.clone())
        .await
        .unwrap()
        .into_inner();
    let ids: Vec<_> = by_name
        .orders
        .into_iter()
        .map(|order| order.order_id)
        .collect();
    assert_eq!(ids, [placed[1].clone()]);
    ask.state = OrderState::Issued.into();
    assert_eq!(
        world
            .orders()
            .list_orders(ask.clone())
            .await
            .unwrap()
            .into_inner()
            .orders,
        []
    );
    ask.page_token = "forged".to_owned();
    let forged = refused(world.orders().list_orders(ask).await);
    assert_eq!(
        forged
            .expect(Code::InvalidArgument, "INVALID_FIELDS")
            .paths(),
        ["page_token"]
    );
}
