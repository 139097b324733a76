//! What may be done with an order in which state: one table. The refusals name the state and the
//! way out of it.

use licet_domain::{
    clock::Instant,
    refusal::{Reason, Refusal},
};

use super::order::{Order, OrderState};

/// Something that a request wants to do with an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Change its names.
    ChangeDomains,
    /// Have a certificate signed for it, or record one that was.
    RecordIssuance,
    /// Register a server that uses its certificate.
    RegisterServer,
    /// Free a server's place.
    UnregisterServer,
    /// Delete it.
    Delete,
}

/// Whether `action` is open to the order at `now` as far as its state says. MD-10: an ended order
/// can only be renewed. X-8 (a certificate that comes after the deletion) is decided by whoever
/// records it, before this is asked.
pub(crate) fn permit(order: &Order, action: Action, now: Instant) -> Result<(), Refusal> {
    let state = order.state(now);
    let (reason, message) = match (state, action) {
        (
            OrderState::Paid | OrderState::Issued,
            Action::ChangeDomains | Action::RecordIssuance | Action::Delete,
        )
        | (OrderState::Issued, Action::RegisterServer)
        | (OrderState::Paid | OrderState::Issued | OrderState::Ended, Action::UnregisterServer) => {
            return Ok(());
        }
        (OrderState::Pending | OrderState::Paid, Action::RegisterServer) => (
            Reason::OrderNotIssued,
            format!(
                "order {} is {} and has no certificate yet: register once one is recorded",
                order.id,
                state.as_str()
            ),
        ),
        (OrderState::Pending, _) => (
            Reason::OrderNotPaid,
            format!(
                "order {} is PENDING: wait until its charge is through",
                order.id
            ),
        ),
        (OrderState::Ended, _) => (
            Reason::OrderEnded,
            format!(
                "order {} ENDED at {}: it can only be renewed, or a new order placed",
                order.id,
                order.term.term.end()
            ),
        ),
        (OrderState::Deleted, _) => (
            Reason::OrderDeleted,
            format!("order {} is DELETED: place a new order", order.id),
        ),
    };
    let mut refusal = Refusal::new(reason, message)
        .with("order_id", order.id)
        .with("state", state.as_str());
    if state == OrderState::Ended {
        refusal = refusal.with("end_time", order.term.term.end());
    }
    if let Some(delete_time) = order.delete_time {
        refusal = refusal.with("delete_time", delete_time);
    }
    Err(refusal)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{order::Progress, samples},
        *,
    };

    #[test]
    fn one_table_of_states_and_actions() {
        use Action::{ChangeDomains, Delete, RecordIssuance, RegisterServer, UnregisterServer};
        let actions = [
            ChangeDomains,
            RecordIssuance,
            RegisterServer,
            UnregisterServer,
            Delete,
        ];
        let not_paid = Some(Reason::OrderNotPaid);
        let not_issued = Some(Reason::OrderNotIssued);
        let ended = Some(Reason::OrderEnded);
        let deleted = Some(Reason::OrderDeleted);
        let table = [
            (
                Progress::Pending,
                false,
                [not_paid, not_paid, not_issued, not_paid, not_paid],
            ),
            (Progress::Paid, false, [None, None, not_issued, None, None]),
            (Progress::Issued, false, [None; 5]),
            (Progress::Issued, true, [ended, ended, ended, None, ended]),
            (Progress::Paid, true, [ended, ended, ended, None, ended]),
            (Progress::Deleted, false, [deleted; 5]),
        ];
        for (progress, over, expected) in table {
            let mut order = samples::order(&["example.com"]);
            order.progress = progress;
            let now = if over {
                order.term.term.end()
            } else {
                order.term.term.start()
            };
            for (action, reason) in actions.into_iter().zip(expected) {
                let found = permit(&order, action, now)
                    .err()
                    .map(|refusal| refusal.reason);
                assert_eq!(found, reason, "{progress:?} over={over} {action:?}");
            }
        }
    }

    #[test]
    fn t_1_an_order_ends_at_the_very_end_of_its_term() {
        let order = samples::order(&["example.com"]);
        let end = order.term.term.end();
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
