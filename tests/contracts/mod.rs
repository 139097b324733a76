//! What each service promises, asked over gRPC on both databases: a file per area of the contract.

mod accounts;
mod bad_input;
mod callers;
mod catalog;
mod changes;
mod clock;
mod domains;
pub(crate) mod events;
mod issuance;
mod placing;
mod quotes;
mod refunds;
mod replay;
mod runtime;
mod san_bad_input;
mod san_counting;
mod san_denials;
mod san_licenses;
mod san_recording;
mod san_repeats;
mod san_reservations;
mod san_views;
mod servers;
