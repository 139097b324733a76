//! Writes the events of Billing.

use std::fmt::Display;

use licet_domain::ids::AccountId;
use licet_runtime::{
    database::Tx,
    door::ChangeRequest,
    fault::Fault,
    outbox::{self, Event, EventData, EventHeader},
};

/// Writes the event of a change, dated by its request; last in its transaction. `why` is a rule id,
/// or the reason that the caller gave.
pub(super) async fn emit<D: EventData>(
    tx: &Tx,
    request: &ChangeRequest,
    resource_id: impl Display,
    account_id: impl Into<Option<AccountId>>,
    why: &str,
    outcome: String,
    data: &D,
) -> Result<(), Fault> {
    let header = EventHeader {
        resource_id: resource_id.to_string(),
        account_id: account_id.into(),
        time: request.call.now,
        origin: &request.origin(),
        why: why.to_owned(),
        outcome,
    };
    outbox::emit(tx, Event::new(header, data)?).await
}
