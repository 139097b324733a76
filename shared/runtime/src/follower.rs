//! Follows a peer's event log: applies its events in order, at least once, and stores the
//! position in the transaction that applies them. It runs as due work.

use std::{pin::Pin, time::Duration};

use futures::{StreamExt, TryStreamExt};
use licet_contracts::events::v1::{
    Event, StreamEventsRequest, StreamEventsResponse, event_service_client::EventServiceClient,
};
use licet_domain::clock::Instant;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, QueryFilter,
    sea_query::{Expr, OnConflict},
};

use crate::{
    database::{Database, Tx, Work},
    fault::Fault,
    follow_position::row::{self, Column, Entity},
    peer::PeerChannel,
    schedule::DueWork,
    transport::MAX_MESSAGE_BYTES,
    wire::decode_time,
};

/// The fields of a peer's event that a follower needs.
#[derive(Clone, Debug)]
pub struct PeerEvent {
    /// Its id in the peer's log.
    pub id: String,
    /// When the peer decided it.
    pub time: Instant,
    /// Its data as JSON.
    pub data: String,
}

impl PeerEvent {
    fn decode(event: &Event) -> Result<Self, Fault> {
        let broken = |why: &str| Fault::internal(format!("event {} {why}", event.id));
        let time = event.time.as_ref().ok_or_else(|| broken("has no time"))?;
        Ok(Self {
            id: event.id.clone(),
            time: decode_time(time).map_err(broken)?,
            data: event.text_data.clone(),
        })
    }
}

/// Applies a peer's events to the service's own state.
pub trait Follow: Send + Sync + 'static {
    /// The peer, such as `san-licensing`; the position is stored under this name.
    const SOURCE: &'static str;
    /// The event types to read; the peer sends no others.
    const TYPES: &'static [&'static str];

    /// Applies one event, in the transaction that moves the position past it. Must change nothing if the same
    /// event comes again. After a fault, the follower stops and reads the event again later.
    fn apply(&self, tx: &Tx, event: &PeerEvent) -> impl Future<Output = Result<(), Fault>> + Send;
}

/// The most events that one transaction applies.
const APPLIED_AT_ONCE: usize = 100;
/// The pause after the end of the peer's log.
const PAUSE: Duration = Duration::from_millis(500);

/// Reads new events from a peer's log and applies them. Every instance may run a follower; the instance that
/// moves the stored position applies the batch.
pub struct Follower<F> {
    database: Database,
    client: EventServiceClient<PeerChannel>,
    follow: F,
}

impl<F: Follow> Follower<F> {
    /// Follows the log behind `channel`. The schema of `database` must have the table `following`.
    #[must_use]
    pub fn new(database: Database, channel: PeerChannel, follow: F) -> Self {
        Self {
            database,
            client: EventServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES),
            follow,
        }
    }

    async fn position(&self) -> Result<i64, Fault> {
        let stored = Entity::find_by_id(F::SOURCE)
            .one(self.database.read_alone())
            .await?;
        Ok(stored.map_or(0, |row| row.position))
    }

    /// Reads the next events and drops the rest of the stream.
    async fn read_next(&self, after: i64) -> Result<Vec<StreamEventsResponse>, tonic::Status> {
        let request = StreamEventsRequest {
            after_position: after,
            types: F::TYPES.iter().map(|name| (*name).to_owned()).collect(),
            resource_ids: Vec::new(),
            follow: Some(false),
        };
        let response = self.client.clone().stream_events(request).await?;
        let stream = response.into_inner().take(APPLIED_AT_ONCE);
        stream.try_collect().await
    }
}

impl<F: Follow> DueWork for Follower<F> {
    fn name(&self) -> &'static str {
        "follow a peer's events"
    }

    fn run_due(&self, _: bool) -> Pin<Box<dyn Future<Output = Result<u64, Fault>> + Send + '_>> {
        Box::pin(async move {
            let after = self.position().await?;
            let events = match self.read_next(after).await {
                Ok(events) => events,
                Err(status) => {
                    tracing::info!(peer = F::SOURCE, %status, "cannot read the peer's events yet");
                    return Ok(0);
                }
            };
            let Some(last) = events.last().map(|event| event.position) else {
                return Ok(0);
            };
            let work = ApplyEvents {
                follow: &self.follow,
                after,
                last,
                events: &events,
            };
            self.database.transact(&work).await
        })
    }

    fn pause_after(&self, done: u64) -> Option<Duration> {
        (done < APPLIED_AT_ONCE as u64).then_some(PAUSE)
    }
}

/// Applies events and moves the position past them.
struct ApplyEvents<'a, F> {
    follow: &'a F,
    after: i64,
    last: i64,
    events: &'a [StreamEventsResponse],
}

impl<F: Follow> Work for ApplyEvents<'_, F> {
    /// The number of applied events; none if another instance was faster.
    type Output = u64;

    async fn run(&self, tx: &Tx) -> Result<u64, Fault> {
        if self.after == 0 {
            let first = row::ActiveModel {
                source: Set(F::SOURCE.to_owned()),
                position: Set(0),
            };
            let existing = OnConflict::column(Column::Source).do_nothing().to_owned();
            Entity::insert(first)
                .on_conflict(existing)
                .exec_without_returning(tx)
                .await?;
        }
        // Locks the row until the transaction ends: another instance waits here and finds it moved.
        let moved = Entity::update_many()
            .col_expr(Column::Position, Expr::value(self.last))
            .filter(Column::Source.eq(F::SOURCE))
            .filter(Column::Position.eq(self.after))
            .exec(tx)
            .await?;
        if moved.rows_affected == 0 {
            return Ok(0);
        }
        for event in self.events.iter().filter_map(|next| next.event.as_ref()) {
            self.follow.apply(tx, &PeerEvent::decode(event)?).await?;
        }
        Ok(self.events.len() as u64)
    }
}
