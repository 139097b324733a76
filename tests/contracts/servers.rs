//! AL-1, AL-6, AL-8, AL-11: on how many servers, with which software, a certificate may be used.

use licet_contracts::orders::v1::{
    ListServersRequest, PlaceOrderRequest, RegisterServerRequest, ServerState,
    UnregisterServerRequest,
};
use tonic::Code;

use crate::harness::{
    Backend,
    errors::refused,
    on_both_databases, request_id,
    samples::{shown, single_domain_request},
    world::World,
};

on_both_databases![
    al_8_the_third_server_is_refused_on_an_order_with_one_additional_license,
    al_8_of_many_servers_at_once_only_as_many_as_licensed_are_registered,
    al_6_a_second_software_or_common_name_is_refused,
    al_1_without_additional_licenses_there_is_one_server,
    al_11_a_server_needs_a_certificate_and_nothing_else,
    al_1_additional_licenses_are_bounded_and_charged_with_the_order,
];

async fn al_8_the_third_server_is_refused_on_an_order_with_one_additional_license(
    backend: Backend,
) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("100.00").await;
    let order = world.single_domain_order(&account_id, 1).await;
    world.record(&order.order_id).await;

    let mut first = None;
    for (host, primary, registered) in [("one", true, 1), ("two", false, 2)] {
        let answer = world
            .servers()
            .register_server(world.server(&order, host))
            .await
            .unwrap();
        let answer = answer.into_inner();
        assert_eq!(
            (answer.licensed_servers, answer.registered_servers),
            (2, registered)
        );
        let server = answer.server.unwrap();
        assert_eq!(
            (server.primary, server.state()),
            (primary, ServerState::Registered)
        );
        first.get_or_insert(server.server_id);
    }
    let third = refused(
        world
            .servers()
            .register_server(world.server(&order, "three"))
            .await,
    )
    .expect(Code::ResourceExhausted, "SERVER_LIMIT_REACHED");
    assert_eq!(
        (third.value("licensed"), third.value("registered")),
        ("2", "2")
    );

    let balance = world.balance(&account_id).await;
    let leave = UnregisterServerRequest {
        server_id: first.unwrap(),
        request_id: request_id(),
    };
    let left = world
        .servers()
        .unregister_server(leave.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(left.server.unwrap().state(), ServerState::Unregistered);
    assert_eq!((left.licensed_servers, left.registered_servers), (2, 1));
    assert_eq!(
        world.balance(&account_id).await,
        balance,
        "unregistering refunds nothing"
    );
    world
        .servers()
        .register_server(world.server(&order, "three"))
        .await
        .unwrap();
    // Unregistering again returns the server unchanged.
    let again = UnregisterServerRequest {
        request_id: request_id(),
        ..leave
    };
    let again = world
        .servers()
        .unregister_server(again)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again.server.unwrap().state(), ServerState::Unregistered);

    let list = ListServersRequest {
        order_id: order.order_id,
        ..ListServersRequest::default()
    };
    let list = world
        .servers()
        .list_servers(list)
        .await
        .unwrap()
        .into_inner();
    let hosts: Vec<_> = list
        .servers
        .iter()
        .map(|server| server.host_name.as_str())
        .collect();
    assert_eq!(hosts, ["one", "two", "three"]);
    assert_eq!((list.licensed_servers, list.registered_servers), (2, 2));
}

async fn al_8_of_many_servers_at_once_only_as_many_as_licensed_are_registered(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("200.00").await;
    let order = world.single_domain_order(&account_id, 4).await;
    world.record(&order.order_id).await;
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..16 {
        let server = world.server(&order, &format!("host-{number}"));
        let mut servers = world.servers();
        calls.spawn(async move { servers.register_server(server).await });
    }
    let mut primaries = Vec::new();
    while let Some(answer) = calls.join_next().await {
        match answer.unwrap() {
            Ok(answer) => primaries.push(answer.into_inner().server.unwrap().primary),
            Err(status) => {
                refused::<()>(Err(status)).expect(Code::ResourceExhausted, "SERVER_LIMIT_REACHED");
            }
        }
    }
    assert_eq!(primaries.len(), 5);
    assert_eq!(primaries.iter().filter(|primary| **primary).count(), 1);
}

async fn al_6_a_second_software_or_common_name_is_refused(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("100.00").await;
    let order = world.single_domain_order(&account_id, 1).await;
    world.record(&order.order_id).await;

    let other = RegisterServerRequest {
        server_software: "apache".to_owned(),
        ..world.server(&order, "one")
    };
    let other = refused(world.servers().register_server(other).await)
        .expect(Code::FailedPrecondition, "SERVER_SOFTWARE_MISMATCH");
    assert_eq!(
        (other.value("expected"), other.value("given")),
        ("nginx", "apache")
    );
    let other = RegisterServerRequest {
        common_name: "mail.example.com".to_owned(),
        ..world.server(&order, "one")
    };
    refused(world.servers().register_server(other).await)
        .expect(Code::FailedPrecondition, "COMMON_NAME_MISMATCH");
    let same = RegisterServerRequest {
        server_software: " NGINX ".to_owned(),
        common_name: "WWW.Example.COM.".to_owned(),
        ..world.server(&order, "one")
    };
    let answer = world
        .servers()
        .register_server(same)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.registered_servers, 1, "the refusal left nothing");
}

async fn al_1_without_additional_licenses_there_is_one_server(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("100.00").await;
    let order = world.single_domain_order(&account_id, 0).await;
    world.record(&order.order_id).await;
    world
        .servers()
        .register_server(world.server(&order, "one"))
        .await
        .unwrap();
    refused(
        world
            .servers()
            .register_server(world.server(&order, "two"))
            .await,
    )
    .expect(Code::ResourceExhausted, "SERVER_LIMIT_REACHED");
}

async fn al_11_a_server_needs_a_certificate_and_nothing_else(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("100.00").await;
    let order = world.single_domain_order(&account_id, 1).await;
    refused(
        world
            .servers()
            .register_server(world.server(&order, "one"))
            .await,
    )
    .expect(Code::FailedPrecondition, "ORDER_NOT_ISSUED");
    world.record(&order.order_id).await;
    world
        .servers()
        .register_server(world.server(&order, "one"))
        .await
        .unwrap();
}

async fn al_1_additional_licenses_are_bounded_and_charged_with_the_order(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let too_many = PlaceOrderRequest {
        request_id: request_id(),
        ..single_domain_request(&account_id, 11)
    };
    let too_many = refused(world.orders().place_order(too_many).await)
        .expect(Code::FailedPrecondition, "TOO_MANY_ADDITIONAL_LICENSES");
    assert_eq!(
        (too_many.value("maximum"), too_many.value("asked")),
        ("10", "11")
    );

    let order = world.single_domain_order(&account_id, 3).await;
    assert_eq!(order.additional_licenses, 3);
    // 60.00 for the certificate and 3 × 20.00.
    assert_eq!(world.balance(&account_id).await, "880.00 USD");
    let invoices = world.invoices_of(&order.order_id).await;
    let amounts: Vec<_> = invoices[0]
        .lines
        .iter()
        .map(|line| shown(line.amount.as_ref()))
        .collect();
    assert_eq!(amounts, ["60.00 USD", "60.00 USD"]);
}
