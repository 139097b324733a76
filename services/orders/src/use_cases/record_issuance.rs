//! RecordIssuance: checks a signed certificate against its order and records it with all that
//! follows, in one transaction (MD-7). If the order draws on a SAN licence, an operation records it
//! there first (X-4, SL-21).

use chrono::TimeDelta;
use licet_clients::san_licensing::RecordQuestion;
use licet_domain::{
    certificate::{ParsedCertificate, parse_chain},
    clock::Instant,
    ids::{AccountId, LicenseId, OrderId},
    refusal::Refusal,
    revocation::RevocationReason,
};
use licet_runtime::{
    caller::Origin,
    database::Tx,
    door::{ChangeRequest, DurableVerb},
    fault::Fault,
    operation::{self, Next, NextStep, Operation, Step, Steps, never_refused},
    peer::PeerFault,
    replay::Accepted,
    retention::REPLAY_DAYS,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    event::OrderEvent,
    follow_revocations::EarlyRevocation,
    record::{
        CertificateRecord, ExistingRecord, RecordedCertificate, conflict, recorded_elsewhere,
    },
    turns,
};
use crate::{
    events::CertificateRefused,
    peers::{
        Peers,
        san_licensing::{record_question, revoke},
    },
    queries::order_view::{self, OrderView},
    rules::{
        certificate::{Certificate, LicenseRecord},
        issuance::{check_certificate, require_pending_issuance},
        order,
        permission::{Action, permit},
        revocation::ReportedRevocation,
        san_license::LicenseRevocation,
    },
    store,
};

/// A certificate that the CA signed for an order.
#[derive(Debug, Clone)]
pub(crate) struct RecordIssuance {
    pub(crate) order_id: OrderId,
    pub(crate) certificate: ParsedCertificate,
    /// The certificate and its chain, as PEM.
    pub(crate) chain_pem: String,
}

impl DurableVerb for RecordIssuance {
    type Output = RecordedCertificate;
    type View = OrderView;

    async fn accept(
        &self,
        request: &ChangeRequest,
        tx: &Tx,
    ) -> Result<Accepted<RecordedCertificate>, Fault> {
        let (before, now) = turns::lock(tx, &request.call, self.order_id).await?;
        let existing = ExistingRecord::find(tx, &before, &self.certificate).await?;
        if let Some(known) = existing.into_recorded()? {
            let view = order_view::load(tx, before, now).await?;
            return Ok(Accepted::Done(RecordedCertificate {
                certificate: Some(known),
                view,
            }));
        }
        let is_deleted = before.progress == order::Progress::Deleted;
        let id = before.id.to_string();
        if !is_deleted {
            permit(&before, Action::RecordIssuance, now)?;
            operation::refuse_if_running(tx, before.account_id, &id).await?;
            require_pending_issuance(&before, now)?;
            check_certificate(&before, &self.certificate, now)?;
        }
        let origin = request.origin();
        if before.san_license_id.is_none() {
            let record = CertificateRecord {
                certificate: &self.certificate,
                chain_pem: &self.chain_pem,
                origin: &origin,
                now,
                license_record: None,
                over_quota: false,
            };
            let (after, certificate) = record.apply(tx, &before).await?;
            let view = order_view::load(tx, after, now).await?;
            record.emit(tx, &view.order, &certificate).await?;
            return Ok(Accepted::Done(RecordedCertificate {
                certificate: Some(certificate),
                view,
            }));
        }
        let count = RecordInLicense {
            recording: RecordIssuanceOperation {
                order_id: before.id,
                account_id: before.account_id,
                origin,
                decision_time: now,
            },
            question: record_question(&before, &self.certificate.der)?,
            chain_pem: self.chain_pem.clone(),
            license_id: before.san_license_id,
        };
        let first = NextStep::of(&count);
        let handle = operation::begin(tx, now, &id, before.account_id, first).await?;
        let after = before.clone().apply_decision(now);
        store::orders::save(tx, &before, &after).await?;
        Ok(Accepted::Operation(handle))
    }

    async fn pending(&self, _tx: &Tx, view: OrderView) -> Result<RecordedCertificate, Fault> {
        Ok(RecordedCertificate {
            certificate: None,
            view,
        })
    }
}

/// The leaf of a stored chain.
fn stored_leaf(chain_pem: &str) -> Result<ParsedCertificate, Fault> {
    let chain = parse_chain(chain_pem.as_bytes()).map_err(Fault::internal)?;
    let leaf = chain.into_iter().next();
    leaf.ok_or_else(|| Fault::internal("a stored chain is empty"))
}

/// The operation that records a certificate. The checks made when it was accepted still hold:
/// nothing else changes the order meanwhile. What the account recorded for its other orders
/// is checked again at the end.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct RecordIssuanceOperation {
    order_id: OrderId,
    account_id: AccountId,
    origin: Origin,
    decision_time: Instant,
}

impl Operation for RecordIssuanceOperation {
    const KIND: &'static str = "RECORD_ISSUANCE";
    type Peers = Peers;
    type Output = RecordedCertificate;
}

impl RecordIssuanceOperation {
    /// All its steps.
    pub(crate) fn steps() -> Steps<Self> {
        Steps::of::<RecordInLicense>().or::<WithdrawCertificate>()
    }

    async fn lock(&self, tx: &Tx) -> Result<order::Order, Fault> {
        store::orders::lock(tx, &self.account_id.into(), self.order_id).await
    }

    /// `withdrawn`: its record in the SAN licence, if it was revoked there again.
    async fn refuse(
        &self,
        tx: &Tx,
        refusal: &Refusal,
        withdrawn: Option<LicenseRecord>,
    ) -> Result<Next<Self>, Fault> {
        let order = self.lock(tx).await?;
        let event = OrderEvent {
            resource: &order,
            origin: &self.origin,
            time: self.decision_time,
            why: "X-2",
            outcome: refusal.reason.as_str(),
            data: CertificateRefused {
                message: &refusal.message,
                withdrawn_san_certificate_id: withdrawn.map(|record| record.certificate_id),
            },
        };
        event.emit(tx).await?;
        Ok(Next::Refused(refusal.clone()))
    }
}

/// Records the certificate in the order's SAN licence, then on the order.
#[derive(Serialize, Deserialize)]
pub(super) struct RecordInLicense {
    pub(super) recording: RecordIssuanceOperation,
    pub(super) question: RecordQuestion,
    pub(super) chain_pem: String,
    /// The order's licence, which a proxy routes the call by. Older operations lack it.
    #[serde(default)]
    pub(super) license_id: Option<LicenseId>,
}

/// SanLicensing's answer to a record.
pub(super) struct RecordedInLicense {
    /// Absent if it counts in no licence.
    license_record: Option<LicenseRecord>,
    over_quota: bool,
    /// Its revocation there, if it was revoked before this record.
    revoked: Option<ReportedRevocation>,
}

impl RecordedInLicense {
    /// A revocation so long ago that it may have been pruned here. A younger one has been stored, or
    /// its event is still to come: both name who asked for it.
    fn revoked_long_ago(&self, now: Instant) -> Option<ReportedRevocation> {
        let ago = TimeDelta::days(REPLAY_DAYS);
        let found = self.revoked?;
        let later = found.san_revoke_time.checked_add(ago)?;
        (later <= now).then_some(found)
    }
}

impl Step for RecordInLicense {
    const NAME: &'static str = "record";
    type Operation = RecordIssuanceOperation;
    type Answer = RecordedInLicense;

    async fn ask(&self, peers: &Peers, request_id: Uuid) -> Result<RecordedInLicense, PeerFault> {
        let san_licensing = &peers.san_licensing;
        let recorded = san_licensing.record(self.license_id, &self.question, request_id);
        let recorded = recorded.await?;
        let license_record = recorded
            .counted
            .map(|(license_id, certificate_id)| LicenseRecord {
                license_id,
                certificate_id,
            });
        let revoked = license_record.zip(recorded.revoked);
        let revoked = revoked.map(|(record, (reason, san_revoke_time))| ReportedRevocation {
            san_certificate_id: record.certificate_id,
            reason,
            san_revoke_time,
        });
        Ok(RecordedInLicense {
            license_record,
            over_quota: recorded.over_quota,
            revoked,
        })
    }

    async fn apply(
        &self,
        tx: &Tx,
        now: Instant,
        answer: &Result<RecordedInLicense, Refusal>,
    ) -> Result<Next<RecordIssuanceOperation>, Fault> {
        match answer {
            Ok(found) => self.apply_record(tx, now, found).await,
            Err(refusal) => self.recording.refuse(tx, refusal, None).await,
        }
    }
}

impl RecordInLicense {
    async fn apply_record(
        &self,
        tx: &Tx,
        now: Instant,
        found: &RecordedInLicense,
    ) -> Result<Next<RecordIssuanceOperation>, Fault> {
        let recording = &self.recording;
        let before = recording.lock(tx).await?;
        let certificate = stored_leaf(&self.chain_pem)?;
        let license_record = found.license_record;
        let record = CertificateRecord {
            certificate: &certificate,
            chain_pem: &self.chain_pem,
            origin: &recording.origin,
            now: recording.decision_time,
            license_record,
            over_quota: found.over_quota,
        };
        // It may have been recorded for another order of the account meanwhile.
        match ExistingRecord::find(tx, &before, &certificate).await? {
            ExistingRecord::None => {}
            ExistingRecord::SameOrder(known) => {
                let view = order_view::load_ended(tx, before, now).await?;
                return Ok(done(*known, view));
            }
            ExistingRecord::OtherOrder(known) => {
                if let Some(license_record) = license_record {
                    // That order frees it in the licence when its time comes.
                    store::certificates::set_license_record(tx, &known, license_record).await?;
                }
                let refusal = recorded_elsewhere(&known);
                return recording.refuse(tx, &refusal, None).await;
            }
            ExistingRecord::Conflict(known) => {
                return self.withdraw(tx, &known, license_record).await;
            }
        }
        let (after, certificate) = record.apply(tx, &before).await?;
        let (certificate, early) =
            EarlyRevocation::apply(tx, certificate, found.revoked_long_ago(now), record.now)
                .await?;
        let view = order_view::load_ended(tx, after, now).await?;
        record.emit(tx, &view.order, &certificate).await?;
        if let Some(early) = early {
            early.emit(tx, &view.order, &certificate).await?;
        }
        Ok(done(certificate, view))
    }

    /// Another certificate of the same issuer and serial was recorded meanwhile, so this one is
    /// refused. It counts in the licence already and is revoked there first, unless the
    /// licence took both for one certificate.
    async fn withdraw(
        &self,
        tx: &Tx,
        known: &Certificate,
        license_record: Option<LicenseRecord>,
    ) -> Result<Next<RecordIssuanceOperation>, Fault> {
        let recording = &self.recording;
        let refusal = conflict(known);
        let Some(license_record) =
            license_record.filter(|_| known.license_record != license_record)
        else {
            return recording.refuse(tx, &refusal, None).await;
        };
        let revocation = LicenseRevocation {
            // Orders has no id for it.
            certificate_id: license_record.certificate_id,
            license_record,
            reason: RevocationReason::CessationOfOperation,
        };
        Ok(Next::step(&WithdrawCertificate {
            recording: recording.clone(),
            revocation,
            refusal,
        }))
    }
}

/// Revokes a refused certificate in the licence where it counts: no order has it, so nobody else
/// ever would.
#[derive(Serialize, Deserialize)]
pub(super) struct WithdrawCertificate {
    pub(super) recording: RecordIssuanceOperation,
    #[serde(rename = "back")]
    pub(super) revocation: LicenseRevocation,
    pub(super) refusal: Refusal,
}

impl Step for WithdrawCertificate {
    const NAME: &'static str = "withdraw";
    type Operation = RecordIssuanceOperation;
    type Answer = ();

    /// A certificate that no longer counts there is treated as revoked.
    async fn ask(&self, peers: &Peers, _request_id: Uuid) -> Result<(), PeerFault> {
        revoke(&peers.san_licensing, &self.revocation)
            .await
            .map(drop)
    }

    async fn apply(
        &self,
        tx: &Tx,
        _now: Instant,
        withdrawn: &Result<(), Refusal>,
    ) -> Result<Next<RecordIssuanceOperation>, Fault> {
        never_refused(Self::NAME, withdrawn)?;
        let license_record = Some(self.revocation.license_record);
        self.recording
            .refuse(tx, &self.refusal, license_record)
            .await
    }
}

fn done(certificate: Certificate, view: OrderView) -> Next<RecordIssuanceOperation> {
    Next::Done(RecordedCertificate {
        certificate: Some(certificate),
        view,
    })
}
