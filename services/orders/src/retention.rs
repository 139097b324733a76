//! How long Orders keeps what it does not keep for ever. Replay records and operations are the runtime's.

use licet_runtime::retention::{REPLAY_DAYS, Retention};

use crate::store;

/// Days for which the quote of a preview is kept after it expired: its use is then refused as QUOTE_EXPIRED, later as
/// NOT_FOUND.
const PREVIEW_DAYS: i64 = 90;

/// Days for which a revocation waits for its certificate. Later, SanLicensing's response to the record of the
/// certificate tells of it: that response is no replay from before the revocation any more.
const EARLY_REVOCATION_DAYS: i64 = 2 * REPLAY_DAYS;

const AT_ONCE: u64 = 1000;

/// What Orders prunes.
pub(crate) static ALL: [Retention; 2] = [
    Retention {
        name: "prune the quotes of previews",
        days: PREVIEW_DAYS,
        prune: |tx, before| Box::pin(store::quotes::prune(tx, before, AT_ONCE)),
    },
    Retention {
        name: "prune revocations without certificates",
        days: EARLY_REVOCATION_DAYS,
        prune: |tx, before| Box::pin(store::early_revocations::prune(tx, before, AT_ONCE)),
    },
];
