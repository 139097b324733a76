//! Cancelling a domain change before its certificate is recorded (MD-7, MD-8), so that a domain
//! that fails validation cannot block the order. Its charge is credited in full.

use licet_domain::{
    clock::Instant,
    ids::{InvoiceId, ReservationId},
    refusal::{Reason, Refusal},
};

use super::order::{ChangeProgress, Order};

/// What a cancellation credits and releases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DomainChangeCancellation {
    /// The invoices to credit, the running term's first; none for a free change.
    pub(crate) invoices: Vec<InvoiceId>,
    /// The reservation for the certificate that will not be signed (SL-12).
    pub(crate) reservation_id: Option<ReservationId>,
}

/// Plans the cancellation at `now`, with no operation running. NO_CHANGE_PENDING if there is no
/// change; domains that a renewal brought are none.
pub(crate) fn plan_cancellation(
    order: &Order,
    now: Instant,
) -> Result<DomainChangeCancellation, Refusal> {
    let Some(change) = &order.change else {
        let state = order.state(now).as_str();
        return Err(Refusal::new(
            Reason::NoChangePending,
            format!(
                "order {} is {state} and has no pending domain change",
                order.id
            ),
        )
        .with("order_id", order.id)
        .with("state", state));
    };
    Ok(DomainChangeCancellation {
        invoices: change.invoice_ids().collect(),
        reservation_id: order.reservation_id,
    })
}

impl Order {
    /// The change is being cancelled: nothing may be signed for it while it is credited.
    pub(crate) fn apply_cancellation(mut self, now: Instant) -> Order {
        self.set_change_progress(ChangeProgress::Charging);
        self.apply_decision(now)
    }

    /// Its charge was not credited: the change still awaits its certificate.
    pub(crate) fn apply_cancellation_refused(mut self, now: Instant) -> Order {
        self.set_change_progress(ChangeProgress::AwaitingIssuance);
        self.apply_decision(now)
    }

    fn set_change_progress(&mut self, progress: ChangeProgress) {
        if let Some(change) = &mut self.change {
            change.progress = progress;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use licet_domain::money::Money;

    use super::{
        super::{
            domains::{WantedChange, plan_domain_change},
            order::ChangeCharge,
            samples::{instant, names, order},
        },
        *,
    };

    /// An order with a charged fourth domain that awaits its certificate, and the order before.
    fn waiting() -> (Order, Order, InvoiceId) {
        let before = order(&["example.com", "a.example.com", "b.example.com"]);
        let now = instant("2026-07-01T00:00:00Z");
        let wanted = WantedChange {
            add: names(&["c.example.com"]),
            remove: BTreeSet::new(),
            common_name: None,
        };
        let plan = plan_domain_change(&before, &wanted).unwrap();
        let invoice_id = InvoiceId::generate();
        let charge = ChangeCharge {
            invoice_id: Some(invoice_id),
            total: Money::from_minor("USD".parse().unwrap(), 2450),
        };
        let charging = before.clone().apply_change(plan, None, now);
        let after = charging.apply_change_charged(Some(charge), None, now);
        (before, after, invoice_id)
    }

    #[test]
    fn md_7_names_and_slots_are_as_before_and_the_charge_is_credited() {
        let (before, waiting, invoice_id) = waiting();
        let now = instant("2026-07-02T00:00:00Z");
        let plan = plan_cancellation(&waiting, now).unwrap();
        assert_eq!(
            (plan.invoices, plan.reservation_id),
            (vec![invoice_id], None)
        );

        let crediting = waiting.clone().apply_cancellation(now);
        assert_eq!(
            crediting.issuance_pending_since(),
            None,
            "nothing is to be signed"
        );
        let back = crediting.clone().apply_change_cancelled(now);
        assert_eq!((&back.names, &back.term), (&before.names, &before.term));
        assert_eq!((back.change, back.revision), (None, waiting.revision + 1));
        // Refused, it awaits its certificate as before.
        let refused = crediting.apply_cancellation_refused(now);
        assert_eq!(refused, waiting.apply_decision(now));
    }

    #[test]
    fn md_7_without_a_change_there_is_nothing_to_cancel() {
        let (before, ..) = waiting();
        let now = instant("2026-07-02T00:00:00Z");
        let refusal = plan_cancellation(&before, now).unwrap_err();
        assert_eq!(refusal.reason, Reason::NoChangePending);
        assert_eq!(refusal.metadata["state"], "ISSUED");
    }

    #[test]
    fn md_7_a_reissue_that_was_asked_for_is_still_awaited() {
        let before = order(&["example.com", "a.example.com"]);
        let asked = instant("2026-06-01T00:00:00Z");
        let now = instant("2026-06-02T00:00:00Z");
        let wanted = WantedChange {
            add: BTreeSet::new(),
            remove: names(&["a.example.com"]),
            common_name: None,
        };
        let reissue = before.apply_reissue(None, asked);
        let plan = plan_domain_change(&reissue, &wanted).unwrap();
        let free = reissue.clone().apply_change(plan, None, now);
        assert_eq!(plan_cancellation(&free, now).unwrap().invoices, []);
        let back = free.apply_change_cancelled(now);
        assert_eq!(back.reissue_since, Some(asked));
        assert_eq!(back.wanted_names(), &reissue.names);
    }
}
