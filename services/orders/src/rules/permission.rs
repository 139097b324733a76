//! What may be done with an order in which state: one table, which every use-case asks. Each
//! refusal names the state and what to do.

use licet_domain::{
    clock::Instant,
    refusal::{Reason, Refusal},
};

use super::{
    order::{Order, OrderState},
    product::Product,
};

/// What a request wants to do with an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Change its domains (MD-1 to MD-8).
    ChangeDomains,
    /// Cancel its domain change (MD-7).
    CancelChange,
    /// Request a reissue (MD-7).
    RequestReissue,
    /// Have a certificate signed for it, or record one.
    RecordIssuance,
    /// Revoke one of its certificates.
    RevokeCertificate,
    /// Register a server (AL-8).
    RegisterServer,
    /// Unregister a server (AL-8).
    UnregisterServer,
    /// Correct the software of its servers (AL-6).
    SetServerSoftware,
    /// Renew it (MD-10).
    Renew,
    /// Delete it (AL-7).
    Delete,
}

impl Action {
    /// All actions.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 10] = [
        Self::ChangeDomains,
        Self::CancelChange,
        Self::RequestReissue,
        Self::RecordIssuance,
        Self::RevokeCertificate,
        Self::RegisterServer,
        Self::UnregisterServer,
        Self::SetServerSoftware,
        Self::Renew,
        Self::Delete,
    ];
}

/// Refuses `action` if the order's state at `now` forbids it. MD-10: an ended order can only be
/// renewed; a server may still be unregistered and a certificate revoked, which change nothing that
/// was sold. X-8, a certificate recorded after the deletion, is decided before this is asked.
pub(crate) fn permit(order: &Order, action: Action, now: Instant) -> Result<(), Refusal> {
    let state = order.state(now);
    match reason_against(state, action) {
        None => Ok(()),
        Some(reason) => Err(refuse(order, state, reason, now)),
    }
}

/// The table itself.
fn reason_against(state: OrderState, action: Action) -> Option<Reason> {
    use Action::{
        CancelChange, ChangeDomains, Delete, RecordIssuance, RegisterServer, Renew, RequestReissue,
        RevokeCertificate, SetServerSoftware, UnregisterServer,
    };
    match (state, action) {
        (OrderState::Pending | OrderState::Paid, RegisterServer) => Some(Reason::OrderNotIssued),
        (OrderState::Pending, _) => Some(Reason::OrderNotPaid),

        (
            OrderState::Paid,
            ChangeDomains | CancelChange | RequestReissue | RecordIssuance | RevokeCertificate
            | UnregisterServer | SetServerSoftware | Renew | Delete,
        )
        | (OrderState::Issued, _)
        | (OrderState::Ended, Renew | UnregisterServer | RevokeCertificate)
        | (OrderState::Deleted, RevokeCertificate) => None,

        (
            OrderState::Ended,
            ChangeDomains | CancelChange | RequestReissue | RecordIssuance | RegisterServer
            | SetServerSoftware | Delete,
        ) => Some(Reason::OrderEnded),

        (
            OrderState::Deleted,
            ChangeDomains | CancelChange | RequestReissue | RecordIssuance | RegisterServer
            | UnregisterServer | SetServerSoftware | Renew | Delete,
        ) => Some(Reason::OrderDeleted),
    }
}

fn refuse(order: &Order, state: OrderState, reason: Reason, now: Instant) -> Refusal {
    let id = order.id;
    // Do not suggest a renewal that is no longer possible.
    let until = renewable_until(order).filter(|until| now < *until);
    let message = match state {
        OrderState::Pending if reason == Reason::OrderNotPaid => {
            format!("order {id} is PENDING: wait until it is charged")
        }
        OrderState::Pending | OrderState::Paid | OrderState::Issued => format!(
            "order {id} is {} and has no certificate yet: register servers once one is recorded",
            state.as_str()
        ),
        OrderState::Ended => match until {
            Some(until) => format!(
                "order {id} ENDED at {}: renew it before {until}, or place a new order",
                order.end()
            ),
            None => format!("order {id} ENDED at {}: place a new order", order.end()),
        },
        OrderState::Deleted => format!("order {id} is DELETED: place a new order"),
    };
    let mut refusal = Refusal::new(reason, message)
        .with("order_id", id)
        .with("state", state.as_str());
    if state == OrderState::Ended {
        refusal = refusal.with("end_time", order.end());
        if let Some(until) = until {
            refusal = refusal.with("renewable_until_time", until);
        }
    }
    if let Some(delete_time) = order.delete_time {
        refusal = refusal.with("delete_time", delete_time);
    }
    refusal
}

/// Since when the order's last term can no longer be renewed, by the policy that it was sold with
/// (MD-10); that instant itself is too late *(ours)*.
pub(crate) fn renewable_until(order: &Order) -> Option<Instant> {
    let days = sold_last(order)?.renewal_grace_days;
    order
        .end()
        .checked_add(chrono::TimeDelta::days(i64::from(days)))
}

/// Since when the order's last term can be renewed (MD-10).
pub(crate) fn renewable_from(order: &Order) -> Option<Instant> {
    let days = sold_last(order)?.renewal_open_days;
    let open = chrono::TimeDelta::days(i64::from(days));
    order.end().checked_add(-open)
}

fn sold_last(order: &Order) -> Option<&Product> {
    let last = order.next_term.as_ref().unwrap_or(&order.term);
    last.sold.as_ref().map(|sold| &sold.product)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{order::Progress, samples},
        *,
    };

    #[test]
    fn md_10_one_table_of_states_and_actions() {
        let not_paid = Some(Reason::OrderNotPaid);
        let not_issued = Some(Reason::OrderNotIssued);
        let ended = Some(Reason::OrderEnded);
        let deleted = Some(Reason::OrderDeleted);
        let pending = [
            not_paid, not_paid, not_paid, not_paid, not_paid, not_issued, not_paid, not_paid,
            not_paid, not_paid,
        ];
        let paid = [
            None, None, None, None, None, not_issued, None, None, None, None,
        ];
        let over = [
            ended, ended, ended, ended, None, ended, None, ended, None, ended,
        ];
        let gone = [
            deleted, deleted, deleted, deleted, None, deleted, deleted, deleted, deleted, deleted,
        ];
        let table = [
            (Progress::Pending, false, pending),
            (Progress::Pending, true, pending),
            (Progress::Paid, false, paid),
            (Progress::Issued, false, [None; 10]),
            (Progress::Issued, true, over),
            (Progress::Paid, true, over),
            (Progress::Deleted, false, gone),
            (Progress::Deleted, true, gone),
        ];
        for (progress, is_over, expected) in table {
            let mut order = samples::order(&["example.com"]);
            order.progress = progress;
            let now = if is_over {
                order.end()
            } else {
                order.term.term.start()
            };
            for (action, reason) in Action::ALL.into_iter().zip(expected) {
                let found = permit(&order, action, now).err();
                let found = found.map(|refusal| {
                    assert_eq!(refusal.metadata["state"], order.state(now).as_str());
                    refusal.reason
                });
                assert_eq!(found, reason, "{progress:?} over={is_over} {action:?}");
            }
        }
    }

    #[test]
    fn md_10_an_ended_order_says_until_when_it_can_be_renewed() {
        let order = samples::order(&["example.com"]);
        let refusal = permit(&order, Action::Delete, order.end()).unwrap_err();
        assert_eq!(
            refusal.metadata["renewable_until_time"],
            "2027-01-31T00:00:00.000000Z"
        );
        assert_eq!(refusal.metadata["end_time"], "2027-01-01T00:00:00.000000Z");
        let closed = renewable_until(&order).unwrap();
        let refusal = permit(&order, Action::Delete, closed).unwrap_err();
        assert!(refusal.message.ends_with(": place a new order"));
        assert!(!refusal.metadata.contains_key("renewable_until_time"));
    }

    #[test]
    fn t_1_an_order_ends_at_the_very_end_of_its_term() {
        let order = samples::order(&["example.com"]);
        let end = order.end();
        let before = Instant::from_micros(end.as_micros() - 1).unwrap();
        assert_eq!(order.state(before), OrderState::Issued);
        assert_eq!(order.state(end), OrderState::Ended);
    }

    #[test]
    fn t_5_time_never_runs_back_for_an_order() {
        let mut order = samples::order(&["example.com"]);
        let early = samples::instant("2026-02-01T00:00:00Z");
        let late = samples::instant("2026-02-02T00:00:00Z");
        order.decision_time = late;
        assert_eq!(order.decide_at(early), late);
        order.decision_time = early;
        assert_eq!(order.decide_at(late), late);
    }
}
