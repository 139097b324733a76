//! Renewing an order (MD-10, AL-9): whether its window is open, which term it buys, and which
//! servers stay. Whether the term can be sold, and its price, is planned as for a new order.

use std::collections::BTreeSet;

use licet_domain::{
    clock::Instant,
    ids::{OrderId, ServerId},
    refusal::{Reason, Refusal},
    san::San,
    term::Term,
};
use sha2::{Digest, Sha256};

use super::{
    order::{Order, OrderTerm},
    permission::{renewable_from, renewable_until},
    servers::{Server, registered},
};

/// The next term that a customer asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WantedRenewal {
    pub(crate) months: u32,
    /// The domains; the common name may be left out. Empty: the present ones.
    pub(crate) names: BTreeSet<San>,
    /// Named anew; what was bought before does not carry over (AL-9).
    pub(crate) additional_licenses: u32,
    /// The servers to keep, each once. Empty: all, if the licences allow it.
    pub(crate) keep: Vec<ServerId>,
}

/// What a renewal buys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RenewalPlan {
    /// The term to sell, with its domains and the servers that stay. While a move of the common
    /// name is pending, its domains are those with the move (MD-5).
    pub(crate) term: OrderTerm,
    /// Its domains if that move is cancelled; the term has to cover them as well.
    pub(crate) without_move: BTreeSet<San>,
    /// The registered servers that do not stay, oldest first.
    pub(crate) lapsing: Vec<ServerId>,
    /// Binds a quote to this renewal of this revision of the order (MD-6).
    pub(crate) pin: String,
}

/// Why a renewal cannot be planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RenewalError {
    /// The rules refuse it.
    Refused(Box<Refusal>),
    /// Servers to keep that are not registered on the order, each with its index in the request's list.
    UnknownServers(Vec<(usize, ServerId)>),
    /// The term exceeds the supported date range.
    BeyondCalendar,
}

/// Plans the renewal of an order at `now`. The new term starts at the end of the present one, from
/// the same anchor, even if that end has passed: no day is lost and none paid twice (T-2, MD-10).
/// It is priced as of `now`.
pub(crate) fn plan_renewal(
    order: &Order,
    servers: &[Server],
    wanted: &WantedRenewal,
    now: Instant,
) -> Result<RenewalPlan, RenewalError> {
    check_window(order, now).map_err(refused)?;
    let kept = keep_servers(order, servers, wanted)?;
    let term = order.term.term.next(wanted.months);
    let term = term.ok_or(RenewalError::BeyondCalendar)?;
    check_not_over(order, &term, now).map_err(refused)?;
    let mut names = wanted.names.clone();
    if names.is_empty() {
        names.clone_from(order.wanted_names());
    }
    // MD-5: the common name is always among them; with a pending move, the new one.
    names.insert(order.wanted_common_name().clone());
    let without_move = order.without_move(&names);
    let lapsing = registered(servers).filter(|server| !kept.contains(&server.id));
    Ok(RenewalPlan {
        pin: pin(order.id, order.revision, wanted, &names, &kept),
        lapsing: lapsing.map(|server| server.id).collect(),
        without_move,
        term: OrderTerm {
            index: order.term.index.saturating_add(1),
            term,
            price_time: now,
            additional_licenses: wanted.additional_licenses,
            first_issuance_time: None,
            sold: None,
            names: Some(names),
            kept_servers: Some(kept),
            bought_time: Some(now),
        },
    })
}

fn refused(refusal: Refusal) -> RenewalError {
    RenewalError::Refused(Box::new(refusal))
}

/// Refuses a renewal at `now` if a future term is bought already, or outside the window that the
/// last term was sold with (MD-10).
fn check_window(order: &Order, now: Instant) -> Result<(), Refusal> {
    let (id, end) = (order.id, order.end());
    if let Some(next) = &order.next_term {
        let (start, end) = (next.term.start(), next.term.end());
        return Err(Refusal::new(
            Reason::RenewalAlreadyBought,
            format!(
                "order {id} is already renewed until {end}, and only one future term can be bought: \
                 renew it again from {start}, when that term starts"
            ),
        )
        .with("order_id", id)
        .with("start_time", start)
        .with("end_time", end));
    }
    // A window that ends beyond the supported date range never closes.
    if let Some(until) = renewable_until(order).filter(|until| now >= *until) {
        return Err(Refusal::new(
            Reason::RenewalTooLate,
            format!(
                "order {id} ended at {end} and could be renewed until {until}: place a new order"
            ),
        )
        .with("order_id", id)
        .with("until_time", until)
        .with("end_time", end));
    }
    if let Some(from) = renewable_from(order).filter(|from| now < *from) {
        return Err(Refusal::new(
            Reason::RenewalTooEarly,
            format!("order {id} ends at {end} and can be renewed from {from}"),
        )
        .with("order_id", id)
        .with("from_time", from)
        .with("end_time", end));
    }
    Ok(())
}

/// Refuses a term that would be over at `now` (MD-10); its end itself is too late, as with SL-9.
fn check_not_over(order: &Order, term: &Term, now: Instant) -> Result<(), Refusal> {
    let (id, start, end) = (order.id, term.start(), term.end());
    if now < end {
        return Ok(());
    }
    Err(Refusal::new(
        Reason::TermEnded,
        format!(
            "the new term of order {id} would run from {start} to {end} and be over at {now}: \
             choose a longer term"
        ),
    )
    .with("order_id", id)
    .with("end_time", end)
    .with("change_time", now))
}

/// The servers that stay when the new term starts (AL-9): the named ones and the primary one; if
/// none are named, all, if the licences allow it.
fn keep_servers(
    order: &Order,
    servers: &[Server],
    wanted: &WantedRenewal,
) -> Result<BTreeSet<ServerId>, RenewalError> {
    let all: BTreeSet<ServerId> = registered(servers).map(|server| server.id).collect();
    let named = wanted.keep.iter().copied().enumerate();
    let unknown: Vec<_> = named.filter(|(_, id)| !all.contains(id)).collect();
    if !unknown.is_empty() {
        return Err(RenewalError::UnknownServers(unknown));
    }
    let licensed = u64::from(wanted.additional_licenses) + 1;
    let kept: BTreeSet<ServerId> = if wanted.keep.is_empty() {
        all.clone()
    } else {
        let primary = registered(servers).find(|server| server.primary);
        let primary = primary.map(|server| server.id);
        wanted.keep.iter().copied().chain(primary).collect()
    };
    if kept.len() as u64 <= licensed {
        return Ok(kept);
    }
    let (registered, named) = (all.len(), wanted.keep.len());
    Err(refused(
        Refusal::new(
            Reason::ServersToKeepRequired,
            format!(
                "{registered} servers are registered; {} additional licences allow {licensed} including \
                 the primary one. List at most {licensed} servers to keep in keep_server_ids; \
                 {named} are listed",
                wanted.additional_licenses
            ),
        )
        .with("order_id", order.id)
        .with("registered", registered)
        .with("licensed", licensed)
        .with("named", named),
    ))
}

/// SHA-256 in hex over the order, its revision and the term that the renewal buys (MD-6). No part
/// contains a line break, so two different renewals never hash the same text.
fn pin(
    order: OrderId,
    revision: u64,
    wanted: &WantedRenewal,
    names: &BTreeSet<San>,
    kept: &BTreeSet<ServerId>,
) -> String {
    let mut hash = Sha256::new();
    hash.update(format!(
        "renewal\n{order}\n{revision}\n{}\n{}\n",
        wanted.months, wanted.additional_licenses
    ));
    for id in kept {
        hash.update(format!("{id}\n"));
    }
    for name in names {
        hash.update(name.value());
        hash.update("\n");
    }
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            order::Progress,
            samples::{instant, names, order},
            servers::ServerState,
        },
        *,
    };

    fn wanted(additional_licenses: u32, keep: &[ServerId]) -> WantedRenewal {
        WantedRenewal {
            months: 12,
            names: BTreeSet::new(),
            additional_licenses,
            keep: keep.to_vec(),
        }
    }

    fn servers(order: &Order, number: usize) -> Vec<Server> {
        let server = |primary| Server {
            id: ServerId::generate(),
            order_id: order.id,
            host_name: "www".into(),
            server_software: "nginx".into(),
            common_name: order.common_name.clone(),
            primary,
            state: ServerState::Registered,
            register_time: order.create_time,
        };
        (0..number).map(|index| server(index == 0)).collect()
    }

    fn reason(found: Result<RenewalPlan, RenewalError>) -> Reason {
        match found.unwrap_err() {
            RenewalError::Refused(refusal) => refusal.reason,
            other @ (RenewalError::UnknownServers(_) | RenewalError::BeyondCalendar) => {
                panic!("{other:?}")
            }
        }
    }

    #[test]
    fn md_10_the_window_opens_90_days_before_the_end_and_closes_30_days_after() {
        let order = order(&["example.com"]);
        let plan = |now: &str| plan_renewal(&order, &[], &wanted(0, &[]), instant(now));
        let early = plan("2026-10-02T23:59:59.999999Z");
        assert_eq!(reason(early.clone()), Reason::RenewalTooEarly);
        let Err(RenewalError::Refused(early)) = early else {
            panic!("renewed too early")
        };
        assert_eq!(early.metadata["from_time"], "2026-10-03T00:00:00.000000Z");
        assert!(plan("2026-10-03T00:00:00Z").is_ok());
        let last = plan("2027-01-30T23:59:59.999999Z").unwrap();
        // However late, it starts at the end of the old one.
        assert_eq!(last.term.term.start(), order.end());
        assert_eq!(last.term.term.end(), instant("2028-01-01T00:00:00Z"));
        let late = plan("2027-01-31T00:00:00Z");
        assert_eq!(reason(late), Reason::RenewalTooLate);
    }

    #[test]
    fn md_10_one_future_term_at_most() {
        let mut order = order(&["example.com"]);
        let now = instant("2026-12-01T00:00:00Z");
        let plan = plan_renewal(&order, &[], &wanted(0, &[]), now).unwrap();
        order.next_term = Some(plan.term);
        let again = plan_renewal(&order, &[], &wanted(0, &[]), now);
        assert_eq!(reason(again), Reason::RenewalAlreadyBought);
    }

    #[test]
    fn md_10_no_names_given_are_those_of_today_and_a_waiting_changes() {
        let order = order(&["example.com", "a.example.com"]);
        let now = instant("2026-12-01T00:00:00Z");
        let plan = plan_renewal(&order, &[], &wanted(0, &[]), now).unwrap();
        assert_eq!(
            plan.term.names,
            Some(names(&["example.com", "a.example.com"]))
        );
        assert_eq!((plan.term.index, plan.term.price_time), (1, now));
        let other = WantedRenewal {
            names: names(&["b.example.com"]),
            ..wanted(0, &[])
        };
        let plan = plan_renewal(&order, &[], &other, now).unwrap();
        // MD-5: the common name is always among them.
        assert_eq!(
            plan.term.names,
            Some(names(&["example.com", "b.example.com"]))
        );
    }

    #[test]
    fn al_9_a_server_that_leaves_during_the_charge_makes_room_for_one_that_comes() {
        let order = order(&["example.com"]);
        let now = instant("2026-12-01T00:00:00Z");
        let before = servers(&order, 1);
        let plan = plan_renewal(&order, &before, &wanted(0, &[]), now).unwrap();
        let known = before.iter().map(|server| server.id).collect();
        let after = servers(&order, 1);
        let renewed = order.apply_renewal(plan.term, &known, &after, now);
        let kept = renewed.next_term.unwrap().kept_servers;
        assert_eq!(kept, Some([after[0].id].into()));
    }

    #[test]
    fn al_9_the_number_is_named_again_and_those_to_keep_with_it() {
        let order = order(&["example.com"]);
        let now = instant("2026-12-01T00:00:00Z");
        let all = servers(&order, 3);
        let ids: Vec<_> = all.iter().map(|server| server.id).collect();
        let plan = |wanted: WantedRenewal| plan_renewal(&order, &all, &wanted, now);
        assert_eq!(reason(plan(wanted(0, &[]))), Reason::ServersToKeepRequired);
        assert_eq!(reason(plan(wanted(1, &[]))), Reason::ServersToKeepRequired);
        // All stay if they may, or fewer by choice.
        let found = plan(wanted(2, &[])).unwrap();
        assert_eq!(
            (found.term.kept_servers.unwrap().len(), found.lapsing),
            (3, vec![])
        );
        let found = plan(wanted(2, &[ids[1]])).unwrap();
        assert_eq!(found.lapsing, [ids[2]]);
        // The primary one stays even if not named, and counts.
        let found = plan(wanted(0, &[ids[0]])).unwrap();
        assert_eq!(found.term.kept_servers, Some([ids[0]].into()));
        assert_eq!(found.lapsing, ids[1..]);
        assert_eq!(
            reason(plan(wanted(0, &[ids[1]]))),
            Reason::ServersToKeepRequired
        );

        let stranger = ServerId::generate();
        assert_eq!(
            plan(wanted(2, &[ids[1], stranger])),
            Err(RenewalError::UnknownServers(vec![(1, stranger)]))
        );
    }

    #[test]
    fn al_9_servers_that_do_not_stay_lapse_with_the_start_and_not_before() {
        let mut order = order(&["example.com"]);
        let now = instant("2026-12-01T00:00:00Z");
        let all = servers(&order, 2);
        let wanted = wanted(0, &[all[0].id]);
        order.next_term = Some(plan_renewal(&order, &all, &wanted, now).unwrap().term);
        let states = |order: &Order| {
            let settled = all
                .iter()
                .map(|server| server.clone().with_lapse(order).state);
            settled.collect::<Vec<_>>()
        };
        assert_eq!(states(&order), [ServerState::Registered; 2]);
        let start = order.term.term.end();
        let after = order.with_turns(start);
        assert_eq!(
            states(&after),
            [ServerState::Registered, ServerState::Lapsed]
        );
        // The servers to keep do not affect one registered in the new term.
        let mut new = all[1].clone();
        new.register_time = start;
        assert_eq!(new.with_lapse(&after).state, ServerState::Registered);
    }

    #[test]
    fn al_9_a_server_registered_after_the_renewal_stays_where_there_is_a_place() {
        let mut order = order(&["example.com"]);
        let now = instant("2026-12-01T00:00:00Z");
        let all = servers(&order, 1);
        order.next_term = Some(
            plan_renewal(&order, &all, &wanted(1, &[]), now)
                .unwrap()
                .term,
        );
        let [second, third] = [ServerId::generate(), ServerId::generate()];
        let after = order.apply_registration(second, now);
        let full = after.clone().apply_registration(third, now);
        let kept = |order: Order| order.next_term.unwrap().kept_servers.unwrap();
        assert_eq!(kept(full.clone()), [all[0].id, second].into());
        let freed = full.apply_unregistration(second, now);
        assert_eq!(
            kept(freed.apply_registration(third, now)),
            [all[0].id, third].into()
        );
    }

    #[test]
    fn md_6_a_quote_is_bound_to_all_that_the_renewal_buys() {
        let order = order(&["example.com"]);
        let now = instant("2026-12-01T00:00:00Z");
        let all = servers(&order, 2);
        let pin = |order: &Order, wanted: &WantedRenewal| {
            plan_renewal(order, &all, wanted, now).unwrap().pin
        };
        let base = wanted(1, &[]);
        let mut later = order.clone();
        later.revision += 1;
        let fewer = wanted(1, &[all[0].id]);
        let longer = WantedRenewal {
            months: 24,
            ..base.clone()
        };
        let more = wanted(2, &[]);
        let named = WantedRenewal {
            names: names(&["b.example.com"]),
            ..base.clone()
        };
        let others = [&fewer, &longer, &more, &named].map(|other| pin(&order, other));
        let mut pins: BTreeSet<String> = others.into();
        pins.insert(pin(&order, &base));
        pins.insert(pin(&later, &base));
        assert_eq!(pins.len(), 6);
        assert_eq!(
            pin(&order, &base),
            pin(&order, &wanted(1, &[all[0].id, all[1].id]))
        );
    }

    #[test]
    fn md_10_a_term_that_would_be_over_is_not_sold() {
        let mut order = order(&["example.com"]);
        let anchor = instant("2026-01-31T00:00:00Z");
        order.term.term = Term::first(anchor, 1).unwrap();
        if let Some(sold) = &mut order.term.sold {
            sold.product.renewal_grace_days = 60;
        }
        let month = WantedRenewal {
            months: 1,
            ..wanted(0, &[])
        };
        let end = instant("2026-03-31T00:00:00Z");
        let eve = Instant::from_micros(end.as_micros() - 1).unwrap();
        assert!(plan_renewal(&order, &[], &month, eve).is_ok());
        let late = plan_renewal(&order, &[], &month, end);
        assert_eq!(reason(late), Reason::TermEnded);
        assert!(plan_renewal(&order, &[], &wanted(0, &[]), end).is_ok());
    }

    #[test]
    fn t_2_a_renewal_keeps_the_anchor() {
        let mut order = order(&["example.com"]);
        let anchor = instant("2026-01-31T00:00:00Z");
        order.term.term = licet_domain::term::Term::first(anchor, 1).unwrap();
        order.progress = Progress::Paid;
        let month = WantedRenewal {
            months: 1,
            ..wanted(0, &[])
        };
        let plan = plan_renewal(&order, &[], &month, instant("2026-02-20T00:00:00Z")).unwrap();
        assert_eq!(plan.term.term.start(), instant("2026-02-28T00:00:00Z"));
        assert_eq!(plan.term.term.end(), instant("2026-03-31T00:00:00Z"));
    }
}
