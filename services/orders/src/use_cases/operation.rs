//! The durable operations of Orders: which there are, and what their steps answer. Each is moved
//! on in the file of the request that began it.

use licet_contracts::billing::v1 as billing;
use licet_domain::{clock::Instant, refusal::Refusal};
use licet_runtime::{
    database::Tx,
    fault::Fault,
    operation::{Operation, Progress},
    peer::PeerFault,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{delete_order::Deleting, place_order::Placing, update_domains::Updating};
use crate::{peers::Billing, rules::order::Sold};

/// A change of an order that spans services.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum OrderOperation {
    /// A new order is priced and charged.
    PlaceOrder(Placing),
    /// A change of names is priced and charged.
    UpdateDomains(Updating),
    /// A deleted order is refunded.
    DeleteOrder(Deleting),
}

/// What a step at Billing answered.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The product was read, the order planned and its price computed.
    Planned(Box<Sold>, Box<billing::Quote>),
    /// A price was computed.
    Quoted(Box<billing::Quote>),
    /// A quote was charged.
    Charged(Box<billing::Invoice>),
    /// A refund was decided.
    Refunded(Box<billing::Refund>),
}

impl Operation for OrderOperation {
    type Peers = Billing;
    type Outcome = Outcome;

    fn kind(&self) -> &'static str {
        match self {
            Self::PlaceOrder(_) => "PLACE_ORDER",
            Self::UpdateDomains(_) => "UPDATE_DOMAINS",
            Self::DeleteOrder(_) => "DELETE_ORDER",
        }
    }

    fn step(&self) -> &'static str {
        match self {
            Self::PlaceOrder(placing) => placing.step(),
            Self::UpdateDomains(updating) => updating.step(),
            Self::DeleteOrder(_) => "refund",
        }
    }

    async fn perform(&self, billing: &Billing, request_id: Uuid) -> Result<Outcome, PeerFault> {
        match self {
            Self::PlaceOrder(placing) => placing.perform(billing, request_id).await,
            Self::UpdateDomains(updating) => updating.perform(billing, request_id).await,
            Self::DeleteOrder(deleting) => deleting.perform(billing, request_id).await,
        }
    }

    async fn apply(
        &self,
        tx: &Tx,
        now: Instant,
        outcome: &Result<Outcome, Refusal>,
    ) -> Result<Progress<Self>, Fault> {
        match self {
            Self::PlaceOrder(placing) => placing.apply(tx, now, outcome).await,
            Self::UpdateDomains(updating) => updating.apply(tx, now, outcome).await,
            Self::DeleteOrder(deleting) => deleting.apply(tx, now, outcome).await,
        }
    }
}

/// An outcome that does not belong to the step that it came for: a defect.
pub(super) fn misplaced<T>(step: &str, outcome: &Outcome) -> Result<T, Fault> {
    Err(Fault::internal(format!(
        "step {step} was answered by {outcome:?}"
    )))
}
