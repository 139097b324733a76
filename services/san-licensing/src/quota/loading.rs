//! Loads licences into memory without locks: small ones together, a large one in pages, so that no statement
//! reads a whole large licence. Changes made meanwhile are caught up under the fence, as any others.

use licet_domain::ids::LicenseId;
use licet_runtime::{database::Database, fault::Fault};

use super::memory::{apply, catch_up};
use crate::{
    rules::quota::holdings::{Holdings, Licenses},
    store::{
        self,
        changes::{PagePosition, Since},
    },
};

/// A licence with more certificates is large.
const SMALL: i64 = 2000;
/// Certificates of a page.
const PAGE: i64 = 5000;

/// Loads the small ones of some licences. Returns the ids of the large ones.
pub(super) async fn load_small(
    database: &Database,
    mut ids: Vec<LicenseId>,
) -> Result<(Licenses, Vec<LicenseId>), Fault> {
    let tx = database.read();
    let large = store::changes::find_large(&tx, &ids, SMALL).await?;
    ids.retain(|id| !large.contains(id));
    let mut memory = Licenses::new();
    let fences = store::fences::read(&tx, &ids).await?;
    catch_up(&tx, &mut memory, &fences, 0).await?;
    Ok((memory, large))
}

/// Loads those of some licences that are not in memory, large or not.
pub(super) async fn load(
    database: &Database,
    mut missing: Vec<LicenseId>,
    memory: &mut Licenses,
) -> Result<(), Fault> {
    missing.retain(|id| !memory.contains_key(id));
    if missing.is_empty() {
        return Ok(());
    }
    let (small, large) = load_small(database, missing).await?;
    memory.extend(small);
    for id in large {
        let Some(mut load) = LargeLoad::start(database, id).await? else {
            continue;
        };
        while !load.step(database).await? {}
        memory.insert(id, load.holdings);
    }
    Ok(())
}

/// A large licence that is being loaded.
pub(super) struct LargeLoad {
    /// Exact at its version once the last page is loaded.
    pub(super) holdings: Holdings,
    after: PagePosition,
}

impl LargeLoad {
    /// Loads everything but the certificates. `None` if there is no such licence.
    pub(super) async fn start(database: &Database, id: LicenseId) -> Result<Option<Self>, Fault> {
        let tx = database.read();
        let fences = store::fences::read(&tx, &[id]).await?;
        let licenses = store::licenses::find_all(&tx, &[id]).await?;
        let (Some(fence), Some(license)) = (fences.first(), licenses.get(&id)) else {
            return Ok(None);
        };
        let limits = license.limits_as_of(fence.as_of);
        let holdings = Holdings::new(limits, fence.version, fence.as_of);
        let since = Since {
            license_id: id,
            version: 0,
            as_of: fence.as_of,
        };
        let mut memory = Licenses::from([(id, holdings)]);
        apply(
            &mut memory,
            store::changes::find_reservations(&tx, &[since]).await?,
        );
        Ok(memory.remove(&id).map(|holdings| Self {
            holdings,
            after: PagePosition::default(),
        }))
    }

    /// Loads a page of certificates. Says whether it was the last.
    pub(super) async fn step(&mut self, database: &Database) -> Result<bool, Fault> {
        let holdings = &mut self.holdings;
        let page = store::changes::page(
            database.read_alone(),
            holdings.limits().license_id,
            holdings.version.number,
            &self.after,
            PAGE,
        )
        .await?;
        for changed in page.changed {
            if let Some(claim) = changed.claim {
                holdings.add(changed.id, claim);
            }
        }
        let Some(last) = page.last else {
            return Ok(true);
        };
        self.after = last;
        Ok(false)
    }
}
