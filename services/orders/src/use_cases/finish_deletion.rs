//! Finishes a deletion (AL-4, X-3): requests the refund of each term, and releases what the order
//! held of its SAN licence. It only goes forward: a refund that Billing refuses is shown as one to
//! review.

use std::collections::BTreeMap;

use licet_clients::billing::{Refund, RefundQuestion};
use licet_domain::{
    clock::Instant,
    ids::{AccountId, OrderId},
    money::Currency,
    refusal::Refusal,
};
use licet_runtime::{
    caller::Origin,
    database::Tx,
    fault::Fault,
    operation::{Next, NextStep, Operation, Step, Steps, never_refused},
    peer::PeerFault,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::event::OrderEvent;
use crate::{
    events::{OrderSansReturned, RefundDecided},
    peers::{self, Peers, billing::refund_question},
    queries::order_view::{self, OrderView, refunds},
    rules::{
        deletion::Deletion,
        order::{Order, OrderTerm},
        refund_count::{ValidPeriod, first_use, is_open},
        san_license::LicenseReleasePlan,
    },
    store,
};

/// The refund questions to Billing, one per term: each term has its own policy and its own count of
/// days (AL-4).
pub(super) struct Questions {
    decision_time: Instant,
    running: RefundQuestion,
    next: Option<RefundQuestion>,
    /// The past terms whose refund period is still open, ascending by index.
    past: Vec<RefundQuestion>,
}

impl Questions {
    /// For the running term, the next one, and the past ones that are still open at `now`.
    pub(super) fn new(
        order: &Order,
        past: &[OrderTerm],
        certificates: &[ValidPeriod],
        now: Instant,
        validate_only: bool,
    ) -> Self {
        let question = |term: &OrderTerm| {
            let since = first_use(term, certificates, now);
            refund_question(order, term, since, now, validate_only)
        };
        let open = past.iter().filter(|term| is_open(term, certificates, now));
        let mut open: Vec<&OrderTerm> = open.collect();
        open.sort_unstable_by_key(|term| term.index);
        Self {
            decision_time: now,
            running: question(&order.term),
            next: order.next_term.as_ref().map(question),
            past: open.into_iter().map(question).collect(),
        }
    }

    /// Ascending by term index.
    pub(super) fn all(&self) -> impl Iterator<Item = &RefundQuestion> {
        let running = std::iter::once(&self.running);
        self.past.iter().chain(running).chain(&self.next)
    }
}

/// A deleted or previewed order, what the deletion invalidates, and the refunds decided so far,
/// ascending by term index.
#[derive(Debug)]
pub(crate) struct DeletedOrder {
    pub(crate) view: OrderView,
    pub(crate) deletion: Deletion,
    pub(crate) refunds: Vec<Refund>,
}

/// The operation that finishes a deletion, with what is still to do.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct DeleteOrderOperation {
    order_id: OrderId,
    account_id: AccountId,
    origin: Origin,
    decision_time: Instant,
    deletion: Deletion,
    #[serde(default)]
    pub(super) next_question: Option<RefundQuestion>,
    /// The refund questions of the past terms.
    #[serde(default)]
    pub(super) past_questions: Vec<RefundQuestion>,
    #[serde(default, rename = "back")]
    release: Option<LicenseReleasePlan>,
}

impl Operation for DeleteOrderOperation {
    const KIND: &'static str = "DELETE_ORDER";
    type Peers = Peers;
    type Output = DeletedOrder;
}

impl DeleteOrderOperation {
    /// All its steps.
    pub(crate) fn steps() -> Steps<Self> {
        Steps::of::<RefundTerm<false>>()
            .or::<RefundTerm<true>>()
            .or::<RefundPastTerms>()
            .or::<ReleaseLicense>()
    }

    pub(super) fn begin(
        order: &Order,
        origin: Origin,
        deletion: Deletion,
        questions: Questions,
        release: Option<LicenseReleasePlan>,
    ) -> NextStep<Self> {
        NextStep::of(&RefundTerm::<false> {
            deleting: Self {
                order_id: order.id,
                account_id: order.account_id,
                origin,
                decision_time: questions.decision_time,
                deletion,
                next_question: questions.next,
                past_questions: questions.past,
                release,
            },
            question: questions.running,
        })
    }

    /// The refund of the next term first, then those of the past terms, then the release.
    pub(super) fn next(&self) -> Option<NextStep<Self>> {
        let mut deleting = self.clone();
        if let Some(question) = deleting.next_question.take() {
            return Some(NextStep::of(&RefundTerm::<true> { deleting, question }));
        }
        let questions = std::mem::take(&mut deleting.past_questions);
        if !questions.is_empty() {
            return Some(NextStep::of(&RefundPastTerms {
                deleting,
                questions,
            }));
        }
        let release = deleting.release.take()?;
        Some(NextStep::of(&ReleaseLicense { deleting, release }))
    }

    /// A refusal of Billing does not restore the order: the order and its event show a refund that
    /// finance has to look at.
    async fn apply_refunds(
        &self,
        tx: &Tx,
        now: Instant,
        decided: &[(&RefundQuestion, Result<&Refund, &Refusal>)],
    ) -> Result<Next<Self>, Fault> {
        let before = store::orders::lock(tx, &self.account_id.into(), self.order_id).await?;
        let shown = decided.iter().map(|(question, outcome)| match outcome {
            Ok(refund) => (*refund).clone(),
            Err(refusal) => Refund::to_review(question, refusal, sold_in(&before)),
        });
        let shown: Vec<Refund> = shown.collect();
        let in_review = before.refund_in_review || shown.iter().any(Refund::is_in_review);
        let encoded = shown.iter().map(|refund| {
            let index = refund.term_index().unwrap_or_default();
            let index = u32::try_from(index).map_err(Fault::internal)?;
            Ok((index, refund.encode()))
        });
        let encoded: Result<BTreeMap<_, _>, Fault> = encoded.collect();
        let after = before.clone().apply_refunds(encoded?, in_review);
        store::orders::save(tx, &before, &after).await?;
        let next = match self.next() {
            Some(next) => Next::Step(next),
            None => Next::Done(self.done(tx, after.clone(), now).await?),
        };
        for (refund, (_, outcome)) in shown.iter().zip(decided) {
            self.emit_refund(tx, &after, refund, outcome.err()).await?;
        }
        Ok(next)
    }

    async fn emit_refund(
        &self,
        tx: &Tx,
        after: &Order,
        refund: &Refund,
        refused: Option<&Refusal>,
    ) -> Result<(), Fault> {
        let (value, currency) = refund.refunded_text().unzip();
        let event = OrderEvent {
            resource: after,
            origin: &self.origin,
            time: self.decision_time,
            why: if refused.is_some() { "X-3" } else { "AL-4" },
            outcome: refund.state_name(),
            data: RefundDecided {
                refund_id: refund.id(),
                term_index: refund.term_index(),
                refunded: value,
                currency,
                refused_reason: refused.map(|refusal| refusal.reason.as_str()),
                refused_message: refused.map(|refusal| refusal.message.as_str()),
            },
        };
        event.emit(tx).await
    }

    /// The order holds nothing of the SAN licence now; refusals are shown in the event.
    async fn apply_license_release(
        &self,
        tx: &Tx,
        now: Instant,
        release: &LicenseReleasePlan,
        refused: &[Refusal],
    ) -> Result<Next<Self>, Fault> {
        let order = store::orders::lock(tx, &self.account_id.into(), self.order_id).await?;
        let ids: Vec<_> = release
            .certificates
            .iter()
            .map(|found| found.certificate_id)
            .collect();
        store::license_revocations::mark(tx, self.account_id, &ids, now).await?;
        let deleted = self.done(tx, order.clone(), now).await?;
        let event = OrderEvent {
            resource: &order,
            origin: &self.origin,
            time: self.decision_time,
            why: "X-3",
            outcome: "RETURNED",
            data: OrderSansReturned {
                san_license_id: release.license_id,
                reservation_id: release.reservation_id,
                certificate_ids: &ids,
                refused_messages: refused.iter().map(|it| it.message.as_str()).collect(),
            },
        };
        event.emit(tx).await?;
        Ok(Next::Done(deleted))
    }

    async fn done(&self, tx: &Tx, order: Order, now: Instant) -> Result<DeletedOrder, Fault> {
        let refunds = refunds(&order)?;
        let view = order_view::load_ended(tx, order, now).await?;
        Ok(DeletedOrder {
            view,
            deletion: self.deletion.clone(),
            refunds,
        })
    }
}

/// Requests the refund of the term that ran, or with `NEXT` of the next one.
#[derive(Serialize, Deserialize)]
pub(super) struct RefundTerm<const NEXT: bool> {
    pub(super) deleting: DeleteOrderOperation,
    pub(super) question: RefundQuestion,
}

impl<const NEXT: bool> Step for RefundTerm<NEXT> {
    const NAME: &'static str = if NEXT { "refund-next-term" } else { "refund" };
    type Operation = DeleteOrderOperation;
    type Answer = Refund;

    async fn ask(&self, peers: &Peers, request_id: Uuid) -> Result<Refund, PeerFault> {
        let billing = &peers.billing;
        billing.request_refund(&self.question, request_id).await
    }

    async fn apply(
        &self,
        tx: &Tx,
        now: Instant,
        answer: &Result<Refund, Refusal>,
    ) -> Result<Next<DeleteOrderOperation>, Fault> {
        let decided = [(&self.question, answer.as_ref())];
        self.deleting.apply_refunds(tx, now, &decided).await
    }
}

/// Requests the refunds of the past terms.
#[derive(Serialize, Deserialize)]
pub(super) struct RefundPastTerms {
    pub(super) deleting: DeleteOrderOperation,
    pub(super) questions: Vec<RefundQuestion>,
}

impl Step for RefundPastTerms {
    const NAME: &'static str = "refund-past-terms";
    type Operation = DeleteOrderOperation;
    /// In the order of `questions`.
    type Answer = Vec<Result<Refund, Refusal>>;

    /// Each question has its own request id, so that a repeat gets the same answer.
    async fn ask(&self, peers: &Peers, request_id: Uuid) -> Result<Self::Answer, PeerFault> {
        let mut decided = Vec::new();
        for (number, question) in (1..).zip(&self.questions) {
            let request_id = Uuid::from_u128(request_id.as_u128() ^ number);
            match peers.billing.request_refund(question, request_id).await {
                Ok(refund) => decided.push(Ok(refund)),
                Err(PeerFault::Refused(refusal)) => decided.push(Err(*refusal)),
                Err(fault) => return Err(fault),
            }
        }
        Ok(decided)
    }

    async fn apply(
        &self,
        tx: &Tx,
        now: Instant,
        answer: &Result<Self::Answer, Refusal>,
    ) -> Result<Next<DeleteOrderOperation>, Fault> {
        let decided = never_refused(Self::NAME, answer)?;
        let decided = decided.iter().map(Result::as_ref);
        let decided: Vec<_> = self.questions.iter().zip(decided).collect();
        self.deleting.apply_refunds(tx, now, &decided).await
    }
}

/// Releases what the order held of its SAN licence.
#[derive(Serialize, Deserialize)]
pub(super) struct ReleaseLicense {
    pub(super) deleting: DeleteOrderOperation,
    #[serde(rename = "back")]
    pub(super) release: LicenseReleasePlan,
}

impl Step for ReleaseLicense {
    const NAME: &'static str = "give-back";
    type Operation = DeleteOrderOperation;
    /// The refusals: what the licence no longer held.
    type Answer = Vec<Refusal>;

    async fn ask(&self, peers: &Peers, request_id: Uuid) -> Result<Vec<Refusal>, PeerFault> {
        let (release, san_licensing) = (&self.release, &peers.san_licensing);
        let mut refused = Vec::new();
        if let Some(id) = release.reservation_id {
            let released = san_licensing.release(release.license_id, id, request_id);
            refused.extend(released.await?.map(|refusal| *refusal));
        }
        for certificate in &release.certificates {
            let revoked = peers::san_licensing::revoke(san_licensing, certificate);
            refused.extend(revoked.await?.map(|refusal| *refusal));
        }
        Ok(refused)
    }

    async fn apply(
        &self,
        tx: &Tx,
        now: Instant,
        answer: &Result<Vec<Refusal>, Refusal>,
    ) -> Result<Next<DeleteOrderOperation>, Fault> {
        let refused = never_refused(Self::NAME, answer)?;
        let (deleting, release) = (&self.deleting, &self.release);
        deleting
            .apply_license_release(tx, now, release, refused)
            .await
    }
}

/// The currency that the order was sold in.
pub(super) fn sold_in(order: &Order) -> Option<Currency> {
    order.term.sold.as_ref().map(|sold| sold.currency)
}
