//! AL-1 to AL-11, MD-1 to MD-10, X-8: random histories of one order over the rules alone, compared
//! with the oracle after every step. LICET_TEST_SEED repeats a run, LICET_TEST_RULE_HISTORIES makes it
//! longer.

mod asking;
mod comparing;
mod desk;
mod issuing;
mod serving;

use std::{cell::RefCell, collections::BTreeMap};

use desk::Desk;
use licet_domain::{
    clock::Instant,
    refusal::{Reason, Refusal},
};
use licet_oracle::orders::policy::{Reasons, SlotCharge};
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner},
};
use uuid::Uuid;

/// The domains that histories use: the first common name, standard ones, wildcards.
const DOMAINS: [&str; 10] = [
    "cn.test",
    "a.test",
    "b.test",
    "c.test",
    "d.test",
    "e.test",
    "f.test",
    "*.cn.test",
    "*.w.test",
    "*.v.test",
];

const SOFTWARE: [&str; 3] = ["nginx", "apache", "caddy"];

/// The price list of a day, in place of Billing's. Each amount shows which day it is of, and what it
/// is made of.
fn cost(bought: Instant, certificates: i64, charge: SlotCharge, licenses: i64) -> i64 {
    let (standard, wildcard, converted) = charge;
    let day = 100 + bought.as_micros() / 86_400_000_000;
    let slots = 100 * standard + 300 * wildcard + 200 * converted;
    day * (1_000 * certificates + slots + 10 * licenses)
}

/// The numbers that a step makes its choices with.
type Picks = [u32; 8];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Pass,
    PassToEdge,
    WriteDown,
    ChangeDomains,
    Move,
    CancelChange,
    Finish,
    RequestReissue,
    Issue,
    Renew,
    Register,
    Unregister,
    SetSoftware,
    Revoke,
    Delete,
}

#[derive(Clone, Debug)]
struct Step {
    kind: Kind,
    picks: Picks,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let kind = prop_oneof![
        4 => Just(Kind::Pass),
        6 => Just(Kind::PassToEdge),
        1 => Just(Kind::WriteDown),
        8 => Just(Kind::ChangeDomains),
        5 => Just(Kind::Move),
        3 => Just(Kind::CancelChange),
        8 => Just(Kind::Finish),
        1 => Just(Kind::RequestReissue),
        7 => Just(Kind::Issue),
        6 => Just(Kind::Renew),
        8 => Just(Kind::Register),
        2 => Just(Kind::Unregister),
        1 => Just(Kind::SetSoftware),
        2 => Just(Kind::Revoke),
    ];
    let usual = (kind, any::<Picks>()).prop_map(|(kind, picks)| Step { kind, picks });
    let end = any::<Picks>().prop_map(|picks| Step {
        kind: Kind::Delete,
        picks,
    });
    prop::collection::vec(prop_oneof![100 => usual, 1 => end], 5..80)
}

/// Why a step was not done: there was nothing to do, or it was refused as foretold.
enum Outcome {
    Idle,
    Refused(Reason),
}

/// Compares what a rule decides with what was foretold. Each problem of a request has its violation,
/// and one of them is the reason.
#[track_caller]
fn agree<E, T>(
    foretold: Result<E, Reasons>,
    answer: Result<T, Refusal>,
) -> Result<(E, T), Outcome> {
    match (foretold, answer) {
        (Ok(expected), Ok(answer)) => Ok((expected, answer)),
        (Err(reasons), Err(refusal)) => {
            let is_foretold = reasons.contains(&refusal.reason);
            assert!(is_foretold, "{reasons:?}, not {refusal:?}");
            // A violation's kind is a reason, or the state of what is refused.
            let kinds = refusal.violations.iter();
            let kinds: Reasons = kinds.filter_map(|it| it.kind.parse().ok()).collect();
            let agrees = kinds.is_empty() || kinds == reasons;
            assert!(agrees, "{reasons:?}, not {refusal:?}");
            Err(Outcome::Refused(refusal.reason))
        }
        (Ok(_), Err(refusal)) => panic!("foretold was that it is done, and {refusal:?}"),
        (Err(reasons), Ok(_)) => panic!("it was to be refused: {reasons:?}"),
    }
}

/// How often each kind of step was done, and refused for which reason.
type Happened = BTreeMap<(Kind, Option<Reason>), u32>;

fn play(opening: Picks, steps: &[Step], happened: &RefCell<Happened>, say: bool) {
    let mut desk = Desk::open(opening);
    desk.compare();
    for step in steps {
        // Little can happen to an order that is over.
        if desk.model.is_over() && step.picks[7] % 4 != 0 {
            continue;
        }
        if say {
            println!("  {:?} at {}, by {:?}", step.kind, desk.now(), step.picks);
        }
        let before = desk.clone();
        let outcome = desk.step(step);
        if outcome.is_err() {
            // Its transaction is rolled back, what time did included.
            desk = before;
        }
        let reason = match outcome {
            Ok(()) => None,
            Err(Outcome::Refused(reason)) => Some(reason),
            Err(Outcome::Idle) => continue,
        };
        desk.compare();
        let seen = (step.kind, reason);
        *happened.borrow_mut().entry(seen).or_default() += 1;
    }
}

fn from_variable<T: std::str::FromStr>(variable: &str) -> Option<T> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().ok().expect("the variable holds a number"))
}

/// 5 000 histories, unless the environment says otherwise; on a failure the shortest that fails
/// still, step by step.
#[test]
fn random_histories_agree_with_a_model() {
    let cases = from_variable("LICET_TEST_RULE_HISTORIES").unwrap_or(5_000);
    let seed: u64 =
        from_variable("LICET_TEST_SEED").unwrap_or_else(|| Uuid::new_v4().as_u64_pair().0);
    println!("seed {seed} (set LICET_TEST_SEED to repeat it)");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 5_000,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let happened = RefCell::new(Happened::new());
    let result = runner.run(&(any::<Picks>(), steps()), |(opening, steps)| {
        play(opening, &steps, &happened, false);
        Ok(())
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(_, (opening, steps))) => {
            println!("seed {seed}; the shortest history that fails, opened by {opening:?}:");
            play(opening, &steps, &happened, true);
            panic!("the history failed once and not again");
        }
        Err(TestError::Abort(why)) => panic!("seed {seed}: {why}"),
    }
    let happened = happened.into_inner();
    for ((kind, reason), count) in &happened {
        println!(
            "{count:7} × {kind:?} {}",
            reason.map_or("done", Reason::as_str)
        );
    }
    if cases >= 1_000 {
        check_reach(&happened);
    }
}

/// Every step was done, and refused for the reasons that it can be.
fn check_reach(happened: &Happened) {
    let state = [Reason::OrderDeleted, Reason::OrderEnded];
    for (kind, expected) in [
        (Kind::Pass, &[][..]),
        (Kind::PassToEdge, &[]),
        (Kind::WriteDown, &[]),
        (Kind::Finish, &[]),
        (
            Kind::ChangeDomains,
            &[
                Reason::ChangeInProgress,
                Reason::CommonNameFixed,
                Reason::DomainAlreadyPresent,
                Reason::DomainNotPresent,
                Reason::NoChange,
                Reason::ProductKindMismatch,
                Reason::TooManyDomains,
                Reason::WildcardNotOffered,
            ],
        ),
        (
            Kind::Move,
            &[
                Reason::ChangeInProgress,
                Reason::CommonNameFixed,
                Reason::DomainAlreadyPresent,
                Reason::DomainNotPresent,
                Reason::FurtherServersRegistered,
                Reason::TooManyDomains,
                Reason::WildcardNotOffered,
            ],
        ),
        (Kind::CancelChange, &[Reason::NoChangePending]),
        (
            Kind::RequestReissue,
            &[
                Reason::ChangeInProgress,
                Reason::CsrKeyWeak,
                Reason::CsrMismatch,
            ],
        ),
        (
            Kind::Issue,
            &[Reason::CertificateMismatch, Reason::IssuanceNotPending],
        ),
        (
            Kind::Renew,
            &[
                Reason::NotFound,
                Reason::RenewalAlreadyBought,
                Reason::RenewalTooEarly,
                Reason::RenewalTooLate,
                Reason::ServersToKeepRequired,
                Reason::TermEnded,
                Reason::TermNotSold,
                Reason::TooManyAdditionalLicenses,
                Reason::TooManyDomains,
            ],
        ),
        (
            Kind::Register,
            &[
                Reason::ChangeInProgress,
                Reason::CommonNameMismatch,
                Reason::OrderNotIssued,
                Reason::ServerLimitReached,
                Reason::ServerSoftwareMismatch,
            ],
        ),
        (Kind::Unregister, &[Reason::OrderDeleted]),
        (Kind::SetSoftware, &[Reason::FurtherServersRegistered]),
        (Kind::Revoke, &[Reason::CertificateNotRevocable]),
        (Kind::Delete, &state),
    ] {
        let was = |reason| happened.contains_key(&(kind, reason));
        assert!(was(None), "{kind:?} was never done");
        for reason in expected {
            assert!(was(Some(*reason)), "{kind:?} was never refused: {reason}");
        }
    }
}
