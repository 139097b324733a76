//! The quota engine: committers decide all waiting commands of their licences and commit them together.
//! Several instances may run: correctness rests on the fences in the database.

mod alerts;
mod allocation;
mod cache;
pub(crate) mod command;
mod committer;
mod decide;
mod handle;
mod ingest;
mod lane;
mod loading;
mod memory;
mod placement;
mod plan;
mod records;
mod round;
mod submission;
mod usage_change;

pub(crate) use alerts::Alert;
pub(crate) use allocation::{Chunk, Source};
pub use committer::EngineSettings;
pub(crate) use handle::Quota;
pub(crate) use ingest::{Acknowledgement, Batch, BatchHeader, check_visible};
