//! A change of names that is being charged: priced for the running term, and for the next one
//! where that is bought (MD-8), and charged for both at once: both or neither (BL-6).

use licet_clients::billing::{Billing, Invoice, Quote, QuoteQuestion};
use licet_domain::{
    clock::Instant,
    ids::{AccountId, InvoiceId, OrderId},
    refusal::Refusal,
};
use licet_runtime::{
    caller::Origin, database::Tx, fault::Fault, operation::Progress, peer::PeerFault,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    cancel_operation::Begun,
    event::{OrderEvent, emit},
    operation::{Ended, OrderOperation, Outcome, misplaced},
    update_domains::{TermPrice, Updated, priced},
};
use crate::{
    queries::order_view,
    rules::{
        domains::DomainPlan,
        order::{ChangeCharge, Order},
    },
    store,
};

/// What is asked of Billing about the change: for the rest of the running term, and for the whole
/// of the next one. Nothing is asked where nothing is charged.
pub(super) struct Questions {
    pub(super) this: Option<QuoteQuestion>,
    pub(super) next: Option<QuoteQuestion>,
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
        #[serde(default)]
        question: Option<QuoteQuestion>,
        #[serde(default)]
        next_question: Option<QuoteQuestion>,
    },
    /// The running term alone is charged. An operation of an earlier version charges the next one
    /// after it.
    Charge {
        quote: Quote,
        #[serde(default)]
        next_quote: Option<Quote>,
    },
    /// The running and the next term are charged at once.
    ChargeBoth { quote: Quote, next_quote: Quote },
    /// The next term alone is charged. In an operation of an earlier version the running one is
    /// charged already.
    ChargeNext {
        charged: Option<Box<Charged>>,
        next_quote: Quote,
    },
    /// In an operation of an earlier version: the next term's charge was refused after the running
    /// one's was made, which is given back.
    Credit {
        invoice_id: InvoiceId,
        refusal: Refusal,
    },
}

/// A quote with the invoice that it became.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Charged {
    quote: Quote,
    invoice: Invoice,
}

impl Updating {
    /// A change to be priced first.
    pub(super) fn price(order: &Order, origin: Origin, now: Instant, questions: Questions) -> Self {
        let stage = Stage::Price {
            question: questions.this,
            next_question: questions.next,
        };
        Self {
            order_id: order.id,
            account_id: order.account_id,
            origin,
            decision_time: now,
            stage,
        }
    }

    /// A change to be charged by the quotes of its preview.
    pub(super) fn charge(
        order: &Order,
        origin: Origin,
        now: Instant,
        quote: Option<Quote>,
        next_quote: Option<Quote>,
    ) -> Result<Self, Fault> {
        Ok(Self {
            order_id: order.id,
            account_id: order.account_id,
            origin,
            decision_time: now,
            stage: charge_stage(quote, next_quote)?,
        })
    }

    pub(super) fn step(&self) -> &'static str {
        match self.stage {
            Stage::Price { .. } => "price",
            Stage::Charge { .. } | Stage::ChargeBoth { .. } => "charge",
            Stage::ChargeNext { .. } => "charge-next-term",
            Stage::Credit { .. } => "credit",
        }
    }

    /// What the present step may have begun at a peer; none once something is charged.
    pub(super) fn begun(&self, request_id: Uuid) -> Option<Begun> {
        let quote = match &self.stage {
            Stage::Price { .. } => return Some(Begun::Nothing),
            Stage::Charge { quote, .. } => quote,
            Stage::ChargeBoth { quote, next_quote } => {
                return Some(Begun::Charges {
                    quotes: vec![quote.clone(), next_quote.clone()],
                    request_id,
                });
            }
            Stage::ChargeNext {
                charged: None,
                next_quote,
            } => next_quote,
            Stage::ChargeNext {
                charged: Some(_), ..
            }
            | Stage::Credit { .. } => return None,
        };
        Some(Begun::Charge {
            quote: quote.clone(),
            request_id,
        })
    }

    pub(super) async fn perform(
        &self,
        billing: &Billing,
        request_id: Uuid,
    ) -> Result<Outcome, PeerFault> {
        match &self.stage {
            Stage::Price {
                question,
                next_question,
            } => {
                let this = match question {
                    Some(question) => Some(billing.create_quote(question, request_id).await?),
                    None => None,
                };
                let next_id = Uuid::new_v5(&request_id, b"next term");
                let next = match next_question {
                    Some(question) => Some(billing.create_quote(question, next_id).await?),
                    None => None,
                };
                Ok(Outcome::Quoted {
                    this: this.map(Box::new),
                    next: next.map(Box::new),
                })
            }
            Stage::ChargeBoth { quote, next_quote } => billing
                .charge_quotes(&[quote, next_quote], self.decision_time, request_id)
                .await
                .map(Outcome::ChargedAll),
            Stage::Charge { quote, .. }
            | Stage::ChargeNext {
                next_quote: quote, ..
            } => billing
                .charge_quote(quote, self.decision_time, request_id)
                .await
                .map(|invoice| Outcome::Charged(Box::new(invoice))),
            Stage::Credit { invoice_id, .. } => {
                let reason = format!(
                    "The change of names of {} could not be charged for its next term, MD-8",
                    self.order_id
                );
                let credited = billing.credit_invoice(*invoice_id, &reason, false, request_id);
                Ok(Outcome::Credited(credited.await?.map(Box::new)))
            }
        }
    }

    /// Once it is priced, what each term costs is charged.
    pub(super) fn next(&self, answer: &Outcome) -> Result<Option<Self>, Fault> {
        Ok(match (&self.stage, answer) {
            (Stage::Price { .. }, Outcome::Quoted { this, next }) => {
                let quote = |quote: &Option<Box<Quote>>| quote.as_deref().cloned();
                Some(self.at(charge_stage(quote(this), quote(next))?))
            }
            (
                Stage::Charge {
                    quote,
                    next_quote: Some(next_quote),
                },
                Outcome::Charged(invoice),
            ) => Some(self.at(Stage::ChargeNext {
                charged: Some(Box::new(Charged::new(quote, invoice))),
                next_quote: next_quote.clone(),
            })),
            (_, _) => None,
        })
    }

    pub(super) async fn apply(
        &self,
        tx: &Tx,
        now: Instant,
        outcome: &Result<Outcome, Refusal>,
    ) -> Result<Progress<OrderOperation>, Fault> {
        match (&self.stage, outcome) {
            (
                Stage::Charge {
                    quote,
                    next_quote: None,
                },
                Ok(Outcome::Charged(invoice)),
            ) => {
                let charged = Charged::new(quote, invoice);
                self.apply_charges(tx, now, Some(&charged), None).await
            }
            (Stage::ChargeBoth { quote, next_quote }, Ok(Outcome::ChargedAll(invoices))) => {
                let [invoice, next_invoice] = invoices.as_slice() else {
                    return Err(Fault::internal(
                        "two quotes were charged by other than two invoices",
                    ));
                };
                let this = Charged::new(quote, invoice);
                let next = Charged::new(next_quote, next_invoice);
                self.apply_charges(tx, now, Some(&this), Some(&next)).await
            }
            (
                Stage::ChargeNext {
                    charged,
                    next_quote,
                },
                Ok(Outcome::Charged(invoice)),
            ) => {
                let next = Charged::new(next_quote, invoice);
                self.apply_charges(tx, now, charged.as_deref(), Some(&next))
                    .await
            }
            (
                Stage::ChargeNext {
                    charged: Some(charged),
                    ..
                },
                Err(refusal),
            ) => {
                let (invoice_id, _) = charged.invoice.identity().map_err(Fault::internal)?;
                let credit = self.at(Stage::Credit {
                    invoice_id,
                    refusal: refusal.clone(),
                });
                Ok(Progress::Next(OrderOperation::UpdateDomains(credit)))
            }
            // A credit that is refused leaves nothing that could be given back.
            (Stage::Credit { refusal, .. }, Ok(Outcome::Credited(_)) | Err(_)) => {
                self.apply_refusal(tx, refusal).await
            }
            (_, Err(refusal)) => self.apply_refusal(tx, refusal).await,
            (_, Ok(other)) => misplaced(self.step(), other),
        }
    }

    fn at(&self, stage: Stage) -> Self {
        Self {
            stage,
            ..self.clone()
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

    async fn apply_charges(
        &self,
        tx: &Tx,
        now: Instant,
        this: Option<&Charged>,
        next: Option<&Charged>,
    ) -> Result<Progress<OrderOperation>, Fault> {
        let before = store::orders::lock(tx, &store::only(self.account_id), self.order_id).await?;
        let charges = (
            this.map(Charged::charge).transpose()?,
            next.map(Charged::charge).transpose()?,
        );
        let after = before
            .clone()
            .apply_change_charged(charges.0, charges.1, self.decision_time);
        // All that is read comes before all that is written.
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
        let data = |charge: Option<ChangeCharge>| {
            charge.map(|charge| {
                serde_json::json!({
                    "invoice_id": charge.invoice_id,
                    "total": charge.total.value(),
                    "currency": charge.total.currency().code(),
                })
            })
        };
        let mut facts = data(charges.0).unwrap_or_else(|| serde_json::json!({}));
        facts["next_term"] = serde_json::json!(data(charges.1));
        emit(
            tx,
            OrderEvent {
                kind: "domain_change.charged",
                order: &view.order,
                origin: &self.origin,
                time: self.decision_time,
                why: if charges.1.is_some() { "MD-8" } else { "MD-1" },
                outcome: "AWAITING_ISSUANCE",
                data: facts,
            },
        )
        .await?;
        let (price, next_price) = self.prices(&before, this, next);
        let updated = Updated::of(view, price, next_price);
        Ok(Progress::Done(Ended::Updated(Box::new(updated))))
    }

    /// What each term was charged; one that nothing was charged for says why (MD-2).
    fn prices(
        &self,
        before: &Order,
        this: Option<&Charged>,
        next: Option<&Charged>,
    ) -> (Option<TermPrice>, Option<TermPrice>) {
        let pin = this.or(next).map(|charged| charged.quote.pin().to_owned());
        let (this, next) = (this.map(Charged::quote), next.map(Charged::quote));
        let Some(change) = &before.change else {
            let charged = |quote: Option<Quote>| quote.map(TermPrice::Charged);
            return (charged(this), charged(next));
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
        let (this, next) = priced(before, &plan, self.decision_time, this, next);
        (Some(this), next)
    }
}

impl Charged {
    fn new(quote: &Quote, invoice: &Invoice) -> Self {
        Self {
            quote: quote.clone(),
            invoice: invoice.clone(),
        }
    }

    fn charge(&self) -> Result<ChangeCharge, Fault> {
        let (invoice_id, total) = self.invoice.identity().map_err(Fault::internal)?;
        Ok(ChangeCharge {
            invoice_id: Some(invoice_id),
            total,
        })
    }

    /// The quote as it stands once it was charged.
    fn quote(&self) -> Quote {
        self.quote.charged(&self.invoice)
    }
}

/// What is charged: for both terms at once, or for the one that anything is charged for (BL-6).
fn charge_stage(quote: Option<Quote>, next_quote: Option<Quote>) -> Result<Stage, Fault> {
    match (quote, next_quote) {
        (Some(quote), Some(next_quote)) => Ok(Stage::ChargeBoth { quote, next_quote }),
        (Some(quote), None) => Ok(Stage::Charge {
            quote,
            next_quote: None,
        }),
        (None, Some(next_quote)) => Ok(Stage::ChargeNext {
            charged: None,
            next_quote,
        }),
        (None, None) => Err(Fault::internal(
            "a change of names without a price is charged",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::samples::{instant, order};

    /// An operation of an earlier version charges one term after the other to its end.
    #[test]
    fn x_2_operations_of_an_earlier_version_are_read_and_go_on() {
        let order = order(&["example.com"]);
        let origin = Origin {
            caller: "sales".to_owned(),
            method: "/licet.orders.v1.OrderService/UpdateDomains".to_owned(),
            request_id: Uuid::nil().to_string(),
        };
        let now = instant("2026-02-01T00:00:00Z");
        let quote = || Some(Quote::default());
        let both = Updating::charge(&order, origin, now, quote(), quote()).unwrap();
        let mut stored = serde_json::to_value(&both).unwrap();
        let stage = stored["stage"].as_object_mut().unwrap();
        let quotes = stage.remove("ChargeBoth").unwrap();
        stage.insert("Charge".to_owned(), quotes);
        let earlier: Updating = serde_json::from_value(stored).unwrap();
        assert_eq!((both.step(), earlier.step()), ("charge", "charge"));
        let charged = Outcome::Charged(Box::default());
        let next = earlier.next(&charged).unwrap().unwrap();
        assert_eq!(next.step(), "charge-next-term");
        let kept = serde_json::to_value(&next).unwrap();
        let read: Updating = serde_json::from_value(kept).unwrap();
        assert_eq!(read.step(), "charge-next-term");
        assert!(read.begun(Uuid::nil()).is_none(), "something is charged");
    }
}
