//! Since when the days of a term's refund count (AL-4), derived from the term and the certificates
//! of its order alone: nothing has to run when a term turns, and the answer about the past never
//! changes.

use chrono::TimeDelta;
use licet_domain::clock::Instant;

use super::{certificate::Certificate, order::OrderTerm, product::RefundCount};

/// The longest refund period that a policy may set, in days.
const MAX_REFUND_DAYS: u64 = 3650;

/// The most terms, each at least 28 days long, that can have ended within the longest refund
/// period, plus the one in which the period began.
pub(crate) const MAX_OPEN_TERMS: u64 = MAX_REFUND_DAYS / 28 + 2;

/// The period in which a certificate is valid.
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

    /// Whether a certificate recorded before `instant` is valid then: neither revoked nor expired.
    /// A superseded one is valid until its revocation.
    fn stands_at(&self, instant: Instant) -> bool {
        // notAfter includes its second (SL-1); beyond the supported date range nothing expires.
        let is_over = self
            .not_after
            .checked_add(TimeDelta::seconds(1))
            .is_some_and(|active_until| active_until <= instant);
        let is_revoked = self.revoke_time.is_some_and(|time| time <= instant);
        self.record_time < instant && !is_revoked && !is_over
    }
}

/// Since when a term is in use: from its start if a certificate recorded before is valid then, else
/// from the first one recorded in it. Absent if the term has not begun, or no certificate was valid
/// in it by `now`.
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

/// Since when the days of the term's refund count, by its policy. Absent if the term has not begun,
/// or the policy counts from its use and it has none.
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

/// Whether the refund period of a past term is still open at `now`, so that a deletion has to
/// request its refund. A term sold before the period was stored is open as long as any policy
/// allows.
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
