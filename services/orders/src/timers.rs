//! What time alone makes due: writing the turns of orders (MD-10), revoking superseded certificates
//! in their SAN licences when they count as revoked (MD-7), and following the reviews of refunds
//! (AL-4). Decides nothing.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt, stream};
use licet_domain::{clock::Clock, ids::OrderId};
use licet_runtime::{
    database::Database,
    fault::Fault,
    schedule::{DueWork, IDLE_PAUSE},
};

use crate::{
    peers::{self, Billing, SanLicensing},
    rules::{certificate::Certificate, order::Order, san_license::LicenseRevocation},
    store,
    use_cases::{
        note_freed_sans::NoteFreedSans,
        review_refunds::{NoteReviews, waiting},
        turns::WriteTurns,
    },
};

/// The pause after SanLicensing did not answer; real time.
const UNANSWERED_PAUSE: Duration = Duration::from_secs(2);
const ASKED_AT_ONCE: usize = 8;

/// Writes the turns of orders, each once with its event. Nothing waits for it: readers and
/// decisions apply turns themselves.
pub(crate) struct TurnTerms {
    pub(crate) database: Database,
    pub(crate) clock: Arc<dyn Clock>,
}

impl DueWork for TurnTerms {
    fn name(&self) -> &'static str {
        "write the turns of orders"
    }

    fn run_due(&self, _: bool) -> Pin<Box<dyn Future<Output = Result<u64, Fault>> + Send + '_>> {
        Box::pin(async move {
            let now = self.clock.now();
            let due = store::orders::list_to_turn(&self.database.read(), now).await?;
            let mut turned = 0;
            for (account_id, order_id) in due {
                let work = WriteTurns {
                    account_id,
                    order_id,
                    now,
                };
                turned += self.database.transact(&work).await?;
            }
            Ok(turned)
        })
    }
}

/// Revokes certificates in their SAN licences once they count as revoked here, including late ones
/// of deleted orders. Two instances send the same request id for a certificate, and the
/// second notes nothing.
pub(crate) struct RevokeInLicenses {
    pub(crate) database: Database,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) san_licensing: SanLicensing,
    /// Whether SanLicensing gave no answer in the last run.
    pub(crate) is_unanswered: AtomicBool,
}

impl RevokeInLicenses {
    /// `None` if SanLicensing did not answer; else whether this was noted for the first time.
    async fn revoke(&self, found: &Certificate) -> Result<Option<bool>, Fault> {
        let Some(revocation) = LicenseRevocation::of_revoked(found) else {
            return Ok(Some(false));
        };
        let refusal = match peers::san_licensing::revoke(&self.san_licensing, &revocation).await {
            Ok(refusal) => refusal,
            Err(fault) => {
                tracing::info!(id = %found.id, ?fault, "not revoked in the SAN licence yet");
                return Ok(None);
            }
        };
        let work = NoteFreedSans {
            account_id: found.account_id,
            order_id: found.order_id,
            revocation: &revocation,
            refusal: refusal.as_deref(),
            now: self.clock.now(),
        };
        self.database.transact(&work).await.map(Some)
    }
}

impl DueWork for RevokeInLicenses {
    fn name(&self) -> &'static str {
        "revoke certificates in their SAN licences"
    }

    fn run_due(&self, _: bool) -> Pin<Box<dyn Future<Output = Result<u64, Fault>> + Send + '_>> {
        Box::pin(async move {
            self.is_unanswered.store(false, Ordering::Relaxed);
            let now = self.clock.now();
            let due = store::license_revocations::list_due(&self.database.read(), now).await?;
            let mut asking = stream::iter(due)
                .map(|found| async move { self.revoke(&found).await })
                .buffer_unordered(ASKED_AT_ONCE);
            let mut revoked = 0;
            while let Some(answer) = asking.next().await {
                match answer? {
                    Some(noted) => revoked += u64::from(noted),
                    None => self.is_unanswered.store(true, Ordering::Relaxed),
                }
            }
            Ok(revoked)
        })
    }

    fn pause_after(&self, done: u64) -> Option<Duration> {
        if self.is_unanswered.load(Ordering::Relaxed) {
            return Some(UNANSWERED_PAUSE);
        }
        (done == 0).then_some(IDLE_PAUSE)
    }
}

/// The pause between two rounds of questions to Billing; real time.
const REVIEW_PAUSE: Duration = Duration::from_secs(3);

/// Asks Billing for the outcomes of reviews that deleted orders wait for, and notes them. Each
/// round continues after the last order of the previous one, so that every order has its turn.
pub(crate) struct FollowReviews {
    pub(crate) database: Database,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) billing: Billing,
    /// The last order of the previous round; `None` after the last page.
    pub(crate) after: Mutex<Option<OrderId>>,
}

impl FollowReviews {
    /// Whether anything was noted on the order.
    async fn follow(&self, order: &Order) -> Result<bool, Fault> {
        let mut answered = Vec::new();
        for refund in waiting(order)? {
            match self.billing.get_refund(refund.id()).await {
                Ok(found) => answered.push(found),
                Err(fault) => {
                    tracing::info!(id = %order.id, ?fault, "the review of a refund could not be read");
                }
            }
        }
        let work = NoteReviews {
            account_id: order.account_id,
            order_id: order.id,
            answered: &answered,
            now: self.clock.now(),
        };
        self.database.transact(&work).await
    }

    fn store_cursor(&self, found: &[Order]) {
        let is_full = found.len() as u64 == store::orders::MAX_REVIEWED_AT_ONCE;
        let last = found.last().filter(|_| is_full).map(|order| order.id);
        *self.after.lock().unwrap_or_else(PoisonError::into_inner) = last;
    }
}

impl DueWork for FollowReviews {
    fn name(&self) -> &'static str {
        "follow reviews of refunds"
    }

    fn run_due(&self, _: bool) -> Pin<Box<dyn Future<Output = Result<u64, Fault>> + Send + '_>> {
        Box::pin(async move {
            let after = *self.after.lock().unwrap_or_else(PoisonError::into_inner);
            let found = store::orders::list_in_review(&self.database.read(), after).await?;
            self.store_cursor(&found);
            let mut asking = stream::iter(found)
                .map(|order| async move { self.follow(&order).await })
                .buffer_unordered(ASKED_AT_ONCE);
            let mut noted = 0;
            while let Some(answer) = asking.next().await {
                noted += u64::from(answer?);
            }
            Ok(noted)
        })
    }

    fn pause_after(&self, _: u64) -> Option<Duration> {
        Some(REVIEW_PAUSE)
    }
}
