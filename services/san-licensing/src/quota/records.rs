//! Earlier records that the commands of a round refer to. Repeats are answered from them.

use std::collections::HashMap;

use licet_domain::{
    ids::{AccountId, CertificateId, ReservationId},
    refusal::Refusal,
};
use licet_runtime::{database::Tx, fault::Fault, replay};

use super::submission::{Change, Pending, Submission};
use crate::{
    rules::{
        certificate::Certificate, license::LicenseKey, not_found, quota::holdings::Licenses,
        reservation::Reservation,
    },
    store::{
        self,
        certificates::FoundByKey,
        decisions::{DecisionKey, DecisionRecord},
    },
};

/// Earlier records, by key and by id.
#[derive(Default)]
pub(super) struct Records {
    pub(super) decisions: HashMap<DecisionKey, DecisionRecord>,
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

    /// Finds the records that some changes refer to. A change of a licence that is not in memory finds none: there
    /// is no such licence.
    pub(super) async fn find(
        tx: &Tx,
        submissions: &[Submission<Change>],
        memory: &Licenses,
    ) -> Result<Self, Fault> {
        let mut decisions = Vec::new();
        let mut keys = Vec::new();
        let mut ids = Vec::new();
        let mut claims = Vec::new();
        for submission in submissions {
            let account_id = submission.account_id(memory);
            match &submission.command {
                Change::Authorize(Pending { command, .. }) => {
                    decisions.extend(account_id.map(|account_id| (account_id, command.request.id)));
                }
                Change::Release(Pending { command: once, .. }) => {
                    claims.push(&once.claim);
                    let id = once.command.id.uuid();
                    decisions.extend(account_id.map(|account_id| (account_id, id)));
                }
                Change::Record(Pending { command: once, .. }) => {
                    claims.push(&once.claim);
                    let certificate = &once.command.certificate;
                    keys.push(&certificate.key);
                    let account_id = certificate.key.account_id;
                    let reserved = certificate.reservation_id;
                    decisions.extend(reserved.map(|id| (account_id, id.uuid())));
                }
                Change::Revoke(Pending { command: once, .. }) => {
                    claims.push(&once.claim);
                    let each = once.command.ids.iter();
                    ids.extend(each.filter_map(|id| Some((account_id?, *id))));
                }
                Change::Allocate(Pending { command: once, .. }) => {
                    claims.push(&once.claim);
                    ids.extend(account_id.map(|account_id| (account_id, once.command.id)));
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
    pub(super) async fn find_certificates(
        tx: &Tx,
        ids: &[(AccountId, CertificateId)],
    ) -> Result<Self, Fault> {
        Ok(Self {
            by_id: store::certificates::find_by_id(tx, ids).await?,
            ..Self::default()
        })
    }

    /// A reservation of the licence, in any state.
    pub(super) fn reservation(
        &self,
        license: LicenseKey,
        id: ReservationId,
    ) -> Result<Reservation, Refusal> {
        let decision = self.decisions.get(&(license.account_id, id.uuid()));
        decision
            .filter(|decision| decision.license_id == license.id)
            .and_then(|decision| decision.reservation(id))
            .ok_or_else(|| not_found("reservation", id))
    }
}
