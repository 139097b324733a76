//! Renewal of a SAN licence (SL-9): whether its window is open, which term it buys, and whether the foreseen
//! usage fits the quota. Billing prices the term.

use chrono::TimeDelta;
use licet_domain::{
    clock::Instant,
    ids::LicenseId,
    refusal::{Reason, Refusal},
    term::Term,
};
use serde::{Deserialize, Serialize};

use super::license::{License, LicenseState, LicenseTerm, Options, Sale};

/// How long before and after its end a licence can be renewed, in days of 24 h.
const WINDOW: TimeDelta = TimeDelta::days(30);

/// A further term to be bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WantedTerm {
    pub(crate) quota: u64,
    pub(crate) months: u32,
    /// `None` for those of the term before.
    pub(crate) options: Option<Options>,
    /// Stated reason to renew a licence that has ended.
    pub(crate) late_exception: Option<String>,
}

/// The plan of a renewal, without its price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RenewalPlan {
    pub(crate) term: Term,
    /// Index among the licence's terms; 0 is the first.
    pub(crate) index: u32,
    pub(crate) quota: u64,
    pub(crate) options: Options,
    /// When it is bought, if that is after its start.
    pub(crate) bought_late: Option<Instant>,
    /// Stated reason of a late renewal.
    pub(crate) late_exception: Option<String>,
    /// The first instant at which it is in force; usage is foreseen as of it.
    pub(crate) from: Instant,
}

/// Why a renewal cannot be planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RenewalError {
    /// The rules refuse it.
    Refused(Box<Refusal>),
    /// The term would exceed the supported date range.
    ExceedsDateRange,
}

/// Plans the renewal of a licence at `now`. The new term starts at the end of the last one and has the same
/// anchor, even if that end is past (T-2, SL-9).
pub(crate) fn plan_renewal(
    license: &License,
    wanted: &WantedTerm,
    now: Instant,
) -> Result<RenewalPlan, RenewalError> {
    let refused = |refusal| RenewalError::Refused(Box::new(refusal));
    check_window(license, wanted, now).map_err(refused)?;
    let last = license.last_term();
    let options = wanted.options.as_ref().unwrap_or(&last.options);
    check_months(license, options, wanted.months).map_err(refused)?;
    let next = last.term.next(wanted.months);
    let term = next.ok_or(RenewalError::ExceedsDateRange)?;
    if term.end() <= now {
        return Err(refused(already_over(license, &term, now)));
    }
    let is_late = term.start() <= now;
    let before = license.terms().count();
    Ok(RenewalPlan {
        index: u32::try_from(before).unwrap_or(u32::MAX),
        quota: wanted.quota,
        options: options.clone(),
        bought_late: is_late.then_some(now),
        late_exception: wanted.late_exception.clone().filter(|_| is_late),
        from: term.start().max(now),
        term,
    })
}

/// Refuses a renewal at `now` outside of the window, of a licence with a term that has not started, or of an
/// ended licence without a stated exception.
fn check_window(license: &License, wanted: &WantedTerm, now: Instant) -> Result<(), Refusal> {
    match license.state(now) {
        LicenseState::Active if license.first.term.start() <= now => {}
        LicenseState::Ended => return check_late(license, wanted, now),
        LicenseState::Active
        | LicenseState::Quoted
        | LicenseState::Accepting
        | LicenseState::Cancelled => return Err(license.not_active(now)),
    }
    let (id, end) = (license.id, license.end());
    if let Some(next) = license.next_term(now) {
        let start = next.term.start();
        let message = format!(
            "licence {id} is already renewed until {end}; it can be renewed again once that term has \
             started at {start}"
        );
        return Err(Refusal::new(Reason::RenewalAlreadyBought, message)
            .with("license_id", id)
            .with("start_time", start)
            .with("end_time", end));
    }
    match end.checked_add(-WINDOW).filter(|from| now < *from) {
        Some(from) => {
            let message =
                format!("licence {id} runs until {end}; it can be renewed from {from} on");
            Err(Refusal::new(Reason::RenewalTooEarly, message)
                .with("license_id", id)
                .with("from_time", from)
                .with("end_time", end))
        }
        None => Ok(()),
    }
}

fn check_late(license: &License, wanted: &WantedTerm, now: Instant) -> Result<(), Refusal> {
    let (id, end) = (license.id, license.end());
    // If the end of the window exceeds the supported date range, it is never missed.
    let until = end.checked_add(WINDOW).unwrap_or(Instant::MAX);
    if until <= now {
        let message = format!(
            "licence {id} ended at {end} and could be renewed until {until}; request a new quote"
        );
        return Err(Refusal::new(Reason::RenewalTooLate, message)
            .with("license_id", id)
            .with("until_time", until)
            .with("end_time", end));
    }
    if wanted.late_exception.is_none() {
        let message = format!(
            "licence {id} ended at {end}; it can still be renewed until {until}, but only with late_exception"
        );
        return Err(Refusal::new(Reason::RenewalExceptionRequired, message)
            .with("license_id", id)
            .with("until_time", until)
            .with("end_time", end));
    }
    Ok(())
}

fn check_months(license: &License, options: &Options, months: u32) -> Result<(), Refusal> {
    match options.longest_term_months {
        Some(longest) if longest < months => {
            let message = format!(
                "licence {} permits terms of at most {longest} months; {months} were requested",
                license.id
            );
            Err(Refusal::new(Reason::TermTooLong, message)
                .with("license_id", license.id)
                .with("term_months", months)
                .with("maximum", longest))
        }
        Some(_) | None => Ok(()),
    }
}

/// The refusal of a late renewal whose short term would already be over.
fn already_over(license: &License, term: &Term, now: Instant) -> Refusal {
    let (start, end) = (term.start(), term.end());
    let message = format!(
        "the new term of licence {} would run from {start} to {end}, and is over at {now}",
        license.id
    );
    Refusal::new(Reason::TermEnded, message)
        .with("license_id", license.id)
        .with("end_time", end)
        .with("change_time", now)
}

impl RenewalPlan {
    /// The bought term, for all of the licence's products.
    pub(crate) fn sold(&self, license: &License, sale: Sale, sold_time: Instant) -> LicenseTerm {
        LicenseTerm {
            term: self.term,
            sale,
            sold_products: license.products.clone(),
            sold_time,
            options: self.options.clone(),
            raises: Vec::new(),
            bought_late: self.bought_late,
        }
    }

    /// The foreseen usage of a licence that will use `weight`.
    pub(crate) fn foresee(&self, license_id: LicenseId, weight: u64) -> ForeseenUsage {
        ForeseenUsage {
            license_id,
            at: self.from,
            weight,
            quota: self.quota,
        }
    }
}

/// Usage at the start of a term, from today's certificates (SL-9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ForeseenUsage {
    license_id: LicenseId,
    pub(crate) at: Instant,
    /// By the new term's multiplier.
    pub(crate) weight: u64,
    pub(crate) quota: u64,
}

impl ForeseenUsage {
    /// Weight by which it exceeds the new quota.
    pub(crate) fn over_by(&self) -> u64 {
        self.weight.saturating_sub(self.quota)
    }

    /// Refuses a quota below the usage, unless the caller accepts that.
    pub(crate) fn check(&self, accept_over_quota: bool) -> Result<(), Refusal> {
        let over_by = self.over_by();
        if over_by == 0 || accept_over_quota {
            return Ok(());
        }
        let message = format!(
            "certificates of licence {} will use {} at {}, {over_by} more than the new quota of {}; \
             choose a higher quota, or set accept_over_quota to renew anyway",
            self.license_id, self.weight, self.at, self.quota
        );
        Err(Refusal::new(Reason::ForeseenUsageExceedsQuota, message)
            .with("license_id", self.license_id)
            .with("foreseen", self.weight)
            .with("quota", self.quota)
            .with("over_by", over_by)
            .with("as_of_time", self.at))
    }
}

#[cfg(test)]
mod tests {
    use licet_domain::ids::InvoiceId;

    use super::{
        super::samples::{draft, instant, sale},
        *,
    };

    const END: &str = "2027-01-31T00:00:00Z";

    fn wanted(months: u32) -> WantedTerm {
        WantedTerm {
            quota: 50,
            months,
            options: None,
            late_exception: None,
        }
    }

    /// A licence that runs for a year from 31 January 2026.
    fn running() -> License {
        let start = instant("2026-01-31T00:00:00Z");
        let term = Term::first(start, 12).unwrap();
        let accepted = draft().apply_acceptance(term, start);
        accepted.apply_charge(InvoiceId::generate(), start)
    }

    fn renewed(license: License, plan: &RenewalPlan, now: Instant) -> License {
        let term = plan.sold(&license, sale(plan.quota), now);
        license.apply_renewal(term, InvoiceId::generate(), now)
    }

    fn reason(result: Result<RenewalPlan, RenewalError>) -> Reason {
        match result {
            Err(RenewalError::Refused(refusal)) => refusal.reason,
            other => panic!("{other:?}"),
        }
    }

    fn micros(time: Instant, micros: i64) -> Instant {
        time.checked_add(TimeDelta::microseconds(micros)).unwrap()
    }

    #[test]
    fn sl_9_the_window_opens_and_closes_to_the_microsecond() {
        let license = running();
        let plan = |wanted: &WantedTerm, now| plan_renewal(&license, wanted, now);
        let (from, until) = (
            instant("2027-01-01T00:00:00Z"),
            instant("2027-03-02T00:00:00Z"),
        );
        let end = instant(END);
        let plain = wanted(12);
        assert_eq!(
            reason(plan(&plain, micros(from, -1))),
            Reason::RenewalTooEarly
        );
        let early = plan(&plain, from).unwrap();
        assert_eq!((early.from, early.bought_late, early.index), (end, None, 1));
        assert!(plan(&plain, micros(end, -1)).is_ok());
        assert_eq!(reason(plan(&plain, end)), Reason::RenewalExceptionRequired);
        let excused = WantedTerm {
            late_exception: Some("the invoice was lost".to_owned()),
            ..wanted(12)
        };
        assert_eq!(plan(&excused, from).unwrap().late_exception, None);
        let last = micros(until, -1);
        let late = plan(&excused, last).unwrap();
        assert_eq!((late.from, late.bought_late), (last, Some(last)));
        assert_eq!(late.term.start(), end);
        assert_eq!(reason(plan(&excused, until)), Reason::RenewalTooLate);
    }

    #[test]
    fn t_2_a_renewal_keeps_the_first_anchor() {
        let mut license = running();
        license.first.term = Term::first(instant("2026-01-31T00:00:00Z"), 1).unwrap();
        let now = instant("2026-02-27T00:00:00Z");
        let plan = plan_renewal(&license, &wanted(1), now).unwrap();
        assert_eq!(plan.term.start(), instant("2026-02-28T00:00:00Z"));
        assert_eq!(plan.term.end(), instant("2026-03-31T00:00:00Z"));
        let twice = renewed(license, &plan, now);
        assert_eq!(
            reason(plan_renewal(&twice, &wanted(1), now)),
            Reason::RenewalAlreadyBought
        );
        let plan = plan_renewal(&twice, &wanted(1), plan.term.start());
        assert_eq!(reason(plan), Reason::RenewalTooEarly);
    }

    #[test]
    fn sl_6_each_term_has_its_own_quota_options_and_length() {
        let mut license = running();
        license.first.options.longest_term_months = Some(12);
        let now = instant("2027-01-15T00:00:00Z");
        assert_eq!(
            reason(plan_renewal(&license, &wanted(13), now)),
            Reason::TermTooLong
        );
        let longer = WantedTerm {
            options: Some(Options {
                wildcard_multiplier: 3,
                ..Options::default()
            }),
            ..wanted(13)
        };
        let plan = plan_renewal(&license, &longer, now).unwrap();
        let (end, license) = (instant(END), renewed(license, &plan, now));
        let seen = |at| (license.quota_at(at), license.multiplier_at(at));
        assert_eq!(seen(micros(end, -1)), (100, 5));
        assert_eq!(seen(end), (50, 3));
        assert_eq!(seen(license.end()), (0, 3));
        assert_eq!(license.state(end), LicenseState::Active);
        let mut terms = license.limits_as_of(now);
        assert_eq!((terms.term.quota, terms.end()), (100, license.end()));
        assert!(!terms.advance(micros(end, -1)));
        assert!(terms.advance(end));
        assert_eq!(terms, license.limits_as_of(end));
        assert_eq!((terms.quota_at(end), terms.next), (50, None));
    }

    #[test]
    fn t_6_a_late_renewal_leaves_the_time_before_it_as_it_was() {
        let license = running();
        let end = instant(END);
        let now = micros(end, 5_000_000);
        let excused = WantedTerm {
            late_exception: Some("holidays".to_owned()),
            ..wanted(12)
        };
        let plan = plan_renewal(&license, &excused, now).unwrap();
        let license = renewed(license, &plan, now);
        let quotas = [micros(end, -1), end, micros(now, -1), now].map(|at| license.quota_at(at));
        assert_eq!(quotas, [100, 0, 0, 50]);
        assert_eq!(license.end(), end.checked_add_months(12).unwrap());
        assert_eq!(license.term_at(now), Some(license.last_term()));
        assert_eq!(license.term_at(end), None);
    }

    #[test]
    fn sl_9_a_short_term_is_not_bought_when_it_is_over() {
        let mut license = running();
        license.first.term = Term::first(instant("2026-01-31T00:00:00Z"), 1).unwrap();
        let excused = WantedTerm {
            late_exception: Some("lost".to_owned()),
            ..wanted(1)
        };
        // The term from 28 February to 31 March outlasts the window.
        let last = instant("2026-03-29T23:59:59Z");
        assert!(plan_renewal(&license, &excused, last).is_ok());
        license.first.term = Term::first(instant("2026-01-01T00:00:00Z"), 1).unwrap();
        let over = instant("2026-03-01T12:00:00Z");
        assert_eq!(
            reason(plan_renewal(&license, &excused, over)),
            Reason::TermEnded
        );
    }

    #[test]
    fn sl_9_what_is_foreseen_over_the_quota_is_refused_unless_accepted() {
        let license = running();
        let now = instant("2027-01-15T00:00:00Z");
        let plan = plan_renewal(&license, &wanted(12), now).unwrap();
        assert_eq!(plan.foresee(license.id, 50).check(false), Ok(()));
        let over = plan.foresee(license.id, 51);
        let refusal = over.check(false).unwrap_err();
        assert_eq!(refusal.reason, Reason::ForeseenUsageExceedsQuota);
        let figures = ["foreseen", "quota", "over_by"].map(|key| refusal.metadata[key].as_str());
        assert_eq!(figures, ["51", "50", "1"]);
        assert_eq!(over.check(true), Ok(()));
    }
}
