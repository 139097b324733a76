//! What a listing may be narrowed to. States here are those of an instant, never a stored column.

use std::collections::BTreeSet;

use licet_domain::{
    clock::Instant,
    ids::{AccountId, InvoiceId, OrderId},
    san::San,
};

use super::{certificate::CertificateState, order::OrderState};

/// What a listing of orders is narrowed to.
#[derive(Debug, Clone, Default)]
pub(crate) struct OrderFilter {
    pub(crate) account_id: Option<AccountId>,
    pub(crate) state: Option<OrderState>,
    pub(crate) name: Option<San>,
    /// Its last term ends then or later.
    pub(crate) end_from: Option<Instant>,
    /// Its last term ends earlier.
    pub(crate) end_before: Option<Instant>,
    /// One of these leads to it.
    pub(crate) clues: Option<Clues>,
}

/// What one text that is known of an order can be read as.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clues {
    pub(crate) order_id: Option<OrderId>,
    pub(crate) serial_hex: Option<String>,
    pub(crate) fingerprint_sha256: Option<[u8; 32]>,
    pub(crate) name: Option<San>,
    pub(crate) invoice_id: Option<InvoiceId>,
    /// As people know it: Billing tells whose it is.
    pub(crate) invoice_number: Option<String>,
    /// As its caller may have written it.
    pub(crate) request_ids: BTreeSet<String>,
}

impl Clues {
    /// Whether the text can be read as nothing that an order is known by.
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

/// What a listing of certificates is narrowed to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CertificateFilter {
    pub(crate) account_id: Option<AccountId>,
    pub(crate) order_id: Option<OrderId>,
    pub(crate) state: Option<CertificateState>,
}
