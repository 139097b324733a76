//! Charges a domain change: prices it for the running term, and for the next term if that is
//! bought (MD-8), then charges both in one request: both or neither (BL-6).

use licet_clients::{
    billing::{Invoice, Quote, QuoteQuestion},
    purchase::ChargeReversal,
};
use licet_domain::{
    clock::Instant,
    ids::{AccountId, InvoiceId, OrderId},
    refusal::Refusal,
};
use licet_runtime::{
    caller::Origin,
    database::Tx,
    fault::Fault,
    operation::{Next, NextStep, Operation, Step, Steps, Undo},
    peer::PeerFault,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    event::OrderEvent,
    updated_domains::{UpdatedDomains, priced},
};
use crate::{
    events::{ChargedAmount, DomainChangeCharged, DomainChangeRefused},
    peers::Peers,
    queries::order_view,
    rules::{
        domains::DomainPlan,
        order::{ChangeCharge, Order},
    },
    store,
};

/// What Billing is asked to price: the rest of the running term, and the whole next term. A term in
/// which nothing is charged has no question.
#[derive(Serialize, Deserialize)]
pub(super) struct Questions {
    #[serde(default, alias = "question")]
    pub(super) this: Option<QuoteQuestion>,
    #[serde(default, alias = "next_question")]
    pub(super) next: Option<QuoteQuestion>,
}

/// The quotes to charge, for the terms in which anything is charged.
#[derive(Clone)]
pub(super) enum Quotes {
    This(Quote),
    Next(Quote),
    Both(Quote, Box<Quote>),
}

impl Quotes {
    pub(super) fn of(this: Option<Quote>, next: Option<Quote>) -> Result<Self, &'static str> {
        match (this, next) {
            (Some(this), Some(next)) => Ok(Self::Both(this, Box::new(next))),
            (Some(this), None) => Ok(Self::This(this)),
            (None, Some(next)) => Ok(Self::Next(next)),
            (None, None) => Err("a domain change without a price cannot be charged"),
        }
    }
}

/// The operation that charges an accepted domain change.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct UpdateDomainsOperation {
    order_id: OrderId,
    account_id: AccountId,
    origin: Origin,
    decision_time: Instant,
}

impl Operation for UpdateDomainsOperation {
    const KIND: &'static str = "UPDATE_DOMAINS";
    type Peers = Peers;
    type Output = UpdatedDomains;
}

impl UpdateDomainsOperation {
    /// All its steps.
    pub(crate) fn steps() -> Steps<Self> {
        Steps::of::<PriceDomainChange>()
            .or::<ChargeDomainChange>()
            .or::<ChargeNextTerm>()
            .or::<CreditDomainChange>()
    }

    pub(super) fn new(order: &Order, origin: Origin, now: Instant) -> Self {
        Self {
            order_id: order.id,
            account_id: order.account_id,
            origin,
            decision_time: now,
        }
    }

    /// Charges both terms at once, or the one in which anything is charged (BL-6).
    pub(super) fn charge(&self, quotes: Quotes) -> NextStep<Self> {
        let change = self.clone();
        let charges = match quotes {
            Quotes::This(quote) => Charges::This(quote),
            Quotes::Both(quote, next_quote) => Charges::Both(quote, *next_quote),
            Quotes::Next(quote) => {
                return NextStep::of(&ChargeNextTerm {
                    change,
                    charged: None,
                    quote,
                });
            }
        };
        NextStep::of(&ChargeDomainChange { change, charges })
    }

    async fn refuse(&self, tx: &Tx, refusal: &Refusal) -> Result<Next<Self>, Fault> {
        let before = store::orders::lock(tx, &self.account_id.into(), self.order_id).await?;
        let after = before.clone().apply_change_refused(self.decision_time);
        store::orders::save(tx, &before, &after).await?;
        let (origin, time) = (&self.origin, self.decision_time);
        let data = DomainChangeRefused {
            message: &refusal.message,
        };
        let event = OrderEvent::refused(&after, origin, time, refusal, data);
        event.emit(tx).await?;
        Ok(Next::Refused(refusal.clone()))
    }

    async fn apply_charges(
        &self,
        tx: &Tx,
        now: Instant,
        this: Option<&ChargedQuote>,
        next: Option<&ChargedQuote>,
    ) -> Result<Next<Self>, Fault> {
        let before = store::orders::lock(tx, &self.account_id.into(), self.order_id).await?;
        let charges = (
            this.map(ChargedQuote::charge).transpose()?,
            next.map(ChargedQuote::charge).transpose()?,
        );
        let after = before
            .clone()
            .apply_change_charged(charges.0, charges.1, self.decision_time);
        // Reads come before writes, so that the writes can be batched.
        let mut view = order_view::load_ended(tx, after.clone(), now).await?;
        store::orders::save(tx, &before, &after).await?;
        let index = after.term.index;
        for (index, charge) in [(index, charges.0), (index.saturating_add(1), charges.1)] {
            if let Some(ChangeCharge {
                invoice_id: Some(id),
                total,
            }) = charge
            {
                let time = self.decision_time;
                store::invoices::insert(tx, &after, index, id, total, time).await?;
                view.add_invoice(index, id);
            }
        }
        let charged = |charge: ChangeCharge| ChargedAmount::new(charge.invoice_id, charge.total);
        let event = OrderEvent {
            resource: &view.order,
            origin: &self.origin,
            time: self.decision_time,
            why: if charges.1.is_some() { "MD-8" } else { "MD-1" },
            outcome: "AWAITING_ISSUANCE",
            data: DomainChangeCharged {
                charged: charges.0.map(charged),
                next_term: charges.1.map(charged),
            },
        };
        event.emit(tx).await?;
        let (price, next_price) = self.prices(&before, this, next);
        Ok(Next::Done(UpdatedDomains::of(view, price, next_price)))
    }

    /// The price in each term; a term in which nothing was charged says why (MD-2).
    fn prices(
        &self,
        before: &Order,
        this: Option<&ChargedQuote>,
        next: Option<&ChargedQuote>,
    ) -> (Option<Quote>, Option<Quote>) {
        let pin = this.or(next).map(|charged| charged.quote.pin().to_owned());
        let (this, next) = (this.map(ChargedQuote::quote), next.map(ChargedQuote::quote));
        let Some(change) = &before.change else {
            return (this, next);
        };
        let plan = DomainPlan {
            names: change.names.clone(),
            added: change.added.clone(),
            removed: change.removed.clone(),
            common_name: change.common_name.clone(),
            charge: change.charge,
            next_charge: change.next_charge,
            pin: pin.unwrap_or_default(),
        };
        priced(before, &plan, self.decision_time, this, next)
    }
}

/// Prices the change.
#[derive(Serialize, Deserialize)]
pub(super) struct PriceDomainChange {
    pub(super) change: UpdateDomainsOperation,
    pub(super) questions: Questions,
}

impl Step for PriceDomainChange {
    const NAME: &'static str = "price";
    type Operation = UpdateDomainsOperation;
    type Answer = Quotes;

    async fn ask(&self, peers: &Peers, request_id: Uuid) -> Result<Quotes, PeerFault> {
        let (billing, questions) = (&peers.billing, &self.questions);
        let this = match &questions.this {
            Some(question) => Some(billing.create_quote(question, request_id).await?),
            None => None,
        };
        let next_id = Uuid::new_v5(&request_id, b"next term");
        let next = match &questions.next {
            Some(question) => Some(billing.create_quote(question, next_id).await?),
            None => None,
        };
        Quotes::of(this, next).map_err(|error| PeerFault::Unknown(error.to_owned()))
    }

    fn next(&self, quotes: &Quotes) -> Option<NextStep<UpdateDomainsOperation>> {
        Some(self.change.charge(quotes.clone()))
    }

    async fn apply(
        &self,
        tx: &Tx,
        _now: Instant,
        answer: &Result<Quotes, Refusal>,
    ) -> Result<Next<UpdateDomainsOperation>, Fault> {
        match answer {
            Ok(quotes) => Ok(Next::Step(self.change.charge(quotes.clone()))),
            Err(refusal) => self.change.refuse(tx, refusal).await,
        }
    }

    fn undo(&self, _request_id: Uuid) -> Undo<Peers> {
        Undo::Nothing
    }
}

/// Charges the running term, together with the next one if anything is charged there.
#[derive(Serialize, Deserialize)]
pub(super) struct ChargeDomainChange {
    pub(super) change: UpdateDomainsOperation,
    pub(super) charges: Charges,
}

#[derive(Serialize, Deserialize)]
pub(super) enum Charges {
    This(Quote),
    Both(Quote, Quote),
    /// Stored by an earlier version: the next term is charged after the running one.
    InTurn(Quote, Quote),
}

impl Step for ChargeDomainChange {
    const NAME: &'static str = "charge";
    type Operation = UpdateDomainsOperation;
    type Answer = (ChargedQuote, Option<ChargedQuote>);

    async fn ask(&self, peers: &Peers, request_id: Uuid) -> Result<Self::Answer, PeerFault> {
        let (billing, accept_time) = (&peers.billing, self.change.decision_time);
        match &self.charges {
            Charges::This(quote) | Charges::InTurn(quote, _) => {
                let invoice = billing.charge_quote(quote, accept_time, request_id).await?;
                Ok((ChargedQuote::new(quote, invoice), None))
            }
            Charges::Both(quote, next_quote) => {
                let quotes = [quote, next_quote];
                let invoices = billing.charge_quotes(quotes, accept_time, request_id);
                let [invoice, next_invoice] = invoices.await?;
                let next = ChargedQuote::new(next_quote, next_invoice);
                Ok((ChargedQuote::new(quote, invoice), Some(next)))
            }
        }
    }

    fn next(&self, (charged, _): &Self::Answer) -> Option<NextStep<UpdateDomainsOperation>> {
        match &self.charges {
            Charges::This(_) | Charges::Both(_, _) => None,
            Charges::InTurn(_, quote) => Some(NextStep::of(&ChargeNextTerm {
                change: self.change.clone(),
                charged: Some(charged.clone()),
                quote: quote.clone(),
            })),
        }
    }

    async fn apply(
        &self,
        tx: &Tx,
        now: Instant,
        answer: &Result<Self::Answer, Refusal>,
    ) -> Result<Next<UpdateDomainsOperation>, Fault> {
        match answer {
            Ok((this, next)) => {
                let change = &self.change;
                change
                    .apply_charges(tx, now, Some(this), next.as_ref())
                    .await
            }
            Err(refusal) => self.change.refuse(tx, refusal).await,
        }
    }

    fn undo(&self, request_id: Uuid) -> Undo<Peers> {
        match &self.charges {
            Charges::This(quote) | Charges::InTurn(quote, _) => {
                ChargeReversal::of(&[quote], request_id)
            }
            Charges::Both(quote, next_quote) => {
                ChargeReversal::of(&[quote, next_quote], request_id)
            }
        }
    }
}

/// Charges the next term alone.
#[derive(Serialize, Deserialize)]
pub(super) struct ChargeNextTerm {
    pub(super) change: UpdateDomainsOperation,
    /// Stored by an earlier version: the charge of the running term, already made.
    pub(super) charged: Option<ChargedQuote>,
    pub(super) quote: Quote,
}

impl Step for ChargeNextTerm {
    const NAME: &'static str = "charge-next-term";
    type Operation = UpdateDomainsOperation;
    type Answer = ChargedQuote;

    async fn ask(&self, peers: &Peers, request_id: Uuid) -> Result<ChargedQuote, PeerFault> {
        let (billing, accept_time) = (&peers.billing, self.change.decision_time);
        let invoice = billing.charge_quote(&self.quote, accept_time, request_id);
        Ok(ChargedQuote::new(&self.quote, invoice.await?))
    }

    async fn apply(
        &self,
        tx: &Tx,
        now: Instant,
        answer: &Result<ChargedQuote, Refusal>,
    ) -> Result<Next<UpdateDomainsOperation>, Fault> {
        let change = &self.change;
        match (&self.charged, answer) {
            (charged, Ok(next)) => {
                change
                    .apply_charges(tx, now, charged.as_ref(), Some(next))
                    .await
            }
            (None, Err(refusal)) => change.refuse(tx, refusal).await,
            (Some(charged), Err(refusal)) => {
                let (invoice_id, _) = charged.invoice.identity().map_err(Fault::internal)?;
                Ok(Next::step(&CreditDomainChange {
                    change: change.clone(),
                    invoice_id,
                    refusal: refusal.clone(),
                }))
            }
        }
    }

    fn undo(&self, request_id: Uuid) -> Undo<Peers> {
        match &self.charged {
            None => ChargeReversal::of(&[&self.quote], request_id),
            Some(_) => Undo::Never,
        }
    }
}

/// Stored by an earlier version: the charge of the next term was refused after the running term was
/// charged, so that charge is credited.
#[derive(Serialize, Deserialize)]
pub(super) struct CreditDomainChange {
    pub(super) change: UpdateDomainsOperation,
    pub(super) invoice_id: InvoiceId,
    pub(super) refusal: Refusal,
}

impl Step for CreditDomainChange {
    const NAME: &'static str = "credit";
    type Operation = UpdateDomainsOperation;
    type Answer = ();

    async fn ask(&self, peers: &Peers, request_id: Uuid) -> Result<(), PeerFault> {
        // The words of the earlier version: a repeat of its request must be equal.
        let reason = format!(
            "The change of names of {} could not be charged for its next term, MD-8",
            self.change.order_id
        );
        let billing = &peers.billing;
        let credited = billing.credit_invoice(self.invoice_id, &reason, false, request_id);
        credited.await.map(drop)
    }

    /// If Billing refuses the credit, there is nothing left to credit.
    async fn apply(
        &self,
        tx: &Tx,
        _now: Instant,
        _credited: &Result<(), Refusal>,
    ) -> Result<Next<UpdateDomainsOperation>, Fault> {
        self.change.refuse(tx, &self.refusal).await
    }
}

/// A charged quote, and its invoice.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ChargedQuote {
    quote: Quote,
    invoice: Invoice,
}

impl ChargedQuote {
    pub(super) fn new(quote: &Quote, invoice: Invoice) -> Self {
        Self {
            quote: quote.clone(),
            invoice,
        }
    }

    fn charge(&self) -> Result<ChangeCharge, Fault> {
        let (invoice_id, total) = self.invoice.identity().map_err(Fault::internal)?;
        Ok(ChangeCharge {
            invoice_id: Some(invoice_id),
            total,
        })
    }

    /// The quote as charged.
    fn quote(&self) -> Quote {
        self.quote.charged(&self.invoice)
    }
}
