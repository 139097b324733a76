//! Moving an order's common name to another of its names (MD-5): what it is in each term, what waits
//! for it, and what further servers stand against (AL-6).

use licet_domain::{
    refusal::{Reason, Refusal},
    san::San,
};

use super::{
    order::{ChangeProgress, DomainChange, Order},
    servers::{Server, registered},
};

impl Order {
    /// The common name bought for the running term, a change that waits left aside.
    pub(crate) fn term_common_name(&self) -> &San {
        self.term.common_name.as_ref().unwrap_or(&self.common_name)
    }

    /// The common name that the next certificate has to carry: that of a change that is paid for, else
    /// the running term's.
    pub(crate) fn wanted_common_name(&self) -> &San {
        let waits = |change: &&DomainChange| change.progress == ChangeProgress::AwaitingIssuance;
        let change = self.change.as_ref().filter(waits);
        let moved = change.and_then(|change| change.common_name.as_ref());
        moved.unwrap_or_else(|| self.term_common_name())
    }

    /// The common name once the change that waits or is charged is made.
    pub(crate) fn common_name_after(&self) -> &San {
        let moved = self.change.as_ref();
        let moved = moved.and_then(|change| change.common_name.as_ref());
        moved.unwrap_or_else(|| self.term_common_name())
    }

    /// Whether a common name is to take the present one's place, by a change or in a term.
    fn awaits_common_name(&self) -> bool {
        let moved = self.change.iter().any(|it| it.common_name.is_some());
        let mut terms = std::iter::once(&self.term).chain(&self.next_term);
        moved || terms.any(|term| term.common_name.is_some())
    }
}

/// Whether the servers let the common name move: each further one serves the present one (AL-6). The
/// primary server follows it.
pub(crate) fn permit_move(order: &Order, servers: &[Server]) -> Result<(), Refusal> {
    let further = registered(servers).filter(|server| !server.primary).count();
    if further == 0 {
        return Ok(());
    }
    Err(Refusal::new(
        Reason::FurtherServersRegistered,
        format!(
            "order {} has {further} servers beyond the primary one, which serve {}: unregister them \
             before its common name moves",
            order.id, order.common_name
        ),
    )
    .with("order_id", order.id)
    .with("registered", further))
}

/// Whether a further server may come (AL-6): not while the common name that it is to serve is about
/// to move (MD-5).
pub(crate) fn permit_beside_move(order: &Order, servers: &[Server]) -> Result<(), Refusal> {
    let has_primary = registered(servers).any(|server| server.primary);
    if !has_primary || !order.awaits_common_name() {
        return Ok(());
    }
    let change = order.change.as_ref();
    let operation = change.and_then(|change| change.operation_id);
    let operation = operation.map_or_else(String::new, |id| id.to_string());
    Err(Refusal::new(
        Reason::ChangeInProgress,
        format!(
            "another common name of order {} than {} waits for its certificate: register further \
             servers once that is recorded",
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

    /// An order with its common name's move to `a.test` waiting, and `cn.test` leaving with it.
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

    /// The term that this renewal buys, by the product of the present one.
    fn bought(order: &Order, list: &[&str], now: Instant) -> OrderTerm {
        let planned = plan_renewal(order, &[], &renewal(list), now).unwrap();
        OrderTerm {
            sold: order.term.sold.clone(),
            ..planned.term
        }
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
        // MD-6: the quote of a change with a move is not that of one without.
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
        // Without a move it stays as long as the order.
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
        let mut order = samples::order(&["cn.test", "a.test"]);
        order.next_term = Some(bought(&order, &["cn.test"], now));
        let wanted = moving("a.test", &[], &["cn.test"]);
        // The next term was bought without it.
        assert_eq!(reason(&order, &wanted), Reason::DomainNotPresent);
        order.next_term = None;
        order.next_term = Some(bought(&order, &[], now));
        let plan = plan_domain_change(&order, &wanted).unwrap();
        let waiting = order.apply_change(plan, None, now);
        let start = waiting.term.term.end();
        for issued in [
            waiting.clone().apply_issuance(now).settled_at(start),
            waiting.clone().settled_at(start).apply_issuance(start),
        ] {
            assert_eq!(issued.common_name, dns("a.test"));
            assert_eq!(issued.wanted_names(), &names(&["a.test"]));
            assert_eq!(issued.issuance_pending_since(), None);
        }
        let back = waiting.settled_at(start).apply_change_cancelled(start);
        assert_eq!(back.wanted_common_name(), &dns("cn.test"));
        assert_eq!(back.wanted_names(), &names(&["cn.test", "a.test"]));
    }

    #[test]
    fn md_5_a_renewal_bought_while_the_move_waits_has_the_wanted_common_name() {
        let now = instant("2026-12-01T00:00:00Z");
        let mut order = waiting();
        let next = bought(&order, &["b.test"], now);
        assert_eq!(next.names, Some(names(&["a.test", "b.test"])));
        order.next_term = Some(next);
        let start = order.term.term.end();
        let issued = order.clone().apply_issuance(now).settled_at(start);
        assert_eq!(issued.issuance_pending_since(), None);
        // Taken back, it is the next term's all the same, as its names are.
        let back = order.apply_change_cancelled(now);
        assert_eq!(back.wanted_common_name(), &dns("cn.test"));
        let fixed = WantedChange {
            add: names(&["cn2.test"]),
            remove: names(&["a.test"]),
            common_name: None,
        };
        assert_eq!(reason(&back, &fixed), Reason::CommonNameFixed);
        let later = back.settled_at(start);
        assert_eq!(later.wanted_common_name(), &dns("a.test"));
        assert_eq!(later.issuance_pending_since(), Some(start));
        let issued = later.apply_issuance(start);
        assert_eq!(issued.common_name, dns("a.test"));
        assert_eq!(issued.issuance_pending_since(), None);
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
        let beside = permit_beside_move(&waiting, std::slice::from_ref(&first)).unwrap_err();
        assert_eq!(beside.reason, Reason::ChangeInProgress);
        assert!(permit_beside_move(&waiting, &[]).is_ok());
        assert!(permit_beside_move(&order, &[first]).is_ok());
    }
}
