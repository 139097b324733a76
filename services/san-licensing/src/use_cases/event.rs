//! Writes the events of a licence.

use licet_domain::{clock::Instant, refusal::Refusal};
use licet_runtime::{
    caller::Origin,
    database::Tx,
    fault::Fault,
    outbox::{self, Event, EventData, EventHeader},
};

use crate::rules::license::License;

/// An event of a licence.
pub(super) struct LicenseEvent<'a, D> {
    pub(super) license: &'a License,
    pub(super) origin: &'a Origin,
    pub(super) time: Instant,
    /// A rule id.
    pub(super) why: &'a str,
    pub(super) outcome: &'a str,
    pub(super) data: D,
}

impl<'a, D> LicenseEvent<'a, D> {
    /// A charge was refused, and the change with it.
    pub(super) fn refused(
        license: &'a License,
        origin: &'a Origin,
        time: Instant,
        refusal: &'a Refusal,
        data: D,
    ) -> Self {
        Self {
            license,
            origin,
            time,
            why: "X-2",
            outcome: refusal.reason.as_str(),
            data,
        }
    }
}

/// Writes an event of a licence whose row is locked; must be the last write of its transaction.
pub(super) async fn emit<D: EventData + Send>(
    tx: &Tx,
    event: LicenseEvent<'_, D>,
) -> Result<(), Fault> {
    let header = EventHeader {
        resource_id: event.license.id.to_string(),
        account_id: Some(event.license.account_id),
        time: event.time,
        origin: event.origin,
        why: event.why.to_owned(),
        outcome: event.outcome.to_owned(),
    };
    let event = Event::new(header, &event.data)?;
    outbox::emit(tx, event).await
}
