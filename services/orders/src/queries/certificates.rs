//! Recorded certificates.

use licet_domain::ids::CertificateId;
use licet_runtime::{
    caller::Call,
    database::Database,
    fault::Fault,
    page::{Page, filter_text, time_key},
};

use super::name_bytes;
use crate::{
    rules::{certificate::Certificate, listing::CertificateFilter},
    store,
};

/// The certificate, or NOT_FOUND.
pub(crate) async fn get(
    database: &Database,
    call: &Call,
    certificate_id: CertificateId,
) -> Result<Certificate, Fault> {
    let tx = database.read();
    store::certificates::get(&tx, &call.caller.accounts, certificate_id).await
}

/// A page of certificates without their chains, newest first, and the next one's token.
pub(crate) async fn list(
    database: &Database,
    call: &Call,
    filter: &CertificateFilter,
    page_size: i32,
    page_token: &str,
) -> Result<(Vec<Certificate>, String), Fault> {
    let text = format!(
        "certificates {} {} {:?}",
        filter_text(filter.account_id),
        filter_text(filter.order_id),
        filter.state
    );
    let page = Page::decode(page_size, page_token, &text, call.now)?;
    let tx = database.read();
    let rows = store::certificates::list(&tx, &call.caller.accounts, filter, &page).await?;
    let bytes =
        |found: &Certificate| found.issuer.len() + found.subject.len() + name_bytes(&found.names);
    let key = |found: &Certificate| time_key(found.record_time, found.id);
    Ok(page.finish_sized(rows, bytes, key))
}
