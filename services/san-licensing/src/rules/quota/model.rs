//! Compares holdings and decisions with a recount from scratch after every step of random histories, over
//! terms with different quotas and multipliers (SL-1, SL-3 to SL-6, SL-9, SL-11 to SL-13).

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use licet_domain::{
    clock::Instant,
    ids::{AccountId, LicenseId},
    san::San,
    term::Period,
};
use proptest::prelude::*;
use uuid::Uuid;

use super::{
    authorize::{IssuanceRequest, authorize},
    holdings::{Claim, ClaimKind, Holdings},
};
use crate::rules::{
    decision::{DenialReason, NextShortage},
    license::{KeyType, LicenseLimits, LicenseProgress, Options, TermLimits},
    packed_san::{PackedSan, is_wildcard, packed},
};

const MULTIPLIER: u32 = 5;
/// Length of a term, short enough for histories to cross several.
const TERM: TimeDelta = TimeDelta::seconds(60);

#[derive(Clone, Debug)]
enum Step {
    /// Request SANs: seconds of the reservation, seconds of the certificate's life.
    Authorize(BTreeSet<usize>, i64, i64),
    /// Record a certificate: SANs and seconds of its life.
    Record(BTreeSet<usize>, i64),
    /// Release the n-th claim, modulo their number.
    Release(usize),
    /// Let microseconds pass.
    Pass(i64),
    /// Pass to the next end of a claim, or to a microsecond before it.
    PassToEnd(bool),
    /// Pass to the end of the current term, or to a microsecond before it.
    PassToTerm(bool),
    /// Raise the quota.
    Increase(u64),
    /// Buy a further term, late or not, with this quota and multiplier.
    Renew(u64, u32),
    /// Cancel the licence.
    Cancel,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let sans = || prop::collection::btree_set(0..12_usize, 1..5);
    let step = prop_oneof![
        16 => (sans(), 1..50_i64, 1..90_i64)
            .prop_map(|(sans, hold, life)| Step::Authorize(sans, hold, life)),
        10 => (sans(), 1..90_i64).prop_map(|(sans, life)| Step::Record(sans, life)),
        6 => (0..50_usize).prop_map(Step::Release),
        6 => (0..20_000_000_i64).prop_map(Step::Pass),
        6 => any::<bool>().prop_map(Step::PassToEnd),
        2 => any::<bool>().prop_map(Step::PassToTerm),
        3 => (1..4_u64).prop_map(Step::Increase),
        5 => (1..16_u64, 1..7_u32).prop_map(|(quota, multiplier)| Step::Renew(quota, multiplier)),
        1 => Just(Step::Cancel),
    ];
    prop::collection::vec(step, 1..40)
}

/// One of twelve SANs; every fourth is a wildcard.
fn san(index: usize) -> PackedSan {
    let text = match index % 4 {
        0 => format!("*.w{index}.example"),
        _ => format!("n{index}.example"),
    };
    packed(&San::dns(&text).unwrap())
}

fn sans(indexes: &BTreeSet<usize>) -> Vec<PackedSan> {
    indexes.iter().map(|index| san(*index)).collect()
}

fn weight<'a>(sans: impl IntoIterator<Item = &'a PackedSan>, term: &TermLimits) -> u64 {
    let distinct: BTreeSet<&PackedSan> = sans.into_iter().collect();
    let each = distinct.into_iter().map(|san| {
        if is_wildcard(san) {
            u64::from(term.options.wildcard_multiplier)
        } else {
            1
        }
    });
    each.sum()
}

/// The whole history, recounted for each question.
struct Model {
    now: Instant,
    terms: Vec<TermLimits>,
    cancelled: Option<Instant>,
    claims: BTreeMap<Uuid, Claim>,
}

impl Model {
    fn term_at(&self, at: Instant) -> &TermLimits {
        let at = self.cancelled.map_or(at, |cancelled| cancelled.min(at));
        let started = |term: &&TermLimits| term.period.start <= at;
        self.terms
            .iter()
            .rev()
            .find(started)
            .unwrap_or(&self.terms[0])
    }

    /// The next term; none after a cancellation.
    fn next(&self) -> Option<&TermLimits> {
        if self.cancelled.is_some() {
            return None;
        }
        self.terms.iter().find(|term| term.period.start > self.now)
    }

    fn held_sans(&self, at: Instant, wanted: impl Fn(&Claim) -> bool) -> Vec<&PackedSan> {
        let held = self.claims.values();
        let held = held.filter(|claim| claim.until > at && wanted(claim));
        held.flat_map(|claim| &claim.sans).collect()
    }

    fn used(&self) -> u64 {
        let active = self.held_sans(self.now, |claim| claim.kind == ClaimKind::Active);
        weight(active, self.term_at(self.now))
    }

    fn held_with(&self, sans: &[PackedSan], at: Instant) -> u64 {
        let held = self.held_sans(at, |_| true);
        weight(held.into_iter().chain(sans), self.term_at(at))
    }

    fn held(&self) -> u64 {
        self.held_with(&[], self.now)
    }

    /// Weight of SANs held beyond the start of the next term, as known at `at` before it.
    fn lasting_with(&self, sans: &[PackedSan], at: Instant, next: &TermLimits) -> u64 {
        let lasting = self.held_sans(at, |claim| claim.reach > next.period.start);
        weight(lasting.into_iter().chain(sans), next)
    }

    fn next_shortage(&self, request: &IssuanceRequest) -> Option<NextShortage> {
        let next = self
            .next()
            .filter(|next| reach(request, self.now) > next.period.start)?;
        let held = self.lasting_with(&[], self.now, next);
        let shortage = NextShortage {
            start: next.period.start,
            quota: next.quota,
            held,
            needed: self.lasting_with(&request.sans, self.now, next) - held,
        };
        (shortage.needed > 0 && held + shortage.needed > next.quota).then_some(shortage)
    }

    /// Whether the same request would be granted at `at`, as far as known now.
    fn would_pass(&self, request: &IssuanceRequest, at: Instant) -> bool {
        let sans = &request.sans;
        let term = self.term_at(at);
        let runs = self.cancelled.is_none() && term.period.contains(at) && at < request.not_after;
        // SANs that are held pass even a full quota (SL-4).
        let passes = |with: u64, without: u64, quota: u64| with == without || with <= quota;
        let fits = passes(
            self.held_with(sans, at),
            self.held_with(&[], at),
            term.quota,
        );
        let next = self.next().filter(|next| next.period.start > at);
        let next = next.filter(|next| reach(request, at) > next.period.start);
        let fits_next = next.is_none_or(|next| {
            let lasting = |sans: &[PackedSan]| self.lasting_with(sans, at, next);
            passes(lasting(sans), lasting(&[]), next.quota)
        });
        runs && fits && fits_next
    }

    fn fits(&self, request: &IssuanceRequest) -> Option<Instant> {
        let ends = self.claims.values().map(|claim| claim.until);
        let starts = self.terms.iter().map(|term| term.period.start);
        let instants: BTreeSet<Instant> = ends.chain(starts).chain([self.now]).collect();
        let mut coming = instants.into_iter().filter(|at| *at >= self.now);
        coming.find(|at| self.would_pass(request, *at))
    }

    fn next_end(&self) -> Option<Instant> {
        let ends = self.claims.values().map(|claim| claim.until);
        ends.filter(|at| *at > self.now).min()
    }

    /// The limits that the engine gets when it reads the licence.
    fn terms(&self, license: &LicenseLimits) -> LicenseLimits {
        LicenseLimits {
            progress: if self.cancelled.is_some() {
                LicenseProgress::Cancelled
            } else {
                LicenseProgress::Active
            },
            term: self.term_at(self.now).clone(),
            next: self.next().cloned(),
            ..license.clone()
        }
    }
}

fn reach(request: &IssuanceRequest, now: Instant) -> Instant {
    let until = later(request.not_after, 1_000_000);
    until.max(now.checked_add(request.hold).unwrap())
}

fn limits(start: Instant, quota: u64, wildcard_multiplier: u32) -> TermLimits {
    TermLimits {
        quota,
        period: Period::new(start, start.checked_add(TERM).unwrap()).unwrap(),
        options: Options {
            wildcard_multiplier,
            ..Options::default()
        },
    }
}

fn terms(now: Instant) -> LicenseLimits {
    let product = "intranet-dv".parse().unwrap();
    LicenseLimits {
        license_id: LicenseId::generate(),
        account_id: AccountId::generate(),
        progress: LicenseProgress::Active,
        products: BTreeSet::from([product]),
        term: limits(now, 12, MULTIPLIER),
        next: None,
    }
}

fn later(now: Instant, micros: i64) -> Instant {
    now.checked_add(TimeDelta::microseconds(micros)).unwrap()
}

fn request(
    sans: Vec<PackedSan>,
    hold_seconds: i64,
    life_seconds: i64,
    now: Instant,
) -> IssuanceRequest {
    IssuanceRequest {
        id: Uuid::new_v4(),
        product_id: "intranet-dv".parse().unwrap(),
        has_wildcard: sans.iter().any(|san| is_wildcard(san)),
        sans,
        key_type: KeyType::Ecc,
        not_before: None,
        not_after: later(now, life_seconds * 1_000_000),
        hold: TimeDelta::seconds(hold_seconds),
        clock: now,
    }
}

fn check_authorize(
    holdings: &mut Holdings,
    model: &mut Model,
    request: IssuanceRequest,
) -> Result<(), TestCaseError> {
    let held = model.held();
    let needed = model.held_with(&request.sans, model.now) - held;
    let term = model.term_at(model.now);
    let (quota, next) = (term.quota, model.next_shortage(&request));
    let is_short = needed > 0 && held + needed > quota;
    let mut reasons = Vec::new();
    if model.cancelled.is_some() || !term.period.contains(model.now) {
        reasons.push(DenialReason::LicenseNotActive);
    }
    if is_short {
        reasons.push(DenialReason::QuotaExceeded);
    }
    if next.is_some() {
        reasons.push(DenialReason::NextTermQuotaExceeded);
    }
    let fits = model.fits(&request).filter(|_| is_short || next.is_some());
    let decision = authorize(holdings, &request);
    prop_assert_eq!(&decision.reasons, &reasons);
    prop_assert_eq!((decision.needed, decision.quota), (needed, quota));
    prop_assert_eq!((decision.fits, decision.next), (fits, next));
    let over = (held + needed).saturating_sub(quota);
    prop_assert_eq!(decision.short_by, if is_short { over } else { 0 });
    prop_assert_eq!(decision.expire.is_some(), reasons.is_empty());
    if let Some(until) = decision.expire {
        let claim = Claim {
            kind: ClaimKind::Reserved,
            reach: reach(&request, model.now),
            sans: request.sans,
            until,
        };
        model.claims.insert(request.id, claim);
    }
    Ok(())
}

/// Buys a next term if there is none: from the end of the last one, or late and from now on.
fn renew(model: &mut Model, quota: u64, multiplier: u32) {
    let end = model.terms.last().map(|last| last.period.end);
    let start = end.map_or(model.now, |end| end.max(model.now));
    if model.next().is_none() {
        model.terms.push(limits(start, quota, multiplier));
    }
}

fn check(history: &[Step]) -> Result<(), TestCaseError> {
    let start: Instant = "2026-01-01T00:00:00Z".parse().unwrap();
    let license = terms(start);
    let mut holdings = Holdings::new(license.clone(), 1, start);
    let mut model = Model {
        now: start,
        terms: vec![license.term.clone()],
        cancelled: None,
        claims: BTreeMap::new(),
    };
    for step in history {
        match step {
            Step::Authorize(indexes, hold, life) => {
                let request = request(sans(indexes), *hold, *life, model.now);
                check_authorize(&mut holdings, &mut model, request)?;
            }
            Step::Record(indexes, life) => {
                let until = later(model.now, life * 1_000_000);
                let claim = Claim {
                    kind: ClaimKind::Active,
                    sans: sans(indexes),
                    until,
                    reach: until,
                };
                let id = Uuid::new_v4();
                holdings.add(id, claim.clone());
                model.claims.insert(id, claim);
            }
            Step::Release(number) => {
                let live: Vec<Uuid> = model.claims.keys().copied().collect();
                if let Some(id) = live.get(number % live.len().max(1)) {
                    holdings.release(*id);
                    model.claims.remove(id);
                }
            }
            Step::Pass(micros) => model.now = later(model.now, *micros),
            Step::PassToEnd(one_before) => {
                if let Some(end) = model.next_end() {
                    model.now = later(end, if *one_before { -1 } else { 0 }).max(model.now);
                }
            }
            Step::PassToTerm(one_before) => {
                let end = model.term_at(model.now).period.end;
                model.now = later(end, if *one_before { -1 } else { 0 }).max(model.now);
            }
            Step::Increase(by) => {
                let now = model.now;
                let started = |term: &&mut TermLimits| term.period.start <= now;
                if let Some(term) = model.terms.iter_mut().rev().find(started) {
                    term.quota += by;
                }
                holdings.change_limits(model.terms(&license));
            }
            Step::Renew(quota, multiplier) => {
                renew(&mut model, *quota, *multiplier);
                holdings.change_limits(model.terms(&license));
            }
            Step::Cancel => {
                model.cancelled.get_or_insert(model.now);
                holdings.change_limits(model.terms(&license));
            }
        }
        holdings.advance(model.now);
        prop_assert_eq!(holdings.used(), model.used());
        prop_assert_eq!(holdings.reserved(), model.held() - model.used());
        prop_assert_eq!(holdings.limits(), &model.terms(&license));
    }
    // When all claims have ended, nothing counts any more.
    if let Some(last) = model.claims.values().map(|claim| claim.until).max() {
        holdings.advance(last);
        prop_assert_eq!((holdings.used(), holdings.held()), (0, 0));
        prop_assert_eq!(holdings.counts().distinct(), 0);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn every_history_agrees_with_a_recount(history in steps()) {
        check(&history)?;
    }
}

/// SL-2, SL-3: case does not make a second SAN; a wildcard is a SAN of its own and weighs five.
#[test]
fn sl_3_a_name_and_its_wildcard_weigh_six() {
    let start: Instant = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut holdings = Holdings::new(terms(start), 1, start);
    let asked: BTreeSet<PackedSan> = ["Example.com", "example.com", "*.example.com"]
        .iter()
        .map(|text| packed(&San::dns(text).unwrap()))
        .collect();
    let decision = authorize(
        &mut holdings,
        &request(asked.into_iter().collect(), 60, 30, start),
    );
    assert_eq!((decision.needed, decision.is_granted()), (6, true));
    assert_eq!(holdings.reserved(), 6);
}
