//! MD-8, MD-10, X-5: time starts the next term, visible at once and recorded once. A change that reaches into
//! that term is priced for both.

use licet_contracts::{
    billing::v1::{InvoiceState, Product, TermPrice, UpdateProductRequest, WithdrawRequest},
    operations::v1::OperationKind,
    orders::v1::{
        CancelDomainChangeRequest, ListOrdersRequest, ListPendingIssuanceRequest, Order,
        OrderState, OrderTerm, PendingIssuance, PendingIssuanceReason, RenewOrderRequest,
        RequestReissueRequest, UpdateDomainsRequest,
    },
};
use tokio::task::JoinSet;
use tonic::Code;

use super::{
    domains::Issued,
    events::log,
    renewal::{move_to_days_before_end, refuse, renew, renewal},
};
use crate::harness::{
    Backend, certificates,
    clock::{instant, shifted},
    errors::refused,
    eventually, on_both_databases, request_id,
    samples::{
        MULTI, change_request, issuance_of, multi_domain_product, names, shown, term_price, usd,
    },
    world::World,
};

on_both_databases![
    md_10_names_of_the_next_term_wait_for_a_certificate_from_its_start_on,
    md_10_the_first_certificate_is_the_first_whatever_a_renewal_brought,
    md_9_a_certificate_outlives_no_term_bought_for_fewer_names,
    md_10_an_order_that_has_ended_awaits_no_certificate,
    md_7_names_that_a_renewal_brought_can_be_changed_while_they_wait,
    x_5_what_time_does_is_written_once_with_its_event,
    x_6_one_advance_over_both_ends_tells_them_in_order,
    md_10_lists_show_a_renewed_order_as_time_has_it,
    md_8_a_change_before_a_bought_term_is_charged_in_both,
    md_8_a_change_that_only_the_next_term_charges,
    md_8_each_terms_own_version_binds,
    md_8_a_price_that_the_next_term_lacks_is_said_before_a_charge,
    md_8_both_terms_are_charged_or_neither,
    md_8_a_cancelled_change_gives_both_charges_back,
];

async fn pending(world: &World) -> Vec<PendingIssuance> {
    let ask = ListPendingIssuanceRequest::default();
    let answer = world.certificates().list_pending_issuance(ask).await;
    answer.unwrap().into_inner().pending_issuances
}

async fn md_10_the_first_certificate_is_the_first_whatever_a_renewal_brought(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let list = ["www.example.com", "a.example"];
    let order = world.multi_domain_order(&account_id, &list).await;
    move_to_days_before_end(&world, &order, 20);
    renew(&world, with_names(renewal(&order, 12), &["b.example"])).await;
    world.time.move_to(instant(order.end_time));
    let waiting = pending(&world).await;
    assert_eq!(waiting[0].names, names(&["b.example", "www.example.com"]));
    assert_eq!(waiting[0].reason(), PendingIssuanceReason::First);
}

/// The next term was bought for one domain. A certificate for three may not outlast the term that paid for
/// three.
async fn md_9_a_certificate_outlives_no_term_bought_for_fewer_names(backend: Backend) {
    let Issued {
        world,
        account_id,
        order,
    } = Issued::new(backend, &["www.example.com"]).await;
    let all = ["www.example.com", "a.example", "b.example"];
    let order_id = order.order_id.as_str();
    move_to_days_before_end(&world, &order, 20);
    world.update_domains(order_id, &all[1..], &[]).await;
    renew(&world, with_names(renewal(&order, 12), &all[..1])).await;
    let latest = |waiting: &PendingIssuance| waiting.latest_not_after_time.map(|it| it.seconds);
    let end = order.end_time.unwrap().seconds;
    let waiting = pending(&world).await;
    assert_eq!(latest(&waiting[0]), Some(end + 86_400 - 1), "MD-9");
    let certificate = |order_id: &str, days| {
        let chain = certificates::chain_for(&names(&all), world.now(), days);
        issuance_of(order_id, chain)
    };
    let long = certificate(order_id, 60);
    let long = refused(world.certificates().record_issuance(long).await);
    let long = long.expect(Code::FailedPrecondition, "CERTIFICATE_MISMATCH");
    assert_eq!(long.subjects(), ["not_after"]);
    let short = certificate(order_id, 20);
    world.certificates().record_issuance(short).await.unwrap();
    // A reissue has the same limit.
    let reissue = RequestReissueRequest {
        order_id: order_id.to_owned(),
        request_id: request_id(),
        ..RequestReissueRequest::default()
    };
    world.orders().request_reissue(reissue).await.unwrap();
    let long = certificate(order_id, 60);
    refused(world.certificates().record_issuance(long).await)
        .expect(Code::FailedPrecondition, "CERTIFICATE_MISMATCH");

    // A next term for the same domains extends the limit; a pending change counts in both terms.
    let other = world.multi_domain_order(&account_id, &all[..2]).await;
    move_to_days_before_end(&world, &other, 20);
    renew(&world, renewal(&other, 12)).await;
    world.record(&other.order_id).await;
    world.update_domains(&other.order_id, &all[2..], &[]).await;
    let long = certificate(&other.order_id, 60);
    world.certificates().record_issuance(long).await.unwrap();
}

async fn md_10_an_order_that_has_ended_awaits_no_certificate(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let order = world
        .multi_domain_order(&account_id, &["www.example.com"])
        .await;
    assert!(order.issuance_pending_time.is_some());
    world.time.move_to(instant(order.end_time));
    let ended = world.get_order(&order.order_id).await;
    assert_eq!(
        (ended.state(), ended.issuance_pending_time),
        (OrderState::Ended, None)
    );
    assert_eq!(pending(&world).await, []);
    // A renewal within the window awaits a first certificate again.
    renew(&world, renewal(&order, 12)).await;
    let renewed = world.get_order(&order.order_id).await;
    assert!(renewed.issuance_pending_time.is_some());
    assert_eq!(pending(&world).await.len(), 1);
}

/// The types of the order's events that time makes, oldest first.
async fn turns(world: &World, order: &Order) -> Vec<String> {
    let log = log(world.orders_events()).await;
    let events = log.into_iter().map(|entry| entry.event.unwrap());
    let of_order = events.filter(|event| event.subject == order.order_id);
    of_order
        .filter(|event| event.caller == "orders")
        .map(|event| {
            let kind = event.r#type.strip_prefix("licet.orders.").unwrap();
            kind.strip_suffix(".v1").unwrap().to_owned()
        })
        .collect()
}

async fn turned(world: &World, order: &Order, expected: &[&str]) {
    eventually("time's events are written", || async {
        (turns(world, order).await == names(expected)).then_some(())
    })
    .await;
}

fn with_names(request: RenewOrderRequest, list: &[&str]) -> RenewOrderRequest {
    RenewOrderRequest {
        domains: names(list),
        ..request
    }
}

async fn md_10_names_of_the_next_term_wait_for_a_certificate_from_its_start_on(backend: Backend) {
    let Issued { world, order, .. } = Issued::new(backend, &["www.example.com", "a.example"]).await;
    move_to_days_before_end(&world, &order, 20);
    renew(&world, with_names(renewal(&order, 12), &["b.example"])).await;
    world.time.move_to(shifted(instant(order.end_time), -1));
    assert_eq!(pending(&world).await, []);
    assert_eq!(world.get_order(&order.order_id).await.pending_change, None);

    // Visible at once, even if no timer has run.
    world.time.move_to(instant(order.end_time));
    let waiting = pending(&world).await;
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].reason(), PendingIssuanceReason::DomainChange);
    assert_eq!(waiting[0].names, names(&["b.example", "www.example.com"]));
    assert_eq!(instant(waiting[0].since_time), instant(order.end_time));
    let started = world.get_order(&order.order_id).await;
    assert_eq!(started.domains, names(&["a.example", "www.example.com"]));
    let change = started.pending_change.unwrap();
    assert_eq!(change.kind(), OperationKind::RenewOrder);
    assert_eq!(change.step, "await-certificate");
    let change = change.domain_change.unwrap();
    assert_eq!(
        (change.added, change.removed),
        (names(&["b.example"]), names(&["a.example"]))
    );

    world.record(&order.order_id).await;
    let issued = world.get_order(&order.order_id).await;
    assert_eq!(issued.domains, names(&["b.example", "www.example.com"]));
    assert_eq!(
        (issued.pending_change, pending(&world).await),
        (None, vec![])
    );
    // AL-4: the days of the new term's refund count from its own first certificate.
    let term = issued.current_term.unwrap();
    assert_eq!(instant(term.first_issuance_time), world.now());
}

async fn md_7_names_that_a_renewal_brought_can_be_changed_while_they_wait(backend: Backend) {
    let Issued { world, order, .. } = Issued::new(backend, &["www.example.com"]).await;
    move_to_days_before_end(&world, &order, 20);
    renew(&world, with_names(renewal(&order, 12), &["b.example"])).await;
    world.time.move_to(instant(order.end_time));
    // A domain that fails validation does not block the order: it can be swapped for free.
    let swap = world
        .update_domains(&order.order_id, &["c.example"], &["b.example"])
        .await;
    assert_eq!(shown(swap.quote.unwrap().total.as_ref()), "0.00 USD");
    assert_eq!(swap.names, names(&["c.example", "www.example.com"]));
    world.record(&order.order_id).await;
    let issued = world.get_order(&order.order_id).await;
    assert_eq!(issued.domains, names(&["c.example", "www.example.com"]));
    assert_eq!(issued.pending_change, None);
}

async fn x_5_what_time_does_is_written_once_with_its_event(backend: Backend) {
    let Issued { world, order, .. } = Issued::new(backend, &["www.example.com"]).await;
    move_to_days_before_end(&world, &order, 20);
    renew(&world, renewal(&order, 1)).await;
    world.time.move_to(instant(order.end_time));
    // Many requests and the timer at once record it once.
    let mut changes = JoinSet::new();
    for number in 0..6 {
        let name = format!("n{number}.example");
        let request = change_request(&order.order_id, &[name.as_str()], &[]);
        let mut orders = world.orders();
        changes.spawn(async move { orders.update_domains(request).await.is_ok() });
    }
    let made = changes.join_all().await;
    assert_eq!(made.iter().filter(|made| **made).count(), 1);
    turned(&world, &order, &["order.term_started"]).await;
    world.time.advance_months(1);
    turned(&world, &order, &["order.term_started", "order.ended"]).await;
    renew(&world, renewal(&order, 12)).await;
    let all = ["order.term_started", "order.ended", "order.term_started"];
    turned(&world, &order, &all).await;
    let log = log(world.orders_events()).await;
    super::events::check_chain(&log);
}

async fn x_6_one_advance_over_both_ends_tells_them_in_order(backend: Backend) {
    let Issued { world, order, .. } = Issued::new(backend, &["www.example.com"]).await;
    move_to_days_before_end(&world, &order, 20);
    renew(&world, renewal(&order, 12)).await;
    world.time.advance_months(36);
    let found = world.get_order(&order.order_id).await;
    assert_eq!(found.state(), OrderState::Ended);
    assert_eq!(found.current_term.unwrap().term_index, 1);
    turned(&world, &order, &["order.term_started", "order.ended"]).await;
    let late = refuse(&world, renewal(&order, 12)).await;
    late.expect(Code::FailedPrecondition, "RENEWAL_TOO_LATE");
}

async fn md_10_lists_show_a_renewed_order_as_time_has_it(backend: Backend) {
    let issued = Issued::new(backend, &["www.example.com"]).await;
    let Issued {
        world,
        account_id,
        order,
    } = &issued;
    let other = world.multi_domain_order(account_id, &["b.example"]).await;
    move_to_days_before_end(world, order, 20);
    renew(world, renewal(order, 12)).await;
    world.time.move_to(instant(order.end_time));
    let list = |state: OrderState| async move {
        let ask = ListOrdersRequest {
            state: state.into(),
            ..ListOrdersRequest::default()
        };
        let answer = world.orders().list_orders(ask).await.unwrap().into_inner();
        answer.orders
    };
    let running = list(OrderState::Issued).await;
    assert_eq!(running.len(), 1);
    assert_eq!(running[0], world.get_order(&order.order_id).await);
    assert_eq!(running[0].current_term.as_ref().unwrap().term_index, 1);
    let ended = list(OrderState::Ended).await;
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0].order_id, other.order_id);
}

/// An issued order whose second year was bought at higher prices than its first.
async fn renewed(backend: Backend, balance: u32) -> Issued {
    let issued = Issued::new(backend, &["www.example.com"]).await;
    let Issued { world, order, .. } = &issued;
    world.time.advance_months(9);
    let dearer = vec![term_price(12, ["110.00", "60.00", "160.00", "21.00"])];
    world.set_prices(MULTI, dearer).await;
    world.time.advance_days(1);
    move_to_days_before_end(world, order, 31);
    renew(world, renewal(order, 12)).await;
    // 98.00 and 110.00 of 1000.00 are spent.
    let withdrawal = WithdrawRequest {
        account_id: issued.account_id.clone(),
        amount: usd(&format!("{}.00", 792 - balance)),
        request_id: request_id(),
        ..WithdrawRequest::default()
    };
    world.accounts().withdraw(withdrawal).await.unwrap();
    issued
}

/// Raises prices after both terms were bought, which changes neither.
async fn raise(world: &World) {
    let dearest = vec![term_price(12, ["500.00", "300.00", "400.00", "100.00"])];
    world.set_prices(MULTI, dearest).await;
}

async fn md_8_a_change_before_a_bought_term_is_charged_in_both(backend: Backend) {
    let issued = renewed(backend, 500).await;
    let Issued {
        world,
        account_id,
        order,
    } = &issued;
    raise(world).await;
    world.time.move_to(shifted(instant(order.end_time), -1));
    let preview = world
        .preview_domains(&order.order_id, &["a.example"], &[])
        .await;
    let (quote, next) = (preview.quote.unwrap(), preview.next_term_quote.unwrap());
    assert_eq!(shown(next.total.as_ref()), "60.00 USD");
    assert_eq!(next.lines[0].rule_id, "MD-8");
    assert_eq!(quote.lines[0].unit_price.as_ref().unwrap().value, "49.00");
    assert_eq!(
        (
            quote.subject.unwrap().term_index,
            next.subject.unwrap().term_index
        ),
        (0, 1)
    );
    assert_eq!(world.balance(account_id).await, "500.00 USD");

    let named = UpdateDomainsRequest {
        quote_id: quote.quote_id.clone(),
        ..change_request(&order.order_id, &["a.example"], &[])
    };
    let answer = world
        .orders()
        .update_domains(named)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.quote.unwrap().quote_id, quote.quote_id);
    assert_eq!(answer.next_term_quote.unwrap().quote_id, next.quote_id);
    // A microsecond of the year costs nothing.
    assert_eq!(shown(quote.total.as_ref()), "0.00 USD");
    assert_eq!(world.balance(account_id).await, "440.00 USD");
    let changed = answer.order.unwrap();
    let slots = |term: Option<&OrderTerm>| {
        term.map(|term| (term.paid_standard_domains, term.invoice_ids.len()))
    };
    assert_eq!(slots(changed.current_term.as_ref()), Some((2, 2)));
    assert_eq!(slots(changed.next_term.as_ref()), Some((2, 2)));
    world.record(&order.order_id).await;
    world.time.move_to(instant(order.end_time));
    let started = world.get_order(&order.order_id).await;
    assert_eq!(started.domains, names(&["a.example", "www.example.com"]));
    assert_eq!(started.pending_change, None, "both terms have these names");
    // The new term has paid for it, so it can be swapped for free (MD-2).
    assert_eq!(
        issued.change(&["c.example"], &["a.example"]).await,
        "0.00 USD"
    );
}

async fn md_8_a_change_that_only_the_next_term_charges(backend: Backend) {
    let issued = Issued::new(backend, &["www.example.com", "a.example"]).await;
    let Issued {
        world,
        account_id,
        order,
    } = &issued;
    issued.change(&[], &["a.example"]).await;
    move_to_days_before_end(world, order, 31);
    renew(world, renewal(order, 12)).await;
    let before = world.balance(account_id).await;
    assert_eq!(before, "755.00 USD");
    let preview = world
        .preview_domains(&order.order_id, &["b.example"], &[])
        .await;
    let (quote, next) = (preview.quote.unwrap(), preview.next_term_quote.unwrap());
    assert_eq!(
        (
            shown(quote.total.as_ref()).as_str(),
            quote.quote_id.as_str()
        ),
        ("0.00 USD", "")
    );
    assert_eq!(quote.lines[0].rule_id, "MD-2");
    let named = UpdateDomainsRequest {
        quote_id: next.quote_id,
        ..change_request(&order.order_id, &["b.example"], &[])
    };
    world.orders().update_domains(named).await.unwrap();
    assert_eq!(world.balance(account_id).await, "706.00 USD");
    world.record(&order.order_id).await;
    let changed = world.get_order(&order.order_id).await;
    assert_eq!(
        changed.next_term.unwrap().domains,
        names(&["b.example", "www.example.com"])
    );
}

async fn md_8_each_terms_own_version_binds(backend: Backend) {
    let issued = Issued::new(backend, &["www.example.com"]).await;
    let Issued {
        world,
        account_id,
        order,
    } = &issued;
    move_to_days_before_end(world, order, 31);
    let narrower = UpdateProductRequest {
        product: Some(Product {
            wildcards_allowed: false,
            max_domains: 2,
            ..multi_domain_product()
        }),
        request_id: request_id(),
    };
    world.catalog().update_product(narrower).await.unwrap();
    renew(world, renewal(order, 12)).await;
    let before = (
        world.get_order(&order.order_id).await,
        world.balance(account_id).await,
    );
    // The running term permits wildcards and 20 domains, the next term neither.
    let wildcard = issued.refuse(&["*.a.example"], &[]).await;
    let wildcard = wildcard.expect(Code::FailedPrecondition, "WILDCARD_NOT_OFFERED");
    assert_eq!(wildcard.value("product_id"), MULTI);
    let refused_preview = UpdateDomainsRequest {
        validate_only: true,
        ..change_request(&order.order_id, &["*.a.example"], &[])
    };
    refused(world.orders().update_domains(refused_preview).await)
        .expect(Code::FailedPrecondition, "WILDCARD_NOT_OFFERED");
    let many = issued.refuse(&["a.example", "b.example"], &[]).await;
    let many = many.expect(Code::FailedPrecondition, "TOO_MANY_DOMAINS");
    assert_eq!((many.value("maximum"), many.value("asked")), ("2", "3"));
    let after = (
        world.get_order(&order.order_id).await,
        world.balance(account_id).await,
    );
    assert_eq!(after, before);
    world
        .update_domains(&order.order_id, &["a.example"], &[])
        .await;
}

async fn md_8_a_price_that_the_next_term_lacks_is_said_before_a_charge(backend: Backend) {
    let issued = Issued::new(backend, &["www.example.com"]).await;
    let Issued {
        world,
        account_id,
        order,
    } = &issued;
    world.time.advance_months(9);
    let without = TermPrice {
        domain: None,
        wildcard_domain: None,
        ..term_price(12, ["98.00", "0", "0", "19.00"])
    };
    world.set_prices(MULTI, vec![without]).await;
    world.time.advance_days(1);
    move_to_days_before_end(world, order, 31);
    renew(world, renewal(order, 12)).await;
    let before = world.balance(account_id).await;
    let unpriced = issued.refuse(&["a.example"], &[]).await;
    unpriced.expect(Code::FailedPrecondition, "PRICE_NOT_SET");
    assert_eq!(world.balance(account_id).await, before);
    assert_eq!(world.invoices_of(&order.order_id).await.len(), 2);
    assert_eq!(world.settled(&order.order_id).await.pending_change, None);
}

async fn md_8_both_terms_are_charged_or_neither(backend: Backend) {
    // Enough for the rest of the running term, but not for the next as well.
    let issued = renewed(backend, 61).await;
    let Issued {
        world,
        account_id,
        order,
    } = &issued;
    let before = world.get_order(&order.order_id).await;
    let request = change_request(&order.order_id, &["a.example"], &[]);
    let short = refused(world.orders().update_domains(request.clone()).await);
    let short = short.expect(Code::ResourceExhausted, "INSUFFICIENT_FUNDS");
    assert_eq!(short.value("required"), "64.08");
    assert_eq!(world.balance(account_id).await, "61.00 USD");
    let after = world.get_order(&order.order_id).await;
    assert_eq!(after, before, "nothing is left of it on the order");
    let repeated = refused(world.orders().update_domains(request).await);
    repeated.expect(Code::ResourceExhausted, "INSUFFICIENT_FUNDS");
    world.deposit(account_id, "100.00").await;
    let made = world
        .update_domains(&order.order_id, &["a.example"], &[])
        .await;
    assert!(made.next_term_quote.is_some());
}

async fn md_8_a_cancelled_change_gives_both_charges_back(backend: Backend) {
    let issued = renewed(backend, 500).await;
    let Issued {
        world,
        account_id,
        order,
    } = &issued;
    let before = world.get_order(&order.order_id).await;
    world
        .update_domains(&order.order_id, &["a.example"], &[])
        .await;
    assert_ne!(world.balance(account_id).await, "500.00 USD");
    // The change still waits in the new term.
    world.time.move_to(instant(order.end_time));
    let waiting = world.get_order(&order.order_id).await;
    assert_eq!(
        waiting.pending_change.unwrap().kind(),
        OperationKind::UpdateDomains
    );
    let cancel = CancelDomainChangeRequest {
        order_id: order.order_id.clone(),
        request_id: request_id(),
        ..CancelDomainChangeRequest::default()
    };
    let answer = world.orders().cancel_domain_change(cancel).await.unwrap();
    assert_eq!(answer.into_inner().credit_notes.len(), 2);
    assert_eq!(world.balance(account_id).await, "500.00 USD");
    let after = world.settled(&order.order_id).await;
    assert_eq!(
        (after.domains, after.pending_change),
        (before.domains, None)
    );
    assert_eq!(after.current_term.unwrap().paid_standard_domains, 1);
    let invoices = world.invoices_of(&order.order_id).await;
    let credited = invoices.iter().filter(|invoice| {
        invoice.credited.as_ref() == invoice.total.as_ref() && invoice.state() == InvoiceState::Paid
    });
    assert_eq!((invoices.len(), credited.count()), (4, 2));
}
