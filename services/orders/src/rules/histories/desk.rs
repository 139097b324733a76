//! One order as use-cases and store hold it, changed by the rules, beside the oracle's.

use std::collections::BTreeSet;

use licet_domain::{
    clock::Instant,
    ids::{AccountId, InvoiceId, OrderId},
    money::{Currency, Money},
    san::San,
    term::Term,
};
use licet_oracle::orders::{
    order as oracle,
    policy::{self, Domains, Policy, SlotCharge as Charge, TermRequest},
};

use super::{DOMAINS, Outcome, Picks, SOFTWARE, agree, cost};
use crate::rules::{
    certificate::Certificate,
    new_order::{OrderPlan, WantedOrder, plan_order},
    order::{Order, OrderTerm, Progress, SoldProduct},
    permission::{Action, permit},
    product::{Product, ProductKind, RefundCount, SupersededHandling},
    refund_count::ValidPeriod,
    samples,
    servers::Server,
    slots::{SlotCharge, Slots, WildcardReplacement},
};

/// Deals a step's numbers, one after another and from the first again.
pub(super) struct Dice {
    picks: Picks,
    next: usize,
}

impl Dice {
    pub(super) fn of(picks: Picks) -> Self {
        Self { picks, next: 0 }
    }

    pub(super) fn below(&mut self, limit: u32) -> u32 {
        let number = self.picks[self.next % self.picks.len()];
        self.next += 1;
        // Later rounds read other bits of the same numbers.
        let round = u32::try_from(self.next / self.picks.len()).unwrap();
        number.rotate_right(7 * round) % limit
    }

    /// True once in so many times.
    pub(super) fn once_in(&mut self, times: u32) -> bool {
        self.below(times) == 0
    }

    pub(super) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(u32::try_from(length).unwrap())).unwrap()
    }

    pub(super) fn domain(&mut self) -> &'static str {
        DOMAINS[self.index(DOMAINS.len())]
    }

    pub(super) fn domains(&mut self, most: u32) -> Domains {
        let count = self.below(most + 1);
        (0..count).map(|_| self.domain()).collect()
    }
}

/// What runs at other services while the order waits.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum UnderWay {
    Change {
        accepted: Instant,
    },
    Cancellation {
        accepted: Instant,
        invoices: Vec<InvoiceId>,
    },
    Renewal {
        accepted: Instant,
        term: Box<OrderTerm>,
        /// The servers that were registered when the renewal was accepted.
        known: BTreeSet<usize>,
        foretold: Box<oracle::Term>,
        paid: Charge,
    },
}

/// An invoice of a term.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Invoice {
    pub(super) id: InvoiceId,
    pub(super) term_index: u32,
    pub(super) total: i64,
    pub(super) credited: i64,
}

/// A change that was previewed: what binds a quote to it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Preview {
    pub(super) pin: String,
    /// The domains after the change.
    pub(super) domains: Domains,
    /// The common name that it moves to.
    pub(super) common_name: Option<&'static str>,
    pub(super) revision: i64,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Desk {
    pub(super) model: oracle::Order,
    pub(super) order: Order,
    /// The terms of the order that are over.
    pub(super) past: Vec<OrderTerm>,
    pub(super) certificates: Vec<Certificate>,
    pub(super) servers: Vec<Server>,
    pub(super) invoices: Vec<Invoice>,
    pub(super) previews: Vec<Preview>,
    pub(super) under_way: Option<UnderWay>,
}

pub(super) fn sans(domains: &Domains) -> BTreeSet<San> {
    domains.iter().map(|domain| samples::dns(domain)).collect()
}

/// As a customer may write them (MD-5).
pub(super) fn spelled(domains: &Domains, dice: &mut Dice) -> BTreeSet<San> {
    let spell = |domain: &&str| match dice.below(3) {
        0 => samples::dns(&domain.to_uppercase()),
        1 => samples::dns(&format!("{domain}.")),
        _ => samples::dns(domain),
    };
    domains.iter().map(spell).collect()
}

pub(super) fn counts(slots: Slots) -> policy::Slots {
    (i64::from(slots.standard), i64::from(slots.wildcard))
}

pub(super) fn charged(charge: SlotCharge) -> Charge {
    let SlotCharge {
        standard,
        wildcard,
        converted,
    } = charge;
    (standard.into(), wildcard.into(), converted.into())
}

pub(super) fn money(minor: i64) -> Money {
    let currency: Currency = "USD".parse().unwrap();
    Money::from_minor(currency, minor)
}

/// What a version of the product says, as the oracle has it.
pub(super) fn policy_of(product: &Product) -> Policy {
    Policy {
        is_single_domain: product.kind == ProductKind::SingleDomain,
        term_months: product.terms_months.clone(),
        included_domains: product.included_domains.into(),
        max_domains: product.max_domains.into(),
        has_wildcards: product.wildcards_offered,
        wildcard_replacement: match product.wildcard_replacement {
            WildcardReplacement::Free => policy::WildcardReplacement::Free,
            WildcardReplacement::Difference => policy::WildcardReplacement::Difference,
            WildcardReplacement::FullPrice => policy::WildcardReplacement::FullPrice,
        },
        max_licenses: product.max_additional_licenses.into(),
        is_public: product.publicly_trusted,
        superseded_hours: match product.superseded {
            SupersededHandling::RevokedAfterHours(hours) => Some(hours.into()),
            SupersededHandling::NeverRevoked => None,
        },
        tolerance_hours: product.tolerance_hours.into(),
        renewal_open_days: product.renewal_open_days.into(),
        renewal_grace_days: product.renewal_grace_days.into(),
        // Orders leaves this limit to Billing.
        full_refund_days: FULL_REFUND_DAYS,
        no_refund_days: product.no_refund_days.map(i64::from),
        counts_from_purchase: product.refund_count == RefundCount::Purchase,
    }
}

/// A version of the product, which always has the same kind.
pub(super) fn some_product(kind: ProductKind, dice: &mut Dice) -> Product {
    let (included, maximum) = (1 + dice.below(4), 4 + dice.below(5));
    let is_single = kind == ProductKind::SingleDomain;
    Product {
        kind,
        terms_months: vec![1, 3, 12],
        included_domains: if is_single { 1 } else { included },
        max_domains: if is_single { 1 } else { maximum },
        wildcards_offered: !dice.once_in(5),
        max_additional_licenses: 1 + dice.below(3),
        superseded: match dice.below(3) {
            0 => SupersededHandling::NeverRevoked,
            hours => SupersededHandling::RevokedAfterHours((hours - 1) * 72),
        },
        tolerance_hours: dice.below(2) * 24,
        publicly_trusted: !dice.once_in(3),
        refund_count: [RefundCount::FirstIssuance, RefundCount::Purchase]
            [usize::from(dice.once_in(4))],
        no_refund_days: [Some(30), Some(25), None][dice.index(3)],
        renewal_open_days: [90, 30, 10][dice.index(3)],
        renewal_grace_days: dice.below(2) * 30,
        wildcard_replacement: [
            WildcardReplacement::Free,
            WildcardReplacement::Difference,
            WildcardReplacement::FullPrice,
        ][dice.index(3)],
        ..samples::multi_domain()
    }
}

/// In place of Billing's.
pub(super) const FULL_REFUND_DAYS: i64 = 25;

pub(super) fn some_months(dice: &mut Dice) -> u32 {
    [1, 1, 3, 12, 12, 24][dice.index(6)]
}

/// A month's end, so that terms differ in length (T-2).
const PLACED: &str = "2026-01-31T09:30:00.000001Z";

impl Desk {
    /// An order that is paid. One that is refused as foretold is asked for again, plainly.
    pub(super) fn open(picks: Picks) -> Self {
        let mut dice = Dice::of(picks);
        let kind = match dice.once_in(4) {
            true => ProductKind::SingleDomain,
            false => ProductKind::MultiDomain,
        };
        let product = some_product(kind, &mut dice);
        let mut domains = match kind == ProductKind::SingleDomain {
            true => Domains::new(),
            false => dice.domains(5),
        };
        domains.insert(DOMAINS[0]);
        let (months, licenses) = (some_months(&mut dice), dice.below(5));
        let draws = dice.once_in(6);
        let place = |domains: Domains, months, licenses| {
            let request = TermRequest {
                policy: policy_of(&product),
                months,
                licenses: i64::from(licenses),
                domains,
                price_time: samples::instant(PLACED),
            };
            let wanted = WantedOrder {
                names: &sans(&request.domains),
                term_months: months,
                additional_licenses: licenses,
                draws_on_license: draws,
            };
            let planned = plan_order(&product, &wanted);
            let (paid, plan) = agree(request.slots_to_pay(draws), planned)?;
            assert_eq!(charged(plan.charge), paid, "MD-4");
            Ok(Self::placed(&product, request, plan, draws))
        };
        let first: Result<Self, Outcome> = place(domains, months, licenses);
        let plainly = || place([DOMAINS[0]].into(), 12, 0).ok().unwrap();
        first.unwrap_or_else(|_| plainly())
    }

    fn placed(product: &Product, request: TermRequest, plan: OrderPlan, draws: bool) -> Self {
        let now = request.price_time;
        let pending = Order {
            id: OrderId::generate(),
            account_id: AccountId::generate(),
            progress: Progress::Pending,
            revision: 1,
            names: sans(&request.domains),
            san_license_id: draws.then(licet_domain::ids::LicenseId::generate),
            term: OrderTerm {
                index: 0,
                term: Term::first(now, request.months).unwrap(),
                price_time: now,
                additional_licenses: u32::try_from(request.licenses).unwrap(),
                first_issuance_time: None,
                sold: None,
                names: None,
                kept_servers: None,
                bought_time: Some(now),
            },
            create_time: now,
            decision_time: now,
            ..samples::order(&[DOMAINS[0]])
        };
        for action in Action::ALL {
            assert!(permit(&pending, action, now).is_err(), "{action:?}");
        }
        let paid = charged(plan.charge);
        let sold = SoldProduct {
            product: product.clone(),
            slots: plan.slots,
            currency: money(0).currency(),
            san_product_id: None,
        };
        let total = cost(now, 1, paid, request.licenses);
        let at_placing = (DOMAINS[0], SOFTWARE[0]);
        let mut desk = Self {
            model: oracle::Order::place(request, paid, total, at_placing, (draws, now)),
            order: pending.apply_sale(sold, None),
            past: vec![],
            certificates: vec![],
            servers: vec![],
            invoices: vec![],
            previews: vec![],
            under_way: None,
        };
        desk.invoice(0, total);
        desk
    }

    pub(super) fn now(&self) -> Instant {
        self.model.now
    }

    pub(super) fn invoice(&mut self, term_index: u32, total: i64) -> InvoiceId {
        let id = InvoiceId::generate();
        self.invoices.push(Invoice {
            id,
            term_index,
            total,
            credited: 0,
        });
        id
    }

    /// The order as time has it; what time did is written down with a decision (MD-10). Nothing can
    /// be while an operation holds the terms as they stood.
    pub(super) fn lock(&mut self) -> Result<(), Outcome> {
        while let Some((_, next)) = self.order.next_turn(self.now()) {
            if self.under_way.is_some() {
                return Err(Outcome::Idle);
            }
            let before = std::mem::replace(&mut self.order, next);
            if before.term.index != self.order.term.index {
                self.past.push(before.term);
            }
        }
        Ok(())
    }

    /// As [`Self::lock`], for what waits until nothing else is under way.
    pub(super) fn lock_alone(&mut self) -> Result<(), Outcome> {
        if self.under_way.is_some() {
            return Err(Outcome::Idle);
        }
        self.lock()
    }

    /// From when until when its certificates stand.
    pub(super) fn valid_periods(&self) -> Vec<ValidPeriod> {
        self.certificates.iter().map(ValidPeriod::of).collect()
    }

    /// The servers as they stand on the order.
    pub(super) fn servers_now(&self) -> Vec<Server> {
        let (order, _) = self.order.clone().at(self.now());
        let servers = self.servers.iter().cloned();
        servers.map(|server| server.with_lapse(&order)).collect()
    }
}
