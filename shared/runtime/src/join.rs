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

/// Waits for the response to an accepted request. If the operation does not end in time, returns `pending`, the
/// response while it is in progress, which is `None` if the operation has ended meanwhile.
///
/// # Errors
/// The refusal that ended the operation; DEADLINE_EXCEEDED if it neither ended nor was found in progress
/// in time; the errors of `pending`.
pub async fn join<P, R, F>(
    operations: &Operations<P>,
    call: &Call,
    accepted: Accepted<R>,
    pending: impl Fn(OperationId) -> F + Send + Sync,
) -> Result<R, Fault>
where
    P: Send + Sync + 'static,
    R: Message + Default,
    F: Future<Output = Result<Option<R>, Fault>> + Send,
{
    let mut handle = match accepted {
        Accepted::Done(response) => return Ok(response),
        Accepted::Operation(handle) => handle,
    };
    let id = handle.id;
    loop {
        match operations.finish(handle, call).await? {
            Ending::Done(response) => return stored::message(&response),
            Ending::Refused(refusal) => return Err(refusal.into()),
            Ending::Running => {
                if let Some(response) = pending(id).await? {
                    return Ok(response);
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
