//! AL-1 to AL-9, MD-1 to MD-10, X-8, BL-1, BL-2: random histories of orders over gRPC, held step by
//! step against a model that also works their money out. LICET_TEST_SEED and LICET_TEST_START repeat
//! a history, LICET_TEST_HISTORIES and LICET_TEST_STEPS make more of them.

use std::{collections::BTreeMap, fmt::Debug, pin::Pin, time::Duration};

use licet_domain::{clock::Instant, money::Currency};

use super::{
    billing_asks::Ask,
    billing_model::DAY_MICROS,
    billing_prices::{Item, Product},
    orders_model::{NAMES, Names, Order, Policy, total},
    random::Random,
};
use crate::harness::{
    Backend, channel::Channel, clock::shifted, errors::Refused, run_within, world::World,
};

/// For some thousand histories on a slow machine.
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

/// What a history is made of, and how often each.
const STEPS: [(&str, u64); 14] = [
    ("clock", 4),
    ("prices", 1),
    ("deposit", 1),
    ("place", 2),
    ("preview", 5),
    ("change", 8),
    ("take back", 2),
    ("issue", 8),
    ("reissue", 1),
    ("renew", 4),
    ("server", 5),
    ("revoke", 2),
    ("delete", 2),
    ("repeat", 2),
];

/// How often each step came to which end.
type Happened = BTreeMap<(&'static str, String), u32>;

fn from_variable<T: std::str::FromStr>(variable: &str) -> Option<T> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().ok().expect("the variable says what it is for"))
}

async fn histories(backend: Backend) {
    let count = from_variable("LICET_TEST_HISTORIES").unwrap_or(200_u64);
    let steps = from_variable("LICET_TEST_STEPS").unwrap_or(16_u64);
    let mut seeds = Random::from_variable_or_chance("LICET_TEST_SEED");
    // A seed that is given is that of a history: it alone is repeated.
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
            // An instance that remembers nothing goes on where the one before it stopped.
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

/// Every step was done, and refused for the reasons that come up often enough not to be missed.
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
        ("take back", "NO_CHANGE_PENDING"),
        ("take back", "done"),
    ] {
        let was = happened.contains_key(&(step, end.to_owned()));
        assert!(was, "no {step} was {end}");
    }
}

/// Asks an earlier request again, and holds the answer against the first one.
pub(super) type Again = Box<dyn Fn(Channel) -> Pin<Box<dyn Future<Output = ()>>>>;

/// One account with a product of its own, and the model of its orders.
pub(super) struct History<'a> {
    pub(super) world: &'a World,
    pub(super) random: Random,
    pub(super) account_id: String,
    pub(super) currency: Currency,
    pub(super) balance: i64,
    pub(super) policy: Policy,
    pub(super) product: Product,
    pub(super) orders: Vec<Order>,
    /// The order that the last step was about.
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

    /// A number within these bounds.
    pub(super) fn minor(&mut self, least: u64, most: u64) -> i64 {
        (least + self.random.below(most - least + 1)).cast_signed()
    }

    pub(super) fn total(&self, items: &[Item]) -> i64 {
        total(&self.product, items, self.digits())
    }

    /// An instant after now at which something ends or begins, or close by; or any other.
    fn later(&mut self) -> Instant {
        let now = self.now();
        let days = |days: i64| days * DAY_MICROS;
        let policy = self.policy;
        let mut marks = vec![];
        for order in self.orders.iter().filter(|order| !order.is_deleted) {
            let end = order.end();
            marks.extend([
                order.term().end,
                shifted(end, -days(policy.open_days)),
                shifted(end, days(policy.grace_days)),
            ]);
            let (full, none) = policy.refund_days;
            for place in 0..=order.running {
                let counted = order.count_start(place);
                marks.extend(counted.map(|it| shifted(it, days(full))));
                marks.extend(counted.map(|it| shifted(it, days(none))));
            }
            // The last day of a term: what is issued then stands in the next one.
            marks.push(shifted(order.term().end, -DAY_MICROS));
            marks.extend(order.offers.iter().map(|offer| offer.expires));
            for found in &order.certificates {
                marks.extend(found.revoked);
                marks.push(found.active_until);
            }
        }
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
        self.world.time.move_to(later);
        for order in &mut self.orders {
            order.pass(later);
        }
        "done"
    }

    /// Asks for it, now and then after it was tried where it can be: the trial says what comes of it (BL-1), but
    /// for money that is missing.
    pub(super) async fn ask<A: Ask>(&mut self, request: A) -> Result<A::Answer, Refused> {
        let way = self.world.orders_channel();
        let trial = match self.random.below(2) {
            0 => request.clone().trial(),
            _ => None,
        };
        self.ask_tried(request, trial, way).await
    }

    /// Asks for what was offered before.
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

    /// Some earlier request comes once more, and is answered as it was.
    async fn repeat(&mut self) -> &'static str {
        if self.asked.is_empty() {
            return "idle";
        }
        let place = self.random.index(self.asked.len());
        self.asked[place](self.world.orders_channel()).await;
        "done"
    }

    /// One after another, until there is something to do.
    async fn step_that_does_something(&mut self) -> (&'static str, String) {
        loop {
            let outcome = self.step().await;
            if outcome.1 != "idle" {
                println!("    {}: {}", outcome.0, outcome.1);
                return outcome;
            }
        }
    }

    /// Tries a step; answers which, and what came of it.
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
            "take back" => self.take_back().await,
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

    /// Some of the names, as a customer may write them (MD-5).
    pub(super) fn some_names(&mut self, most: u64) -> Names {
        let count = self.random.below(most + 1);
        (0..count)
            .map(|_| NAMES[self.random.index(NAMES.len())])
            .collect()
    }

    pub(super) fn spelled(&mut self, names: &Names) -> Vec<String> {
        let spell = |name: &&str| match self.random.below(3) {
            0 => name.to_uppercase(),
            1 => format!("{name}."),
            _ => (*name).to_owned(),
        };
        names.iter().map(spell).collect()
    }
}

/// Holds an answer against what was foretold: done, or refused for one of these reasons.
#[track_caller]
pub(super) fn agree<E: Debug, T: Debug>(
    expected: Result<E, Vec<&'static str>>,
    answer: Result<T, Refused>,
) -> Result<(E, T), String> {
    match (expected, answer) {
        (Ok(expected), Ok(answer)) => Ok((expected, answer)),
        (Err(reasons), Err(refused)) => {
            let reason = refused.reason.as_str();
            assert!(reasons.contains(&reason), "{reasons:?}, not {refused:?}");
            Err(refused.reason)
        }
        (expected, answer) => panic!("foretold was {expected:?}, and it was {answer:?}"),
    }
}
