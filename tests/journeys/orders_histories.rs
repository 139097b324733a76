//! AL-1 to AL-9, MD-1 to MD-10, X-8, BL-1, BL-2: random histories of orders over gRPC, held step by
//! step against a model that also works their money out. LICET_TEST_SEED and LICET_TEST_START repeat
//! a history, LICET_TEST_HISTORIES and LICET_TEST_STEPS make more of them.

use std::{collections::BTreeMap, fmt::Debug, pin::Pin, time::Duration};

use licet_contracts::{
    billing::v1::{
        CreateAccountRequest, DepositRequest, Policy as SoldPolicy, Product as Sold,
        ProrationConvention, RefundCount, Supersede, ValidityLimits, WildcardReplacement,
        supersede::Handling,
    },
    orders::v1::{ListCertificatesRequest, ListServersRequest, Order as Seen, OrderState},
};
use licet_domain::{
    clock::Instant,
    money::{Currency, Money},
};

use super::{
    billing_asks::Ask,
    billing_model::DAY_MICROS,
    billing_prices::{Item, List, Prices, Product},
    orders_model::{NAMES, Names, Order, Policy, total},
    orders_serving::compare_term,
    random::Random,
};
use crate::harness::{
    Backend,
    channel::Channel,
    clock::{instant, shifted},
    errors::Refused,
    request_id, run_within,
    samples::{money, multi_domain_product},
    selling::price_in,
    world::World,
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
type Again = Box<dyn Fn(Channel) -> Pin<Box<dyn Future<Output = ()>>>>;

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
    asked: Vec<Again>,
}

impl<'a> History<'a> {
    async fn start(world: &'a World, mut random: Random) -> Self {
        let currency = ["USD", "JPY", "BHD"][random.index(3)];
        let convention = [
            ProrationConvention::Monthly,
            ProrationConvention::Daily,
            ProrationConvention::Linear,
        ][random.index(3)];
        let policy = Policy {
            included: 1 + i32::try_from(random.below(3)).unwrap(),
            maximum: 7,
            wildcards: random.below(6) > 0,
            replacement: [
                WildcardReplacement::Unspecified,
                WildcardReplacement::Free,
                WildcardReplacement::FullPrice,
            ][random.index(3)],
            licenses: 2,
            is_public: random.below(3) > 0,
            superseded_hours: [None, Some(0), Some(72)][random.index(3)],
            open_days: [90, 30][random.index(2)],
            grace_days: [30, 10][random.index(2)],
            refund_days: [(25, 30), (10, 20), (0, 0)][random.index(3)],
            counts_from_purchase: random.below(3) == 0,
        };
        let mut history = Self {
            world,
            random,
            account_id: String::new(),
            currency: currency.parse().unwrap(),
            balance: 0,
            policy,
            product: Product {
                // Products are for good: those of another history have other names.
                id: format!("multi-{}", uuid::Uuid::new_v4()),
                is_license: false,
                since: world.now(),
                convention,
                lists: vec![],
            },
            orders: vec![],
            touched: 0,
            asked: vec![],
        };
        println!("  {currency}, {convention:?}, {policy:?}");
        history.stock().await;
        history.open().await;
        history.deposit().await;
        while history.orders.is_empty() {
            if history.place().await != "done" {
                history.deposit().await;
            }
        }
        history
    }

    async fn stock(&mut self) {
        let policy = self.policy;
        let days = |days: i64| i32::try_from(days).ok();
        let handling = match policy.superseded_hours {
            Some(hours) => Handling::AfterHours(hours),
            None => Handling::Never(true),
        };
        let limits = match policy.is_public {
            true => ValidityLimits::PublicTls,
            false => ValidityLimits::None,
        };
        let sold = Sold {
            product_id: self.product.id.clone(),
            included_domains: policy.included,
            max_domains: policy.maximum,
            max_additional_licenses: policy.licenses,
            wildcards_allowed: policy.wildcards,
            validity_limits: limits.into(),
            policy: Some(SoldPolicy {
                proration_convention: self.product.convention.into(),
                full_refund_days: days(policy.refund_days.0),
                no_refund_after_days: days(policy.refund_days.1),
                refund_count: match policy.counts_from_purchase {
                    true => RefundCount::Purchase.into(),
                    false => RefundCount::FirstIssuance.into(),
                },
                renewal_open_days: days(policy.open_days),
                renewal_grace_days: days(policy.grace_days),
                wildcard_replacement: policy.replacement.into(),
                supersede: Some(Supersede {
                    handling: Some(handling),
                }),
                ..SoldPolicy::default()
            }),
            ..multi_domain_product()
        };
        self.world.create_product(sold).await;
        assert_eq!(self.set_prices().await, "done");
    }

    async fn open(&mut self) {
        let request = CreateAccountRequest {
            display_name: "Random Ltd".to_owned(),
            currency_code: self.currency.code().to_owned(),
            request_id: request_id(),
            ..CreateAccountRequest::default()
        };
        let answer = self.world.accounts().create_account(request).await.unwrap();
        self.account_id = answer.into_inner().account.unwrap().account_id;
    }

    pub(super) fn now(&self) -> Instant {
        self.world.now()
    }

    pub(super) fn digits(&self) -> u32 {
        self.currency.minor_digits()
    }

    /// A number within these bounds.
    fn minor(&mut self, least: u64, most: u64) -> i64 {
        (least + self.random.below(most - least + 1)).cast_signed()
    }

    pub(super) fn total(&self, items: &[Item]) -> i64 {
        total(&self.product, items, self.digits())
    }

    async fn deposit(&mut self) -> &'static str {
        // Sometimes short, so that something cannot be paid.
        let amount = self.minor(1_000, 60_000);
        let text = Money::from_minor(self.currency, amount).value();
        let request = DepositRequest {
            account_id: self.account_id.clone(),
            amount: money(self.currency.code(), &text),
            reference: "wire transfer".to_owned(),
            request_id: request_id(),
        };
        self.world.accounts().deposit(request).await.unwrap();
        self.balance += amount;
        "done"
    }

    /// New prices for all that is sold, from now on; often with a fraction of the minor unit.
    async fn set_prices(&mut self) -> &'static str {
        let now = self.now();
        if self
            .product
            .lists
            .last()
            .is_some_and(|list| list.effective >= now)
        {
            return "idle";
        }
        let unit = 10_i64.pow(6 - self.digits());
        let mut price = |least, most| self.minor(least, most) * unit + self.minor(0, 1) * 4_321;
        let prices: Vec<(i32, [Option<i64>; 4])> = [1, 12, 24]
            .into_iter()
            .map(|months| {
                let domain = price(100, 9_000);
                let all = [
                    price(2_000, 15_000),
                    domain,
                    domain + price(0, 11_000),
                    price(10, 1_900),
                ];
                (months, all.map(Some))
            })
            .collect();
        let code = self.currency.code();
        let text = |micros: Option<i64>| {
            let price = licet_domain::money::Price::from_micros(self.currency, micros.unwrap());
            price_in(code, &price.unwrap().value())
        };
        let request = licet_contracts::billing::v1::SetPricesRequest {
            product_id: self.product.id.clone(),
            currency_code: code.to_owned(),
            prices: prices
                .iter()
                .map(|(months, each)| licet_contracts::billing::v1::TermPrice {
                    term_months: *months,
                    certificate: text(each[0]),
                    domain: text(each[1]),
                    wildcard_domain: text(each[2]),
                    additional_license: text(each[3]),
                })
                .collect(),
            request_id: request_id(),
            ..licet_contracts::billing::v1::SetPricesRequest::default()
        };
        self.world.catalog().set_prices(request).await.unwrap();
        self.product.lists.push(List {
            effective: now,
            prices: Prices::ByTerm(prices),
        });
        "done"
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

    /// Everything that can be seen of the account and the order that was touched is as the model has
    /// it; now and then, or where all is asked for, every other order, too.
    async fn compare(&mut self, all: bool) {
        let all = all || self.random.below(6) == 0;
        let account = self.world.get_account(&self.account_id).await;
        let balance = Money::from_minor(self.currency, self.balance).value();
        assert_eq!(account.balance.unwrap().value, balance, "BL-4, BL-6");
        for (place, order) in self.orders.iter().enumerate() {
            if place != self.touched && !all {
                continue;
            }
            self.compare_invoices(order).await;
            compare_order(&self.world.get_order(&order.id).await, order);
            self.compare_servers(order).await;
            self.compare_certificates(order).await;
        }
    }

    async fn compare_invoices(&self, order: &Order) {
        let invoices = self.world.invoices_of(&order.id).await;
        let minor = |it: &Option<licet_contracts::types::v1::Money>| {
            let it = it.as_ref().unwrap();
            Money::parse(&it.currency_code, &it.value).unwrap().minor()
        };
        let mut found: Vec<_> = invoices
            .iter()
            .map(|it| {
                let term = it.subject.as_ref().unwrap().term_index;
                (
                    usize::try_from(term).unwrap(),
                    minor(&it.total),
                    minor(&it.credited),
                )
            })
            .collect();
        let terms = order.terms.iter().enumerate();
        let mut expected: Vec<_> = terms
            .flat_map(|(place, term)| {
                let each = term.invoices.iter();
                each.map(move |it| (place, it.total, it.credited))
            })
            .collect();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "P-2, MD-1, MD-7, AL-4");
    }

    async fn compare_servers(&self, order: &Order) {
        let request = ListServersRequest {
            order_id: order.id.clone(),
            ..ListServersRequest::default()
        };
        let answer = self.world.servers().list_servers(request).await;
        let answer = answer.unwrap().into_inner();
        let seen = answer.servers.iter();
        let mut seen: Vec<_> = seen
            .map(|it| (it.server_id.clone(), it.primary, it.state()))
            .collect();
        let expected = order.servers.iter();
        let mut expected: Vec<_> = expected
            .map(|it| (it.id.clone(), it.is_primary, it.state))
            .collect();
        seen.sort();
        expected.sort();
        assert_eq!(seen, expected, "AL-7 to AL-9");
        let licensed = if order.is_deleted {
            0
        } else {
            1 + order.term().licenses
        };
        assert_eq!(answer.licensed_servers, licensed, "AL-1");
        assert!(answer.registered_servers <= licensed, "AL-8");
    }

    async fn compare_certificates(&self, order: &Order) {
        let request = ListCertificatesRequest {
            order_id: order.id.clone(),
            page_size: 1000,
            ..ListCertificatesRequest::default()
        };
        let answer = self.world.certificates().list_certificates(request).await;
        let found = answer.unwrap().into_inner().certificates;
        let mut seen: Vec<_> = found
            .into_iter()
            .map(|it| {
                let revoked = it.revoke_time.map(|time| instant(Some(time)));
                (it.certificate_id.clone(), it.state(), revoked)
            })
            .collect();
        let mut expected: Vec<_> = order
            .certificates
            .iter()
            .enumerate()
            .map(|(place, it)| (it.id.clone(), order.certificate_state(place), it.revoked))
            .collect();
        seen.sort();
        expected.sort();
        assert_eq!(seen, expected, "MD-7, X-8");
    }
}

fn compare_order(seen: &Seen, model: &Order) {
    assert_eq!(seen.state(), model.state(), "{seen:?}");
    let texts = |names: &Names| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(seen.domains, texts(&model.carried), "MD-7");
    assert_eq!(instant(seen.end_time), model.end(), "MD-10");
    assert_eq!(seen.server_software, model.software, "AL-6");
    assert_eq!(seen.revision, model.moves, "MD-6");
    let pending = seen.issuance_pending_time.map(|time| instant(Some(time)));
    let awaited = model.pending_since();
    let awaited = awaited.filter(|_| model.state() != OrderState::Ended);
    assert_eq!(pending, awaited, "MD-7, MD-10");
    compare_term(seen.current_term.as_ref().unwrap(), model, model.running);
    assert_eq!(seen.next_term.is_some(), model.next_term().is_some());
    if let Some(next) = &seen.next_term {
        compare_term(next, model, model.running + 1);
    }
    let pending = seen.pending_change.as_ref();
    let change = pending.and_then(|it| it.domain_change.as_ref());
    if let Some(expected) = &model.change {
        let change = change.expect("a change waits");
        assert_eq!(change.added, texts(&expected.added), "MD-7");
        assert_eq!(change.removed, texts(&expected.removed), "MD-7");
        assert_eq!(change.names_after, texts(&model.wanted()), "MD-8");
    }
    let waits = pending.is_some();
    let certificate_awaited = model.is_issued && model.pending_since().is_some();
    assert!(!certificate_awaited || waits, "{seen:?}");
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
