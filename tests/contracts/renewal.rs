//! MD-10, AL-9, T-2: when an order can be renewed, what the new term costs, and which servers stay in it.

use ServerState::{Lapsed, Registered, Unregistered};
use chrono::TimeDelta;
use licet_contracts::{
    billing::v1::LineKind,
    operations::v1::OperationKind,
    orders::v1::{
        ListServersRequest, Order, OrderState, PlaceOrderRequest, RegisterServerRequest,
        RenewOrderRequest, RenewOrderResponse, RequestReissueRequest, Server, ServerState,
        UnregisterServerRequest,
    },
};
use licet_domain::ids::{QuoteId, ServerId};
use tokio::task::JoinSet;
use tonic::Code;

use super::domains::Issued;
use crate::harness::{
    Backend,
    clock::{instant, shifted},
    errors::{Refused, refused},
    eventually, on_both_databases, request_id,
    samples::{MULTI, change_request, multi_domain_request, names, shown, term_price},
    world::World,
};

on_both_databases![
    md_10_the_window_is_from_90_days_before_the_end_to_30_days_after,
    md_10_the_new_term_is_bought_at_the_prices_of_the_day,
    md_10_a_late_renewal_starts_at_the_old_end,
    md_10_a_term_that_would_be_over_is_not_sold,
    md_10_an_ended_order_permits_renewal_only,
    md_6_a_renewals_quote_is_charged_exactly_and_for_that_renewal_only,
    al_9_additional_licenses_are_named_again_and_none_is_none,
    al_9_who_has_too_many_servers_names_those_that_stay,
    t_2_months_are_counted_from_the_first_start,
    bl_6_a_renewal_that_cannot_be_paid_leaves_the_order_as_it_was,
    bl_2_a_repeated_renewal_buys_one_term,
    x_7_a_renewal_accepted_while_billing_is_away_is_made_as_of_its_day,
    bad_renewals_are_refused_with_every_field,
];

pub(super) fn renewal(order: &Order, months: i32) -> RenewOrderRequest {
    RenewOrderRequest {
        order_id: order.order_id.clone(),
        term_months: months,
        request_id: request_id(),
        ..RenewOrderRequest::default()
    }
}

pub(super) async fn renew(world: &World, request: RenewOrderRequest) -> RenewOrderResponse {
    let answer = world.orders().renew_order(request).await.unwrap();
    answer.into_inner()
}

pub(super) async fn refuse(world: &World, request: RenewOrderRequest) -> Refused {
    refused(world.orders().renew_order(request).await)
}

/// Moves the clock to `days` before the order's end, or after it if negative.
pub(super) fn move_to_days_before_end(world: &World, order: &Order, days: i64) {
    let end = instant(order.end_time);
    let then = end.checked_add(TimeDelta::days(-days)).unwrap();
    world.time.move_to(then);
}

pub(super) async fn servers(world: &World, order: &Order) -> (Vec<Server>, i32, i32) {
    let ask = ListServersRequest {
        order_id: order.order_id.clone(),
        ..ListServersRequest::default()
    };
    let answer = world.servers().list_servers(ask).await.unwrap();
    let answer = answer.into_inner();
    (
        answer.servers,
        answer.licensed_servers,
        answer.registered_servers,
    )
}

fn states(servers: &[Server]) -> Vec<ServerState> {
    servers.iter().map(Server::state).collect()
}

async fn md_10_the_window_is_from_90_days_before_the_end_to_30_days_after(backend: Backend) {
    let Issued { world, order, .. } = Issued::new(backend, &["www.example.com"]).await;
    let end = instant(order.end_time);
    let open = end.checked_add(TimeDelta::days(-90)).unwrap();
    world.time.move_to(shifted(open, -1));
    let early = refuse(&world, renewal(&order, 12)).await;
    let early = early.expect(Code::FailedPrecondition, "RENEWAL_TOO_EARLY");
    assert_eq!(early.value("from_time"), open.to_string());
    assert_eq!(early.value("end_time"), end.to_string());
    assert_eq!(world.get_order(&order.order_id).await.next_term, None);

    world.time.move_to(open);
    let renewed = renew(&world, renewal(&order, 12)).await.order.unwrap();
    assert_eq!(renewed.state(), OrderState::Issued);
    let next = renewed.next_term.clone().unwrap();
    let period = next.period.unwrap();
    assert_eq!(instant(period.start_time), end);
    assert_eq!(
        instant(period.end_time),
        end.checked_add_months(12).unwrap()
    );
    assert_eq!(renewed.end_time, period.end_time);
    assert_eq!(
        (next.term_index, next.domains),
        (1, names(&["www.example.com"]))
    );
    assert_eq!(next.invoice_ids.len(), 1);
    let again = refuse(&world, renewal(&order, 12)).await;
    let again = again.expect(Code::FailedPrecondition, "RENEWAL_ALREADY_BOUGHT");
    assert_eq!(again.value("start_time"), end.to_string());

    // 30 days after the second term's end, no third term can be bought.
    let last = instant(renewed.end_time);
    world
        .time
        .move_to(last.checked_add(TimeDelta::days(30)).unwrap());
    let late = refuse(&world, renewal(&order, 12)).await;
    let late = late.expect(Code::FailedPrecondition, "RENEWAL_TOO_LATE");
    assert_eq!(late.value("until_time"), world.now().to_string());
    assert_eq!(late.value("end_time"), last.to_string());
}

async fn md_10_the_new_term_is_bought_at_the_prices_of_the_day(backend: Backend) {
    let issued = Issued::new(backend, &["www.example.com", "a.example"]).await;
    let Issued {
        world,
        account_id,
        order,
    } = &issued;
    let balance = world.balance(account_id).await;
    assert_eq!(balance, "853.00 USD");
    move_to_days_before_end(world, order, 60);
    world
        .set_prices(
            MULTI,
            vec![term_price(12, ["110.00", "55.00", "160.00", "21.00"])],
        )
        .await;
    world.time.advance_days(1);

    let preview = RenewOrderRequest {
        additional_licenses: 2,
        validate_only: true,
        ..renewal(order, 12)
    };
    let previewed = renew(world, preview).await;
    let quote = previewed.quote.unwrap();
    let lines: Vec<_> = quote
        .lines
        .iter()
        .map(|line| (line.kind(), line.quantity, shown(line.amount.as_ref())))
        .collect();
    let expected = [
        (LineKind::Certificate, 1, "110.00 USD"),
        (LineKind::Domain, 1, "55.00 USD"),
        (LineKind::AdditionalLicense, 2, "42.00 USD"),
    ];
    assert_eq!(
        lines,
        expected.map(|(kind, n, sum)| (kind, n, sum.to_owned()))
    );
    let rules: Vec<_> = quote
        .lines
        .iter()
        .map(|line| line.rule_id.as_str())
        .collect();
    assert_eq!(rules, ["MD-10", "MD-10", "AL-9"]);
    let subject = quote.subject.unwrap();
    assert_eq!(
        (subject.resource_id, subject.term_index),
        (order.order_id.clone(), 1)
    );
    assert_eq!(previewed.term.unwrap().additional_licenses, 2);
    assert_eq!(previewed.order.unwrap().next_term, None);
    assert_eq!(
        world.balance(account_id).await,
        balance,
        "a preview charges nothing"
    );
    assert_eq!(world.get_order(&order.order_id).await.next_term, None);

    let request = RenewOrderRequest {
        additional_licenses: 2,
        ..renewal(order, 12)
    };
    let renewed = renew(world, request).await;
    let total = renewed.quote.unwrap().total;
    assert_eq!(shown(total.as_ref()), "207.00 USD");
    assert_eq!(world.balance(account_id).await, "646.00 USD");
    let renewed = renewed.order.unwrap();
    // The running term gets none: they are bought only with a term (AL-2).
    assert_eq!(renewed.additional_licenses, 0);
    world.time.move_to(instant(order.end_time));
    let started = world.get_order(&order.order_id).await;
    assert_eq!((started.additional_licenses, started.next_term), (2, None));
    let term = started.current_term.unwrap();
    assert_eq!((term.term_index, term.paid_standard_domains), (1, 2));
    assert_eq!(term.product_version, 1);
}

async fn md_10_a_late_renewal_starts_at_the_old_end(backend: Backend) {
    let Issued { world, order, .. } = Issued::new(backend, &["www.example.com"]).await;
    let end = instant(order.end_time);
    move_to_days_before_end(&world, &order, -20);
    assert_eq!(
        world.get_order(&order.order_id).await.state(),
        OrderState::Ended
    );
    let answer = renew(&world, renewal(&order, 12)).await;
    let period = answer.term.unwrap().period.unwrap();
    assert_eq!(instant(period.start_time), end);
    let renewed = answer.order.unwrap();
    assert_eq!(renewed.state(), OrderState::Issued);
    // The new term runs already: no day is lost, and none is paid twice.
    let running = renewed.current_term.unwrap();
    assert_eq!((running.term_index, running.period), (1, Some(period)));
    assert_eq!((running.invoice_ids.len(), renewed.next_term), (1, None));
    assert_eq!(renewed.end_time, period.end_time);
    let line = &answer.quote.unwrap().lines[0];
    assert_eq!(
        (line.fraction.as_str(), line.charged_period),
        ("1", Some(period))
    );
    // The old certificate has expired; a new one can be requested.
    let reissue = RequestReissueRequest {
        order_id: order.order_id.clone(),
        request_id: request_id(),
        ..RequestReissueRequest::default()
    };
    world.orders().request_reissue(reissue).await.unwrap();
    let certificate = world.record(&order.order_id).await;
    let issued = world.get_order(&order.order_id).await;
    assert_eq!(issued.certificate_id, certificate.certificate_id);
}

async fn md_10_a_term_that_would_be_over_is_not_sold(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    world.time.move_to("2027-12-31T00:00:00Z".parse().unwrap());
    let account_id = world.account_with("1000.00").await;
    let month = PlaceOrderRequest {
        term_months: 1,
        ..multi_domain_request(&account_id, &["www.example.com"])
    };
    let order = world.place(month).await;
    assert_eq!(world.balance(&account_id).await, "988.00 USD");
    // The order ends on 31 January. A month later is 29 February; 30 days later is 1 March.
    let over = "2028-02-29T00:00:00Z".parse().unwrap();
    world.time.move_to(shifted(over, -1));
    let previewed = RenewOrderRequest {
        validate_only: true,
        ..renewal(&order, 1)
    };
    let quote = renew(&world, previewed.clone()).await.quote.unwrap();
    world.time.move_to(over);
    let named = RenewOrderRequest {
        quote_id: quote.quote_id,
        ..renewal(&order, 1)
    };
    for request in [previewed, named, renewal(&order, 1)] {
        let late = refuse(&world, request).await;
        let late = late.expect(Code::FailedPrecondition, "TERM_ENDED");
        assert_eq!(late.value("order_id"), order.order_id);
        assert_eq!(late.value("end_time"), over.to_string());
        assert_eq!(late.value("change_time"), over.to_string());
    }
    assert_eq!(world.balance(&account_id).await, "988.00 USD");
    assert_eq!(world.invoices_of(&order.order_id).await.len(), 1);
    // A longer term would not be over.
    let year = renew(&world, renewal(&order, 12)).await.order.unwrap();
    assert_eq!(year.state(), OrderState::Paid);
}

async fn md_10_an_ended_order_permits_renewal_only(backend: Backend) {
    let Issued { world, order, .. } = Issued::new(backend, &["www.example.com"]).await;
    move_to_days_before_end(&world, &order, 0);
    let id = &order.order_id;
    let until = instant(order.end_time)
        .checked_add(TimeDelta::days(30))
        .unwrap();
    let change = change_request(id, &["a.example"], &[]);
    let server: RegisterServerRequest = world.server(&order, "one");
    for refusal in [
        refused(world.orders().update_domains(change).await),
        refused(world.servers().register_server(server).await),
    ] {
        let ended = refusal.expect(Code::FailedPrecondition, "ORDER_ENDED");
        assert_eq!(ended.value("state"), "ENDED");
        assert_eq!(ended.value("renewable_until_time"), until.to_string());
    }
    renew(&world, renewal(&order, 1)).await;
    let server = world.server(&order, "one");
    world.servers().register_server(server).await.unwrap();
}

async fn md_6_a_renewals_quote_is_charged_exactly_and_for_that_renewal_only(backend: Backend) {
    let issued = Issued::new(backend, &["www.example.com"]).await;
    let Issued {
        world,
        account_id,
        order,
    } = &issued;
    move_to_days_before_end(world, order, 30);
    let preview = RenewOrderRequest {
        validate_only: true,
        ..renewal(order, 12)
    };
    let quote = renew(world, preview.clone()).await.quote.unwrap();
    assert_eq!(shown(quote.total.as_ref()), "98.00 USD");
    world.time.advance(TimeDelta::minutes(5));
    world
        .set_prices(
            MULTI,
            vec![term_price(12, ["110.00", "55.00", "160.00", "21.00"])],
        )
        .await;
    let with_quote = |request: RenewOrderRequest| RenewOrderRequest {
        quote_id: quote.quote_id.clone(),
        ..request
    };
    let more = with_quote(RenewOrderRequest {
        additional_licenses: 1,
        ..renewal(order, 12)
    });
    refuse(world, more)
        .await
        .expect(Code::FailedPrecondition, "QUOTE_STALE");
    let unknown = RenewOrderRequest {
        quote_id: QuoteId::generate().to_string(),
        ..renewal(order, 12)
    };
    refuse(world, unknown)
        .await
        .expect(Code::NotFound, "NOT_FOUND");
    let balance = world.balance(account_id).await;
    assert_eq!(balance, "902.00 USD");
    renew(world, with_quote(renewal(order, 12))).await;
    assert_eq!(world.balance(account_id).await, "804.00 USD");
    let invoices = world.invoices_of(&order.order_id).await;
    assert_eq!(invoices[1].quote_id, quote.quote_id);

    // 15 minutes later the quote has expired.
    let other = world.multi_domain_order(account_id, &["b.example"]).await;
    move_to_days_before_end(world, &other, 30);
    let preview = RenewOrderRequest {
        validate_only: true,
        ..renewal(&other, 12)
    };
    let expiring = renew(world, preview).await.quote.unwrap();
    world.time.advance(TimeDelta::minutes(15));
    let late = RenewOrderRequest {
        quote_id: expiring.quote_id,
        ..renewal(&other, 12)
    };
    refuse(world, late)
        .await
        .expect(Code::FailedPrecondition, "QUOTE_EXPIRED");
    assert_eq!(world.get_order(&other.order_id).await.next_term, None);
}

/// An issued order with this many servers and one additional licence fewer.
async fn with_servers(backend: Backend, number: i32) -> (World, Order, Vec<String>) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let mut request = multi_domain_request(&account_id, &["www.example.com"]);
    request.additional_licenses = number - 1;
    let order = world.place(request).await;
    world.record(&order.order_id).await;
    let mut ids = Vec::new();
    for host in 0..number {
        let request = world.server(&order, &format!("www{host}"));
        let answer = world.servers().register_server(request).await.unwrap();
        ids.push(answer.into_inner().server.unwrap().server_id);
        world.time.advance(TimeDelta::minutes(1));
    }
    (world, order, ids)
}

async fn al_9_additional_licenses_are_named_again_and_none_is_none(backend: Backend) {
    let (world, order, ids) = with_servers(backend, 3).await;
    move_to_days_before_end(&world, &order, 10);
    let without = refuse(&world, renewal(&order, 12)).await;
    let without = without.expect(Code::FailedPrecondition, "SERVERS_TO_KEEP_REQUIRED");
    assert_eq!(
        (
            without.value("registered"),
            without.value("licensed"),
            without.value("named")
        ),
        ("3", "1", "0")
    );
    // With enough licences all servers stay, and none has to be named.
    let more = RenewOrderRequest {
        additional_licenses: 4,
        validate_only: true,
        ..renewal(&order, 12)
    };
    let previewed = renew(&world, more).await;
    assert_eq!(previewed.lapsing_server_ids, Vec::<String>::new());
    assert_eq!(previewed.term.unwrap().keep_server_ids.len(), 3);
    // The primary server stays in any case.
    let none = RenewOrderRequest {
        keep_server_ids: vec![ids[0].clone()],
        ..renewal(&order, 12)
    };
    let renewed = renew(&world, none).await;
    assert_eq!(renewed.lapsing_server_ids, ids[1..]);
    world.time.move_to(instant(order.end_time));
    let (found, licensed, registered) = servers(&world, &order).await;
    assert_eq!(states(&found), [Registered, Lapsed, Lapsed]);
    assert_eq!((licensed, registered), (1, 1));
    let full = refused(
        world
            .servers()
            .register_server(world.server(&order, "again"))
            .await,
    );
    full.expect(Code::ResourceExhausted, "SERVER_LIMIT_REACHED");
}

async fn al_9_who_has_too_many_servers_names_those_that_stay(backend: Backend) {
    let (world, order, ids) = with_servers(backend, 4).await;
    move_to_days_before_end(&world, &order, 10);
    let keep = |list: &[&str]| RenewOrderRequest {
        additional_licenses: 1,
        keep_server_ids: names(list),
        ..renewal(&order, 12)
    };
    let stranger = ServerId::generate().to_string();
    let bad = refuse(&world, keep(&[&ids[3], &stranger])).await;
    let bad = bad.expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad.paths(), ["keep_server_ids[1]"]);
    let twice = refuse(&world, keep(&[&ids[3], &ids[3]])).await;
    let twice = twice.expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(twice.paths(), ["keep_server_ids[1]"]);
    let many = refuse(&world, keep(&[&ids[1], &ids[2]])).await;
    let many = many.expect(Code::FailedPrecondition, "SERVERS_TO_KEEP_REQUIRED");
    assert_eq!(many.value("named"), "2");
    renew(&world, keep(&[&ids[2]])).await;

    let (found, _, _) = servers(&world, &order).await;
    assert_eq!(
        states(&found),
        [Registered; 4],
        "the running term is as it was"
    );
    // Unregistering a server frees its place in the next term for an earlier server.
    let leave = UnregisterServerRequest {
        server_id: ids[2].clone(),
        request_id: request_id(),
    };
    world.servers().unregister_server(leave).await.unwrap();
    let come = world.server(&order, "new");
    world.servers().register_server(come).await.unwrap();
    let eve = shifted(instant(order.end_time), -1);
    world.time.move_to(eve);
    let (found, licensed, registered) = servers(&world, &order).await;
    assert_eq!(
        states(&found),
        [Registered, Registered, Unregistered, Registered, Registered]
    );
    assert_eq!((licensed, registered), (4, 4));
    world.time.move_to(instant(order.end_time));
    let (found, licensed, registered) = servers(&world, &order).await;
    assert_eq!(
        states(&found),
        [Registered, Lapsed, Unregistered, Lapsed, Registered]
    );
    assert_eq!((licensed, registered), (2, 2));
    // A lapsed server is off already.
    let leave = UnregisterServerRequest {
        server_id: ids[1].clone(),
        request_id: request_id(),
    };
    let left = world.servers().unregister_server(leave).await.unwrap();
    assert_eq!(left.into_inner().server.unwrap().state(), Lapsed);
}

async fn t_2_months_are_counted_from_the_first_start(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    world.time.advance_days(30);
    let mut request = multi_domain_request(&account_id, &["www.example.com"]);
    request.term_months = 1;
    let order = world.place(request).await;
    let ends = |order: &Order| instant(order.end_time).to_string();
    assert_eq!(ends(&order), "2026-02-28T00:00:00.000000Z");
    let second = renew(&world, renewal(&order, 1)).await.order.unwrap();
    assert_eq!(ends(&second), "2026-03-31T00:00:00.000000Z");
    world.time.move_to(instant(order.end_time));
    let third = renew(&world, renewal(&order, 12)).await.order.unwrap();
    assert_eq!(ends(&third), "2027-03-31T00:00:00.000000Z");
    // Paid without ever being issued.
    assert_eq!(third.state(), OrderState::Paid);
}

async fn bl_6_a_renewal_that_cannot_be_paid_leaves_the_order_as_it_was(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("100.00").await;
    let order = world
        .multi_domain_order(&account_id, &["www.example.com"])
        .await;
    move_to_days_before_end(&world, &order, 10);
    let before = world.get_order(&order.order_id).await;
    let short = refuse(&world, renewal(&order, 12)).await;
    let short = short.expect(Code::ResourceExhausted, "INSUFFICIENT_FUNDS");
    assert_eq!(short.value("missing"), "96.00");
    assert_eq!(world.get_order(&order.order_id).await, before);
    let unsold = refuse(&world, renewal(&order, 7)).await;
    unsold.expect(Code::FailedPrecondition, "TERM_NOT_SOLD");
    let many = RenewOrderRequest {
        additional_licenses: 11,
        ..renewal(&order, 12)
    };
    let many = refuse(&world, many).await;
    many.expect(Code::FailedPrecondition, "TOO_MANY_ADDITIONAL_LICENSES");
    world.deposit(&account_id, "96.00").await;
    renew(&world, renewal(&order, 12)).await;
    assert_eq!(world.balance(&account_id).await, "0.00 USD");
}

async fn bl_2_a_repeated_renewal_buys_one_term(backend: Backend) {
    let issued = Issued::new(backend, &["www.example.com"]).await;
    let Issued {
        world,
        account_id,
        order,
    } = &issued;
    move_to_days_before_end(world, order, 10);
    let request = renewal(order, 12);
    let mut calls = JoinSet::new();
    for _ in 0..8 {
        let (mut orders, request) = (world.orders(), request.clone());
        calls.spawn(async move { orders.renew_order(request).await.unwrap().into_inner() });
    }
    let answers = calls.join_all().await;
    let first = renew(world, request.clone()).await;
    for answer in answers {
        assert_eq!(answer.term, first.term);
    }
    assert_eq!(world.balance(account_id).await, "804.00 USD");
    assert_eq!(world.invoices_of(&order.order_id).await.len(), 2);
    let other = RenewOrderRequest {
        term_months: 24,
        ..request
    };
    refuse(world, other)
        .await
        .expect(Code::AlreadyExists, "REQUEST_ID_REUSED");
}

async fn x_7_a_renewal_accepted_while_billing_is_away_is_made_as_of_its_day(backend: Backend) {
    let Issued {
        mut world, order, ..
    } = Issued::new(backend, &["www.example.com"]).await;
    move_to_days_before_end(&world, &order, 1);
    world.stop_billing().await;
    let answer = renew(&world, renewal(&order, 12)).await;
    let pending = answer.order.unwrap().pending_change.unwrap();
    assert_eq!(pending.kind(), OperationKind::RenewOrder);
    assert_eq!((answer.term, answer.quote), (None, None));
    // The window closes meanwhile, which does not undo what was accepted before.
    move_to_days_before_end(&world, &order, -31);
    let meanwhile = refused(
        world
            .orders()
            .update_domains(change_request(&order.order_id, &["c.example"], &[]))
            .await,
    );
    meanwhile.expect(Code::Aborted, "OPERATION_IN_PROGRESS");
    world.start_billing().await;
    let renewed = eventually("the renewal is made", || async {
        let order = world.get_order(&order.order_id).await;
        order.pending_change.is_none().then_some(order)
    })
    .await;
    let term = renewed.current_term.as_ref().unwrap();
    assert_eq!((term.term_index, renewed.state()), (1, OrderState::Issued));
    assert_eq!(
        instant(term.period.unwrap().start_time),
        instant(order.end_time)
    );
}

async fn bad_renewals_are_refused_with_every_field(backend: Backend) {
    let Issued { world, order, .. } = Issued::new(backend, &["www.example.com"]).await;
    let bad = RenewOrderRequest {
        order_id: "ord_1".to_owned(),
        term_months: 0,
        domains: names(&["a.example", "-", "A.example."]),
        additional_licenses: -1,
        keep_server_ids: names(&["server"]),
        validate_only: true,
        request_id: String::new(),
        quote_id: QuoteId::generate().to_string(),
    };
    let found = refuse(&world, bad)
        .await
        .expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(
        found.paths(),
        [
            "additional_licenses",
            "domains[1]",
            "keep_server_ids[0]",
            "order_id",
            "quote_id",
            "term_months"
        ]
    );
    move_to_days_before_end(&world, &order, 10);
    let beyond = refuse(&world, renewal(&order, i32::MAX)).await;
    let beyond = beyond.expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(beyond.paths(), ["term_months"]);
    let many = RenewOrderRequest {
        domains: (0..21).map(|number| format!("n{number}.example")).collect(),
        ..renewal(&order, 12)
    };
    let many = refuse(&world, many).await;
    let many = many.expect(Code::FailedPrecondition, "TOO_MANY_DOMAINS");
    // The common name counts, whether it is named or not (MD-5).
    assert_eq!((many.value("maximum"), many.value("asked")), ("20", "22"));
}
