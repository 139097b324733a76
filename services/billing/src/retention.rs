//! How long Billing keeps what it does not keep for ever. Replay records are the runtime's.

use licet_runtime::retention::{REPLAY_DAYS, Retention};

use crate::use_cases::prune_quotes;

/// Days for which a quote that nobody has charged is kept after it expired. At least as long as the replay of the
/// request that would charge it, so that a repeat is never refused in another way.
const UNSPENT_QUOTE_DAYS: i64 = REPLAY_DAYS;

/// What Billing prunes.
pub(crate) static ALL: [Retention; 1] = [Retention {
    name: "prune expired quotes",
    days: UNSPENT_QUOTE_DAYS,
    prune: |tx, before| Box::pin(prune_quotes::prune(tx, before)),
}];
