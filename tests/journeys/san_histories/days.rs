//! SL-17: compares a random history's days and their peaks with the oracle.

use licet_domain::clock::Instant;
use licet_oracle::DAY_MICROS;

use super::{super::san_shown::shown_day, History};
use crate::harness::san::days_request;

impl History<'_> {
    /// Some consecutive days, past or future.
    pub(super) async fn compare_days(&mut self) {
        let day = |time: Instant| time.as_micros().div_euclid(DAY_MICROS);
        let first = day(self.model.terms[0].start) - 1;
        let span = u64::try_from(day(self.world.now()) + 3 - first).unwrap();
        let first = first + i64::try_from(self.random.below(span)).unwrap();
        let count = 1 + i64::try_from(self.random.below(6)).unwrap();
        let midnight = |day: i64| Instant::from_micros(day * DAY_MICROS).unwrap();
        let ask = days_request(&self.license, midnight(first), midnight(first + count));
        let days = self.views().list_daily_usage(ask).await;
        let days = days.unwrap().into_inner().days;
        let found: Vec<_> = days.iter().map(shown_day).collect();
        let expected: Vec<_> = (first..first + count)
            .map(|day| self.model.day(midnight(day)))
            .collect();
        assert_eq!(found, expected, "{:#?}", self.model);
    }
}
