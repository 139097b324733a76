//! RenewOrder (MD-10, AL-9): plans the renewal of the locked order, then prices and charges it at
//! Billing as of its decision time, by the preview's quote if one is named. A refusal leaves the
//! order as it was.

use std::collections::BTreeSet;

use licet_clients::{
    billing::{Invoice, Quote},
    purchase::{Charge, Price, Purchase},
};
use licet_domain::{
    clock::Instant,
    ids::{AccountId, LicenseId, OrderId, ProductId, QuoteId, ServerId},
    refusal::{Reason, Refusal},
    san::San,
};
use licet_runtime::{
    caller::{Call, Origin},
    database::Tx,
    door::{ChangeRequest, DurableVerb, Preview},
    fault::Fault,
    field::Fields,
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
    turns,
};
use crate::{
    events::{ChargedAmount, OrderRenewed, RenewalAccepted, RenewalRefused},
    peers::Peers,
    queries::order_view::{self, OrderView},
    rules::{
        order::{Order, OrderTerm},
        permission::{Action, permit},
        renewal::{RenewalError, RenewalPlan, WantedRenewal, plan_renewal},
        servers::registered,
    },
    store::{self, quotes::OrderQuote},
};

/// A renewal that a customer asks for.
#[derive(Debug, Clone)]
pub(crate) struct RenewOrder {
    pub(crate) order_id: OrderId,
    pub(crate) wanted: WantedRenewal,
    /// The quote to charge; absent: the price as of the decision time.
    pub(crate) quote_id: Option<QuoteId>,
}

impl DurableVerb for RenewOrder {
    type Output = RenewedOrder;
    type View = OrderView;

    async fn accept(
        &self,
        request: &ChangeRequest,
        tx: &Tx,
    ) -> Result<Accepted<RenewedOrder>, Fault> {
        let (before, now) = turns::lock(tx, &request.call, self.order_id).await?;
        let plan = plan(tx, &before, self, now).await?;
        let named = match self.quote_id {
            Some(id) => Some(named_quote(tx, &before, &plan, id).await?),
            None => None,
        };
        let servers = store::servers::list_of(tx, &before).await?;
        let origin = request.origin();
        let purchase = RenewOrderOperation {
            order_id: before.id,
            account_id: before.account_id,
            origin: origin.clone(),
            decision_time: now,
            term: plan.term.clone(),
            known: registered(&servers).map(|server| server.id).collect(),
            lapsing: plan.lapsing.clone(),
        };
        let first = match named {
            Some(offer) => Charge::of(&purchase, offer),
            None => NextStep::of(&Price {
                purchase,
                question: RenewOrderQuestion {
                    product_id: before.product_id.clone(),
                    san_license_id: before.san_license_id,
                    pin: plan.pin,
                    without_move: Some(plan.without_move),
                },
            }),
        };
        let id = before.id.to_string();
        let handle = operation::begin(tx, now, &id, before.account_id, first).await?;
        let after = before.clone().apply_decision(now);
        store::orders::save(tx, &before, &after).await?;
        let event = OrderEvent {
            resource: &after,
            origin: &origin,
            time: now,
            why: "MD-10",
            outcome: "CHARGING",
            data: RenewalAccepted {
                operation_id: handle.id,
                term_index: plan.term.index,
                term_months: plan.term.term.months(),
                common_name: before.wanted_common_name().value(),
                names: plan.term.names.iter().flatten().map(San::value).collect(),
                additional_licenses: plan.term.additional_licenses,
                kept_server_ids: plan.term.kept_servers.as_ref(),
            },
        };
        event.emit(tx).await?;
        Ok(Accepted::Operation(handle))
    }

    async fn pending(&self, _tx: &Tx, view: OrderView) -> Result<RenewedOrder, Fault> {
        Ok(RenewedOrder {
            view,
            sale: None,
            lapsing: Vec::new(),
        })
    }
}

/// A renewed or previewed order, and the servers that lapse when the new term starts.
#[derive(Debug)]
pub(crate) struct RenewedOrder {
    pub(crate) view: OrderView,
    /// The new term and its price; absent while it is being charged.
    pub(crate) sale: Option<(OrderTerm, Quote)>,
    pub(crate) lapsing: Vec<ServerId>,
}

/// The quote that a preview of exactly this renewal stored, and what the term was to be sold with.
/// Billing checks whether the quote is still valid.
async fn named_quote(
    tx: &Tx,
    order: &Order,
    plan: &RenewalPlan,
    id: QuoteId,
) -> Result<Offer, Fault> {
    let found = store::quotes::get(tx, order, id).await?;
    match found.sold {
        Some(sold) if found.pin == plan.pin => Ok(Offer {
            sold,
            quote: Quote::decode(&found.encoded)?,
        }),
        Some(_) | None => Err(Refusal::new(
            Reason::QuoteStale,
            format!("quote {id} was made for another state of the order or another renewal: preview again"),
        )
        .with("quote_id", id)
        .into()),
    }
}

/// Plans the renewal of an order that has no other operation running.
async fn plan(
    tx: &Tx,
    order: &Order,
    renewal: &RenewOrder,
    now: Instant,
) -> Result<RenewalPlan, Fault> {
    permit(order, Action::Renew, now)?;
    operation::refuse_if_running(tx, order.account_id, &order.id.to_string()).await?;
    let servers = store::servers::list_of(tx, order).await?;
    plan_renewal(order, &servers, &renewal.wanted, now).map_err(|unplanned| match unplanned {
        RenewalError::Refused(refusal) => (*refusal).into(),
        RenewalError::UnknownServers(unknown) => unknown_servers(&unknown),
        RenewalError::BeyondCalendar => {
            Fault::invalid("term_months", "exceeds the supported date range")
        }
    })
}

/// Reports each server that is to be kept but is not registered on the order.
fn unknown_servers(unknown: &[(usize, ServerId)]) -> Fault {
    let mut fields = Fields::new();
    let mut noted = None;
    for (index, id) in unknown {
        let path = format!("keep_server_ids[{index}]");
        noted = Some(fields.note(path, format!("{id} is not registered on the order")));
    }
    let built = fields.build(|| noted.map_or(Ok(()), Err));
    built
        .err()
        .unwrap_or_else(|| Fault::internal("no server is unknown"))
}

impl Preview for RenewOrder {
    type Output = RenewedOrder;
    type Context = PreviewContext;

    /// Checks and prices the renewal without buying it. The quote is stored, so that it can be
    /// charged exactly (MD-6).
    async fn preview(&self, call: &Call, context: &PreviewContext) -> Result<RenewedOrder, Fault> {
        let (view, plan) = {
            let tx = context.database.read();
            let order = store::orders::get(&tx, &call.caller.accounts, self.order_id).await?;
            let (order, now) = order.at(call.now);
            let plan = plan(&tx, &order, self, now).await?;
            (order_view::load(&tx, order, now).await?, plan)
        };
        let order = &view.order;
        let price = PriceOrder {
            without_move: Some(&plan.without_move),
            ..price(
                order.id,
                order.account_id,
                &order.product_id,
                &plan.term,
                order.san_license_id,
            )
        };
        let peers = &context.peers;
        let offer = price.ask_pinned(peers, Uuid::new_v4(), &plan.pin).await?;
        let Offer { sold, quote } = offer;
        let (id, expire_time) = quote.identity().map_err(Fault::internal)?;
        let kept = OrderQuote {
            id,
            pin: plan.pin,
            expire_time,
            encoded: quote.encode(),
            next_encoded: None,
            sold: Some(sold.clone()),
        };
        let keep = store::quotes::StoreQuote {
            order,
            quote: &kept,
        };
        context.database.transact(&keep).await?;
        let term = OrderTerm {
            sold: Some(sold),
            ..plan.term
        };
        Ok(RenewedOrder {
            view,
            sale: Some((term, quote)),
            lapsing: plan.lapsing,
        })
    }
}

/// What the term costs is planned like a new order for its domains (MD-4).
fn price<'a>(
    order_id: OrderId,
    account_id: AccountId,
    product_id: &'a ProductId,
    term: &'a OrderTerm,
    san_license_id: Option<LicenseId>,
) -> PriceOrder<'a> {
    static NONE: BTreeSet<San> = BTreeSet::new();
    PriceOrder {
        order_id: Some(order_id),
        account_id,
        product_id,
        names: term.names.as_ref().unwrap_or(&NONE),
        without_move: None,
        term,
        san_license_id,
    }
}

/// The operation that charges an accepted renewal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RenewOrderOperation {
    order_id: OrderId,
    account_id: AccountId,
    origin: Origin,
    decision_time: Instant,
    /// The new term, with its domains and the servers that stay.
    term: OrderTerm,
    /// The servers that were registered when the renewal was accepted.
    known: BTreeSet<ServerId>,
    /// The servers in `known` that do not stay.
    lapsing: Vec<ServerId>,
}

/// What the price of the next term depends on.
#[derive(Serialize, Deserialize)]
pub(crate) struct RenewOrderQuestion {
    product_id: ProductId,
    san_license_id: Option<LicenseId>,
    pin: String,
    /// Absent in operations stored by an earlier version.
    #[serde(default)]
    without_move: Option<BTreeSet<San>>,
}

impl Operation for RenewOrderOperation {
    const KIND: &'static str = "RENEW_ORDER";
    type Peers = Peers;
    type Output = RenewedOrder;
}

impl Purchase for RenewOrderOperation {
    type Question = RenewOrderQuestion;
    type Offer = Offer;

    fn accept_time(&self) -> Instant {
        self.decision_time
    }

    async fn price(
        &self,
        peers: &Peers,
        question: &RenewOrderQuestion,
        request_id: Uuid,
    ) -> Result<Offer, PeerFault> {
        let price = PriceOrder {
            without_move: question.without_move.as_ref(),
            ..price(
                self.order_id,
                self.account_id,
                &question.product_id,
                &self.term,
                question.san_license_id,
            )
        };
        price.ask_pinned(peers, request_id, &question.pin).await
    }

    async fn apply_refusal(&self, tx: &Tx, refusal: &Refusal) -> Result<(), Fault> {
        let order = store::orders::lock(tx, &self.account_id.into(), self.order_id).await?;
        let (origin, time) = (&self.origin, self.decision_time);
        let data = RenewalRefused {
            message: &refusal.message,
        };
        let event = OrderEvent::refused(&order, origin, time, refusal, data);
        event.emit(tx).await
    }

    /// Adds the term to the order. If the old term has ended, the new one runs from its end at
    /// once.
    async fn apply_charge(
        &self,
        tx: &Tx,
        now: Instant,
        offer: &Offer,
        invoice: &Invoice,
    ) -> Result<RenewedOrder, Fault> {
        let Offer { sold, quote } = offer;
        let (invoice_id, total) = invoice.identity().map_err(Fault::internal)?;
        let price_time = quote.price_time().map_err(Fault::internal)?;
        let before = store::orders::lock(tx, &self.account_id.into(), self.order_id).await?;
        let term = OrderTerm {
            sold: Some(sold.clone()),
            price_time: price_time.unwrap_or(self.term.price_time),
            ..self.term.clone()
        };
        let index = term.index;
        let servers = store::servers::list_of(tx, &before).await?;
        let after =
            before
                .clone()
                .apply_renewal(term.clone(), &self.known, &servers, self.decision_time);
        // Reads come before writes, so that the writes can be batched.
        let mut view = order_view::load_ended(tx, after.clone(), now).await?;
        store::orders::save(tx, &before, &after).await?;
        store::invoices::insert(tx, &after, index, invoice_id, total, self.decision_time).await?;
        view.add_invoice(index, invoice_id);
        let event = OrderEvent {
            resource: &after,
            origin: &self.origin,
            time: self.decision_time,
            why: "MD-10",
            outcome: "RENEWED",
            data: OrderRenewed {
                term_index: index,
                start_time: term.term.start(),
                end_time: term.term.end(),
                lapsed_since: (self.decision_time > term.term.start()).then(|| term.term.start()),
                additional_licenses: term.additional_licenses,
                lapsing_server_ids: &self.lapsing,
                charged: ChargedAmount::new(Some(invoice_id), total),
            },
        };
        event.emit(tx).await?;
        Ok(RenewedOrder {
            view,
            sale: Some((term, quote.charged(invoice))),
            lapsing: self.lapsing.clone(),
        })
    }
}
