//! Durable operations: typed steps, stored in the database and driven in order by any instance
//! until the last is done or one is refused. There are no leases: two drivers of one step send the peer
//! the same request id and save against the same version, so the second changes nothing.

mod attempt;
mod driver;
mod earlier;
pub(crate) mod prune;
pub(crate) mod record;
mod registry;
mod step;

pub use attempt::begin;
pub use driver::Operations;
pub use earlier::ReadEarlier;
pub use record::{
    Ending, OperationHandle, State, View, find_running, find_under_way, get, list, list_running,
    not_cancellable, refuse_if_running,
};
pub use registry::{InspectedOperation, Registry, Steps};
pub use step::{Next, NextStep, Operation, Reversal, Step, StoredStep, Undo, never_refused};
