//! A round's plan: the changes of all its commands, gathered as they are decided and written together.

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

/// The changes that a round has decided and still has to write.
#[derive(Default)]
pub(super) struct Plan {
    /// Earlier records, and this round's own: a command may be repeated within its round.
    pub(super) records: Records,
    pub(super) decisions: Vec<NewDecision>,
    closed: Vec<ClosedDecision>,
    certificates: Vec<Versioned>,
    revoked: Vec<Versioned>,
    /// Certificates with a corrected product.
    corrected: Vec<Certificate>,
    allocated: Vec<Allocation>,
    /// Revocations that arrived before their certificates (SL-15).
    early: Vec<(CertificateKey, EarlyRevocation)>,
    early_time: Option<Instant>,
    /// Early revocations that are now on their certificates.
    applied: Vec<CertificateKey>,
    changes: HashMap<LicenseId, UsageChange>,
    alerts: Vec<Alert>,
    settled: Vec<(replay::Claim, Reply)>,
}

impl Plan {
    /// An empty plan; repeats are answered from the records.
    pub(super) fn with_records(records: Records) -> Self {
        Self {
            records,
            ..Self::default()
        }
    }

    /// Stores the reply to a command for repeats of its request.
    pub(super) fn record_reply(&mut self, claim: &replay::Claim, settled: &Reply) {
        self.records.replies.insert(claim, settled.clone());
        self.settled.push((claim.clone(), settled.clone()));
    }

    /// The change of a licence's usage so far.
    fn change(&mut self, license_id: LicenseId, origin: &Origin) -> &mut UsageChange {
        let change = self.changes.entry(license_id).or_default();
        change.add_origin(origin);
        change
    }

    /// Writes the changes and their events, in the transaction that holds the fences.
    pub(super) async fn write(&self, tx: &Tx, licenses: &Licenses) -> Result<(), Fault> {
        self.write_changes(tx).await?;
        outbox::emit_all(tx, &self.events(licenses)?).await
    }

    /// Writes the changes without their events.
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
        // A revocation applied in the batch that brought it need not be stored.
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

    /// One event per licence and round, as one per decision would be thousands a second, and one per alert.
    pub(super) fn events(&self, licenses: &Licenses) -> Result<Vec<Event<'_>>, Fault> {
        let each = self.changes.iter();
        let changes = each.filter_map(|(id, change)| change.event(*id, licenses.get(id)?));
        changes
            .chain(self.alerts.iter().map(Alert::event))
            .collect()
    }
}
