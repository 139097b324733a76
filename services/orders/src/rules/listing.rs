//! The filters of listings. A state is the one at an instant, never a stored column.

use std::collections::BTreeSet;

use licet_domain::{
    clock::Instant,
    ids::{AccountId, InvoiceId, OrderId},
    san::San,
};

use super::{certificate::CertificateState, order::OrderState};

/// A filter of orders.
#[derive(Debug, Clone, Default)]
pub(crate) struct OrderFilter {
    pub(crate) account_id: Option<AccountId>,
    pub(crate) state: Option<OrderState>,
    pub(crate) name: Option<San>,
    /// The last term ends then or later.
    pub(crate) end_from: Option<Instant>,
    /// The last term ends earlier.
    pub(crate) end_before: Option<Instant>,
    /// One of these matches.
    pub(crate) clues: Option<Clues>,
}

/// Everything that one search text can mean.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clues {
    pub(crate) order_id: Option<OrderId>,
    pub(crate) serial_hex: Option<String>,
    pub(crate) fingerprint_sha256: Option<[u8; 32]>,
    pub(crate) name: Option<San>,
    pub(crate) invoice_id: Option<InvoiceId>,
    /// As printed on the invoice; Billing knows whose it is.
    pub(crate) invoice_number: Option<String>,
    /// The request id, in every spelling that a caller may have used.
    pub(crate) request_ids: BTreeSet<String>,
}

impl Clues {
    /// Whether the text has no meaning by which an order can be found.
    pub(crate) fn is_empty(&self) -> bool {
        let Self {
            order_id,
            serial_hex,
            fingerprint_sha256,
            name,
            invoice_id,
            invoice_number,
            request_ids,
        } = self;
        order_id.is_none()
            && serial_hex.is_none()
            && fingerprint_sha256.is_none()
            && name.is_none()
            && invoice_id.is_none()
            && invoice_number.is_none()
            && request_ids.is_empty()
    }
}

/// A filter of certificates.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CertificateFilter {
    pub(crate) account_id: Option<AccountId>,
    pub(crate) order_id: Option<OrderId>,
    pub(crate) state: Option<CertificateState>,
}
