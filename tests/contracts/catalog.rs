//! The catalogue: versions by effective time (BL-8), and the prices it refuses (AL-10).

use chrono::TimeDelta;
use licet_contracts::billing::v1::{
    CreateProductRequest, GetProductRequest, ListPricesRequest, ListProductsRequest, Product,
    ProductKind, ProrationConvention, SetPricesRequest, UpdateProductRequest,
    get_product_request::Selection,
};
use tonic::Code;

use crate::harness::{
    Backend,
    clock::timestamp,
    errors::refused,
    on_both_databases, request_id,
    samples::{MULTI, SINGLE, multi_domain_product, single_domain_product, term_price},
    world::World,
};

on_both_databases![
    a_product_has_versions_and_every_policy_field_is_answered,
    al_10_an_additional_license_costs_less_than_its_certificate,
    bl_8_the_past_never_changes,
    a_product_is_refused_with_every_fault_at_once,
    products_are_paged_in_the_order_of_their_bytes,
];

async fn a_product_has_versions_and_every_policy_field_is_answered(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let get = |selection| {
        let mut catalog = world.catalog();
        let ask = GetProductRequest {
            product_id: MULTI.to_owned(),
            selection,
        };
        async move {
            catalog
                .get_product(ask)
                .await
                .unwrap()
                .into_inner()
                .product
                .unwrap()
        }
    };
    let first = get(None).await;
    let policy = first.policy.unwrap();
    assert_eq!(policy.proration_convention(), ProrationConvention::Monthly);
    assert_eq!(
        (policy.full_refund_days, policy.no_refund_after_days),
        (Some(25), Some(30))
    );
    assert_eq!(
        (policy.renewal_open_days, policy.renewal_grace_days),
        (Some(90), Some(30))
    );
    assert_eq!(policy.outlive_tolerance_hours, Some(24));

    let bought = world.now();
    world.time.advance_days(1);
    let product = Product {
        display_name: "Renamed".to_owned(),
        ..multi_domain_product()
    };
    let request = UpdateProductRequest {
        product: Some(product),
        request_id: request_id(),
    };
    let second = world
        .catalog()
        .update_product(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(second.product.unwrap().version, 2);
    assert_eq!(
        (
            get(None).await.version,
            get(Some(Selection::Version(1))).await.version
        ),
        (2, 1)
    );
    assert_eq!(
        get(Some(Selection::AsOfTime(timestamp(bought))))
            .await
            .version,
        1
    );

    let other = Product {
        kind: ProductKind::SingleDomain.into(),
        max_domains: 1,
        ..multi_domain_product()
    };
    let request = UpdateProductRequest {
        product: Some(other),
        request_id: request_id(),
    };
    refused(world.catalog().update_product(request).await)
        .expect(Code::FailedPrecondition, "PRODUCT_KIND_MISMATCH");
    let taken = CreateProductRequest {
        product: Some(single_domain_product()),
        request_id: request_id(),
    };
    let taken = refused(world.catalog().create_product(taken).await)
        .expect(Code::AlreadyExists, "ALREADY_EXISTS");
    assert_eq!(taken.value("id"), SINGLE);
    let list = ListProductsRequest {
        kind: ProductKind::MultiDomain.into(),
        ..Default::default()
    };
    let list = world
        .catalog()
        .list_products(list)
        .await
        .unwrap()
        .into_inner();
    let listed: Vec<_> = list
        .products
        .iter()
        .map(|it| (it.product_id.as_str(), it.version))
        .collect();
    assert_eq!(listed, [(MULTI, 2)]);
}

fn set_prices(certificate: &str, additional: &str) -> SetPricesRequest {
    SetPricesRequest {
        product_id: MULTI.to_owned(),
        currency_code: "USD".to_owned(),
        prices: vec![term_price(12, [certificate, "1.00", "2.00", additional])],
        request_id: request_id(),
        ..SetPricesRequest::default()
    }
}

async fn al_10_an_additional_license_costs_less_than_its_certificate(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    world.time.advance_days(1);
    for additional in ["98.00", "99.00"] {
        let refusal = refused(
            world
                .catalog()
                .set_prices(set_prices("98.00", additional))
                .await,
        )
        .expect(
            Code::FailedPrecondition,
            "ADDITIONAL_LICENSE_PRICE_TOO_HIGH",
        );
        assert_eq!(refusal.value("term_months"), "12");
    }
    world
        .catalog()
        .set_prices(set_prices("98.00", "97.999999"))
        .await
        .unwrap();
}

async fn bl_8_the_past_never_changes(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let start = world.now();
    world.time.advance_days(10);
    let past = world
        .now()
        .checked_add(-TimeDelta::microseconds(1))
        .unwrap();
    let request = SetPricesRequest {
        effective_time: Some(timestamp(past)),
        ..set_prices("100.00", "10.00")
    };
    refused(world.catalog().set_prices(request).await)
        .expect(Code::FailedPrecondition, "EFFECTIVE_TIME_IN_PAST");
    let future = world.now().checked_add(TimeDelta::days(5)).unwrap();
    let request = SetPricesRequest {
        effective_time: Some(timestamp(future)),
        ..set_prices("100.00", "10.00")
    };
    world.catalog().set_prices(request).await.unwrap();
    let certificate_at = |as_of| {
        let mut catalog = world.catalog();
        let ask = ListPricesRequest {
            product_id: MULTI.to_owned(),
            as_of_time: Some(timestamp(as_of)),
            ..ListPricesRequest::default()
        };
        async move {
            let lists = catalog
                .list_prices(ask)
                .await
                .unwrap()
                .into_inner()
                .price_lists;
            let prices = &lists[0].prices;
            let year = prices.iter().find(|price| price.term_months == 12).unwrap();
            year.certificate.clone().unwrap().value
        }
    };
    assert_eq!(certificate_at(start).await, "98.00");
    assert_eq!(certificate_at(world.now()).await, "98.00");
    assert_eq!(certificate_at(future).await, "100.00");
}

async fn a_product_is_refused_with_every_fault_at_once(backend: Backend) {
    let world = World::start(backend).await;
    let product = Product {
        product_id: "Not An Id".to_owned(),
        display_name: String::new(),
        kind: ProductKind::Unspecified.into(),
        term_months: vec![12, 0, 12],
        included_domains: 5,
        max_domains: 2,
        max_additional_licenses: -1,
        ..Product::default()
    };
    let request = CreateProductRequest {
        product: Some(product),
        request_id: request_id(),
    };
    let refusal = refused(world.catalog().create_product(request).await)
        .expect(Code::InvalidArgument, "INVALID_FIELDS");
    let expected = [
        "product.display_name",
        "product.kind",
        "product.max_additional_licenses",
        "product.max_domains",
        "product.product_id",
        "product.term_months[1]",
    ];
    assert_eq!(refusal.paths(), expected);
}

async fn products_are_paged_in_the_order_of_their_bytes(backend: Backend) {
    let world = World::start(backend).await;
    // A language's collation would ignore the hyphen.
    for product_id in ["ab", "a-c", "a0", "a-b", "abc"] {
        let product = Product {
            product_id: product_id.to_owned(),
            ..multi_domain_product()
        };
        world.create_product(product).await;
    }
    let mut ask = ListProductsRequest {
        page_size: 2,
        ..ListProductsRequest::default()
    };
    let mut seen = Vec::new();
    loop {
        let page = world
            .catalog()
            .list_products(ask.clone())
            .await
            .unwrap()
            .into_inner();
        seen.extend(page.products.into_iter().map(|product| product.product_id));
        ask.page_token = page.next_page_token;
        if ask.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["a-b", "a-c", "a0", "ab", "abc"]);
}
