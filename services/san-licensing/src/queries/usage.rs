//! A licence's usage as of any instant.

use licet_domain::{clock::Instant, ids::LicenseId};
use licet_runtime::{caller::Call, database::Database, fault::Fault};

use super::seen;
use crate::{
    quota::Usage,
    store::{self, usage::Distinct},
};

/// How many of the next returns are said.
const RETURNS: u32 = 5;

/// The licence's usage as of `at`, past or future, by what is recorded up to now (SL-17).
pub(crate) async fn get_at(
    database: &Database,
    call: &Call,
    license_id: LicenseId,
    at: Instant,
) -> Result<Usage, Fault> {
    let tx = database.read().await?;
    let seen = seen::license(&tx, call, license_id).await?;
    let multiplier = u64::from(seen.license.multiplier_at(at));
    let weight = |names: Distinct| names.plain + names.wildcards * multiplier;
    let counts = store::usage::find_active(&tx, license_id, at).await?;
    let used = Distinct {
        plain: counts.distinct() - counts.wildcards,
        wildcards: counts.wildcards,
    };
    let reserved = store::usage::find_reserved(&tx, license_id, at).await?;
    let returns = store::usage::find_returns(&tx, license_id, at, RETURNS).await?;
    Ok(Usage {
        license_id,
        as_of: at,
        quota: seen.license.quota_at(at),
        used: weight(used),
        reserved: weight(reserved),
        counts,
        next_returns: returns
            .into_iter()
            .map(|(at, names)| (at, weight(names)))
            .collect(),
        version: seen.version,
    })
}
