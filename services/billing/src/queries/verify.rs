//! The whole store held against itself: what is kept as a figure is computed again from the rows
//! that it follows from.

use licet_runtime::{database::Database, fault::Fault};

use crate::{
    rules::verification::Verification,
    store::{self, verification::CLAIMS},
};

/// Makes every check on one snapshot.
pub(crate) async fn verify(database: &Database) -> Result<Verification, Fault> {
    let tx = database.read();
    let mut checks = Vec::with_capacity(CLAIMS.len() + 1);
    for claim in &CLAIMS {
        checks.push(store::verification::check(&tx, claim).await?);
    }
    checks.push(store::verification::check_lines(&tx).await?);
    Ok(Verification { checks })
}
