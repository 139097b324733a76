//! The values that the decisions are about: an order, the terms it was bought for, the change that
//! waits for its certificate. They are read from and written to the store, never fetched here.

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

/// One term of an order, with everything that later decisions of this term are made with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OrderTerm {
    /// 0 for the first term of an order.
    pub(crate) index: u32,
    pub(crate) term: Term,
    /// Prices of this term are those in force then, whatever was set since (MD-8): when the order
    /// was accepted, and once it is charged since when the prices charged are in force (BL-8).
    pub(crate) price_time: Instant,
    pub(crate) additional_licenses: u32,
    /// When the first certificate of this term was recorded.
    pub(crate) first_issuance_time: Option<Instant>,
    /// What was sold; absent until the term's charge is through.
    pub(crate) sold: Option<SoldProduct>,
    /// The names bought for the term, the common name among them, as they are without a move of it that
    /// waits (MD-5); absent where they are those that the order's certificates carry.
    #[serde(default)]
    pub(crate) names: Option<BTreeSet<San>>,
    /// The servers that stay when the term starts: what was registered before it and is not here
    /// lapses then (AL-9). Absent for a first term.
    #[serde(default)]
    pub(crate) kept_servers: Option<BTreeSet<ServerId>>,
    /// When its purchase was accepted (T-4); absent for what was sold before this was kept.
    #[serde(default)]
    pub(crate) bought_time: Option<Instant>,
}

impl OrderTerm {
    /// What the days of its refund count from (AL-4).
    pub(crate) fn refund_count(&self) -> RefundCount {
        let sold = self.sold.as_ref();
        sold.map_or_else(RefundCount::default, |sold| sold.product.refund_count)
    }

    /// When its purchase was accepted. What was sold before this was kept counts from its use.
    pub(crate) fn bought(&self) -> Instant {
        self.bought_time.unwrap_or(self.price_time)
    }
}

/// What a term was sold with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SoldProduct {
    pub(crate) product: Product,
    /// Slots that belong to the order until the term ends, the included ones counted in (MD-2).
    pub(crate) slots: Slots,
    /// The currency that the order is charged in.
    pub(crate) currency: Currency,
    /// The product of its SAN licence that the order's certificates count as; absent for an
    /// order that draws on none.
    pub(crate) san_product_id: Option<ProductId>,
}

worded! {
    /// How far an order has come, as recorded. That it has ended is never recorded: time says so.
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
    /// What an order's customer sees of it at one instant; the words are the contract's.
    pub(crate) enum OrderState {
        /// Accepted; its charge is under way.
        Pending = "PENDING",
        /// Charged; waits for its first certificate.
        Paid = "PAID",
        /// Has a certificate, and time left.
        Issued = "ISSUED",
        /// Its last term is over.
        Ended = "ENDED",
        /// Deleted by its customer.
        Deleted = "DELETED",
    }
}

worded! {
    /// Where a change of names stands (MD-7).
    pub(crate) enum ChangeProgress {
        /// Accepted; what it costs is being charged.
        Charging = "CHARGING",
        /// Charged or free; the new certificate is awaited.
        AwaitingIssuance = "AWAITING_ISSUANCE",
    }
}

/// A change of names that was accepted and is not in a certificate yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DomainChange {
    pub(crate) progress: ChangeProgress,
    /// Index of the term that ran when it was accepted.
    pub(crate) term_index: u32,
    /// Whether the next term was bought by then, so that it is made in that one, too (MD-8). A term
    /// bought later has the names that it was bought for; the common name alone moves in it (MD-5).
    pub(crate) in_next_term: bool,
    /// All names of the order once the change is through, the common name among them.
    pub(crate) names: BTreeSet<San>,
    pub(crate) added: BTreeSet<San>,
    pub(crate) removed: BTreeSet<San>,
    /// The name that is made the common name with it (MD-5); absent where that stays.
    pub(crate) common_name: Option<San>,
    /// The slots that it pays for in that term.
    pub(crate) charge: SlotCharge,
    /// The slots that it pays for in the term after it, bought already (MD-8).
    pub(crate) next_charge: SlotCharge,
    pub(crate) accept_time: Instant,
    /// The operation that charges it; absent for a free one.
    pub(crate) operation_id: Option<OperationId>,
    /// What was charged for that term; absent until it is.
    pub(crate) charged: Option<ChangeCharge>,
    /// What was charged for the term after it; absent until it is, and where none was bought.
    pub(crate) next_charged: Option<ChangeCharge>,
}

impl DomainChange {
    /// Whether it is made in a term of its order (MD-8).
    pub(crate) fn is_made_in(&self, term_index: u32) -> bool {
        let next = self.term_index.saturating_add(1);
        term_index == self.term_index || (self.in_next_term && term_index == next)
    }

    /// The names of a term of its order once it is made. The common name of the order, which is
    /// `common_name` now, moves in every term (MD-5).
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

    /// The invoices that it was charged with, this term's first.
    pub(crate) fn invoice_ids(&self) -> impl Iterator<Item = InvoiceId> {
        let charges = [self.charged, self.next_charged];
        charges.into_iter().flatten().filter_map(|it| it.invoice_id)
    }
}

/// What a change of names was charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChangeCharge {
    /// Absent for a free change.
    pub(crate) invoice_id: Option<InvoiceId>,
    pub(crate) total: Money,
}

/// The customer's request (PKCS#10), and the key that it was made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SigningRequest {
    pub(crate) pem: String,
    pub(crate) spki_sha256: [u8; 32],
}

impl SigningRequest {
    /// A request as an order keeps it.
    pub(crate) fn of(request: &ParsedRequest) -> Self {
        let der = std::iter::once(request.der.as_slice());
        Self {
            pem: to_pem("CERTIFICATE REQUEST", der),
            spki_sha256: request.spki_sha256,
        }
    }
}

/// An order with the term that runs and the change that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) id: OrderId,
    pub(crate) account_id: AccountId,
    pub(crate) progress: Progress,
    /// Grows with every change of the order; a quote is pinned to it (MD-6).
    pub(crate) revision: u64,
    pub(crate) common_name: San,
    /// The names that the order's certificates carry today, the common name among them.
    pub(crate) names: BTreeSet<San>,
    pub(crate) server_software: String,
    pub(crate) signing_request: Option<SigningRequest>,
    /// The SAN licence that its names are drawn from.
    pub(crate) san_license_id: Option<LicenseId>,
    /// What holds the SANs of the certificate that is about to be signed (SL-12); it may have
    /// lapsed. Absent when none was granted since the last certificate.
    pub(crate) reservation_id: Option<ReservationId>,
    pub(crate) product_id: ProductId,
    /// The term that runs, or the last one that did.
    pub(crate) term: OrderTerm,
    /// The term bought for the time after it; one at most (MD-10).
    pub(crate) next_term: Option<OrderTerm>,
    pub(crate) change: Option<DomainChange>,
    /// Since when another certificate with the same names is asked for; absent when none is.
    pub(crate) reissue_since: Option<Instant>,
    /// Whether it was noted that time has ended the order; nothing is decided by it.
    pub(crate) end_noted: bool,
    pub(crate) create_time: Instant,
    /// When something was last decided about this order; time never runs back behind it (T-5).
    pub(crate) decision_time: Instant,
    pub(crate) delete_time: Option<Instant>,
    /// The refunds of its terms by their index, as the customer sees them, encoded; nothing here is
    /// decided by them.
    pub(crate) refunds: BTreeMap<u32, Vec<u8>>,
    /// A refund waits for a review at Billing, whose outcome is still to be asked for.
    pub(crate) refund_in_review: bool,
}

impl Order {
    /// The instant to decide this order's next request at: the clock, or the last decision where
    /// another instance's clock was ahead (T-5).
    pub(crate) fn decide_at(&self, clock: Instant) -> Instant {
        clock.max(self.decision_time)
    }

    /// The state at `now`. An order ends by time alone, so nothing has to run for it to show.
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

    /// What the order was sold with. Asking before it is charged is refused as ORDER_NOT_PAID.
    pub(crate) fn sold(&self) -> Result<&SoldProduct, Refusal> {
        self.term.sold.as_ref().ok_or_else(|| {
            Refusal::new(
                Reason::OrderNotPaid,
                format!(
                    "order {} is PENDING: wait until its charge is through",
                    self.id
                ),
            )
            .with("order_id", self.id)
            .with("state", "PENDING")
        })
    }

    /// The end of the last term that was bought.
    pub(crate) fn end(&self) -> Instant {
        self.next_term.as_ref().unwrap_or(&self.term).term.end()
    }

    /// The names bought for the running term, a change that waits left aside.
    pub(crate) fn term_names(&self) -> &BTreeSet<San> {
        self.term.names.as_ref().unwrap_or(&self.names)
    }

    /// The names that the next certificate has to carry: those of a change that is paid for, else
    /// those bought for the running term.
    pub(crate) fn wanted_names(&self) -> &BTreeSet<San> {
        match &self.change {
            Some(change) if change.progress == ChangeProgress::AwaitingIssuance => &change.names,
            Some(_) | None => self.term_names(),
        }
    }

    /// The names of a term bought for later, with a change that is paid for made in it, too (MD-8).
    pub(crate) fn wanted_names_in(&self, later: &OrderTerm) -> BTreeSet<San> {
        let names = later.names.as_ref().unwrap_or(&self.names);
        match &self.change {
            Some(change) if change.progress == ChangeProgress::AwaitingIssuance => {
                change.names_in(later.index, names, &self.common_name)
            }
            Some(_) | None => names.clone(),
        }
    }

    /// Since when a certificate is awaited that the CA may sign: the first one, one with changed
    /// names, or one that was asked for. Absent when none is.
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
