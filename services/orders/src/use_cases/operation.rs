//! The durable operations of Orders: which there are, and what their steps answer. Each is moved
//! on in the file of the request that began it.

use licet_clients::{
    billing::{CreditNote, Invoice, Quote, Refund},
    san_licensing::Authorization,
};
use licet_domain::{clock::Instant, ids::OperationId, refusal::Refusal};
use licet_runtime::{
    database::Tx,
    fault::Fault,
    operation::{Operation, Progress},
    peer::PeerFault,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    begin_issuance::{Beginning, IssuanceBegun},
    cancel_domain_change::{ChangeCancelled, TakingBackChange},
    cancel_operation::Cancelling,
    charge_domains::Updating,
    delete_order::Deleted,
    finish_deletion::Deleting,
    place_order::{Placed, Placing},
    record::Recorded,
    record_issuance::Recording,
    renew_order::{Renewed, Renewing},
    update_domains::Updated,
};
use crate::{
    peers::Peers,
    rules::{order::Sold, san_license::Counted},
};

/// A change of an order that spans services.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum OrderOperation {
    /// A new order is priced and charged.
    PlaceOrder(Placing),
    /// A change of names is priced and charged.
    UpdateDomains(Updating),
    /// A deleted order is refunded, and its SANs returned.
    DeleteOrder(Deleting),
    /// The order's SAN licence is asked for room for a certificate.
    BeginIssuance(Beginning),
    /// A certificate is recorded in the order's SAN licence, and then here.
    RecordIssuance(Recording),
    /// A change of names is credited and taken back.
    CancelDomainChange(TakingBackChange),
    /// The next term of an order is priced and charged.
    RenewOrder(Renewing),
    /// One of the others is given up.
    Cancelling(Cancelling),
}

/// What a step at a peer answered.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The product was read, the order planned and its price computed.
    Planned(Box<Sold>, Box<Quote>),
    /// The prices of a change of names were computed: for the running term and for the next one,
    /// where each charges something (MD-8).
    Quoted {
        this: Option<Box<Quote>>,
        next: Option<Box<Quote>>,
    },
    /// A quote was charged.
    Charged(Box<Invoice>),
    /// Several quotes were charged at once, in the order of the question.
    ChargedAll(Vec<Invoice>),
    /// An invoice was credited, where anything of it was left to be.
    Credited(Option<Box<CreditNote>>),
    /// What the given-up step may have begun was made to come to nothing; or it was through before.
    TurnedBack(bool),
    /// A refund was decided.
    Refunded(Box<Refund>),
    /// The refunds of terms that are over were decided, or refused, in their order.
    PastRefunded(Vec<Result<Refund, Refusal>>),
    /// It was decided whether a certificate may be signed.
    Authorized(Box<Authorization>),
    /// A certificate is recorded in the SAN licence that it counts in, if any.
    Recorded {
        counted: Option<Counted>,
        over_quota: bool,
    },
    /// All that an order held of its SAN licence is given back; the refusals say what was not held
    /// any more.
    Returned(Vec<Refusal>),
}

/// What the request that began an operation is answered with once all is done.
#[derive(Debug)]
pub(crate) enum Ended {
    Placed(Box<Placed>),
    Updated(Box<Updated>),
    Deleted(Box<Deleted>),
    Begun(Box<IssuanceBegun>),
    Recorded(Box<Recorded>),
    ChangeCancelled(Box<ChangeCancelled>),
    Renewed(Box<Renewed>),
}

impl Operation for OrderOperation {
    type Peers = Peers;
    type Outcome = Outcome;
    type Answer = Ended;

    fn kind(&self) -> &'static str {
        match self {
            Self::PlaceOrder(_) => "PLACE_ORDER",
            Self::UpdateDomains(_) => "UPDATE_DOMAINS",
            Self::DeleteOrder(_) => "DELETE_ORDER",
            Self::BeginIssuance(_) => "BEGIN_ISSUANCE",
            Self::RecordIssuance(_) => "RECORD_ISSUANCE",
            Self::CancelDomainChange(_) => "CANCEL_DOMAIN_CHANGE",
            Self::RenewOrder(_) => "RENEW_ORDER",
            Self::Cancelling(cancelling) => cancelling.operation.kind(),
        }
    }

    fn step(&self) -> &'static str {
        match self {
            Self::PlaceOrder(placing) => placing.step(),
            Self::UpdateDomains(updating) => updating.step(),
            Self::DeleteOrder(deleting) => deleting.step(),
            Self::BeginIssuance(beginning) => beginning.step(),
            Self::RecordIssuance(recording) => recording.step(),
            Self::CancelDomainChange(change) => change.step(),
            Self::RenewOrder(renewing) => renewing.step(),
            Self::Cancelling(_) => "cancel",
        }
    }

    async fn perform(&self, peers: &Peers, request_id: Uuid) -> Result<Outcome, PeerFault> {
        let san_licensing = &peers.san_licensing;
        match self {
            Self::PlaceOrder(placing) => placing.perform(peers, request_id).await,
            Self::UpdateDomains(updating) => updating.perform(&peers.billing, request_id).await,
            Self::DeleteOrder(deleting) => deleting.perform(peers, request_id).await,
            Self::BeginIssuance(beginning) => beginning.perform(san_licensing, request_id).await,
            Self::RecordIssuance(recording) => recording.perform(san_licensing, request_id).await,
            Self::CancelDomainChange(change) => change.perform(peers, request_id).await,
            Self::RenewOrder(renewing) => renewing.perform(peers, request_id).await,
            Self::Cancelling(cancelling) => cancelling.perform(peers, request_id).await,
        }
    }

    fn next(&self, answer: &Outcome) -> Result<Option<Self>, Fault> {
        Ok(match self {
            Self::PlaceOrder(placing) => placing.next(answer).map(Self::PlaceOrder),
            Self::UpdateDomains(updating) => updating.next(answer)?.map(Self::UpdateDomains),
            Self::RenewOrder(renewing) => renewing.next(answer).map(Self::RenewOrder),
            Self::DeleteOrder(_)
            | Self::BeginIssuance(_)
            | Self::RecordIssuance(_)
            | Self::CancelDomainChange(_)
            | Self::Cancelling(_) => None,
        })
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
            Self::BeginIssuance(beginning) => beginning.apply(tx, outcome).await,
            Self::RecordIssuance(recording) => recording.apply(tx, now, outcome).await,
            Self::CancelDomainChange(change) => change.apply(tx, now, outcome).await,
            Self::RenewOrder(renewing) => renewing.apply(tx, now, outcome).await,
            Self::Cancelling(cancelling) => cancelling.apply(tx, now, outcome).await,
        }
    }

    /// A deletion and a credit are never taken back, a certificate that was signed exists, and room
    /// that the order holds is its own.
    fn turned_back(&self, id: OperationId, request_id: Uuid) -> Option<Self> {
        let begun = match self {
            Self::PlaceOrder(placing) => placing.begun(request_id),
            Self::UpdateDomains(updating) => updating.begun(request_id)?,
            Self::BeginIssuance(beginning) => beginning.begun(request_id)?,
            Self::RenewOrder(renewing) => renewing.begun(request_id),
            Self::DeleteOrder(_) | Self::RecordIssuance(_) | Self::CancelDomainChange(_) => {
                return None;
            }
            Self::Cancelling(_) => return Some(self.clone()),
        };
        Some(Self::Cancelling(Cancelling::new(id, self.clone(), begun)))
    }
}

/// An outcome that does not belong to the step that it came for: a defect.
pub(super) fn misplaced<T>(step: &str, outcome: &Outcome) -> Result<T, Fault> {
    Err(Fault::internal(format!(
        "step {step} was answered by {outcome:?}"
    )))
}
