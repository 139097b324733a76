//! Writes the events of Billing.

use std::fmt::Display;

use licet_domain::ids::AccountId;
use licet_runtime::{
    caller::Origin,
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
    let origin = request.origin();
    let event = event(
        request,
        &origin,
        resource_id,
        account_id,
        why,
        outcome,
        data,
    )?;
    outbox::emit(tx, event).await
}

/// The event of a change, to be written as [`emit`] writes it. `origin` is the request's.
pub(super) fn event<'a, D: EventData>(
    request: &ChangeRequest,
    origin: &'a Origin,
    resource_id: impl Display,
    account_id: impl Into<Option<AccountId>>,
    why: &str,
    outcome: String,
    data: &D,
) -> Result<Event<'a>, Fault> {
    let header = EventHeader {
        resource_id: resource_id.to_string(),
        account_id: account_id.into(),
        time: request.call.now,
        origin,
        why: why.to_owned(),
        outcome,
    };
    Event::new(header, data)
}
