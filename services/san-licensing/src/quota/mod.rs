//! The quota engine: one committer per process decides the requests of all licences that wait, and
//! commits them together. Correctness rests on the fence in the database, never on being alone.

mod alerts;
pub(crate) mod committer;
mod decided;
mod ingest;
mod placing;
mod reported;
mod round;
mod take_over;

pub(crate) use alerts::Alert;
pub(crate) use committer::{Answer, Command, Once, Quota, Usage};
pub(crate) use ingest::{Acknowledged, Batch, FeedPlace, check_seen};
pub(crate) use take_over::{Chunk, From};
