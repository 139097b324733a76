//! The steps of a history about servers and terms: renewals, registrations, the deletion (AL-6 to
//! AL-9, MD-10).

use licet_domain::{ids::ServerId, refusal::Reason};

use super::{
    NAMES, Outcome, SOFTWARE, agree,
    asking::{DAY_US, Done, shifted},
    desk::{
        Desk, Dice, Invoice, UnderWay, charged, money, sans, some_months, some_product, spelled,
    },
    model::{self, why},
    refunded,
};
use crate::rules::{
    certificate::CertificateState,
    common_name::permit_further_server,
    deletion::plan_deletion,
    new_order::{WantedOrder, plan_either},
    not_found,
    order::{OrderTerm, SoldProduct},
    permission::{Action, permit},
    product::ProductKind,
    refund_count::{is_open, refund_count_start},
    renewal::{RenewalError, WantedRenewal, plan_renewal},
    samples,
    servers::{Server, ServerState, permit_server, registered, takes_primary_place},
    software::plan_software,
};

impl Desk {
    pub(super) fn renew(&mut self, dice: &mut Dice) -> Done {
        let last = self.model.terms.last().unwrap();
        let open = i64::from(last.product.renewal_open_days) * DAY_US;
        let from = shifted(last.end, -open);
        if self.model.next_term().is_none() && from > self.now() && !dice.once_in(4) {
            self.model.pass(from);
        }
        self.lock_alone()?;
        let now = self.now();
        let months = some_months(dice);
        let mut names = dice.names(5);
        // One of a single name has no other.
        if self.model.term().product.kind == ProductKind::SingleDomain && !dice.once_in(4) {
            names.clear();
        }
        let licenses = i64::from(dice.below(5));
        let mut keep = Vec::new();
        for place in 0..self.servers.len() {
            let stands = self.model.servers[place].state == ServerState::Registered;
            if dice.once_in(2) && (stands || dice.once_in(8)) {
                keep.push(place);
            }
        }
        if dice.once_in(2) {
            keep.clear();
        }
        let product = match dice.below(2) {
            0 => self.model.term().product.clone(),
            _ => some_product(self.model.term().product.kind, dice),
        };
        let wanted = WantedRenewal {
            months,
            names: spelled(&names, dice),
            additional_licenses: u32::try_from(licenses).unwrap(),
            keep: keep.iter().map(|place| self.servers[*place].id).collect(),
        };
        let foretold = self.model.may_renew(months, licenses, &keep);
        let planned = permit(&self.order, Action::Renew, now).and_then(|()| {
            let planned = plan_renewal(&self.order, &self.servers_now(), &wanted, now);
            planned.map_err(|unplanned| match unplanned {
                RenewalError::Refused(refusal) => *refusal,
                RenewalError::UnknownServers(unknown) => not_found("server", unknown.len()),
                RenewalError::BeyondCalendar => unreachable!("the calendar is long enough"),
            })
        });
        let (kept, plan) = agree(foretold, planned)?;
        if names.is_empty() {
            names = self.model.wanted();
        }
        names.insert(self.model.wanted_common_name());
        assert_eq!(plan.term.names, Some(sans(&names)), "MD-5, AL-9");
        let lapsing = &self.model.registered() - &kept;
        let lapsing: Vec<ServerId> = lapsing.iter().map(|it| self.servers[*it].id).collect();
        assert_eq!(plan.lapsing, lapsing, "AL-9");

        let draws = self.model.draws_on_license;
        let foretold = self
            .model
            .may_sell_either(&product, &names, months, licenses);
        let wanted = WantedOrder {
            names: &sans(&names),
            term_months: months,
            additional_licenses: u32::try_from(licenses).unwrap(),
            draws_on_license: draws,
        };
        let planned = plan_either(&product, &wanted, &plan.without_move);
        let (paid, sale) = agree(foretold, planned)?;
        assert_eq!(charged(sale.charge), paid, "MD-4");
        let start = self.model.end();
        let foretold = model::Term {
            start,
            end: self.model.end_of_next(months),
            months,
            bought: now,
            product: product.clone(),
            licenses,
            names,
            slots: (0, 0),
            kept: Some(kept),
            first_issued: None,
            invoices: vec![],
        };
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
        let mut objections = model::Why::new();
        let mut software = SOFTWARE[self.model.software];
        let mut common_name = self.model.common_name;
        if dice.once_in(8) {
            software = SOFTWARE[(self.model.software + 1) % SOFTWARE.len()];
            objections.insert(Reason::ServerSoftwareMismatch);
        }
        if dice.once_in(8) {
            common_name = (common_name + 1) % NAMES.len();
            objections.insert(Reason::CommonNameMismatch);
        }
        let used = self.model.registered().len();
        let is_primary = |it: &model::Server| it.primary && it.state == ServerState::Registered;
        let has_primary = self.model.servers.iter().any(is_primary);
        let change = self.model.change.as_ref();
        let moves = change.is_some_and(|change| change.moved.is_some());
        let foretold = self.model.may(Action::RegisterServer).and_then(|()| {
            if moves && has_primary {
                Err(why(Reason::ChangeInProgress))
            } else if !objections.is_empty() {
                Err(objections)
            } else if i64::try_from(used).unwrap() > self.model.term().licenses {
                Err(why(Reason::ServerLimitReached))
            } else {
                Ok(())
            }
        });
        let servers = self.servers_now();
        let number = u64::try_from(registered(&servers).count()).unwrap();
        let common_name = samples::dns(NAMES[common_name]);
        let software = software.to_uppercase();
        let permitted = permit(&self.order, Action::RegisterServer, now)
            .and_then(|()| permit_further_server(&self.order, &servers))
            .and_then(|()| permit_server(&self.order, number, &software, &common_name));
        agree(foretold, permitted)?;
        self.model.servers.push(model::Server {
            primary: !has_primary,
            serves: self.model.common_name,
            state: ServerState::Registered,
        });
        self.model.keep(self.servers.len());
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
        let foretold = self.model.may(Action::UnregisterServer);
        agree(foretold, permit(&self.order, Action::UnregisterServer, now))?;
        if self.model.servers[place].state == ServerState::Registered {
            self.model.servers[place].state = ServerState::Unregistered;
            let next = self.model.running + 1;
            if let Some(next) = self.model.terms.get_mut(next) {
                next.kept.as_mut().unwrap().remove(&place);
            }
        }
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
        let software = dice.index(SOFTWARE.len());
        let further = self.model.has_further_servers();
        let foretold = self.model.may(Action::SetServerSoftware);
        let foretold = foretold.and_then(|()| match further {
            false => Ok(()),
            true => Err(why(Reason::FurtherServersRegistered)),
        });
        let planned = permit(&self.order, Action::SetServerSoftware, now)
            .and_then(|()| plan_software(&self.order, &self.servers_now()));
        agree(foretold, planned)?;
        self.model.software = software;
        self.model.moves += 1;
        let software = SOFTWARE[software].to_owned();
        self.order = self.order.clone().apply_software(software, now);
        Ok(())
    }

    pub(super) fn delete(&mut self) -> Done {
        self.lock_alone()?;
        let now = self.now();
        agree(
            self.model.may(Action::Delete),
            permit(&self.order, Action::Delete, now),
        )?;
        let servers = self.servers_now();
        let fall = plan_deletion(&self.order, &self.certificates, &servers, now);
        let standing = |place: &usize| {
            let state = self.model.certificate_state(*place);
            matches!(
                state,
                CertificateState::Active | CertificateState::Superseded
            )
        };
        let certificates: Vec<_> = (0..self.certificates.len())
            .filter(standing)
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
            if !refunded((term.term.start(), term.term.end()), since, now) {
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
