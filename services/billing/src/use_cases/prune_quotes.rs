//! Deletes quotes that nobody has charged, long after they expired.

use licet_domain::clock::Instant;
use licet_runtime::{
    caller::Origin,
    clock::real_now,
    database::Tx,
    fault::Fault,
    outbox::{self, Event, EventHeader},
};

use crate::{events::QuotesPruned, store};

const AT_ONCE: u64 = 500;

/// Deletes a batch of the quotes that expired before `before`. Returns how many. The event tells `licet verify`
/// that their seals are no longer held against rows.
pub(crate) async fn prune(tx: &Tx, before: Instant) -> Result<u64, Fault> {
    let found = store::quotes::list_unspent(tx, before, AT_ONCE).await?;
    if found.is_empty() {
        return Ok(0);
    }
    let deleted = store::quotes::delete_unspent(tx, &found).await?;
    if deleted.is_empty() {
        // Another instance was faster.
        return Ok(0);
    }
    let count = u64::try_from(deleted.len()).map_err(Fault::internal)?;
    let unsealed: Vec<_> = deleted.into_iter().map(store::quotes::sealed_as).collect();
    let origin = Origin {
        caller: "billing".to_owned(),
        method: String::new(),
        request_id: String::new(),
    };
    let header = EventHeader {
        resource_id: "quotes".to_owned(),
        account_id: None,
        time: real_now(),
        origin: &origin,
        why: "MD-6".to_owned(),
        outcome: format!("{count} expired quotes deleted"),
    };
    let data = QuotesPruned {
        unsealed: &unsealed,
    };
    outbox::emit(tx, Event::new(header, &data)?).await?;
    Ok(count)
}
