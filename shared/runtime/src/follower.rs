//! Follows a peer's event log: applies its events in order, at least once, and stores the
//! position in the transaction that applies them. It runs as due work. If the log has lost events, the
//! follower goes back to where both agree and applies what came since.

use std::{pin::Pin, time::Duration};

use licet_contracts::events::v1::{
    Event, StreamEventsRequest, event_service_client::EventServiceClient,
};
use licet_domain::{clock::Instant, refusal::Reason};
use tonic::Status;

use crate::{
    bookmark::Bookmark,
    database::{Database, Tx, Work},
    fault::Fault,
    follow_position::FollowPosition,
    peer::PeerChannel,
    schedule::DueWork,
    status::refusal_of,
    transport::MAX_MESSAGE_BYTES,
    wire::decode_time,
};

/// The fields of a peer's event that a follower needs.
#[derive(Clone, Debug)]
pub struct PeerEvent {
    /// Its id in the peer's log.
    pub id: String,
    /// The account that it concerns; empty: none.
    pub account_id: String,
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
            account_id: event.account_id.clone(),
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
    /// event comes again, however long after: a log that has lost events is applied again from where it agrees.
    /// After a fault, the follower stops and reads the event again later.
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

    /// Reads the next events, from the stored position or, if the peer's log has lost events, from the newest
    /// bookmark that it still agrees with.
    async fn read_on(&self, position: &FollowPosition) -> Result<Reading, Status> {
        let mut diverged = match self.read_after(position.present()).await {
            Err(status) if is_diverged(&status) => status,
            result => return result,
        };
        for earlier in position.earlier() {
            match self.read_after(earlier).await {
                Err(status) if is_diverged(&status) => diverged = status,
                result => return result,
            }
        }
        Err(diverged)
    }

    /// Reads events and drops the rest of the stream. If the stream breaks, what was read until then is enough.
    async fn read_after(&self, after: Bookmark) -> Result<Reading, Status> {
        let request = StreamEventsRequest {
            after_position: after.position,
            after_chain_hash: after.chain_hash.clone(),
            types: F::TYPES.iter().map(|name| (*name).to_owned()).collect(),
            resource_ids: Vec::new(),
            follow: Some(false),
            report_progress: true,
        };
        let response = self.client.clone().stream_events(request).await?;
        let mut stream = response.into_inner();
        let mut reading = Reading {
            reached: after.clone(),
            agreed: after,
            events: Vec::new(),
            is_cut: false,
        };
        while reading.events.len() < APPLIED_AT_ONCE {
            let response = match stream.message().await {
                Ok(Some(response)) => response,
                Ok(None) => break,
                // What was read until then was lost, too.
                Err(status) if is_diverged(&status) || !reading.has_moved() => return Err(status),
                Err(status) => {
                    tracing::info!(peer = F::SOURCE, %status, "the peer's events broke off");
                    reading.is_cut = true;
                    break;
                }
            };
            reading.reached = Bookmark {
                position: response.position,
                chain_hash: response.chain_hash,
            };
            reading.events.extend(response.event);
        }
        Ok(reading)
    }
}

/// Whether the peer's log has lost events.
fn is_diverged(status: &Status) -> bool {
    refusal_of(status).is_some_and(|refusal| refusal.reason == Reason::LogDiverged)
}

/// What was read of a peer's log.
struct Reading {
    /// Where the reading began: the log agrees up to there.
    agreed: Bookmark,
    /// How far it came.
    reached: Bookmark,
    /// The events in between that the follower needs.
    events: Vec<Event>,
    /// Whether the stream broke.
    is_cut: bool,
}

impl Reading {
    fn has_moved(&self) -> bool {
        self.reached != self.agreed
    }
}

impl<F: Follow> DueWork for Follower<F> {
    fn name(&self) -> &'static str {
        "follow a peer's events"
    }

    fn run_due(&self, _: bool) -> Pin<Box<dyn Future<Output = Result<u64, Fault>> + Send + '_>> {
        Box::pin(async move {
            let position = FollowPosition::find(self.database.read_alone(), F::SOURCE).await?;
            let reading = match self.read_on(&position).await {
                Ok(reading) => reading,
                Err(status) => {
                    tracing::info!(peer = F::SOURCE, %status, "cannot read the peer's events yet");
                    return Ok(0);
                }
            };
            if reading.reached == position.present() {
                return Ok(0);
            }
            let work = ApplyEvents {
                follow: &self.follow,
                position: &position,
                reading: &reading,
            };
            if !self.database.transact(&work).await? {
                return Ok(0);
            }
            let (followed, agreed) = (position.present().position, reading.agreed.position);
            if agreed < followed {
                tracing::warn!(
                    peer = F::SOURCE,
                    followed,
                    agreed,
                    reached = reading.reached.position,
                    "the peer's event log has lost events that were followed, and gives out their \
                     positions again; its events after the last position on which both agree are applied again"
                );
            }
            Ok(reading.events.len() as u64 + u64::from(reading.is_cut))
        })
    }

    fn pause_after(&self, done: u64) -> Option<Duration> {
        (done < APPLIED_AT_ONCE as u64).then_some(PAUSE)
    }
}

/// Applies events and moves the position past them.
struct ApplyEvents<'a, F> {
    follow: &'a F,
    position: &'a FollowPosition,
    reading: &'a Reading,
}

impl<F: Follow> Work for ApplyEvents<'_, F> {
    /// Whether they were applied; not if another instance was faster.
    type Output = bool;

    async fn run(&self, tx: &Tx) -> Result<bool, Fault> {
        let Reading {
            agreed,
            reached,
            events,
            ..
        } = self.reading;
        let moved = self.position.advance(tx, F::SOURCE, agreed, reached);
        if !moved.await? {
            return Ok(false);
        }
        for event in events {
            self.follow.apply(tx, &PeerEvent::decode(event)?).await?;
        }
        Ok(true)
    }
}
