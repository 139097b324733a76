//! Earlier records that the commands of a round refer to. Repeats are answered from them.

use std::collections::HashMap;

use licet_domain::{
    ids::{CertificateId, LicenseId, ReservationId},
    refusal::Refusal,
};
use licet_runtime::{database::Tx, fault::Fault, replay};
use uuid::Uuid;

use super::submission::{Change, Pending, Submission};
use crate::{
    rules::{certificate::Certificate, not_found, reservation::Reservation},
    store::{self, certificates::FoundByKey, decisions::DecisionRecord},
};

/// Earlier records, by key and by id.
#[derive(Default)]
pub(super) struct Records {
    pub(super) decisions: HashMap<Uuid, DecisionRecord>,
    /// Certificates, and revocations whose certificates are not recorded yet.
    pub(super) by_key: FoundByKey,
    pub(super) by_id: HashMap<CertificateId, Certificate>,
    pub(super) replies: replay::Replies,
}

impl Records {
    /// The records under the keys of reports.
    pub(super) fn of(by_key: FoundByKey) -> Self {
        Self {
            by_key,
            ..Self::default()
        }
    }

    /// Finds the records that some changes refer to.
    pub(super) async fn find(tx: &Tx, submissions: &[Submission<Change>]) -> Result<Self, Fault> {
        let mut decisions = Vec::new();
        let mut keys = Vec::new();
        let mut ids = Vec::new();
        let mut claims = Vec::new();
        for submission in submissions {
            match &submission.command {
                Change::Authorize(Pending { command, .. }) => decisions.push(command.request.id),
                Change::Release(Pending { command: once, .. }) => {
                    claims.push(&once.claim);
                    decisions.push(once.command.id.uuid());
                }
                Change::Record(Pending { command: once, .. }) => {
                    claims.push(&once.claim);
                    let certificate = &once.command.certificate;
                    keys.push(&certificate.key);
                    decisions.extend(certificate.reservation_id.map(|id| id.uuid()));
                }
                Change::Revoke(Pending { command: once, .. }) => {
                    claims.push(&once.claim);
                    ids.extend_from_slice(&once.command.ids);
                }
                Change::Allocate(Pending { command: once, .. }) => {
                    claims.push(&once.claim);
                    ids.push(once.command.id);
                }
            }
        }
        let mut records = Self {
            replies: replay::find_replies(tx, &claims).await?,
            ..Self::default()
        };
        if !decisions.is_empty() {
            records.decisions = store::decisions::find(tx, &decisions).await?;
        }
        if !keys.is_empty() {
            records.by_key = store::certificates::find_by_key(tx, &keys).await?;
        }
        if !ids.is_empty() {
            records.by_id = store::certificates::find_by_id(tx, &ids).await?;
        }
        Ok(records)
    }

    /// Finds the certificates that reads refer to.
    pub(super) async fn find_certificates(tx: &Tx, ids: &[CertificateId]) -> Result<Self, Fault> {
        Ok(Self {
            by_id: store::certificates::find_by_id(tx, ids).await?,
            ..Self::default()
        })
    }

    /// A reservation of the licence, in any state.
    pub(super) fn reservation(
        &self,
        license_id: LicenseId,
        id: ReservationId,
    ) -> Result<Reservation, Refusal> {
        let decision = self.decisions.get(&id.uuid());
        decision
            .filter(|decision| decision.license_id == license_id)
            .and_then(|decision| decision.reservation(id))
            .ok_or_else(|| not_found("reservation", id))
    }
}
