//! RecordIssuance: a signed certificate is held against its order, and recorded in one transaction
//! with all that follows from it (MD-7). One of an order that draws on a SAN licence is recorded
//! there in between, as an operation (X-4, SL-21).

use licet_contracts::{orders::v1 as orders, sanlicensing::v1 as san};
use licet_domain::{
    clock::Instant,
    ids::{AccountId, OrderId},
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
    event::{OrderEvent, emit},
    follow_revocations::Early,
    operation::{OrderOperation, Outcome, misplaced},
    record::{Before, Record, answer, conflict, recorded_elsewhere},
    settle,
};
use crate::{
    convert::{
        certificate::{Issuance, kept_issuance},
        san_licensing::record_question,
    },
    peers::SanLicensing,
    queries::order_view,
    rules::{
        certificate::Certificate,
        issuance::{check_certificate, expect_issuance},
        order,
        permission::{Action, permit},
        san_license::{Counted, Return, RevocationReason},
    },
    store,
};

/// Records a certificate, or accepts it to be recorded.
pub(crate) struct RecordIssuance<'a> {
    pub(crate) call: &'a Call,
    pub(crate) request_id: &'a str,
    pub(crate) issuance: &'a Issuance,
}

impl Work for RecordIssuance<'_> {
    type Answer = Accepted<orders::RecordIssuanceResponse>;

    async fn run(&self, tx: &Tx) -> Result<Self::Answer, Fault> {
        let scope = &self.call.caller.accounts;
        let (before, now) = settle::lock(tx, scope, self.issuance.order_id, self.call.now).await?;
        let recorded = Before::find(tx, &before, self.issuance).await?;
        if let Some(known) = recorded.settle()? {
            let view = order_view::load(tx, before, now).await?;
            return Ok(Accepted::Done(answer(&view, &known)?));
        }
        let is_deleted = before.progress == order::Progress::Deleted;
        let id = before.id.to_string();
        if !is_deleted {
            permit(&before, Action::RecordIssuance, now)?;
            operation::refuse_if_running(tx, &id).await?;
            expect_issuance(&before, now)?;
            check_certificate(&before, &self.issuance.certificate, now)?;
        }
        let origin = self.call.origin(self.request_id);
        if before.san_license_id.is_none() {
            let record = Record {
                issuance: self.issuance,
                origin: &origin,
                now,
                counted: None,
                over_quota: false,
            };
            let (after, certificate) = record.apply(tx, &before).await?;
            let view = order_view::load(tx, after, now).await?;
            let response = answer(&view, &certificate)?;
            record.emit(tx, &view.order, &certificate).await?;
            return Ok(Accepted::Done(response));
        }
        let chain_pem = self.issuance.chain_pem.clone();
        let operation = OrderOperation::RecordIssuance(Recording {
            order_id: before.id,
            account_id: before.account_id,
            origin,
            decision_time: now,
            question: Kept(record_question(&before, &self.issuance.certificate.der)?),
            chain_pem,
            withdrawing: None,
        });
        let begun = operation::begin(tx, self.call, &id, before.account_id, &operation).await?;
        let after = before.clone().apply_decision(now);
        store::orders::save(tx, &before, &after).await?;
        Ok(Accepted::Operation(begun))
    }
}

/// A certificate that is being recorded in the order's SAN licence. What was held against the
/// order when it was accepted still holds: nothing else changes it meanwhile. What the account
/// has recorded for its other orders is held against it again at the end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Recording {
    order_id: OrderId,
    account_id: AccountId,
    origin: Origin,
    decision_time: Instant,
    question: Kept<san::RecordCertificateRequest>,
    chain_pem: String,
    /// Once it counts in the licence and is refused here all the same: what is to be taken back there.
    #[serde(default)]
    withdrawing: Option<Withdrawing>,
}

/// A certificate that counts in a SAN licence and that no order keeps: nobody would ever revoke it there.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Withdrawing {
    back: Return,
    refusal: Refusal,
}

impl Recording {
    pub(super) fn step(&self) -> &'static str {
        match &self.withdrawing {
            None => "record",
            Some(_) => "withdraw",
        }
    }

    pub(super) async fn perform(
        &self,
        san_licensing: &SanLicensing,
        request_id: Uuid,
    ) -> Result<Outcome, PeerFault> {
        if let Some(withdrawing) = &self.withdrawing {
            let refused = san_licensing.revoke(&withdrawing.back).await?;
            return Ok(Outcome::Returned(
                refused.into_iter().map(|it| *it).collect(),
            ));
        }
        let (counted, over_quota) = san_licensing.record(&self.question.0, request_id).await?;
        Ok(Outcome::Recorded {
            counted,
            over_quota,
        })
    }

    pub(super) async fn apply(
        &self,
        tx: &Tx,
        now: Instant,
        outcome: &Result<Outcome, Refusal>,
    ) -> Result<Progress<OrderOperation>, Fault> {
        match (&self.withdrawing, outcome) {
            (
                None,
                Ok(Outcome::Recorded {
                    counted,
                    over_quota,
                }),
            ) => self.apply_record(tx, now, *counted, *over_quota).await,
            (None, Err(refusal)) => self.apply_refusal(tx, refusal).await,
            // What counts no more is taken back as well.
            (Some(withdrawing), Ok(Outcome::Returned(_))) => {
                self.apply_refusal(tx, &withdrawing.refusal).await
            }
            (Some(_), Err(refusal)) => Err(Fault::internal(format!(
                "what is given back is never refused: {refusal:?}"
            ))),
            (_, Ok(other)) => misplaced(self.step(), other),
        }
    }

    async fn apply_record(
        &self,
        tx: &Tx,
        now: Instant,
        counted: Option<Counted>,
        over_quota: bool,
    ) -> Result<Progress<OrderOperation>, Fault> {
        let before = store::orders::lock(tx, &store::only(self.account_id), self.order_id).await?;
        let issuance = kept_issuance(self.order_id, &self.chain_pem)?;
        let record = Record {
            issuance: &issuance,
            origin: &self.origin,
            now: self.decision_time,
            counted,
            over_quota,
        };
        // Recorded meanwhile, perhaps, for another order of the account.
        match Before::find(tx, &before, &issuance).await? {
            Before::Nothing => {}
            Before::Here(known) => {
                let view = order_view::load_ended(tx, before, now).await?;
                return Ok(Progress::Done(answer(&view, &known)?.encode_to_vec()));
            }
            Before::Elsewhere(known) => {
                if let Some(counted) = counted {
                    // The order that keeps it gives it back when its time comes.
                    store::certificates::set_counted(tx, known.id, counted).await?;
                }
                let refusal = recorded_elsewhere(&known);
                return self.apply_refusal(tx, &refusal).await;
            }
            Before::Another(known) => return self.withdraw(tx, &known, counted).await,
        }
        let (after, certificate) = record.apply(tx, &before).await?;
        let (certificate, early) = Early::apply(tx, certificate, record.now).await?;
        let view = order_view::load_ended(tx, after, now).await?;
        let response = answer(&view, &certificate)?;
        record.emit(tx, &view.order, &certificate).await?;
        if let Some(early) = early {
            early.emit(tx, &view.order, &certificate).await?;
        }
        Ok(Progress::Done(response.encode_to_vec()))
    }

    /// Another certificate of its issuer and serial was recorded meanwhile, and this one is refused. It
    /// counts already: it goes forward, and is revoked there first, unless the licence took the
    /// two for one.
    async fn withdraw(
        &self,
        tx: &Tx,
        known: &Certificate,
        counted: Option<Counted>,
    ) -> Result<Progress<OrderOperation>, Fault> {
        let refusal = conflict(known);
        let Some(counted) = counted.filter(|_| known.counted != counted) else {
            return self.apply_refusal(tx, &refusal).await;
        };
        let back = Return {
            // Orders knows it by no id of its own.
            certificate_id: counted.certificate_id,
            counted,
            reason: RevocationReason::CessationOfOperation,
        };
        Ok(Progress::Next(OrderOperation::RecordIssuance(Self {
            withdrawing: Some(Withdrawing { back, refusal }),
            ..self.clone()
        })))
    }

    async fn apply_refusal(
        &self,
        tx: &Tx,
        refusal: &Refusal,
    ) -> Result<Progress<OrderOperation>, Fault> {
        let order = store::orders::lock(tx, &store::only(self.account_id), self.order_id).await?;
        let withdrawn = self.withdrawing.as_ref().map(|it| &it.back);
        emit(
            tx,
            OrderEvent {
                kind: "certificate.refused",
                order: &order,
                origin: &self.origin,
                time: self.decision_time,
                why: "X-2",
                outcome: refusal.reason.as_str(),
                data: serde_json::json!({
                    "message": refusal.message,
                    "withdrawn_san_certificate_id": withdrawn.map(|back| back.counted.certificate_id),
                }),
            },
        )
        .await?;
        Ok(Progress::Refused(refusal.clone()))
    }
}
