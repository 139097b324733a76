//! RecordIssuance: a signed certificate is held against its order, and recorded in one transaction
//! with all that follows from it (MD-7). One of an order that draws on a SAN licence is recorded
//! there in between, as an operation (X-4, SL-21).

use licet_clients::san_licensing::{RecordQuestion, SanLicensing};
use licet_domain::{
    certificate::{ParsedCertificate, parse_chain},
    clock::Instant,
    ids::{AccountId, OperationId, OrderId},
    refusal::Refusal,
};
use licet_runtime::{
    caller::{Call, Origin},
    database::{Database, Tx},
    door::{Asked, Spanning},
    fault::Fault,
    operation::{self, Progress},
    peer::PeerFault,
    replay::Accepted,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    event::{OrderEvent, emit},
    follow_revocations::Early,
    operation::{Ended, OrderOperation, Outcome, misplaced},
    record::{Before, Record, Recorded, conflict, recorded_elsewhere},
    settle,
};
use crate::{
    peers::san_licensing::{record_question, revoke},
    queries::{
        self,
        order_view::{self, OrderView},
    },
    rules::{
        certificate::Certificate,
        issuance::{check_certificate, expect_issuance},
        order,
        permission::{Action, permit},
        san_license::{Counted, Return, RevocationReason},
    },
    store,
};

/// A certificate that was signed for an order.
#[derive(Debug, Clone)]
pub(crate) struct RecordIssuance {
    pub(crate) order_id: OrderId,
    pub(crate) certificate: ParsedCertificate,
    /// The certificate and its chain, as PEM.
    pub(crate) chain_pem: String,
}

impl Spanning for RecordIssuance {
    type Answer = Recorded;
    type Operation = OrderOperation;

    async fn accept(&self, asked: &Asked, tx: &Tx) -> Result<Accepted<Recorded>, Fault> {
        let scope = &asked.call.caller.accounts;
        let (before, now) = settle::lock(tx, scope, self.order_id, asked.call.now).await?;
        let recorded = Before::find(tx, &before, self).await?;
        if let Some(known) = recorded.settle()? {
            let view = order_view::load(tx, before, now).await?;
            return Ok(Accepted::Done(Recorded {
                certificate: Some(known),
                view,
            }));
        }
        let is_deleted = before.progress == order::Progress::Deleted;
        let id = before.id.to_string();
        if !is_deleted {
            permit(&before, Action::RecordIssuance, now)?;
            operation::refuse_if_running(tx, &id).await?;
            expect_issuance(&before, now)?;
            check_certificate(&before, &self.certificate, now)?;
        }
        let origin = asked.origin();
        if before.san_license_id.is_none() {
            let record = Record {
                issuance: self,
                origin: &origin,
                now,
                counted: None,
                over_quota: false,
            };
            let (after, certificate) = record.apply(tx, &before).await?;
            let view = order_view::load(tx, after, now).await?;
            record.emit(tx, &view.order, &certificate).await?;
            return Ok(Accepted::Done(Recorded {
                certificate: Some(certificate),
                view,
            }));
        }
        let chain_pem = self.chain_pem.clone();
        let operation = OrderOperation::RecordIssuance(Recording {
            order_id: before.id,
            account_id: before.account_id,
            origin,
            decision_time: now,
            question: record_question(&before, &self.certificate.der)?,
            chain_pem,
            withdrawing: None,
        });
        let begun = operation::begin(tx, now, &id, before.account_id, &operation).await?;
        let after = before.clone().apply_decision(now);
        store::orders::save(tx, &before, &after).await?;
        Ok(Accepted::Operation(begun))
    }

    async fn pending(
        &self,
        call: &Call,
        database: &Database,
        operation_id: OperationId,
    ) -> Result<Option<Recorded>, Fault> {
        let found = queries::orders::find_under_way(database, call, operation_id).await?;
        Ok(found.map(|(_, view)| Recorded {
            certificate: None,
            view,
        }))
    }
}

/// An issuance again from the chain that it was accepted with.
fn kept_issuance(order_id: OrderId, chain_pem: &str) -> Result<RecordIssuance, Fault> {
    let chain = parse_chain(chain_pem.as_bytes()).map_err(Fault::internal)?;
    let leaf = chain.into_iter().next();
    Ok(RecordIssuance {
        order_id,
        certificate: leaf.ok_or_else(|| Fault::internal("a kept chain is empty"))?,
        chain_pem: chain_pem.to_owned(),
    })
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
    question: RecordQuestion,
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
            let refused = revoke(san_licensing, &withdrawing.back).await?;
            return Ok(Outcome::Returned(
                refused.into_iter().map(|it| *it).collect(),
            ));
        }
        let recorded = san_licensing.record(&self.question, request_id).await?;
        let counted = recorded
            .counted
            .map(|(license_id, certificate_id)| Counted {
                license_id,
                certificate_id,
            });
        Ok(Outcome::Recorded {
            counted,
            over_quota: recorded.over_quota,
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
                return Ok(done(*known, view));
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
        record.emit(tx, &view.order, &certificate).await?;
        if let Some(early) = early {
            early.emit(tx, &view.order, &certificate).await?;
        }
        Ok(done(certificate, view))
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

fn done(certificate: Certificate, view: OrderView) -> Progress<OrderOperation> {
    let recorded = Recorded {
        certificate: Some(certificate),
        view,
    };
    Progress::Done(Ended::Recorded(Box::new(recorded)))
}
