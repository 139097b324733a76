//! What a listing may be narrowed to. States here are those of an instant, never a stored column.

use licet_domain::{
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
}

/// What a listing of certificates is narrowed to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CertificateFilter {
    pub(crate) account_id: Option<AccountId>,
    pub(crate) order_id: Option<OrderId>,
    pub(crate) state: Option<CertificateState>,
}
