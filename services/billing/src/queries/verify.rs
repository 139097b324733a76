//! Verifies the whole store: every stored figure is computed again from the rows that it follows
//! from.

use licet_runtime::{
    chain, database::Database, fault::Fault, seal_check::Seals, verification::Verification,
};

use crate::store::{self, verification::CLAIMS};

/// Runs every check on one snapshot.
pub(crate) async fn verify(database: &Database) -> Result<Verification, Fault> {
    let tx = database.read();
    let mut checks = Vec::with_capacity(CLAIMS.len() + 4);
    for claim in &CLAIMS {
        checks.push(store::verification::check(&tx, claim).await?);
    }
    checks.push(store::verification::check_lines(&tx).await?);
    checks.extend(chain::check_log(&tx).await?);
    let mut seals = Seals::read(&tx).await?;
    store::seals::check_all(&tx, &mut seals).await?;
    checks.push(seals.finish());
    Ok(Verification { checks })
}
