//! What is bought through an operation takes two steps: it is priced as of the instant at which it was
//! decided, then exactly that price is charged. A charge that is turned back is forbidden.

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

/// An operation that buys something by one quote.
pub trait Purchase:
    Operation<Peers: AsRef<Billing>> + Clone + Serialize + DeserializeOwned
{
    /// What is to be priced.
    type Question: Serialize + DeserializeOwned + Send + Sync + 'static;
    /// Its price, with all that is needed beside it once it is charged.
    type Offer: AsRef<Quote> + Clone + Serialize + DeserializeOwned + Send + Sync + 'static;

    /// The instant that the expiry of the quote is judged by (MD-6).
    fn accept_time(&self) -> Instant;

    /// Asks for the price.
    fn price(
        &self,
        peers: &Self::Peers,
        question: &Self::Question,
        request_id: Uuid,
    ) -> impl Future<Output = Result<Self::Offer, PeerFault>> + Send;

    /// What was charged is bought.
    fn apply_charge(
        &self,
        tx: &Tx,
        now: Instant,
        offer: &Self::Offer,
        invoice: &Invoice,
    ) -> impl Future<Output = Result<Self::Output, Fault>> + Send;

    /// Leaves everything as it was: nothing is bought.
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

/// A purchase is to be priced.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Price<P: Purchase> {
    /// What is bought.
    pub purchase: P,
    /// What is asked.
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

/// A purchase is to be charged exactly as it was priced.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Charge<P: Purchase> {
    /// What is bought.
    pub purchase: P,
    /// Its price.
    pub offer: P::Offer,
}

impl<P: Purchase> Charge<P> {
    /// The charge of what was offered.
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

/// A charge that may have been begun, and is to come never.
pub struct ChargeReversal {
    quotes: Vec<Quote>,
    /// What the charge is known by at Billing.
    charge_request_id: Uuid,
}

impl ChargeReversal {
    /// Of a charge of one quote, or of several at once.
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
