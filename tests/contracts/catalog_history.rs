//! BL-8: product versions and price lists of the past, the present and the future exist side by side and
//! never change.

use chrono::TimeDelta;
use licet_contracts::billing::v1::{
    GetProductRequest, LineKind, ListProductsRequest, Policy, Product, ProrationConvention,
    QuoteItem, SetPricesRequest, UpdateProductRequest, get_product_request::Selection,
};
use licet_domain::clock::Instant;
use tonic::{Code, Response, Status};

use crate::harness::{
    Backend,
    clock::{instant, shifted, timestamp},
    errors::{refused, take_apart},
    on_both_databases, request_id,
    samples::{MULTI, multi_domain_product, shown, term_price},
    selling::{item, item_of_term, prices_request, term_price_in},
    world::World,
};

on_both_databases![
    bl_8_versions_past_present_and_scheduled_are_read_for_ever,
    bl_8_price_lists_past_present_and_scheduled_are_read_for_ever,
    bl_8_what_was_sold_keeps_its_version_and_its_prices,
    bl_8_terms_of_a_scheduled_version_can_be_priced_with_those_of_today,
];

async fn update(world: &World, product: Product) -> Result<Product, Status> {
    let request = UpdateProductRequest {
        product: Some(product),
        request_id: request_id(),
    };
    let answer = world.catalog().update_product(request).await;
    answer
        .map(Response::into_inner)
        .map(|it| it.product.unwrap())
}

async fn get(
    world: &World,
    product_id: &str,
    selection: Option<Selection>,
) -> Result<Product, Status> {
    let request = GetProductRequest {
        product_id: product_id.to_owned(),
        selection,
    };
    let answer = world.catalog().get_product(request).await;
    answer
        .map(Response::into_inner)
        .map(|it| it.product.unwrap())
}

fn in_days(world: &World, days: i64) -> Instant {
    world.now().checked_add(TimeDelta::days(days)).unwrap()
}

fn named(display_name: &str, effective: Option<Instant>) -> Product {
    Product {
        display_name: display_name.to_owned(),
        effective_time: effective.map(timestamp),
        ..multi_domain_product()
    }
}

async fn bl_8_versions_past_present_and_scheduled_are_read_for_ever(backend: Backend) {
    let world = World::start(backend).await;
    let start = world.now();
    world.create_product(named("First", None)).await;
    let (second, third) = (in_days(&world, 10), in_days(&world, 20));
    for (name, effective) in [("Second", second), ("Third", third)] {
        update(&world, named(name, Some(effective))).await.unwrap();
    }
    let mut versions = Vec::new();
    for number in 1..=3 {
        let version = get(&world, MULTI, Some(Selection::Version(number)))
            .await
            .unwrap();
        assert_eq!(
            (version.version, instant(version.create_time)),
            (number, start)
        );
        versions.push(version);
    }
    let before = shifted(start, -1);
    let missing = get(&world, MULTI, Some(Selection::AsOfTime(timestamp(before)))).await;
    let missing = take_apart(&missing.unwrap_err()).expect(Code::NotFound, "NOT_FOUND");
    assert_eq!(missing.value("as_of_time"), before.to_string());
    let missing = get(&world, MULTI, Some(Selection::Version(4))).await;
    let missing = take_apart(&missing.unwrap_err()).expect(Code::NotFound, "NOT_FOUND");
    assert_eq!(missing.value("version"), "4");

    // At each time, reads as of every other time return the same bytes.
    for (now, in_force) in [
        (start, 0),
        (shifted(second, -1), 0),
        (second, 1),
        (shifted(third, -1), 1),
        (third, 2),
        (third.checked_add_months(600).unwrap(), 2),
    ] {
        world.time.move_to(now);
        let current = get(&world, MULTI, None).await.unwrap();
        assert_eq!(current, versions[in_force], "{now}");
        let listed = world
            .catalog()
            .list_products(ListProductsRequest::default())
            .await;
        assert_eq!(listed.unwrap().into_inner().products, [current]);
        for (number, version) in (1..).zip(&versions) {
            let read = get(&world, MULTI, Some(Selection::Version(number))).await;
            assert_eq!(&read.unwrap(), version, "{now}");
        }
        for (asked, version) in [(start, 0), (second, 1), (shifted(third, -1), 1), (third, 2)] {
            let asked = Some(Selection::AsOfTime(timestamp(asked)));
            let read = get(&world, MULTI, asked).await;
            assert_eq!(read.unwrap(), versions[version], "{now}");
        }
    }
    // A new version must begin after the newest one, whether that is in force or scheduled.
    let newest = world.now().checked_add_months(2).unwrap();
    update(&world, named("Fourth", Some(newest))).await.unwrap();
    let between = update(&world, named("Between", None)).await;
    let between = take_apart(&between.unwrap_err());
    let between = between.expect(Code::FailedPrecondition, "EFFECTIVE_TIME_IN_PAST");
    assert_eq!(between.value("now"), world.now().to_string());

    // A scheduled product can be read by its version only.
    let scheduled = Product {
        product_id: "to-come".to_owned(),
        ..named("To come", Some(in_days(&world, 1)))
    };
    world.create_product(scheduled).await;
    let missing = take_apart(&get(&world, "to-come", None).await.unwrap_err());
    missing.expect(Code::NotFound, "NOT_FOUND");
    let listed = world
        .catalog()
        .list_products(ListProductsRequest::default())
        .await;
    assert_eq!(listed.unwrap().into_inner().products.len(), 1);
    let read = get(&world, "to-come", Some(Selection::Version(1))).await;
    assert_eq!(read.unwrap().display_name, "To come");
}

async fn bl_8_price_lists_past_present_and_scheduled_are_read_for_ever(backend: Backend) {
    let world = World::start(backend).await;
    world.create_product(multi_domain_product()).await;
    let start = world.now();
    let times = [start, in_days(&world, 10), in_days(&world, 20)];
    let mut lists = Vec::new();
    for (value, effective) in ["49.00", "50.00", "51.00"].into_iter().zip(times) {
        let prices = vec![term_price(12, ["98.00", value, "149.00", "19.00"])];
        let request = SetPricesRequest {
            effective_time: Some(timestamp(effective)),
            ..prices_request(MULTI, "USD", prices)
        };
        let answer = world.catalog().set_prices(request).await.unwrap();
        let list = answer.into_inner().price_list.unwrap();
        assert_eq!(
            (instant(list.effective_time), instant(list.create_time)),
            (effective, start)
        );
        lists.push(list);
    }
    let euros = vec![term_price_in(
        "EUR",
        12,
        ["90.00", "45.00", "139.00", "17.00"],
    )];
    let request = SetPricesRequest {
        effective_time: Some(timestamp(times[1])),
        ..prices_request(MULTI, "EUR", euros)
    };
    let euros = world.catalog().set_prices(request).await.unwrap();
    let euros = euros.into_inner().price_list.unwrap();
    assert_eq!(
        world.price_lists(MULTI, "", Some(shifted(start, -1))).await,
        []
    );
    for (now, current) in [(start, 0), (times[1], 1), (times[2], 2)] {
        world.time.move_to(now);
        let read = world.price_lists(MULTI, "USD", None).await;
        assert_eq!(read, std::slice::from_ref(&lists[current]));
        for (list, effective) in lists.iter().zip(times) {
            let read = world.price_lists(MULTI, "USD", Some(effective)).await;
            assert_eq!(read, std::slice::from_ref(list), "{now}");
        }
        let last = Some(shifted(times[1], -1));
        assert_eq!(
            world.price_lists(MULTI, "USD", last).await,
            std::slice::from_ref(&lists[0])
        );
        assert_eq!(world.price_lists(MULTI, "EUR", last).await, []);
        let both = world.price_lists(MULTI, "", Some(times[1])).await;
        assert_eq!(both, [euros.clone(), lists[1].clone()]);
    }
    // A list with the start of an existing one would change a price that may have been charged.
    let prices = vec![term_price(12, ["98.00", "1.00", "2.00", "3.00"])];
    let same = world
        .catalog()
        .set_prices(prices_request(MULTI, "USD", prices))
        .await;
    refused(same).expect(Code::FailedPrecondition, "EFFECTIVE_TIME_IN_PAST");
}

async fn bl_8_what_was_sold_keeps_its_version_and_its_prices(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let bought = world.now();
    let sold = world
        .quote(&account_id, vec![item(LineKind::Certificate, MULTI, 1)])
        .await;
    let invoice = world.charge(&sold).await.unwrap();
    world.time.advance_months(6);
    let daily = Product {
        policy: Some(Policy {
            proration_convention: ProrationConvention::Daily.into(),
            ..Policy::default()
        }),
        // The term sold so far is withdrawn.
        term_months: vec![24],
        ..multi_domain_product()
    };
    update(&world, daily).await.unwrap();
    let dearer = vec![term_price(24, ["500.00", "300.00", "700.00", "99.00"])];
    world.set_prices(MULTI, dearer).await;

    let line = &invoice.lines[0];
    let further = item_of_term(
        item(LineKind::Domain, MULTI, 1),
        bought,
        (0, 12),
        Some(world.now()),
    );
    let as_sold = QuoteItem {
        product_version: line.product_version,
        price_time: line.price_effective_time,
        ..further.clone()
    };
    let quote = world
        .preview_quote(&account_id, vec![as_sold])
        .await
        .unwrap();
    assert_eq!(shown(quote.total.as_ref()), "24.50 USD");
    assert_eq!(quote.lines[0].convention(), ProrationConvention::Monthly);
    let as_of_now = world.preview_quote(&account_id, vec![further]).await;
    let refusal = take_apart(&as_of_now.unwrap_err());
    let refusal = refusal.expect(Code::FailedPrecondition, "TERM_NOT_SOLD");
    assert_eq!(
        (refusal.value("term_months"), refusal.value("sold")),
        ("12", "24")
    );
}

async fn bl_8_terms_of_a_scheduled_version_can_be_priced_with_those_of_today(backend: Backend) {
    let world = World::start(backend).await;
    world.create_product(multi_domain_product()).await;
    let account_id = world.account_with("1000.00").await;
    let later = in_days(&world, 30);
    let three_years = Product {
        term_months: vec![36],
        ..named("Three years", Some(later))
    };
    update(&world, three_years).await.unwrap();
    // The prices until then, and from then on.
    let both = vec![
        term_price(12, ["98.00", "49.00", "149.00", "19.00"]),
        term_price(36, ["250.00", "130.00", "400.00", "49.00"]),
    ];
    world.set_prices(MULTI, both).await;
    let certificate = |term_months| {
        vec![QuoteItem {
            term_months,
            ..item(LineKind::Certificate, MULTI, 1)
        }]
    };
    let sells = |months| world.preview_quote(&account_id, certificate(months));
    assert_eq!(shown(sells(12).await.unwrap().total.as_ref()), "98.00 USD");
    take_apart(&sells(36).await.unwrap_err()).expect(Code::FailedPrecondition, "TERM_NOT_SOLD");
    world.time.move_to(later);
    assert_eq!(shown(sells(36).await.unwrap().total.as_ref()), "250.00 USD");
    take_apart(&sells(12).await.unwrap_err()).expect(Code::FailedPrecondition, "TERM_NOT_SOLD");
    let gone = vec![term_price(12, ["98.00", "49.00", "149.00", "19.00"])];
    let gone = world
        .catalog()
        .set_prices(prices_request(MULTI, "USD", gone))
        .await;
    let refusal = refused(gone).expect(Code::FailedPrecondition, "TERM_NOT_SOLD");
    assert_eq!(refusal.value("sold"), "36");
}
