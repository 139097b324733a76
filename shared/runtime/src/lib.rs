//! The runtime of a tonic service: listeners, limits, callers, transactions, replay, durable operations,
//! events and time. It must not contain business rules.

pub mod all_accounts;
mod area;
pub mod bookmark;
mod buffered_body;
pub mod caller;
pub mod chain;
pub mod clock;
mod clock_service;
pub mod concurrency;
pub mod config;
pub mod database;
mod deadline;
pub mod door;
mod event_rows;
mod event_search;
mod event_service;
pub mod fault;
pub mod field;
pub mod follow_position;
pub mod follower;
mod guard;
mod guard_faults;

pub mod history;
pub mod join;
pub mod operation;
pub mod operation_service;
pub mod outbox;
pub mod page;
pub mod peer;
pub mod peer_store;
mod reflection;
pub mod replay;
mod response_body;
pub mod retention;
pub mod schedule;
pub mod seal;
pub mod seal_check;
pub mod server;
mod server_limits;
pub mod status;
pub mod stored;
pub mod telemetry;
pub mod transport;
pub mod verification;
pub mod wire;
