//! The two steps of a purchase: a quote as of the decision time, then a charge of exactly that quote. When
//! the operation is cancelled, its charge is forbidden.

use futures::future::BoxFuture;
use licet_domain::{clock::Instant, refusal::Refusal};
use licet_runtime::{
    database::Tx,
    fault::Fault,
    operation::{Next, NextStep, Operation, Reversal, Step, Steps, Undo},
    peer::PeerFault,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::billing::{Billing, Invoice, Quote};

/// An operation that buys something with one quote.
pub trait Purchase:
    Operation<Peers: AsRef<Billing>> + Clone + Serialize + DeserializeOwned
{
    /// The request for the price.
    type Question: Serialize + DeserializeOwned + Send + Sync + 'static;
    /// The quote, and whatever else the purchase needs after the charge.
    type Offer: AsRef<Quote> + Clone + Serialize + DeserializeOwned + Send + Sync + 'static;

    /// The time at which the quote must not have expired (MD-6).
    fn accept_time(&self) -> Instant;

    /// Requests the price.
    fn price(
        &self,
        peers: &Self::Peers,
        question: &Self::Question,
        request_id: Uuid,
    ) -> impl Future<Output = Result<Self::Offer, PeerFault>> + Send;

    /// Applies the purchase after its charge.
    fn apply_charge(
        &self,
        tx: &Tx,
        now: Instant,
        offer: &Self::Offer,
        invoice: &Invoice,
    ) -> impl Future<Output = Result<Self::Output, Fault>> + Send;

    /// Applies a refusal: nothing is bought.
    fn apply_refusal(
        &self,
        tx: &Tx,
        refusal: &Refusal,
    ) -> impl Future<Output = Result<(), Fault>> + Send;
}

/// The steps of a purchase.
pub fn steps<P: Purchase>() -> Steps<P> {
    Steps::of::<Price<P>>().or::<Charge<P>>()
}

/// The step that prices a purchase.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Price<P: Purchase> {
    /// The purchase.
    pub purchase: P,
    /// The request for its price.
    pub question: P::Question,
}

impl<P: Purchase> Step for Price<P> {
    const NAME: &'static str = "price";
    type Operation = P;
    type Answer = P::Offer;

    async fn ask(&self, peers: &P::Peers, request_id: Uuid) -> Result<P::Offer, PeerFault> {
        self.purchase.price(peers, &self.question, request_id).await
    }

    fn next(&self, offer: &P::Offer) -> Option<NextStep<P>> {
        Some(Charge::of(&self.purchase, offer.clone()))
    }

    async fn apply(
        &self,
        tx: &Tx,
        _now: Instant,
        answer: &Result<P::Offer, Refusal>,
    ) -> Result<Next<P>, Fault> {
        match answer {
            Ok(offer) => Ok(Next::Step(Charge::of(&self.purchase, offer.clone()))),
            Err(refusal) => refuse(&self.purchase, tx, refusal).await,
        }
    }

    fn undo(&self, _request_id: Uuid) -> Undo<P::Peers> {
        Undo::Nothing
    }
}

/// The step that charges exactly the quoted price.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Charge<P: Purchase> {
    /// The purchase.
    pub purchase: P,
    /// Its quote.
    pub offer: P::Offer,
}

impl<P: Purchase> Charge<P> {
    /// The step that charges `offer`.
    pub fn of(purchase: &P, offer: P::Offer) -> NextStep<P> {
        NextStep::of(&Self {
            purchase: purchase.clone(),
            offer,
        })
    }
}

impl<P: Purchase> Step for Charge<P> {
    const NAME: &'static str = "charge";
    type Operation = P;
    type Answer = Invoice;

    async fn ask(&self, peers: &P::Peers, request_id: Uuid) -> Result<Invoice, PeerFault> {
        let billing: &Billing = peers.as_ref();
        let accept_time = self.purchase.accept_time();
        billing
            .charge_quote(self.offer.as_ref(), accept_time, request_id)
            .await
    }

    async fn apply(
        &self,
        tx: &Tx,
        now: Instant,
        answer: &Result<Invoice, Refusal>,
    ) -> Result<Next<P>, Fault> {
        let Self { purchase, offer } = self;
        match answer {
            Ok(invoice) => {
                let bought = purchase.apply_charge(tx, now, offer, invoice).await?;
                Ok(Next::Done(bought))
            }
            Err(refusal) => refuse(purchase, tx, refusal).await,
        }
    }

    fn undo(&self, request_id: Uuid) -> Undo<P::Peers> {
        ChargeReversal::of(&[self.offer.as_ref()], request_id)
    }
}

async fn refuse<P: Purchase>(purchase: &P, tx: &Tx, refusal: &Refusal) -> Result<Next<P>, Fault> {
    purchase.apply_refusal(tx, refusal).await?;
    Ok(Next::Refused(refusal.clone()))
}

/// The reversal of a charge that Billing may or may not have received.
pub struct ChargeReversal {
    quotes: Vec<Quote>,
    /// The request id of the charge.
    charge_request_id: Uuid,
}

impl ChargeReversal {
    /// How to undo a charge of one or several quotes.
    #[must_use]
    pub fn of<P: AsRef<Billing> + Sync>(quotes: &[&Quote], charge_request_id: Uuid) -> Undo<P> {
        let quotes = quotes.iter().map(|quote| (*quote).clone());
        Undo::By(Box::new(Self {
            quotes: quotes.collect(),
            charge_request_id,
        }))
    }
}

impl<P: AsRef<Billing> + Sync> Reversal<P> for ChargeReversal {
    fn ask<'a>(
        &'a self,
        peers: &'a P,
        _request_id: Uuid,
    ) -> BoxFuture<'a, Result<bool, PeerFault>> {
        Box::pin(async move {
            let billing: &Billing = peers.as_ref();
            let quotes: Vec<_> = self.quotes.iter().collect();
            billing.forbid_charge(&quotes, self.charge_request_id).await
        })
    }
}
