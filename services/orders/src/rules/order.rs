//! The values that the rules decide about: an order, its terms, and its pending domain change. The
//! store reads and writes them; nothing here fetches them.

use std::collections::{BTreeMap, BTreeSet};

use licet_domain::{
    certificate::ParsedRequest,
    clock::Instant,
    ids::{
        AccountId, InvoiceId, LicenseId, OperationId, OrderId, ProductId, ReservationId, ServerId,
    },
    money::{Currency, Money},
    refusal::{Reason, Refusal},
    san::San,
    term::Term,
    worded,
};
use serde::{Deserialize, Serialize};

use super::{
    name_sets::{changed_names, with_common_name},
    pem::to_pem,
    product::{Product, RefundCount},
    slots::{SlotCharge, Slots},
};

/// One term of an order, with everything that later decisions about the term depend on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OrderTerm {
    /// 0 for the first term of an order.
    pub(crate) index: u32,
    pub(crate) term: Term,
    /// The term is priced by the prices in force at this instant, whatever was set since (MD-8):
    /// when the order was accepted; once charged, since when the charged prices are in force
    /// (BL-8).
    pub(crate) price_time: Instant,
    pub(crate) additional_licenses: u32,
    /// When the first certificate of this term was recorded.
    pub(crate) first_issuance_time: Option<Instant>,
    /// What was sold; absent until the term is charged.
    pub(crate) sold: Option<SoldProduct>,
    /// The domains bought for the term, including the common name, without a pending move of it
    /// (MD-5); absent if the order's certificates carry exactly these.
    #[serde(default)]
    pub(crate) names: Option<BTreeSet<San>>,
    /// The servers that stay when the term starts: any other one registered before lapses then
    /// (AL-9). Absent for a first term.
    #[serde(default)]
    pub(crate) kept_servers: Option<BTreeSet<ServerId>>,
    /// When its purchase was accepted (T-4); absent if it was sold before this was stored.
    #[serde(default)]
    pub(crate) bought_time: Option<Instant>,
}

impl OrderTerm {
    /// What the days of its refund count from (AL-4).
    pub(crate) fn refund_count(&self) -> RefundCount {
        let sold = self.sold.as_ref();
        sold.map_or_else(RefundCount::default, |sold| sold.product.refund_count)
    }

    /// When its purchase was accepted; the price time for a term sold before this was stored.
    pub(crate) fn bought(&self) -> Instant {
        self.bought_time.unwrap_or(self.price_time)
    }
}

/// What was sold with a term.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SoldProduct {
    pub(crate) product: Product,
    /// The slots that the order owns until the term ends, including those in the product's price
    /// (MD-2).
    pub(crate) slots: Slots,
    /// The currency that the order is charged in.
    pub(crate) currency: Currency,
    /// The product of its SAN licence that the order's certificates count as; absent if it
    /// draws on none.
    pub(crate) san_product_id: Option<ProductId>,
}

worded! {
    /// How far an order has come, as stored. That it ended is not stored: it follows from the time.
    pub(crate) enum Progress {
        /// Accepted; its charge is under way.
        Pending = "PENDING",
        /// Charged; no certificate recorded yet.
        Paid = "PAID",
        /// At least one certificate recorded.
        Issued = "ISSUED",
        /// Deleted by its customer.
        Deleted = "DELETED",
    }
}

worded! {
    /// The state of an order at one instant, in the contract's words.
    pub(crate) enum OrderState {
        /// Accepted; its charge is under way.
        Pending = "PENDING",
        /// Charged; awaits its first certificate.
        Paid = "PAID",
        /// Has had a certificate; its last term is not over.
        Issued = "ISSUED",
        /// Its last term is over.
        Ended = "ENDED",
        /// Deleted by its customer.
        Deleted = "DELETED",
    }
}

worded! {
    /// The progress of a domain change (MD-7).
    pub(crate) enum ChangeProgress {
        /// Accepted, and being charged; or being cancelled, and credited.
        Charging = "CHARGING",
        /// Charged or free; awaits its certificate.
        AwaitingIssuance = "AWAITING_ISSUANCE",
    }
}

/// A domain change that was accepted and is not in a certificate yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DomainChange {
    pub(crate) progress: ChangeProgress,
    /// Index of the term that ran when it was accepted.
    pub(crate) term_index: u32,
    /// Whether the next term was bought before it, so that the change is made in that term, too
    /// (MD-8). A term bought later keeps the domains that it was bought for; only the common name
    /// moves in it (MD-5).
    pub(crate) in_next_term: bool,
    /// All domains of the order once the change is made, including the common name.
    pub(crate) names: BTreeSet<San>,
    pub(crate) added: BTreeSet<San>,
    pub(crate) removed: BTreeSet<San>,
    /// The new common name (MD-5); absent if it stays.
    pub(crate) common_name: Option<San>,
    /// The slots that it pays for in term `term_index`.
    pub(crate) charge: SlotCharge,
    /// The slots that it pays for in the term after that, if bought before (MD-8).
    pub(crate) next_charge: SlotCharge,
    pub(crate) accept_time: Instant,
    /// The operation that charges it; absent for a free change.
    pub(crate) operation_id: Option<OperationId>,
    /// What was charged for term `term_index`; absent until charged.
    pub(crate) charged: Option<ChangeCharge>,
    /// What was charged for the term after that; absent until charged, and if none was bought.
    pub(crate) next_charged: Option<ChangeCharge>,
}

impl DomainChange {
    /// Whether the change is made in this term (MD-8).
    pub(crate) fn is_made_in(&self, term_index: u32) -> bool {
        let next = self.term_index.saturating_add(1);
        term_index == self.term_index || (self.in_next_term && term_index == next)
    }

    /// The domains of a term once the change is made. The order's common name, now `common_name`,
    /// moves in every term (MD-5).
    pub(crate) fn names_in(
        &self,
        term_index: u32,
        names: &BTreeSet<San>,
        common_name: &San,
    ) -> BTreeSet<San> {
        if self.is_made_in(term_index) {
            return changed_names(names, &self.added, &self.removed);
        }
        match &self.common_name {
            Some(moved) => with_common_name(names, common_name, moved),
            None => names.clone(),
        }
    }

    /// The invoices for the change: that of the running term, then that of the next term.
    pub(crate) fn invoice_ids(&self) -> impl Iterator<Item = InvoiceId> {
        let charges = [self.charged, self.next_charged];
        charges.into_iter().flatten().filter_map(|it| it.invoice_id)
    }
}

/// What a domain change was charged in one term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChangeCharge {
    /// Absent for a free change.
    pub(crate) invoice_id: Option<InvoiceId>,
    pub(crate) total: Money,
}

/// The customer's signing request (PKCS#10), and the digest of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SigningRequest {
    pub(crate) pem: String,
    pub(crate) spki_sha256: [u8; 32],
}

impl SigningRequest {
    /// A signing request as an order stores it.
    pub(crate) fn of(request: &ParsedRequest) -> Self {
        let der = std::iter::once(request.der.as_slice());
        Self {
            pem: to_pem("CERTIFICATE REQUEST", der),
            spki_sha256: request.spki_sha256,
        }
    }
}

/// An order with its running term and its pending domain change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) id: OrderId,
    pub(crate) account_id: AccountId,
    pub(crate) progress: Progress,
    /// Grows with every change of the order; a quote is pinned to it (MD-6).
    pub(crate) revision: u64,
    pub(crate) common_name: San,
    /// The domains that the order's certificates carry now, including the common name.
    pub(crate) names: BTreeSet<San>,
    pub(crate) server_software: String,
    pub(crate) signing_request: Option<SigningRequest>,
    /// The SAN licence that its domains count in.
    pub(crate) san_license_id: Option<LicenseId>,
    /// The reservation for the next certificate (SL-12), which may have expired; absent if none was
    /// granted since the last certificate.
    pub(crate) reservation_id: Option<ReservationId>,
    pub(crate) product_id: ProductId,
    /// The running term, or the last one that ran.
    pub(crate) term: OrderTerm,
    /// The term bought to follow it; at most one (MD-10).
    pub(crate) next_term: Option<OrderTerm>,
    pub(crate) change: Option<DomainChange>,
    /// Since when a reissue is requested; absent if none is.
    pub(crate) reissue_since: Option<Instant>,
    /// Whether the turn that ends the order was taken, so that its event is emitted once. The state does not depend on it: it follows from the time.
    pub(crate) end_noted: bool,
    pub(crate) create_time: Instant,
    /// When this order was last decided about; no later decision is dated earlier (T-5).
    pub(crate) decision_time: Instant,
    pub(crate) delete_time: Option<Instant>,
    /// The encoded refunds of its terms by term index, as the customer sees them; nothing here
    /// depends on them.
    pub(crate) refunds: BTreeMap<u32, Vec<u8>>,
    /// Whether a refund is in review at Billing.
    pub(crate) refund_in_review: bool,
}

impl Order {
    /// The decision time of the order's next request: the clock, or the last decision if another
    /// instance's clock was ahead (T-5).
    pub(crate) fn decide_at(&self, clock: Instant) -> Instant {
        clock.max(self.decision_time)
    }

    /// The state at `now`. An order ends by time alone; no timer has to run for it.
    pub(crate) fn state(&self, now: Instant) -> OrderState {
        let over = now >= self.end();
        match self.progress {
            Progress::Deleted => OrderState::Deleted,
            Progress::Pending => OrderState::Pending,
            Progress::Paid | Progress::Issued if over => OrderState::Ended,
            Progress::Paid => OrderState::Paid,
            Progress::Issued => OrderState::Issued,
        }
    }

    /// What the order was sold with. Refused as ORDER_NOT_PAID until it is charged.
    pub(crate) fn sold(&self) -> Result<&SoldProduct, Refusal> {
        self.term.sold.as_ref().ok_or_else(|| {
            Refusal::new(
                Reason::OrderNotPaid,
                format!("order {} is PENDING: wait until it is charged", self.id),
            )
            .with("order_id", self.id)
            .with("state", "PENDING")
        })
    }

    /// The end of the last term bought.
    pub(crate) fn end(&self) -> Instant {
        self.next_term.as_ref().unwrap_or(&self.term).term.end()
    }

    /// The domains bought for the running term, without a pending change.
    pub(crate) fn term_names(&self) -> &BTreeSet<San> {
        self.term.names.as_ref().unwrap_or(&self.names)
    }

    /// The domains that the next certificate must carry: those of a paid change, else those bought
    /// for the running term.
    pub(crate) fn wanted_names(&self) -> &BTreeSet<San> {
        match &self.change {
            Some(change) if change.progress == ChangeProgress::AwaitingIssuance => &change.names,
            Some(_) | None => self.term_names(),
        }
    }

    /// The domains of a term bought for later, with a paid change made in it (MD-8).
    pub(crate) fn wanted_names_in(&self, later: &OrderTerm) -> BTreeSet<San> {
        let names = later.names.as_ref().unwrap_or(&self.names);
        match &self.change {
            Some(change) if change.progress == ChangeProgress::AwaitingIssuance => {
                change.names_in(later.index, names, &self.common_name)
            }
            Some(_) | None => names.clone(),
        }
    }

    /// Since when the CA may sign a certificate for the order: its first, one with changed domains,
    /// or a reissue. Absent if none is awaited.
    pub(crate) fn issuance_pending_since(&self) -> Option<Instant> {
        let first = match self.progress {
            Progress::Pending | Progress::Deleted => return None,
            Progress::Paid => Some(self.create_time),
            Progress::Issued => None,
        };
        let waits = |change: &&DomainChange| change.progress == ChangeProgress::AwaitingIssuance;
        let changed = self.change.as_ref().filter(waits);
        let of_term = self.term.names.is_some().then(|| self.term.term.start());
        [
            first,
            changed.map(|change| change.accept_time),
            of_term,
            self.reissue_since,
        ]
        .into_iter()
        .flatten()
        .min()
    }
}
