//! `licet.events.v1.EventService`: streams one service's event log from any position.

use std::{sync::Arc, time::Duration};

use licet_contracts::events::v1::{
    Event as EventMessage, StreamEventsRequest, StreamEventsResponse,
    event_service_server::EventService,
};
use licet_domain::clock::Instant;
use tokio::sync::{Notify, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, codegen::BoxStream};

use crate::{
    bookmark::Bookmark,
    caller::accept,
    database::Database,
    event_rows::event_row,
    event_search::{EventFilter, EventSearch, FoundEvents},
    fault::Fault,
    field::Fields,
    wire::encode_time,
};

const POLL: Duration = Duration::from_millis(500);

/// The gRPC service for one log.
#[derive(Clone)]
pub(crate) struct EventRpc {
    pub(crate) database: Database,
    /// The CloudEvents source, `/licet/billing`.
    pub(crate) source: String,
    pub(crate) moved: Arc<Notify>,
}

#[tonic::async_trait]
impl EventService for EventRpc {
    async fn stream_events(
        &self,
        request: Request<StreamEventsRequest>,
    ) -> Result<Response<BoxStream<StreamEventsResponse>>, Status> {
        let (call, message) = accept(request)?;
        let after = decode(&message)?;
        let filter = EventFilter {
            scope: call.caller.accounts.clone(),
            types: message.types,
            resource_ids: message.resource_ids,
        };
        // The client of an unchecked position does not know its hash.
        let told = after.position - i64::from(after.chain_hash.is_empty());
        let mut search = EventSearch::new(self.database.clone(), filter, after);
        let first = search.next().await?;
        let (sender, receiver) = mpsc::channel(64);
        let feed = Feed {
            source: self.source.clone(),
            moved: Arc::clone(&self.moved),
            search,
            told,
            follow: message.follow.unwrap_or(true),
            report_progress: message.report_progress,
            sender: sender.clone(),
        };
        tokio::spawn(async move {
            let feeding = async {
                if let Err(fault) = feed.run(first).await {
                    // Fails if the client has left.
                    let _ = sender.send(Err(fault.into())).await;
                }
            };
            call.within(feeding).await;
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}

/// The most elements of one filter.
const MAX_FILTER_WORDS: usize = 100;

fn filter_word(text: &str) -> Result<(), &'static str> {
    let plain = !text.is_empty() && text.len() <= 200 && !text.chars().any(char::is_control);
    if plain {
        Ok(())
    } else {
        Err("must be 1 to 200 characters without control characters")
    }
}

/// The bytes of a chain hash.
const CHAIN_HASH_BYTES: usize = 32;

/// Checks a request; returns where its stream begins.
fn decode(message: &StreamEventsRequest) -> Result<Bookmark, Fault> {
    let StreamEventsRequest {
        after_position,
        after_chain_hash,
        types,
        resource_ids,
        ..
    } = message;
    let mut fields = Fields::new();
    fields.check(
        "after_position",
        *after_position >= 0,
        "must not be negative",
    );
    let at = "after_chain_hash";
    let is_hash = [0, CHAIN_HASH_BYTES].contains(&after_chain_hash.len());
    fields.check(at, is_hash, "must be empty or have 32 bytes");
    fields.check(
        at,
        *after_position != 0 || after_chain_hash.is_empty(),
        "must be empty if after_position is 0",
    );
    for (path, words) in [("types", types), ("resource_ids", resource_ids)] {
        // Every violation is noted there.
        let _ = fields.each(path, words, |text| filter_word(text));
        fields.check(
            path,
            words.len() <= MAX_FILTER_WORDS,
            "must have at most 100 elements",
        );
    }
    fields.build(|| {
        Ok(Bookmark {
            position: *after_position,
            chain_hash: after_chain_hash.clone(),
        })
    })
}

/// What one stream sends.
struct Feed {
    source: String,
    moved: Arc<Notify>,
    search: EventSearch,
    /// The last position that the client knows with its hash.
    told: i64,
    follow: bool,
    report_progress: bool,
    sender: mpsc::Sender<Result<StreamEventsResponse, Status>>,
}

/// The client has left.
struct Left;

impl Feed {
    /// Sends what the first search found, then everything after it, until the stream ends.
    async fn run(mut self, mut found: Option<FoundEvents>) -> Result<(), Fault> {
        loop {
            let mut is_end = true;
            if let Some(found) = found {
                is_end = found.is_end;
                if let Err(Left) = self.send(found).await {
                    return Ok(());
                }
            }
            if is_end && !self.follow {
                return Ok(());
            }
            // Registered before the search, so that events moved during it wake this stream, too.
            let moved = Arc::clone(&self.moved);
            let woken = moved.notified();
            found = self.search.next().await?;
            if found.is_some() {
                continue;
            }
            tokio::select! {
                () = self.sender.closed() => return Ok(()),
                () = woken => {}
                // Events moved by another instance do not wake this stream.
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    async fn send(&mut self, found: FoundEvents) -> Result<(), Left> {
        for event in found.events {
            self.told = event.position;
            self.send_one(encode(&self.source, event)).await?;
        }
        let Bookmark {
            position,
            chain_hash,
        } = found.searched;
        if self.report_progress && position > self.told {
            self.told = position;
            let progress = StreamEventsResponse {
                event: None,
                position,
                chain_hash,
            };
            self.send_one(progress).await?;
        }
        Ok(())
    }

    async fn send_one(&self, response: StreamEventsResponse) -> Result<(), Left> {
        self.sender.send(Ok(response)).await.map_err(|_| Left)
    }
}

fn encode(source: &str, row: event_row::Model) -> StreamEventsResponse {
    StreamEventsResponse {
        position: row.position,
        chain_hash: row.chain_hash,
        event: Some(EventMessage {
            id: row.event_id,
            source: source.to_owned(),
            spec_version: "1.0".to_owned(),
            r#type: row.r#type,
            subject: row.resource_id,
            time: Instant::from_micros(row.time_us).map(encode_time),
            data_content_type: "application/json".to_owned(),
            text_data: row.data,
            account_id: row.account_id,
            caller: row.caller,
            request_id: row.request_id,
            method: row.method,
            why: row.why,
            outcome: row.outcome,
        }),
    }
}
