//! UpdateDomains: planned against the locked order; a free change is done at once, any other is
//! charged at Billing, by the preview's quote where one is named (MD-1 to MD-7).

use licet_contracts::{billing::v1 as billing, orders::v1 as orders};
use licet_domain::{
    clock::Instant,
    ids::{AccountId, OrderId, QuoteId},
    refusal::{Reason, Refusal},
    san::San,
};
use licet_runtime::{
    caller::{Call, Origin},
    database::{Database, Tx, Work},
    fault::Fault,
    operation::{self, Progress},
    peer::PeerFault,
    replay::Accepted,
    stored,
    stored::Kept,
};
use prost::Message;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    event::{OrderEvent, emit},
    operation::{OrderOperation, Outcome, misplaced},
};
use crate::{
    convert::{self, domains::DomainUpdate, order::OrderView},
    peers::Billing,
    queries::order_view,
    rules::{
        domains::{DomainPlan, plan_domain_change},
        not_found,
        order::{ChangeCharge, Order},
        state::{Action, permit},
    },
    store::{self, quotes::DomainQuote},
};

/// Accepts a change of names.
pub(crate) struct UpdateDomains<'a> {
    pub(crate) call: &'a Call,
    pub(crate) request_id: &'a str,
    pub(crate) update: &'a DomainUpdate,
}

impl Work for UpdateDomains<'_> {
    type Answer = Accepted<orders::UpdateDomainsResponse>;

    async fn run(&self, tx: &Tx) -> Result<Self::Answer, Fault> {
        let scope = &self.call.caller.accounts;
        let before = store::orders::lock(tx, scope, self.update.order_id).await?;
        let (plan, now) = plan(tx, &before, self.update, self.call.now).await?;
        if plan.charge.is_zero() {
            return self.accept_free(tx, &before, plan, now).await;
        }
        let stage = match self.update.quote_id {
            Some(id) => Stage::Charge {
                quote: Kept(named_quote(tx, &before, &plan, id).await?),
            },
            None => Stage::Price {
                question: Kept(convert::billing::change_quote(
                    &before,
                    before.sold()?,
                    &plan,
                    now,
                )),
            },
        };
        let updating = Updating {
            order_id: before.id,
            account_id: before.account_id,
            origin: self.call.origin(self.request_id),
            decision_time: now,
            stage,
        };
        let operation = OrderOperation::UpdateDomains(updating);
        let id = before.id.to_string();
        let operation_id =
            operation::begin(tx, self.call, &id, before.account_id, &operation).await?;
        let after = before.clone().apply_change(plan, Some(operation_id), now);
        store::orders::save(tx, &before, &after).await?;
        self.emit_accepted(tx, &after, now, "CHARGING").await?;
        Ok(Accepted::Operation(operation_id))
    }
}

impl UpdateDomains<'_> {
    /// Nothing is due: the change waits for its certificate at once (MD-2, MD-7).
    async fn accept_free(
        &self,
        tx: &Tx,
        before: &Order,
        plan: DomainPlan,
        now: Instant,
    ) -> Result<Accepted<orders::UpdateDomainsResponse>, Fault> {
        if let Some(id) = self.update.quote_id {
            return Err(stale(
                id,
                "the change is free, and that quote is for one that is not",
            )
            .into());
        }
        let quote = convert::free::free_quote(before, before.sold()?, &plan, now);
        let after = before.clone().apply_change(plan, None, now);
        store::orders::save(tx, before, &after).await?;
        let view = order_view::load_ended(tx, after, now).await?;
        let response = encode(&view, Some(quote))?;
        self.emit_accepted(tx, &view.order, now, "AWAITING_ISSUANCE")
            .await?;
        Ok(Accepted::Done(response))
    }

    async fn emit_accepted(
        &self,
        tx: &Tx,
        order: &Order,
        now: Instant,
        outcome: &str,
    ) -> Result<(), Fault> {
        let texts = |names: &std::collections::BTreeSet<San>| {
            names
                .iter()
                .map(|name| name.value().to_owned())
                .collect::<Vec<_>>()
        };
        let change = order.change.as_ref();
        emit(
            tx,
            OrderEvent {
                kind: "domain_change.accepted",
                order,
                origin: &self.call.origin(self.request_id),
                time: now,
                why: "MD-7",
                outcome,
                data: serde_json::json!({
                    "added": change.map(|change| texts(&change.added)),
                    "removed": change.map(|change| texts(&change.removed)),
                    "charged_standard": change.map(|change| change.charge.standard),
                    "charged_wildcard": change.map(|change| change.charge.wildcard),
                }),
            },
        )
        .await
    }
}

/// What the change comes to for an order with nothing else under way, and the instant that it is
/// decided as of (T-5).
async fn plan(
    tx: &Tx,
    order: &Order,
    update: &DomainUpdate,
    clock: Instant,
) -> Result<(DomainPlan, Instant), Fault> {
    operation::refuse_if_running(tx, &order.id.to_string()).await?;
    let now = order.decide_at(clock);
    permit(order, Action::ChangeDomains, now)?;
    Ok((plan_domain_change(order, &update.wanted)?, now))
}

/// The quote that a preview of this very change left. Billing judges whether it still holds.
async fn named_quote(
    tx: &Tx,
    order: &Order,
    plan: &DomainPlan,
    id: QuoteId,
) -> Result<billing::Quote, Fault> {
    let Some(found) = store::quotes::find(tx, order.id, id).await? else {
        return Err(not_found("quote", id).into());
    };
    if found.pin != plan.pin {
        return Err(stale(id, "the order or the names are not those of its preview").into());
    }
    stored::message(&found.encoded)
}

fn stale(id: QuoteId, why: &str) -> Refusal {
    Refusal::new(
        Reason::QuoteStale,
        format!("quote {id} does not fit: {why}"),
    )
    .with("quote_id", id)
}

/// The response around an order that has its change, or has none under way.
fn encode(
    view: &OrderView,
    quote: Option<billing::Quote>,
) -> Result<orders::UpdateDomainsResponse, Fault> {
    let names = view
        .order
        .change
        .as_ref()
        .map_or(&view.order.names, |change| &change.names);
    convert::domains::encode_update(view, quote, names)
}

/// The response while the change is being charged.
pub(crate) fn encode_pending(view: &OrderView) -> Result<orders::UpdateDomainsResponse, Fault> {
    encode(view, None)
}

/// Checks and prices a change without making it. A price leaves its quote at Billing, to be
/// charged exactly (MD-6); a free change needs none.
pub(crate) async fn preview(
    database: &Database,
    billing: &Billing,
    call: &Call,
    update: &DomainUpdate,
) -> Result<orders::UpdateDomainsResponse, Fault> {
    let (view, plan, now) = {
        let tx = database.read().await?;
        let order = store::orders::get(&tx, &call.caller.accounts, update.order_id).await?;
        let (plan, now) = plan(&tx, &order, update, call.now).await?;
        (order_view::load(&tx, order, now).await?, plan, now)
    };
    let sold = view.order.sold()?;
    if plan.charge.is_zero() {
        let quote = convert::free::free_quote(&view.order, sold, &plan, now);
        return convert::domains::encode_update(&view, Some(quote), &plan.names);
    }
    let question = convert::billing::change_quote(&view.order, sold, &plan, now);
    let quote = billing.create_quote(&question, Uuid::new_v4()).await?;
    let (id, expire_time) = convert::billing::quote_identity(&quote).map_err(Fault::internal)?;
    let kept = DomainQuote {
        id,
        pin: plan.pin.clone(),
        expire_time,
        encoded: quote.encode_to_vec(),
    };
    database
        .transact(&KeepQuote {
            order: &view.order,
            quote: &kept,
            now,
        })
        .await?;
    convert::domains::encode_update(&view, Some(quote), &plan.names)
}

/// Remembers that a quote came from a preview here.
struct KeepQuote<'a> {
    order: &'a Order,
    quote: &'a DomainQuote,
    now: Instant,
}

impl Work for KeepQuote<'_> {
    type Answer = ();

    async fn run(&self, tx: &Tx) -> Result<(), Fault> {
        store::quotes::insert(tx, self.order, self.quote, self.now).await
    }
}

/// A change of names that is being charged.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Updating {
    order_id: OrderId,
    account_id: AccountId,
    origin: Origin,
    decision_time: Instant,
    stage: Stage,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Stage {
    Price {
        question: Kept<billing::CreateQuoteRequest>,
    },
    Charge {
        quote: Kept<billing::Quote>,
    },
}

impl Updating {
    pub(super) fn step(&self) -> &'static str {
        match self.stage {
            Stage::Price { .. } => "price",
            Stage::Charge { .. } => "charge",
        }
    }

    pub(super) async fn perform(
        &self,
        billing: &Billing,
        request_id: Uuid,
    ) -> Result<Outcome, PeerFault> {
        match &self.stage {
            Stage::Price { question } => billing
                .create_quote(&question.0, request_id)
                .await
                .map(|quote| Outcome::Quoted(Box::new(quote))),
            Stage::Charge { quote } => billing
                .charge_quote(&quote.0, self.decision_time, request_id)
                .await
                .map(|invoice| Outcome::Charged(Box::new(invoice))),
        }
    }

    pub(super) async fn apply(
        &self,
        tx: &Tx,
        now: Instant,
        outcome: &Result<Outcome, Refusal>,
    ) -> Result<Progress<OrderOperation>, Fault> {
        match (&self.stage, outcome) {
            (_, Err(refusal)) => self.apply_refusal(tx, refusal).await,
            (Stage::Price { .. }, Ok(Outcome::Quoted(quote))) => {
                let stage = Stage::Charge {
                    quote: Kept((**quote).clone()),
                };
                Ok(Progress::Next(OrderOperation::UpdateDomains(Self {
                    stage,
                    ..self.clone()
                })))
            }
            (Stage::Charge { quote }, Ok(Outcome::Charged(invoice))) => {
                self.apply_charge(tx, now, &quote.0, invoice).await
            }
            (_, Ok(other)) => misplaced(self.step(), other),
        }
    }

    async fn apply_refusal(
        &self,
        tx: &Tx,
        refusal: &Refusal,
    ) -> Result<Progress<OrderOperation>, Fault> {
        let before = store::orders::lock(tx, &store::only(self.account_id), self.order_id).await?;
        let after = before.clone().apply_change_refused(self.decision_time);
        store::orders::save(tx, &before, &after).await?;
        emit(
            tx,
            OrderEvent {
                kind: "domain_change.refused",
                order: &after,
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
        quote: &billing::Quote,
        invoice: &billing::Invoice,
    ) -> Result<Progress<OrderOperation>, Fault> {
        let (invoice_id, total) =
            convert::billing::invoice_identity(invoice).map_err(Fault::internal)?;
        let before = store::orders::lock(tx, &store::only(self.account_id), self.order_id).await?;
        let charge = ChangeCharge {
            invoice_id: Some(invoice_id),
            total,
        };
        let after = before
            .clone()
            .apply_change_charged(charge, self.decision_time);
        store::orders::save(tx, &before, &after).await?;
        store::invoices::insert(tx, &after, invoice_id, total, self.decision_time).await?;
        let view = order_view::load_ended(tx, after, now).await?;
        let response = encode(&view, Some(convert::billing::charged(quote, invoice)))?;
        emit(
            tx,
            OrderEvent {
                kind: "domain_change.charged",
                order: &view.order,
                origin: &self.origin,
                time: self.decision_time,
                why: "MD-1",
                outcome: "AWAITING_ISSUANCE",
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
