//! MD-4: the cost of a wildcard in a standard slot, under each policy, when an order is placed, renewed or
//! changed; and the prices that the catalogue therefore refuses.

use licet_contracts::{
    billing::v1::{
        LineKind, Policy, Product, Quote, TermPrice, UpdateProductRequest, WildcardReplacement,
    },
    orders::v1::{CancelDomainChangeRequest, Order, OrderTerm, PlaceOrderRequest},
};
use tonic::Code;

use super::{
    domains::Issued,
    renewal::{move_to_days_before_end, renew, renewal},
};
use crate::harness::{
    Backend,
    errors::refused,
    on_both_databases, request_id,
    samples::{
        MULTI, SINGLE, multi_domain_product, multi_domain_request, price, shown, term_price,
    },
    selling::prices_request,
    world::World,
};

on_both_databases![
    md_4_wildcards_in_the_place_of_included_names_cost_the_difference,
    md_4_a_change_to_wildcards_costs_the_difference_for_the_rest,
    md_4_free_is_the_sources_sentence_to_the_letter,
    md_4_at_full_price_the_standard_slot_stays,
    md_4_a_cancelled_change_gives_the_converted_slots_back,
    md_4_a_detour_through_names_is_no_cheaper,
    md_4_each_term_goes_by_its_own_policy,
    md_4_a_difference_needs_both_prices,
    md_4_a_wildcard_never_costs_less_than_a_domain,
    md_4_a_product_of_one_domain_covers_its_wildcard,
];

fn product(replacement: WildcardReplacement) -> Product {
    Product {
        policy: Some(Policy {
            wildcard_replacement: replacement.into(),
            ..Policy::default()
        }),
        ..multi_domain_product()
    }
}

/// Sells the sample product with this policy from now on.
async fn sell_by(world: &World, replacement: WildcardReplacement) {
    let request = UpdateProductRequest {
        product: Some(product(replacement)),
        request_id: request_id(),
    };
    world.catalog().update_product(request).await.unwrap();
}

/// An issued order with this policy, on an account that had 1000.00.
async fn issued_by(backend: Backend, replacement: WildcardReplacement, list: &[&str]) -> Issued {
    let world = World::start(backend).await;
    world.stock().await;
    sell_by(&world, replacement).await;
    let account_id = world.account_with("1000.00").await;
    let order = world.multi_domain_order(&account_id, list).await;
    world.record(&order.order_id).await;
    Issued {
        world,
        account_id,
        order,
    }
}

fn slots(term: Option<&OrderTerm>) -> (i32, i32) {
    let term = term.unwrap();
    (term.paid_standard_domains, term.paid_wildcard_domains)
}

async fn slots_now(issued: &Issued) -> (i32, i32) {
    let order = issued.world.get_order(&issued.order.order_id).await;
    slots(order.current_term.as_ref())
}

/// Each line's kind, quantity and amount.
fn lines(quote: &Quote) -> Vec<(LineKind, i32, String)> {
    let lines = quote.lines.iter();
    let line = |it: &licet_contracts::billing::v1::Line| {
        (it.kind(), it.quantity, shown(it.amount.as_ref()))
    };
    lines.map(line).collect()
}

fn placing(account_id: &str, list: &[&str]) -> PlaceOrderRequest {
    multi_domain_request(account_id, list)
}

async fn place(world: &World, account_id: &str, list: &[&str]) -> (Order, Quote) {
    let request = placing(account_id, list);
    let answer = world.orders().place_order(request).await.unwrap();
    let answer = answer.into_inner();
    (answer.order.unwrap(), answer.quote.unwrap())
}

/// The starter catalogue's product, at its prices: three domains included.
async fn three_included(world: &World) {
    let product = Product {
        included_domains: 3,
        term_months: vec![12],
        ..multi_domain_product()
    };
    world.create_product(product).await;
    let year = term_price(12, ["141.60", "49.00", "199.00", "70.00"]);
    world.set_prices(MULTI, vec![year]).await;
}

async fn md_4_wildcards_in_the_place_of_included_names_cost_the_difference(backend: Backend) {
    let world = World::start(backend).await;
    three_included(&world).await;
    let account_id = world.account_with("5000.00").await;
    let three = ["*.a.example", "*.b.example", "*.c.example"];
    let (order, quote) = place(&world, &account_id, &three).await;
    // A further wildcard costs 199.00; the certificate includes three standard domains, no wildcards.
    assert_eq!(shown(quote.total.as_ref()), "591.60 USD");
    assert_eq!(
        lines(&quote),
        [
            (LineKind::Certificate, 1, "141.60 USD".to_owned()),
            (LineKind::WildcardDifference, 3, "450.00 USD".to_owned()),
        ]
    );
    let line = &quote.lines[1];
    let value = |price: &Option<licet_contracts::types::v1::Price>| price.clone().unwrap().value;
    assert_eq!(
        [
            value(&line.unit_price),
            value(&line.wildcard_price),
            value(&line.domain_price)
        ],
        ["150.00", "199.00", "49.00"]
    );
    assert_eq!(
        line.explanation,
        "round((199.00 USD − 49.00 USD) × 3 × 1) = 450.00 USD"
    );
    assert_eq!(line.rule_id, "MD-4");
    assert_eq!(slots(order.current_term.as_ref()), (0, 3));
    assert_eq!(world.balance(&account_id).await, "4408.40 USD");
    let invoices = world.invoices_of(&order.order_id).await;
    assert_eq!(invoices[0].lines, quote.lines, "BL-1, BL-7");
    let books = licet_billing::verify(&world.billing_location()).await;
    assert_eq!(books.unwrap().differences(), 0);

    // The fourth domain is beyond the included number.
    let four = [&three[..], &["*.d.example"]].concat();
    let (_, quote) = place(&world, &account_id, &four).await;
    assert_eq!(shown(quote.total.as_ref()), "790.60 USD");
    // Three standard domains are included in the certificate's price.
    let (_, quote) = place(
        &world,
        &account_id,
        &["a.example", "b.example", "c.example"],
    )
    .await;
    assert_eq!(shown(quote.total.as_ref()), "141.60 USD");
}

async fn md_4_a_change_to_wildcards_costs_the_difference_for_the_rest(backend: Backend) {
    let list = ["www.example.com", "a.example", "b.example"];
    let issued = Issued::new(backend, &list).await;
    issued.world.time.advance_months(6);
    let (add, remove) = (["*.a.example", "*.b.example"], ["a.example", "b.example"]);
    let id = &issued.order.order_id;
    let preview = issued.world.preview_domains(id, &add, &remove).await;
    let quote = preview.quote.unwrap();
    assert_eq!(
        lines(&quote),
        [(LineKind::WildcardDifference, 2, "100.00 USD".to_owned())]
    );
    assert_eq!(
        quote.lines[0].explanation,
        "round((149.00 USD − 49.00 USD) × 2 × 1/2) = 100.00 USD"
    );
    assert_eq!(issued.change(&add, &remove).await, "100.00 USD");
    assert_eq!(slots_now(&issued).await, (1, 2));
    // A paid slot is never charged again (MD-2), and a wildcard slot also serves a standard domain.
    assert_eq!(
        issued.change(&["c.example"], &["*.a.example"]).await,
        "0.00 USD"
    );
    assert_eq!(
        issued.change(&["*.c.example"], &["c.example"]).await,
        "0.00 USD"
    );
    assert_eq!(slots_now(&issued).await, (1, 2));
}

/// "However, if you change any of the domains that the certificate covers but don't change the total
/// number of domains in the order, you will not be charged."
async fn md_4_free_is_the_sources_sentence_to_the_letter(backend: Backend) {
    let list = ["www.example.com", "a.example", "b.example"];
    let issued = issued_by(backend, WildcardReplacement::Free, &list).await;
    issued.world.time.advance_months(6);
    let (add, remove) = (["*.a.example", "*.b.example"], ["a.example", "b.example"]);
    assert_eq!(issued.change(&add, &remove).await, "0.00 USD");
    assert_eq!(slots_now(&issued).await, (3, 0), "no slot changes");
    // The number of domains rises: half of 149.00.
    assert_eq!(issued.change(&["*.c.example"], &[]).await, "74.50 USD");
    assert_eq!(slots_now(&issued).await, (3, 1));
    // The included domain may be a wildcard from the start.
    let Issued {
        world, account_id, ..
    } = &issued;
    let (order, quote) = place(world, account_id, &["*.d.example"]).await;
    assert_eq!(shown(quote.total.as_ref()), "98.00 USD");
    assert_eq!(slots(order.current_term.as_ref()), (1, 0));
}

async fn md_4_at_full_price_the_standard_slot_stays(backend: Backend) {
    let list = ["www.example.com", "a.example"];
    let issued = issued_by(backend, WildcardReplacement::FullPrice, &list).await;
    issued.world.time.advance_months(6);
    assert_eq!(
        issued.change(&["*.a.example"], &["a.example"]).await,
        "74.50 USD"
    );
    assert_eq!(slots_now(&issued).await, (2, 1));
    // The standard slot is still there for a standard domain.
    assert_eq!(issued.change(&["b.example"], &[]).await, "0.00 USD");
    let Issued {
        world, account_id, ..
    } = &issued;
    let (order, quote) = place(world, account_id, &["*.d.example"]).await;
    assert_eq!(shown(quote.total.as_ref()), "247.00 USD");
    assert_eq!(slots(order.current_term.as_ref()), (1, 1));
}

async fn md_4_a_cancelled_change_gives_the_converted_slots_back(backend: Backend) {
    let issued = Issued::new(backend, &["www.example.com", "a.example"]).await;
    let Issued {
        world,
        account_id,
        order,
    } = &issued;
    world.time.advance_months(6);
    let before = (slots_now(&issued).await, world.balance(account_id).await);
    assert_eq!(before.0, (2, 0));
    let add = ["*.a.example", "*.b.example"];
    let changed = world
        .update_domains(&order.order_id, &add, &["a.example"])
        .await;
    let quote = changed.quote.unwrap();
    assert_eq!(
        lines(&quote),
        [
            (LineKind::WildcardDomain, 1, "74.50 USD".to_owned()),
            (LineKind::WildcardDifference, 1, "50.00 USD".to_owned()),
        ]
    );
    assert_eq!(slots_now(&issued).await, (1, 2));
    let cancel = CancelDomainChangeRequest {
        order_id: order.order_id.clone(),
        request_id: request_id(),
        ..CancelDomainChangeRequest::default()
    };
    world.orders().cancel_domain_change(cancel).await.unwrap();
    let after = (slots_now(&issued).await, world.balance(account_id).await);
    assert_eq!(after, before);
    // The same change costs the same again.
    assert_eq!(issued.change(&add, &["a.example"]).await, "124.50 USD");
}

/// Buys a standard domain, then replaces it with a wildcard.
async fn md_4_a_detour_through_names_is_no_cheaper(backend: Backend) {
    let issued = Issued::new(backend, &["www.example.com"]).await;
    let Issued {
        world, account_id, ..
    } = &issued;
    assert_eq!(issued.change(&["a.example"], &[]).await, "49.00 USD");
    assert_eq!(
        issued.change(&["*.a.example"], &["a.example"]).await,
        "100.00 USD"
    );
    let at_once = ["www.example.com", "*.a.example"];
    let (_, quote) = place(world, account_id, &at_once).await;
    // 98.00 with the first domain, 149.00 for the wildcard, as much as in two changes.
    assert_eq!(shown(quote.total.as_ref()), "247.00 USD");
}

async fn md_4_each_term_goes_by_its_own_policy(backend: Backend) {
    let issued = Issued::new(backend, &["www.example.com", "a.example"]).await;
    let Issued {
        world,
        account_id,
        order,
    } = &issued;
    world.deposit(account_id, "1000.00").await;
    world.time.advance_months(9);
    sell_by(world, WildcardReplacement::FullPrice).await;
    let dearer = vec![term_price(12, ["110.00", "60.00", "160.00", "21.00"])];
    world.set_prices(MULTI, dearer).await;
    world.time.advance_days(1);
    move_to_days_before_end(world, order, 31);
    let renewed = renew(world, renewal(order, 12)).await.order.unwrap();
    assert_eq!(slots(renewed.next_term.as_ref()), (2, 0));

    let preview = world
        .preview_domains(&order.order_id, &["*.a.example"], &["a.example"])
        .await;
    let (quote, next) = (preview.quote.unwrap(), preview.next_term_quote.unwrap());
    assert_eq!(quote.lines.len(), 1);
    assert_eq!(quote.lines[0].kind(), LineKind::WildcardDifference);
    assert_eq!(quote.lines[0].unit_price.as_ref().unwrap().value, "100.00");
    assert_eq!(
        lines(&next),
        [(LineKind::WildcardDomain, 1, "160.00 USD".to_owned())]
    );
    issued.change(&["*.a.example"], &["a.example"]).await;
    let changed = world.get_order(&order.order_id).await;
    assert_eq!(slots(changed.current_term.as_ref()), (1, 1));
    assert_eq!(slots(changed.next_term.as_ref()), (2, 1));

    // A renewal prices its domains by its own version; earlier slots end with their term.
    sell_by(world, WildcardReplacement::Difference).await;
    move_to_days_before_end(world, &world.get_order(&order.order_id).await, 31);
    let last = renew(world, renewal(order, 12)).await;
    let quote = last.quote.unwrap();
    assert_eq!(
        lines(&quote),
        [
            (LineKind::Certificate, 1, "110.00 USD".to_owned()),
            (LineKind::WildcardDomain, 1, "160.00 USD".to_owned()),
        ]
    );
}

async fn md_4_a_difference_needs_both_prices(backend: Backend) {
    let world = World::start(backend).await;
    world.create_product(multi_domain_product()).await;
    let account_id = world.account_with("1000.00").await;
    for (domain, wildcard, missing) in [
        (None, price("149.00"), "DOMAIN"),
        (price("49.00"), None, "WILDCARD_DOMAIN"),
    ] {
        let year = TermPrice {
            domain,
            wildcard_domain: wildcard,
            ..term_price(12, ["98.00", "0", "0", "19.00"])
        };
        world.set_prices(MULTI, vec![year]).await;
        let request = placing(&account_id, &["*.a.example"]);
        let unpriced = refused(world.orders().place_order(request).await);
        let unpriced = unpriced.expect(Code::FailedPrecondition, "PRICE_NOT_SET");
        assert_eq!(unpriced.value("kind"), missing);
        let plain = placing(&account_id, &["a.example"]);
        world.orders().place_order(plain).await.unwrap();
        world.time.advance_days(1);
    }
    assert_eq!(world.balance(&account_id).await, "804.00 USD");
}

async fn md_4_a_wildcard_never_costs_less_than_a_domain(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    world.time.advance_days(1);
    let before = world.price_lists(MULTI, "USD", None).await;
    // Every term of the list is checked, here the second.
    let list = |wildcard: &str| {
        let year = term_price(12, ["98.00", "49.00", wildcard, "19.00"]);
        let month = term_price(1, ["12.00", "5.00", "5.00", "2.00"]);
        prices_request(MULTI, "USD", vec![month, year])
    };
    let low = refused(world.catalog().set_prices(list("48.999999")).await);
    let low = low.expect(Code::FailedPrecondition, "WILDCARD_PRICE_TOO_LOW");
    assert_eq!(
        ["term_months", "domain", "wildcard_domain"].map(|key| low.value(key).to_owned()),
        ["12", "49.00 USD", "48.999999 USD"]
    );
    assert_eq!(world.price_lists(MULTI, "USD", None).await, before);
    world.catalog().set_prices(list("49.00")).await.unwrap();
    // The check also applies under FREE, and before wildcards are sold.
    sell_by(&world, WildcardReplacement::Free).await;
    world.time.advance_days(1);
    refused(world.catalog().set_prices(list("1.00")).await)
        .expect(Code::FailedPrecondition, "WILDCARD_PRICE_TOO_LOW");
    // A product of one domain sells neither further domains nor wildcards.
    let year = term_price(12, ["60.00", "2.00", "1.00", "20.00"]);
    let single = prices_request(SINGLE, "USD", vec![year]);
    world.catalog().set_prices(single).await.unwrap();
}

async fn md_4_a_product_of_one_domain_covers_its_wildcard(backend: Backend) {
    let world = World::start(backend).await;
    let product = Product {
        wildcards_allowed: true,
        ..crate::harness::samples::single_domain_product()
    };
    world.create_product(product).await;
    let year = TermPrice {
        domain: None,
        wildcard_domain: None,
        ..term_price(12, ["300.00", "0", "0", "20.00"])
    };
    world.set_prices(SINGLE, vec![year]).await;
    let account_id = world.account_with("1000.00").await;
    let request = PlaceOrderRequest {
        product_id: SINGLE.to_owned(),
        ..placing(&account_id, &["*.a.example"])
    };
    world.place(request).await;
    assert_eq!(world.balance(&account_id).await, "700.00 USD");
}
