//! Products and prices as of an instant.

use licet_domain::ids::ProductId;
use licet_runtime::{database::Database, fault::Fault, page::Page};

use crate::{
    rules::{
        catalog::{ProductKind, ProductVersion},
        listing::{InForceAt, PriceFilter, VersionSelection},
        not_found,
        prices::PriceList,
    },
    store,
};

/// The version, or NOT_FOUND.
pub(crate) async fn get_product(
    database: &Database,
    product_id: &ProductId,
    selection: VersionSelection,
) -> Result<ProductVersion, Fault> {
    let store = database.read_alone();
    let id = product_id.as_str();
    match selection {
        VersionSelection::InForce(at) => {
            let found = store::catalog::find_in_force(store, product_id, at).await?;
            Ok(found.ok_or_else(|| not_found("product", id).with("as_of_time", at.instant()))?)
        }
        VersionSelection::Version(version) => {
            let found = store::catalog::find_version(store, product_id, version).await?;
            Ok(found.ok_or_else(|| not_found("product", id).with("version", version))?)
        }
    }
}

/// A page of products in the versions in force, and the token of the next page.
pub(crate) async fn list_products(
    database: &Database,
    kind: Option<ProductKind>,
    page: &Page,
) -> Result<(Vec<ProductVersion>, String), Fault> {
    let tx = database.read();
    let rows = store::catalog::list_in_force(&tx, kind, page).await?;
    Ok(page.finish(rows, |version| vec![version.product_id.as_str().to_owned()]))
}

/// A page of the price lists of a product that are in force, and the token of the next page; or
/// NOT_FOUND.
pub(crate) async fn list_prices(
    database: &Database,
    filter: &PriceFilter,
    page: &Page,
) -> Result<(Vec<PriceList>, String), Fault> {
    let PriceFilter {
        product_id,
        currency,
        at,
    } = filter;
    let id = product_id.as_str();
    let tx = database.read();
    if store::catalog::find_version(&tx, product_id, 1)
        .await?
        .is_none()
    {
        return Err(not_found("product", id).into());
    }
    let at = at.map_or(InForceAt::Now(page.as_of), InForceAt::Instant);
    let rows = store::catalog::list_lists_in_force(&tx, product_id, *currency, at, page).await?;
    Ok(page.finish(rows, |list| vec![list.currency.code().to_owned()]))
}
