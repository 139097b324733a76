//! Moving the common name of an order to another of its domains (MD-5): the common name of each
//! term while a change to move it is pending, and how further servers prevent it (AL-6). Only a
//! domain change moves it.

use std::collections::BTreeSet;

use licet_domain::{
    refusal::{Reason, Refusal},
    san::San,
};

use super::{
    name_sets::with_common_name,
    order::{ChangeProgress, DomainChange, Order, OrderTerm},
    servers::{Server, registered},
};

impl Order {
    /// The common name that the next certificate must carry: that of a paid change, else the
    /// present one.
    pub(crate) fn wanted_common_name(&self) -> &San {
        let waits = |change: &&DomainChange| change.progress == ChangeProgress::AwaitingIssuance;
        let change = self.change.as_ref().filter(waits);
        let moved = change.and_then(|change| change.common_name.as_ref());
        moved.unwrap_or(&self.common_name)
    }

    /// The common name once the pending change is made.
    pub(crate) fn common_name_after(&self) -> &San {
        self.moved_common_name().unwrap_or(&self.common_name)
    }

    fn moved_common_name(&self) -> Option<&San> {
        let change = self.change.as_ref();
        change.and_then(|change| change.common_name.as_ref())
    }

    /// The common name and the domains that a term was bought for. A term bought while a move was
    /// pending was bought with the new common name.
    pub(crate) fn bought_for(&self, term: &OrderTerm) -> (&San, BTreeSet<San>) {
        let names = term.names.as_ref().unwrap_or(&self.names);
        let change = self.change.as_ref();
        match change.filter(|change| !change.is_made_in(term.index)) {
            Some(change) => {
                let names = change.names_in(term.index, names, &self.common_name);
                (self.common_name_after(), names)
            }
            None => (&self.common_name, names.clone()),
        }
    }

    /// Domains bought with the common name of a pending move, as a term stores them: without the
    /// move, so that nothing is left of it if it is cancelled.
    pub(super) fn without_move(&self, names: &BTreeSet<San>) -> BTreeSet<San> {
        match self.moved_common_name() {
            Some(moved) => with_common_name(names, moved, &self.common_name),
            None => names.clone(),
        }
    }
}

/// Refuses to move the common name while further servers use the present one (AL-6). The primary
/// server follows the move.
pub(crate) fn permit_move(order: &Order, servers: &[Server]) -> Result<(), Refusal> {
    let further = registered(servers).filter(|server| !server.primary).count();
    if further == 0 {
        return Ok(());
    }
    Err(Refusal::new(
        Reason::FurtherServersRegistered,
        format!(
            "servers other than the primary one of order {} use the common name {} ({further} in all): \
             unregister them before you change the common name",
            order.id, order.common_name
        ),
    )
    .with("order_id", order.id)
    .with("registered", further))
}

/// Refuses a further server while the common name that it would use is about to move (MD-5, AL-6).
pub(crate) fn permit_further_server(order: &Order, servers: &[Server]) -> Result<(), Refusal> {
    let has_primary = registered(servers).any(|server| server.primary);
    if !has_primary || order.moved_common_name().is_none() {
        return Ok(());
    }
    let change = order.change.as_ref();
    let operation = change.and_then(|change| change.operation_id);
    let operation = operation.map_or_else(String::new, |id| id.to_string());
    Err(Refusal::new(
        Reason::ChangeInProgress,
        format!(
            "the common name of order {} is about to change from {}: register further servers \
             once the new certificate is recorded, or cancel the change",
            order.id, order.common_name
        ),
    )
    .with("order_id", order.id)
    .with("operation_id", operation))
}

#[cfg(test)]
mod tests {
    use licet_domain::{clock::Instant, ids::ServerId};

    use super::{
        super::{
            domains::{WantedChange, plan_domain_change},
            order::{OrderTerm, Progress},
            renewal::{WantedRenewal, plan_renewal},
            samples::{self, dns, instant, names},
            servers::ServerState,
        },
        *,
    };

    fn moving(to: &str, add: &[&str], remove: &[&str]) -> WantedChange {
        WantedChange {
            add: names(add),
            remove: names(remove),
            common_name: Some(dns(to)),
        }
    }

    /// An order with a pending change that moves the common name to `a.test` and removes `cn.test`.
    fn waiting() -> Order {
        let order = samples::order(&["cn.test", "a.test", "b.test"]);
        let wanted = moving("a.test", &[], &["cn.test"]);
        let plan = plan_domain_change(&order, &wanted).unwrap();
        order.apply_change(plan, None, instant("2026-06-01T00:00:00Z"))
    }

    fn renewal(list: &[&str]) -> WantedRenewal {
        WantedRenewal {
            months: 12,
            names: names(list),
            additional_licenses: 1,
            keep: Vec::new(),
        }
    }

    /// The order with its next term bought for these domains, by the product of the present one.
    fn renewed(order: &Order, list: &[&str], now: Instant) -> Order {
        let planned = plan_renewal(order, &[], &renewal(list), now).unwrap();
        let term = OrderTerm {
            sold: order.term.sold.clone(),
            ..planned.term
        };
        let order = order.clone();
        order.apply_renewal(term, &BTreeSet::new(), &[], now)
    }

    fn next_names(order: &Order) -> (&San, BTreeSet<San>) {
        order.bought_for(order.next_term.as_ref().unwrap())
    }

    fn reason(order: &Order, wanted: &WantedChange) -> Reason {
        plan_domain_change(order, wanted).unwrap_err().reason
    }

    #[test]
    fn md_5_the_common_name_moves_with_the_certificate_and_not_before() {
        let waiting = waiting();
        assert_eq!(waiting.common_name, dns("cn.test"));
        assert_eq!(waiting.wanted_common_name(), &dns("a.test"));
        let now = instant("2026-06-02T00:00:00Z");
        let issued = waiting.clone().apply_issuance(now);
        assert_eq!(issued.common_name, dns("a.test"));
        assert_eq!(issued.names, names(&["a.test", "b.test"]));
        assert_eq!(issued.issuance_pending_since(), None);
        let back = waiting.apply_change_cancelled(now);
        assert_eq!(back.wanted_common_name(), &dns("cn.test"));
        assert_eq!(
            back.wanted_names(),
            &names(&["cn.test", "a.test", "b.test"])
        );
    }

    #[test]
    fn md_5_a_move_alone_is_a_change_and_free() {
        let order = samples::order(&["cn.test", "a.test"]);
        let plan = plan_domain_change(&order, &moving("A.test.", &[], &[])).unwrap();
        assert!(plan.is_free());
        assert_eq!(plan.common_name, Some(dns("a.test")));
        let stays = moving("cn.test", &[], &[]);
        assert_eq!(reason(&order, &stays), Reason::NoChange);
        let with_a_name = moving("cn.test", &["b.test"], &[]);
        let plain = plan_domain_change(&order, &with_a_name).unwrap();
        assert_eq!(plain.common_name, None);
        // MD-6: the quotes of a change with and without a move differ.
        let moved = moving("a.test", &["b.test"], &[]);
        let moved = plan_domain_change(&order, &moved).unwrap();
        assert_ne!(moved.pin, plain.pin);
    }

    #[test]
    fn md_5_the_new_common_name_is_one_of_the_names_after_the_change() {
        let order = samples::order(&["cn.test", "a.test"]);
        for wanted in [
            moving("x.test", &[], &["cn.test"]),
            moving("a.test", &[], &["a.test"]),
        ] {
            assert_eq!(reason(&order, &wanted), Reason::DomainNotPresent);
        }
        let fresh = moving("x.test", &["x.test"], &["cn.test", "a.test"]);
        let plan = plan_domain_change(&order, &fresh).unwrap();
        assert_eq!(plan.names, names(&["x.test"]));
        // Without a move it cannot be removed.
        let removed = WantedChange {
            common_name: None,
            ..moving("x.test", &[], &["cn.test"])
        };
        assert_eq!(reason(&order, &removed), Reason::CommonNameFixed);
    }

    #[test]
    fn md_5_a_single_name_is_replaced_until_its_first_certificate() {
        let mut order = samples::order(&["cn.test"]);
        order.progress = Progress::Paid;
        if let Some(sold) = &mut order.term.sold {
            sold.product = samples::single_domain();
        }
        let wanted = moving("x.test", &["x.test"], &["cn.test"]);
        let plan = plan_domain_change(&order, &wanted).unwrap();
        assert!(plan.is_free());
        let second = moving("x.test", &["x.test"], &[]);
        assert_eq!(reason(&order, &second), Reason::TooManyDomains);
        let no_move = WantedChange {
            common_name: None,
            ..wanted.clone()
        };
        assert_eq!(reason(&order, &no_move), Reason::ProductKindMismatch);
        order.progress = Progress::Issued;
        assert_eq!(reason(&order, &wanted), Reason::CommonNameFixed);
    }

    #[test]
    fn md_5_a_bought_term_follows_and_must_hold_the_new_common_name() {
        let now = instant("2026-12-01T00:00:00Z");
        let order = samples::order(&["cn.test", "a.test"]);
        let wanted = moving("a.test", &[], &["cn.test"]);
        // The next term was bought without `a.test`.
        let without = renewed(&order, &["cn.test"], now);
        assert_eq!(reason(&without, &wanted), Reason::DomainNotPresent);
        let order = renewed(&order, &[], now);
        let plan = plan_domain_change(&order, &wanted).unwrap();
        let waiting = order.apply_change(plan, None, now);
        let start = waiting.term.term.end();
        for issued in [
            waiting.clone().apply_issuance(now).with_turns(start),
            waiting.clone().with_turns(start).apply_issuance(start),
        ] {
            assert_eq!(issued.common_name, dns("a.test"));
            assert_eq!(issued.wanted_names(), &names(&["a.test"]));
            assert_eq!(issued.issuance_pending_since(), None);
        }
        let back = waiting.with_turns(start).apply_change_cancelled(start);
        assert_eq!(back.wanted_common_name(), &dns("cn.test"));
        assert_eq!(back.wanted_names(), &names(&["cn.test", "a.test"]));
    }

    #[test]
    fn md_5_a_term_bought_while_the_move_waits_follows_it() {
        let now = instant("2026-12-01T00:00:00Z");
        let order = renewed(&waiting(), &["b.test"], now);
        let with_move = (&dns("a.test"), names(&["a.test", "b.test"]));
        assert_eq!(next_names(&order), with_move);
        let start = order.term.term.end();
        let early = order.clone().apply_issuance(now);
        assert_eq!(next_names(&early), with_move);
        let late = order.with_turns(start);
        assert_eq!(late.bought_for(&late.term), with_move);
        assert_eq!(late.wanted_names(), &with_move.1);
        for issued in [early.with_turns(start), late.apply_issuance(start)] {
            assert_eq!(issued.common_name, dns("a.test"));
            assert_eq!(issued.term_names(), &with_move.1);
            assert_eq!(issued.issuance_pending_since(), None);
        }
    }

    #[test]
    fn md_5_a_cancelled_move_leaves_every_term() {
        let now = instant("2026-12-01T00:00:00Z");
        let order = renewed(&waiting(), &["b.test"], now);
        let start = order.term.term.end();
        let without = (&dns("cn.test"), names(&["b.test", "cn.test"]));
        let back = order.clone().apply_change_cancelled(now);
        assert_eq!(next_names(&back), without);
        for later in [
            back.with_turns(start),
            order.with_turns(start).apply_change_cancelled(start),
        ] {
            assert_eq!(later.wanted_common_name(), without.0);
            assert_eq!(later.wanted_names(), &without.1);
            assert_eq!(later.issuance_pending_since(), Some(start));
            let issued = later.apply_issuance(start);
            assert_eq!(issued.common_name, dns("cn.test"));
            assert_eq!(issued.issuance_pending_since(), None);
        }
    }

    #[test]
    fn md_5_a_term_bought_for_both_names_keeps_both() {
        let now = instant("2026-12-01T00:00:00Z");
        let order = renewed(&waiting(), &["cn.test"], now);
        let both = names(&["a.test", "cn.test"]);
        assert_eq!(next_names(&order), (&dns("a.test"), both.clone()));
        let back = order.clone().apply_change_cancelled(now);
        assert_eq!(next_names(&back), (&dns("cn.test"), both.clone()));
        let issued = order.apply_issuance(now);
        assert_eq!(next_names(&issued), (&dns("a.test"), both));
    }

    #[test]
    fn al_6_further_servers_and_a_move_exclude_each_other() {
        let order = samples::order(&["cn.test", "a.test"]);
        let server = |primary| Server {
            id: ServerId::generate(),
            order_id: order.id,
            host_name: "web".to_owned(),
            server_software: "nginx".to_owned(),
            common_name: order.common_name.clone(),
            primary,
            state: ServerState::Registered,
            register_time: order.create_time,
        };
        let (first, second) = (server(true), server(false));
        assert!(permit_move(&order, std::slice::from_ref(&first)).is_ok());
        let both = [first.clone(), second];
        let refusal = permit_move(&order, &both).unwrap_err();
        assert_eq!(refusal.reason, Reason::FurtherServersRegistered);
        let waiting = waiting();
        let beside = permit_further_server(&waiting, std::slice::from_ref(&first)).unwrap_err();
        assert_eq!(beside.reason, Reason::ChangeInProgress);
        assert!(permit_further_server(&waiting, &[]).is_ok());
        assert!(permit_further_server(&order, &[first]).is_ok());
    }
}
