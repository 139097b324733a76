//! How long SanLicensing keeps what it does not keep for ever. Replay records and operations are the runtime's.

use licet_runtime::retention::{REPLAY_DAYS, Retention};

use crate::store;

/// Days for which a denied authorisation is kept with its SANs. The decision itself is kept for ever, with its reasons
/// and figures: it answers every repeat of its request.
const DENIED_SANS_DAYS: i64 = REPLAY_DAYS;

/// Days for which a refused record is kept with its content, for the sender to correct it (SL-14).
const REFUSED_DAYS: i64 = REPLAY_DAYS;

const AT_ONCE: u64 = 500;

/// What SanLicensing prunes.
pub(crate) static ALL: [Retention; 2] = [
    Retention {
        name: "prune the SANs of denials",
        days: DENIED_SANS_DAYS,
        prune: |tx, before| Box::pin(store::decisions::drop_denied_sans(tx, before, AT_ONCE)),
    },
    Retention {
        name: "prune refused records",
        days: REFUSED_DAYS,
        prune: |tx, before| Box::pin(store::feeds::drop_refused(tx, before, AT_ONCE)),
    },
];
