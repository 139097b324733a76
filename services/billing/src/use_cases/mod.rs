//! What changes something: each a transaction around load, rules, store, and the event last.

pub(crate) mod charge_quote;
pub(crate) mod create_account;
pub(crate) mod create_product;
pub(crate) mod create_quote;
pub(crate) mod deposit;
pub(crate) mod request_refund;
pub(crate) mod set_prices;
pub(crate) mod update_product;
