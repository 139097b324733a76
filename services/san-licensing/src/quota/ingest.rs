//! Ingests a batch of reports. It decides every record in order against its licence's holdings and writes all
//! results with the feed's new position in one transaction (SL-14, SL-15, SL-16, SL-21).

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use licet_domain::{
    clock::Instant,
    ids::{AccountId, CertificateId, LicenseId, ProductId},
    refusal::Refusal,
};
use licet_runtime::{
    caller::{AccountScope, Origin},
    database::{Database, Tx, Work},
    fault::Fault,
    outbox::{self, Event, EventHeader},
};

use super::{loading, memory, plan::Plan, records::Records};
use crate::{
    events::{CertificatesUnallocated, FeedAdvanced},
    rules::{
        certificate::{Certificate, conflict},
        feed::{
            BatchKind, Feed, IngestCounts, RecordRefusal, RefusedRecord, Report, ReportedRevocation,
        },
        license::LicenseKey,
        not_found,
        quota::holdings::Licenses,
    },
    store::{self, certificates::CoverageQuery},
};

/// Reports that are ingested together.
pub(crate) struct Batch {
    pub(crate) origin: Origin,
    /// With every account in scope, the caller sees the feeds of other callers.
    pub(crate) scope: AccountScope,
    /// The clock when the batch was accepted (T-3).
    pub(crate) clock: Instant,
    /// `None` for revocations that a timer applies, outside of any feed.
    pub(crate) header: Option<BatchHeader>,
    /// The reports to be decided, each with its index in the batch.
    pub(crate) reports: Vec<(u32, Report)>,
    /// Records that were refused while they were decoded.
    pub(crate) refused: Vec<RefusedRecord>,
    /// Returns the bytes of a record, bounded, and its full length, to be stored if it is refused.
    pub(crate) content: Box<dyn Fn(u32) -> (Vec<u8>, u64) + Send + Sync>,
}

/// A batch's feed, and its position there.
pub(crate) struct BatchHeader {
    pub(crate) feed_id: Arc<str>,
    pub(crate) sequence: u64,
    pub(crate) cursor: String,
    /// Of the whole batch: detects a repeat.
    pub(crate) fingerprint: [u8; 32],
    /// Encodes the acknowledgement.
    pub(crate) encode: fn(&Acknowledgement<'_>) -> Vec<u8>,
}

/// The content of an acknowledgement.
pub(crate) struct Acknowledgement<'a> {
    pub(crate) feed: &'a Feed,
    pub(crate) counts: IngestCounts,
    pub(crate) refused: &'a [RefusedRecord],
    pub(crate) now: Instant,
}

/// The result of a batch.
pub(super) enum IngestResult {
    /// The batch is durable. Holds the encoded acknowledgement, empty outside of a feed.
    Acknowledged(Vec<u8>),
    /// Nothing is written: the batch's licences have changed since they were found.
    LicensesChanged,
}

/// The licences of a batch.
pub(super) struct BatchLicenses {
    by_pair: HashMap<(AccountId, ProductId), LicenseId>,
    /// The licences of the certificates to be revoked.
    of_revoked: BTreeSet<LicenseKey>,
}

impl BatchLicenses {
    /// Finds the licences before they are locked.
    pub(super) async fn find(database: &Database, batch: &Batch) -> Result<Self, Fault> {
        let each = batch.reports.iter();
        let pairs: HashSet<_> = each.filter_map(|(_, report)| report.pair()).collect();
        let pairs: Vec<_> = pairs.into_iter().collect();
        let keys: Vec<_> = batch.revocations().map(|reported| &reported.key).collect();
        let connection = database.read_alone();
        let by_pair = covered(connection, pairs, batch.clock).await?;
        let of_revoked = if keys.is_empty() {
            BTreeSet::new()
        } else {
            let found = store::certificates::find_by_key(connection, &keys).await?;
            let certificates = found.certificates.into_values();
            let licenses = certificates.filter_map(|found| {
                Some(LicenseKey {
                    account_id: found.key.account_id,
                    id: found.license_id?,
                })
            });
            licenses.collect()
        };
        Ok(Self {
            by_pair,
            of_revoked,
        })
    }

    fn keys(&self) -> BTreeSet<LicenseKey> {
        let by_pair = self.by_pair.iter();
        let by_pair = by_pair.map(|((account_id, _), id)| LicenseKey {
            account_id: *account_id,
            id: *id,
        });
        by_pair.chain(self.of_revoked.iter().copied()).collect()
    }

    pub(super) fn ids(&self) -> BTreeSet<LicenseId> {
        self.keys().into_iter().map(|key| key.id).collect()
    }
}

/// The active licences of some accounts for some products. Pairs without one are left out.
async fn covered(
    connection: &impl sea_orm::ConnectionTrait,
    pairs: Vec<(AccountId, ProductId)>,
    now: Instant,
) -> Result<HashMap<(AccountId, ProductId), LicenseId>, Fault> {
    if pairs.is_empty() {
        return Ok(HashMap::new());
    }
    let wanted: Vec<_> = pairs
        .iter()
        .map(|(account_id, product_id)| CoverageQuery {
            account_id: *account_id,
            product_id,
            reservation_id: None,
            now,
        })
        .collect();
    let covering = store::certificates::find_covering(connection, &wanted).await?;
    let each = pairs.into_iter().zip(covering);
    Ok(each
        .filter_map(|(pair, covering)| Some((pair, covering.by_product?)))
        .collect())
}

impl Batch {
    fn revocations(&self) -> impl Iterator<Item = &ReportedRevocation> {
        self.reports.iter().filter_map(|(_, report)| match report {
            Report::Revocation(reported) => Some(reported),
            Report::Certificate(_) => None,
        })
    }

    fn keys(&self) -> Vec<&crate::rules::certificate::CertificateKey> {
        let each = self.reports.iter();
        each.map(|(_, report)| report.key()).collect()
    }
}

/// Ingests a batch. Returns the memory after it, and the result.
pub(super) async fn run(
    database: &Database,
    batch: &Batch,
    licenses: &BatchLicenses,
    mut memory: Licenses,
) -> (Licenses, Result<IngestResult, Fault>) {
    // Load missing licences before their fences are locked, so that other instances do not wait.
    let ids = licenses.ids().into_iter().collect();
    if let Err(fault) = loading::load(database, ids, &mut memory).await {
        return (memory, Err(fault));
    }
    let work = IngestBatch {
        batch,
        licenses,
        memory: Mutex::new(memory),
    };
    match database.transact(&work).await {
        Ok((memory, result)) => (memory, Ok(result)),
        // Either it is unknown whether the batch is committed, and memory is empty, or the batch was refused
        // before it took memory.
        Err(fault) => (work.memory(), Err(fault)),
    }
}

struct IngestBatch<'a> {
    batch: &'a Batch,
    licenses: &'a BatchLicenses,
    /// Memory before the job. A failed run leaves it empty, and the next run reloads it.
    memory: Mutex<Licenses>,
}

impl IngestBatch<'_> {
    fn memory(&self) -> Licenses {
        std::mem::take(&mut *self.memory.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Locks the feed, and checks whether the batch is its next or its last one.
    async fn open(&self, tx: &Tx, header: &BatchHeader) -> Result<(Feed, BatchKind), Fault> {
        let batch = self.batch;
        let caller = &batch.origin.caller;
        let feed = store::feeds::lock(tx, &header.feed_id, caller, batch.clock).await?;
        check_visible(&feed, caller, &batch.scope)?;
        let kind = feed.check_sequence(header.sequence, &header.fingerprint)?;
        Ok((feed, kind))
    }

    /// Whether the batch's licences, now locked, are still the right ones.
    async fn is_current(
        &self,
        tx: &Tx,
        memory: &Licenses,
        records: &Records,
    ) -> Result<bool, Fault> {
        // A certificate's revocation may be reported more than once.
        let mut unallocated = HashMap::new();
        for reported in self.batch.revocations() {
            let Some(found) = records.by_key.certificates.get(&reported.key) else {
                continue;
            };
            match found.license_id {
                Some(id) if !memory.contains_key(&id) => return Ok(false),
                None if found.revoke_time.is_none() => {
                    unallocated.insert(found.id, found);
                }
                Some(_) | None => {}
            }
        }
        let unallocated: Vec<_> = unallocated.into_values().collect();
        if !unallocated.is_empty()
            && store::allocation::count_unallocated(tx, &unallocated).await? != unallocated.len()
        {
            return Ok(false);
        }
        let each = self.batch.reports.iter();
        let pairs: HashSet<_> = each.filter_map(|(_, report)| report.pair()).collect();
        let uncovered = pairs
            .into_iter()
            .filter(|pair| !self.licenses.by_pair.contains_key(pair));
        let started = covered(tx, uncovered.collect(), self.batch.clock).await?;
        Ok(started.is_empty())
    }
}

impl Work for IngestBatch<'_> {
    type Output = (Licenses, IngestResult);

    async fn run(&self, tx: &Tx) -> Result<Self::Output, Fault> {
        let batch = self.batch;
        let mut opened = None;
        if let Some(header) = &batch.header {
            let (feed, kind) = self.open(tx, header).await?;
            if kind == BatchKind::Repeated {
                let again = IngestResult::Acknowledged(feed.acknowledgement);
                return Ok((self.memory(), again));
            }
            opened = Some((header, feed));
        }
        let mut memory = self.memory();
        memory::lock_at(tx, &mut memory, self.licenses.keys(), batch.clock).await?;
        let found = store::certificates::find_by_key(tx, &batch.keys()).await?;
        let records = Records::of(found);
        if !self.is_current(tx, &memory, &records).await? {
            return Ok((memory, IngestResult::LicensesChanged));
        }
        let mut tally = Tally::new(batch, self.licenses, Plan::with_records(records));
        for (index, report) in &batch.reports {
            tally.decide(&mut memory, *index, report);
        }
        tally.plan.write_changes(tx).await?;
        let mut feed_event = None;
        let mut acknowledgement = Vec::new();
        if let Some((header, mut feed)) = opened {
            acknowledgement = tally.close(tx, header, &mut feed).await?;
            feed_event = Some(tally.feed_event(&feed)?);
        }
        let mut events = tally.plan.events(&memory)?;
        for event in tally.unallocated_events() {
            events.push(event?);
        }
        events.extend(feed_event);
        outbox::emit_all(tx, &events).await?;
        Ok((memory, IngestResult::Acknowledged(acknowledgement)))
    }
}

/// Refuses another caller's feed, unless the caller sees every account.
pub(crate) fn check_visible(
    feed: &Feed,
    caller: &str,
    scope: &AccountScope,
) -> Result<(), Refusal> {
    if *scope == AccountScope::All || feed.opened_by == caller {
        Ok(())
    } else {
        Err(not_found("feed", &feed.id))
    }
}

/// The running result of a batch.
struct Tally<'a> {
    batch: &'a Batch,
    licenses: &'a BatchLicenses,
    plan: Plan,
    counts: IngestCounts,
    refused: Vec<RefusedRecord>,
    unallocated: BTreeMap<AccountId, Vec<CertificateId>>,
}

impl<'a> Tally<'a> {
    fn new(batch: &'a Batch, licenses: &'a BatchLicenses, plan: Plan) -> Self {
        Self {
            batch,
            licenses,
            plan,
            counts: IngestCounts::default(),
            refused: batch.refused.clone(),
            unallocated: BTreeMap::new(),
        }
    }

    fn decide(&mut self, memory: &mut Licenses, index: u32, report: &Report) {
        match report {
            Report::Certificate(certificate) => self.record(memory, index, certificate),
            Report::Revocation(reported) => self.revoke(memory, reported),
        }
    }

    fn record(&mut self, memory: &mut Licenses, index: u32, certificate: &Certificate) {
        let recorded = &self.plan.records.by_key.certificates;
        let first = recorded.get(&certificate.key).cloned();
        if let Some(first) = &first
            && !first.is_corrected_by(certificate)
        {
            if first.is_same_as(certificate) {
                self.counts.already_known += 1;
            } else {
                let refusal = conflict(first);
                self.refuse(index, RecordRefusal::CertificateConflict, refusal.message);
            }
            return;
        }
        let pair = (certificate.key.account_id, certificate.product_id.clone());
        let license = self.licenses.by_pair.get(&pair);
        let holdings = license.and_then(|id| memory.get_mut(id));
        // A licence that has ended since it was found covers nothing.
        let holdings = holdings.filter(|holdings| holdings.limits().is_active(holdings.as_of()));
        let origin = &self.batch.origin;
        if holdings.is_some() {
            self.counts.recorded += 1;
        } else {
            self.counts.unallocated += 1;
            let id = first.as_ref().map_or(certificate.id, |first| first.id);
            let of_account = self.unallocated.entry(certificate.key.account_id);
            of_account.or_default().push(id);
        }
        match (first, holdings) {
            (Some(first), holdings) => {
                let product_id = certificate.product_id.clone();
                self.plan
                    .correct_product(holdings, origin, first, product_id);
            }
            (None, Some(holdings)) => {
                self.plan.record_new(holdings, origin, certificate.clone());
            }
            (None, None) => {
                let now = self.batch.clock;
                self.plan.record_unallocated(certificate.clone(), now);
            }
        }
    }

    fn revoke(&mut self, memory: &mut Licenses, reported: &ReportedRevocation) {
        let now = self.batch.clock;
        let recorded = &self.plan.records.by_key;
        let Some(found) = recorded.certificates.get(&reported.key) else {
            if recorded.early.contains_key(&reported.key) {
                self.counts.already_known += 1;
            } else {
                self.counts.kept_for_later += 1;
                let key = reported.key.clone();
                self.plan.store_early(key, reported.revocation, now);
            }
            return;
        };
        if found.revoke_time.is_some() {
            self.counts.already_known += 1;
            self.plan.drop_early(&reported.key);
            return;
        }
        self.counts.revoked += 1;
        let certificate = found.clone();
        let holdings = certificate.license_id.and_then(|id| memory.get_mut(&id));
        let (origin, revocation) = (&self.batch.origin, reported.revocation);
        self.plan
            .revoke_reported(holdings, origin, certificate, revocation, now);
    }

    fn refuse(&mut self, index: u32, refusal: RecordRefusal, reason: String) {
        let (content, content_bytes) = (self.batch.content)(index);
        self.refused.push(RefusedRecord {
            index,
            refusal,
            reasons: vec![reason],
            content,
            content_bytes,
        });
    }

    /// Advances the feed past the batch. Returns the encoded acknowledgement.
    async fn close(
        &mut self,
        tx: &Tx,
        header: &BatchHeader,
        feed: &mut Feed,
    ) -> Result<Vec<u8>, Fault> {
        let now = self.batch.clock.max(feed.update_time);
        self.refused.sort_unstable_by_key(|record| record.index);
        self.counts.refused = u64::try_from(self.refused.len()).map_err(Fault::internal)?;
        feed.sequence = header.sequence;
        feed.cursor.clone_from(&header.cursor);
        feed.fingerprint = header.fingerprint.to_vec();
        feed.counts = feed.counts.plus(self.counts);
        feed.update_time = now;
        feed.acknowledgement = (header.encode)(&Acknowledgement {
            feed,
            counts: self.counts,
            refused: &self.refused,
            now,
        });
        store::feeds::save(tx, feed).await?;
        if !self.refused.is_empty() {
            store::feeds::insert_refused(tx, feed, &self.refused, now).await?;
        }
        Ok(feed.acknowledgement.clone())
    }

    /// An event for each account with unallocated certificates.
    fn unallocated_events(&self) -> impl Iterator<Item = Result<Event<'a>, Fault>> {
        let batch = self.batch;
        self.unallocated.iter().map(move |(account_id, ids)| {
            let header = EventHeader {
                resource_id: account_id.to_string(),
                account_id: Some(*account_id),
                time: batch.clock,
                origin: &batch.origin,
                why: "SL-16".to_owned(),
                outcome: "UNALLOCATED".to_owned(),
            };
            Event::new(header, &CertificatesUnallocated { certificates: ids })
        })
    }

    fn feed_event(&self, feed: &Feed) -> Result<Event<'a>, Fault> {
        let counts = self.counts;
        let outcome = if counts.refused == 0 {
            "TAKEN"
        } else {
            "RECORDS_REFUSED"
        };
        let header = EventHeader {
            resource_id: feed.id.to_string(),
            account_id: None,
            time: feed.update_time,
            origin: &self.batch.origin,
            why: "SL-14".to_owned(),
            outcome: outcome.to_owned(),
        };
        let data = FeedAdvanced {
            sequence: feed.sequence,
            cursor: &feed.cursor,
            recorded: counts.recorded,
            unallocated: counts.unallocated,
            revoked: counts.revoked,
            kept_for_later: counts.kept_for_later,
            already_known: counts.already_known,
            refused: counts.refused,
        };
        Event::new(header, &data)
    }
}
