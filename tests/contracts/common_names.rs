//! MD-5, AL-6: a change makes another of the order's domains its common name once the certificate is
//! recorded.

use licet_contracts::orders::v1::{
    CancelDomainChangeRequest, ListOrderHistoryRequest, ListPendingIssuanceRequest,
    ListServersRequest, Order, PendingIssuance, PendingIssuanceReason, RenewOrderRequest,
    RequestReissueRequest, Server, UnregisterServerRequest, UpdateDomainsRequest,
    UpdateDomainsResponse,
};
use tonic::Code;

use super::{
    domains::Issued,
    renewal::{move_to_days_before_end, renew, renewal},
};
use crate::harness::{
    Backend, certificates,
    clock::instant,
    errors::{Refused, refused, take_apart},
    on_both_databases,
    process::{database_option, licet},
    request_id,
    samples::{change_request, issuance_of, names, shown, single_domain_request},
    world::World,
};

on_both_databases![
    md_5_another_name_is_made_the_common_name,
    md_5_a_cancelled_move_leaves_the_old_common_name,
    md_5_the_new_common_name_must_be_one_of_the_names,
    md_5_a_move_is_bound_to_its_quote,
    md_5_a_single_domain_order_replaces_its_name_until_its_first_certificate,
    md_5_further_servers_hold_the_common_name,
    md_5_a_bought_term_follows_the_move,
    md_5_a_renewal_bought_while_the_move_waits_has_the_wanted_one,
    md_5_history_and_verify_show_the_move,
];

const LIST: [&str; 3] = ["cn.example", "a.example", "b.example"];

pub(super) fn moving(
    order: &Order,
    to: &str,
    add: &[&str],
    remove: &[&str],
) -> UpdateDomainsRequest {
    UpdateDomainsRequest {
        common_name: to.to_owned(),
        ..change_request(&order.order_id, add, remove)
    }
}

pub(super) async fn update(world: &World, request: UpdateDomainsRequest) -> UpdateDomainsResponse {
    let answer = world.orders().update_domains(request).await;
    answer.unwrap().into_inner()
}

async fn refuse(world: &World, request: UpdateDomainsRequest) -> Refused {
    refused(world.orders().update_domains(request).await)
}

pub(super) async fn pending(world: &World) -> Vec<PendingIssuance> {
    let ask = ListPendingIssuanceRequest::default();
    let answer = world.certificates().list_pending_issuance(ask).await;
    answer.unwrap().into_inner().pending_issuances
}

pub(super) async fn servers(world: &World, order: &Order) -> Vec<Server> {
    let ask = ListServersRequest {
        order_id: order.order_id.clone(),
        ..ListServersRequest::default()
    };
    let answer = world.servers().list_servers(ask).await;
    answer.unwrap().into_inner().servers
}

pub(super) async fn cancel(world: &World, order: &Order) {
    let request = CancelDomainChangeRequest {
        order_id: order.order_id.clone(),
        request_id: request_id(),
        ..CancelDomainChangeRequest::default()
    };
    world.orders().cancel_domain_change(request).await.unwrap();
}

/// A certificate for these domains; the first is its common name.
pub(super) async fn certificate(
    world: &World,
    order: &Order,
    list: &[&str],
) -> Result<(), Refused> {
    let chain = certificates::chain_for(&names(list), world.now(), 90);
    let request = issuance_of(&order.order_id, chain);
    match world.certificates().record_issuance(request).await {
        Ok(_) => Ok(()),
        Err(status) => Err(take_apart(&status)),
    }
}

async fn md_5_another_name_is_made_the_common_name(backend: Backend) {
    let issued = Issued::new(backend, &LIST).await;
    let Issued {
        world,
        account_id,
        order,
    } = &issued;
    let balance = world.balance(account_id).await;
    // The same change removes the old common name, in any spelling.
    let answer = update(world, moving(order, "A.Example.", &[], &["cn.example"])).await;
    assert_eq!(answer.common_name, "a.example");
    assert_eq!(answer.names, names(&["a.example", "b.example"]));
    assert_eq!(shown(answer.quote.unwrap().total.as_ref()), "0.00 USD");
    let waiting = world.get_order(&order.order_id).await;
    assert_eq!(waiting.common_name, "cn.example", "unchanged so far");
    let change = waiting.pending_change.unwrap().domain_change.unwrap();
    assert_eq!(change.common_name, "a.example");
    let asked = pending(world).await;
    assert_eq!(asked[0].common_name, "a.example");
    assert_eq!(asked[0].reason(), PendingIssuanceReason::DomainChange);

    let other = certificate(world, order, &["b.example", "a.example"]).await;
    let other = other.unwrap_err();
    other.expect(Code::FailedPrecondition, "CERTIFICATE_MISMATCH");
    certificate(world, order, &["a.example", "b.example"])
        .await
        .unwrap();
    let moved = world.get_order(&order.order_id).await;
    assert_eq!(moved.common_name, "a.example");
    assert_eq!(moved.current_term.unwrap().common_name, "a.example");
    assert_eq!(moved.domains, names(&["a.example", "b.example"]));
    assert_eq!((moved.pending_change, pending(world).await), (None, vec![]));
    assert_eq!(world.balance(account_id).await, balance);

    // A change may only move the common name. Without a move, the present common name cannot be removed.
    let fixed = issued.refuse(&[], &["a.example"]).await;
    fixed.expect(Code::FailedPrecondition, "COMMON_NAME_FIXED");
    let alone = update(world, moving(order, "b.example", &[], &[])).await;
    assert_eq!(alone.names, names(&["a.example", "b.example"]));
    world.record(&order.order_id).await;
    assert_eq!(
        world.get_order(&order.order_id).await.common_name,
        "b.example"
    );
    let same = refuse(world, moving(order, "b.example", &[], &[])).await;
    same.expect(Code::FailedPrecondition, "NO_CHANGE");
    // A signing request is compared with the present common name.
    let csr = |list: &[&str]| RequestReissueRequest {
        order_id: order.order_id.clone(),
        csr: certificates::signing_request(&names(list)),
        request_id: request_id(),
    };
    let old = csr(&["a.example", "b.example"]);
    refused(world.orders().request_reissue(old).await)
        .expect(Code::FailedPrecondition, "CSR_MISMATCH");
    let new = csr(&["b.example", "a.example"]);
    world.orders().request_reissue(new).await.unwrap();
}

async fn md_5_a_cancelled_move_leaves_the_old_common_name(backend: Backend) {
    let issued = Issued::new(backend, &LIST).await;
    let Issued { world, order, .. } = &issued;
    let before = world.get_order(&order.order_id).await;
    update(
        world,
        moving(order, "d.example", &["d.example"], &["cn.example"]),
    )
    .await;
    cancel(world, order).await;
    let after = world.get_order(&order.order_id).await;
    assert_eq!(after.common_name, "cn.example");
    assert_eq!(
        (after.domains, after.pending_change),
        (before.domains, None)
    );
    assert_eq!(pending(world).await, vec![]);
}

async fn md_5_the_new_common_name_must_be_one_of_the_names(backend: Backend) {
    let issued = Issued::new(backend, &LIST).await;
    let Issued { world, order, .. } = &issued;
    for request in [
        moving(order, "z.example", &[], &[]),
        moving(order, "a.example", &[], &["a.example"]),
    ] {
        let absent = refuse(world, request).await;
        let absent = absent.expect(Code::FailedPrecondition, "DOMAIN_NOT_PRESENT");
        assert_eq!(absent.subjects().len(), 1);
    }
    let bad = refuse(world, moving(order, "not a name", &[], &[])).await;
    assert_eq!(bad.code, Code::InvalidArgument);
    let empty = refuse(world, change_request(&order.order_id, &[], &[])).await;
    assert_eq!(empty.code, Code::InvalidArgument);
    // Only one change at a time; a move is one.
    update(world, moving(order, "a.example", &[], &[])).await;
    let second = refuse(world, moving(order, "b.example", &[], &[])).await;
    second.expect(Code::FailedPrecondition, "CHANGE_IN_PROGRESS");
}

async fn md_5_a_move_is_bound_to_its_quote(backend: Backend) {
    let issued = Issued::new(backend, &LIST).await;
    let Issued {
        world,
        account_id,
        order,
    } = &issued;
    world.time.advance_months(6);
    let preview = UpdateDomainsRequest {
        validate_only: true,
        ..moving(order, "d.example", &["d.example"], &[])
    };
    let preview = update(world, preview).await;
    assert_eq!(preview.common_name, "d.example");
    let quote = preview.quote.unwrap();
    assert_eq!(shown(quote.total.as_ref()), "24.50 USD");
    let by_quote = |request: UpdateDomainsRequest| UpdateDomainsRequest {
        quote_id: quote.quote_id.clone(),
        ..request
    };
    let stays = by_quote(change_request(&order.order_id, &["d.example"], &[]));
    refuse(world, stays)
        .await
        .expect(Code::FailedPrecondition, "QUOTE_STALE");
    let balance = world.balance(account_id).await;
    update(
        world,
        by_quote(moving(order, "d.example", &["d.example"], &[])),
    )
    .await;
    assert_eq!(
        world.settled(&order.order_id).await.common_name,
        "cn.example"
    );
    assert_ne!(world.balance(account_id).await, balance);
    world.record(&order.order_id).await;
    assert_eq!(
        world.get_order(&order.order_id).await.common_name,
        "d.example"
    );
}

async fn md_5_a_single_domain_order_replaces_its_name_until_its_first_certificate(
    backend: Backend,
) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("100.00").await;
    let order = world.place(single_domain_request(&account_id, 0)).await;
    let old = order.common_name.clone();
    let replaced = || moving(&order, "new.example", &["new.example"], &[&old]);
    let both = refuse(&world, moving(&order, "new.example", &["new.example"], &[])).await;
    both.expect(Code::FailedPrecondition, "TOO_MANY_DOMAINS");
    let plain = refuse(
        &world,
        change_request(&order.order_id, &["new.example"], &[&old]),
    );
    plain
        .await
        .expect(Code::FailedPrecondition, "PRODUCT_KIND_MISMATCH");
    let answer = update(&world, replaced()).await;
    assert_eq!(answer.names, names(&["new.example"]));
    assert_eq!(world.balance(&account_id).await, "40.00 USD");
    let early = certificate(&world, &order, &[&old]).await.unwrap_err();
    early.expect(Code::FailedPrecondition, "CERTIFICATE_MISMATCH");
    world.record(&order.order_id).await;
    let issued = world.get_order(&order.order_id).await;
    assert_eq!(
        (issued.common_name.as_str(), issued.domains),
        ("new.example", names(&["new.example"]))
    );
    let back = moving(&order, &old, &[&old], &["new.example"]);
    refuse(&world, back)
        .await
        .expect(Code::FailedPrecondition, "COMMON_NAME_FIXED");
}

async fn md_5_further_servers_hold_the_common_name(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let mut request = crate::harness::samples::multi_domain_request(&account_id, &LIST);
    request.additional_licenses = 1;
    let order = world.place(request).await;
    world.record(&order.order_id).await;
    let register = |host: &'static str| world.server(&order, host);
    let mut api = world.servers();
    api.register_server(register("one")).await.unwrap();
    let second = api.register_server(register("two")).await.unwrap();
    let second = second.into_inner().server.unwrap().server_id;

    let held = refuse(&world, moving(&order, "a.example", &[], &[])).await;
    let held = held.expect(Code::FailedPrecondition, "FURTHER_SERVERS_REGISTERED");
    assert_eq!(held.value("registered"), "1");
    // Naming the present common name moves nothing.
    let plain = moving(&order, "cn.example", &["d.example"], &[]);
    let preview = UpdateDomainsRequest {
        validate_only: true,
        ..plain
    };
    update(&world, preview).await;
    let leave = UnregisterServerRequest {
        server_id: second,
        request_id: request_id(),
    };
    api.unregister_server(leave).await.unwrap();
    update(&world, moving(&order, "a.example", &[], &[])).await;
    let beside = refused(api.register_server(register("three")).await);
    beside.expect(Code::FailedPrecondition, "CHANGE_IN_PROGRESS");
    let common_names = |servers: Vec<Server>| {
        let names = servers.into_iter().map(|server| server.common_name);
        names.collect::<Vec<_>>()
    };
    assert_eq!(
        common_names(servers(&world, &order).await),
        ["cn.example"; 2]
    );

    // The primary server follows; the unregistered one keeps the old common name.
    world.record(&order.order_id).await;
    assert_eq!(
        common_names(servers(&world, &order).await),
        ["a.example", "cn.example"]
    );
    let old = refused(api.register_server(register("three")).await);
    old.expect(Code::FailedPrecondition, "COMMON_NAME_MISMATCH");
    let moved = world.get_order(&order.order_id).await;
    api.register_server(world.server(&moved, "three"))
        .await
        .unwrap();
}

async fn md_5_a_bought_term_follows_the_move(backend: Backend) {
    let issued = Issued::new(backend, &LIST).await;
    let Issued { world, order, .. } = &issued;
    world.deposit(&issued.account_id, "1000.00").await;
    move_to_days_before_end(world, order, 31);
    let request = RenewOrderRequest {
        domains: names(&["b.example"]),
        ..renewal(order, 12)
    };
    let renewed = renew(world, request).await.order.unwrap();
    assert_eq!(renewed.next_term.unwrap().common_name, "cn.example");
    // The next term was bought without this domain.
    let absent = refuse(world, moving(order, "a.example", &[], &[])).await;
    let absent = absent.expect(Code::FailedPrecondition, "DOMAIN_NOT_PRESENT");
    assert_eq!(absent.subjects(), ["a.example"]);
    update(world, moving(order, "b.example", &[], &["cn.example"])).await;
    // The certificate may not outlast the running term: the next was bought for fewer domains (MD-9).
    let list = names(&["b.example", "a.example"]);
    let chain = certificates::chain_for(&list, world.now(), 30);
    let report = issuance_of(&order.order_id, chain);
    world.certificates().record_issuance(report).await.unwrap();
    let moved = world.get_order(&order.order_id).await;
    let next = moved.next_term.unwrap();
    assert_eq!(
        (next.common_name.as_str(), next.domains),
        ("b.example", names(&["b.example"]))
    );
    // The next term awaits a certificate for its own domains, with that common name.
    world.time.move_to(instant(order.end_time));
    let asked = pending(world).await;
    assert_eq!(
        (asked[0].common_name.as_str(), &asked[0].names),
        ("b.example", &names(&["b.example"]))
    );
    world.record(&order.order_id).await;
    assert_eq!(pending(world).await, vec![]);
}

async fn md_5_a_renewal_bought_while_the_move_waits_has_the_wanted_one(backend: Backend) {
    let issued = Issued::new(backend, &LIST).await;
    let Issued { world, order, .. } = &issued;
    world.deposit(&issued.account_id, "1000.00").await;
    move_to_days_before_end(world, order, 31);
    update(world, moving(order, "a.example", &[], &["cn.example"])).await;
    let request = RenewOrderRequest {
        domains: names(&["b.example"]),
        ..renewal(order, 12)
    };
    let renewed = renew(world, request).await.order.unwrap();
    let next = renewed.next_term.unwrap();
    assert_eq!(
        (next.common_name.as_str(), next.domains),
        ("a.example", names(&["a.example", "b.example"]))
    );
    // Cancelling removes it from both terms; the next term has the old common name instead.
    cancel(world, order).await;
    let back = world.get_order(&order.order_id).await;
    assert_eq!(back.common_name, "cn.example");
    let next = back.next_term.unwrap();
    let without = names(&["b.example", "cn.example"]);
    assert_eq!(
        (next.common_name.as_str(), &next.domains),
        ("cn.example", &without)
    );
    world.time.move_to(instant(order.end_time));
    let started = world.get_order(&order.order_id).await;
    let change = started.pending_change.unwrap().domain_change.unwrap();
    assert_eq!(change.common_name, "cn.example");
    assert_eq!(change.names_after, without);
    world.record(&order.order_id).await;
    let issued = world.get_order(&order.order_id).await;
    assert_eq!(
        (issued.common_name.as_str(), issued.pending_change),
        ("cn.example", None)
    );
}

async fn md_5_history_and_verify_show_the_move(backend: Backend) {
    let issued = Issued::new(backend, &LIST).await;
    let Issued { world, order, .. } = &issued;
    update(world, moving(order, "a.example", &[], &[])).await;
    cancel(world, order).await;
    update(world, moving(order, "b.example", &[], &[])).await;
    world.record(&order.order_id).await;
    let ask = ListOrderHistoryRequest {
        order_id: order.order_id.clone(),
        ..ListOrderHistoryRequest::default()
    };
    let answer = world.orders().list_order_history(ask).await.unwrap();
    let told: Vec<(String, String)> = answer
        .into_inner()
        .entries
        .into_iter()
        .filter_map(|entry| {
            let data: serde_json::Value = serde_json::from_str(&entry.data_json).unwrap();
            let name = data["common_name"].as_str()?;
            let kind = entry.r#type.strip_prefix("licet.orders.").unwrap();
            Some((kind.to_owned(), name.to_owned()))
        })
        .collect();
    let told: Vec<(&str, &str)> = told
        .iter()
        .map(|(kind, name)| (kind.as_str(), name.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("certificate.recorded.v1", "cn.example"),
            ("domain_change.accepted.v1", "a.example"),
            ("domain_change.cancelled.v1", "cn.example"),
            ("domain_change.accepted.v1", "b.example"),
            ("certificate.recorded.v1", "b.example"),
        ]
    );
    let billing = database_option(&world.billing_location());
    let orders = database_option(&world.orders_location());
    let output = licet(&[
        "verify",
        "--billing-database",
        &billing,
        "--orders-database",
        &orders,
    ]);
    assert!(output.status.success(), "{output:?}");
}
