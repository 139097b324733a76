//! How an accepted request about an order is answered: finally, or by the order while its operation
//! goes on.

use licet_runtime::{
    caller::Call,
    database::{Database, Tx},
    fault::Fault,
    joining::{self, Answer},
    operation::Operations,
    replay::Accepted,
};
use prost::Message;

use crate::{convert::order::OrderView, queries, use_cases::operation::OrderOperation};

/// What is pending, seen in one snapshot.
pub(super) type Pending = (Tx, OrderView);

/// The answer to an accepted request.
pub(super) async fn join<R: Message + Default>(
    database: &Database,
    operations: &Operations<OrderOperation>,
    call: &Call,
    accepted: Accepted<R>,
) -> Result<Answer<R, Pending>, Fault> {
    joining::join(operations, call, accepted, |id| {
        queries::orders::find_under_way(database, call, id)
    })
    .await
}
