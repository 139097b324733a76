//! Brings the memory of licences up to their fences by the changes of other instances.

use std::collections::BTreeSet;

use licet_domain::clock::Instant;
use licet_runtime::{database::Tx, fault::Fault};

use crate::{
    rules::{
        license::LicenseKey,
        quota::holdings::{Holdings, Licenses},
    },
    store::{
        self,
        changes::{ChangedClaim, Since},
        fences::{Fence, LockedMove},
    },
};

/// Brings memory to the fences' versions. `own` is 1 if this round moved them itself, otherwise 0. Reads
/// nothing for a fence that no other instance moved.
pub(super) async fn catch_up(
    tx: &Tx,
    memory: &mut Licenses,
    fences: &[Fence],
    own: i64,
) -> Result<(), Fault> {
    let mut behind = Vec::new();
    for fence in fences {
        match memory.get_mut(&fence.license.id) {
            Some(holdings) if fence.moves_since(holdings.version) == Some(own) => {
                holdings.version = fence.version;
                holdings.is_last_mover |= own > 0;
            }
            Some(_) | None => behind.push(fence),
        }
    }
    if behind.is_empty() {
        return Ok(());
    }
    let keys: Vec<_> = behind.iter().map(|fence| fence.license).collect();
    let licenses = store::licenses::find_all(tx, &keys).await?;
    let mut since = Vec::with_capacity(behind.len());
    for fence in &behind {
        let id = fence.license.id;
        let Some(license) = licenses.get(&id) else {
            return Err(Fault::internal(format!(
                "licence {id} has a row in license_fence but none in license"
            )));
        };
        // Memory at a version that did not lead to the fence's may hold commits that the database lost (a
        // failover, say): discard and reload.
        let from = memory
            .get(&id)
            .filter(|holdings| fence.moves_since(holdings.version).is_some());
        let version = from.map_or(0, |holdings| holdings.version.number);
        let as_of = from.map_or(fence.as_of, Holdings::as_of);
        since.push(Since {
            license: fence.license,
            version,
            as_of,
        });
        match memory.get_mut(&id).filter(|_| version > 0) {
            Some(holdings) => {
                // Advance first: the limits must be as of the last decision, which knows the current term
                // and the next (SL-6).
                holdings.advance(fence.as_of);
                holdings.change_limits(license.limits_as_of(holdings.as_of()));
                holdings.version = fence.version;
                holdings.is_last_mover = own > 0;
            }
            None => {
                let limits = license.limits_as_of(fence.as_of);
                let mut holdings = Holdings::new(limits, fence.version, fence.as_of);
                holdings.is_last_mover = own > 0;
                memory.insert(id, holdings);
            }
        }
    }
    let certificates = store::changes::find_certificates(tx, &since).await?;
    let reservations = store::changes::find_reservations(tx, &since).await?;
    apply(memory, certificates);
    apply(memory, reservations);
    Ok(())
}

/// Advances licences to the time of their fences (T-5).
pub(super) fn advance(memory: &mut Licenses, fences: &[Fence]) {
    for fence in fences {
        if let Some(holdings) = memory.get_mut(&fence.license.id) {
            holdings.advance(fence.as_of);
        }
    }
}

pub(super) fn apply(memory: &mut Licenses, changes: Vec<ChangedClaim>) {
    for change in changes {
        let Some(holdings) = memory.get_mut(&change.license_id) else {
            continue;
        };
        holdings.release(change.id);
        if let Some(claim) = change.claim {
            holdings.add(change.id, claim);
        }
    }
}

/// As [`lock`], each licence as of the later of `clock` and its time in memory (T-5).
pub(super) async fn lock_at(
    tx: &Tx,
    memory: &mut Licenses,
    licenses: BTreeSet<LicenseKey>,
    clock: Instant,
) -> Result<(), Fault> {
    let seen = |license: LicenseKey| {
        memory
            .get(&license.id)
            .map_or(clock, |holdings| holdings.as_of().max(clock))
    };
    let at: Vec<_> = licenses
        .into_iter()
        .map(|license| (license, seen(license)))
        .collect();
    lock(tx, memory, &at).await
}

/// Locks the fences of some licences, moves each to at least its instant, and brings memory up to them. Invariant:
/// `licenses` are in order.
pub(super) async fn lock(
    tx: &Tx,
    memory: &mut Licenses,
    licenses: &[(LicenseKey, Instant)],
) -> Result<(), Fault> {
    if licenses.is_empty() {
        return Ok(());
    }
    let moves: Vec<_> = licenses
        .iter()
        .map(|(license, now)| {
            let holdings = memory.get(&license.id);
            let own = holdings.filter(|holdings| holdings.is_last_mover);
            LockedMove {
                license: *license,
                now: *now,
                own: own.map(|holdings| holdings.version),
            }
        })
        .collect();
    let fences = store::fences::move_on(tx, &moves).await?;
    catch_up(tx, memory, &fences, 1).await?;
    advance(memory, &fences);
    Ok(())
}
