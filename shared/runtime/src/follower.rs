//! Following a peer's events: what happened there is applied here in the order of its
//! log, at least once, and the position is kept in the transaction that applies it. Knows no kind of
//! event, and needs no task of its own: it is due work that asks.

use std::{
    pin::Pin,
    sync::atomic::{AtomicI64, Ordering},
};

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
    clock::real_now,
    database::{Database, Tx, Work},
    fault::Fault,
    follow_position::row::{self, Column, Entity},
    peer::PeerChannel,
    schedule::DueWork,
    transport::MAX_MESSAGE_BYTES,
    wire::decode_time,
};

/// A peer's event, as far as its followers need it.
#[derive(Clone, Debug)]
pub struct PeerEvent {
    /// Its id in the peer's log.
    pub id: String,
    /// When it happened there.
    pub time: Instant,
    /// What it says, as JSON.
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

/// What a service makes of a peer's events.
pub trait Follow: Send + Sync + 'static {
    /// Whose log it is, `san-licensing`: the position is kept under this name.
    const SOURCE: &'static str;
    /// The types of the events that matter; the peer sends no others.
    const TYPES: &'static [&'static str];

    /// Applies one event, in the transaction that moves the position past it. It may come again: then
    /// it must change nothing. A fault stops the log here, and it is asked for again.
    fn apply(&self, tx: &Tx, event: &PeerEvent) -> impl Future<Output = Result<(), Fault>> + Send;
}

/// The most events that one transaction applies.
const APPLIED_AT_ONCE: usize = 100;
/// How long a peer that had nothing new is left alone; real time.
const PAUSE_US: i64 = 500_000;

/// Asks for what is new in a peer's log, and applies it. Every instance may: only one moves the
/// position from where it was.
pub struct Follower<F> {
    database: Database,
    client: EventServiceClient<PeerChannel>,
    follow: F,
    /// Not before this instant, in microseconds of real time.
    next_us: AtomicI64,
}

impl<F: Follow> Follower<F> {
    /// Follows the log behind `channel` into `database`, whose schema has the table `following`.
    #[must_use]
    pub fn new(database: Database, channel: PeerChannel, follow: F) -> Self {
        Self {
            database,
            client: EventServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES),
            follow,
            next_us: AtomicI64::new(0),
        }
    }

    async fn position(&self) -> Result<i64, Fault> {
        let kept = Entity::find_by_id(F::SOURCE)
            .one(self.database.read_alone())
            .await?;
        Ok(kept.map_or(0, |row| row.position))
    }

    /// The next events of the peer's log; what is left of the stream is let go.
    async fn ask(&self, after: i64) -> Result<Vec<StreamEventsResponse>, tonic::Status> {
        let request = StreamEventsRequest {
            after_position: after,
            types: F::TYPES.iter().map(|name| (*name).to_owned()).collect(),
            resource_ids: Vec::new(),
            follow: Some(false),
        };
        let answer = self.client.clone().stream_events(request).await?;
        let stream = answer.into_inner().take(APPLIED_AT_ONCE);
        stream.try_collect().await
    }
}

impl<F: Follow> DueWork for Follower<F> {
    fn name(&self) -> &'static str {
        "follow a peer's events"
    }

    fn run_due(&self, all: bool) -> Pin<Box<dyn Future<Output = Result<u64, Fault>> + Send + '_>> {
        Box::pin(async move {
            let real_us = real_now().as_micros();
            if !all && real_us < self.next_us.load(Ordering::Relaxed) {
                return Ok(0);
            }
            let pause_until = real_us.saturating_add(PAUSE_US);
            self.next_us.store(pause_until, Ordering::Relaxed);
            let after = self.position().await?;
            let events = match self.ask(after).await {
                Ok(events) => events,
                Err(status) => {
                    tracing::info!(source = F::SOURCE, %status, "events are not seen yet");
                    return Ok(0);
                }
            };
            let Some(last) = events.last().map(|event| event.position) else {
                return Ok(0);
            };
            if events.len() == APPLIED_AT_ONCE {
                self.next_us.store(0, Ordering::Relaxed);
            }
            let work = ApplyEvents {
                follow: &self.follow,
                after,
                last,
                events: &events,
            };
            self.database.transact(&work).await
        })
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
    /// How many were applied; none where another instance was faster.
    type Output = u64;

    async fn run(&self, tx: &Tx) -> Result<u64, Fault> {
        if self.after == 0 {
            let first = row::ActiveModel {
                source: Set(F::SOURCE.to_owned()),
                position: Set(0),
            };
            let known = OnConflict::column(Column::Source).do_nothing().to_owned();
            Entity::insert(first)
                .on_conflict(known)
                .exec_without_returning(tx)
                .await?;
        }
        // Held until the end of the transaction: another instance waits here, and finds it moved.
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
