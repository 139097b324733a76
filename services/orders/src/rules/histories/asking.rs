//! The steps of a history: each is asked of the rules as its use-case asks them, and of the oracle.
//! What both permit is done to both.

use std::collections::BTreeSet;

use licet_domain::clock::Instant;
use licet_oracle::orders::{
    domain_changes::ChangeRequest,
    policy::{Domains, NO_CHARGE, SlotCharge as Charge},
};

use super::{
    Kind, Outcome, Step, agree, cost,
    desk::{Desk, Dice, FULL_REFUND_DAYS, Preview, UnderWay, charged, money, sans, spelled},
};
use crate::rules::{
    cancellation::plan_cancellation,
    common_name::permit_move,
    domains::{WantedChange, plan_domain_change},
    order::{ChangeCharge, OrderTerm},
    permission::{Action, permit},
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
        // An ended order has little to show: mostly it is renewed before.
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

    /// Moves the clock to an instant at which time alone changes something, or to the microsecond before or after it.
    fn pass_to_an_edge(&mut self, dice: &mut Dice) -> Done {
        let days = |days: i64| days * DAY_US;
        let (from, until) = self.model.renewable();
        let mut edges = vec![from, self.model.term().end];
        if dice.once_in(4) {
            edges.push(until);
        }
        for place in self.model.running.saturating_sub(1)..=self.model.running {
            let since = self.model.counted_since(place);
            edges.extend(since.map(|it| shifted(it, days(FULL_REFUND_DAYS))));
        }
        // What is issued on a term's last day stands in the next one.
        edges.push(shifted(self.model.term().end, -DAY_US));
        for found in &self.model.certificates {
            edges.extend(found.revoked);
            edges.push(found.expires);
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

    fn some_change(&self, dice: &mut Dice) -> ChangeRequest {
        let domains = &self.model.term().domains;
        let mut added = dice.domains(3);
        // Most changes are ones that can be made.
        if !dice.once_in(6) {
            added = &added - domains;
        }
        let mut removed = Domains::new();
        for domain in domains {
            if dice.once_in(4) && (*domain != self.model.common_name || dice.once_in(4)) {
                removed.insert(*domain);
            }
        }
        if dice.once_in(10) {
            removed.insert(dice.domain());
        }
        ChangeRequest {
            added: &added - &removed,
            removed,
            common_name: None,
        }
    }

    /// A common name to move to, with domains that go with it: mostly one of those after the change,
    /// and the old one is removed now and then.
    fn some_move(&self, dice: &mut Dice) -> ChangeRequest {
        let old = self.model.common_name;
        let domains = &self.model.term().domains;
        let is_single = self.model.term().policy.is_single_domain;
        if is_single || dice.once_in(3) {
            let new = dice.domain();
            let added = &Domains::from([new]) - domains;
            let removed = match is_single || dice.once_in(2) {
                true => &Domains::from([old]) - &added,
                false => Domains::new(),
            };
            return ChangeRequest {
                added,
                removed,
                common_name: Some(new),
            };
        }
        let mut request = match dice.once_in(3) {
            true => self.some_change(dice),
            false => ChangeRequest {
                added: Domains::new(),
                removed: Domains::new(),
                common_name: None,
            },
        };
        let after: Vec<_> = request.applied_to(domains).into_iter().collect();
        let new = match after.is_empty() || dice.once_in(8) {
            true => dice.domain(),
            false => after[dice.index(after.len())],
        };
        if dice.once_in(2) && new != old {
            request.removed.insert(old);
        }
        request.common_name = Some(new);
        request
    }

    fn change_domains(&mut self, dice: &mut Dice, moves: bool) -> Done {
        self.lock_alone()?;
        let now = self.now();
        let request = match moves {
            true => self.some_move(dice),
            false => self.some_change(dice),
        };
        let foretold = self.model.may_change(&request);
        let wanted = WantedChange {
            add: spelled(&request.added, dice),
            remove: spelled(&request.removed, dice),
            common_name: request.common_name.map(samples::dns),
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
        let domains = request.applied_to(&self.model.term().domains);
        assert_eq!(plan.names, sans(&domains), "MD-5");
        let common_name = change.moved;
        assert_eq!(plan.common_name, common_name.map(samples::dns), "MD-5");
        let revision = self.model.revision;
        for before in &self.previews {
            let is_same = (&before.domains, before.common_name) == (&domains, common_name)
                && before.revision == revision;
            assert_eq!(before.pin == plan.pin, is_same, "MD-6");
        }
        self.previews.push(Preview {
            pin: plan.pin.clone(),
            domains,
            common_name,
            revision,
        });
        if dice.once_in(3) {
            return Ok(()); // It was a preview.
        }
        self.model.change = Some(change);
        if plan.is_free() {
            self.charge_the_model();
        } else {
            self.under_way = Some(UnderWay::Change { accepted: now });
        }
        self.order = self.order.clone().apply_change(plan, None, now);
        Ok(())
    }

    /// What the change that waits costs is charged to the oracle's order.
    fn charge_the_model(&mut self) {
        let change = self.model.change.take().unwrap();
        let charges = change.charges.iter();
        let charges = charges.filter(|(_, charge)| *charge != NO_CHARGE);
        let total = |(place, charge): &(usize, Charge)| {
            (*place, cost(self.model.terms[*place].bought, 0, *charge, 0))
        };
        let totals: Vec<_> = charges.map(total).collect();
        self.model.change(change, &totals);
    }

    fn cancel_change(&mut self) -> Done {
        self.lock_alone()?;
        let now = self.now();
        let foretold = self.model.may_cancel_change();
        let change = self.model.change.as_ref();
        let foretold = foretold.map(|()| change.unwrap().invoices.len());
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
        self.under_way = Some(UnderWay::Cancellation {
            accepted: now,
            invoices: plan.invoices,
        });
        self.order = self.order.clone().apply_cancellation(now);
        Ok(())
    }

    /// What is under way ends: done, or refused without a trace.
    fn finish(&mut self, dice: &mut Dice) -> Done {
        let done = !dice.once_in(5);
        match self.under_way.take() {
            None => return Err(Outcome::Idle),
            Some(UnderWay::Change { accepted }) if done => self.charge_change(accepted),
            Some(UnderWay::Change { accepted }) => {
                self.model.change = None;
                self.order = self.order.clone().apply_change_refused(accepted);
            }
            Some(UnderWay::Cancellation { accepted, invoices }) if done => {
                self.model.cancel_change();
                for invoice in &mut self.invoices {
                    if invoices.contains(&invoice.id) {
                        invoice.credited = invoice.total;
                    }
                }
                self.order = self.order.clone().apply_change_cancelled(accepted);
            }
            Some(UnderWay::Cancellation { accepted, .. }) => {
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
                    let total = cost(foretold.bought, 1, paid, foretold.licenses);
                    self.model.renew(*foretold, total, &known);
                    self.charge_renewal(*term, paid, &known, accepted);
                }
            }
        }
        Ok(())
    }

    fn charge_change(&mut self, accepted: Instant) {
        self.charge_the_model();
        let change = self.order.change.clone().unwrap();
        let order = &self.order;
        let bought = |index: u32| {
            let terms = std::iter::once(&order.term).chain(&order.next_term);
            let mut found = terms.filter(|term| term.index == index);
            found.next().map(|term| term.price_time)
        };
        let (this, next) = (change.term_index, change.term_index + 1);
        let total = |bought: Option<Instant>, charge| match charged(charge) {
            NO_CHARGE => None,
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
    }

    fn servers_as_written(&self) -> Vec<Server> {
        let servers = self.servers.iter().cloned();
        servers
            .map(|server| server.with_lapse(&self.order))
            .collect()
    }
}
