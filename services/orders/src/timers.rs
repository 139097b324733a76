//! What time alone makes due: a superseded certificate is revoked in its SAN licence when the
//! instant comes from which on it counts as revoked (MD-7). Decides nothing.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use futures::{StreamExt, stream};
use licet_domain::clock::Clock;
use licet_runtime::{clock::real_now, database::Database, fault::Fault, schedule::Due};

use crate::{
    peers::SanLicensing,
    rules::{certificate::Certificate, san_license::Return},
    store,
    use_cases::return_sans::SansReturned,
};

/// How long SanLicensing is left alone when it gave no answer; real time.
const PAUSE_US: i64 = 2_000_000;
const ASKED_AT_ONCE: usize = 8;

/// Revokes in their SAN licence the certificates that count as revoked here, late ones of deleted
/// orders among them. Two instances on one certificate ask with one request id, and the
/// second notes nothing.
pub(crate) struct ReturnSans {
    pub(crate) database: Database,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) san_licensing: SanLicensing,
    /// Not before this instant, in microseconds of real time.
    pub(crate) next_us: AtomicI64,
}

impl ReturnSans {
    /// Whether SanLicensing answered, and if so whether this was still to be noted.
    async fn give_back(&self, found: &Certificate) -> Result<Option<bool>, Fault> {
        let Some(back) = Return::of_revoked(found) else {
            return Ok(Some(false));
        };
        let refusal = match self.san_licensing.revoke(&back).await {
            Ok(refusal) => refusal,
            Err(fault) => {
                tracing::info!(id = %found.id, ?fault, "SANs are not returned yet");
                return Ok(None);
            }
        };
        let work = SansReturned {
            account_id: found.account_id,
            order_id: found.order_id,
            back: &back,
            refusal: refusal.as_deref(),
            now: self.clock.now(),
        };
        self.database.transact(&work).await.map(Some)
    }
}

impl Due for ReturnSans {
    fn name(&self) -> &'static str {
        "return SANs of revoked certificates"
    }

    fn run_due(&self, all: bool) -> Pin<Box<dyn Future<Output = Result<u64, Fault>> + Send + '_>> {
        Box::pin(async move {
            let real_us = real_now().as_micros();
            if !all && real_us < self.next_us.load(Ordering::Relaxed) {
                return Ok(0);
            }
            let due = {
                let tx = self.database.read().await?;
                store::san_returns::list_due(&tx, self.clock.now()).await?
            };
            let mut asking = stream::iter(due)
                .map(|found| async move { self.give_back(&found).await })
                .buffer_unordered(ASKED_AT_ONCE);
            let mut returned = 0;
            while let Some(answer) = asking.next().await {
                match answer? {
                    Some(noted) => returned += u64::from(noted),
                    None => self.next_us.store(real_us + PAUSE_US, Ordering::Relaxed),
                }
            }
            Ok(returned)
        })
    }
}
