//! PlaceOrder: accepts a PENDING order, then prices and charges it at Billing as of its decision
//! time. A refusal removes the order; the operation stores the refusal.

use std::collections::{BTreeMap, BTreeSet};

use licet_clients::{
    billing::{Invoice, Quote},
    purchase::{Price, Purchase},
};
use licet_domain::{
    certificate::ParsedRequest,
    clock::Instant,
    ids::{AccountId, LicenseId, OrderId, ProductId},
    refusal::Refusal,
    san::San,
    term::Term,
};
use licet_runtime::{
    caller::{Call, Caller, Origin},
    database::Tx,
    door::{ChangeRequest, DurableVerb, Preview},
    fault::Fault,
    operation::{self, NextStep, Operation},
    peer::PeerFault,
    replay::Accepted,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    PreviewContext,
    event::OrderEvent,
    price_order::{Offer, PriceOrder},
};
use crate::{
    events::{ChargedAmount, OrderAccepted, OrderPaid, OrderRefused, texts},
    peers::Peers,
    queries::order_view::{self, OrderView},
    rules::{
        not_found,
        order::{self, Order, OrderTerm, SigningRequest},
        signing_request::check_signing_request,
    },
    store,
};

/// A new order that a customer asks for.
#[derive(Debug, Clone)]
pub(crate) struct PlaceOrder {
    pub(crate) account_id: AccountId,
    pub(crate) product_id: ProductId,
    pub(crate) term_months: u32,
    pub(crate) common_name: San,
    /// All domains, including the common name, each once (MD-5).
    pub(crate) names: BTreeSet<San>,
    pub(crate) server_software: String,
    pub(crate) additional_licenses: u32,
    pub(crate) request: Option<ParsedRequest>,
    /// The SAN licence that its domains count in.
    pub(crate) san_license_id: Option<LicenseId>,
}

impl DurableVerb for PlaceOrder {
    type Output = PlacedOrder;
    type View = OrderView;

    async fn accept(
        &self,
        request: &ChangeRequest,
        tx: &Tx,
    ) -> Result<Accepted<PlacedOrder>, Fault> {
        let order = pending_order(&request.call, self)?;
        let price = Price {
            purchase: PlaceOrderOperation {
                order_id: order.id,
                account_id: order.account_id,
                origin: request.origin(),
                decision_time: order.decision_time,
            },
            question: PlaceOrderQuestion {
                product_id: order.product_id.clone(),
                names: order.names.clone(),
                term: order.term.clone(),
                san_license_id: order.san_license_id,
            },
        };
        store::orders::insert(tx, &order).await?;
        let (id, first) = (order.id.to_string(), NextStep::of(&price));
        let handle =
            operation::begin(tx, order.decision_time, &id, order.account_id, first).await?;
        let event = OrderEvent {
            resource: &order,
            origin: &request.origin(),
            time: order.decision_time,
            why: "T-4",
            outcome: "PENDING",
            data: OrderAccepted {
                operation_id: handle.id,
                product_id: &order.product_id,
                term_months: order.term.term.months(),
                names: texts(&order.names),
                san_license_id: order.san_license_id,
            },
        };
        event.emit(tx).await?;
        Ok(Accepted::Operation(handle))
    }

    async fn pending(&self, _tx: &Tx, view: OrderView) -> Result<PlacedOrder, Fault> {
        Ok(PlacedOrder::Stored { view, quote: None })
    }
}

/// An order that was placed or previewed, with its price.
#[derive(Debug)]
pub(crate) enum PlacedOrder {
    /// Stored; the price is absent while it is being charged.
    Stored {
        view: OrderView,
        quote: Option<Quote>,
    },
    /// Only previewed: it has no id.
    Preview { view: OrderView, quote: Quote },
}

/// The order as it is accepted: its term starts now, and its price is not known yet (T-4).
fn pending_order(call: &Call, wanted: &PlaceOrder) -> Result<Order, Fault> {
    require_account(&call.caller, wanted.account_id)?;
    let now = call.now;
    let term = Term::first(now, wanted.term_months)
        .ok_or_else(|| Fault::invalid("term_months", "exceeds the supported date range"))?;
    let order_term = OrderTerm {
        index: 0,
        term,
        price_time: now,
        additional_licenses: wanted.additional_licenses,
        first_issuance_time: None,
        sold: None,
        names: None,
        kept_servers: None,
        bought_time: Some(now),
    };
    if let Some(request) = &wanted.request {
        check_signing_request(&wanted.common_name, &wanted.names, request)?;
    }
    Ok(Order {
        id: OrderId::generate(),
        account_id: wanted.account_id,
        progress: order::Progress::Pending,
        revision: 1,
        common_name: wanted.common_name.clone(),
        names: wanted.names.clone(),
        server_software: wanted.server_software.clone(),
        signing_request: wanted.request.as_ref().map(SigningRequest::of),
        san_license_id: wanted.san_license_id,
        reservation_id: None,
        product_id: wanted.product_id.clone(),
        term: order_term,
        next_term: None,
        change: None,
        reissue_since: None,
        end_noted: false,
        create_time: now,
        decision_time: now,
        delete_time: None,
        refunds: BTreeMap::new(),
        refund_in_review: false,
    })
}

/// An account outside the caller's scope is reported as not found.
fn require_account(caller: &Caller, account_id: AccountId) -> Result<(), Fault> {
    if caller.sees(account_id) {
        return Ok(());
    }
    Err(not_found("account", account_id).into())
}

impl Preview for PlaceOrder {
    type Output = PlacedOrder;
    type Context = PreviewContext;

    /// Checks and prices the order without placing it.
    async fn preview(&self, call: &Call, context: &PreviewContext) -> Result<PlacedOrder, Fault> {
        let (order, quote) = self.price(call, &context.peers).await?;
        let view = OrderView::bare(order, call.now);
        Ok(PlacedOrder::Preview { view, quote })
    }
}

impl PlaceOrder {
    /// The order as it would be sold, with its price.
    pub(super) async fn price(&self, call: &Call, peers: &Peers) -> Result<(Order, Quote), Fault> {
        let order = pending_order(call, self)?;
        let price = PriceOrder {
            order_id: None,
            account_id: order.account_id,
            product_id: &order.product_id,
            names: &order.names,
            without_move: None,
            term: &order.term,
            san_license_id: order.san_license_id,
        };
        // Billing stores nothing under this id.
        let Offer { sold, quote } = price.ask(peers, Uuid::new_v4()).await?;
        let price_time = quote.price_time().map_err(Fault::internal)?;
        Ok((order.apply_sale(sold, price_time), quote))
    }
}

/// The operation that charges an accepted order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PlaceOrderOperation {
    order_id: OrderId,
    account_id: AccountId,
    origin: Origin,
    decision_time: Instant,
}

/// What the price depends on.
#[derive(Serialize, Deserialize)]
pub(crate) struct PlaceOrderQuestion {
    product_id: ProductId,
    names: BTreeSet<San>,
    term: OrderTerm,
    san_license_id: Option<LicenseId>,
}

impl Operation for PlaceOrderOperation {
    const KIND: &'static str = "PLACE_ORDER";
    type Peers = Peers;
    type Output = PlacedOrder;
}

impl Purchase for PlaceOrderOperation {
    type Question = PlaceOrderQuestion;
    type Offer = Offer;

    fn accept_time(&self) -> Instant {
        self.decision_time
    }

    async fn price(
        &self,
        peers: &Peers,
        question: &PlaceOrderQuestion,
        request_id: Uuid,
    ) -> Result<Offer, PeerFault> {
        let price = PriceOrder {
            order_id: Some(self.order_id),
            account_id: self.account_id,
            product_id: &question.product_id,
            names: &question.names,
            without_move: None,
            term: &question.term,
            san_license_id: question.san_license_id,
        };
        price.ask(peers, request_id).await
    }

    async fn apply_refusal(&self, tx: &Tx, refusal: &Refusal) -> Result<(), Fault> {
        let order = store::orders::lock(tx, &self.account_id.into(), self.order_id).await?;
        store::orders::remove(tx, &order).await?;
        let (origin, time) = (&self.origin, self.decision_time);
        let data = OrderRefused {
            message: &refusal.message,
        };
        let event = OrderEvent::refused(&order, origin, time, refusal, data);
        event.emit(tx).await
    }

    async fn apply_charge(
        &self,
        tx: &Tx,
        now: Instant,
        offer: &Offer,
        invoice: &Invoice,
    ) -> Result<PlacedOrder, Fault> {
        let Offer { sold, quote } = offer;
        let (invoice_id, total) = invoice.identity().map_err(Fault::internal)?;
        let price_time = quote.price_time().map_err(Fault::internal)?;
        let before = store::orders::lock(tx, &self.account_id.into(), self.order_id).await?;
        let after = before.clone().apply_sale(sold.clone(), price_time);
        store::orders::save(tx, &before, &after).await?;
        let index = after.term.index;
        store::invoices::insert(tx, &after, index, invoice_id, total, self.decision_time).await?;
        let event = OrderEvent {
            resource: &after,
            origin: &self.origin,
            time: self.decision_time,
            why: "T-4",
            outcome: "PAID",
            data: OrderPaid {
                charged: ChargedAmount::new(Some(invoice_id), total),
            },
        };
        event.emit(tx).await?;
        Ok(PlacedOrder::Stored {
            view: order_view::of_new(after, invoice_id, now),
            quote: Some(quote.charged(invoice)),
        })
    }
}
