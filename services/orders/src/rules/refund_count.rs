//! From when on the days of a term's refund count (AL-4), told from the term and the certificates of
//! its order alone: nothing has to run when a term turns, and the answer about the past stays.

use chrono::TimeDelta;
use licet_domain::clock::Instant;

use super::{certificate::Certificate, order::OrderTerm, product::RefundCount};

/// The longest that a policy lets the days of a refund count.
const MAX_REFUND_DAYS: u64 = 3650;

/// The most terms, each of a month of 28 days at least, that can have ended in the longest days of a
/// refund, and the one that these days began in.
pub(crate) const MAX_OPEN_TERMS: u64 = MAX_REFUND_DAYS / 28 + 2;

/// From when until when a certificate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ValidPeriod {
    pub(crate) record_time: Instant,
    pub(crate) not_after: Instant,
    pub(crate) revoke_time: Option<Instant>,
}

impl ValidPeriod {
    pub(crate) fn of(certificate: &Certificate) -> Self {
        Self {
            record_time: certificate.record_time,
            not_after: certificate.not_after,
            revoke_time: certificate.revoke_time,
        }
    }

    /// Whether one recorded before `instant` stands then: neither revoked nor expired by then. One that
    /// was superseded stands until its revocation.
    fn stands_at(&self, instant: Instant) -> bool {
        // notAfter is inclusive to its second (SL-1); past the calendar nothing expires.
        let is_over = self
            .not_after
            .checked_add(TimeDelta::seconds(1))
            .is_some_and(|active_until| active_until <= instant);
        let is_revoked = self.revoke_time.is_some_and(|time| time <= instant);
        self.record_time < instant && !is_revoked && !is_over
    }
}

/// Since when a term of an order with these certificates is in use: from its start where one that was
/// recorded before stands then, else from the first one that is recorded in it. Absent: it has not
/// begun, or no certificate was active in it by `now`.
pub(crate) fn first_use(
    term: &OrderTerm,
    certificates: &[ValidPeriod],
    now: Instant,
) -> Option<Instant> {
    let start = term.term.start();
    if now < start {
        return None;
    }
    let stands = certificates.iter().any(|found| found.stands_at(start));
    if stands {
        Some(start)
    } else {
        term.first_issuance_time
    }
}

/// From when on the days of the term's refund count, by its policy. Absent: it has not begun, or it
/// counts from its use and has none.
pub(crate) fn refund_count_start(
    term: &OrderTerm,
    certificates: &[ValidPeriod],
    now: Instant,
) -> Option<Instant> {
    match term.refund_count() {
        RefundCount::FirstIssuance => first_use(term, certificates, now),
        RefundCount::Purchase => (now >= term.term.start()).then(|| term.bought()),
    }
}

/// Whether the count of a term that is over is still open at `now`, so that a deletion has to ask for
/// its refund. What was sold before the days were kept is asked for as long as any policy lets it.
pub(crate) fn is_open(term: &OrderTerm, certificates: &[ValidPeriod], now: Instant) -> bool {
    let sold = term.sold.as_ref();
    let days = sold.and_then(|sold| sold.product.no_refund_days);
    let days = days.map_or(MAX_REFUND_DAYS, u64::from);
    let days = TimeDelta::days(days.cast_signed());
    refund_count_start(term, certificates, now)
        .is_some_and(|start| start.checked_add(days).is_none_or(|last| now <= last))
}

#[cfg(test)]
mod tests;
