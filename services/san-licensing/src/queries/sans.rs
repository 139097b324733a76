//! The distinct SANs that a licence counts.

use licet_runtime::{caller::Call, database::Database, fault::Fault, page::Page};

use super::seen;
use crate::{
    rules::lookup::{SanFilter, UniqueSan},
    store,
};

/// A page of distinct SANs, ascending.
pub(crate) struct UniqueSans {
    pub(crate) sans: Vec<UniqueSan>,
    /// What a wildcard weighs (SL-3).
    pub(crate) wildcard_multiplier: u32,
    pub(crate) next_page_token: String,
}

/// A page of the distinct SANs on active certificates, and the next one's token.
pub(crate) async fn list(
    database: &Database,
    call: &Call,
    filter: &SanFilter,
    page: Page,
) -> Result<UniqueSans, Fault> {
    let tx = database.read();
    let seen = seen::license(&tx, call, filter.license_id).await?;
    let page = page.not_before(seen.now);
    let rows = store::sans::list_unique(&tx, filter, &page).await?;
    let bytes = |found: &UniqueSan| found.name.len();
    let key = |found: &UniqueSan| vec![found.name.to_string()];
    let (sans, next_page_token) = page.finish_sized(rows, bytes, key);
    Ok(UniqueSans {
        sans,
        wildcard_multiplier: seen.license.multiplier_at(page.as_of),
        next_page_token,
    })
}
