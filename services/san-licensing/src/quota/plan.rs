//! A round's plan: all that its commands change, gathered while they are decided one after the other,
//! and written together.

mod certificates;
mod reports;
mod reservations;

use std::collections::HashMap;

use licet_domain::{clock::Instant, ids::LicenseId};
use licet_runtime::{
    caller::Origin,
    clock::real_now,
    database::Tx,
    fault::Fault,
    outbox::{self, Event},
    replay::{self, Reply},
};

use super::{alerts::Alert, records::Records, usage_change::UsageChange};
use crate::{
    rules::{
        certificate::{Certificate, CertificateKey, EarlyRevocation},
        quota::holdings::Licenses,
    },
    store::{
        self,
        allocation::Allocation,
        certificates::Versioned,
        decisions::{ClosedDecision, NewDecision},
    },
};

/// What a round has decided and still has to write.
#[derive(Default)]
pub(super) struct Plan {
    /// What is recorded already, this round's own decisions included: a repeat in the same round is a
    /// repeat, too.
    pub(super) records: Records,
    pub(super) decisions: Vec<NewDecision>,
    closed: Vec<ClosedDecision>,
    certificates: Vec<Versioned>,
    revoked: Vec<Versioned>,
    /// Certificates that were reported under another product before.
    corrected: Vec<Certificate>,
    allocated: Vec<Allocation>,
    /// Revocations to be kept until their certificates arrive (SL-15), and those that were applied.
    early: Vec<(CertificateKey, EarlyRevocation)>,
    early_time: Option<Instant>,
    applied: Vec<CertificateKey>,
    changes: HashMap<LicenseId, UsageChange>,
    alerts: Vec<Alert>,
    settled: Vec<(replay::Claim, Reply)>,
}

impl Plan {
    /// Nothing yet; repeats are answered from the records.
    pub(super) fn with_records(records: Records) -> Self {
        Self {
            records,
            ..Self::default()
        }
    }

    /// A command is settled for every repeat of its request.
    pub(super) fn record_reply(&mut self, claim: &replay::Claim, settled: &Reply) {
        self.records.replies.insert(claim, settled.clone());
        self.settled.push((claim.clone(), settled.clone()));
    }

    /// How the round changes a licence's usage so far.
    fn change(&mut self, license_id: LicenseId, origin: &Origin) -> &mut UsageChange {
        let change = self.changes.entry(license_id).or_default();
        change.add_origin(origin);
        change
    }

    /// Writes it all, in the transaction that holds the fences.
    pub(super) async fn write(&self, tx: &Tx, licenses: &Licenses) -> Result<(), Fault> {
        self.write_changes(tx).await?;
        outbox::emit_all(tx, &self.events(licenses)).await
    }

    /// Writes it all but the events.
    pub(super) async fn write_changes(&self, tx: &Tx) -> Result<(), Fault> {
        if !self.decisions.is_empty() {
            store::decisions::insert_all(tx, &self.decisions).await?;
        }
        if !self.closed.is_empty() {
            store::decisions::close(tx, &self.closed).await?;
        }
        if !self.certificates.is_empty() {
            store::certificates::insert_all(tx, &self.certificates).await?;
        }
        if !self.corrected.is_empty() {
            store::certificates::correct_products(tx, &self.corrected).await?;
        }
        if !self.revoked.is_empty() {
            store::certificates::revoke(tx, &self.revoked).await?;
        }
        if !self.allocated.is_empty() {
            store::allocation::allocate(tx, &self.allocated).await?;
        }
        self.write_early(tx).await?;
        replay::store_replies(tx, &self.settled).await
    }

    async fn write_early(&self, tx: &Tx) -> Result<(), Fault> {
        // What came in one batch with its certificate is kept and applied in one go.
        let waits = |key: &CertificateKey| self.records.by_key.early.contains_key(key);
        let early: Vec<_> = self
            .early
            .iter()
            .filter(|(key, _)| waits(key))
            .cloned()
            .collect();
        if let Some(now) = self.early_time.filter(|_| !early.is_empty()) {
            store::early_revocations::insert_all(tx, &early, now, real_now().as_micros()).await?;
        }
        if !self.applied.is_empty() {
            store::early_revocations::delete(tx, &self.applied).await?;
        }
        Ok(())
    }

    /// One event for a licence and a round: thousands of decisions a second need no event each. Then
    /// one for each part of a quota that was reached.
    pub(super) fn events(&self, licenses: &Licenses) -> Vec<Event<'_>> {
        let each = self.changes.iter();
        let changes = each.filter_map(|(id, change)| change.event(*id, licenses.get(id)?));
        changes
            .chain(self.alerts.iter().map(Alert::event))
            .collect()
    }
}
