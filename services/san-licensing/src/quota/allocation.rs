//! Allocates certificates to a licence, a chunk at a time: unallocated ones of its account (SL-16), and
//! those that an earlier licence still counts (SL-20). Past usage does not change (T-6).

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use licet_domain::{
    clock::Instant,
    ids::{AccountId, LicenseId, ProductId},
};
use licet_runtime::{
    caller::Origin,
    database::{Database, Tx, Work},
    fault::Fault,
};

use super::{loading, memory, plan::Plan};
use crate::{
    rules::{
        certificate::Certificate,
        license::LicenseKey,
        quota::holdings::{Holdings, Licenses},
    },
    store::{self, allocation::After},
};

/// The most certificates of a chunk.
const CHUNK: u64 = 500;

/// Where certificates come from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// Unallocated ones.
    Unallocated,
    /// Those of an earlier licence, after a position.
    License(LicenseId, After),
}

/// A chunk to be allocated.
pub(crate) struct Chunk {
    pub(crate) account_id: AccountId,
    pub(crate) product_id: ProductId,
    pub(crate) to: LicenseId,
    pub(crate) source: Source,
    pub(crate) origin: Origin,
    pub(crate) clock: Instant,
}

/// The result of a chunk.
#[derive(Debug)]
pub(crate) struct AllocatedChunk {
    pub(crate) count: u64,
    /// Where to continue; `None` after the last chunk.
    pub(crate) after: Option<After>,
    /// Whether the licence is active; otherwise nothing is allocated to it.
    pub(crate) is_active: bool,
}

impl Chunk {
    pub(super) fn licenses(&self) -> BTreeSet<LicenseId> {
        [Some(self.to), self.source_license()]
            .into_iter()
            .flatten()
            .collect()
    }

    fn key(&self, id: LicenseId) -> LicenseKey {
        LicenseKey {
            account_id: self.account_id,
            id,
        }
    }

    fn source_license(&self) -> Option<LicenseId> {
        match &self.source {
            Source::Unallocated => None,
            Source::License(id, _) => Some(*id),
        }
    }

    async fn find(&self, tx: &Tx, now: Instant) -> Result<Vec<Certificate>, Fault> {
        let product_id = &self.product_id;
        match &self.source {
            Source::Unallocated => {
                store::allocation::lock_unallocated(tx, self.account_id, product_id, CHUNK).await
            }
            Source::License(from, after) => {
                let from = self.key(*from);
                store::allocation::list_active(tx, from, product_id, self.to, now, after, CHUNK)
                    .await
            }
        }
    }
}

/// Allocates a chunk. Returns the memory after it, and the result.
pub(super) async fn run(
    database: &Database,
    chunk: &Chunk,
    mut memory: Licenses,
) -> (Licenses, Result<AllocatedChunk, Fault>) {
    let licenses = chunk.licenses().into_iter().collect();
    if let Err(fault) = loading::load(database, licenses, &mut memory).await {
        return (memory, Err(fault));
    }
    let work = AllocateChunk {
        chunk,
        memory: Mutex::new(memory),
    };
    match database.transact(&work).await {
        Ok((memory, allocated)) => (memory, Ok(allocated)),
        // It is unknown whether the chunk is committed: drop the memory.
        Err(fault) => (Licenses::new(), Err(fault)),
    }
}

struct AllocateChunk<'a> {
    chunk: &'a Chunk,
    /// Memory before the job. A failed run leaves it empty, and the next run reloads it.
    memory: Mutex<Licenses>,
}

impl Work for AllocateChunk<'_> {
    type Output = (Licenses, AllocatedChunk);

    async fn run(&self, tx: &Tx) -> Result<Self::Output, Fault> {
        let chunk = self.chunk;
        let mut memory =
            std::mem::take(&mut *self.memory.lock().unwrap_or_else(PoisonError::into_inner));
        let keys = chunk.licenses().into_iter().map(|id| chunk.key(id));
        memory::lock_at(tx, &mut memory, keys.collect(), chunk.clock).await?;
        // Taken out of the map to change both licences at once.
        let mut from = chunk.source_license().and_then(|id| memory.remove(&id));
        let to = memory.get_mut(&chunk.to);
        let to = to.ok_or_else(|| Fault::internal(format!("licence {} has no fence", chunk.to)))?;
        let now = from.as_ref().map_or(to.as_of(), Holdings::as_of);
        let mut found = Vec::new();
        let is_active = to.limits().is_active(to.as_of());
        if is_active {
            found = chunk.find(tx, now).await?;
        }
        let mut plan = Plan::default();
        let count = u64::try_from(found.len()).map_err(Fault::internal)?;
        let last = found.last().map(|last| After {
            record_us: last.record_time.as_micros(),
            certificate_id: last.id.to_string(),
        });
        for certificate in found {
            plan.allocate(to, from.as_mut(), &chunk.origin, certificate);
        }
        if let Some(from) = from {
            memory.insert(from.limits().license_id, from);
        }
        plan.write(tx, &memory).await?;
        let allocated = AllocatedChunk {
            count,
            after: last.filter(|_| count == CHUNK),
            is_active,
        };
        Ok((memory, allocated))
    }
}
