//! What changes orders: each file is one verb, a transaction around load, rules and store. What
//! needs a peer is accepted here and goes on as a durable operation.

pub(crate) mod begin_issuance;
pub(crate) mod delete_order;
mod event;
pub(crate) mod operation;
pub(crate) mod place_order;
mod price_order;
mod record;
pub(crate) mod record_issuance;
pub(crate) mod register_server;
pub(crate) mod return_sans;
pub(crate) mod unregister_server;
pub(crate) mod update_domains;
