//! BeginIssuance: returns what the CA is to sign. For an order that draws on a SAN licence, an
//! operation first has SanLicensing authorise it and stores the reservation on the order (X-4,
//! SL-12). An order has one reservation at most: a new one replaces the old one, which is released.

use licet_clients::{
    authorization_reversal::AuthorizationReversal,
    san_licensing::{Authorization, AuthorizeQuestion, Signing},
};
use licet_domain::{
    certificate::KeyKind,
    clock::Instant,
    ids::{AccountId, LicenseId, OrderId, ReservationId},
    refusal::Refusal,
};
use licet_runtime::{
    caller::Origin,
    database::Tx,
    door::{ChangeRequest, DurableVerb},
    fault::Fault,
    field::Fields,
    operation::{self, Next, NextStep, Operation, Step, Steps, Undo, never_refused},
    peer::PeerFault,
    replay::Accepted,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{event::OrderEvent, turns};
use crate::{
    events::IssuanceDecided,
    peers::{
        Peers,
        san_licensing::{product_id, requested_key},
    },
    queries::order_view::OrderView,
    rules::{
        issuance::require_pending_issuance,
        order::Order,
        permission::{Action, permit},
    },
    store,
};

/// A certificate that the CA is about to sign.
#[derive(Debug, Clone)]
pub(crate) struct BeginIssuance {
    pub(crate) order_id: OrderId,
    pub(crate) key_type: Option<KeyKind>,
    pub(crate) not_after: Option<Instant>,
}

impl DurableVerb for BeginIssuance {
    type Output = StartedIssuance;
    type View = OrderView;

    async fn accept(
        &self,
        request: &ChangeRequest,
        tx: &Tx,
    ) -> Result<Accepted<StartedIssuance>, Fault> {
        let (before, now) = turns::lock(tx, &request.call, self.order_id).await?;
        permit(&before, Action::RecordIssuance, now)?;
        operation::refuse_if_running(tx, before.account_id, &before.id.to_string()).await?;
        require_pending_issuance(&before, now)?;
        let Some(license_id) = before.san_license_id else {
            return Ok(Accepted::Done(StartedIssuance {
                order: before,
                now,
                authorization: None,
            }));
        };
        let question = self.authorize_question(&before, license_id, now)?;
        let authorize = Authorize {
            issuance: BeginIssuanceOperation {
                order_id: before.id,
                account_id: before.account_id,
                origin: request.origin(),
                decision_time: now,
            },
            question,
        };
        let (id, first) = (before.id.to_string(), NextStep::of(&authorize));
        let handle = operation::begin(tx, now, &id, before.account_id, first).await?;
        let after = before.clone().apply_decision(now);
        store::orders::save(tx, &before, &after).await?;
        Ok(Accepted::Operation(handle))
    }

    /// Until it is decided there is no response that could be mistaken for a grant.
    async fn pending(&self, _tx: &Tx, view: OrderView) -> Result<StartedIssuance, Fault> {
        let running = view.running.as_ref();
        let id = running.map_or_else(String::new, |running| running.operation_id.to_string());
        Err(Fault::operation_in_progress(
            &view.order.id.to_string(),
            &id,
        ))
    }
}

/// What is to be signed for an order at `now`, and whether it is authorised.
#[derive(Debug)]
pub(crate) struct StartedIssuance {
    pub(crate) order: Order,
    pub(crate) now: Instant,
    /// Absent if the order draws on no licence.
    pub(crate) authorization: Option<Authorization>,
}

impl BeginIssuance {
    /// Asks whether the awaited certificate may be signed (SL-12): all its domains, the key type of
    /// the CSR if there is one, and its end.
    fn authorize_question(
        &self,
        order: &Order,
        license_id: LicenseId,
        now: Instant,
    ) -> Result<AuthorizeQuestion, Fault> {
        let of_csr = requested_key(order)?;
        let mut fields = Fields::new();
        let key = match (self.key_type, of_csr) {
            (Some(given), Some(own)) if given != own => {
                Err(fields.note("key_type", "differs from the key type of the order's CSR"))
            }
            (Some(known), _) | (None, Some(known)) => Ok(known),
            (None, None) => Err(fields.note(
                "key_type",
                "is required: the order draws on a SAN licence and has no CSR to take it from",
            )),
        };
        let not_after = match self.not_after {
            Some(end) if end > now => Ok(end),
            Some(_) => Err(fields.note("not_after_time", format!("must be after {now}"))),
            None => Err(fields.note(
                "not_after_time",
                "is required: the order draws on a SAN licence",
            )),
        };
        let product_id = product_id(order)?;
        fields.build(|| {
            Ok(AuthorizeQuestion::new(&Signing {
                license_id,
                product_id,
                sans: order.wanted_names().iter().collect(),
                key: key?,
                not_after: not_after?,
            }))
        })
    }
}

/// The operation that has an issuance authorised.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct BeginIssuanceOperation {
    order_id: OrderId,
    account_id: AccountId,
    origin: Origin,
    decision_time: Instant,
}

impl Operation for BeginIssuanceOperation {
    const KIND: &'static str = "BEGIN_ISSUANCE";
    type Peers = Peers;
    type Output = StartedIssuance;
}

impl BeginIssuanceOperation {
    /// All its steps.
    pub(crate) fn steps() -> Steps<Self> {
        Steps::of::<Authorize>().or::<ReleaseReplaced>()
    }

    async fn lock(&self, tx: &Tx) -> Result<Order, Fault> {
        store::orders::lock(tx, &self.account_id.into(), self.order_id).await
    }

    /// The order still is what it was when this was accepted: nothing else changes it meanwhile
    ///
    fn done(&self, order: Order, answer: &Authorization) -> Next<Self> {
        Next::Done(StartedIssuance {
            order,
            now: self.decision_time,
            authorization: Some(answer.clone()),
        })
    }

    /// Stores the reservation of a grant; a denial changes nothing on the order.
    async fn apply_decision(&self, tx: &Tx, answer: &Authorization) -> Result<Next<Self>, Fault> {
        let reservation_id = answer.granted().map_err(Fault::internal)?;
        let before = self.lock(tx).await?;
        let after = match reservation_id {
            Some(id) => before.clone().apply_reservation(id, self.decision_time),
            None => before.clone(),
        };
        store::orders::save(tx, &before, &after).await?;
        let replaced = before.reservation_id.filter(|_| reservation_id.is_some());
        let replaced = replaced.filter(|id| Some(*id) != reservation_id);
        let event = OrderEvent {
            resource: &after,
            origin: &self.origin,
            time: self.decision_time,
            why: "X-4",
            outcome: if reservation_id.is_some() {
                "GRANTED"
            } else {
                "DENIED"
            },
            data: IssuanceDecided::Decision {
                san_license_id: after.san_license_id,
                reservation_id,
                replaced_reservation_id: replaced,
                reasons: answer.reason_names(),
                needed: answer.needed(),
                short_by: answer.short_by(),
            },
        };
        event.emit(tx).await?;
        let Some((license_id, reservation_id)) = before.san_license_id.zip(replaced) else {
            return Ok(self.done(after, answer));
        };
        Ok(Next::step(&ReleaseReplaced {
            issuance: self.clone(),
            answer: answer.clone(),
            license_id,
            reservation_id,
        }))
    }

    async fn apply_refusal(&self, tx: &Tx, refusal: &Refusal) -> Result<Next<Self>, Fault> {
        let order = self.lock(tx).await?;
        let (origin, time) = (&self.origin, self.decision_time);
        let data = IssuanceDecided::Refused {
            message: &refusal.message,
        };
        let event = OrderEvent::refused(&order, origin, time, refusal, data);
        event.emit(tx).await?;
        Ok(Next::Refused(refusal.clone()))
    }
}

/// Asks SanLicensing to authorise the certificate.
#[derive(Serialize, Deserialize)]
pub(super) struct Authorize {
    pub(super) issuance: BeginIssuanceOperation,
    pub(super) question: AuthorizeQuestion,
}

impl Step for Authorize {
    const NAME: &'static str = "authorize";
    type Operation = BeginIssuanceOperation;
    type Answer = Authorization;

    async fn ask(&self, peers: &Peers, request_id: Uuid) -> Result<Authorization, PeerFault> {
        let san_licensing = &peers.san_licensing;
        san_licensing.authorize(&self.question, request_id).await
    }

    async fn apply(
        &self,
        tx: &Tx,
        _now: Instant,
        answer: &Result<Authorization, Refusal>,
    ) -> Result<Next<BeginIssuanceOperation>, Fault> {
        match answer {
            Ok(answer) => self.issuance.apply_decision(tx, answer).await,
            Err(refusal) => self.issuance.apply_refusal(tx, refusal).await,
        }
    }

    fn undo(&self, request_id: Uuid) -> Undo<Peers> {
        AuthorizationReversal::of(&self.question, request_id)
    }
}

/// Releases the reservation that a new one replaces. SANs in both count once (SL-4), so the new one
/// is made first: after a denial the order keeps the one it has.
#[derive(Serialize, Deserialize)]
pub(super) struct ReleaseReplaced {
    pub(super) issuance: BeginIssuanceOperation,
    pub(super) answer: Authorization,
    pub(super) license_id: LicenseId,
    pub(super) reservation_id: ReservationId,
}

impl Step for ReleaseReplaced {
    const NAME: &'static str = "release-replaced";
    type Operation = BeginIssuanceOperation;
    type Answer = ();

    /// A reservation that SanLicensing no longer holds counts as released.
    async fn ask(&self, peers: &Peers, request_id: Uuid) -> Result<(), PeerFault> {
        let (license_id, id) = (self.license_id, self.reservation_id);
        let released = peers.san_licensing.release(license_id, id, request_id);
        released.await.map(drop)
    }

    async fn apply(
        &self,
        tx: &Tx,
        _now: Instant,
        released: &Result<(), Refusal>,
    ) -> Result<Next<BeginIssuanceOperation>, Fault> {
        never_refused(Self::NAME, released)?;
        let order = self.issuance.lock(tx).await?;
        Ok(self.issuance.done(order, &self.answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::samples::{instant, order};

    fn wish(key_type: Option<KeyKind>, not_after: Option<&str>) -> BeginIssuance {
        BeginIssuance {
            order_id: OrderId::generate(),
            key_type,
            not_after: not_after.map(instant),
        }
    }

    fn invalid(fault: Fault) -> Vec<String> {
        let Fault::Invalid(violations) = fault else {
            panic!("{fault:?}")
        };
        violations
            .noted
            .into_iter()
            .map(|noted| noted.field)
            .collect()
    }

    #[test]
    fn x_4_all_waiting_names_are_asked_for_at_once() {
        let mut order = order(&["example.com", "*.example.com"]);
        let license_id = LicenseId::generate();
        order.san_license_id = Some(license_id);
        order.term.sold.as_mut().unwrap().san_product_id = Some("intranet-dv".parse().unwrap());
        let now = order.create_time;
        let good = wish(Some(KeyKind::Ec), Some("2026-03-01T00:00:00Z"));
        let question = good.authorize_question(&order, license_id, now).unwrap();
        let question = question.message();
        let values: Vec<_> = question
            .sans
            .iter()
            .map(|name| name.value.as_str())
            .collect();
        assert_eq!(values, ["*.example.com", "example.com"]);
        assert_eq!(question.product_id, "intranet-dv");
        assert_eq!(question.key_type().as_str_name(), "KEY_TYPE_ECC");

        let bad = wish(None, Some("2026-01-01T00:00:00Z"));
        let fault = bad.authorize_question(&order, license_id, now);
        assert_eq!(invalid(fault.unwrap_err()), ["key_type", "not_after_time"]);
        let fault = wish(None, None).authorize_question(&order, license_id, now);
        assert_eq!(invalid(fault.unwrap_err()), ["key_type", "not_after_time"]);
    }
}
