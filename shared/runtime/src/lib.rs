//! What makes a tonic service run: listeners, limits, callers, transactions, replay, durable
//! operations, events, time. It knows no business, and nothing here may learn any.

mod answer;
pub mod caller;
pub mod chain;
pub mod clock;
pub mod config;
pub mod database;
pub mod door;
pub mod fault;
pub mod field;
pub mod following;
mod guard;
pub mod history;
pub mod joining;
pub mod operation;
pub mod operation_service;
pub mod outbox;
pub mod page;
pub mod peer;
pub mod peer_store;
pub mod places;
mod reflection;
pub mod replay;
pub mod schedule;
pub mod seal;
pub mod server;
pub mod stored;
pub mod telemetry;
pub mod transport;
pub mod verification;
pub mod wire;
