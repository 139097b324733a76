//! PlaceOrder: accepted as a PENDING order, then priced and charged at Billing as of its decision
//! time. A definite refusal leaves no order; the operation keeps the refusal.

use std::collections::{BTreeMap, BTreeSet};

use licet_clients::billing::{Invoice, Quote};
use licet_domain::{
    certificate::ParsedRequest,
    clock::Instant,
    ids::{AccountId, LicenseId, OperationId, OrderId, ProductId},
    refusal::Refusal,
    san::San,
    term::Term,
};
use licet_runtime::{
    caller::{Call, Caller, Origin},
    database::{Database, Tx},
    door::{Asked, Preview, Spanning},
    fault::Fault,
    operation::{self, Progress},
    peer::PeerFault,
    replay::Accepted,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Within,
    cancel_operation::Begun,
    event::{OrderEvent, emit},
    operation::{Ended, OrderOperation, Outcome, misplaced},
    price_order::PriceOrder,
};
use crate::{
    peers::Peers,
    queries::{
        self,
        order_view::{self, OrderView},
    },
    rules::{
        not_found,
        order::{self, Order, OrderTerm, SigningRequest, Sold},
        placing::check_signing_request,
    },
    store,
};

/// A new order that a customer wants.
#[derive(Debug, Clone)]
pub(crate) struct PlaceOrder {
    pub(crate) account_id: AccountId,
    pub(crate) product_id: ProductId,
    pub(crate) term_months: u32,
    pub(crate) common_name: San,
    /// All names, the common name among them, each once (MD-5).
    pub(crate) names: BTreeSet<San>,
    pub(crate) server_software: String,
    pub(crate) additional_licenses: u32,
    pub(crate) request: Option<ParsedRequest>,
    /// The SAN licence that its names are drawn from.
    pub(crate) san_license_id: Option<LicenseId>,
}

impl Spanning for PlaceOrder {
    type Answer = Placed;
    type Operation = OrderOperation;

    async fn accept(&self, asked: &Asked, tx: &Tx) -> Result<Accepted<Placed>, Fault> {
        let order = pending_order(&asked.call, self)?;
        let placing = Placing {
            order_id: order.id,
            account_id: order.account_id,
            origin: asked.origin(),
            decision_time: order.decision_time,
            stage: Stage::Price {
                product_id: order.product_id.clone(),
                names: order.names.clone(),
                term: order.term.clone(),
                san_license_id: order.san_license_id,
            },
        };
        store::orders::insert(tx, &order).await?;
        let operation = OrderOperation::PlaceOrder(placing);
        let id = order.id.to_string();
        let begun =
            operation::begin(tx, order.decision_time, &id, order.account_id, &operation).await?;
        emit(
            tx,
            OrderEvent {
                kind: "order.accepted",
                order: &order,
                origin: &asked.origin(),
                time: order.decision_time,
                why: "T-4",
                outcome: "PENDING",
                data: serde_json::json!({
                    "operation_id": begun.id,
                    "product_id": order.product_id,
                    "term_months": order.term.term.months(),
                    "names": order.names.iter().map(San::value).collect::<Vec<_>>(),
                    "san_license_id": order.san_license_id,
                }),
            },
        )
        .await?;
        Ok(Accepted::Operation(begun))
    }

    async fn pending(
        &self,
        call: &Call,
        database: &Database,
        operation_id: OperationId,
    ) -> Result<Option<Placed>, Fault> {
        let found = queries::orders::find_under_way(database, call, operation_id).await?;
        Ok(found.map(|(_, view)| Placed::Kept { view, quote: None }))
    }
}

/// An order that was placed, with its price where that is charged.
#[derive(Debug)]
pub(crate) enum Placed {
    /// It is kept.
    Kept {
        view: OrderView,
        quote: Option<Quote>,
    },
    /// It was only validated, and has no id.
    Validated { view: OrderView, quote: Quote },
}

/// The order as it is accepted: its term starts now, what it costs is still to be seen (T-4).
fn pending_order(call: &Call, wanted: &PlaceOrder) -> Result<Order, Fault> {
    require_account(&call.caller, wanted.account_id)?;
    let now = call.now;
    let term = Term::first(now, wanted.term_months)
        .ok_or_else(|| Fault::invalid("term_months", "leads beyond the calendar"))?;
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

/// An account that the caller does not see answers as one that is not there.
fn require_account(caller: &Caller, account_id: AccountId) -> Result<(), Fault> {
    if caller.sees(account_id) {
        return Ok(());
    }
    Err(not_found("account", account_id).into())
}

impl Preview for PlaceOrder {
    type Answer = Placed;
    type Within = Within;

    /// Checks and prices an order without placing it.
    async fn preview(&self, call: &Call, within: &Within) -> Result<Placed, Fault> {
        let (order, quote) = self.price(call, &within.peers).await?;
        let view = OrderView::bare(order, call.now);
        Ok(Placed::Validated { view, quote })
    }
}

impl PlaceOrder {
    /// The order as it would be sold, and its price.
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
        // Nothing is kept at Billing under this id.
        let (sold, quote) = price.ask(peers, Uuid::new_v4()).await?;
        let price_time = quote.price_time().map_err(Fault::internal)?;
        Ok((order.apply_sale(sold, price_time), quote))
    }
}

/// A placing under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Placing {
    order_id: OrderId,
    account_id: AccountId,
    origin: Origin,
    decision_time: Instant,
    stage: Stage,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Stage {
    Price {
        product_id: ProductId,
        names: BTreeSet<San>,
        term: OrderTerm,
        san_license_id: Option<LicenseId>,
    },
    Charge {
        sold: Sold,
        quote: Quote,
    },
}

impl Placing {
    pub(super) fn step(&self) -> &'static str {
        match self.stage {
            Stage::Price { .. } => "price",
            Stage::Charge { .. } => "charge",
        }
    }

    /// What the present step may have begun at a peer.
    pub(super) fn begun(&self, request_id: Uuid) -> Begun {
        match &self.stage {
            Stage::Price { .. } => Begun::Nothing,
            Stage::Charge { quote, .. } => Begun::Charge {
                quote: quote.clone(),
                request_id,
            },
        }
    }

    pub(super) async fn perform(
        &self,
        peers: &Peers,
        request_id: Uuid,
    ) -> Result<Outcome, PeerFault> {
        match &self.stage {
            Stage::Price {
                product_id,
                names,
                term,
                san_license_id,
            } => {
                let price = PriceOrder {
                    order_id: Some(self.order_id),
                    account_id: self.account_id,
                    product_id,
                    names,
                    without_move: None,
                    term,
                    san_license_id: *san_license_id,
                };
                let (sold, quote) = price.ask(peers, request_id).await?;
                Ok(Outcome::Planned(Box::new(sold), Box::new(quote)))
            }
            Stage::Charge { quote, .. } => peers
                .billing
                .charge_quote(quote, self.decision_time, request_id)
                .await
                .map(|invoice| Outcome::Charged(Box::new(invoice))),
        }
    }

    /// Once it is priced, the order is charged.
    pub(super) fn next(&self, answer: &Outcome) -> Option<Self> {
        let (Stage::Price { .. }, Outcome::Planned(sold, quote)) = (&self.stage, answer) else {
            return None;
        };
        let stage = Stage::Charge {
            sold: (**sold).clone(),
            quote: (**quote).clone(),
        };
        Some(Self {
            stage,
            ..self.clone()
        })
    }

    pub(super) async fn apply(
        &self,
        tx: &Tx,
        now: Instant,
        outcome: &Result<Outcome, Refusal>,
    ) -> Result<Progress<OrderOperation>, Fault> {
        match (&self.stage, outcome) {
            (_, Err(refusal)) => self.apply_refusal(tx, refusal).await,
            (Stage::Charge { sold, quote }, Ok(Outcome::Charged(invoice))) => {
                self.apply_charge(tx, now, sold, quote, invoice).await
            }
            (_, Ok(other)) => misplaced(self.step(), other),
        }
    }

    async fn apply_refusal(
        &self,
        tx: &Tx,
        refusal: &Refusal,
    ) -> Result<Progress<OrderOperation>, Fault> {
        let order = store::orders::lock(tx, &store::only(self.account_id), self.order_id).await?;
        store::orders::remove(tx, order.id).await?;
        emit(
            tx,
            OrderEvent {
                kind: "order.refused",
                order: &order,
                origin: &self.origin,
                time: self.decision_time,
                why: "X-2",
                outcome: refusal.reason.as_str(),
                data: serde_json::json!({ "message": refusal.message }),
            },
        )
        .await?;
        Ok(Progress::Refused(refusal.clone()))
    }

    async fn apply_charge(
        &self,
        tx: &Tx,
        now: Instant,
        sold: &Sold,
        quote: &Quote,
        invoice: &Invoice,
    ) -> Result<Progress<OrderOperation>, Fault> {
        let (invoice_id, total) = invoice.identity().map_err(Fault::internal)?;
        let price_time = quote.price_time().map_err(Fault::internal)?;
        let before = store::orders::lock(tx, &store::only(self.account_id), self.order_id).await?;
        let after = before.clone().apply_sale(sold.clone(), price_time);
        store::orders::save(tx, &before, &after).await?;
        let index = after.term.index;
        store::invoices::insert(tx, &after, index, invoice_id, total, self.decision_time).await?;
        emit(
            tx,
            OrderEvent {
                kind: "order.paid",
                order: &after,
                origin: &self.origin,
                time: self.decision_time,
                why: "T-4",
                outcome: "PAID",
                data: serde_json::json!({
                    "invoice_id": invoice_id,
                    "total": total.value(),
                    "currency": total.currency().code(),
                }),
            },
        )
        .await?;
        let placed = Placed::Kept {
            view: order_view::of_new(after, invoice_id, now),
            quote: Some(quote.charged(invoice)),
        };
        Ok(Progress::Done(Ended::Placed(Box::new(placed))))
    }
}
