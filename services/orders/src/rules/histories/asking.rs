//! The steps of a history: each is asked of the rules as its use-case asks them, and of the model,
//! and what both allow is done to both.

use std::collections::BTreeSet;

use licet_domain::{clock::Instant, refusal::Reason};

use super::{
    Kind, NAMES, Outcome, Step, agree, cost,
    desk::{Desk, Dice, Preview, UnderWay, charged, money, sans, spelled},
    model::{Charge, NOTHING, Names, why},
};
use crate::rules::{
    cancellation::plan_cancellation,
    common_name::permit_move,
    domains::{WantedChange, plan_domain_change},
    order::{ChangeCharge, OrderTerm},
    permission::{Action, permit},
    product::ProductKind,
    samples,
    servers::Server,
};

pub(super) type Done = Result<(), Outcome>;

pub(super) const DAY_US: i64 = 86_400_000_000;

pub(super) fn shifted(instant: Instant, micros: i64) -> Instant {
    Instant::from_micros(instant.as_micros() + micros).unwrap()
}

impl Desk {
    pub(super) fn step(&mut self, step: &Step) -> Done {
        let mut dice = Dice::of(step.picks);
        let dice = &mut dice;
        match step.kind {
            Kind::Pass => self.let_time_pass(dice),
            Kind::PassToEdge => self.pass_to_an_edge(dice),
            Kind::WriteDown => self.lock_alone(),
            Kind::ChangeDomains => self.change_domains(dice, false),
            Kind::Move => self.change_domains(dice, true),
            Kind::CancelChange => self.cancel_change(),
            Kind::Finish => self.finish(dice),
            Kind::RequestReissue => self.request_reissue(dice),
            Kind::Issue => self.issue(dice),
            Kind::Renew => self.renew(dice),
            Kind::Register => self.register(dice),
            Kind::Unregister => self.unregister(dice),
            Kind::SetSoftware => self.set_software(dice),
            Kind::Revoke => self.revoke(dice),
            Kind::Delete => self.delete(),
        }
    }

    fn let_time_pass(&mut self, dice: &mut Dice) -> Done {
        let days = [1, 3, 30, 100][dice.index(4)];
        let micros = i64::from(dice.below(u32::MAX)) * 20 % DAY_US;
        let mut to = shifted(self.now(), days * DAY_US - micros);
        // What has ended has little to tell: mostly it is renewed before.
        let eve = shifted(self.model.end(), -DAY_US);
        if to > eve && !dice.once_in(6) {
            to = eve;
        }
        if to <= self.now() {
            return Err(Outcome::Idle);
        }
        self.model.pass(to);
        Ok(())
    }

    /// To the microsecond before something changes by time alone, that of it, or the one after.
    fn pass_to_an_edge(&mut self, dice: &mut Dice) -> Done {
        let last = self.model.terms.last().unwrap();
        let days = |days: u32| i64::from(days) * DAY_US;
        let mut edges = vec![
            shifted(last.end, -days(last.product.renewal_open_days)),
            self.model.term().end,
        ];
        if dice.once_in(4) {
            edges.push(shifted(last.end, days(last.product.renewal_grace_days)));
        }
        for place in self.model.running.saturating_sub(1)..=self.model.running {
            let since = self.model.counted_since(place);
            edges.extend(since.map(|it| shifted(it, days(25))));
        }
        // What is issued on a term's last day stands in the next one.
        edges.push(shifted(self.model.term().end, -DAY_US));
        for found in &self.model.certificates {
            edges.extend(found.revoked);
            edges.push(shifted(found.not_after, 1_000_000));
        }
        edges.extend([
            samples::instant("2026-03-15T00:00:00Z"),
            samples::instant("2027-03-15T00:00:00Z"),
        ]);
        edges.retain(|edge| *edge > self.model.now);
        if edges.is_empty() {
            return Err(Outcome::Idle);
        }
        let edge = edges[dice.index(edges.len())];
        let to = shifted(edge, i64::from(dice.below(3)) - 1);
        if to <= self.now() {
            return Err(Outcome::Idle);
        }
        self.model.pass(to);
        Ok(())
    }

    fn some_change(&self, dice: &mut Dice) -> (Names, Names) {
        let names = self.model.term().names.clone();
        let mut added = dice.names(3);
        // Most changes are ones that can be made.
        if !dice.once_in(6) {
            added = &added - &names;
        }
        let mut removed = Names::new();
        for name in names {
            if dice.once_in(4) && (name != self.model.common_name || dice.once_in(4)) {
                removed.insert(name);
            }
        }
        if dice.once_in(10) {
            removed.insert(dice.index(NAMES.len()));
        }
        (&added - &removed, removed)
    }

    /// A common name to move to, with names that go with it: mostly one of those after the change, and
    /// the old one leaves now and then.
    fn some_move(&self, dice: &mut Dice) -> (Names, Names, usize) {
        let old = self.model.common_name;
        let names = &self.model.term().names;
        let is_single = self.model.term().product.kind == ProductKind::SingleDomain;
        if is_single || dice.once_in(3) {
            let name = dice.index(NAMES.len());
            let added = &Names::from([name]) - names;
            let removed = match is_single || dice.once_in(2) {
                true => &Names::from([old]) - &added,
                false => Names::new(),
            };
            return (added, removed, name);
        }
        let (added, mut removed) = match dice.once_in(3) {
            true => self.some_change(dice),
            false => (Names::new(), Names::new()),
        };
        let after: Vec<usize> = (&(names - &removed) | &added).into_iter().collect();
        let name = match after.is_empty() || dice.once_in(8) {
            true => dice.index(NAMES.len()),
            false => after[dice.index(after.len())],
        };
        if dice.once_in(2) && name != old {
            removed.insert(old);
        }
        (added, removed, name)
    }

    fn change_domains(&mut self, dice: &mut Dice, moves: bool) -> Done {
        self.lock_alone()?;
        let now = self.now();
        let (added, removed, named) = if moves {
            let (added, removed, name) = self.some_move(dice);
            (added, removed, Some(name))
        } else {
            let (added, removed) = self.some_change(dice);
            (added, removed, None)
        };
        let foretold = self.model.may_change(&added, &removed, named);
        let wanted = WantedChange {
            add: spelled(&added, dice),
            remove: spelled(&removed, dice),
            common_name: named.map(|name| samples::dns(NAMES[name])),
        };
        let servers = self.servers_now();
        let planned = permit(&self.order, Action::ChangeDomains, now)
            .and_then(|()| plan_domain_change(&self.order, &wanted))
            .and_then(|plan| {
                if plan.common_name.is_some() {
                    permit_move(&self.order, &servers)?;
                }
                Ok(plan)
            });
        let (change, plan) = agree(foretold, planned)?;
        let index = self.model.running;
        assert_eq!(charged(plan.charge), change.charge(index), "MD-4");
        assert_eq!(charged(plan.next_charge), change.charge(index + 1), "MD-8");
        assert_eq!(plan.is_free(), change.is_free(), "MD-2");
        let names = &(&self.model.term().names - &removed) | &added;
        assert_eq!(plan.names, sans(&names), "MD-5");
        let moved = change.moved.map(|name| samples::dns(NAMES[name]));
        assert_eq!(plan.common_name, moved, "MD-5");
        let common_name = change.moved;
        for before in &self.previews {
            let same = (&before.names, before.common_name) == (&names, common_name)
                && before.moves == self.model.moves;
            assert_eq!(before.pin == plan.pin, same, "MD-6");
        }
        self.previews.push(Preview {
            pin: plan.pin.clone(),
            names,
            common_name,
            moves: self.model.moves,
        });
        if dice.once_in(3) {
            return Ok(()); // It was a preview.
        }
        self.model.change = Some(change);
        if plan.is_free() {
            self.model.charge();
        } else {
            self.under_way = Some(UnderWay::Change { accepted: now });
        }
        self.order = self.order.clone().apply_change(plan, None, now);
        Ok(())
    }

    fn cancel_change(&mut self) -> Done {
        self.lock_alone()?;
        let now = self.now();
        let foretold = self.model.may(Action::CancelChange);
        let foretold = foretold.and_then(|()| match &self.model.change {
            Some(change) => Ok(change.invoices.len()),
            None => Err(why(Reason::NoChangePending)),
        });
        let planned = permit(&self.order, Action::CancelChange, now)
            .and_then(|()| plan_cancellation(&self.order, now));
        let (count, plan) = agree(foretold, planned)?;
        assert_eq!(plan.invoices.len(), count, "MD-7");
        if plan.invoices.is_empty() {
            self.model.cancel_change();
            self.order = self.order.clone().apply_change_cancelled(now);
            return Ok(());
        }
        self.model.change.as_mut().unwrap().waits = false;
        self.under_way = Some(UnderWay::TakingBack {
            accepted: now,
            invoices: plan.invoices,
        });
        self.order = self.order.clone().apply_cancellation(now);
        Ok(())
    }

    /// What is under way ends: done, or refused and as if it had not been asked for.
    fn finish(&mut self, dice: &mut Dice) -> Done {
        let done = !dice.once_in(5);
        match self.under_way.take() {
            None => return Err(Outcome::Idle),
            Some(UnderWay::Change { accepted }) if done => self.charge_change(accepted),
            Some(UnderWay::Change { accepted }) => {
                self.model.change = None;
                self.order = self.order.clone().apply_change_refused(accepted);
            }
            Some(UnderWay::TakingBack { accepted, invoices }) if done => {
                self.model.cancel_change();
                for invoice in &mut self.invoices {
                    if invoices.contains(&invoice.id) {
                        invoice.credited = invoice.total;
                    }
                }
                self.order = self.order.clone().apply_change_cancelled(accepted);
            }
            Some(UnderWay::TakingBack { accepted, .. }) => {
                self.model.change.as_mut().unwrap().waits = true;
                self.order = self.order.clone().apply_cancellation_refused(accepted);
            }
            Some(UnderWay::Renewal {
                accepted,
                term,
                known,
                foretold,
                paid,
            }) => {
                if done {
                    self.model.renew(*foretold, paid, &known);
                    self.charge_renewal(*term, paid, &known, accepted);
                }
            }
        }
        Ok(())
    }

    fn charge_change(&mut self, accepted: Instant) {
        self.model.charge();
        let change = self.order.change.clone().unwrap();
        let order = &self.order;
        let bought = |index: u32| {
            let terms = std::iter::once(&order.term).chain(&order.next_term);
            let mut found = terms.filter(|term| term.index == index);
            found.next().map(|term| term.price_time)
        };
        let (this, next) = (change.term_index, change.term_index + 1);
        let total = |bought: Option<Instant>, charge| match charged(charge) {
            NOTHING => None,
            charge => Some(cost(bought.unwrap(), 0, charge, 0)),
        };
        let this = (this, total(bought(this), change.charge));
        let next = (next, total(bought(next), change.next_charge));
        let mut invoiced = |(index, total): (u32, Option<i64>)| {
            total.map(|total| ChangeCharge {
                invoice_id: Some(self.invoice(index, total)),
                total: money(total),
            })
        };
        let (this, next) = (invoiced(this), invoiced(next));
        let order = self.order.clone();
        self.order = order.apply_change_charged(this, next, accepted);
    }

    fn charge_renewal(
        &mut self,
        term: OrderTerm,
        paid: Charge,
        known: &BTreeSet<usize>,
        accepted: Instant,
    ) {
        let licenses = i64::from(term.additional_licenses);
        let total = cost(term.price_time, 1, paid, licenses);
        self.invoice(term.index, total);
        let known = known.iter().map(|place| self.servers[*place].id).collect();
        let servers = self.servers_as_written();
        let order = self.order.clone();
        self.order = order.apply_renewal(term, &known, &servers, accepted);
        // A term that was bought late runs at once (MD-10).
        self.model.pass(self.now());
    }

    fn servers_as_written(&self) -> Vec<Server> {
        let servers = self.servers.iter().cloned();
        servers
            .map(|server| server.with_lapse(&self.order))
            .collect()
    }
}
