//! Loads licences into memory without locks: small ones together, a large one in pages, so that no statement
//! reads a whole large licence. Changes made meanwhile are caught up under the fence, as any others.

use licet_domain::ids::LicenseId;
use licet_runtime::{database::Database, fault::Fault};

use super::memory::{apply, catch_up};
use crate::{
    rules::{
        license::LicenseKey,
        quota::holdings::{Holdings, Licenses},
    },
    store::{
        self,
        changes::{PagePosition, Since},
    },
};

/// A licence with more certificates is large.
const SMALL: i64 = 2000;
/// Certificates of a page.
const PAGE: i64 = 5000;

/// Loads the small ones of some licences. Returns the keys of the large ones.
pub(super) async fn load_small(
    database: &Database,
    ids: &[LicenseId],
) -> Result<(Licenses, Vec<LicenseKey>), Fault> {
    let tx = database.read();
    let mut keys = store::licenses::find_keys(&tx, ids).await?;
    let large = store::changes::find_large(&tx, &keys, SMALL).await?;
    keys.retain(|key| !large.contains(key));
    let mut memory = Licenses::new();
    let fences = store::fences::read(&tx, &keys).await?;
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
    let (small, large) = load_small(database, &missing).await?;
    memory.extend(small);
    for key in large {
        let Some(mut load) = LargeLoad::start(database, key).await? else {
            continue;
        };
        while !load.step(database).await? {}
        memory.insert(key.id, load.holdings);
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
    pub(super) async fn start(database: &Database, key: LicenseKey) -> Result<Option<Self>, Fault> {
        let tx = database.read();
        let fences = store::fences::read(&tx, &[key]).await?;
        let licenses = store::licenses::find_all(&tx, &[key]).await?;
        let (Some(fence), Some(license)) = (fences.first(), licenses.get(&key.id)) else {
            return Ok(None);
        };
        let limits = license.limits_as_of(fence.as_of);
        let holdings = Holdings::new(limits, fence.version, fence.as_of);
        let since = Since {
            license: key,
            version: 0,
            as_of: fence.as_of,
        };
        let mut memory = Licenses::from([(key.id, holdings)]);
        apply(
            &mut memory,
            store::changes::find_reservations(&tx, &[since]).await?,
        );
        Ok(memory.remove(&key.id).map(|holdings| Self {
            holdings,
            after: PagePosition::default(),
        }))
    }

    /// Loads a page of certificates. Says whether it was the last.
    pub(super) async fn step(&mut self, database: &Database) -> Result<bool, Fault> {
        let holdings = &mut self.holdings;
        let page = store::changes::page(
            database.read_alone(),
            holdings.limits().key(),
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
