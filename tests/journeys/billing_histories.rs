//! BL-1 to BL-8, AL-4: random histories of accounts over gRPC, compared step by step with a model that
//! recomputes every sum. LICET_TEST_SEED and LICET_TEST_START repeat a history; LICET_TEST_HISTORIES and
//! LICET_TEST_STEPS set how many histories and steps are played.

use std::{collections::BTreeMap, fmt::Debug, pin::Pin, time::Duration};

use licet_contracts::billing::v1::{
    AccountKind, CreateAccountRequest, DepositRequest, Policy, Product as Sold,
    ProrationConvention, RefundCount,
};
use licet_domain::clock::Instant;

use super::{
    billing_asks::Ask,
    billing_model::{Model, No},
    billing_prices::Product,
    random::{Random, from_variable, histories_to_play},
};
use crate::harness::{
    Backend, channel::Channel, errors::Refused, instances::Ways, request_id, run_within,
    samples::multi_domain_product, san::san_product, world::World,
};

/// Enough for several thousand histories on a slow machine.
const LONGEST: Duration = Duration::from_secs(3600);

mod random_histories_agree_with_a_model {
    use super::{Backend, LONGEST, histories, run_within};

    #[test]
    fn sqlite() {
        run_within(LONGEST, histories(Backend::Sqlite));
    }

    #[test]
    fn postgres() {
        run_within(LONGEST, histories(Backend::Postgres));
    }
}

/// The steps of a history, with their weights.
const STEPS: [(&str, u64); 13] = [
    ("clock", 3),
    ("prices", 2),
    ("quote", 6),
    ("charge", 8),
    ("deposit", 2),
    ("withdrawal", 1),
    ("reversal", 1),
    ("payment", 4),
    ("credit", 3),
    ("refund", 4),
    ("review", 6),
    ("terms", 1),
    ("repeat", 2),
];

/// How often each step ended in each way.
type Happened = BTreeMap<(&'static str, &'static str), u32>;

async fn histories(backend: Backend) {
    let count = histories_to_play();
    let steps = from_variable("LICET_TEST_STEPS").unwrap_or(16_u64);
    let mut seeds = Random::from_variable_or_chance("LICET_TEST_SEED");
    // A given seed repeats one history only.
    let is_chosen = std::env::var_os("LICET_TEST_SEED").is_some();
    let first_seed = seeds.seed();
    let mut world = World::start(backend).await;
    if let Some(start) = from_variable("LICET_TEST_START") {
        world.time.move_to(start);
    }
    let ways = Ways::open(&world, backend).await;
    let mut happened = Happened::new();
    for number in 0..if is_chosen { 1 } else { count } {
        let seed = if number == 0 {
            first_seed
        } else {
            seeds.next()
        };
        println!(
            "history {number}: LICET_TEST_SEED={seed} LICET_TEST_START={} repeat it",
            world.now()
        );
        let mut history = History::start(&world, &ways, Random::from_seed(seed)).await;
        for step in 0..steps {
            println!("  step {step} at {}", world.now());
            let outcome = history.step_that_does_something().await;
            *happened.entry(outcome).or_default() += 1;
            history.compare(outcome.0).await;
        }
        history.compare_lists().await;
        if number % 50 == 49 {
            // A new instance, with nothing in memory, takes over.
            world.stop_billing().await;
            world.start_billing().await;
            verify(&world).await;
        }
    }
    verify(&world).await;
    for ((step, end), count) in &happened {
        println!("{count:6} × {step} {end}");
    }
    if !is_chosen && count >= 200 && steps >= 16 {
        check_reach(&happened);
    }
}

async fn verify(world: &World) {
    let verification = licet_billing::verify(&world.billing_location())
        .await
        .unwrap();
    assert_eq!(verification.differences(), 0, "{verification}");
}

/// Every step succeeded, and was refused for every common reason.
fn check_reach(happened: &Happened) {
    for (step, end) in [
        ("charge", "CREDIT_LIMIT_EXCEEDED"),
        ("charge", "INSUFFICIENT_FUNDS"),
        ("charge", "QUOTE_EXPIRED"),
        ("charge", "done"),
        ("credit", "CREDIT_EXCEEDS_INVOICE"),
        ("credit", "done"),
        ("payment", "done"),
        ("prices", "EFFECTIVE_TIME_IN_PAST"),
        ("prices", "done"),
        ("quote", "PRICE_NOT_SET"),
        ("quote", "TERM_ENDED"),
        ("quote", "done"),
        ("refund", "DECISION_BEFORE_PURCHASE"),
        ("refund", "ISSUANCE_OUTSIDE_TERM"),
        ("refund", "PENDING_REVIEW"),
        ("refund", "REFUNDED"),
        ("refund", "REFUND_ALREADY_REQUESTED"),
        ("repeat", "REQUEST_ID_REUSED"),
        ("reversal", "done"),
        ("review", "done"),
        ("terms", "done"),
        ("withdrawal", "done"),
    ] {
        assert!(happened.contains_key(&(step, end)), "no {step} was {end}");
    }
}

/// Compares a response with the prediction; an error is a predicted refusal.
#[track_caller]
pub(super) fn agree<E: Debug, T: Debug>(
    expected: Result<E, No>,
    answer: Result<T, Refused>,
) -> Result<(E, T), &'static str> {
    match (expected, answer) {
        (Ok(expected), Ok(answer)) => Ok((expected, answer)),
        (Err(expected), Err(refused)) => {
            assert_eq!(refused.reason, expected.reason, "{refused:?}");
            for (key, value) in &expected.numbers {
                assert_eq!(refused.value(key), value, "{key} of {refused:?}");
            }
            Err(expected.reason)
        }
        (expected, answer) => panic!("expected {expected:?}, got {answer:?}"),
    }
}

/// A resource whose terms are sold.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    pub(super) id: String,
    /// The index of its product.
    pub(super) product: usize,
    pub(super) anchor: Instant,
    pub(super) months: i32,
}

/// Repeats an earlier request and compares the response with the first one.
type Again = Box<dyn Fn(Channel) -> Pin<Box<dyn Future<Output = ()>>>>;

/// A new account with a new catalogue, and its model.
pub(super) struct History<'a> {
    pub(super) world: &'a World,
    ways: &'a Ways,
    pub(super) random: Random,
    pub(super) start: Instant,
    pub(super) account_id: String,
    pub(super) model: Model,
    pub(super) products: [Product; 2],
    pub(super) resources: Vec<Resource>,
    pub(super) asked: Vec<Again>,
    pub(super) deposits: Vec<DepositRequest>,
    /// The number of credit notes.
    pub(super) notes: usize,
}

impl<'a> History<'a> {
    async fn start(world: &'a World, ways: &'a Ways, mut random: Random) -> Self {
        let now = world.now();
        let currency = ["USD", "JPY", "BHD"][random.index(3)];
        let refund_days = [(25, 30), (25, 30), (10, 20), (0, 0)][random.index(4)];
        let convention = [
            ProrationConvention::Monthly,
            ProrationConvention::Daily,
            ProrationConvention::Linear,
        ][random.index(3)];
        let counts_from_purchase = random.below(3) == 0;
        let product = |name: &str, is_license: bool| Product {
            // Products cannot be deleted, so each history uses new names.
            id: format!("{name}-{}", uuid::Uuid::new_v4()),
            is_license,
            since: now,
            convention,
            lists: vec![],
        };
        let mut history = Self {
            world,
            ways,
            random,
            start: now,
            account_id: String::new(),
            model: Model {
                currency: currency.parse().unwrap(),
                terms: None,
                quotes: vec![],
                invoices: vec![],
                refunds: vec![],
                entries: vec![],
                refund_days,
                counts_from_purchase,
            },
            products: [product("multi", false), product("sans", true)],
            resources: vec![],
            asked: vec![],
            deposits: vec![],
            notes: 0,
        };
        history.stock().await;
        history.open().await;
        history.deposit().await;
        history
    }

    async fn stock(&mut self) {
        for place in 0..2 {
            let product = &self.products[place];
            let (full, none) = self.model.refund_days;
            let sample = match product.is_license {
                true => san_product(&product.id),
                false => multi_domain_product(),
            };
            let sold = Sold {
                product_id: product.id.clone(),
                policy: Some(Policy {
                    proration_convention: product.convention.into(),
                    full_refund_days: i32::try_from(full).ok(),
                    no_refund_after_days: i32::try_from(none).ok(),
                    refund_count: match self.model.counts_from_purchase {
                        true => RefundCount::Purchase.into(),
                        // An unset value means the default.
                        false => RefundCount::Unspecified.into(),
                    },
                    ..Policy::default()
                }),
                ..sample
            };
            self.world.create_product(sold).await;
            let prices = match place {
                0 => self.term_prices(),
                _ => self.tiers(),
            };
            let now = self.now();
            self.list_prices(place, now, prices).await;
        }
    }

    /// Opens the account, prepaid or on credit terms.
    async fn open(&mut self) {
        let terms = (self.random.below(2) == 0).then(|| self.some_terms());
        self.model.terms = terms;
        let request = CreateAccountRequest {
            display_name: "Random Ltd".to_owned(),
            currency_code: self.model.currency.code().to_owned(),
            kind: match terms {
                Some(_) => AccountKind::OnTerms.into(),
                None => AccountKind::Prepaid.into(),
            },
            terms: terms.map(|terms| self.written_terms(terms)),
            request_id: request_id(),
        };
        println!("  {} on {terms:?}", self.model.currency.code());
        let answer = self.world.accounts().create_account(request).await.unwrap();
        self.account_id = answer.into_inner().account.unwrap().account_id;
    }

    pub(super) fn now(&self) -> Instant {
        self.world.now()
    }

    /// A channel to any instance.
    pub(super) fn way(&mut self) -> Channel {
        self.ways.get(self.random.index(self.ways.count()))
    }

    /// A random number within these bounds.
    pub(super) fn minor(&mut self, least: u64, most: u64) -> i64 {
        (least + self.random.below(most - least + 1)).cast_signed()
    }

    /// Sends a request after its preview, if it has one; both must return the same (BL-1).
    pub(super) async fn ask<A: Ask>(&mut self, request: A) -> Result<A::Answer, Refused> {
        let mut foreseen = None;
        if let Some(trial) = request.clone().trial() {
            foreseen = Some(trial.send(self.way()).await);
        }
        let answer = request.clone().send(self.way()).await;
        if let Some(foreseen) = foreseen {
            assert_eq!(foreseen, answer.clone().map(A::foreseeable), "BL-1");
        }
        let first = answer.clone();
        self.asked.push(Box::new(move |way| {
            let (request, first) = (request.clone(), first.clone());
            Box::pin(async move { assert_eq!(request.send(way).await, first, "BL-2") })
        }));
        answer
    }

    /// Tries steps until one does something.
    async fn step_that_does_something(&mut self) -> (&'static str, &'static str) {
        loop {
            let outcome = self.step().await;
            if outcome.1 != "idle" {
                println!("    {}: {}", outcome.0, outcome.1);
                return outcome;
            }
        }
    }

    /// Tries one step; returns its name and its result.
    async fn step(&mut self) -> (&'static str, &'static str) {
        let all: u64 = STEPS.iter().map(|(_, weight)| weight).sum();
        let mut roll = self.random.below(all);
        let (step, _) = STEPS
            .iter()
            .find(|(_, weight)| {
                let is_it = roll < *weight;
                roll = roll.saturating_sub(*weight);
                is_it
            })
            .unwrap();
        let end = match *step {
            "clock" => self.let_time_pass(),
            "prices" => self.set_prices().await,
            "quote" => self.quote().await,
            "charge" => self.charge().await,
            "deposit" => self.deposit().await,
            "withdrawal" => self.withdraw().await,
            "reversal" => self.reverse().await,
            "payment" => self.pay().await,
            "credit" => self.credit().await,
            "refund" => self.request_refund().await,
            "review" => self.review().await,
            "terms" => self.change_terms().await,
            _ => self.repeat().await,
        };
        (step, end)
    }
}
