//! Decides whether a certificate may be signed, from the licence's holdings and the request (SL-3, SL-4, SL-6,
//! SL-11 to SL-13). A grant holds its SANs at once, so that the next request of the round sees them.

use chrono::TimeDelta;
use licet_domain::{clock::Instant, ids::ProductId};
use uuid::Uuid;

use super::holdings::{Claim, ClaimKind, Holdings, room::FitConditions};
use crate::rules::{
    decision::{Decision, DenialReason, NextShortage},
    license::{KeyType, LicenseLimits},
    packed_san::PackedSan,
};

/// A request to authorise one certificate. Invariant: `sans` are distinct and not empty.
#[derive(Clone, Debug)]
pub(crate) struct IssuanceRequest {
    /// Id of the reservation that a grant creates; derived from the request, so that a repeat is found.
    pub(crate) id: Uuid,
    pub(crate) product_id: ProductId,
    pub(crate) sans: Vec<PackedSan>,
    pub(crate) has_wildcard: bool,
    pub(crate) key_type: KeyType,
    pub(crate) not_before: Option<Instant>,
    /// The certificate's last second (RFC 5280, 4.1.2.5).
    pub(crate) not_after: Instant,
    pub(crate) hold: TimeDelta,
    /// The clock when the request was accepted (T-3).
    pub(crate) clock: Instant,
}

/// The violation of a `not_after_time` that is over. Names the time, because the suite's clock may be ahead.
pub(crate) fn must_end_after(now: Instant) -> String {
    format!("must be after now, which is {now} here")
}

impl IssuanceRequest {
    /// The first instant at which the certificate no longer counts: notAfter includes its second (RFC 5280,
    /// 4.1.2.5).
    pub(crate) fn until(&self) -> Instant {
        let end = self.not_after.checked_add(TimeDelta::seconds(1));
        end.unwrap_or(Instant::MAX)
    }

    /// When its SANs cease to be held if it is granted at `now`: the later end of its reservation and of its
    /// certificate.
    fn reach(&self, now: Instant) -> Instant {
        let expire = now.checked_add(self.hold).unwrap_or(Instant::MAX);
        self.until().max(expire)
    }
}

/// Decides `request` as of the later of its clock and the licence's own time (T-5). A grant holds its SANs.
pub(crate) fn authorize(holdings: &mut Holdings, request: &IssuanceRequest) -> Decision {
    holdings.advance(request.clock);
    let now = holdings.as_of();
    let needed = holdings.missing_weight(&request.sans);
    let quota = holdings.limits().term.quota;
    let short_by = (holdings.held() + needed).saturating_sub(quota);
    let latest_not_after = latest_not_after(holdings.limits(), request, now);
    let mut reasons = option_reasons(holdings.limits(), request, now);
    // SANs that the licence already holds always pass, even over the quota (SL-4, SL-11).
    let is_short = needed > 0 && short_by > 0;
    if is_short {
        reasons.push(DenialReason::QuotaExceeded);
    }
    let next = next_shortage(holdings, request, now);
    if next.is_some() {
        reasons.push(DenialReason::NextTermQuotaExceeded);
    }
    let fits = (is_short || next.is_some())
        .then(|| earliest_grant(holdings, request))
        .flatten();
    let expire = now.checked_add(request.hold).filter(|_| reasons.is_empty());
    let decision = Decision {
        id: request.id,
        time: now,
        expire,
        quota,
        used: holdings.used(),
        reserved: holdings.reserved(),
        needed,
        short_by: if is_short { short_by } else { 0 },
        fits,
        latest_not_after: latest_not_after.filter(|latest| *latest < request.not_after),
        next,
        reasons,
    };
    if let Some(until) = expire {
        let sans = request.sans.clone();
        let claim = Claim {
            kind: ClaimKind::Reserved,
            sans,
            until,
            reach: request.reach(now),
        };
        // SANs on active certificates are held as well, in case their certificates end first (SL-13).
        holdings.add(request.id, claim);
    }
    decision
}

/// When the same request would be granted, as far as known now (SL-12): it must then pass the options as well
/// as the quotas.
fn earliest_grant(holdings: &Holdings, request: &IssuanceRequest) -> Option<Instant> {
    let limits = holdings.limits();
    let mut later = limits.clone();
    let start = limits.next.as_ref().map(|next| next.period.start);
    start.map(|start| later.advance(start));
    let of = |at: Instant| {
        if start.is_some_and(|start| start <= at) {
            &later
        } else {
            limits
        }
    };
    let mut extra: Vec<_> = [limits, &later]
        .into_iter()
        .filter_map(|limits| short_enough(limits, request))
        .collect();
    extra.sort_unstable();
    holdings.earliest_fit(
        &request.sans,
        &FitConditions {
            reach: &|at| request.reach(at),
            passes: &|at| option_reasons(of(at), request, at).is_empty(),
            extra: &extra,
            // After its notAfter a request is invalid.
            end: request.not_after.min(limits.end()),
        },
    )
}

/// When the remaining validity falls to the longest permitted; `None` if it does not depend on the time of
/// the request.
fn short_enough(limits: &LicenseLimits, request: &IssuanceRequest) -> Option<Instant> {
    let days = limits.term.options.longest_validity_days?;
    let is_open = request.not_before.is_none();
    let until = is_open.then(|| request.until())?;
    until.checked_add(-TimeDelta::days(days.into()))
}

/// By how much the request exceeds the quota of the next term, if it would last into it (SL-6). SANs that
/// already last into it need no quota there (SL-4).
fn next_shortage(
    holdings: &Holdings,
    request: &IssuanceRequest,
    now: Instant,
) -> Option<NextShortage> {
    let next = holdings.limits().next.as_ref()?;
    if request.reach(now) <= next.period.start {
        return None;
    }
    let (held, needed) = holdings.lasting_with(&request.sans, next);
    let shortage = NextShortage {
        start: next.period.start,
        quota: next.quota,
        held,
        needed,
    };
    (needed > 0 && shortage.short_by() > 0).then_some(shortage)
}

/// Reasons against the request other than quotas.
fn option_reasons(
    limits: &LicenseLimits,
    request: &IssuanceRequest,
    now: Instant,
) -> Vec<DenialReason> {
    let options = &limits.term.options;
    let mut reasons = Vec::new();
    if !limits.is_active(now) {
        reasons.push(DenialReason::LicenseNotActive);
    }
    if !limits.products.contains(&request.product_id) {
        reasons.push(DenialReason::ProductNotLicensed);
    }
    if request.has_wildcard && !options.wildcards_allowed {
        reasons.push(DenialReason::WildcardNotAllowed);
    }
    if !options.key_types.contains(&request.key_type) {
        reasons.push(DenialReason::KeyTypeNotAllowed);
    }
    let from = request.not_before.unwrap_or(now);
    if longest_validity_end(limits, from).is_some_and(|latest| request.not_after > latest) {
        reasons.push(DenialReason::ValidityTooLong);
    }
    if outlived_end(limits).is_some_and(|latest| request.not_after > latest) {
        reasons.push(DenialReason::OutlivesLicense);
    }
    reasons
}

/// The latest notAfter that all options permit (SL-6).
fn latest_not_after(
    limits: &LicenseLimits,
    request: &IssuanceRequest,
    now: Instant,
) -> Option<Instant> {
    let longest = longest_validity_end(limits, request.not_before.unwrap_or(now));
    [longest, outlived_end(limits)].into_iter().flatten().min()
}

/// The latest notAfter that does not outlive the licence, if the current or the next term forbids that (SL-6).
fn outlived_end(limits: &LicenseLimits) -> Option<Instant> {
    let mut each = std::iter::once(&limits.term).chain(&limits.next);
    let is_free = each.all(|term| term.options.may_outlive);
    (!is_free).then(|| last_second(limits.end()))
}

fn longest_validity_end(limits: &LicenseLimits, from: Instant) -> Option<Instant> {
    let days = limits.term.options.longest_validity_days?;
    let end = from.checked_add(TimeDelta::days(days.into()))?;
    Some(last_second(end))
}

/// The last second before `end`: notAfter includes its second (RFC 5280, 4.1.2.5).
fn last_second(end: Instant) -> Instant {
    end.checked_add(TimeDelta::seconds(-1)).unwrap_or(end)
}
