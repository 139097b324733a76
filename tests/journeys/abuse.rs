//! AL-4, BL-6: random histories, over gRPC, of a customer who tries to save money by detours and never does.
//! The test expects only what the API shows, without a model of the order. LICET_TEST_SEED and
//! LICET_TEST_START repeat a history; LICET_TEST_HISTORIES sets how many are played.

use std::{collections::BTreeMap, time::Duration};

use licet_contracts::{
    billing::v1::{
        Invoice, LedgerEntry, Policy, Product, RefundCount, RefundState, ValidityLimits,
        WildcardReplacement,
    },
    orders::v1::{
        CancelDomainChangeRequest, CertificateState, DeleteOrderRequest, ListCertificatesRequest,
        Order, OrderState, PlaceOrderRequest, RenewOrderRequest, RequestReissueRequest,
        RevokeCertificateRequest,
    },
};
use licet_domain::{clock::Instant, money::Money};
use tonic::{Response, Status};

use super::random::{Random, from_variable, histories_to_play};
use crate::harness::{
    Backend, certificates,
    clock::{instant, shifted},
    errors::take_apart,
    request_id, run_within,
    samples::{
        change_request, common_name_first, issuance_of, minor, multi_domain_product, term_price,
    },
    world::World,
};

/// Enough for several thousand histories on a slow machine.
pub(super) const LONGEST: Duration = Duration::from_secs(3600);

const DAY_MICROS: i64 = 86_400_000_000;

mod al_4_whoever_used_a_term_longer_than_the_limits_pays_for_it {
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

/// The seeds of the histories to play, or only the one to repeat.
pub(super) fn seeds() -> Vec<u64> {
    let count = histories_to_play();
    let mut chance = Random::from_variable_or_chance("LICET_TEST_SEED");
    if std::env::var_os("LICET_TEST_SEED").is_some() {
        return vec![chance.seed()];
    }
    (0..count).map(|_| chance.next()).collect()
}

pub(super) async fn start(backend: Backend) -> World {
    let world = World::start(backend).await;
    if let Some(start) = from_variable("LICET_TEST_START") {
        world.time.move_to(start);
    }
    world
}

/// The product policy of one history.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    full_days: i64,
    no_days: i64,
    count_from: RefundCount,
    pub(super) replacement: WildcardReplacement,
    included: i32,
}

impl Terms {
    pub(super) fn of(random: &mut Random) -> Self {
        let (full_days, no_days) = [(25, 30), (10, 14), (0, 0)][random.index(3)];
        Self {
            full_days,
            no_days,
            count_from: [
                RefundCount::FirstIssuance,
                RefundCount::FirstIssuance,
                RefundCount::Purchase,
            ][random.index(3)],
            replacement: [
                WildcardReplacement::Difference,
                WildcardReplacement::FullPrice,
                WildcardReplacement::Free,
            ][random.index(3)],
            included: [1, 3][random.index(2)],
        }
    }

    /// Stocks a private product, whose certificates may last as long as the order.
    pub(super) async fn stock(self, world: &World) -> String {
        let product_id = format!("multi-{}", uuid::Uuid::new_v4());
        let days = |days: i64| i32::try_from(days).ok();
        let product = Product {
            product_id: product_id.clone(),
            included_domains: self.included,
            validity_limits: ValidityLimits::None.into(),
            policy: Some(Policy {
                full_refund_days: days(self.full_days),
                no_refund_after_days: days(self.no_days),
                refund_count: self.count_from.into(),
                wildcard_replacement: self.replacement.into(),
                ..Policy::default()
            }),
            ..multi_domain_product()
        };
        world.create_product(product).await;
        let prices = vec![
            term_price(1, ["12.00", "5.00", "15.00", "2.00"]),
            term_price(12, ["98.00", "49.00", "149.00", "19.00"]),
        ];
        world.set_prices(&product_id, prices).await;
        product_id
    }
}

/// A customer with one order.
struct Customer<'a> {
    world: &'a World,
    random: Random,
    terms: Terms,
    account_id: String,
    deposited: i64,
    order_id: String,
    /// The span of every term seen so far, by term index.
    seen: BTreeMap<i32, (Instant, Instant)>,
    /// How often each step ended in each way.
    happened: BTreeMap<String, u32>,
}

/// The state that a refused request must leave unchanged.
#[derive(Debug, PartialEq)]
struct Standing {
    order: Order,
    invoices: Vec<Invoice>,
    entries: Vec<LedgerEntry>,
}

async fn histories(backend: Backend) {
    let world = start(backend).await;
    let mut happened = BTreeMap::<String, u32>::new();
    let seeds = seeds();
    for (number, seed) in seeds.iter().enumerate() {
        println!(
            "history {number}: LICET_TEST_SEED={seed} LICET_TEST_START={} repeat it",
            world.now()
        );
        let mut customer = Customer::start(&world, Random::from_seed(*seed)).await;
        let steps = 4 + customer.random.below(9);
        for _ in 0..steps {
            customer.step().await;
        }
        customer.end().await;
        for (what, count) in customer.happened {
            *happened.entry(what).or_default() += count;
        }
    }
    let books = licet_billing::verify(&world.billing_location()).await;
    let books = books.unwrap();
    assert_eq!(books.differences(), 0, "{books}");
    for (what, count) in &happened {
        println!("{count:6} × {what}");
    }
    if seeds.len() >= 200 {
        for what in [
            "change INSUFFICIENT_FUNDS",
            "change done",
            "issue done",
            "renew done",
            "revoke done",
            "take back done",
            "term over nothing due",
            "term running full refund",
            "term running nothing due",
            "term running review",
            "term to come full refund",
        ] {
            assert!(happened.contains_key(what), "no {what}");
        }
    }
}

impl<'a> Customer<'a> {
    async fn start(world: &'a World, mut random: Random) -> Self {
        let terms = Terms::of(&mut random);
        println!("  {terms:?}");
        let product_id = terms.stock(world).await;
        let account_id = world.empty_account().await;
        let mut customer = Self {
            world,
            random,
            terms,
            account_id,
            deposited: 0,
            order_id: String::new(),
            seen: BTreeMap::new(),
            happened: BTreeMap::new(),
        };
        customer.deposit(50_000).await;
        let months = customer.months();
        let request = PlaceOrderRequest {
            account_id: customer.account_id.clone(),
            product_id,
            term_months: months,
            common_name: "cn.test".to_owned(),
            server_software: "nginx".to_owned(),
            request_id: request_id(),
            ..PlaceOrderRequest::default()
        };
        let order = world.place(request).await;
        customer.order_id = order.order_id.clone();
        customer.look().await;
        customer
    }

    fn months(&mut self) -> i32 {
        [1, 1, 12][self.random.index(3)]
    }

    async fn deposit(&mut self, amount: i64) {
        let text = Money::from_minor("USD".parse().unwrap(), amount).value();
        self.world.deposit(&self.account_id, &text).await;
        self.deposited += amount;
    }

    /// Reads the order and remembers its terms.
    async fn look(&mut self) -> Order {
        let order = self.world.settled(&self.order_id).await;
        for term in [&order.current_term, &order.next_term]
            .into_iter()
            .flatten()
        {
            let period = term.period.unwrap();
            let span = (instant(period.start_time), instant(period.end_time));
            self.seen.insert(term.term_index, span);
        }
        order
    }

    async fn standing(&mut self) -> Standing {
        Standing {
            order: self.look().await,
            invoices: self.world.invoices_of(&self.order_id).await,
            entries: self.world.entries_of(&self.account_id).await,
        }
    }

    /// Checks that a refused request changed nothing (BL-6).
    async fn note<T>(
        &mut self,
        step: &str,
        before: &Standing,
        answer: Result<Response<T>, Status>,
    ) {
        let end = match answer {
            Ok(_) => "done".to_owned(),
            Err(status) => {
                let reason = take_apart(&status).reason;
                let after = self.standing().await;
                assert_eq!(
                    &after, before,
                    "{step} was refused with {reason}, and changed something"
                );
                reason
            }
        };
        println!("    {step}: {end}");
        *self.happened.entry(format!("{step} {end}")).or_default() += 1;
        self.look().await;
    }

    async fn step(&mut self) {
        let before = self.standing().await;
        let order_id = self.order_id.clone();
        match self.random.index(12) {
            0..=2 => self.pass().await,
            3..=5 => self.issue(before).await,
            6 | 7 => {
                let request = RenewOrderRequest {
                    order_id,
                    term_months: self.months(),
                    request_id: request_id(),
                    ..RenewOrderRequest::default()
                };
                let answer = self.world.orders().renew_order(request).await;
                self.note("renew", &before, answer).await;
            }
            8 | 9 => self.change(before).await,
            10 => {
                let request = CancelDomainChangeRequest {
                    order_id,
                    request_id: request_id(),
                    ..CancelDomainChangeRequest::default()
                };
                let answer = self.world.orders().cancel_domain_change(request).await;
                self.note("take back", &before, answer).await;
            }
            _ => self.revoke(before).await,
        }
    }

    /// Moves the clock to, or close to, an instant at which a term or a refund rule changes.
    async fn pass(&mut self) {
        let now = self.world.now();
        let mut marks = vec![];
        for (start, end) in self.seen.values() {
            for days in [0, self.terms.full_days, self.terms.no_days] {
                marks.push(shifted(*start, days * DAY_MICROS));
            }
            let before = |days: i64| shifted(*end, -days * DAY_MICROS);
            marks.extend([*end, before(3), before(80)]);
        }
        for found in self.certificates().await {
            for days in [self.terms.full_days, self.terms.no_days] {
                marks.push(shifted(found.recorded, days * DAY_MICROS));
            }
        }
        marks.retain(|mark| *mark > now);
        marks.sort_unstable();
        marks.dedup();
        let to = if marks.is_empty() || self.random.below(4) == 0 {
            shifted(
                now,
                (1 + i64::try_from(self.random.below(40)).unwrap()) * DAY_MICROS,
            )
        } else {
            let reach = marks.len().min(3);
            let mark = marks[self.random.index(reach)];
            shifted(mark, [-DAY_MICROS, -1, 0, 1][self.random.index(4)])
        };
        self.world.time.move_to(to.max(now));
        println!("    clock: {}", self.world.now());
        self.look().await;
    }

    /// Requests a reissue if none is pending and records a certificate, some to the order's end.
    async fn issue(&mut self, before: Standing) {
        if before.order.issuance_pending_time.is_none() {
            let request = RequestReissueRequest {
                order_id: self.order_id.clone(),
                request_id: request_id(),
                ..RequestReissueRequest::default()
            };
            let answer = self.world.orders().request_reissue(request).await;
            if answer.is_err() {
                return self.note("reissue", &before, answer).await;
            }
        }
        let before = self.standing().await;
        let order = &before.order;
        let change = order.pending_change.as_ref();
        let change = change.and_then(|pending| pending.domain_change.as_ref());
        let term = order.current_term.as_ref().unwrap();
        let names = change.map_or(&term.domains, |change| &change.names_after);
        let names = common_name_first(names.clone(), &order.common_name);
        let left = self.world.now().micros_until(instant(order.end_time)) / DAY_MICROS;
        let days = [left, 20, 90][self.random.index(3)].min(left).max(1);
        let chain = certificates::chain_for(&names, self.world.now(), days);
        let request = issuance_of(&self.order_id, chain);
        let answer = self.world.certificates().record_issuance(request).await;
        self.note("issue", &before, answer).await;
    }

    /// Adds and removes domains, sometimes without enough money.
    async fn change(&mut self, before: Standing) {
        let (add, remove) = self.some_change(&before.order);
        let poor = self.random.below(3) == 0;
        let balance = minor(
            self.world
                .get_account(&self.account_id)
                .await
                .balance
                .as_ref(),
        );
        if poor && balance > 500 {
            let text = Money::from_minor("USD".parse().unwrap(), balance - 500).value();
            self.world.withdraw(&self.account_id, &text).await.unwrap();
            self.deposited -= balance - 500;
        } else if !poor {
            self.deposit(30_000).await;
        }
        let before = Standing {
            entries: self.world.entries_of(&self.account_id).await,
            ..before
        };
        let add: Vec<_> = add.iter().map(String::as_str).collect();
        let remove: Vec<_> = remove.iter().map(String::as_str).collect();
        let request = change_request(&self.order_id, &add, &remove);
        let answer = self.world.orders().update_domains(request).await;
        self.note("change", &before, answer).await;
        if poor {
            self.deposit(50_000).await;
        }
    }

    fn some_change(&mut self, order: &Order) -> (Vec<String>, Vec<String>) {
        let all = [
            "a.test", "b.test", "c.test", "*.a.test", "*.b.test", "*.c.test",
        ];
        let has = &order.current_term.as_ref().unwrap().domains;
        let (mut add, mut remove) = (vec![], vec![]);
        for name in all {
            let there = has.iter().any(|it| it == name);
            if self.random.below(3) == 0 {
                let list = if there { &mut remove } else { &mut add };
                list.push(name.to_owned());
            }
        }
        (add, remove)
    }

    async fn revoke(&mut self, before: Standing) {
        let certificates = self.certificates().await;
        if certificates.is_empty() {
            return;
        }
        let place = self.random.index(certificates.len());
        let request = RevokeCertificateRequest {
            certificate_id: certificates[place].id.clone(),
            request_id: request_id(),
            ..RevokeCertificateRequest::default()
        };
        let answer = self.world.certificates().revoke_certificate(request).await;
        self.note("revoke", &before, answer).await;
    }

    async fn certificates(&self) -> Vec<Used> {
        let request = ListCertificatesRequest {
            order_id: self.order_id.clone(),
            page_size: 1000,
            ..ListCertificatesRequest::default()
        };
        let answer = self.world.certificates().list_certificates(request).await;
        let found = answer.unwrap().into_inner().certificates.into_iter();
        found
            .map(|it| {
                let expired = shifted(instant(it.not_after_time), 1_000_000);
                let revoked = it.revoke_time.map(|time| instant(Some(time)));
                let revoked = revoked.filter(|_| it.state() != CertificateState::ToRevoke);
                Used {
                    id: it.certificate_id,
                    recorded: instant(it.record_time),
                    until: revoked.map_or(expired, |revoked| revoked.min(expired)),
                }
            })
            .collect()
    }

    /// Deletes the order and compares each term's refund with its use.
    async fn end(&mut self) {
        let order = self.look().await;
        if order.state() == OrderState::Ended {
            let invoices = self.world.invoices_of(&self.order_id).await;
            return self.check_sum(&invoices).await;
        }
        let now = self.world.now();
        let used = self.certificates().await;
        let request = DeleteOrderRequest {
            order_id: self.order_id.clone(),
            request_id: request_id(),
            ..DeleteOrderRequest::default()
        };
        self.world.orders().delete_order(request).await.unwrap();
        self.world.settled(&self.order_id).await;
        let mut invoices = self.world.invoices_of(&self.order_id).await;
        invoices.sort_by(|one, other| one.number.cmp(&other.number));
        for (index, span) in self.seen.clone() {
            let of_term = |it: &&Invoice| it.subject.as_ref().unwrap().term_index == index;
            // The invoice of the term's purchase; only the term's refund credits it.
            let bought = invoices.iter().find(of_term).unwrap();
            let expected = self.foretold(span, instant(bought.issue_time), &used, now);
            let (total, credited) = (
                minor(bought.total.as_ref()),
                minor(bought.credited.as_ref()),
            );
            let held = minor(bought.held.as_ref());
            let figures = (credited == total, held == total, credited + held == 0);
            let right = match expected {
                RefundState::Refunded => figures.0,
                RefundState::PendingReview => figures.1 && credited == 0,
                RefundState::Unspecified | RefundState::NotDue | RefundState::Rejected => figures.2,
            };
            let when = if span.0 > now {
                "to come"
            } else if span.1 <= now {
                "over"
            } else {
                "running"
            };
            let what = match expected {
                RefundState::Refunded => "full refund",
                RefundState::PendingReview => "review",
                RefundState::Unspecified | RefundState::NotDue | RefundState::Rejected => {
                    "nothing due"
                }
            };
            println!("    delete: term {index} {when}: {what}");
            assert!(
                right,
                "AL-4: {what} of term {index} ({when}, {span:?}) at {now}: {credited} of {total} \
                 credited, {held} held; certificates {used:?}"
            );
            *self
                .happened
                .entry(format!("term {when} {what}"))
                .or_default() += 1;
        }
        self.check_sum(&invoices).await;
    }

    /// The refund state that AL-4 demands, from when certificates were valid.
    fn foretold(
        &self,
        (start, end): (Instant, Instant),
        purchase: Instant,
        used: &[Used],
        now: Instant,
    ) -> RefundState {
        if now < start {
            return RefundState::Refunded;
        }
        let stood = used.iter().filter_map(|it| {
            // A certificate recorded in the term counts from its record, even if it is revoked at once.
            let in_it = it.recorded >= start && it.recorded < end && it.recorded <= now;
            let before = it.recorded < start && it.until > start;
            (in_it || before).then_some(it.recorded.max(start))
        });
        let counted = match self.terms.count_from {
            RefundCount::Purchase => Some(purchase),
            RefundCount::FirstIssuance | RefundCount::Unspecified => stood.min(),
        };
        let Some(counted) = counted else {
            return if now < end {
                RefundState::Refunded
            } else {
                RefundState::NotDue
            };
        };
        let gone = counted.micros_until(now);
        if gone <= self.terms.full_days * DAY_MICROS {
            RefundState::Refunded
        } else if gone <= self.terms.no_days * DAY_MICROS {
            RefundState::PendingReview
        } else {
            RefundState::NotDue
        }
    }

    /// The balance and the charges add up to the deposits.
    async fn check_sum(&self, invoices: &[Invoice]) {
        let charged = invoices
            .iter()
            .map(|it| minor(it.total.as_ref()) - minor(it.credited.as_ref()));
        let account = self.world.get_account(&self.account_id).await;
        let balance = minor(account.balance.as_ref());
        assert_eq!(self.deposited, balance + charged.sum::<i64>(), "BL-5");
    }
}

/// The time in which a certificate was valid.
#[derive(Clone, Debug)]
struct Used {
    id: String,
    recorded: Instant,
    until: Instant,
}
