//! The engine's memory and decisions against a recount from scratch: random histories, compared
//! after every step (SL-1, SL-3 to SL-5, SL-11 to SL-13).

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
    decide::{Authorize, authorize},
    known::{Claim, ClaimKind, Known},
};
use crate::rules::{
    decision::DenialReason,
    license::{KeyType, Options, Progress, Terms},
    name::{Name, is_wildcard, packed},
};

const MULTIPLIER: u32 = 5;

#[derive(Clone, Debug)]
enum Step {
    /// Ask for names, and hold them for some seconds.
    Authorize(BTreeSet<usize>, i64),
    /// A certificate with names counts for some seconds.
    Record(BTreeSet<usize>, i64),
    /// The n-th claim, counted around, is given back or revoked.
    Release(usize),
    /// Microseconds pass.
    Pass(i64),
    /// The next claim to end ends now, or in a microsecond.
    PassToEnd(bool),
    /// The quota is raised.
    Increase(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let names = || prop::collection::btree_set(0..12_usize, 1..5);
    let step = prop_oneof![
        4 => (names(), 1..50_i64).prop_map(|(names, hold)| Step::Authorize(names, hold)),
        3 => (names(), 1..90_i64).prop_map(|(names, life)| Step::Record(names, life)),
        2 => (0..50_usize).prop_map(Step::Release),
        2 => (0..20_000_000_i64).prop_map(Step::Pass),
        2 => any::<bool>().prop_map(Step::PassToEnd),
        1 => (1..4_u64).prop_map(Step::Increase),
    ];
    prop::collection::vec(step, 1..30)
}

/// Twelve names, every fourth a wildcard.
fn name(index: usize) -> Name {
    let text = match index % 4 {
        0 => format!("*.w{index}.example"),
        _ => format!("n{index}.example"),
    };
    packed(&San::dns(&text).unwrap())
}

fn names(indexes: &BTreeSet<usize>) -> Vec<Name> {
    indexes.iter().map(|index| name(*index)).collect()
}

fn weight(name: &str) -> u64 {
    if is_wildcard(name) {
        u64::from(MULTIPLIER)
    } else {
        1
    }
}

/// Everything that ever was, counted anew for each question.
struct Model {
    now: Instant,
    quota: u64,
    claims: BTreeMap<Uuid, Claim>,
}

impl Model {
    fn weight_at(&self, at: Instant, wanted: impl Fn(&Claim) -> bool) -> u64 {
        let held = self
            .claims
            .values()
            .filter(|claim| claim.until > at && wanted(claim));
        let names: BTreeSet<&Name> = held.flat_map(|claim| &claim.names).collect();
        names.into_iter().map(|name| weight(name)).sum()
    }

    fn used(&self) -> u64 {
        self.weight_at(self.now, |claim| claim.kind == ClaimKind::Active)
    }

    fn taken(&self) -> u64 {
        self.weight_at(self.now, |_| true)
    }

    fn taken_with(&self, names: &[Name], at: Instant) -> u64 {
        let held = self.claims.values().filter(|claim| claim.until > at);
        let all: BTreeSet<&Name> = held.flat_map(|claim| &claim.names).chain(names).collect();
        all.into_iter().map(|name| weight(name)).sum()
    }

    fn fits(&self, names: &[Name]) -> Option<Instant> {
        let ends: BTreeSet<Instant> = self.claims.values().map(|claim| claim.until).collect();
        let mut instants = ends.into_iter().filter(|at| *at > self.now);
        if self.taken_with(names, self.now) <= self.quota {
            return Some(self.now);
        }
        instants.find(|at| self.taken_with(names, *at) <= self.quota)
    }

    fn next_end(&self) -> Option<Instant> {
        self.claims
            .values()
            .map(|claim| claim.until)
            .filter(|at| *at > self.now)
            .min()
    }
}

fn terms(now: Instant) -> Terms {
    let product = "intranet-dv".parse().unwrap();
    Terms {
        license_id: LicenseId::generate(),
        account_id: AccountId::generate(),
        progress: Progress::Active,
        products: BTreeSet::from([product]),
        quota: 12,
        period: Period::new(now, now.checked_add_months(12).unwrap()).unwrap(),
        options: Options {
            wildcard_multiplier: MULTIPLIER,
            ..Options::default()
        },
    }
}

fn later(now: Instant, micros: i64) -> Instant {
    now.checked_add(TimeDelta::microseconds(micros)).unwrap()
}

fn request(names: Vec<Name>, hold_seconds: i64, now: Instant) -> Authorize {
    Authorize {
        id: Uuid::new_v4(),
        product_id: "intranet-dv".parse().unwrap(),
        has_wildcard: names.iter().any(|name| is_wildcard(name)),
        names,
        key_type: KeyType::Ecc,
        not_before: None,
        not_after: now.checked_add_months(1).unwrap(),
        hold: TimeDelta::seconds(hold_seconds),
        clock: now,
    }
}

fn check(history: &[Step]) -> Result<(), TestCaseError> {
    let start: Instant = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut known = Known::new(terms(start), 1, start);
    let mut model = Model {
        now: start,
        quota: 12,
        claims: BTreeMap::new(),
    };
    for step in history {
        match step {
            Step::Authorize(indexes, hold) => {
                let names = names(indexes);
                let needed = model.taken_with(&names, model.now) - model.taken();
                let fits = needed == 0 || model.taken() + needed <= model.quota;
                let foreseen = model.fits(&names);
                let request = request(names, *hold, model.now);
                let decision = authorize(&mut known, &request);
                prop_assert_eq!(decision.needed, needed);
                prop_assert_eq!(decision.is_granted(), fits);
                if let Some(until) = decision.expire {
                    let kind = ClaimKind::Reserved;
                    model.claims.insert(
                        request.id,
                        Claim {
                            kind,
                            names: request.names,
                            until,
                        },
                    );
                } else {
                    prop_assert_eq!(&decision.reasons, &[DenialReason::QuotaExceeded]);
                    prop_assert_eq!(decision.fits, foreseen);
                    prop_assert_eq!(decision.short_by, model.taken() + needed - model.quota);
                }
            }
            Step::Record(indexes, life) => {
                let claim = Claim {
                    kind: ClaimKind::Active,
                    names: names(indexes),
                    until: later(model.now, life * 1_000_000),
                };
                let id = Uuid::new_v4();
                known.take(id, claim.clone());
                model.claims.insert(id, claim);
            }
            Step::Release(number) => {
                let live: Vec<Uuid> = model.claims.keys().copied().collect();
                if let Some(id) = live.get(number % live.len().max(1)) {
                    known.release(*id);
                    model.claims.remove(id);
                }
            }
            Step::Pass(micros) => model.now = later(model.now, *micros),
            Step::PassToEnd(one_before) => {
                if let Some(end) = model.next_end() {
                    model.now = later(end, if *one_before { -1 } else { 0 }).max(model.now);
                }
            }
            Step::Increase(by) => {
                model.quota += by;
                known.terms.quota = model.quota;
            }
        }
        known.advance(model.now);
        prop_assert_eq!(known.used(), model.used());
        prop_assert_eq!(known.reserved(), model.taken() - model.used());
    }
    // When all has ended, nothing is left in memory but what names nothing.
    if let Some(last) = model.claims.values().map(|claim| claim.until).max() {
        known.advance(last);
        prop_assert_eq!((known.used(), known.taken()), (0, 0));
        prop_assert_eq!(known.counts().distinct(), 0);
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

/// SL-2, SL-3: case makes no second SAN, and a wildcard is another and weighs five.
#[test]
fn sl_3_a_name_and_its_wildcard_weigh_six() {
    let start: Instant = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut known = Known::new(terms(start), 1, start);
    let asked: BTreeSet<Name> = ["Example.com", "example.com", "*.example.com"]
        .iter()
        .map(|text| packed(&San::dns(text).unwrap()))
        .collect();
    let decision = authorize(&mut known, &request(asked.into_iter().collect(), 60, start));
    assert_eq!((decision.needed, decision.is_granted()), (6, true));
    assert_eq!(known.reserved(), 6);
}
