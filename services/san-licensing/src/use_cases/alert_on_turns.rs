//! Emits the alerts of turns (SL-17), as a term with a lower quota or a higher multiplier starts or the last
//! term ends. Usage is counted as of the turn, and one instance alone emits each alert.

use licet_domain::clock::Instant;
use licet_runtime::{
    caller::Origin,
    database::{Database, Tx, Work},
    fault::Fault,
    outbox,
};

use crate::{
    quota::Alert,
    rules::{
        alert::Ratio,
        counting::InstantCount,
        license::{License, LicenseKey, Turn},
    },
    store,
};

/// Emits the alerts of a licence's turns from `from` to `now`. Returns `false` if another instance did, or
/// the licence has changed.
pub(crate) async fn run(
    database: &Database,
    key: LicenseKey,
    from: Instant,
    now: Instant,
    origin: &Origin,
) -> Result<bool, Fault> {
    let scope = key.account_id.into();
    let mut license = store::licenses::get(&database.read(), &scope, key.id).await?;
    if license.turns(from, now).iter().any(Turn::may_rise) {
        // Once the fence is at `now`, nothing is decided as of an earlier time (T-5), so the counts below
        // are final.
        license = database.transact(&MoveFence { key, now }).await?;
    }
    let turns = license.turns(from, now);
    let mut alerts = Vec::new();
    for turn in turns.iter().filter(|turn| turn.may_rise()) {
        let moved = count(database, key, turn).await?;
        let (id, account_id) = (key.id, key.account_id);
        alerts.extend(Alert::each(id, account_id, origin, turn.time, moved));
    }
    let work = WriteAlerts {
        license: &license,
        from,
        now,
        alerts: &alerts,
    };
    database.transact(&work).await
}

/// Usage right before a turn and at it. Certificates recorded at the instant of the turn are left out:
/// their own records emit alerts.
async fn count(database: &Database, key: LicenseKey, turn: &Turn) -> Result<(Ratio, Ratio), Fault> {
    let tx = database.read();
    let counted = async |at, multiplier| {
        let count = InstantCount::new(0);
        let count = store::usage::count_recorded(&tx, key, turn.before, at, count).await?;
        Ok::<_, Fault>(count.finish().0.weight(multiplier))
    };
    let before = Ratio {
        quota: turn.was.quota,
        used: counted(turn.before, turn.was.multiplier).await?,
    };
    let after = Ratio {
        quota: turn.is.quota,
        used: counted(turn.time, turn.is.multiplier).await?,
    };
    Ok((before, after))
}

/// Moves the licence's fence to `now`.
struct MoveFence {
    key: LicenseKey,
    now: Instant,
}

impl Work for MoveFence {
    type Output = License;

    async fn run(&self, tx: &Tx) -> Result<License, Fault> {
        lock(tx, self.key, self.now).await
    }
}

async fn lock(tx: &Tx, key: LicenseKey, now: Instant) -> Result<License, Fault> {
    let scope = key.account_id.into();
    let (license, _) = store::licenses::lock(tx, &scope, key.id, now).await?;
    Ok(license)
}

/// Writes the alerts.
struct WriteAlerts<'a> {
    license: &'a License,
    from: Instant,
    now: Instant,
    alerts: &'a [Alert],
}

impl Work for WriteAlerts<'_> {
    type Output = bool;

    async fn run(&self, tx: &Tx) -> Result<bool, Fault> {
        let license = lock(tx, self.license.key(), self.now).await?;
        // Changed during the count: the next round counts again.
        if license.revision != self.license.revision {
            return Ok(false);
        }
        let mut coming = license.turns(self.now, Instant::MAX).into_iter();
        let next = coming.find(|turn| turn.time > self.now);
        let next = next.map(|turn| turn.time);
        if !store::turns::complete(tx, license.key(), self.from, next).await? {
            return Ok(false);
        }
        let events: Vec<_> = self
            .alerts
            .iter()
            .map(Alert::event)
            .collect::<Result<_, _>>()?;
        outbox::emit_all(tx, &events).await?;
        Ok(true)
    }
}
