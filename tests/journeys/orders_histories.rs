//! AL-1 to AL-9, MD-1 to MD-10, X-8, BL-1, BL-2: random histories of orders over gRPC, compared step by step
//! with the oracle, amounts included. LICET_TEST_SEED and LICET_TEST_START repeat a history;
//! LICET_TEST_HISTORIES and LICET_TEST_STEPS set how many histories and steps are played.

use std::{collections::BTreeMap, fmt::Debug, pin::Pin, time::Duration};

use licet_domain::{clock::Instant, money::Currency};
use licet_oracle::orders::policy::{Domains, Policy, Reasons};

use super::{
    billing_asks::Ask,
    billing_model::DAY_MICROS,
    billing_prices::{Item, Product},
    orders_tracked::{DOMAINS, TrackedOrder},
    random::{Random, from_variable, histories_to_play},
};
use crate::harness::{
    Backend, channel::Channel, clock::shifted, errors::Refused, run_within, world::World,
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
const STEPS: [(&str, u64); 14] = [
    ("clock", 4),
    ("prices", 1),
    ("deposit", 1),
    ("place", 2),
    ("preview", 5),
    ("change", 8),
    ("cancel change", 2),
    ("issue", 8),
    ("reissue", 1),
    ("renew", 4),
    ("server", 5),
    ("revoke", 2),
    ("delete", 2),
    ("repeat", 2),
];

/// How often each step ended in each way.
type Happened = BTreeMap<(&'static str, String), u32>;

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
        let mut history = History::start(&world, Random::from_seed(seed)).await;
        for step in 0..steps {
            println!("  step {step} at {}", world.now());
            let outcome = history.step_that_does_something().await;
            *happened.entry(outcome).or_default() += 1;
            history.compare(false).await;
        }
        history.compare(true).await;
        if number % 50 == 49 {
            // A new instance, with nothing in memory, takes over.
            world.stop_orders().await;
            world.start_orders().await;
        }
    }
    let books = licet_billing::verify(&world.billing_location()).await;
    let books = books.unwrap();
    assert_eq!(books.differences(), 0, "{books}");
    for ((step, end), count) in &happened {
        println!("{count:6} × {step} {end}");
    }
    if !is_chosen && count >= 200 && steps >= 16 {
        check_reach(&happened);
    }
}

/// Every step succeeded, and was refused for every common reason.
fn check_reach(happened: &Happened) {
    for (step, end) in [
        ("change", "CHANGE_IN_PROGRESS"),
        ("change", "INSUFFICIENT_FUNDS"),
        ("change", "done"),
        ("change", "moved"),
        ("clock", "done"),
        ("delete", "NOT_DUE"),
        ("delete", "PENDING_REVIEW"),
        ("delete", "REFUNDED"),
        ("deposit", "done"),
        ("issue", "CERTIFICATE_MISMATCH"),
        ("issue", "ISSUANCE_NOT_PENDING"),
        ("issue", "TO_REVOKE"),
        ("issue", "done"),
        ("place", "INSUFFICIENT_FUNDS"),
        ("place", "done"),
        ("preview", "QUOTE_EXPIRED"),
        ("preview", "QUOTE_STALE"),
        ("preview", "as offered"),
        ("preview", "done"),
        ("prices", "done"),
        ("reissue", "done"),
        ("renew", "RENEWAL_ALREADY_BOUGHT"),
        ("renew", "RENEWAL_TOO_EARLY"),
        ("renew", "done"),
        ("repeat", "done"),
        ("revoke", "CERTIFICATE_NOT_REVOCABLE"),
        ("revoke", "done"),
        ("server", "SERVER_LIMIT_REACHED"),
        ("server", "done"),
        ("cancel change", "NO_CHANGE_PENDING"),
        ("cancel change", "done"),
    ] {
        let was = happened.contains_key(&(step, end.to_owned()));
        assert!(was, "no {step} was {end}");
    }
}

/// Repeats an earlier request and compares the response with the first one.
pub(super) type Again = Box<dyn Fn(Channel) -> Pin<Box<dyn Future<Output = ()>>>>;

/// A new account with a new product and the account's orders.
pub(super) struct History<'a> {
    pub(super) world: &'a World,
    pub(super) random: Random,
    pub(super) account_id: String,
    pub(super) currency: Currency,
    pub(super) balance: i64,
    pub(super) policy: Policy,
    pub(super) product: Product,
    pub(super) orders: Vec<TrackedOrder>,
    /// The order that the last step touched.
    pub(super) touched: usize,
    pub(super) asked: Vec<Again>,
}

impl History<'_> {
    pub(super) fn now(&self) -> Instant {
        self.world.now()
    }

    pub(super) fn digits(&self) -> u32 {
        self.currency.minor_digits()
    }

    /// A random number within these bounds.
    pub(super) fn minor(&mut self, least: u64, most: u64) -> i64 {
        (least + self.random.below(most - least + 1)).cast_signed()
    }

    /// The sum of the items' prices; every item sold here has one.
    pub(super) fn total(&self, items: &[Item]) -> i64 {
        let lines = self.product.cost(items, self.digits());
        lines.unwrap().iter().sum()
    }

    /// The days after which there is no full refund, and no refund at all (AL-4).
    pub(super) fn refund_limits(&self) -> [i64; 2] {
        let policy = &self.policy;
        [policy.full_refund_days, policy.no_refund_days.unwrap()]
    }

    /// Moves the clock of the services and of the model.
    pub(super) fn move_to(&mut self, time: Instant) {
        self.world.time.move_to(time);
        for order in &mut self.orders {
            order.model.pass(time);
        }
    }

    /// A later instant, mostly at or beside one at which something starts or ends.
    fn later(&mut self) -> Instant {
        let now = self.now();
        let days = |days: i64| days * DAY_MICROS;
        let mut marks = vec![];
        let models = self.orders.iter().map(|order| &order.model);
        for model in models.filter(|model| !model.is_deleted) {
            let (from, until) = model.renewable();
            marks.extend([model.term().end, from, until]);
            for place in 0..=model.running {
                let since = model.counted_since(place);
                let limits = self.refund_limits().into_iter();
                marks.extend(since.into_iter().flat_map(|since| {
                    limits.clone().map(move |limit| shifted(since, days(limit)))
                }));
            }
            // The last day of a term: a certificate issued on it is still valid in the next term.
            marks.push(shifted(model.term().end, -DAY_MICROS));
            for found in &model.certificates {
                marks.extend(found.revoked);
                marks.push(found.expires);
            }
        }
        let open = self.orders.iter().filter(|order| !order.model.is_deleted);
        marks.extend(open.flat_map(|order| order.offers.iter().map(|offer| offer.expires)));
        marks.retain(|mark| *mark > now);
        marks.sort_unstable();
        marks.dedup();
        let first = marks.first().copied();
        if first.is_none() || self.random.below(3) == 0 {
            let most = [3_600, 86_400, 30 * 86_400, 100 * 86_400][self.random.index(4)];
            return shifted(now, self.minor(1, most * 1_000_000));
        }
        let reach = marks.len().min(3);
        let mark = marks[self.random.index(reach)];
        shifted(mark, [-1, 0, 1][self.random.index(3)]).max(now)
    }

    fn let_time_pass(&mut self) -> &'static str {
        let later = self.later();
        self.move_to(later);
        "done"
    }

    /// Sends a request, sometimes after its preview. Both must return the same (BL-1), except that a preview
    /// does not check the balance.
    pub(super) async fn ask<A: Ask>(&mut self, request: A) -> Result<A::Answer, Refused> {
        let way = self.world.orders_channel();
        let trial = match self.random.below(2) {
            0 => request.clone().trial(),
            _ => None,
        };
        self.ask_tried(request, trial, way).await
    }

    /// Sends a request that was previewed earlier.
    pub(super) async fn ask_as_offered<A: Ask>(
        &mut self,
        request: A,
    ) -> Result<A::Answer, Refused> {
        let way = self.world.orders_channel();
        self.ask_tried(request, None, way).await
    }

    async fn ask_tried<A: Ask>(
        &mut self,
        request: A,
        trial: Option<A>,
        way: Channel,
    ) -> Result<A::Answer, Refused> {
        let foreseen = match trial {
            Some(trial) => Some(trial.send(way.clone()).await),
            None => None,
        };
        let answer = request.clone().send(way).await;
        match (foreseen, answer.clone()) {
            (None, _) => {}
            (Some(Ok(foreseen)), Ok(answer)) => {
                assert_eq!(A::foreseeable(foreseen), A::foreseeable(answer), "BL-1");
            }
            (Some(Ok(_)), Err(refused)) => assert_eq!(refused.reason, "INSUFFICIENT_FUNDS"),
            (Some(foreseen), answer) => {
                let reason = foreseen.unwrap_err().reason;
                assert_eq!(answer.unwrap_err().reason, reason, "BL-1");
            }
        }
        let first = answer.clone();
        self.asked.push(Box::new(move |way| {
            let (request, first) = (request.clone(), first.clone());
            Box::pin(async move { assert_eq!(request.send(way).await, first, "BL-2") })
        }));
        answer
    }

    /// Repeats an earlier request, which must get the same response.
    async fn repeat(&mut self) -> &'static str {
        if self.asked.is_empty() {
            return "idle";
        }
        let place = self.random.index(self.asked.len());
        self.asked[place](self.world.orders_channel()).await;
        "done"
    }

    /// Tries steps until one does something.
    async fn step_that_does_something(&mut self) -> (&'static str, String) {
        loop {
            let outcome = self.step().await;
            if outcome.1 != "idle" {
                println!("    {}: {}", outcome.0, outcome.1);
                return outcome;
            }
        }
    }

    /// Tries one step; returns its name and its result.
    async fn step(&mut self) -> (&'static str, String) {
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
            "clock" => self.let_time_pass().to_owned(),
            "prices" => self.set_prices().await.to_owned(),
            "deposit" => self.deposit().await.to_owned(),
            "place" => self.place().await,
            "preview" => self.preview().await,
            "change" => self.change().await,
            "cancel change" => self.cancel_change().await,
            "issue" => self.issue().await,
            "reissue" => self.reissue().await,
            "renew" => self.renew().await,
            "server" => self.change_servers().await,
            "revoke" => self.revoke().await,
            "delete" => self.delete().await,
            _ => self.repeat().await.to_owned(),
        };
        (step, end)
    }

    pub(super) fn some_domains(&mut self, most: u64) -> Domains {
        let count = self.random.below(most + 1);
        (0..count)
            .map(|_| DOMAINS[self.random.index(DOMAINS.len())])
            .collect()
    }

    /// The domains in spellings that a customer may use (MD-5).
    pub(super) fn spelled(&mut self, domains: &Domains) -> Vec<String> {
        let spell = |domain: &&str| match self.random.below(3) {
            0 => domain.to_uppercase(),
            1 => format!("{domain}."),
            _ => (*domain).to_owned(),
        };
        domains.iter().map(spell).collect()
    }
}

/// Compares a response with the prediction: success, or a refusal for one of these reasons.
#[track_caller]
pub(super) fn agree<E: Debug, T: Debug>(
    expected: Result<E, Reasons>,
    answer: Result<T, Refused>,
) -> Result<(E, T), String> {
    match (expected, answer) {
        (Ok(expected), Ok(answer)) => Ok((expected, answer)),
        (Err(reasons), Err(refused)) => {
            let mut words = reasons.iter().map(|reason| reason.as_str());
            let is_foretold = words.any(|word| word == refused.reason);
            assert!(is_foretold, "{reasons:?}, not {refused:?}");
            Err(refused.reason)
        }
        (expected, answer) => panic!("expected {expected:?}, got {answer:?}"),
    }
}
