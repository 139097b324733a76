//! `licet.events.v1.EventService`: streams one service's event log from any position.

use std::{sync::Arc, time::Duration};

use licet_contracts::events::v1::{
    Event as EventMessage, StreamEventsRequest, StreamEventsResponse,
    event_service_server::EventService,
};
use licet_domain::clock::Instant;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tokio::sync::{Notify, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, codegen::BoxStream};

use crate::{
    caller::{AccountScope, accept},
    database::{Database, Tx},
    event_rows::event_row,
    fault::Fault,
    field::Fields,
    stored::in_scope,
    wire::encode_time,
};

const READ_AT_ONCE: u64 = 200;
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
        if message.after_position < 0 {
            return Err(Fault::invalid("after_position", "must not be negative").into());
        }
        let mut fields = Fields::new();
        let types = fields.each("types", &message.types, |text| filter_word(text));
        let resources = fields.each("resource_ids", &message.resource_ids, |text| {
            filter_word(text)
        });
        for (path, count) in [
            ("types", message.types.len()),
            ("resource_ids", message.resource_ids.len()),
        ] {
            fields.check(
                path,
                count <= MAX_FILTER_WORDS,
                "must have at most 100 elements",
            );
        }
        fields.build(|| Ok((types?, resources?)))?;
        let (sender, receiver) = mpsc::channel(64);
        let reader = self.clone();
        let scope = call.caller.accounts.clone();
        tokio::spawn(async move {
            let feeding = async {
                if let Err(fault) = reader.feed(&message, &scope, &sender).await {
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

impl EventRpc {
    async fn feed(
        self,
        request: &StreamEventsRequest,
        scope: &AccountScope,
        sender: &mpsc::Sender<Result<StreamEventsResponse, Status>>,
    ) -> Result<(), Fault> {
        let mut after = request.after_position;
        loop {
            // Registered before the read, so that events moved during the read wake this reader, too.
            let moved = Arc::clone(&self.moved);
            let woken = moved.notified();
            let (last, events) = {
                let tx = self.database.read();
                let last = last_position(&tx).await?;
                (last, list_after(&tx, after, request, scope).await?)
            };
            let read = events.len() as u64;
            for event in events {
                after = event.position;
                if sender.send(Ok(self.encode(event))).await.is_err() {
                    return Ok(());
                }
            }
            if read == READ_AT_ONCE {
                continue;
            }
            // Skip events that did not match the filter.
            after = after.max(last);
            if !request.follow.unwrap_or(true) {
                return Ok(());
            }
            tokio::select! {
                () = sender.closed() => return Ok(()),
                () = woken => {}
                // Events moved by another instance do not wake this reader.
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    fn encode(&self, row: event_row::Model) -> StreamEventsResponse {
        StreamEventsResponse {
            position: row.position,
            chain_hash: row.chain_hash,
            event: Some(EventMessage {
                id: row.event_id,
                source: self.source.clone(),
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
}

/// The position of the newest event; 0 before the first.
async fn last_position(tx: &Tx) -> Result<i64, Fault> {
    let newest = event_row::Entity::find()
        .select_only()
        .column(event_row::Column::Position)
        .order_by_desc(event_row::Column::Position)
        .limit(1)
        .into_tuple::<i64>()
        .one(tx)
        .await?;
    Ok(newest.unwrap_or(0))
}

async fn list_after(
    tx: &Tx,
    after: i64,
    request: &StreamEventsRequest,
    scope: &AccountScope,
) -> Result<Vec<event_row::Model>, Fault> {
    let mut filter =
        in_scope(scope, event_row::Column::AccountId).add(event_row::Column::Position.gt(after));
    if !request.types.is_empty() {
        filter = filter.add(event_row::Column::Type.is_in(&request.types));
    }
    if !request.resource_ids.is_empty() {
        filter = filter.add(event_row::Column::ResourceId.is_in(&request.resource_ids));
    }
    Ok(event_row::Entity::find()
        .filter(filter)
        .order_by_asc(event_row::Column::Position)
        .limit(READ_AT_ONCE)
        .all(tx)
        .await?)
}
