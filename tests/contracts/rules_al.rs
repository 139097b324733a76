//! AL-2, AL-5, AL-9, AL-11: additional licences are bought with an order or its renewal only, last as long
//! as the order, are named again at renewal and need no CSR. Other files test the other rules of AL.

use licet_contracts::{
    FILE_DESCRIPTOR_SET,
    billing::v1::LineKind,
    orders::v1::{
        ListServersRequest, Order, PlaceOrderRequest, RenewOrderRequest, Server, ServerState,
        UnregisterServerRequest,
    },
};
use prost::Message as _;
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet};
use tonic::Code;

use crate::harness::{
    Backend,
    clock::{instant, shifted},
    errors::refused,
    on_both_databases, request_id,
    samples::{multi_domain_request, shown},
    world::World,
};

on_both_databases![
    al_2_no_call_but_placing_and_renewal_brings_more_licenses,
    al_5_a_license_lasts_as_long_as_its_order,
    al_9_a_renewal_names_the_licenses_again_and_the_servers_to_keep,
    al_11_a_further_server_is_asked_for_no_paper,
];

/// The request messages of Orders.
fn requests() -> Vec<DescriptorProto> {
    let all = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
    let orders = all
        .file
        .into_iter()
        .filter(|file| file.package() == "licet.orders.v1");
    let messages = orders.flat_map(|file| file.message_type);
    messages
        .filter(|message| message.name().ends_with("Request"))
        .collect()
}

fn fields(message: &DescriptorProto) -> Vec<&str> {
    message
        .field
        .iter()
        .map(FieldDescriptorProto::name)
        .collect()
}

/// An issued order with two additional licences and a registered primary server.
async fn licensed(backend: Backend) -> (World, String, Order) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let request = PlaceOrderRequest {
        additional_licenses: 2,
        ..multi_domain_request(&account_id, &["www.example.com", "a.example"])
    };
    let order = world.place(request).await;
    world.record(&order.order_id).await;
    let first = world.server(&order, "one");
    world.servers().register_server(first).await.unwrap();
    (world, account_id, order)
}

async fn al_2_no_call_but_placing_and_renewal_brings_more_licenses(backend: Backend) {
    let requests = requests();
    let mut naming: Vec<_> = requests
        .iter()
        .filter(|message| fields(message).contains(&"additional_licenses"))
        .map(DescriptorProto::name)
        .collect();
    naming.sort_unstable();
    // Listing the options changes nothing.
    assert_eq!(
        naming,
        [
            "ListAdditionalLicenseOptionsRequest",
            "PlaceOrderRequest",
            "RenewOrderRequest"
        ]
    );

    let (world, _, order) = licensed(backend).await;
    world.time.advance_days(40);
    let add = &["b.example"];
    world.update_domains(&order.order_id, add, &[]).await;
    world.record(&order.order_id).await;
    let second = world.server(&order, "two");
    let second = world.servers().register_server(second).await.unwrap();
    let leave = UnregisterServerRequest {
        server_id: second.into_inner().server.unwrap().server_id,
        request_id: request_id(),
    };
    world.servers().unregister_server(leave).await.unwrap();
    let after = world.get_order(&order.order_id).await;
    assert_eq!(after.additional_licenses, 2);
    for host in ["two", "three"] {
        let server = world.server(&order, host);
        world.servers().register_server(server).await.unwrap();
    }
    let fourth = refused(
        world
            .servers()
            .register_server(world.server(&order, "four"))
            .await,
    );
    let fourth = fourth.expect(Code::ResourceExhausted, "SERVER_LIMIT_REACHED");
    assert!(
        fourth.message.contains("renew the order"),
        "{}",
        fourth.message
    );
}

async fn al_5_a_license_lasts_as_long_as_its_order(backend: Backend) {
    for message in requests() {
        let own = fields(&message);
        let licenses = own.iter().filter(|name| name.contains("license"));
        for name in licenses {
            assert!(
                matches!(*name, "additional_licenses" | "san_license_id"),
                "{}.{name} describes a licence apart from its order",
                message.name()
            );
        }
    }

    let (world, _, order) = licensed(backend).await;
    let term = order.current_term.clone().unwrap();
    let invoices = world.invoices_of(&order.order_id).await;
    let line = invoices[0]
        .lines
        .iter()
        .find(|line| line.kind() == LineKind::AdditionalLicense)
        .unwrap();
    assert_eq!((line.quantity, line.fraction.as_str()), (2, "1"));
    assert_eq!(line.charged_period, term.period, "the order's own term");
    assert_eq!(shown(line.amount.as_ref()), "38.00 USD");

    let end = instant(order.end_time);
    world.time.move_to(shifted(end, -1));
    let last = world.server(&order, "two");
    let last = world.servers().register_server(last).await.unwrap();
    let last = last.into_inner().server.unwrap();
    assert_eq!(last.state(), ServerState::Registered);
    world.time.move_to(end);
    let late = world.server(&order, "three");
    let late = refused(world.servers().register_server(late).await);
    late.expect(Code::FailedPrecondition, "ORDER_ENDED");
}

/// The label and state of each of the order's servers.
async fn servers(world: &World, order_id: &str) -> Vec<(String, ServerState)> {
    let ask = ListServersRequest {
        order_id: order_id.to_owned(),
        ..ListServersRequest::default()
    };
    let answer = world.servers().list_servers(ask).await.unwrap();
    let shown = |server: Server| {
        let state = server.state();
        (server.host_name, state)
    };
    answer.into_inner().servers.into_iter().map(shown).collect()
}

async fn al_9_a_renewal_names_the_licenses_again_and_the_servers_to_keep(backend: Backend) {
    let (world, account_id, order) = licensed(backend).await;
    let mut ids = Vec::new();
    for host in ["two", "three"] {
        let server = world.server(&order, host);
        let answer = world.servers().register_server(server).await.unwrap();
        ids.push(answer.into_inner().server.unwrap().server_id);
    }
    let end = instant(order.end_time);
    world.time.move_to(shifted(end, -86_400_000_000));
    let renewal = |additional_licenses: i32, keep: &[String]| RenewOrderRequest {
        order_id: order.order_id.clone(),
        term_months: 12,
        additional_licenses,
        keep_server_ids: keep.to_vec(),
        request_id: request_id(),
        ..RenewOrderRequest::default()
    };
    let before = world.get_order(&order.order_id).await;
    for (request, named) in [
        (renewal(1, &[]), "0"),
        (renewal(0, &[]), "0"),
        (renewal(1, &ids), "2"),
    ] {
        let which = refused(world.orders().renew_order(request).await);
        let which = which.expect(Code::FailedPrecondition, "SERVERS_TO_KEEP_REQUIRED");
        assert_eq!(
            (which.value("registered"), which.value("named")),
            ("3", named)
        );
    }
    let unknown = [ids[1].clone(), "srv_nonsense".to_owned()];
    let unknown = refused(world.orders().renew_order(renewal(1, &unknown)).await);
    let unknown = unknown.expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(unknown.paths(), ["keep_server_ids[1]"]);
    assert_eq!(world.get_order(&order.order_id).await, before);

    // One licence fewer, and the third server stays: each choice is made anew.
    let request = renewal(1, &ids[1..]);
    let bought = world.orders().renew_order(request).await.unwrap();
    let bought = bought.into_inner();
    assert_eq!(bought.lapsing_server_ids, ids[..1]);
    // 98.00, a domain for 49.00, a licence for 19.00.
    assert_eq!(shown(bought.quote.unwrap().total.as_ref()), "166.00 USD");
    assert_eq!(world.balance(&account_id).await, "649.00 USD");
    let registered = ServerState::Registered;
    let all = |second| {
        [("one", registered), ("two", second), ("three", registered)]
            .map(|(host, state)| (host.to_owned(), state))
    };
    world.time.move_to(shifted(end, -1));
    assert_eq!(servers(&world, &order.order_id).await, all(registered));
    world.time.move_to(end);
    assert_eq!(
        servers(&world, &order.order_id).await,
        all(ServerState::Lapsed)
    );
    let after = world.get_order(&order.order_id).await;
    assert_eq!(after.additional_licenses, 1);
    let third = refused(
        world
            .servers()
            .register_server(world.server(&order, "x"))
            .await,
    );
    let third = third.expect(Code::ResourceExhausted, "SERVER_LIMIT_REACHED");
    assert_eq!(
        (third.value("licensed"), third.value("registered")),
        ("2", "2")
    );
}

async fn al_11_a_further_server_is_asked_for_no_paper(backend: Backend) {
    let requests = requests();
    let asked = requests
        .iter()
        .find(|message| message.name() == "RegisterServerRequest")
        .unwrap();
    assert_eq!(
        fields(asked),
        [
            "order_id",
            "host_name",
            "server_software",
            "common_name",
            "request_id"
        ],
        "no CSR, no enrolment, no authentication"
    );
    let (world, account_id, order) = licensed(backend).await;
    let before = (
        world.balance(&account_id).await,
        world.get_order(&order.order_id).await,
    );
    let second = world.server(&order, "two");
    let second = world.servers().register_server(second).await.unwrap();
    assert_eq!(second.into_inner().registered_servers, 2);
    let after = world.get_order(&order.order_id).await;
    assert_eq!(after.pending_change, None, "it may serve at once");
    assert_eq!(after.certificate_id, before.1.certificate_id);
    assert_eq!(world.balance(&account_id).await, before.0);
}
