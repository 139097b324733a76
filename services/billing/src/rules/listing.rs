//! What a reading may be narrowed to.

use licet_domain::{
    clock::Instant,
    ids::{AccountId, InvoiceId, ProductId},
    money::Currency,
};

use super::{charge::InvoiceState, refund::RefundState};

/// When something of the catalogue is to be in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InForceAt {
    /// At a stated instant.
    Instant(Instant),
    /// Now. What took effect as it was recorded is in force, however far the clock of the instance
    /// that recorded it was ahead of this one (T-5).
    Now(Instant),
}

impl InForceAt {
    /// The instant, by this instance's clock.
    pub(crate) fn instant(self) -> Instant {
        match self {
            Self::Instant(at) | Self::Now(at) => at,
        }
    }
}

/// Which version of a product is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VersionSelection {
    /// The one in force then.
    InForce(InForceAt),
    /// The one of that number, in force or not.
    Version(u32),
}

/// What a listing of price lists is narrowed to.
#[derive(Clone, Debug)]
pub(crate) struct PriceFilter {
    /// The product that they are for.
    pub(crate) product_id: ProductId,
    /// `None`: every currency.
    pub(crate) currency: Option<Currency>,
    /// In force then; `None`: when the listing began.
    pub(crate) at: Option<Instant>,
}

/// What a listing of invoices is narrowed to.
#[derive(Clone, Debug, Default)]
pub(crate) struct InvoiceFilter {
    /// `None`: all that the caller sees.
    pub(crate) account_id: Option<AccountId>,
    /// Id of the thing that the invoice is about.
    pub(crate) resource_id: Option<String>,
    /// Whether something is due.
    pub(crate) state: Option<InvoiceState>,
    /// Its place in the seller's series (BL-8).
    pub(crate) number: Option<i64>,
}

/// What a listing of credit notes is narrowed to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CreditNoteFilter {
    /// `None`: all that the caller sees.
    pub(crate) account_id: Option<AccountId>,
    /// The invoice that they credit.
    pub(crate) invoice_id: Option<InvoiceId>,
}

/// What a listing of refunds is narrowed to.
#[derive(Clone, Debug, Default)]
pub(crate) struct RefundFilter {
    /// `None`: all that the caller sees.
    pub(crate) account_id: Option<AccountId>,
    /// Id of the thing that the refund is about.
    pub(crate) resource_id: Option<String>,
    /// How it was decided.
    pub(crate) state: Option<RefundState>,
}
