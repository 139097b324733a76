//! Reads certificates.

use licet_domain::{
    clock::Instant,
    ids::{AccountId, CertificateId, LicenseId},
};
use licet_runtime::{
    caller::Call,
    database::Database,
    fault::Fault,
    page::{Page, time_key},
};

use super::{san_bytes, visible_license::VisibleLicense};
use crate::{
    rules::{certificate::Certificate, filters::CertificateFilter, not_found},
    store,
};

/// Some certificates of a licence in the order of `ids`; NOT_FOUND for the first that does not exist.
pub(crate) async fn get_all(
    database: &Database,
    call: &Call,
    license_id: LicenseId,
    ids: &[CertificateId],
) -> Result<(Vec<Certificate>, Instant), Fault> {
    let tx = database.read();
    let visible = VisibleLicense::load(&tx, call, license_id).await?;
    let account_id = visible.license.account_id;
    let keys: Vec<_> = ids.iter().map(|id| (account_id, *id)).collect();
    let mut found = store::certificates::find_by_id(&tx, &keys).await?;
    let certificates = ids
        .iter()
        .map(|id| {
            let certificate = found.remove(id);
            certificate
                .filter(|certificate| certificate.license_id == Some(license_id))
                .ok_or_else(|| not_found("certificate", id))
        })
        .collect::<Result<_, _>>()?;
    Ok((certificates, visible.now))
}

/// A page of certificates, newest first.
pub(crate) struct CertificatePage {
    pub(crate) certificates: Vec<Certificate>,
    /// The instant of their states.
    pub(crate) now: Instant,
    pub(crate) next_page_token: String,
}

impl CertificatePage {
    fn of(rows: Vec<Certificate>, page: &Page) -> Self {
        let bytes = |certificate: &Certificate| san_bytes(&certificate.sans);
        let key = |certificate: &Certificate| time_key(certificate.record_time, certificate.id);
        let (certificates, next_page_token) = page.finish_sized(rows, bytes, key);
        Self {
            certificates,
            now: page.as_of,
            next_page_token,
        }
    }
}

/// Lists unallocated certificates (SL-16), newest first.
pub(crate) async fn list_unallocated(
    database: &Database,
    call: &Call,
    account_id: Option<AccountId>,
    page: &Page,
) -> Result<CertificatePage, Fault> {
    let tx = database.read();
    let scope = &call.caller.accounts;
    let rows = store::certificates::list_unallocated(&tx, scope, account_id, page).await?;
    Ok(CertificatePage::of(rows, page))
}

/// Lists a licence's certificates, newest first.
pub(crate) async fn list(
    database: &Database,
    call: &Call,
    filter: &CertificateFilter,
    page: Page,
) -> Result<CertificatePage, Fault> {
    let tx = database.read();
    let visible = VisibleLicense::load(&tx, call, filter.license_id).await?;
    let page = page.not_before(visible.now);
    let rows = store::certificates::list(&tx, visible.license.account_id, filter, &page).await?;
    Ok(CertificatePage::of(rows, &page))
}
