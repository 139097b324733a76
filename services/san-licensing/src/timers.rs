//! What time alone makes due: certificates that a licence has to take over are brought to it, a chunk
//! at a time (SL-16, SL-20), revocations to certificates that they passed by (SL-15), and alerts as
//! terms start and end (SL-17). Decides nothing.

use std::{
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
    quota::{Batch, Chunk, From, Quota},
    rules::feed::Report,
    store::{
        self,
        allocation::{After, Pair},
        certificates::Wanted,
    },
    use_cases::tell_turns,
};

/// The pause between two looks that find nothing.
const PAUSE: Duration = Duration::from_secs(1);
/// How many accounts and products are looked at in a round.
const PAIRS: u64 = 500;

/// Brings certificates to the licences that cover them. Nothing remembers what was looked at: what
/// is unallocated is looked at again and again, so that none is forgotten. Two instances on one
/// chunk wait for each other at the licence's fence, and the second finds the next one.
pub(crate) struct TakeOver {
    pub(crate) database: Database,
    pub(crate) quota: Quota,
    pub(crate) clock: Arc<dyn Clock>,
    /// The last pair of the round before; none once every pair was looked at.
    pub(crate) after: Mutex<Option<Pair>>,
}

/// An account's product whose licence runs, and may have certificates to take over.
struct Found {
    pair: Pair,
    license_id: LicenseId,
    has_unallocated: bool,
    /// Licences before it may count some of them still.
    is_unsettled: bool,
}

impl TakeOver {
    /// The pairs of a round that have a running licence, and whether that was the last round.
    async fn find(&self, now: Instant) -> Result<(Vec<Found>, bool), Fault> {
        let after = self.lock_after().clone();
        let tx = self.database.read();
        let unallocated =
            store::allocation::list_unallocated_pairs(&tx, after.as_ref(), PAIRS).await?;
        let unsettled = store::allocation::list_unsettled_pairs(&tx, after.as_ref(), PAIRS).await?;
        let mut pairs: Vec<_> = unallocated.iter().chain(&unsettled).cloned().collect();
        if pairs.is_empty() {
            *self.lock_after() = None;
            return Ok((Vec::new(), true));
        }
        // As the database sorts them: by their bytes.
        pairs.sort_unstable_by_key(|(account, product)| (account.to_string(), product.clone()));
        pairs.dedup();
        let most = usize::try_from(PAIRS).map_err(Fault::internal)?;
        let is_last = pairs.len() < most;
        pairs.truncate(most);
        *self.lock_after() = pairs.last().filter(|_| !is_last).cloned();
        let wanted: Vec<_> = pairs
            .iter()
            .map(|(account_id, product_id)| Wanted {
                account_id: *account_id,
                product_id,
                reservation_id: None,
                now,
            })
            .collect();
        let covering = store::certificates::find_covering(&tx, &wanted).await?;
        let each = pairs.iter().zip(covering);
        let found = each.filter_map(|(pair, covering)| {
            Some(Found {
                pair: pair.clone(),
                license_id: covering.by_product?,
                has_unallocated: unallocated.contains(pair),
                is_unsettled: unsettled.contains(pair),
            })
        });
        Ok((found.collect(), is_last))
    }

    fn lock_after(&self) -> std::sync::MutexGuard<'_, Option<Pair>> {
        self.after.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the licence take over what it can. Answers how much that was.
    async fn take_over(&self, found: &Found, now: Instant) -> Result<u64, Fault> {
        let (mut count, mut is_active) = (0, true);
        // A fence that moves for nothing costs other instances a look.
        if found.has_unallocated {
            (count, is_active) = self.take_all(found, From::Unallocated, now).await?;
        }
        if !found.is_unsettled || !is_active {
            return Ok(count);
        }
        let over = {
            let tx = self.database.read();
            store::licenses::list_over(&tx, found.pair.0, now).await?
        };
        for license_id in over {
            let from = From::License(license_id, After::start());
            let (more, still) = self.take_all(found, from, now).await?;
            count += more;
            is_active &= still;
        }
        if is_active {
            let work = Settled { found, now };
            self.database.transact(&work).await?;
            count += 1;
        }
        Ok(count)
    }

    async fn take_all(
        &self,
        found: &Found,
        mut from: From,
        now: Instant,
    ) -> Result<(u64, bool), Fault> {
        let (account_id, product_id) = &found.pair;
        let mut count = 0;
        loop {
            let taken = self
                .quota
                .take_over(Chunk {
                    account_id: *account_id,
                    product_id: product_id.clone(),
                    to: found.license_id,
                    from: from.clone(),
                    origin: timer(),
                    clock: now,
                })
                .await?;
            count += taken.count;
            let Some(after) = taken.after else {
                return Ok((count, taken.is_active));
            };
            if let From::License(_, place) = &mut from {
                *place = after;
            }
        }
    }
}

/// Who asks for what time alone makes due.
fn timer() -> Origin {
    Origin {
        caller: "san-licensing".to_owned(),
        method: String::new(),
        request_id: String::new(),
    }
}

/// The licence has taken over what the ones before it counted.
struct Settled<'a> {
    found: &'a Found,
    now: Instant,
}

impl Work for Settled<'_> {
    type Output = ();

    async fn run(&self, tx: &Tx) -> Result<(), Fault> {
        let Found {
            pair, license_id, ..
        } = self.found;
        store::allocation::settle(tx, pair, *license_id, self.now).await
    }
}

impl DueWork for TakeOver {
    fn name(&self) -> &'static str {
        "bring certificates to their licences"
    }

    fn run_due(&self, all: bool) -> Pin<Box<dyn Future<Output = Result<u64, Fault>> + Send + '_>> {
        Box::pin(async move {
            if all {
                *self.lock_after() = None;
            }
            let now = self.clock.now();
            loop {
                let (found, is_last) = self.find(now).await?;
                let mut taken = 0;
                for one in &found {
                    taken += self.take_over(one, now).await?;
                }
                if taken > 0 || is_last {
                    return Ok(taken);
                }
            }
        })
    }

    fn pause_after(&self, done: u64) -> Option<Duration> {
        (done == 0).then_some(PAUSE)
    }
}

/// For how long after it was kept a revocation may have missed a certificate that was being
/// recorded at the same time; real time, and far beyond what a transaction takes.
const PASSING_US: i64 = 600_000_000;
const REVOKED_AT_ONCE: u64 = 500;

/// A revocation and its certificate that are taken in at the same time do not see one another: what
/// was kept of late is held against what is known.
pub(crate) struct ApplyPassedBy {
    pub(crate) database: Database,
    pub(crate) quota: Quota,
    pub(crate) clock: Arc<dyn Clock>,
}

impl DueWork for ApplyPassedBy {
    fn name(&self) -> &'static str {
        "apply revocations that came early"
    }

    fn run_due(&self, _: bool) -> Pin<Box<dyn Future<Output = Result<u64, Fault>> + Send + '_>> {
        Box::pin(async move {
            let found = {
                let tx = self.database.read();
                let since_us = real_now().as_micros() - PASSING_US;
                store::early_revocations::list_passed_by(&tx, since_us, REVOKED_AT_ONCE).await?
            };
            if found.is_empty() {
                return Ok(0);
            }
            let count = found.len();
            let batch = Batch {
                origin: timer(),
                scope: AccountScope::All,
                clock: self.clock.now(),
                place: None,
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

/// Tells of the parts of a quota that usage reaches as a term starts or ends. Two instances on one
/// licence wait for each other at its fence, and the second finds it told.
pub(crate) struct TellTurns {
    pub(crate) database: Database,
    pub(crate) clock: Arc<dyn Clock>,
}

impl DueWork for TellTurns {
    fn name(&self) -> &'static str {
        "tell of usage as terms turn"
    }

    fn run_due(&self, _: bool) -> Pin<Box<dyn Future<Output = Result<u64, Fault>> + Send + '_>> {
        Box::pin(async move {
            let now = self.clock.now();
            let due = {
                let tx = self.database.read();
                store::turns::list_due(&tx, now).await?
            };
            let mut told = 0;
            for (license_id, from) in due {
                let is_first =
                    tell_turns::tell(&self.database, license_id, from, now, &timer()).await?;
                told += u64::from(is_first);
            }
            Ok(told)
        })
    }
}
