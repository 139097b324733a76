//! Compares holdings and decisions with the oracle after every step of random histories, over terms
//! with different quotas and multipliers (SL-1, SL-3 to SL-6, SL-9, SL-11 to SL-13).

use std::collections::BTreeSet;

use chrono::TimeDelta;
use licet_domain::{
    clock::Instant,
    ids::{AccountId, LicenseId},
    san::San,
    term::Period,
};
use licet_oracle::{
    licenses::{
        authorization::{IssuanceQuestion, Shortage},
        license::{Certificate, LicenseHistory, San as OracleSan, SoldTerm},
    },
    micros_later,
};
use proptest::prelude::*;
use uuid::Uuid;

use super::{
    authorize::{IssuanceRequest, authorize},
    fence_version::FenceVersion,
    holdings::{Claim, ClaimKind, Holdings},
};
use crate::rules::{
    decision::NextShortage,
    license::{KeyType, LicenseLimits, LicenseProgress, Options, TermLimits},
    packed_san::{PackedSan, is_wildcard, packed},
};

const MULTIPLIER: i64 = 5;
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
    Increase(i64),
    /// Buy a further term, late or not, with this quota and multiplier.
    Renew(i64, i64),
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
        3 => (1..4_i64).prop_map(Step::Increase),
        5 => (1..16_i64, 1..7_i64).prop_map(|(quota, multiplier)| Step::Renew(quota, multiplier)),
        1 => Just(Step::Cancel),
    ];
    prop::collection::vec(step, 1..40)
}

/// Twelve SANs, every fourth a wildcard.
fn san(index: usize) -> String {
    match index % 4 {
        0 => format!("*.w{index}.example"),
        _ => format!("n{index}.example"),
    }
}

fn sans(indexes: &BTreeSet<usize>) -> Vec<PackedSan> {
    let sans = indexes.iter().map(|index| San::dns(&san(*index)).unwrap());
    sans.map(|san| packed(&san)).collect()
}

/// The same for the oracle, which numbers DNS names 1.
fn oracle_sans(indexes: &BTreeSet<usize>) -> BTreeSet<OracleSan> {
    indexes.iter().map(|index| (1, san(*index))).collect()
}

/// Numbered as in the contract.
const ECC: i32 = 2;

fn sold_term(start: Instant, quota: i64, multiplier: i64) -> SoldTerm {
    SoldTerm {
        start,
        end: start.checked_add(TERM).unwrap(),
        quotas: vec![(start, quota)],
        multiplier,
        wildcards_allowed: true,
        key_types: vec![ECC],
        max_validity_days: 0,
        may_outlive: true,
    }
}

fn limits(term: &SoldTerm) -> TermLimits {
    TermLimits {
        quota: term.quota().unsigned_abs(),
        period: Period::new(term.start, term.end).unwrap(),
        options: Options {
            wildcard_multiplier: u32::try_from(term.multiplier).unwrap(),
            ..Options::default()
        },
    }
}

fn license(first: &SoldTerm) -> LicenseLimits {
    let product = "intranet-dv".parse().unwrap();
    LicenseLimits {
        license_id: LicenseId::generate(),
        account_id: AccountId::generate(),
        progress: LicenseProgress::Active,
        products: BTreeSet::from([product]),
        term: limits(first),
        next: None,
    }
}

fn request(sans: Vec<PackedSan>, hold: i64, life: i64, now: Instant) -> IssuanceRequest {
    IssuanceRequest {
        id: Uuid::new_v4(),
        product_id: "intranet-dv".parse().unwrap(),
        has_wildcard: sans.iter().any(|san| is_wildcard(san)),
        sans,
        key_type: KeyType::Ecc,
        not_before: None,
        not_after: micros_later(now, life * 1_000_000),
        hold: TimeDelta::seconds(hold),
        clock: now,
    }
}

/// A licence's holdings beside the oracle's history of it.
struct TrackedLicense {
    now: Instant,
    sold: LicenseLimits,
    holdings: Holdings,
    model: LicenseHistory,
}

impl TrackedLicense {
    fn new() -> Self {
        let now: Instant = "2026-01-01T00:00:00Z".parse().unwrap();
        let first = sold_term(now, 12, MULTIPLIER);
        let sold = license(&first);
        Self {
            now,
            holdings: Holdings::new(sold.clone(), FenceVersion::first(), now),
            sold,
            model: LicenseHistory::new(first),
        }
    }

    /// The limits that the engine gets when it reads the licence.
    fn limits(&self) -> LicenseLimits {
        LicenseLimits {
            progress: match self.model.cancelled {
                Some(_) => LicenseProgress::Cancelled,
                None => LicenseProgress::Active,
            },
            term: limits(self.model.term_at(self.now)),
            next: self.model.next_term(self.now).map(limits),
            ..self.sold.clone()
        }
    }

    fn check_authorize(
        &mut self,
        indexes: &BTreeSet<usize>,
        hold: i64,
        life: i64,
    ) -> Result<(), TestCaseError> {
        let now = self.now;
        let request = request(sans(indexes), hold, life, now);
        let question = IssuanceQuestion {
            sans: oracle_sans(indexes),
            product_is_licensed: true,
            key_type: ECC,
            not_before: None,
            not_after: request.not_after,
            hold: request.hold,
        };
        let expected = self.model.decide(&question, now);
        let decision = authorize(&mut self.holdings, &request);
        let reasons = decision.reasons.iter().map(|reason| reason.as_str());
        prop_assert_eq!(reasons.len(), expected.reasons.len());
        prop_assert_eq!(reasons.collect::<BTreeSet<_>>(), expected.reasons.clone());
        let figures = [
            decision.quota,
            decision.used,
            decision.reserved,
            decision.needed,
            decision.short_by,
        ];
        let expected_figures = [
            expected.quota,
            expected.used,
            expected.reserved,
            expected.needed,
            expected.short_by,
        ];
        prop_assert_eq!(figures, expected_figures.map(i64::unsigned_abs));
        prop_assert_eq!(decision.fits, expected.fits);
        prop_assert_eq!(decision.next.map(shortage), expected.next);
        let reservation = question.reservation(request.id.to_string(), now);
        let expires = expected.reasons.is_empty().then_some(reservation.expires);
        prop_assert_eq!(decision.expire, expires);
        if expires.is_some() {
            self.model.reservations.push(reservation);
        }
        Ok(())
    }

    fn record(&mut self, indexes: &BTreeSet<usize>, life: i64) {
        let until = micros_later(self.now, life * 1_000_000);
        let claim = Claim {
            kind: ClaimKind::Active,
            sans: sans(indexes),
            until,
            reach: until,
        };
        let id = Uuid::new_v4();
        self.holdings.add(id, claim);
        self.model.certificates.push(Certificate {
            id: id.to_string(),
            sans: oracle_sans(indexes),
            recorded: self.now,
            until,
            is_revoked: false,
        });
    }

    /// The claims that were neither released nor revoked, with their ends.
    fn claims(&self) -> Vec<(String, Instant)> {
        let certificates = self.model.certificates.iter();
        let certificates = certificates.filter(|it| !it.is_revoked);
        let reservations = self.model.reservations.iter();
        let reservations = reservations.filter(|it| it.closed.is_none());
        let certificates = certificates.map(|it| (it.id.clone(), it.until));
        let reservations = reservations.map(|it| (it.id.clone(), it.expires));
        certificates.chain(reservations).collect()
    }

    fn release(&mut self, number: usize) {
        let claims = self.claims();
        let Some((id, _)) = claims.get(number % claims.len().max(1)) else {
            return;
        };
        self.holdings.release(id.parse().unwrap());
        let mut certificates = self.model.certificates.iter_mut();
        let mut reservations = self.model.reservations.iter_mut();
        if let Some(found) = certificates.find(|it| it.id == *id) {
            found.revoke(self.now);
        } else if let Some(found) = reservations.find(|it| it.id == *id) {
            found.closed = Some(self.now);
        }
    }

    fn pass_to(&mut self, end: Instant, one_before: bool) {
        self.now = micros_later(end, -i64::from(one_before)).max(self.now);
    }

    /// Buys a next term if there is none: from the end of the last one, or late and from now on.
    fn renew(&mut self, quota: i64, multiplier: i64) {
        if self.model.next_term(self.now).is_none() {
            let end = self.model.terms.last().unwrap().end;
            let term = sold_term(end.max(self.now), quota, multiplier);
            self.model.terms.push(term);
        }
    }

    fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Authorize(indexes, hold, life) => self.check_authorize(indexes, *hold, *life)?,
            Step::Record(indexes, life) => self.record(indexes, *life),
            Step::Release(number) => self.release(*number),
            Step::Pass(micros) => self.now = micros_later(self.now, *micros),
            Step::PassToEnd(one_before) => {
                let ends = self.claims().into_iter().map(|(_, end)| end);
                if let Some(end) = ends.filter(|end| *end > self.now).min() {
                    self.pass_to(end, *one_before);
                }
            }
            Step::PassToTerm(one_before) => {
                self.pass_to(self.model.term_at(self.now).end, *one_before);
            }
            Step::Increase(by) => {
                let quota = self.model.term_at(self.now).quota() + by;
                self.model.increase(quota, self.now);
            }
            Step::Renew(quota, multiplier) => self.renew(*quota, *multiplier),
            Step::Cancel => self.model.cancel(self.now),
        }
        if matches!(step, Step::Increase(_) | Step::Renew(..) | Step::Cancel) {
            self.holdings.change_limits(self.limits());
        }
        self.holdings.advance(self.now);
        let usage = self.model.usage(self.now);
        let used = (self.holdings.used(), self.holdings.reserved());
        let expected = (usage.used.unsigned_abs(), usage.reserved.unsigned_abs());
        prop_assert_eq!(used, expected);
        prop_assert_eq!(self.holdings.limits(), &self.limits());
        Ok(())
    }
}

fn shortage(next: NextShortage) -> Shortage {
    Shortage {
        start: next.start,
        quota: next.quota.cast_signed(),
        held: next.held.cast_signed(),
        needed: next.needed.cast_signed(),
        short_by: next.short_by().cast_signed(),
    }
}

fn check(history: &[Step]) -> Result<(), TestCaseError> {
    let mut tracked = TrackedLicense::new();
    for step in history {
        tracked.step(step)?;
    }
    // When all claims have ended, nothing counts any more.
    if let Some(last) = tracked.claims().into_iter().map(|(_, end)| end).max() {
        let holdings = &mut tracked.holdings;
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
    let sold = license(&sold_term(start, 12, MULTIPLIER));
    let mut holdings = Holdings::new(sold, FenceVersion::first(), start);
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
