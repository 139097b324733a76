//! How an accepted request is answered when its work goes on as an operation: whoever began it and
//! every repeat join it, and get one answer.

use licet_domain::ids::OperationId;
use prost::Message;

use crate::{
    caller::Call,
    fault::{Fault, TransientReason},
    operation::{Ending, Operations},
    replay::Accepted,
    stored,
};

/// How an accepted request is answered.
#[derive(Debug)]
pub enum Answer<R, P> {
    /// By its response.
    Final(R),
    /// By what is pending.
    Pending(P),
}

/// The answer to an accepted request: its response, the refusal that ended it, or what
/// `find_under_way` finds pending when it does not end in time. That answers `None` for an operation
/// which ended in the meantime.
///
/// # Errors
/// The refusal that ended the operation; DEADLINE_EXCEEDED when it neither ended nor was found under
/// way in time; what `find_under_way` answered.
pub async fn join<P, R, A, F>(
    operations: &Operations<P>,
    call: &Call,
    accepted: Accepted<R>,
    find_under_way: impl Fn(OperationId) -> F + Send + Sync,
) -> Result<Answer<R, A>, Fault>
where
    P: Send + Sync + 'static,
    R: Message + Default,
    A: Send,
    F: Future<Output = Result<Option<A>, Fault>> + Send,
{
    let mut begun = match accepted {
        Accepted::Done(response) => return Ok(Answer::Final(response)),
        Accepted::Operation(begun) => begun,
    };
    let id = begun.id;
    loop {
        match operations.finish(begun, call).await? {
            Ending::Done(response) => {
                return stored::message(&response).map(Answer::Final);
            }
            Ending::Refused(refusal) => return Err(refusal.into()),
            Ending::Running => {
                if let Some(pending) = find_under_way(id).await? {
                    return Ok(Answer::Pending(pending));
                }
                if !call.deadline.elapsed().is_zero() {
                    return Err(Fault::transient(
                        TransientReason::DeadlineExceeded,
                        format!("operation {id} did not end in time; ask again"),
                    ));
                }
                begun = id.into();
            }
        }
    }
}
