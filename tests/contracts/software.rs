//! AL-6: an order's server software can be corrected while no further server is registered.

use licet_contracts::orders::v1::{
    ListServersRequest, Server, ServerState, SetServerSoftwareRequest, UnregisterServerRequest,
};
use tonic::Code;

use crate::harness::{Backend, errors::refused, on_both_databases, request_id, world::World};

on_both_databases![
    al_6_the_software_is_corrected_with_the_primary_server,
    al_6_a_further_server_fixes_the_software,
    md_10_the_software_of_an_ended_order_stays,
];

fn software_request(order_id: &str, server_software: &str) -> SetServerSoftwareRequest {
    SetServerSoftwareRequest {
        order_id: order_id.to_owned(),
        server_software: server_software.to_owned(),
        request_id: request_id(),
    }
}

async fn issued(backend: Backend) -> (World, licet_contracts::orders::v1::Order) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let order = world.single_domain_order(&account_id, 2).await;
    world.record(&order.order_id).await;
    let order = world.get_order(&order.order_id).await;
    (world, order)
}

async fn servers(world: &World, order_id: &str) -> Vec<Server> {
    let ask = ListServersRequest {
        order_id: order_id.to_owned(),
        ..ListServersRequest::default()
    };
    let answer = world.servers().list_servers(ask).await.unwrap();
    answer.into_inner().servers
}

async fn al_6_the_software_is_corrected_with_the_primary_server(backend: Backend) {
    let (world, order) = issued(backend).await;
    let primary = world.server(&order, "www1");
    world.servers().register_server(primary).await.unwrap();
    let request = software_request(&order.order_id, "Apache");
    let answer = world.orders().set_server_software(request.clone()).await;
    let answer = answer.unwrap().into_inner();
    let after = answer.order.clone().unwrap();
    assert_eq!(after.server_software, "Apache");
    assert_eq!(after.revision, order.revision + 1);
    assert_eq!(
        servers(&world, &order.order_id).await[0].server_software,
        "Apache"
    );
    let again = world.orders().set_server_software(request).await.unwrap();
    assert_eq!(again.into_inner(), answer, "BL-2");

    let mut other = world.server(&order, "www2");
    refused(world.servers().register_server(other.clone()).await)
        .expect(Code::FailedPrecondition, "SERVER_SOFTWARE_MISMATCH");
    other.server_software = "apache".to_owned();
    other.request_id = request_id();
    world.servers().register_server(other).await.unwrap();
}

async fn al_6_a_further_server_fixes_the_software(backend: Backend) {
    let (world, order) = issued(backend).await;
    for host in ["www1", "www2"] {
        let server = world.server(&order, host);
        world.servers().register_server(server).await.unwrap();
    }
    let request = || software_request(&order.order_id, "apache");
    let fixed = refused(world.orders().set_server_software(request()).await);
    let fixed = fixed.expect(Code::FailedPrecondition, "FURTHER_SERVERS_REGISTERED");
    assert_eq!(fixed.value("registered"), "1");
    let list = servers(&world, &order.order_id).await;
    assert!(list.iter().all(|server| server.server_software == "nginx"));

    let further = list.iter().find(|server| !server.primary).unwrap();
    let leave = UnregisterServerRequest {
        server_id: further.server_id.clone(),
        request_id: request_id(),
    };
    world.servers().unregister_server(leave).await.unwrap();
    world.orders().set_server_software(request()).await.unwrap();
    for server in servers(&world, &order.order_id).await {
        let ran = if server.state() == ServerState::Registered {
            "apache"
        } else {
            "nginx"
        };
        assert_eq!(server.server_software, ran, "unregistered, unchanged");
    }
}

async fn md_10_the_software_of_an_ended_order_stays(backend: Backend) {
    let (world, order) = issued(backend).await;
    let bad = software_request("", &"x".repeat(101));
    let bad = refused(world.orders().set_server_software(bad).await);
    let bad = bad.expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad.paths(), ["order_id", "server_software"]);
    world.time.advance_months(12);
    let request = software_request(&order.order_id, "apache");
    refused(world.orders().set_server_software(request).await)
        .expect(Code::FailedPrecondition, "ORDER_ENDED");
    assert_eq!(
        world.get_order(&order.order_id).await.server_software,
        "nginx"
    );
}
