//! Waits for the operation that an accepted request began: the first call and every repeat wait for the
//! same operation and return the same response.

use licet_domain::ids::OperationId;
use prost::Message;

use crate::{
    caller::Call,
    fault::{Fault, TransientReason},
    operation::{Ending, Operations},
    replay::Accepted,
    stored,
};

/// The reply to an accepted request.
#[derive(Debug)]
pub enum OperationReply<R, P> {
    /// The response of the ended operation.
    Final(R),
    /// The pending state, because the operation has not ended in time.
    Pending(P),
}

/// Waits for the response to an accepted request. If the operation does not end in time, returns the pending
/// state from `find_under_way`, which is `None` if the operation has ended meanwhile.
///
/// # Errors
/// The refusal that ended the operation; DEADLINE_EXCEEDED if it neither ended nor was found in progress
/// in time; the errors of `find_under_way`.
pub async fn join<P, R, A, F>(
    operations: &Operations<P>,
    call: &Call,
    accepted: Accepted<R>,
    find_under_way: impl Fn(OperationId) -> F + Send + Sync,
) -> Result<OperationReply<R, A>, Fault>
where
    P: Send + Sync + 'static,
    R: Message + Default,
    A: Send,
    F: Future<Output = Result<Option<A>, Fault>> + Send,
{
    let mut handle = match accepted {
        Accepted::Done(response) => return Ok(OperationReply::Final(response)),
        Accepted::Operation(handle) => handle,
    };
    let id = handle.id;
    loop {
        match operations.finish(handle, call).await? {
            Ending::Done(response) => {
                return stored::message(&response).map(OperationReply::Final);
            }
            Ending::Refused(refusal) => return Err(refusal.into()),
            Ending::Running => {
                if let Some(pending) = find_under_way(id).await? {
                    return Ok(OperationReply::Pending(pending));
                }
                if !call.deadline.elapsed().is_zero() {
                    return Err(Fault::transient(
                        TransientReason::DeadlineExceeded,
                        format!(
                            "operation {id} did not end in time; repeat the request with the same \
                             request_id"
                        ),
                    ));
                }
                handle = id.into();
            }
        }
    }
}
