//! The steps of a history about renewals, servers and the deletion (AL-6 to AL-9, MD-10).

use std::collections::BTreeSet;

use licet_domain::ids::ServerId;
use licet_oracle::orders::{
    order as oracle,
    policy::{RefundState, TermRequest},
};

use super::{
    DOMAINS, Outcome, SOFTWARE, agree,
    asking::Done,
    desk::{
        Desk, Dice, Invoice, UnderWay, charged, money, policy_of, sans, some_months, some_product,
        spelled,
    },
};
use crate::rules::{
    common_name::permit_further_server,
    deletion::plan_deletion,
    new_order::{WantedOrder, plan_either},
    not_found,
    order::{OrderTerm, SoldProduct},
    permission::{Action, permit},
    refund_count::{is_open, refund_count_start},
    renewal::{RenewalError, WantedRenewal, plan_renewal},
    samples,
    servers::{Server, ServerState, permit_server, registered, takes_primary_place},
    software::plan_software,
};

impl Desk {
    pub(super) fn renew(&mut self, dice: &mut Dice) -> Done {
        let (from, _) = self.model.renewable();
        if self.model.next_term().is_none() && from > self.now() && !dice.once_in(4) {
            self.model.pass(from);
        }
        self.lock_alone()?;
        let now = self.now();
        let months = some_months(dice);
        let mut domains = dice.domains(5);
        // A single-domain order has no other.
        if self.model.term().policy.is_single_domain && !dice.once_in(4) {
            domains.clear();
        }
        let licenses = dice.below(5);
        let mut keep = BTreeSet::new();
        for place in 0..self.servers.len() {
            let stands = self.model.servers[place].state == oracle::ServerState::Registered;
            if dice.once_in(2) && (stands || dice.once_in(8)) {
                keep.insert(place);
            }
        }
        if dice.once_in(2) {
            keep.clear();
        }
        let running = &self.order.term.sold.as_ref().unwrap().product;
        let product = match dice.below(2) {
            0 => running.clone(),
            _ => some_product(running.kind, dice),
        };
        let wanted = WantedRenewal {
            months,
            names: spelled(&domains, dice),
            additional_licenses: licenses,
            keep: keep.iter().map(|place| self.servers[*place].id).collect(),
        };
        let foretold = self.model.may_renew(months, licenses.into(), &keep);
        let planned = permit(&self.order, Action::Renew, now).and_then(|()| {
            let planned = plan_renewal(&self.order, &self.servers_now(), &wanted, now);
            planned.map_err(|unplanned| match unplanned {
                RenewalError::Refused(refusal) => *refusal,
                RenewalError::UnknownServers(unknown) => not_found("server", unknown.len()),
                RenewalError::BeyondCalendar => unreachable!("the calendar is long enough"),
            })
        });
        let (kept, plan) = agree(foretold, planned)?;
        if domains.is_empty() {
            domains = self.model.wanted();
        }
        domains.insert(self.model.wanted_common_name());
        assert_eq!(plan.term.names, Some(sans(&domains)), "MD-5, AL-9");
        let lapsing = &self.model.registered() - &kept;
        let lapsing: Vec<ServerId> = lapsing.iter().map(|it| self.servers[*it].id).collect();
        assert_eq!(plan.lapsing, lapsing, "AL-9");

        let request = TermRequest {
            policy: policy_of(&product),
            months,
            licenses: licenses.into(),
            domains,
            price_time: now,
        };
        let wanted = WantedOrder {
            names: &sans(&request.domains),
            term_months: months,
            additional_licenses: licenses,
            draws_on_license: self.model.draws_on_license,
        };
        let foretold = self.model.renewal_slots_to_pay(&request);
        let planned = plan_either(&product, &wanted, &plan.without_move);
        let (paid, sale) = agree(foretold, planned)?;
        assert_eq!(charged(sale.charge), paid, "MD-4");
        let foretold = self.model.renewal(request, paid, kept);
        let term = OrderTerm {
            sold: Some(SoldProduct {
                product,
                slots: sale.slots,
                currency: money(0).currency(),
                san_product_id: None,
            }),
            ..plan.term
        };
        self.order = self.order.clone().apply_decision(now);
        self.under_way = Some(UnderWay::Renewal {
            accepted: now,
            term: Box::new(term),
            known: self.model.registered(),
            foretold: Box::new(foretold),
            paid,
        });
        Ok(())
    }

    pub(super) fn register(&mut self, dice: &mut Dice) -> Done {
        self.lock()?;
        let now = self.now();
        let mut software = self.model.software;
        let mut common_name = self.model.common_name;
        if dice.once_in(8) {
            software = SOFTWARE[usize::from(software == SOFTWARE[0])];
        }
        if dice.once_in(8) {
            common_name = DOMAINS[usize::from(common_name == DOMAINS[0])];
        }
        let foretold = self.model.may_register(software, common_name);
        let servers = self.servers_now();
        let number = u64::try_from(registered(&servers).count()).unwrap();
        let common_name = samples::dns(common_name);
        let software = software.to_uppercase();
        let permitted = permit(&self.order, Action::RegisterServer, now)
            .and_then(|()| permit_further_server(&self.order, &servers))
            .and_then(|()| permit_server(&self.order, number, &software, &common_name));
        agree(foretold, permitted)?;
        self.model.register();
        let server = Server {
            id: ServerId::generate(),
            order_id: self.order.id,
            host_name: "www".to_owned(),
            server_software: self.order.server_software.clone(),
            common_name,
            primary: takes_primary_place(&servers),
            state: ServerState::Registered,
            register_time: now,
        };
        self.order = self.order.clone().apply_registration(server.id, now);
        self.servers.push(server);
        Ok(())
    }

    pub(super) fn unregister(&mut self, dice: &mut Dice) -> Done {
        if self.servers.is_empty() {
            return Err(Outcome::Idle);
        }
        self.lock()?;
        let (place, now) = (dice.index(self.servers.len()), self.now());
        let foretold = self.model.may(oracle::Action::UnregisterServer);
        agree(foretold, permit(&self.order, Action::UnregisterServer, now))?;
        self.model.unregister(place);
        if self.servers_now()[place].state == ServerState::Registered {
            let server = &mut self.servers[place];
            server.state = ServerState::Unregistered;
            self.order = self.order.clone().apply_unregistration(server.id, now);
        }
        Ok(())
    }

    pub(super) fn set_software(&mut self, dice: &mut Dice) -> Done {
        self.lock()?;
        let now = self.now();
        let software = SOFTWARE[dice.index(SOFTWARE.len())];
        let foretold = self.model.may_set_software();
        let planned = permit(&self.order, Action::SetServerSoftware, now)
            .and_then(|()| plan_software(&self.order, &self.servers_now()));
        agree(foretold, planned)?;
        self.model.set_software(software);
        self.order = self.order.clone().apply_software(software.to_owned(), now);
        Ok(())
    }

    pub(super) fn delete(&mut self) -> Done {
        self.lock_alone()?;
        let now = self.now();
        agree(
            self.model.may(oracle::Action::Delete),
            permit(&self.order, Action::Delete, now),
        )?;
        let servers = self.servers_now();
        let fall = plan_deletion(&self.order, &self.certificates, &servers, now);
        let certificates: Vec<_> = (0..self.certificates.len())
            .filter(|place| self.model.is_usable(*place))
            .map(|place| self.certificates[place].id)
            .collect();
        assert_eq!(fall.certificates, certificates, "X-3");
        let expected = self.model.registered();
        let expected: Vec<_> = expected.iter().map(|it| self.servers[*it].id).collect();
        assert_eq!(fall.servers, expected, "AL-7");
        let next = self.model.next_term().map_or(0, |it| it.licenses);
        let void = (fall.additional_licenses, fall.next_additional_licenses);
        let void = (i64::from(void.0), i64::from(void.1));
        assert_eq!(void, (self.model.term().licenses, next), "AL-7");
        assert_eq!(fall.drops_change, self.model.change.is_some());
        // The refunds are decided by what stands until now.
        let valid_periods = self.valid_periods();
        let past = self
            .past
            .iter()
            .filter(|term| is_open(term, &valid_periods, now));
        let asked = past.chain([&self.order.term]).chain(&self.order.next_term);
        for term in asked {
            let since = refund_count_start(term, &valid_periods, now);
            let product = &term.sold.as_ref().unwrap().product;
            let period = (term.term.start(), term.term.end());
            let state = policy_of(product).refund_state(period, since, now);
            if state != RefundState::Refunded {
                continue;
            }
            let of_term = |it: &&mut Invoice| it.term_index == term.index;
            for invoice in self.invoices.iter_mut().filter(of_term) {
                invoice.credited = invoice.total;
            }
        }
        for found in &mut self.certificates {
            if fall.certificates.contains(&found.id) {
                found.revoke_time = Some(now);
                found.to_revoke = true;
            }
        }
        for server in &mut self.servers {
            if fall.servers.contains(&server.id) {
                server.state = ServerState::Invalidated;
            }
        }
        self.model.delete();
        self.order = self.order.clone().apply_deletion(now);
        Ok(())
    }
}
