//! Durable operations: typed steps kept in the database, driven one after the other by any
//! instance until the last is done or one is definitely refused. No leases: two drivers on one
//! step ask the peer with one request id and save against one version, so the second changes nothing.

mod driver;
mod earlier;
mod passing;
pub(crate) mod record;
mod registry;
mod step;

pub use driver::Operations;
pub use earlier::ReadEarlier;
pub use passing::begin;
pub use record::{
    Begun, Ending, State, View, find_running, find_under_way, get, list, list_running,
    not_cancellable, refuse_if_running,
};
pub use registry::{Inspected, Registry, Steps};
pub use step::{Next, NextStep, Operation, Reversal, Step, StoredStep, Undo, never_refused};
