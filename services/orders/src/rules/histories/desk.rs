//! What the use-cases and the store keep of one order, as plain values moved by the rules, beside
//! the model of it.

use std::collections::BTreeSet;

use licet_domain::{
    clock::Instant,
    ids::{AccountId, InvoiceId, OrderId},
    money::{Currency, Money},
    san::San,
    term::Term,
};

use super::{
    NAMES, Outcome, Picks, agree, cost,
    model::{self, Charge, Counts, Model, Names},
};
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

/// What a step picks with, one number after another and from the first again.
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

    /// Some of the names, at most so many of those that are picked first.
    pub(super) fn names(&mut self, most: u32) -> Names {
        let count = self.below(most + 1);
        (0..count).map(|_| self.index(NAMES.len())).collect()
    }
}

/// What is being done at other services while the order waits.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum UnderWay {
    Change {
        accepted: Instant,
    },
    TakingBack {
        accepted: Instant,
        invoices: Vec<InvoiceId>,
    },
    Renewal {
        accepted: Instant,
        term: Box<OrderTerm>,
        /// The servers that were registered when it was accepted.
        known: BTreeSet<usize>,
        foretold: Box<model::Term>,
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

/// A change that was looked at: what binds a quote to it, and what the model knows of that.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Preview {
    pub(super) pin: String,
    pub(super) names: Names,
    /// The common name that it moves to.
    pub(super) common_name: Option<usize>,
    pub(super) moves: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Desk {
    pub(super) model: Model,
    pub(super) order: Order,
    /// The terms of the order that are over.
    pub(super) past: Vec<OrderTerm>,
    pub(super) certificates: Vec<Certificate>,
    pub(super) servers: Vec<Server>,
    pub(super) invoices: Vec<Invoice>,
    pub(super) previews: Vec<Preview>,
    pub(super) under_way: Option<UnderWay>,
}

pub(super) fn sans(names: &Names) -> BTreeSet<San> {
    names
        .iter()
        .map(|place| samples::dns(NAMES[*place]))
        .collect()
}

/// As a customer may write them (MD-5).
pub(super) fn spelled(names: &Names, dice: &mut Dice) -> BTreeSet<San> {
    let name = |place: &usize| match dice.below(3) {
        0 => samples::dns(&NAMES[*place].to_uppercase()),
        1 => samples::dns(&format!("{}.", NAMES[*place])),
        _ => samples::dns(NAMES[*place]),
    };
    names.iter().map(name).collect()
}

pub(super) fn counts(slots: Slots) -> Counts {
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

/// A version of the product, which is of the same kind for good.
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
        // No fewer than those of the stand-in for Billing.
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

pub(super) fn some_months(dice: &mut Dice) -> u32 {
    [1, 1, 3, 12, 12, 24][dice.index(6)]
}

impl Desk {
    /// An order that is paid. One that is refused as foretold is asked for again, plainly.
    pub(super) fn open(picks: Picks) -> Self {
        let mut dice = Dice::of(picks);
        let kind = match dice.once_in(4) {
            true => ProductKind::SingleDomain,
            false => ProductKind::MultiDomain,
        };
        let product = some_product(kind, &mut dice);
        let names = match kind == ProductKind::SingleDomain {
            true => [0].into(),
            false => &dice.names(5) | &[0].into(),
        };
        let (months, licenses) = (some_months(&mut dice), i64::from(dice.below(5)));
        let draws = dice.once_in(6);
        let plain = |names: &Names, months, licenses, draws| {
            let foretold = Model::may_sell(&product, names, months, licenses, draws);
            let wanted = WantedOrder {
                names: &sans(names),
                term_months: months,
                additional_licenses: u32::try_from(licenses).unwrap(),
                draws_on_license: draws,
            };
            let (paid, plan) = agree(foretold, plan_order(&product, &wanted))?;
            assert_eq!(charged(plan.charge), paid, "MD-4");
            Ok(Self::placed(&product, names, months, plan, licenses, draws))
        };
        let first: Result<Self, Outcome> = plain(&names, months, licenses, draws);
        first.unwrap_or_else(|_| plain(&[0].into(), 12, 0, draws).ok().unwrap())
    }

    fn placed(
        product: &Product,
        names: &Names,
        months: u32,
        plan: OrderPlan,
        licenses: i64,
        draws_on_license: bool,
    ) -> Self {
        // A month's end, so that terms differ in length (T-2).
        let now = samples::instant("2026-01-31T09:30:00.000001Z");
        let term = Term::first(now, months).unwrap();
        let pending = Order {
            id: OrderId::generate(),
            account_id: AccountId::generate(),
            progress: Progress::Pending,
            revision: 1,
            names: sans(names),
            san_license_id: draws_on_license.then(licet_domain::ids::LicenseId::generate),
            term: OrderTerm {
                index: 0,
                term,
                price_time: now,
                additional_licenses: u32::try_from(licenses).unwrap(),
                first_issuance_time: None,
                sold: None,
                names: None,
                kept_servers: None,
                bought_time: Some(now),
            },
            create_time: now,
            decision_time: now,
            ..samples::order(&[NAMES[0]])
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
        let mut model = Model {
            now,
            anchor: now,
            draws_on_license,
            terms: vec![],
            running: 0,
            carried: names.clone(),
            common_name: 0,
            is_issued: false,
            is_deleted: false,
            change: None,
            reissue_since: None,
            key: None,
            software: 0,
            servers: vec![],
            certificates: vec![],
            moves: 1,
        };
        let foretold = model::Term {
            start: now,
            end: now.checked_add_months(months).unwrap(),
            months,
            bought: now,
            product: product.clone(),
            licenses,
            names: names.clone(),
            slots: (0, 0),
            kept: None,
            first_issued: None,
            invoices: vec![],
        };
        model.sell(foretold, paid);
        let mut desk = Self {
            model,
            order: pending.apply_sale(sold, None),
            past: vec![],
            certificates: vec![],
            servers: vec![],
            invoices: vec![],
            previews: vec![],
            under_way: None,
        };
        desk.invoice(0, cost(now, 1, paid, licenses));
        desk
    }

    pub(super) fn now(&self) -> Instant {
        self.model.now
    }

    /// Deleted, or ended for good.
    pub(super) fn is_over(&self) -> bool {
        let last = self.model.terms.last().unwrap();
        let grace = i64::from(last.product.renewal_grace_days);
        let until = last.end.checked_add(chrono::TimeDelta::days(grace));
        self.model.is_deleted || until.is_some_and(|until| until <= self.now())
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
