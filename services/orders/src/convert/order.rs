//! Orders: the requests to place and list them, and how one is shown.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
};

use licet_clients::billing::{Quote, Refund};
use licet_contracts::{
    billing::v1 as billing, operations::v1::OperationKind, orders::v1 as orders,
};
use licet_domain::{
    certificate::{ParsedRequest, parse_request},
    clock::Instant,
    san::San,
};
use licet_runtime::{
    caller::Call,
    fault::Fault,
    field::{Field, Fields},
    operation_service::encode_kind,
    wire::{decode_time, encode_count, encode_money, encode_period, encode_time},
};

use super::texts;
use crate::{
    peers::free::with_free_domains,
    queries::order_view::{OrderView, refunds},
    rules::{
        listing::OrderFilter,
        order::{ChangeCharge, DomainChange, Order, OrderState, OrderTerm},
        refund_count::refund_count_start,
    },
    use_cases::place_order::{PlaceOrder, PlacedOrder},
};

/// The largest signing request accepted, in bytes.
const MAX_CSR_BYTES: usize = 64 << 10;

/// The longest label, such as a server's software, in characters.
pub(super) const MAX_LABEL_CHARS: usize = 100;

/// The most domains in a request: more than any product allows.
pub(super) const MAX_NAMES: usize = 1000;

/// Decodes the request for a new order.
pub(crate) fn decode_place(
    _: &Call,
    message: &orders::PlaceOrderRequest,
) -> Result<PlaceOrder, Fault> {
    let mut fields = Fields::new();
    let account_id = fields.required("account_id", &message.account_id);
    let product_id = fields.required("product_id", &message.product_id);
    let term_months = positive(&mut fields, "term_months", message.term_months);
    let common_name = dns_name(&mut fields, "common_name", &message.common_name);
    let domains = dns_names(
        &mut fields,
        "domains",
        &message.domains,
        common_name.as_ref().ok(),
    );
    let server_software = label(&mut fields, "server_software", &message.server_software);
    let additional_licenses = u32::try_from(message.additional_licenses)
        .map_err(|_| fields.note("additional_licenses", "must not be negative"));
    let request = signing_request(&mut fields, &message.csr);
    let san_license_id = fields.optional("san_license_id", &message.san_license_id);
    fields.request_id(message);
    fields.build(|| {
        let common_name = common_name?;
        let mut names: BTreeSet<San> = domains?.into_iter().collect();
        names.insert(common_name.clone());
        Ok(PlaceOrder {
            account_id: account_id?,
            product_id: product_id?,
            term_months: term_months?,
            common_name,
            names,
            server_software: server_software?,
            additional_licenses: additional_licenses?,
            request: request?,
            san_license_id: san_license_id?,
        })
    })
}

/// A count of at least one.
pub(super) fn positive(fields: &mut Fields, path: &str, number: i32) -> Field<u32> {
    match u32::try_from(number) {
        Ok(number) if number > 0 => Ok(number),
        Ok(_) | Err(_) => Err(fields.note(path, "must be at least 1")),
    }
}

/// A required DNS name, in canonical form.
pub(super) fn dns_name(fields: &mut Fields, path: &str, text: &str) -> Field<San> {
    if text.is_empty() {
        return Err(fields.note(path, "is required"));
    }
    San::dns(text).map_err(|error| fields.note(path, error.to_string()))
}

/// DNS names in canonical form. Refuses a name that is listed twice in any spelling (MD-5), except
/// `may_repeat`.
pub(super) fn dns_names(
    fields: &mut Fields,
    path: &str,
    list: &[String],
    may_repeat: Option<&San>,
) -> Field<Vec<San>> {
    let names = fields.each(path, list, |text| San::dns(text))?;
    if names.len() > MAX_NAMES {
        return Err(fields.note(path, format!("has more than {MAX_NAMES} names")));
    }
    refuse_repeats(fields, path, &names, may_repeat)?;
    Ok(names)
}

/// Refuses a list that has an item twice, except `may_repeat`.
pub(super) fn refuse_repeats<T: Ord + Display>(
    fields: &mut Fields,
    path: &str,
    items: &[T],
    may_repeat: Option<&T>,
) -> Field<()> {
    let mut first = BTreeMap::new();
    let mut repeated = Ok(());
    for (index, item) in items.iter().enumerate() {
        let before = *first.entry(item).or_insert(index);
        if before != index && Some(item) != may_repeat {
            let path_of_item = format!("{path}[{index}]");
            let noted = fields.note(path_of_item, format!("repeats {item} of {path}[{before}]"));
            repeated = repeated.and(Err(noted));
        }
    }
    repeated
}

/// A required short text.
pub(super) fn label(fields: &mut Fields, path: &str, text: &str) -> Field<String> {
    let text = fields.required_text(path, text)?;
    if text.chars().count() > MAX_LABEL_CHARS {
        return Err(fields.note(path, format!("is longer than {MAX_LABEL_CHARS} characters")));
    }
    Ok(text)
}

pub(super) fn signing_request(fields: &mut Fields, text: &str) -> Field<Option<ParsedRequest>> {
    if text.is_empty() {
        return Ok(None);
    }
    if text.len() > MAX_CSR_BYTES {
        return Err(fields.note("csr", format!("is longer than {MAX_CSR_BYTES} bytes")));
    }
    let request = parse_request(text.as_bytes());
    let request = request.map_err(|error| fields.note("csr", error.to_string()))?;
    let proof = request.verify_signature();
    proof.map_err(|error| fields.note("csr", error.to_string()))?;
    Ok(Some(request))
}

/// Decodes a filter of orders.
pub(crate) fn decode_list(
    _: &Call,
    message: &orders::ListOrdersRequest,
) -> Result<OrderFilter, Fault> {
    let mut fields = Fields::new();
    let account_id = fields.optional("account_id", &message.account_id);
    let state = match orders::OrderState::try_from(message.state) {
        Ok(orders::OrderState::Unspecified) => Ok(None),
        Ok(orders::OrderState::Pending) => Ok(Some(OrderState::Pending)),
        Ok(orders::OrderState::Paid) => Ok(Some(OrderState::Paid)),
        Ok(orders::OrderState::Issued) => Ok(Some(OrderState::Issued)),
        Ok(orders::OrderState::Ended) => Ok(Some(OrderState::Ended)),
        Ok(orders::OrderState::Deleted) => Ok(Some(OrderState::Deleted)),
        Err(_) => Err(fields.note("state", "is not a known order state")),
    };
    let name = if message.domain.is_empty() {
        Ok(None)
    } else {
        dns_name(&mut fields, "domain", &message.domain).map(Some)
    };
    let (from, before) = (&message.end_after_time, &message.end_before_time);
    let end_from = fields.optional_message("end_after_time", from.as_ref(), decode_time);
    let end_before = fields.optional_message("end_before_time", before.as_ref(), decode_time);
    if let (Ok(Some(from)), Ok(Some(before))) = (&end_from, &end_before) {
        let path = "end_before_time";
        fields.check(path, from < before, "must be after end_after_time");
    }
    fields.build(|| {
        Ok(OrderFilter {
            account_id: account_id?,
            state: state?,
            name: name?,
            end_from: end_from?,
            end_before: end_before?,
            clues: None,
        })
    })
}

fn encode_state(state: OrderState) -> orders::OrderState {
    match state {
        OrderState::Pending => orders::OrderState::Pending,
        OrderState::Paid => orders::OrderState::Paid,
        OrderState::Issued => orders::OrderState::Issued,
        OrderState::Ended => orders::OrderState::Ended,
        OrderState::Deleted => orders::OrderState::Deleted,
    }
}

/// The refund of one term.
pub(super) fn refund_of(refunds: &[Refund], index: u32) -> Option<billing::Refund> {
    let index = Some(encode_count(index));
    let mut found = refunds.iter();
    let found = found.find(|refund| refund.term_index() == index);
    found.map(|refund| refund.message().clone())
}

/// An order as its customer sees it.
pub(crate) fn encode(view: &OrderView) -> Result<orders::Order, Fault> {
    let order = &view.order;
    let refunds = refunds(order)?;
    let refund_of = |index: u32| refund_of(&refunds, index);
    let sold = order.term.sold.as_ref();
    Ok(orders::Order {
        order_id: order.id.to_string(),
        account_id: order.account_id.to_string(),
        product_id: order.product_id.to_string(),
        product_version: sold.map_or(0, |sold| encode_count(sold.product.version)),
        state: encode_state(order.state(view.now)).into(),
        common_name: order.common_name.value().to_owned(),
        domains: texts(&order.names),
        server_software: order.server_software.clone(),
        additional_licenses: encode_count(order.term.additional_licenses),
        san_license_id: order
            .san_license_id
            .map_or_else(String::new, |id| id.to_string()),
        current_term: Some(encode_term(view, &order.term, &view.invoice_ids)),
        certificate_id: view
            .certificate_id
            .map_or_else(String::new, |id| id.to_string()),
        pending_change: pending_change(view)?,
        revision: i64::try_from(order.revision).unwrap_or(i64::MAX),
        create_time: Some(encode_time(order.create_time)),
        end_time: Some(encode_time(order.end())),
        delete_time: order.delete_time.map(encode_time),
        refund: refund_of(order.term.index),
        next_term: order
            .next_term
            .as_ref()
            .map(|term| encode_term(view, term, &view.next_invoice_ids)),
        issuance_pending_time: issuance_pending(view).map(encode_time),
        next_term_refund: refund_of(order.term.index.saturating_add(1)),
        refunds: refunds.into_iter().map(Refund::into_message).collect(),
    })
}

/// Since when a certificate is awaited; absent once the order has ended, when none is recorded any
/// more (MD-10).
fn issuance_pending(view: &OrderView) -> Option<Instant> {
    let since = view.order.issuance_pending_since();
    since.filter(|_| view.order.state(view.now) != OrderState::Ended)
}

/// One of an order's terms, with its invoices.
pub(crate) fn encode_term(
    view: &OrderView,
    term: &OrderTerm,
    invoice_ids: &[String],
) -> orders::OrderTerm {
    let counted = refund_count_start(term, &view.valid_periods, view.now);
    let sold = term.sold.as_ref();
    let slots = sold.map(|sold| sold.slots).unwrap_or_default();
    let kept = term.kept_servers.iter().flatten();
    let (common_name, names) = view.order.bought_for(term);
    orders::OrderTerm {
        term_index: encode_count(term.index),
        period: Some(encode_period(term.term.period())),
        months: encode_count(term.term.months()),
        paid_standard_domains: encode_count(slots.standard),
        paid_wildcard_domains: encode_count(slots.wildcard),
        invoice_ids: invoice_ids.to_vec(),
        domains: texts(&names),
        additional_licenses: encode_count(term.additional_licenses),
        keep_server_ids: kept.map(ToString::to_string).collect(),
        product_version: sold.map_or(0, |sold| encode_count(sold.product.version)),
        first_issuance_time: term.first_issuance_time.map(encode_time),
        common_name: common_name.value().to_owned(),
        refund_count_start_time: counted.map(encode_time),
    }
}

/// What is pending: the running operation, else the domain change that awaits its certificate, else
/// domains that a renewal brought, else a reissue.
fn pending_change(view: &OrderView) -> Result<Option<orders::PendingChange>, Fault> {
    let change = view.order.change.as_ref();
    if let Some(running) = &view.running {
        return Ok(Some(orders::PendingChange {
            operation_id: running.operation_id.to_string(),
            kind: encode_kind(&running.kind)?.into(),
            step: running.step.clone(),
            attempts: running.attempts,
            last_error: running.last_error.clone(),
            accept_time: Some(encode_time(running.accepted)),
            domain_change: change.map(|change| encode_change(&view.order, change)),
        }));
    }
    let waits = |kind: OperationKind, since: Instant| orders::PendingChange {
        kind: kind.into(),
        step: "await-certificate".to_owned(),
        accept_time: Some(encode_time(since)),
        ..orders::PendingChange::default()
    };
    let order = &view.order;
    let is_new = order.term.names.is_some();
    Ok(match (change, is_new, order.reissue_since) {
        (Some(change), _, _) => Some(orders::PendingChange {
            operation_id: change
                .operation_id
                .map_or_else(String::new, |id| id.to_string()),
            domain_change: Some(encode_change(order, change)),
            ..waits(OperationKind::UpdateDomains, change.accept_time)
        }),
        // A deleted order awaits nothing.
        (None, _, _) if order.delete_time.is_some() => None,
        (None, true, _) => Some(orders::PendingChange {
            domain_change: Some(encode_new_term(order)),
            ..waits(OperationKind::RenewOrder, order.term.term.start())
        }),
        (None, false, Some(since)) => Some(waits(OperationKind::RequestReissue, since)),
        (None, false, None) => None,
    })
}

/// The domains that a renewal brought and that no certificate carries yet.
fn encode_new_term(order: &Order) -> orders::DomainChange {
    let names = order.term_names();
    orders::DomainChange {
        names_after: texts(names),
        added: texts(names.difference(&order.names)),
        removed: texts(order.names.difference(names)),
        common_name: order.common_name.value().to_owned(),
        ..orders::DomainChange::default()
    }
}

fn encode_change(order: &Order, change: &DomainChange) -> orders::DomainChange {
    let invoice_id = |charge: Option<ChangeCharge>| {
        let id = charge.and_then(|charge| charge.invoice_id);
        id.map_or_else(String::new, |id| id.to_string())
    };
    orders::DomainChange {
        names_after: texts(&change.names),
        added: texts(&change.added),
        removed: texts(&change.removed),
        charged: change.charged.map(|charge| encode_money(charge.total)),
        invoice_id: invoice_id(change.charged),
        next_term_charged: change.next_charged.map(|charge| encode_money(charge.total)),
        next_term_invoice_id: invoice_id(change.next_charged),
        common_name: order.common_name_after().value().to_owned(),
    }
}

/// A placed order, or a previewed one, which has no id.
pub(crate) fn encode_placed(placed: PlacedOrder) -> Result<orders::PlaceOrderResponse, Fault> {
    let (view, quote, is_kept) = match placed {
        PlacedOrder::Stored { view, quote } => (view, quote, true),
        PlacedOrder::Preview { view, quote } => (view, Some(quote), false),
    };
    let quote = quote.map(|quote| {
        let order = &view.order;
        with_free_domains(quote, order, order.term.sold.as_ref(), &order.names)
    });
    let mut order = encode(&view)?;
    if !is_kept {
        order.order_id.clear();
    }
    Ok(orders::PlaceOrderResponse {
        order: Some(order),
        quote: quote.map(Quote::into_message),
    })
}

/// The response of GetOrder.
pub(crate) fn encode_found(view: &OrderView) -> Result<orders::GetOrderResponse, Fault> {
    let order = Some(encode(view)?);
    Ok(orders::GetOrderResponse { order })
}

/// The response of RequestReissue.
pub(crate) fn encode_reissue(view: &OrderView) -> Result<orders::RequestReissueResponse, Fault> {
    let order = Some(encode(view)?);
    Ok(orders::RequestReissueResponse { order })
}

/// The response of SetServerSoftware.
pub(crate) fn encode_software(
    view: &OrderView,
) -> Result<orders::SetServerSoftwareResponse, Fault> {
    let order = Some(encode(view)?);
    Ok(orders::SetServerSoftwareResponse { order })
}
