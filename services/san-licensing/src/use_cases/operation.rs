//! The durable operations of SanLicensing: which there are, and what their steps answer. Each is
//! moved on in the file of the request that began it.

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
    accept_license::{Accepting, Sold},
    cancel_operation::Cancelling,
    increase_quota::Increasing,
    renew_license::{Renewal, Renewing},
};
use crate::peers::{self, Billing, Invoice, Quote, QuoteQuestion};

/// A change of a licence that spans services.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum LicenseOperation {
    /// An accepted licence is priced and charged.
    AcceptLicense(Accepting),
    /// A raised quota is priced and charged.
    IncreaseQuota(Increasing),
    /// A further term is priced and charged.
    RenewLicense(Renewing),
    /// One of the others is given up.
    Cancelling(Cancelling),
}

/// What the request of an operation is answered with.
#[derive(Debug)]
pub(crate) enum LicenseAnswer {
    /// A licence was accepted.
    Accepted(Sold),
    /// A quota was raised.
    Increased(Sold),
    /// A further term was bought.
    Renewed(Box<Renewal>),
}

/// What a step at Billing answered.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// A price was computed.
    Quoted(Box<Quote>),
    /// A quote was charged.
    Charged(Box<Invoice>),
    /// The charge was made sure never to come; or it had come before.
    TurnedBack(bool),
}

impl Operation for LicenseOperation {
    type Peers = Billing;
    type Outcome = Outcome;
    type Answer = LicenseAnswer;

    fn kind(&self) -> &'static str {
        match self {
            Self::AcceptLicense(_) => "ACCEPT_LICENSE",
            Self::IncreaseQuota(_) => "INCREASE_QUOTA",
            Self::RenewLicense(_) => "RENEW_LICENSE",
            Self::Cancelling(cancelling) => cancelling.operation.kind(),
        }
    }

    fn step(&self) -> &'static str {
        match self {
            Self::AcceptLicense(accepting) => accepting.stage.step(),
            Self::IncreaseQuota(increasing) => increasing.stage.step(),
            Self::RenewLicense(renewing) => renewing.stage.step(),
            Self::Cancelling(_) => "cancel",
        }
    }

    async fn perform(&self, billing: &Billing, request_id: Uuid) -> Result<Outcome, PeerFault> {
        match self {
            Self::AcceptLicense(accepting) => accepting.perform(billing, request_id).await,
            Self::IncreaseQuota(increasing) => {
                let accepted = increasing.decision_time;
                increasing
                    .stage
                    .perform(billing, accepted, request_id)
                    .await
            }
            Self::RenewLicense(renewing) => {
                let accepted = renewing.decision_time;
                renewing.stage.perform(billing, accepted, request_id).await
            }
            Self::Cancelling(cancelling) => cancelling.perform(billing).await,
        }
    }

    /// Once it is priced, it is charged.
    fn next(&self, answer: &Outcome) -> Result<Option<Self>, Fault> {
        let Outcome::Quoted(quote) = answer else {
            return Ok(None);
        };
        let mut next = self.clone();
        let stage = match &mut next {
            Self::AcceptLicense(accepting) => &mut accepting.stage,
            Self::IncreaseQuota(increasing) => &mut increasing.stage,
            Self::RenewLicense(renewing) => &mut renewing.stage,
            Self::Cancelling(_) => return Ok(None),
        };
        *stage = Stage::Charge {
            quote: (**quote).clone(),
        };
        Ok(Some(next))
    }

    async fn apply(
        &self,
        tx: &Tx,
        now: Instant,
        outcome: &Result<Outcome, Refusal>,
    ) -> Result<Progress<Self>, Fault> {
        match self {
            Self::AcceptLicense(accepting) => accepting.apply(tx, now, outcome).await,
            Self::IncreaseQuota(increasing) => increasing.apply(tx, now, outcome).await,
            Self::RenewLicense(renewing) => renewing.apply(tx, now, outcome).await,
            Self::Cancelling(cancelling) => cancelling.apply(tx, now, outcome).await,
        }
    }

    fn turned_back(&self, id: OperationId, request_id: Uuid) -> Option<Self> {
        let stage = match self {
            Self::AcceptLicense(accepting) => &accepting.stage,
            Self::IncreaseQuota(increasing) => &increasing.stage,
            Self::RenewLicense(renewing) => &renewing.stage,
            Self::Cancelling(_) => return Some(self.clone()),
        };
        let cancelling = Cancelling::new(id, self.clone(), stage, request_id);
        Some(Self::Cancelling(cancelling))
    }
}

/// How far a charge has come: every change of a licence that costs something takes these two steps.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Stage {
    /// It is to be priced; of several products by the dearest (SL-10).
    Price { question: QuoteQuestion },
    /// It is to be charged exactly as it was priced.
    Charge { quote: Quote },
}

impl Stage {
    fn step(&self) -> &'static str {
        match self {
            Self::Price { .. } => "price",
            Self::Charge { .. } => "charge",
        }
    }

    pub(super) async fn perform(
        &self,
        billing: &Billing,
        accepted: Instant,
        request_id: Uuid,
    ) -> Result<Outcome, PeerFault> {
        match self {
            Self::Price { question } => {
                let question = peers::narrow_to_dearest(billing, question).await?;
                let quote = billing.create_quote(&question, request_id).await?;
                Ok(Outcome::Quoted(Box::new(quote)))
            }
            Self::Charge { quote } => billing
                .charge_quote(quote, accepted, request_id)
                .await
                .map(|invoice| Outcome::Charged(Box::new(invoice))),
        }
    }
}

/// An outcome that does not belong to the step that it came for: a defect.
pub(super) fn misplaced<T>(stage: &Stage, outcome: &Outcome) -> Result<T, Fault> {
    Err(Fault::internal(format!(
        "step {} was answered by {outcome:?}",
        stage.step()
    )))
}
