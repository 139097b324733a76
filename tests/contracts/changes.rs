//! MD-5, MD-7: which changes of its domains an order permits, and when a change is done.

use chrono::TimeDelta;
use licet_contracts::{
    billing::v1::{Policy, Product, Supersede, supersede::Handling},
    orders::v1::{CertificateState, GetCertificateRequest, OrderState, UpdateDomainsRequest},
};
use tonic::Code;

use super::domains::Issued;
use crate::harness::{
    Backend,
    clock::instant,
    errors::{refused, take_apart},
    on_both_databases, request_id,
    samples::{change_request, multi_domain_product, multi_domain_request, names, term_price},
    world::World,
};

on_both_databases![
    md_5_names_are_compared_canonically_and_the_common_name_stays,
    md_7_a_second_change_waits_for_the_certificate,
    md_7_before_the_first_issuance_a_second_change_waits_too,
    md_7_the_policy_says_when_the_old_certificate_is_revoked,
    changes_that_the_product_or_the_order_forbid,
    md_7_of_many_changes_at_once_one_is_made,
];

async fn md_5_names_are_compared_canonically_and_the_common_name_stays(backend: Backend) {
    let issued = Issued::new(
        backend,
        &["WWW.Example.COM", "B.Example.", "bücher.example"],
    )
    .await;
    let canonical = names(&["b.example", "www.example.com", "xn--bcher-kva.example"]);
    assert_eq!(issued.domains().await, canonical);
    assert_eq!(issued.order.common_name, "www.example.com");

    let there = issued.refuse(&["b.EXAMPLE", "new.example"], &[]).await;
    let there = there.expect(Code::FailedPrecondition, "DOMAIN_ALREADY_PRESENT");
    assert_eq!(there.subjects(), ["b.example"]);
    let absent = issued.refuse(&[], &["z.example", "b.example."]).await;
    let absent = absent.expect(Code::FailedPrecondition, "DOMAIN_NOT_PRESENT");
    assert_eq!(absent.subjects(), ["z.example"]);
    let fixed = issued.refuse(&["c.example"], &["www.EXAMPLE.com."]).await;
    let fixed = fixed.expect(Code::FailedPrecondition, "COMMON_NAME_FIXED");
    assert_eq!(fixed.value("common_name"), "www.example.com");
    let twice = issued
        .refuse(&["c.example", "d.example", "C.example."], &[])
        .await;
    let twice = twice.expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(twice.paths(), ["add_domains[2]"]);
    let both = issued.refuse(&["b.example"], &["B.example"]).await;
    both.expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(issued.domains().await, canonical);
    assert_eq!(issued.change(&[], &["BÜCHER.example"]).await, "0.00 USD");
}

async fn md_7_a_second_change_waits_for_the_certificate(backend: Backend) {
    let issued = Issued::new(backend, &["www.example.com", "a.example"]).await;
    let Issued { world, order, .. } = &issued;
    let old = world.get_order(&order.order_id).await.certificate_id;
    world.time.advance_days(30);
    world
        .update_domains(&order.order_id, &["b.example"], &[])
        .await;
    let waiting = world.get_order(&order.order_id).await;
    assert_eq!(
        waiting.domains,
        names(&["a.example", "www.example.com"]),
        "the old domains stay until then"
    );
    assert_eq!(waiting.certificate_id, old);

    let second = issued.refuse(&["c.example"], &[]).await;
    let second = second.expect(Code::FailedPrecondition, "CHANGE_IN_PROGRESS");
    assert_eq!(second.value("order_id"), order.order_id);
    let new = world.record(&order.order_id).await;
    let done = world.get_order(&order.order_id).await;
    assert_eq!(done.certificate_id, new.certificate_id);
    assert_eq!(
        done.domains,
        names(&["a.example", "b.example", "www.example.com"])
    );

    let state = || async {
        let ask = GetCertificateRequest {
            certificate_id: old.clone(),
        };
        let answer = world
            .certificates()
            .get_certificate(ask)
            .await
            .unwrap()
            .into_inner();
        answer.certificate.unwrap()
    };
    let superseded = state().await;
    assert_eq!(superseded.state(), CertificateState::Superseded);
    let revoke_time = instant(superseded.revoke_time);
    assert_eq!(
        Some(revoke_time),
        world.now().checked_add(TimeDelta::hours(72))
    );
    world
        .time
        .advance(TimeDelta::hours(72) - TimeDelta::microseconds(1));
    assert_eq!(state().await.state(), CertificateState::Superseded);
    world.time.advance(TimeDelta::microseconds(1));
    assert_eq!(state().await.state(), CertificateState::Revoked);
    issued.change(&["c.example"], &[]).await;
}

async fn md_7_before_the_first_issuance_a_second_change_waits_too(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let order = world
        .multi_domain_order(&account_id, &["www.example.com"])
        .await;
    world
        .update_domains(&order.order_id, &["b.example"], &[])
        .await;
    let second = change_request(&order.order_id, &["c.example"], &[]);
    refused(world.orders().update_domains(second).await)
        .expect(Code::FailedPrecondition, "CHANGE_IN_PROGRESS");
    world.record(&order.order_id).await;
    let done = world.get_order(&order.order_id).await;
    assert_eq!(done.domains, names(&["b.example", "www.example.com"]));
    assert_eq!(done.state(), OrderState::Issued);
}

async fn md_7_the_policy_says_when_the_old_certificate_is_revoked(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    for (product_id, handling, hours) in [
        ("revoked-at-once", Handling::AfterHours(0), Some(0)),
        ("revoked-never", Handling::Never(true), None),
    ] {
        let policy = Policy {
            supersede: Some(Supersede {
                handling: Some(handling),
            }),
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
        let mut request = multi_domain_request(&account_id, &["www.example.com", "a.example"]);
        request.product_id = product_id.to_owned();
        let order = world.place(request).await;
        let old = world.record(&order.order_id).await;
        world
            .update_domains(&order.order_id, &["b.example"], &["a.example"])
            .await;
        world.record(&order.order_id).await;
        let ask = GetCertificateRequest {
            certificate_id: old.certificate_id,
        };
        let old = world
            .certificates()
            .get_certificate(ask)
            .await
            .unwrap()
            .into_inner();
        let old = old.certificate.unwrap();
        let revoke = hours.map(|hours| world.now().checked_add(TimeDelta::hours(hours)).unwrap());
        assert_eq!(
            old.revoke_time.map(|time| instant(Some(time))),
            revoke,
            "{product_id}"
        );
    }
}

async fn changes_that_the_product_or_the_order_forbid(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let product = Product {
        product_id: "plain".to_owned(),
        wildcards_allowed: false,
        max_domains: 3,
        ..multi_domain_product()
    };
    world.create_product(product).await;
    world
        .set_prices(
            "plain",
            vec![term_price(12, ["98.00", "49.00", "149.00", "19.00"])],
        )
        .await;
    let account_id = world.account_with("1000.00").await;
    let mut request = multi_domain_request(&account_id, &["www.example.com", "a.example"]);
    request.product_id = "plain".to_owned();
    let order = world.place(request).await;
    world.record(&order.order_id).await;
    let issued = Issued {
        world,
        account_id,
        order,
    };

    let wildcard = issued.refuse(&["*.b.example"], &[]).await;
    let wildcard = wildcard.expect(Code::FailedPrecondition, "WILDCARD_NOT_OFFERED");
    assert_eq!(wildcard.subjects(), ["*.b.example"]);
    let many = issued.refuse(&["b.example", "c.example"], &[]).await;
    let many = many.expect(Code::FailedPrecondition, "TOO_MANY_DOMAINS");
    assert_eq!((many.value("maximum"), many.value("asked")), ("3", "4"));
    // A refusal lists every reason at once.
    let both = issued
        .refuse(&["*.b.example", "a.example", "c.example"], &[])
        .await;
    assert_eq!(both.subjects(), ["*.b.example", "a.example", "plain"]);

    let single = issued
        .world
        .single_domain_order(&issued.account_id, 0)
        .await;
    let other = change_request(&single.order_id, &["b.example"], &[]);
    refused(issued.world.orders().update_domains(other).await)
        .expect(Code::FailedPrecondition, "PRODUCT_KIND_MISMATCH");
    let nothing = UpdateDomainsRequest {
        order_id: issued.order.order_id.clone(),
        request_id: request_id(),
        ..UpdateDomainsRequest::default()
    };
    refused(issued.world.orders().update_domains(nothing).await)
        .expect(Code::InvalidArgument, "INVALID_FIELDS");
    issued.world.time.advance_months(12);
    let ended = issued.refuse(&["b.example"], &[]).await;
    ended.expect(Code::FailedPrecondition, "ORDER_ENDED");
    assert_eq!(
        issued.world.get_order(&issued.order.order_id).await.state(),
        OrderState::Ended
    );
}

async fn md_7_of_many_changes_at_once_one_is_made(backend: Backend) {
    let issued = Issued::new(backend, &["www.example.com"]).await;
    let Issued {
        world,
        account_id,
        order,
    } = &issued;
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..12 {
        let name = format!("n{number}.example");
        let change = change_request(&order.order_id, &[&name], &[]);
        let mut orders = world.orders();
        calls.spawn(async move { orders.update_domains(change).await });
    }
    let mut made = 0;
    while let Some(answer) = calls.join_next().await {
        match answer.unwrap() {
            Ok(_) => made += 1,
            Err(status) => {
                let refusal = take_apart(&status);
                let reason = refusal.reason.as_str();
                assert!(
                    matches!(reason, "CHANGE_IN_PROGRESS" | "OPERATION_IN_PROGRESS"),
                    "{refusal:?}"
                );
            }
        }
    }
    assert_eq!(made, 1);
    assert_eq!(
        world.balance(account_id).await,
        "853.00 USD",
        "one domain was charged"
    );
    world.record(&order.order_id).await;
    assert_eq!(issued.domains().await.len(), 2);
}
