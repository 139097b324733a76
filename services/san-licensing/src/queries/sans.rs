//! Reads the distinct SANs of a licence.

use licet_runtime::{caller::Call, database::Database, fault::Fault, page::Page};

use super::visible_license::VisibleLicense;
use crate::{
    rules::filters::{SanFilter, UniqueSan},
    store,
};

/// A page of distinct SANs, ascending.
pub(crate) struct UniqueSanPage {
    pub(crate) sans: Vec<UniqueSan>,
    /// What a wildcard weighs (SL-3).
    pub(crate) wildcard_multiplier: u32,
    pub(crate) next_page_token: String,
}

/// Lists the distinct SANs on active certificates, ascending.
pub(crate) async fn list(
    database: &Database,
    call: &Call,
    filter: &SanFilter,
    page: Page,
) -> Result<UniqueSanPage, Fault> {
    let tx = database.read();
    let visible = VisibleLicense::load(&tx, call, filter.license_id).await?;
    let page = page.not_before(visible.now);
    let rows = store::sans::list_unique(&tx, visible.license.account_id, filter, &page).await?;
    let bytes = |found: &UniqueSan| found.san.len();
    let key = |found: &UniqueSan| vec![found.san.to_string()];
    let (sans, next_page_token) = page.finish_sized(rows, bytes, key);
    Ok(UniqueSanPage {
        sans,
        wildcard_multiplier: visible.license.multiplier_at(page.as_of),
        next_page_token,
    })
}
