//! What a listing may be narrowed to. States here are those of an instant, never a stored column.

use licet_domain::{
    clock::Instant,
    ids::{AccountId, OrderId},
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
}

/// What a listing of certificates is narrowed to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CertificateFilter {
    pub(crate) account_id: Option<AccountId>,
    pub(crate) order_id: Option<OrderId>,
    pub(crate) state: Option<CertificateState>,
}

/// What a listing of operations is narrowed to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OperationFilter {
    pub(crate) order_id: Option<OrderId>,
    /// As the runtime names the states.
    pub(crate) state: Option<&'static str>,
}
