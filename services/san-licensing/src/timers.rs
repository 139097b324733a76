//! Background work: allocates certificates to licences, a chunk at a time (SL-16, SL-20), applies missed
//! revocations (SL-15), and emits the alerts of turns (SL-17).

use std::{
    cmp::Ordering,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use licet_domain::{
    clock::{Clock, Instant},
    ids::LicenseId,
};
use licet_runtime::{
    caller::{AccountScope, Origin},
    clock::real_now,
    database::{Database, Tx, Work},
    fault::Fault,
    schedule::DueWork,
};

use crate::{
    quota::{Batch, Chunk, Quota, Source},
    rules::feed::Report,
    store::{
        self,
        allocation::{After, Pair},
        certificates::CoverageQuery,
    },
    use_cases::alert_on_turns,
};

/// Pause after a run without work; of missed revocations, after every run.
const PAUSE: Duration = Duration::from_secs(1);
/// The most pairs of account and product of a round. A pair counts once for each of its certificates.
const PAIRS: u64 = 500;

/// Allocates certificates to the licences that cover them. Keeps no record of its progress: unallocated
/// certificates are examined again and again, so that none is missed. Two instances on one chunk wait for each
/// other at the licence's fence, and the second gets the next chunk.
pub(crate) struct AllocateCertificates {
    pub(crate) database: Database,
    pub(crate) quota: Quota,
    pub(crate) clock: Arc<dyn Clock>,
    /// The last pair of the previous round; `None` if that was the last round.
    pub(crate) after: Mutex<Option<Pair>>,
}

/// A pair with an active licence that may have certificates to be allocated.
struct CoveredPair {
    pair: Pair,
    license_id: LicenseId,
    has_unallocated: bool,
    /// Earlier licences may still count certificates.
    is_incomplete: bool,
}

/// Compares pairs in the order of the database: by bytes.
fn in_order(one: &&Pair, other: &&Pair) -> Ordering {
    let text = |pair: &Pair| (pair.0.to_string(), pair.1.clone());
    text(one).cmp(&text(other))
}

impl AllocateCertificates {
    /// The pairs of a round that have an active licence, and whether that was the last round.
    async fn find(&self, now: Instant) -> Result<(Vec<CoveredPair>, bool), Fault> {
        let after = self.lock_after().clone();
        let tx = self.database.read();
        let unallocated =
            store::allocation::list_unallocated_pairs(&tx, after.as_ref(), PAIRS).await?;
        let incomplete =
            store::allocation::list_incomplete_pairs(&tx, after.as_ref(), PAIRS).await?;
        // A full list is complete up to its last pair only.
        let most = usize::try_from(PAIRS).map_err(Fault::internal)?;
        let full = [&unallocated, &incomplete].into_iter();
        let full = full.filter(|list| list.len() >= most);
        let end = full
            .filter_map(|list| list.last())
            .min_by(in_order)
            .cloned();
        let each = unallocated.iter().chain(&incomplete).cloned();
        let mut pairs: Vec<_> = each
            .filter(|pair| end.as_ref().is_none_or(|end| in_order(&pair, &end).is_le()))
            .collect();
        pairs.sort_unstable_by(|one, other| in_order(&one, &other));
        pairs.dedup();
        let is_last = end.is_none();
        *self.lock_after() = end;
        if pairs.is_empty() {
            return Ok((Vec::new(), is_last));
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
        let covering = store::certificates::find_covering(&tx, &wanted).await?;
        let each = pairs.iter().zip(covering);
        let found = each.filter_map(|(pair, covering)| {
            Some(CoveredPair {
                pair: pair.clone(),
                license_id: covering.by_product?,
                has_unallocated: unallocated.contains(pair),
                is_incomplete: incomplete.contains(pair),
            })
        });
        Ok((found.collect(), is_last))
    }

    fn lock_after(&self) -> std::sync::MutexGuard<'_, Option<Pair>> {
        self.after.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Allocates all certificates that the licence covers. Returns their number.
    async fn allocate(&self, found: &CoveredPair, now: Instant) -> Result<u64, Fault> {
        let (mut count, mut is_active) = (0, true);
        // A fence moved in vain would cost other instances a query.
        if found.has_unallocated {
            (count, is_active) = self.allocate_all(found, Source::Unallocated, now).await?;
        }
        if !found.is_incomplete || !is_active {
            return Ok(count);
        }
        let over = store::licenses::list_over(&self.database.read(), found.pair.0, now).await?;
        for license_id in over {
            let source = Source::License(license_id, After::start());
            let (more, still) = self.allocate_all(found, source, now).await?;
            count += more;
            is_active &= still;
        }
        if is_active {
            let work = MarkComplete { found, now };
            self.database.transact(&work).await?;
            count += 1;
        }
        Ok(count)
    }

    async fn allocate_all(
        &self,
        found: &CoveredPair,
        mut source: Source,
        now: Instant,
    ) -> Result<(u64, bool), Fault> {
        let (account_id, product_id) = &found.pair;
        let mut count = 0;
        loop {
            let chunk = self
                .quota
                .allocate_chunk(Chunk {
                    account_id: *account_id,
                    product_id: product_id.clone(),
                    to: found.license_id,
                    source: source.clone(),
                    origin: timer(),
                    clock: now,
                })
                .await?;
            count += chunk.count;
            let Some(after) = chunk.after else {
                return Ok((count, chunk.is_active));
            };
            if let Source::License(_, place) = &mut source {
                *place = after;
            }
        }
    }
}

/// The origin of background work.
fn timer() -> Origin {
    Origin {
        caller: "san-licensing".to_owned(),
        method: String::new(),
        request_id: String::new(),
    }
}

/// Marks that the licence has all certificates of earlier ones.
struct MarkComplete<'a> {
    found: &'a CoveredPair,
    now: Instant,
}

impl Work for MarkComplete<'_> {
    type Output = ();

    async fn run(&self, tx: &Tx) -> Result<(), Fault> {
        let CoveredPair {
            pair, license_id, ..
        } = self.found;
        store::allocation::mark_complete(tx, pair, *license_id, self.now).await
    }
}

impl DueWork for AllocateCertificates {
    fn name(&self) -> &'static str {
        "allocate certificates"
    }

    fn run_due(&self, all: bool) -> Pin<Box<dyn Future<Output = Result<u64, Fault>> + Send + '_>> {
        Box::pin(async move {
            if all {
                *self.lock_after() = None;
            }
            let now = self.clock.now();
            loop {
                let (found, is_last) = self.find(now).await?;
                let mut allocated = 0;
                for one in &found {
                    allocated += self.allocate(one, now).await?;
                }
                if allocated > 0 || is_last {
                    return Ok(allocated);
                }
            }
        })
    }

    fn pause_after(&self, done: u64) -> Option<Duration> {
        (done == 0).then_some(PAUSE)
    }
}

/// How long after it was stored a revocation may be found to have missed its certificate; real time, and far
/// longer than a transaction.
const MISSED_WITHIN_US: i64 = 600_000_000;
const REVOCATIONS: u64 = 500;

/// Applies revocations whose certificates were recorded at the same time, by transactions that did not see each
/// other.
pub(crate) struct ApplyMissedRevocations {
    pub(crate) database: Database,
    pub(crate) quota: Quota,
    pub(crate) clock: Arc<dyn Clock>,
}

impl DueWork for ApplyMissedRevocations {
    fn name(&self) -> &'static str {
        "apply missed revocations"
    }

    fn run_due(&self, _: bool) -> Pin<Box<dyn Future<Output = Result<u64, Fault>> + Send + '_>> {
        Box::pin(async move {
            let found = {
                let tx = self.database.read();
                let since_us = real_now().as_micros() - MISSED_WITHIN_US;
                store::early_revocations::list_missed(&tx, since_us, REVOCATIONS).await?
            };
            if found.is_empty() {
                return Ok(0);
            }
            let count = found.len();
            let batch = Batch {
                origin: timer(),
                scope: AccountScope::All,
                clock: self.clock.now(),
                header: None,
                reports: (0..)
                    .zip(found.into_iter().map(Report::Revocation))
                    .collect(),
                refused: Vec::new(),
                content: Box::new(|_| Default::default()),
            };
            self.quota.ingest(batch).await?;
            u64::try_from(count).map_err(Fault::internal)
        })
    }

    fn pause_after(&self, _: u64) -> Option<Duration> {
        Some(PAUSE)
    }
}

/// Emits the alerts of turns. Two instances on one licence wait for each other at its fence, and the second
/// finds the turns completed.
pub(crate) struct AlertOnTurns {
    pub(crate) database: Database,
    pub(crate) clock: Arc<dyn Clock>,
}

impl DueWork for AlertOnTurns {
    fn name(&self) -> &'static str {
        "emit the alerts of turns"
    }

    fn run_due(&self, _: bool) -> Pin<Box<dyn Future<Output = Result<u64, Fault>> + Send + '_>> {
        Box::pin(async move {
            let now = self.clock.now();
            let due = store::turns::list_due(&self.database.read(), now).await?;
            let mut completed = 0;
            for (license, from) in due {
                let is_first =
                    alert_on_turns::run(&self.database, license, from, now, &timer()).await?;
                completed += u64::from(is_first);
            }
            Ok(completed)
        })
    }
}
