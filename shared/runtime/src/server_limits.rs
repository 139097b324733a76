//! The limits of a server: on calls, listings and streams at once, and on the bytes of their messages.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::{
    concurrency::{ConcurrencyBounds, ConcurrencyLimit},
    config::Limits,
    fault::TransientReason,
};

/// How many listings read at once: half of the connections for reading, so that they leave some to other reads.
const LISTINGS_AT_ONCE: usize = 4;

/// The limits of one server, shared by all of its connections.
#[derive(Clone, Debug)]
pub(crate) struct ServerLimits {
    /// For calls with one response, and for streams of peers.
    pub(crate) calls: ConcurrencyLimit,
    /// For all other streams.
    pub(crate) streams: ConcurrencyLimit,
    /// For listings, which run or wait for their turn; they take no place of other calls.
    pub(crate) listings: ConcurrencyLimit,
    /// The listings that read from the database at once.
    pub(crate) turns: Arc<Semaphore>,
    /// For the bytes of messages in memory.
    pub(crate) bytes: ConcurrencyLimit,
}

impl ServerLimits {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            calls: call_limit(limits),
            streams: stream_limit(limits),
            listings: listing_limit(limits),
            turns: Arc::new(Semaphore::new(LISTINGS_AT_ONCE)),
            bytes: byte_limit(limits),
        }
    }

    /// Waits until no call and no stream holds a permit. Until then, nobody gets a new one.
    pub(crate) async fn all_free(&self) {
        self.calls.all_free().await;
        self.listings.all_free().await;
        self.streams.all_free().await;
    }
}

fn call_limit(limits: &Limits) -> ConcurrencyLimit {
    ConcurrencyLimit::new(ConcurrencyBounds {
        what: "calls",
        reason: TransientReason::Overloaded,
        total: limits.max_calls,
        per_caller: limits.max_calls_per_caller,
    })
}

fn listing_limit(limits: &Limits) -> ConcurrencyLimit {
    ConcurrencyLimit::new(ConcurrencyBounds {
        what: "listings",
        reason: TransientReason::Overloaded,
        total: limits.max_listings,
        per_caller: limits.max_listings.div_ceil(4),
    })
}

fn byte_limit(limits: &Limits) -> ConcurrencyLimit {
    // As many as the permits of a semaphore are counted in.
    let total = limits
        .message_mib
        .saturating_mul(1 << 20)
        .min(u32::MAX as usize);
    ConcurrencyLimit::new(ConcurrencyBounds {
        what: "bytes of messages",
        reason: TransientReason::TooManyBytes,
        total,
        per_caller: total.div_ceil(4),
    })
}

fn stream_limit(limits: &Limits) -> ConcurrencyLimit {
    ConcurrencyLimit::new(ConcurrencyBounds {
        what: "streams",
        reason: TransientReason::TooManyStreams,
        total: limits.max_streams,
        per_caller: limits.max_streams_per_caller,
    })
}
