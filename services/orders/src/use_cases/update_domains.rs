//! UpdateDomains: plans the change of the locked order. A free change is done at once; any other is
//! charged at Billing, by the preview's quote if one is named (MD-1 to MD-8).

use licet_clients::billing::Quote;
use licet_domain::{
    clock::Instant,
    ids::{OrderId, QuoteId},
    refusal::{Reason, Refusal},
};
use licet_runtime::{
    caller::Call,
    database::Tx,
    door::{ChangeRequest, DurableVerb, Preview},
    fault::Fault,
    operation::{self, NextStep},
    replay::Accepted,
};
use uuid::Uuid;

use super::{
    PreviewContext,
    charge_domains::{PriceDomainChange, Questions, Quotes, UpdateDomainsOperation},
    event::OrderEvent,
    turns,
    updated_domains::{UpdatedDomains, priced},
};
use crate::{
    events::{ChargedSlots, DomainChangeAccepted, texts},
    peers::billing::change_question,
    queries::order_view::{self, OrderView},
    rules::{
        common_name::permit_move,
        domains::{DomainPlan, WantedChange, plan_domain_change},
        order::Order,
        permission::{Action, permit},
    },
    store::{self, quotes::OrderQuote},
};

/// A domain change that a customer asks for.
#[derive(Debug, Clone)]
pub(crate) struct UpdateDomains {
    pub(crate) order_id: OrderId,
    pub(crate) wanted: WantedChange,
    /// The quote to charge; absent: the price as of the decision time.
    pub(crate) quote_id: Option<QuoteId>,
}

impl DurableVerb for UpdateDomains {
    type Output = UpdatedDomains;
    type View = OrderView;

    async fn accept(
        &self,
        request: &ChangeRequest,
        tx: &Tx,
    ) -> Result<Accepted<UpdatedDomains>, Fault> {
        let (before, now) = turns::lock(tx, &request.call, self.order_id).await?;
        let plan = plan(tx, &before, self, now).await?;
        if plan.is_free() {
            return self.accept_free(request, tx, &before, plan, now).await;
        }
        let change = UpdateDomainsOperation::new(&before, request.origin(), now);
        let first = match self.quote_id {
            Some(id) => change.charge(named_quotes(tx, &before, &plan, id).await?),
            None => NextStep::of(&PriceDomainChange {
                questions: questions(&before, &plan, now)?,
                change,
            }),
        };
        let id = before.id.to_string();
        let handle = operation::begin(tx, now, &id, before.account_id, first).await?;
        let after = before.clone().apply_change(plan, Some(handle.id), now);
        store::orders::save(tx, &before, &after).await?;
        emit_accepted(request, tx, &after, now, "CHARGING").await?;
        Ok(Accepted::Operation(handle))
    }

    async fn pending(&self, _tx: &Tx, view: OrderView) -> Result<UpdatedDomains, Fault> {
        Ok(UpdatedDomains::of(view, None, None))
    }
}

impl UpdateDomains {
    /// Nothing is charged: the change awaits its certificate at once (MD-2, MD-7).
    async fn accept_free(
        &self,
        request: &ChangeRequest,
        tx: &Tx,
        before: &Order,
        plan: DomainPlan,
        now: Instant,
    ) -> Result<Accepted<UpdatedDomains>, Fault> {
        if let Some(id) = self.quote_id {
            store::quotes::get(tx, before, id).await?;
            let why = "it is for a change that costs something, and this one is free";
            return Err(stale(id, why).into());
        }
        let (price, next_price) = priced(before, &plan, now, None, None);
        let after = before.clone().apply_change(plan, None, now);
        store::orders::save(tx, before, &after).await?;
        let view = order_view::load_ended(tx, after, now).await?;
        emit_accepted(request, tx, &view.order, now, "AWAITING_ISSUANCE").await?;
        Ok(Accepted::Done(UpdatedDomains::of(view, price, next_price)))
    }
}

async fn emit_accepted(
    request: &ChangeRequest,
    tx: &Tx,
    order: &Order,
    now: Instant,
    outcome: &str,
) -> Result<(), Fault> {
    let Some(change) = &order.change else {
        let missing = format!("order {} has lost its accepted domain change", order.id);
        return Err(Fault::internal(missing));
    };
    let event = OrderEvent {
        resource: order,
        origin: &request.origin(),
        time: now,
        why: "MD-7",
        outcome,
        data: DomainChangeAccepted {
            added: texts(&change.added),
            removed: texts(&change.removed),
            common_name: order.common_name_after().value(),
            slots: ChargedSlots::new(change.charge, change.next_charge),
        },
    };
    event.emit(tx).await
}

/// Plans the change of an order that has no other operation running.
async fn plan(
    tx: &Tx,
    order: &Order,
    update: &UpdateDomains,
    now: Instant,
) -> Result<DomainPlan, Fault> {
    permit(order, Action::ChangeDomains, now)?;
    operation::refuse_if_running(tx, order.account_id, &order.id.to_string()).await?;
    let plan = plan_domain_change(order, &update.wanted)?;
    if plan.common_name.is_some() {
        let servers = store::servers::list_of(tx, order).await?;
        permit_move(order, &servers)?;
    }
    Ok(plan)
}

fn questions(order: &Order, plan: &DomainPlan, now: Instant) -> Result<Questions, Fault> {
    let this = change_question(order, &order.term, plan, plan.charge, now);
    let next = order.next_term.as_ref();
    let next = next.map(|term| change_question(order, term, plan, plan.next_charge, now));
    Ok(Questions {
        this: this?,
        next: next.transpose()?.flatten(),
    })
}

/// The quotes that a preview of exactly this change stored. Billing checks whether they are still
/// valid.
async fn named_quotes(
    tx: &Tx,
    order: &Order,
    plan: &DomainPlan,
    id: QuoteId,
) -> Result<Quotes, Fault> {
    let found = store::quotes::get(tx, order, id).await?;
    if found.pin != plan.pin {
        return Err(stale(
            id,
            "it was made for another state of the order or another change: preview again",
        )
        .into());
    }
    let named = Quote::decode(&found.encoded)?;
    if plan.charge.is_zero() {
        return Ok(Quotes::Next(named));
    }
    let next = found.next_encoded.as_deref().map(Quote::decode);
    Quotes::of(Some(named), next.transpose()?).map_err(Fault::internal)
}

fn stale(id: QuoteId, why: &str) -> Refusal {
    Refusal::new(
        Reason::QuoteStale,
        format!("quote {id} does not match this request: {why}"),
    )
    .with("quote_id", id)
}

impl Preview for UpdateDomains {
    type Output = UpdatedDomains;
    type Context = PreviewContext;

    /// Checks and prices the change without making it. Quotes are stored, so that they can be
    /// charged exactly (MD-6); a free change needs none.
    async fn preview(
        &self,
        call: &Call,
        context: &PreviewContext,
    ) -> Result<UpdatedDomains, Fault> {
        let (view, plan, now) = {
            let tx = context.database.read();
            let order = store::orders::get(&tx, &call.caller.accounts, self.order_id).await?;
            let (order, now) = order.at(call.now);
            let plan = plan(&tx, &order, self, now).await?;
            (order_view::load(&tx, order, now).await?, plan, now)
        };
        let billing = &context.peers.billing;
        let questions = questions(&view.order, &plan, now)?;
        let this = match &questions.this {
            Some(question) => Some(billing.create_quote(question, Uuid::new_v4()).await?),
            None => None,
        };
        let next = match &questions.next {
            Some(question) => Some(billing.create_quote(question, Uuid::new_v4()).await?),
            None => None,
        };
        if let Some(named) = this.as_ref().or(next.as_ref()) {
            let (id, expire_time) = named.identity().map_err(Fault::internal)?;
            let second = this.as_ref().and(next.as_ref());
            let kept = OrderQuote {
                id,
                pin: plan.pin.clone(),
                expire_time,
                encoded: named.encode(),
                next_encoded: second.map(Quote::encode),
                sold: None,
            };
            let keep = store::quotes::StoreQuote {
                order: &view.order,
                quote: &kept,
            };
            context.database.transact(&keep).await?;
        }
        let (price, next_price) = priced(&view.order, &plan, now, this, next);
        let common_name = plan.common_name.as_ref();
        let common_name = common_name.unwrap_or(&view.order.common_name);
        Ok(UpdatedDomains {
            common_name: common_name.clone(),
            names: plan.names,
            price,
            next_price,
            view,
        })
    }
}
