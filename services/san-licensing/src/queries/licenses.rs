//! Reads licences.

use licet_domain::ids::LicenseId;
use licet_runtime::{
    caller::Call,
    database::{Database, Tx},
    door::UnderWay,
    fault::Fault,
    operation::View,
    page::{Page, time_key},
};

use super::license_view::{self, LicenseView};
use crate::{
    rules::{filters::LicenseFilter, license::License},
    store,
};

/// The licence, or NOT_FOUND.
pub(crate) async fn get(
    database: &Database,
    call: &Call,
    license_id: LicenseId,
) -> Result<LicenseView, Fault> {
    license_view::get(&database.read(), call, license_id).await
}

impl UnderWay for LicenseView {
    async fn load(tx: &Tx, call: &Call, running: View) -> Result<Self, Fault> {
        let license_id = running.resource_id.parse().map_err(Fault::internal)?;
        license_view::get(tx, call, license_id).await
    }
}

/// Lists licences, newest first, with the token of the next page.
pub(crate) async fn list(
    database: &Database,
    call: &Call,
    filter: &LicenseFilter,
    page: &Page,
) -> Result<(Vec<LicenseView>, String), Fault> {
    let tx = database.read();
    let rows = store::licenses::list(&tx, &call.caller.accounts, filter, page).await?;
    let bytes = |license: &License| {
        let products = license.products.iter().map(|id| id.as_str().len() + 2);
        products.sum::<usize>() + license.invoices.len() * INVOICE_BYTES
    };
    let key = |license: &License| time_key(license.create_time, license.id);
    let (licenses, next_page_token) = page.finish_sized(rows, bytes, key);
    let views = license_view::load_all(&tx, licenses, page.as_of).await?;
    Ok((views, next_page_token))
}

/// Approximate bytes of an invoice id in a response.
const INVOICE_BYTES: usize = 32;
