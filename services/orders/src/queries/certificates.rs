//! Recorded certificates.

use licet_domain::{clock::Instant, ids::CertificateId};
use licet_runtime::{
    caller::Call,
    database::{Database, Tx},
    fault::Fault,
    page::{Page, time_key},
};

use super::name_bytes;
use crate::{
    rules::{certificate::Certificate, listing::CertificateFilter},
    store,
};

/// A certificate, and the instant to show its state at: the clock, or its order's last decision if
/// another instance's clock was ahead (T-5).
pub(crate) type CertificateAt = (Certificate, Instant);

/// The certificate, or NOT_FOUND.
pub(crate) async fn get(
    database: &Database,
    call: &Call,
    certificate_id: CertificateId,
) -> Result<CertificateAt, Fault> {
    let tx = database.read();
    let found = store::certificates::get(&tx, &call.caller.accounts, certificate_id).await?;
    let mut seen = with_decision_times(&tx, vec![found], call.now).await?;
    seen.pop()
        .ok_or_else(|| Fault::internal("a certificate was lost between its reads"))
}

async fn with_decision_times(
    tx: &Tx,
    found: Vec<Certificate>,
    now: Instant,
) -> Result<Vec<CertificateAt>, Fault> {
    let keys = found.iter().map(|found| (found.account_id, found.order_id));
    let decided = store::orders::decision_times(tx, &keys.collect()).await?;
    let each = found.into_iter().map(|found| {
        let seen = decided.get(&found.order_id).map_or(now, |at| now.max(*at));
        (found, seen)
    });
    Ok(each.collect())
}

/// A page of certificates without their chains, newest first, and the next page's token.
pub(crate) async fn list(
    database: &Database,
    call: &Call,
    filter: &CertificateFilter,
    page: &Page,
) -> Result<(Vec<CertificateAt>, String), Fault> {
    let tx = database.read();
    let rows = store::certificates::list(&tx, &call.caller.accounts, filter, page).await?;
    let bytes =
        |found: &Certificate| found.issuer.len() + found.subject.len() + name_bytes(&found.names);
    let key = |found: &Certificate| time_key(found.record_time, found.id);
    let (rows, next_page_token) = page.finish_sized(rows, bytes, key);
    Ok((
        with_decision_times(&tx, rows, page.as_of).await?,
        next_page_token,
    ))
}
