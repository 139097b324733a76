//! Changes: each one transaction that loads, applies the rules, stores, and emits its event last
//!

pub(crate) mod approve_refund;
pub(crate) mod charge_quotes;
pub(crate) mod create_account;
pub(crate) mod create_product;
pub(crate) mod create_quote;
mod credit_invoices;
pub(crate) mod deposit;
mod event;
pub(crate) mod forbid_charge;
pub(crate) mod issue_credit_note;
mod lower_review;
pub(crate) mod pay_invoice;
pub(crate) mod prune_quotes;
pub(crate) mod reject_refund;
pub(crate) mod request_refund;
pub(crate) mod reverse_entry;
pub(crate) mod set_prices;
pub(crate) mod update_account;
pub(crate) mod update_product;
pub(crate) mod withdraw;
