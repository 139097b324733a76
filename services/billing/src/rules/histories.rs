//! BL-1 to BL-8, AL-4: random histories over the rules alone: prices, quotes, charges, payments,
//! credits, refunds, reviews, clock. Plain arithmetic predicts each result, and everything must add
//! up after each step. LICET_TEST_SEED repeats a run, LICET_TEST_RULE_HISTORIES makes it longer.

mod books;
mod catalogue;
mod paying;
mod refunding;
mod selling;

use std::{cell::RefCell, collections::BTreeMap};

use books::Books;
use licet_domain::refusal::{Reason, Refusal};
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner},
};
use uuid::Uuid;

/// The numbers that decide one step.
type Move = [u32; 12];

/// Hands out the numbers of a step one after another, starting again after the last.
struct Dice<'a> {
    numbers: &'a Move,
    next: usize,
}

impl Dice<'_> {
    fn below(&mut self, limit: u32) -> u32 {
        let number = self.numbers[self.next % self.numbers.len()];
        self.next += 1;
        number % limit
    }

    /// True once in `times`.
    fn once_in(&mut self, times: u32) -> bool {
        self.below(times) == 0
    }

    /// An amount from `least` to `most` minor units.
    fn minor(&mut self, least: i64, most: i64) -> i64 {
        let span = u64::try_from(most - least + 1).unwrap();
        let number = u64::from(self.below(u32::MAX)) << 20 | u64::from(self.below(1 << 20));
        least + i64::try_from(number % span).unwrap()
    }

    fn pick<'b, T>(&mut self, list: &'b [T]) -> Option<&'b T> {
        let length = u32::try_from(list.len()).unwrap();
        (length > 0).then(|| &list[usize::try_from(self.below(length)).unwrap()])
    }
}

/// Why a step was not done: there was nothing to do, or it was refused as predicted.
enum Unfinished {
    Idle,
    Refused(Reason),
}

impl Unfinished {
    /// Checks the result of a rule against the predicted reasons, any of which may come first.
    /// Without a reason it must not be refused.
    #[track_caller]
    fn foretold<T>(answer: Result<T, Refusal>, reasons: &[Reason]) -> Result<T, Self> {
        match answer {
            Ok(value) => {
                assert!(reasons.is_empty(), "expected a refusal: {reasons:?}");
                Ok(value)
            }
            Err(refusal) => {
                let reason = refusal.reason;
                assert!(
                    reasons.contains(&reason),
                    "expected {reasons:?}, got {refusal:?}"
                );
                Err(Self::Refused(reason))
            }
        }
    }
}

type Step = fn(&mut Books, &mut Dice<'_>) -> Result<(), Unfinished>;

/// The steps of a history, each as often as it is listed.
const STEPS: &[(&str, Step)] = &[
    ("clock", Books::let_time_pass),
    ("clock", Books::let_time_pass),
    ("prices", Books::set_prices),
    ("version", Books::add_version),
    ("quote", Books::quote),
    ("quote", Books::quote),
    ("quote", Books::quote),
    ("charge", Books::charge),
    ("charge", Books::charge),
    ("charge", Books::charge),
    ("deposit", Books::deposit),
    ("deposit", Books::deposit),
    ("withdrawal", Books::withdraw),
    ("reversal", Books::reverse),
    ("payment", Books::pay),
    ("payment", Books::pay),
    ("credit", Books::credit),
    ("credit", Books::credit),
    ("refund", Books::refund),
    ("refund", Books::refund),
    ("review", Books::review),
    ("review", Books::review),
    ("terms", Books::change_terms),
];

/// How often each kind of step was done, and how often refused for each reason.
type StepCounts = BTreeMap<(&'static str, Option<Reason>), u32>;

fn play(moves: &[Move], counts: &RefCell<StepCounts>, say: bool) {
    let mut dice = Dice {
        numbers: &moves[0],
        next: 0,
    };
    let mut books = Books::open(&mut dice);
    for numbers in &moves[1..] {
        let mut dice = Dice { numbers, next: 0 };
        let Some(&(name, step)) = dice.pick(STEPS) else {
            continue;
        };
        if say {
            println!("  {name} at {}, by {numbers:?}", books.now);
        }
        let before = books.clone();
        let outcome = step(&mut books, &mut dice);
        let reason = match outcome {
            Ok(()) => None,
            Err(Unfinished::Refused(reason)) => Some(reason),
            Err(Unfinished::Idle) => continue,
        };
        if reason.is_some() {
            assert!(books == before, "a refused step changed something");
        }
        books.check();
        *counts.borrow_mut().entry((name, reason)).or_default() += 1;
    }
}

fn from_variable<T: std::str::FromStr>(variable: &str) -> Option<T> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().ok().expect("the variable holds a number"))
}

/// 5 000 histories unless the environment says otherwise. On a failure, prints the shortest history
/// that still fails, step by step.
#[test]
fn random_histories_add_up() {
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
    let counts = RefCell::new(StepCounts::new());
    let moves = prop::collection::vec(any::<Move>(), 10..100);
    let result = runner.run(&moves, |moves| {
        play(&moves, &counts, false);
        Ok(())
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(_, moves)) => {
            println!("seed {seed}; the shortest history that fails:");
            play(&moves, &counts, true);
            panic!("the history failed once and not again");
        }
        Err(TestError::Abort(why)) => panic!("seed {seed}: {why}"),
    }
    let counts = counts.into_inner();
    for ((name, reason), count) in &counts {
        println!(
            "{count:7} × {name} {}",
            reason.map_or("done", Reason::as_str)
        );
    }
    if cases >= 1_000 {
        check_reach(&counts);
    }
}

/// Every step was done, and was refused for every reason that it can be.
fn check_reach(counts: &StepCounts) {
    let reasons = |wanted: &str| {
        let of_step = counts.keys().filter(|(name, _)| *name == wanted);
        of_step
            .filter_map(|(_, reason)| *reason)
            .collect::<Vec<_>>()
    };
    for (name, _) in STEPS {
        assert!(counts.contains_key(&(name, None)), "{name} was never done");
    }
    for (name, expected) in [
        (
            "prices",
            &[
                Reason::AdditionalLicensePriceTooHigh,
                Reason::WildcardPriceTooLow,
                Reason::CurrencyMismatch,
                Reason::EffectiveTimeInPast,
                Reason::ProductKindMismatch,
                Reason::TermNotSold,
                Reason::VolumePriceRises,
            ][..],
        ),
        (
            "version",
            &[Reason::EffectiveTimeInPast, Reason::ProductKindMismatch],
        ),
        (
            "quote",
            &[
                Reason::CurrencyMismatch,
                Reason::NotFound,
                Reason::PriceNotSet,
                Reason::ProductKindMismatch,
                Reason::TermEnded,
                Reason::TermNotSold,
            ],
        ),
        (
            "charge",
            &[
                Reason::AccountOverdue,
                Reason::CreditLimitExceeded,
                Reason::InsufficientFunds,
                Reason::QuoteExpired,
                Reason::QuoteSpent,
                Reason::QuoteStale,
            ],
        ),
        ("withdrawal", &[Reason::InsufficientFunds]),
        (
            "reversal",
            &[
                Reason::EntryAlreadyReversed,
                Reason::EntryNotReversible,
                Reason::InsufficientFunds,
            ],
        ),
        (
            "payment",
            &[
                Reason::InsufficientFunds,
                Reason::InvoiceNotOpen,
                Reason::PaymentExceedsDue,
            ],
        ),
        ("credit", &[Reason::CreditExceedsInvoice]),
        (
            "refund",
            &[
                Reason::DecisionBeforePurchase,
                Reason::IssuanceOutsideTerm,
                Reason::RefundAlreadyRequested,
            ],
        ),
        (
            "review",
            &[Reason::CreditExceedsInvoice, Reason::RefundNotPending],
        ),
        ("terms", &[Reason::AccountHasDue]),
    ] {
        let found = reasons(name);
        for reason in expected {
            assert!(
                found.contains(reason),
                "{name} was never refused for {reason}"
            );
        }
    }
}
