//! Counts a licence's usage at any instant, and day by day (SL-17).

use std::sync::Arc;

use licet_domain::{clock::Instant, ids::LicenseId, term::Period};
use licet_runtime::{
    caller::Call,
    database::Database,
    fault::Fault,
    page::{Page, foreign_token},
};
use tokio::sync::Semaphore;

use super::visible_license::VisibleLicense;
use crate::{
    rules::{
        counting::{DayCount, DayUsage, Days, InstantCount},
        quota::usage::{RETURNS, Usage},
    },
    store,
};

/// The most counts at once. Each takes a database connection, and a day count some dozen bytes of memory per
/// stretch of time in which a SAN counts.
const COUNTS_AT_ONCE: usize = 4;
/// Days of a list without a period.
const DEFAULT_DAYS: u32 = 30;
/// Days of a page without a size: the largest size.
const DAYS_OF_PAGE: usize = 1000;

/// Counts usage from the database.
#[derive(Clone)]
pub(crate) struct UsageCounter {
    database: Database,
    permits: Arc<Semaphore>,
}

impl UsageCounter {
    pub(crate) fn new(database: Database) -> Self {
        let permits = Arc::new(Semaphore::new(COUNTS_AT_ONCE));
        Self { database, permits }
    }

    /// The licence's usage at `at`, past or future, from today's records (SL-17).
    pub(crate) async fn get_at(
        &self,
        call: &Call,
        license_id: LicenseId,
        at: Instant,
    ) -> Result<Usage, Fault> {
        let _permit = self.permits.acquire().await.map_err(Fault::internal)?;
        let tx = self.database.read();
        let visible = VisibleLicense::load(&tx, call, license_id).await?;
        let multiplier = visible.license.multiplier_at(at);
        let count = InstantCount::new(RETURNS);
        let count = store::usage::count_active(&tx, visible.license.key(), at, count).await?;
        let (counts, returns) = count.finish();
        let reserved = store::usage::find_reserved(&tx, visible.license.key(), at).await?;
        Ok(Usage {
            license_id,
            as_of: at,
            quota: visible.license.quota_at(at),
            used: counts.weight(multiplier),
            reserved: reserved.weight(multiplier),
            counts,
            next_returns: returns
                .into_iter()
                .map(|(at, sans)| (at, sans.weight(multiplier)))
                .collect(),
            version: visible.version,
        })
    }

    /// Lists a licence's days, ascending; by default the last 30.
    pub(crate) async fn list_days(
        &self,
        call: &Call,
        license_id: LicenseId,
        days: Option<Days>,
        page: Page,
    ) -> Result<DailyUsagePage, Fault> {
        let _permit = self.permits.acquire().await.map_err(Fault::internal)?;
        let tx = self.database.read();
        let visible = VisibleLicense::load(&tx, call, license_id).await?;
        let page = page.not_before(visible.now).or_size(DAYS_OF_PAGE);
        let days = days.unwrap_or_else(|| Days::last(DEFAULT_DAYS, page.as_of));
        let after = page.after_key().map(str::parse::<Instant>);
        let after = after.transpose().map_err(|_| foreign_token())?;
        let most = usize::try_from(page.limit()).map_err(Fault::internal)?;
        let counted = match DayCount::new(days.after(after, most), visible.license.multipliers()) {
            Some(count) => {
                let count =
                    store::usage::count_days(&tx, visible.license.key(), page.as_of, count).await?;
                // Sorting the changes takes CPU time: keep it off the async threads.
                let counted = tokio::task::spawn_blocking(move || count.finish()).await;
                counted.map_err(Fault::internal)?
            }
            None => Vec::new(),
        };
        let key = |usage: &DayUsage| vec![usage.day.start.to_string()];
        let (days, next_page_token) = page.finish(counted, key);
        let quota = |day: Period| {
            let last = Instant::from_micros(day.end.as_micros() - 1);
            visible.license.quota_at(last.unwrap_or(day.start))
        };
        Ok(DailyUsagePage {
            days: days
                .into_iter()
                .map(|usage| (usage, quota(usage.day)))
                .collect(),
            now: page.as_of,
            next_page_token,
        })
    }
}

/// A page of days.
pub(crate) struct DailyUsagePage {
    /// Days, each with the quota in its last microsecond.
    pub(crate) days: Vec<(DayUsage, u64)>,
    /// The instant that tells past from forecast.
    pub(crate) now: Instant,
    pub(crate) next_page_token: String,
}
