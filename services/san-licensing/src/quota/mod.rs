//! The quota engine: one committer per process decides the requests of all licences that wait, and
//! commits them together. Correctness rests on the fence in the database, never on being alone.

mod alerts;
pub(crate) mod command;
mod committer;
mod decide;
mod handle;
mod ingest;
mod memory;
mod placing;
mod plan;
mod records;
mod round;
mod submission;
mod take_over;
mod usage_change;

pub(crate) use alerts::Alert;
pub(crate) use handle::Quota;
pub(crate) use ingest::{Acknowledged, Batch, FeedPlace, check_seen};
pub(crate) use take_over::{Chunk, From};
