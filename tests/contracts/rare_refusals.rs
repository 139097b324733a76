//! provokes every refusal that few situations lead to, so that each reason in the contract's
//! "Refusals:" lists is seen. The tests of a rule provoke the usual ones.

use std::sync::Arc;

use licet_contracts::{
    billing::v1::{
        ChargeQuoteRequest, ChargeQuotesRequest, CreateProductRequest, LineKind, ListPricesRequest,
        Product, QuoteToCharge, RenderStatementRequest, ReverseEntryRequest, SetPricesRequest,
        UpdateProductRequest,
    },
    operations::v1::{CancelOperationRequest, ListOperationsRequest},
    orders::v1::{
        BeginIssuanceRequest, DeleteOrderRequest, Order, OrderState, PlaceOrderRequest,
        RenewOrderRequest, RequestReissueRequest, UpdateDomainsRequest,
    },
    sanlicensing::v1::ListRefusedRecordsRequest,
    types::v1::KeyType,
};
use licet_runtime::peer::{FaultPlan, Interference};
use tonic::{Code, Request, Response};

use super::domains::Issued;
use crate::harness::{
    Backend,
    books::BackDoor,
    clock::{instant, shifted, timestamp},
    errors::{reason, refused},
    ingest::{FEED, batch},
    on_both_databases,
    openssl::{Authority, Key},
    request_id,
    samples::{
        MULTI, change_request, issuance_of, multi_domain_product, multi_domain_request, names,
        term_price,
    },
    san::{
        BUNDLE, OTHER, accept_request, increase_request, quote_request, san_product, tier,
        tiers_request,
    },
    san_life::{add_request, cancel_request, renew_request, withdraw_request},
    selling::item,
    terms::period,
    world::World,
};

on_both_databases![
    x_2_billing_refuses_what_it_rarely_has_to,
    x_2_orders_refuses_what_it_rarely_has_to,
    x_2_a_renewal_refuses_what_it_rarely_has_to,
    x_2_what_draws_on_a_license_is_refused_without_it,
    x_2_san_licensing_refuses_what_it_rarely_has_to,
    x_2_a_license_takes_a_hundred_products,
    x_2_a_renewal_below_the_first_tier_has_no_price,
    x_7_a_license_under_an_operation_is_changed_by_nothing_else,
];

const DAY_MICROS: i64 = 86_400_000_000;

async fn x_2_billing_refuses_what_it_rarely_has_to(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let nowhere = || "nowhere".to_owned();
    let product = CreateProductRequest {
        product: Some(Product {
            product_id: nowhere(),
            effective_time: Some(timestamp(shifted(world.now(), -1))),
            ..multi_domain_product()
        }),
        request_id: request_id(),
    };
    let end = reason(world.catalog().create_product(product).await);
    assert_eq!(end, "EFFECTIVE_TIME_IN_PAST");
    let product = UpdateProductRequest {
        product: Some(Product {
            product_id: nowhere(),
            ..multi_domain_product()
        }),
        request_id: request_id(),
    };
    let end = reason(world.catalog().update_product(product).await);
    assert_eq!(end, "NOT_FOUND");
    let prices = ListPricesRequest {
        product_id: nowhere(),
        ..ListPricesRequest::default()
    };
    let end = reason(world.catalog().list_prices(prices).await);
    assert_eq!(end, "NOT_FOUND");
    world.create_product(san_product(BUNDLE)).await;
    let by_term = SetPricesRequest {
        product_id: BUNDLE.to_owned(),
        currency_code: "USD".to_owned(),
        prices: vec![term_price(12, ["98.00", "49.00", "149.00", "19.00"])],
        request_id: request_id(),
        ..SetPricesRequest::default()
    };
    let end = reason(world.catalog().set_prices(by_term).await);
    assert_eq!(end, "PRODUCT_KIND_MISMATCH");

    let account_id = world.account_with("100.00").await;
    let quote = world
        .quote(&account_id, vec![item(LineKind::Certificate, MULTI, 1)])
        .await;
    world.time.advance_days(40);
    let late = ChargeQuotesRequest {
        account_id: account_id.clone(),
        quotes: vec![QuoteToCharge {
            quote_id: quote.quote_id,
            pin: quote.pin,
        }],
        request_id: request_id(),
        ..ChargeQuotesRequest::default()
    };
    let end = reason(world.invoices().charge_quotes(late).await);
    assert_eq!(end, "QUOTE_EXPIRED");

    let most = "90000000000000000.00";
    let rich = world.empty_account().await;
    let start = world.now();
    world.deposit(&rich, most).await;
    let withdrawn = world.withdraw(&rich, most).await.unwrap();
    world.deposit(&rich, most).await;
    let reverse = ReverseEntryRequest {
        entry_id: withdrawn.entry.unwrap().entry_id,
        reason: "it was not paid out".to_owned(),
        request_id: request_id(),
        ..ReverseEntryRequest::default()
    };
    let end = reason(world.accounts().reverse_entry(reverse).await);
    assert_eq!(end, "AMOUNT_OUT_OF_RANGE");
    let statement = RenderStatementRequest {
        account_id: rich,
        period: Some(period(start, shifted(world.now(), 1))),
    };
    let end = reason(world.accounts().render_statement(statement).await);
    assert_eq!(end, "AMOUNT_OUT_OF_RANGE");

    // A price list from before the catalogue checked this (MD-4).
    let door = BackDoor::open(&world.billing_location()).await;
    door.run("UPDATE price_list SET prices = REPLACE(prices, '149000000', '39000000')")
        .await;
    drop(door);
    let difference = item(LineKind::WildcardDifference, MULTI, 1);
    let end = reason(
        world
            .preview_quote(&account_id, vec![difference])
            .await
            .map(Response::new),
    );
    assert_eq!(end, "WILDCARD_PRICE_TOO_LOW");
}

async fn x_2_orders_refuses_what_it_rarely_has_to(backend: Backend) {
    let Issued {
        world,
        account_id,
        order,
    } = Issued::new(backend, &["www.example.com"]).await;
    let begin = BeginIssuanceRequest {
        order_id: order.order_id.clone(),
        key_type: KeyType::Ecc.into(),
        not_after_time: Some(timestamp(world.usual_end())),
        request_id: request_id(),
    };
    let end = reason(world.certificates().begin_issuance(begin).await);
    assert_eq!(end, "ISSUANCE_NOT_PENDING");
    let weak = Authority::new().request(
        Key::Rsa(1024),
        "www.example.com",
        &names(&["www.example.com"]),
    );
    let reissue = RequestReissueRequest {
        order_id: order.order_id.clone(),
        csr: weak,
        request_id: request_id(),
    };
    let end = reason(world.orders().request_reissue(reissue).await);
    assert_eq!(end, "CSR_KEY_WEAK");

    let twins = [
        world
            .multi_domain_order(&account_id, &["twin.example"])
            .await,
        world
            .multi_domain_order(&account_id, &["twin.example"])
            .await,
    ];
    let report = world.issuance(&twins[0].order_id, &names(&["twin.example"]));
    let Some(licet_contracts::orders::v1::record_issuance_request::Certificate::CertificatePem(
        pem,
    )) = report.certificate.clone()
    else {
        panic!("the samples report PEM");
    };
    world.certificates().record_issuance(report).await.unwrap();
    let again = issuance_of(&twins[1].order_id, pem);
    let end = reason(world.certificates().record_issuance(again).await);
    assert_eq!(end, "ALREADY_EXISTS");

    world.create_product(san_product(BUNDLE)).await;
    let place = PlaceOrderRequest {
        product_id: BUNDLE.to_owned(),
        ..multi_domain_request(&account_id, &["other.example"])
    };
    let end = reason(world.orders().place_order(place).await);
    assert_eq!(end, "PRODUCT_KIND_MISMATCH");
}

fn renewal(order: &Order, months: i32) -> RenewOrderRequest {
    RenewOrderRequest {
        order_id: order.order_id.clone(),
        term_months: months,
        request_id: request_id(),
        ..RenewOrderRequest::default()
    }
}

async fn x_2_a_renewal_refuses_what_it_rarely_has_to(backend: Backend) {
    let Issued {
        mut world, order, ..
    } = Issued::new(backend, &["www.example.com", "*.example.com"]).await;
    let end = instant(order.end_time);
    world.time.move_to(shifted(end, -30 * DAY_MICROS));
    let narrower = |wildcards_allowed, term_months| UpdateProductRequest {
        product: Some(Product {
            wildcards_allowed,
            term_months,
            ..multi_domain_product()
        }),
        request_id: request_id(),
    };
    let update = narrower(false, vec![1, 12, 24]);
    world.catalog().update_product(update).await.unwrap();
    let end = reason(world.orders().renew_order(renewal(&order, 12)).await);
    assert_eq!(end, "WILDCARD_NOT_OFFERED");
    let update = narrower(true, vec![1, 12, 24, 36]);
    world.catalog().update_product(update).await.unwrap();
    let end = reason(world.orders().renew_order(renewal(&order, 36)).await);
    assert_eq!(end, "PRICE_NOT_SET");

    world.stop_billing().await;
    let renew = renewal(&order, 1);
    let answer = world.orders().renew_order(renew.clone()).await.unwrap();
    let pending = answer.into_inner().order.unwrap().pending_change.unwrap();
    let cancel = CancelOperationRequest {
        operation_id: pending.operation_id,
        request_id: request_id(),
    };
    world.operations().cancel_operation(cancel).await.unwrap();
    world.start_billing().await;
    let end = reason(world.orders().renew_order(renew).await);
    assert_eq!(end, "OPERATION_CANCELLED");

    // One of the two quotes of a change over two terms is charged by hand.
    world
        .orders()
        .renew_order(renewal(&order, 12))
        .await
        .unwrap();
    let preview = world
        .preview_domains(&order.order_id, &["a.example", "b.example"], &[])
        .await;
    let (quote, next) = (preview.quote.unwrap(), preview.next_term_quote.unwrap());
    let charge = ChargeQuoteRequest {
        quote_id: next.quote_id,
        pin: next.pin,
        request_id: request_id(),
        ..ChargeQuoteRequest::default()
    };
    world.invoices().charge_quote(charge).await.unwrap();
    let change = UpdateDomainsRequest {
        quote_id: quote.quote_id,
        ..change_request(&order.order_id, &["a.example", "b.example"], &[])
    };
    let end = reason(world.orders().update_domains(change).await);
    assert_eq!(end, "QUOTE_SPENT");
}

async fn x_2_what_draws_on_a_license_is_refused_without_it(backend: Backend) {
    let mut world = World::start_whole(backend).await;
    world.stock().await;
    world.stock_sans().await;
    let account_id = world.account_with("100000.00").await;
    let license = world.license(&account_id, 10).await;
    let place = |name: &str| PlaceOrderRequest {
        san_license_id: license.license_id.clone(),
        ..multi_domain_request(&account_id, &[name])
    };
    let order = world.place(place("www.example.com")).await;
    assert_eq!(order.state(), OrderState::Paid);

    let begin = BeginIssuanceRequest {
        order_id: order.order_id.clone(),
        key_type: KeyType::Ecc.into(),
        not_after_time: Some(timestamp(shifted(world.now(), DAY_MICROS))),
        request_id: request_id(),
    };
    world.stop_san_licensing(0).await;
    let pending = reason(world.certificates().begin_issuance(begin.clone()).await);
    assert_eq!(pending, "OPERATION_IN_PROGRESS");
    world.time.advance_days(2);
    world.start_san_licensing().await;
    world.settled(&order.order_id).await;
    let end = reason(world.certificates().begin_issuance(begin).await);
    assert_eq!(end, "CERTIFICATE_MISMATCH");

    let cancel = cancel_request(&license);
    world.san_licenses().cancel_license(cancel).await.unwrap();
    let end = reason(world.orders().place_order(place("b.example")).await);
    assert_eq!(end, "LICENSE_NOT_ACTIVE");
    let near = shifted(instant(order.end_time), -30 * DAY_MICROS);
    world.time.move_to(near);
    let end = reason(world.orders().renew_order(renewal(&order, 12)).await);
    assert_eq!(end, "LICENSE_NOT_ACTIVE");
    let delete = DeleteOrderRequest {
        order_id: order.order_id,
        request_id: request_id(),
        ..DeleteOrderRequest::default()
    };
    world.orders().delete_order(delete).await.unwrap();
}

/// A request of another caller, who sees only this account.
fn of_another<M>(message: M, account_id: &str) -> Request<M> {
    let mut request = Request::new(message);
    let metadata = request.metadata_mut();
    metadata.insert("licet-caller", "another".parse().unwrap());
    metadata.insert("licet-accounts", account_id.parse().unwrap());
    request
}

/// A licence may have 100 products and not one more (SL-10).
async fn x_2_a_license_takes_a_hundred_products(backend: Backend) {
    let world = World::start_with_san_licensing(backend).await;
    let ids: Vec<_> = (0..=100).map(|number| format!("san-{number}")).collect();
    for id in &ids {
        world.create_product(san_product(id)).await;
        let prices = tiers_request(id, vec![tier(1, "12.00")]);
        world.catalog().set_prices(prices).await.unwrap();
    }
    let account_id = world.account_with("1000000.00").await;
    let mut request = quote_request(&account_id, 1);
    request.product_ids = ids[..100].to_vec();
    let license = world.license_with(request).await;
    let further = add_request(&license, &ids[100]);
    let end = reason(world.san_licenses().add_product(further).await);
    assert_eq!(end, "TOO_MANY_PRODUCTS");
}

/// By the renewal, the product is sold from 10 SANs on (SL-7, SL-9).
async fn x_2_a_renewal_below_the_first_tier_has_no_price(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    world.time.advance_days(1);
    let prices = tiers_request(BUNDLE, vec![tier(10, "12.00")]);
    world.catalog().set_prices(prices).await.unwrap();
    let end = instant(license.term.as_ref().unwrap().period.unwrap().end_time);
    world.time.move_to(shifted(end, -30 * DAY_MICROS));
    let renew = renew_request(&license, 5);
    let end = reason(world.san_licenses().renew_license(renew).await);
    assert_eq!(end, "PRICE_NOT_SET");
}

async fn x_2_san_licensing_refuses_what_it_rarely_has_to(backend: Backend) {
    let (mut world, license) = World::start_licensed(backend, 10).await;
    world.ingest(1, vec![]).await;
    let elsewhere = world.empty_account().await;
    let list = ListRefusedRecordsRequest {
        feed_id: FEED.to_owned(),
        ..ListRefusedRecordsRequest::default()
    };
    let foreign = of_another(list, &elsewhere);
    let end = reason(world.san_ingest().list_refused_records(foreign).await);
    assert_eq!(end, "NOT_FOUND");
    let batches = tokio_stream::iter(vec![batch(2, vec![])]);
    let foreign = of_another(batches, &elsewhere);
    let mut answers = world
        .san_ingest()
        .ingest_certificates(foreign)
        .await
        .unwrap()
        .into_inner();
    let status = answers.message().await.unwrap_err();
    refused::<()>(Err(status)).expect(Code::NotFound, "NOT_FOUND");

    let account_id = world.account_in("EUR", "10.00").await;
    let draft = quote_request(&account_id, 1);
    let end = reason(world.san_licenses().quote_license(draft).await);
    assert_eq!(end, "PRICE_NOT_SET");

    // A cancelled acceptance, and one that is done.
    let mut other = quote_request(&license.account_id, 1);
    other.product_ids = vec![OTHER.to_owned()];
    let draft = world.quoted(other).await;
    world.stop_billing().await;
    let accept = accept_request(&draft.license_id);
    let answer = world.san_licenses().accept_license(accept.clone()).await;
    let pending = answer.unwrap().into_inner().license.unwrap();
    let cancel = CancelOperationRequest {
        operation_id: pending.pending_change.unwrap().operation_id,
        request_id: request_id(),
    };
    world
        .san_operations()
        .cancel_operation(cancel.clone())
        .await
        .unwrap();
    world.start_billing().await;
    let end = reason(world.san_licenses().accept_license(accept).await);
    assert_eq!(end, "OPERATION_CANCELLED");
    world.increase(&license, 20).await;
    let operations = ListOperationsRequest {
        resource_id: license.license_id.clone(),
        ..ListOperationsRequest::default()
    };
    let answer = world.san_operations().list_operations(operations).await;
    let done = answer.unwrap().into_inner().operations;
    let cancel = CancelOperationRequest {
        operation_id: done[0].operation_id.clone(),
        request_id: request_id(),
    };
    let end = reason(world.san_operations().cancel_operation(cancel).await);
    assert_eq!(end, "OPERATION_NOT_CANCELLABLE");
}

/// Loses every charge.
struct NoCharge;

impl FaultPlan for NoCharge {
    fn next(&self, path: &str) -> Interference {
        if path.ends_with("ChargeQuote") {
            Interference::LoseRequest
        } else {
            Interference::None
        }
    }
}

async fn x_7_a_license_under_an_operation_is_changed_by_nothing_else(backend: Backend) {
    let (mut world, license) = World::start_licensed(backend, 10).await;
    let mut other = quote_request(&license.account_id, 1);
    other.product_ids = vec![OTHER.to_owned()];
    let draft = world.quoted(other).await;
    world.interfere(Arc::new(NoCharge));
    world.stop_san_licensing(0).await;
    world.start_san_licensing().await;
    let mut licenses = world.san_licenses();
    let increase = increase_request(&license, 20);
    licenses.increase_quota(increase).await.unwrap();
    let accept = accept_request(&draft.license_id);
    licenses.accept_license(accept).await.unwrap();
    let ends = [
        reason(
            licenses
                .increase_quota(increase_request(&license, 30))
                .await,
        ),
        reason(licenses.add_product(add_request(&license, OTHER)).await),
        reason(licenses.cancel_license(cancel_request(&license)).await),
        reason(licenses.renew_license(renew_request(&license, 10)).await),
        reason(licenses.withdraw_quote(withdraw_request(&draft)).await),
        reason(
            licenses
                .accept_license(accept_request(&draft.license_id))
                .await,
        ),
    ];
    assert!(
        ends.iter().all(|end| end == "OPERATION_IN_PROGRESS"),
        "{ends:?}"
    );
}
