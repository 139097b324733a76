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
    record::{Record, answer, recorded_before},
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
        issuance::{check_certificate, expect_issuance},
        order,
        permission::{Action, permit},
        san_license::Counted,
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
        if let Some(known) = recorded_before(tx, &before, self.issuance).await? {
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
        });
        let begun = operation::begin(tx, self.call, &id, before.account_id, &operation).await?;
        let after = before.clone().apply_decision(now);
        store::orders::save(tx, &before, &after).await?;
        Ok(Accepted::Operation(begun))
    }
}

/// A certificate that is being recorded in the order's SAN licence. What was held against the
/// order when it was accepted still holds: nothing else changes it meanwhile.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Recording {
    order_id: OrderId,
    account_id: AccountId,
    origin: Origin,
    decision_time: Instant,
    question: Kept<san::RecordCertificateRequest>,
    chain_pem: String,
}

impl Recording {
    pub(super) async fn perform(
        &self,
        san_licensing: &SanLicensing,
        request_id: Uuid,
    ) -> Result<Outcome, PeerFault> {
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
        match outcome {
            Ok(Outcome::Recorded {
                counted,
                over_quota,
            }) => self.apply_record(tx, now, *counted, *over_quota).await,
            Ok(other) => misplaced("record", other),
            Err(refusal) => self.apply_refusal(tx, refusal).await,
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
        match recorded_before(tx, &before, &issuance).await {
            Ok(None) => {}
            Ok(Some(known)) => {
                let view = order_view::load_ended(tx, before, now).await?;
                return Ok(Progress::Done(answer(&view, &known)?.encode_to_vec()));
            }
            // Recorded meanwhile for another order of the account that has the same names.
            Err(Fault::Refused(refusal)) => return self.apply_refusal(tx, &refusal).await,
            Err(fault) => return Err(fault),
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

    async fn apply_refusal(
        &self,
        tx: &Tx,
        refusal: &Refusal,
    ) -> Result<Progress<OrderOperation>, Fault> {
        let order = store::orders::lock(tx, &store::only(self.account_id), self.order_id).await?;
        emit(
            tx,
            OrderEvent {
                kind: "certificate.refused",
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
