//! The filters and selections of read methods.

use licet_domain::{
    clock::Instant,
    ids::{AccountId, InvoiceId, ProductId},
    money::Currency,
};

use super::{charge::InvoiceState, numbers::DocumentNumber, refund::RefundState};

/// When a version or a price list must be in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InForceAt {
    /// At a stated instant.
    Instant(Instant),
    /// Now, by this instance's clock. Anything that took effect when it was recorded counts, even
    /// if the recording instance's clock was ahead of this one (T-5).
    Now(Instant),
}

impl InForceAt {
    /// The instant by this instance's clock.
    pub(crate) fn instant(self) -> Instant {
        match self {
            Self::Instant(at) | Self::Now(at) => at,
        }
    }
}

/// Which version of a product is requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VersionSelection {
    /// The one in force at an instant.
    InForce(InForceAt),
    /// The one with this number, in force or not.
    Version(u32),
}

/// The filter of a list of price lists.
#[derive(Clone, Debug)]
pub(crate) struct PriceFilter {
    /// The product of the lists.
    pub(crate) product_id: ProductId,
    /// `None`: every currency.
    pub(crate) currency: Option<Currency>,
    /// When they must be in force; `None`: when the listing began.
    pub(crate) at: Option<Instant>,
}

/// The filter of a list of invoices.
#[derive(Clone, Debug, Default)]
pub(crate) struct InvoiceFilter {
    /// `None`: every account that the caller sees.
    pub(crate) account_id: Option<AccountId>,
    /// The resource that the invoice is for.
    pub(crate) resource_id: Option<String>,
    /// Whether something is due.
    pub(crate) state: Option<InvoiceState>,
    /// Its number (BL-8).
    pub(crate) number: Option<DocumentNumber>,
}

/// The filter of a list of credit notes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CreditNoteFilter {
    /// `None`: every account that the caller sees.
    pub(crate) account_id: Option<AccountId>,
    /// The credited invoice.
    pub(crate) invoice_id: Option<InvoiceId>,
}

/// The filter of a list of refunds.
#[derive(Clone, Debug, Default)]
pub(crate) struct RefundFilter {
    /// `None`: every account that the caller sees.
    pub(crate) account_id: Option<AccountId>,
    /// The resource that the refund is for.
    pub(crate) resource_id: Option<String>,
    /// The state of the refund.
    pub(crate) state: Option<RefundState>,
}
