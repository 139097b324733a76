//! The deletion of an order, with its refunds (AL-4, AL-7, X-3).

use licet_domain::clock::Instant;

use super::{
    order::{Invoice, Order, ServerState},
    policy::RefundState,
};

impl Order {
    /// When a term's refund days began to count (AL-4): the first instant of the term with an active
    /// certificate, or the purchase. `None`: the term has not begun, or had no certificate.
    pub fn counted_since(&self, place: usize) -> Option<Instant> {
        let term = &self.terms[place];
        if self.now < term.start {
            return None;
        }
        if term.policy.counts_from_purchase {
            return Some(term.bought);
        }
        let active_from = self.certificates.iter().filter_map(|it| {
            let until = it.expires.min(it.revoked.unwrap_or(it.expires));
            let from = it.recorded.max(term.start);
            let counts = it.recorded >= term.start || until > term.start;
            (counts && from < term.end).then_some(from)
        });
        active_from.min()
    }

    /// AL-4: Billing's decision about a term's refund, and the amount open to it.
    pub fn refund(&self, place: usize) -> (RefundState, i64) {
        let term = &self.terms[place];
        let open = |it: &Invoice| it.total - it.credited;
        let period = (term.start, term.end);
        let since = self.counted_since(place);
        (
            term.policy.refund_state(period, since, self.now),
            term.invoices.iter().map(open).sum(),
        )
    }

    /// The terms for which a deletion requests a refund: the running one, the next one, and ended ones that
    /// may still be refunded.
    pub fn refundable(&self) -> Vec<usize> {
        let is_open = |place: &usize| self.refund(*place).0 != RefundState::NotDue;
        let all = 0..self.terms.len();
        all.filter(|place| *place >= self.running || is_open(place))
            .collect()
    }

    /// Deletes the order and everything that belongs to it (AL-7, X-3). Returns what is refunded without a
    /// review.
    pub fn delete(&mut self) -> i64 {
        let mut refunded = 0;
        for place in self.refundable() {
            if let (RefundState::Refunded, open) = self.refund(place) {
                refunded += open;
                let invoices = &mut self.terms[place].invoices;
                invoices.iter_mut().for_each(|it| it.credited = it.total);
            }
        }
        for place in 0..self.certificates.len() {
            if self.is_usable(place) {
                self.certificates[place].revoked = Some(self.now);
                self.certificates[place].to_revoke = true;
            }
        }
        for place in self.registered() {
            self.servers[place].state = ServerState::Invalidated;
        }
        self.drop_change();
        self.reissue_since = None;
        self.is_deleted = true;
        self.revision += 1;
        refunded
    }
}
