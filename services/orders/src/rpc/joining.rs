//! How an accepted request is answered when its work goes on as an operation: whoever began it and
//! every repeat join it, and get one answer.

use licet_runtime::{
    caller::Call,
    database::{Database, Tx},
    fault::{Fault, PassingReason},
    operation::{Ending, Operations},
    replay::Accepted,
    stored,
};
use prost::Message;

use crate::{convert::order::OrderView, queries, use_cases::operation::OrderOperation};

/// How an accepted request is answered.
pub(super) enum Answer<R> {
    /// By its response.
    Final(R),
    /// By what is pending, seen in one snapshot.
    Pending(Tx, Box<OrderView>),
}

/// The answer to an accepted request: its response, the refusal that ended it, or what is pending
/// when it does not end in time.
pub(super) async fn join<R: Message + Default>(
    database: &Database,
    operations: &Operations<OrderOperation>,
    call: &Call,
    accepted: Accepted<R>,
) -> Result<Answer<R>, Fault> {
    let id = match accepted {
        Accepted::Done(response) => return Ok(Answer::Final(response)),
        Accepted::Operation(id) => id,
    };
    loop {
        match operations.finish(id, call).await? {
            Ending::Done(response) => {
                return stored::message(&response).map(Answer::Final);
            }
            Ending::Refused(refusal) => return Err(refusal.into()),
            Ending::Running => {
                let found = queries::orders::find_under_way(database, call, id).await?;
                if let Some((tx, view)) = found {
                    return Ok(Answer::Pending(tx, Box::new(view)));
                }
                if !call.deadline.elapsed().is_zero() {
                    return Err(Fault::passing(
                        PassingReason::DeadlineExceeded,
                        format!("operation {id} did not end in time; ask again"),
                    ));
                }
            }
        }
    }
}
