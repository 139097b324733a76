//! BeginIssuance: what the CA is to sign, said at once; an order that draws on a SAN licence is
//! authorised there first, as an operation, and keeps the reservation of a grant (X-4, SL-12). It
//! holds one at most: a further grant replaces the one before, which is given back.

use licet_contracts::{orders::v1 as orders, sanlicensing::v1 as san};
use licet_domain::{
    clock::Instant,
    ids::{AccountId, LicenseId, OrderId, ReservationId},
    refusal::Refusal,
};
use licet_runtime::{
    caller::{Call, Origin},
    database::{Tx, Work},
    fault::Fault,
    operation::{self, Progress},
    peer::PeerFault,
    replay::Accepted,
    stored::Kept,
};
use prost::Message;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    cancel_operation::Begun,
    event::{OrderEvent, emit},
    operation::{OrderOperation, Outcome, misplaced},
    settle,
};
use crate::{
    convert::{
        certificate::encode_pending,
        san_licensing::{BeginWish, authorize_question, granted},
    },
    peers::SanLicensing,
    rules::{
        issuance::expect_issuance,
        permission::{Action, permit},
    },
    store,
};

/// Accepts that a certificate is about to be signed.
pub(crate) struct BeginIssuance<'a> {
    pub(crate) call: &'a Call,
    pub(crate) request_id: &'a str,
    pub(crate) wish: &'a BeginWish,
}

impl Work for BeginIssuance<'_> {
    type Answer = Accepted<orders::BeginIssuanceResponse>;

    async fn run(&self, tx: &Tx) -> Result<Self::Answer, Fault> {
        let scope = &self.call.caller.accounts;
        let (before, now) = settle::lock(tx, scope, self.wish.order_id, self.call.now).await?;
        permit(&before, Action::RecordIssuance, now)?;
        operation::refuse_if_running(tx, &before.id.to_string()).await?;
        expect_issuance(&before, now)?;
        let pending = encode_pending(&before, now);
        let Some(license_id) = before.san_license_id else {
            return Ok(Accepted::Done(orders::BeginIssuanceResponse {
                pending_issuance: Some(pending),
                authorization: None,
            }));
        };
        let question = authorize_question(&before, license_id, self.wish, now)?;
        let operation = OrderOperation::BeginIssuance(Beginning {
            order_id: before.id,
            account_id: before.account_id,
            origin: self.call.origin(self.request_id),
            decision_time: now,
            pending: Kept(pending),
            question: Kept(question),
            replacing: None,
        });
        let id = before.id.to_string();
        let begun = operation::begin(tx, self.call, &id, before.account_id, &operation).await?;
        let after = before.clone().apply_decision(now);
        store::orders::save(tx, &before, &after).await?;
        Ok(Accepted::Operation(begun))
    }
}

/// An authorisation under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Beginning {
    order_id: OrderId,
    account_id: AccountId,
    origin: Origin,
    decision_time: Instant,
    pending: Kept<orders::PendingIssuance>,
    question: Kept<san::AuthorizeIssuanceRequest>,
    /// Once there is a grant: the reservation before it, which is still to be given back.
    #[serde(default)]
    replacing: Option<Replacing>,
}

/// A grant that takes the place of an earlier one. The SANs that both hold weigh once (SL-4), so the
/// new reservation is made first: a denial leaves the order with the one that it has.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Replacing {
    answer: Kept<san::AuthorizeIssuanceResponse>,
    license_id: LicenseId,
    reservation_id: ReservationId,
}

impl Beginning {
    pub(super) fn step(&self) -> &'static str {
        match &self.replacing {
            None => "authorize",
            Some(_) => "release-replaced",
        }
    }

    /// Room that the present step may have reserved; none once the order holds it.
    pub(super) fn begun(&self, request_id: Uuid) -> Option<Begun> {
        self.replacing.is_none().then(|| Begun::Reservation {
            question: self.question.clone(),
            request_id,
        })
    }

    pub(super) async fn perform(
        &self,
        san_licensing: &SanLicensing,
        request_id: Uuid,
    ) -> Result<Outcome, PeerFault> {
        if let Some(replacing) = &self.replacing {
            let (license_id, id) = (replacing.license_id, replacing.reservation_id);
            let released = san_licensing.release(license_id, id, request_id).await?;
            return Ok(Outcome::Returned(
                released.into_iter().map(|it| *it).collect(),
            ));
        }
        san_licensing
            .authorize(&self.question.0, request_id)
            .await
            .map(|answer| Outcome::Authorized(Box::new(answer)))
    }

    pub(super) async fn apply(
        &self,
        tx: &Tx,
        outcome: &Result<Outcome, Refusal>,
    ) -> Result<Progress<OrderOperation>, Fault> {
        match (&self.replacing, outcome) {
            (None, Ok(Outcome::Authorized(answer))) => self.apply_decision(tx, answer).await,
            (None, Err(refusal)) => self.apply_refusal(tx, refusal).await,
            // One that held nothing any more is given back as well.
            (Some(replacing), Ok(Outcome::Returned(_))) => Ok(self.done(&replacing.answer.0)),
            (Some(_), Err(refusal)) => Err(Fault::internal(format!(
                "what is given back is never refused: {refusal:?}"
            ))),
            (_, Ok(other)) => misplaced(self.step(), other),
        }
    }

    fn done(&self, answer: &san::AuthorizeIssuanceResponse) -> Progress<OrderOperation> {
        let response = orders::BeginIssuanceResponse {
            pending_issuance: Some(self.pending.0.clone()),
            authorization: Some(answer.clone()),
        };
        Progress::Done(response.encode_to_vec())
    }

    /// A grant leaves its reservation on the order; a denial leaves the order as it was.
    async fn apply_decision(
        &self,
        tx: &Tx,
        answer: &san::AuthorizeIssuanceResponse,
    ) -> Result<Progress<OrderOperation>, Fault> {
        let reservation_id = granted(answer).map_err(Fault::internal)?;
        let before = store::orders::lock(tx, &store::only(self.account_id), self.order_id).await?;
        let after = match reservation_id {
            Some(id) => before.clone().apply_reservation(id, self.decision_time),
            None => before.clone(),
        };
        store::orders::save(tx, &before, &after).await?;
        let replaced = before.reservation_id.filter(|_| reservation_id.is_some());
        let replaced = replaced.filter(|id| Some(*id) != reservation_id);
        let reasons: Vec<_> = answer
            .reasons()
            .map(|reason| reason.as_str_name())
            .collect();
        emit(
            tx,
            OrderEvent {
                kind: "issuance.decided",
                order: &after,
                origin: &self.origin,
                time: self.decision_time,
                why: "X-4",
                outcome: if reservation_id.is_some() {
                    "GRANTED"
                } else {
                    "DENIED"
                },
                data: serde_json::json!({
                    "san_license_id": after.san_license_id,
                    "reservation_id": reservation_id,
                    "replaced_reservation_id": replaced,
                    "reasons": reasons,
                    "needed": answer.needed,
                    "short_by": answer.short_by,
                }),
            },
        )
        .await?;
        let Some((license_id, reservation_id)) = before.san_license_id.zip(replaced) else {
            return Ok(self.done(answer));
        };
        Ok(Progress::Next(OrderOperation::BeginIssuance(Self {
            replacing: Some(Replacing {
                answer: Kept(answer.clone()),
                license_id,
                reservation_id,
            }),
            ..self.clone()
        })))
    }

    async fn apply_refusal(
        &self,
        tx: &Tx,
        refusal: &Refusal,
    ) -> Result<Progress<OrderOperation>, Fault> {
        let order = store::orders::lock(tx, &store::only(self.account_id), self.order_id).await?;
        emit(
            tx,
            OrderEvent {
                kind: "issuance.decided",
                order: &order,
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
}
