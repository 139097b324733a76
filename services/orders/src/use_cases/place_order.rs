//! PlaceOrder: accepted as a PENDING order, then priced and charged at Billing as of its decision
//! time. A definite refusal leaves no order; the operation keeps the refusal.

use std::collections::{BTreeMap, BTreeSet};

use licet_contracts::{billing::v1 as billing, orders::v1 as orders};
use licet_domain::{
    clock::Instant,
    ids::{AccountId, LicenseId, OrderId, ProductId},
    refusal::Refusal,
    san::San,
    term::Term,
};
use licet_runtime::{
    caller::{Call, Caller, Origin},
    database::{Tx, Work},
    fault::Fault,
    operation::{self, Progress},
    peer::PeerFault,
    replay::Accepted,
    stored::Kept,
};
use prost::Message;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    cancel_operation::Begun,
    event::{OrderEvent, emit},
    operation::{OrderOperation, Outcome, misplaced},
    price_order::PriceOrder,
};
use crate::{
    convert::{self, certificate::to_pem, order::Placement},
    peers::Peers,
    queries::order_view,
    rules::{
        not_found,
        order::{self, Order, OrderTerm, SigningRequest, Sold},
        placing::check_signing_request,
    },
    store,
};

/// Accepts a new order.
pub(crate) struct PlaceOrder<'a> {
    pub(crate) call: &'a Call,
    pub(crate) request_id: &'a str,
    pub(crate) wanted: &'a Placement,
}

impl Work for PlaceOrder<'_> {
    type Answer = Accepted<orders::PlaceOrderResponse>;

    async fn run(&self, tx: &Tx) -> Result<Self::Answer, Fault> {
        let order = pending_order(self.call, self.wanted)?;
        let placing = Placing {
            order_id: order.id,
            account_id: order.account_id,
            origin: self.call.origin(self.request_id),
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
        let begun = operation::begin(tx, self.call, &id, order.account_id, &operation).await?;
        emit(
            tx,
            OrderEvent {
                kind: "order.accepted",
                order: &order,
                origin: &self.call.origin(self.request_id),
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
}

/// The order as it is accepted: its term starts now, what it costs is still to be seen (T-4).
fn pending_order(call: &Call, wanted: &Placement) -> Result<Order, Fault> {
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
        common_name: None,
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
        signing_request: wanted.request.as_ref().map(|request| SigningRequest {
            pem: to_pem(
                "CERTIFICATE REQUEST",
                std::iter::once(request.der.as_slice()),
            ),
            spki_sha256: request.spki_sha256,
        }),
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

/// Checks and prices an order without placing it.
pub(crate) async fn preview(
    peers: &Peers,
    call: &Call,
    wanted: &Placement,
) -> Result<orders::PlaceOrderResponse, Fault> {
    let order = pending_order(call, wanted)?;
    let price = PriceOrder {
        order_id: None,
        account_id: order.account_id,
        product_id: &order.product_id,
        names: &order.names,
        term: &order.term,
        san_license_id: order.san_license_id,
    };
    // Nothing is kept at Billing under this id.
    let (sold, quote) = price.ask(peers, Uuid::new_v4()).await?;
    let price_time = convert::billing::price_time(&quote).map_err(Fault::internal)?;
    let quote = convert::free::explained(quote, &order, &sold);
    Ok(orders::PlaceOrderResponse {
        order: Some(convert::order::encode_validated(
            order.apply_sale(sold, price_time),
            call.now,
        )?),
        quote: Some(quote),
    })
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
        quote: Kept<billing::Quote>,
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
                accept_time: self.decision_time,
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
                    term,
                    san_license_id: *san_license_id,
                };
                let (sold, quote) = price.ask(peers, request_id).await?;
                Ok(Outcome::Planned(Box::new(sold), Box::new(quote)))
            }
            Stage::Charge { quote, .. } => peers
                .billing
                .charge_quote(&quote.0, self.decision_time, request_id)
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
            quote: Kept((**quote).clone()),
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
                self.apply_charge(tx, now, sold, &quote.0, invoice).await
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
        quote: &billing::Quote,
        invoice: &billing::Invoice,
    ) -> Result<Progress<OrderOperation>, Fault> {
        let (invoice_id, total) =
            convert::billing::invoice_identity(invoice).map_err(Fault::internal)?;
        let price_time = convert::billing::price_time(quote).map_err(Fault::internal)?;
        let before = store::orders::lock(tx, &store::only(self.account_id), self.order_id).await?;
        let after = before.clone().apply_sale(sold.clone(), price_time);
        store::orders::save(tx, &before, &after).await?;
        let index = after.term.index;
        store::invoices::insert(tx, &after, index, invoice_id, total, self.decision_time).await?;
        let view = order_view::of_new(after.clone(), invoice_id, now);
        let quote = convert::billing::charged(quote, invoice);
        let response = orders::PlaceOrderResponse {
            order: Some(convert::order::encode(&view)?),
            quote: Some(convert::free::explained(quote, &after, sold)),
        };
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
        Ok(Progress::Done(response.encode_to_vec()))
    }
}
