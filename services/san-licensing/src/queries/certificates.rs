//! Recorded certificates, and the licence that one to be recorded counts in.

use licet_domain::{
    clock::Instant,
    ids::{CertificateId, LicenseId},
    refusal::{Reason, Refusal},
};
use licet_runtime::{
    caller::Call,
    database::Database,
    fault::Fault,
    page::{Page, filter_text, time_key},
};

use super::{name_bytes, seen};
use crate::{
    rules::{
        certificate::{Certificate, CertificateState},
        lookup::CertificateFilter,
        not_found,
    },
    store,
};

/// The licence that a certificate counts in: the account's for its product (SL-20), or else the
/// one that its reservation was granted under. A certificate that no licence covers is refused
/// for now: keeping it unallocated (SL-16) is not served yet.
pub(crate) async fn find_license(
    database: &Database,
    call: &Call,
    certificate: &Certificate,
) -> Result<LicenseId, Fault> {
    let account_id = certificate.key.account_id;
    if !call.caller.sees(account_id) {
        return Err(not_found("account", account_id).into());
    }
    let product_id = &certificate.product_id;
    let reservation_id = certificate.reservation_id;
    let tx = database.read().await?;
    let covering =
        store::certificates::find_covering(&tx, account_id, product_id, reservation_id).await?;
    if let Some(id) = reservation_id
        && covering.by_reservation.is_none()
    {
        return Err(not_found("reservation", id).into());
    }
    let found = covering.by_product.or(covering.by_reservation);
    found.ok_or_else(|| not_covered(certificate).into())
}

fn not_covered(certificate: &Certificate) -> Refusal {
    let account_id = certificate.key.account_id;
    let product_id = &certificate.product_id;
    Refusal::new(
        Reason::NotFound,
        format!(
            "no licence of account {account_id} covers product {product_id}, and certificates \
             without a licence are not recorded yet"
        ),
    )
    .with("resource", "license")
    .with("id", product_id)
}

/// Some certificates of a licence, in the order of their ids as given, or NOT_FOUND for the first
/// that is not there.
pub(crate) async fn get_all(
    database: &Database,
    call: &Call,
    license_id: LicenseId,
    ids: &[CertificateId],
) -> Result<(Vec<Certificate>, Instant), Fault> {
    let tx = database.read().await?;
    let seen = seen::license(&tx, call, license_id).await?;
    let mut found = store::quota::find_certificates_by_id(&tx, ids).await?;
    let certificates = ids
        .iter()
        .map(|id| {
            let certificate = found.remove(id);
            certificate
                .filter(|certificate| certificate.license_id == Some(license_id))
                .ok_or_else(|| not_found("certificate", id))
        })
        .collect::<Result<_, _>>()?;
    Ok((certificates, seen.now))
}

/// A page of a licence's certificates, newest first.
pub(crate) struct Listed {
    pub(crate) certificates: Vec<Certificate>,
    /// The instant that their states are seen at.
    pub(crate) now: Instant,
    pub(crate) next_page_token: String,
}

/// A page of a licence's certificates, newest first, and the next one's token.
pub(crate) async fn list(
    database: &Database,
    call: &Call,
    filter: &CertificateFilter,
    page_size: i32,
    page_token: &str,
) -> Result<Listed, Fault> {
    let tx = database.read().await?;
    let seen = seen::license(&tx, call, filter.license_id).await?;
    let text = format!(
        "certificates {} {} {}",
        filter.license_id,
        filter.state.map_or("", CertificateState::as_str),
        filter_text(filter.name.as_ref())
    );
    let page = Page::decode(page_size, page_token, &text, seen.now)?;
    let rows = store::certificates::list(&tx, filter, &page).await?;
    let bytes = |certificate: &Certificate| name_bytes(&certificate.names);
    let key = |certificate: &Certificate| time_key(certificate.record_time, certificate.id);
    let (certificates, next_page_token) = page.finish_sized(rows, bytes, key);
    Ok(Listed {
        certificates,
        now: page.as_of,
        next_page_token,
    })
}
