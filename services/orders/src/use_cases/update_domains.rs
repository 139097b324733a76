//! UpdateDomains: planned against the locked order; a free change is done at once, any other is
//! charged at Billing, by the preview's quote where one is named (MD-1 to MD-8).

use licet_contracts::{billing::v1 as billing, orders::v1 as orders};
use licet_domain::{
    clock::Instant,
    ids::QuoteId,
    refusal::{Reason, Refusal},
    san::San,
};
use licet_runtime::{
    caller::Call,
    database::{Database, Tx, Work},
    fault::Fault,
    operation,
    replay::Accepted,
    stored,
};
use prost::Message;
use uuid::Uuid;

use super::{
    charge_domains::{Questions, Updating},
    event::{OrderEvent, emit},
    operation::OrderOperation,
    settle,
};
use crate::{
    convert::{
        self, billing::change_quote, domains::DomainUpdate, free::free_quote, order::OrderView,
    },
    peers::Billing,
    queries::order_view,
    rules::{
        common_name::permit_move,
        domains::{DomainPlan, plan_domain_change},
        not_found,
        order::Order,
        permission::{Action, permit},
        transitions::changed_names,
    },
    store::{self, quotes::OrderQuote},
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
        let (before, now) = settle::lock(tx, scope, self.update.order_id, self.call.now).await?;
        let plan = plan(tx, &before, self.update, now).await?;
        if plan.is_free() {
            return self.accept_free(tx, &before, plan, now).await;
        }
        let origin = self.call.origin(self.request_id);
        let updating = match self.update.quote_id {
            Some(id) => {
                let (quote, next_quote) = named_quotes(tx, &before, &plan, id).await?;
                Updating::charge(&before, origin, now, quote, next_quote)?
            }
            None => Updating::price(&before, origin, now, questions(&before, &plan, now)?),
        };
        let operation = OrderOperation::UpdateDomains(updating);
        let id = before.id.to_string();
        let begun = operation::begin(tx, self.call, &id, before.account_id, &operation).await?;
        let after = before.clone().apply_change(plan, Some(begun.id), now);
        store::orders::save(tx, &before, &after).await?;
        self.emit_accepted(tx, &after, now, "CHARGING").await?;
        Ok(Accepted::Operation(begun))
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
            let Some(_) = store::quotes::find(tx, before.id, id).await? else {
                return Err(not_found("quote", id).into());
            };
            let why = "the change is free, and that quote is for one that is not";
            return Err(stale(id, why).into());
        }
        let (quote, next_quote) = explained(before, &plan, now, None, None)?;
        let after = before.clone().apply_change(plan, None, now);
        store::orders::save(tx, before, &after).await?;
        let view = order_view::load_ended(tx, after, now).await?;
        let response = encode(&view, Some(quote), next_quote)?;
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
                    "common_name": order.common_name_after().value(),
                    "charged_standard": change.map(|change| change.charge.standard),
                    "charged_wildcard": change.map(|change| change.charge.wildcard),
                    "charged_converted": change.map(|change| change.charge.converted),
                    "next_term_standard": change.map(|change| change.next_charge.standard),
                    "next_term_wildcard": change.map(|change| change.next_charge.wildcard),
                    "next_term_converted": change.map(|change| change.next_charge.converted),
                }),
            },
        )
        .await
    }
}

/// What the change comes to for a settled order with nothing else under way.
async fn plan(
    tx: &Tx,
    order: &Order,
    update: &DomainUpdate,
    now: Instant,
) -> Result<DomainPlan, Fault> {
    operation::refuse_if_running(tx, &order.id.to_string()).await?;
    permit(order, Action::ChangeDomains, now)?;
    let plan = plan_domain_change(order, &update.wanted)?;
    if plan.common_name.is_some() {
        let servers = store::servers::list_of(tx, order).await?;
        permit_move(order, &servers)?;
    }
    Ok(plan)
}

fn questions(order: &Order, plan: &DomainPlan, now: Instant) -> Result<Questions, Fault> {
    let this = change_quote(order, &order.term, plan, plan.charge, now);
    let next = order.next_term.as_ref();
    let next = next.map(|term| change_quote(order, term, plan, plan.next_charge, now));
    Ok(Questions {
        this: this?,
        next: next.transpose()?.flatten(),
    })
}

/// The quotes that a preview of this very change left. Billing judges whether they still hold.
async fn named_quotes(
    tx: &Tx,
    order: &Order,
    plan: &DomainPlan,
    id: QuoteId,
) -> Result<(Option<billing::Quote>, Option<billing::Quote>), Fault> {
    let Some(found) = store::quotes::find(tx, order.id, id).await? else {
        return Err(not_found("quote", id).into());
    };
    if found.pin != plan.pin {
        return Err(stale(id, "the order or the names are not those of its preview").into());
    }
    let named = stored::message(&found.encoded)?;
    if plan.charge.is_zero() {
        return Ok((None, Some(named)));
    }
    let next = found.next_encoded.as_deref().map(stored::message);
    Ok((Some(named), next.transpose()?))
}

fn stale(id: QuoteId, why: &str) -> Refusal {
    Refusal::new(
        Reason::QuoteStale,
        format!("quote {id} does not fit: {why}"),
    )
    .with("quote_id", id)
}

/// The response around an order that has its change, or has none under way.
pub(super) fn encode(
    view: &OrderView,
    quote: Option<billing::Quote>,
    next_quote: Option<billing::Quote>,
) -> Result<orders::UpdateDomainsResponse, Fault> {
    let order = &view.order;
    let names = order
        .change
        .as_ref()
        .map_or(order.term_names(), |change| &change.names);
    let common_name = order.common_name_after();
    convert::domains::encode_update(view, quote, next_quote, (names, common_name))
}

/// The response while the change is being charged.
pub(crate) fn encode_pending(view: &OrderView) -> Result<orders::UpdateDomainsResponse, Fault> {
    encode(view, None, None)
}

/// Checks and prices a change without making it. A price leaves its quotes at Billing, to be
/// charged exactly (MD-6); what is free needs none.
pub(crate) async fn preview(
    database: &Database,
    billing: &Billing,
    call: &Call,
    update: &DomainUpdate,
) -> Result<orders::UpdateDomainsResponse, Fault> {
    let (view, plan, now) = {
        let tx = database.read();
        let order = store::orders::get(&tx, &call.caller.accounts, update.order_id).await?;
        let (order, now) = order.at(call.now);
        let plan = plan(&tx, &order, update, now).await?;
        (order_view::load(&tx, order, now).await?, plan, now)
    };
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
        let (id, expire_time) = convert::billing::quote_identity(named).map_err(Fault::internal)?;
        let second = this.as_ref().and(next.as_ref());
        let kept = OrderQuote {
            id,
            pin: plan.pin.clone(),
            expire_time,
            encoded: named.encode_to_vec(),
            next_encoded: second.map(Message::encode_to_vec),
            sold: None,
        };
        let keep = store::quotes::Keep {
            order: &view.order,
            quote: &kept,
            now,
        };
        database.transact(&keep).await?;
    }
    let (this, next) = explained(&view.order, &plan, now, this, next)?;
    let common_name = plan.common_name.as_ref();
    let common_name = common_name.unwrap_or(view.order.term_common_name());
    convert::domains::encode_update(&view, Some(this), next, (&plan.names, common_name))
}

/// The quotes as they are answered: where a term charges nothing, one that says why (MD-2, X-4).
pub(super) fn explained(
    order: &Order,
    plan: &DomainPlan,
    now: Instant,
    this: Option<billing::Quote>,
    next: Option<billing::Quote>,
) -> Result<(billing::Quote, Option<billing::Quote>), Fault> {
    let this = match this {
        Some(quote) => quote,
        None => free_quote(
            order,
            &order.term,
            order.sold()?,
            &plan.names,
            &plan.pin,
            now,
        ),
    };
    let next = match (&order.next_term, next) {
        (Some(_), Some(quote)) => Some(quote),
        (Some(term), None) => {
            let names = term.names.as_ref().unwrap_or(order.term_names());
            let names = changed_names(names, &plan.added, &plan.removed);
            let sold = term.sold.as_ref();
            sold.map(|sold| free_quote(order, term, sold, &names, &plan.pin, now))
        }
        (None, _) => None,
    };
    Ok((this, next))
}
