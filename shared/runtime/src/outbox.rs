//! Events: written in the transaction that makes the change, moved into one gapless order,
//! chained by hash, streamed from any position on. The event log is the audit log.

use std::{pin::Pin, sync::Arc, time::Duration};

use licet_contracts::events::v1::{
    Event as EventMessage, StreamEventsRequest, StreamEventsResponse,
    event_service_server::EventService,
};
use licet_domain::{clock::Instant, ids::AccountId};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, NotSet, QueryFilter,
    QueryOrder, QuerySelect, Set, Statement,
};
use serde::Serialize;
use serde_json::json;
use tokio::sync::{Notify, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, codegen::BoxStream};
use uuid::Uuid;

use crate::{
    caller::{Origin, accept},
    chain::Covered,
    database::{Database, Tx, Work},
    fault::Fault,
    field::Fields,
    schedule::Due,
    wire::encode_time,
};

/// A change of state, as it is to be remembered.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// Type, `licet.billing.invoice.issued.v1`.
    pub kind: &'a str,
    /// The resource that changed; events of one resource keep their order.
    pub resource_id: String,
    /// Whose resource that is; `None` for what belongs to the installation.
    pub account_id: Option<AccountId>,
    /// When it was decided.
    pub time: Instant,
    /// Who asked.
    pub origin: &'a Origin,
    /// Why: a rule id, or the words of whoever asked.
    pub why: String,
    /// What came of it, in a word or a short sentence.
    pub outcome: String,
    /// The facts, for programs.
    pub data: serde_json::Value,
}

pub(crate) mod outbox_row {
    //! Events not yet given a position.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "outbox")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub event_id: String,
        pub r#type: String,
        pub resource_id: String,
        pub account_id: String,
        pub time_us: i64,
        pub caller: String,
        pub request_id: String,
        pub method: String,
        pub why: String,
        pub outcome: String,
        pub data: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(crate) mod event_row {
    //! The ordered log.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "event")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub position: i64,
        pub event_id: String,
        pub r#type: String,
        pub resource_id: String,
        pub account_id: String,
        pub time_us: i64,
        pub caller: String,
        pub request_id: String,
        pub method: String,
        pub why: String,
        pub outcome: String,
        pub data: String,
        pub chain_hash: Vec<u8>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Writes an event, with the seals of the rows that the change wrote. Invariant: after the resource's row is locked and last in the transaction, so
/// that ids of one resource's events are in the order of its changes.
///
/// # Errors
/// When the database does not answer.
pub async fn emit(tx: &Tx, mut event: Event<'_>) -> Result<(), Fault> {
    let seals = tx.take_seals();
    if let (false, Some(facts)) = (seals.is_empty(), event.data.as_object_mut()) {
        facts.insert("sealed".to_owned(), json!(seals));
    }
    let row = outbox_row::ActiveModel {
        id: NotSet,
        event_id: Set(Uuid::now_v7().to_string()),
        r#type: Set(event.kind.to_owned()),
        resource_id: Set(event.resource_id),
        account_id: Set(text_of(event.account_id)),
        time_us: Set(event.time.as_micros()),
        caller: Set(event.origin.caller.clone()),
        request_id: Set(event.origin.request_id.clone()),
        method: Set(event.origin.method.clone()),
        why: Set(event.why),
        outcome: Set(event.outcome),
        data: Set(event.data.to_string()),
    };
    Ok(tx
        .later(outbox_row::Entity, outbox_row::Entity::insert(row))
        .await?)
}

fn text_of(account_id: Option<AccountId>) -> String {
    account_id.map_or_else(String::new, |id| id.to_string())
}

/// Writes events of one transaction, in their order. Invariant: that of [`emit`].
///
/// # Errors
/// When the database does not answer.
pub async fn emit_all(tx: &Tx, events: &[Event<'_>]) -> Result<(), Fault> {
    if events.is_empty() {
        return Ok(());
    }
    let backend = tx.get_database_backend();
    let text = if backend == DbBackend::Postgres {
        INSERT_POSTGRES
    } else {
        INSERT_SQLITE
    };
    let statement = Statement::from_sql_and_values(backend, text, [rows(events).into()]);
    tx.execute_raw(statement).await?;
    Ok(())
}

/// Writes the events that [`rows`] made of its parameter `$1`: on PostgreSQL, where this can be a
/// part of the statement that makes the change, to which a `WHERE` may be added.
pub const INSERT_POSTGRES: &str = include_str!("sql/postgres/insert_events.sql");
const INSERT_SQLITE: &str = include_str!("sql/sqlite/insert_events.sql");

/// Events as the one parameter of the statement that writes them.
#[must_use]
pub fn rows(events: &[Event<'_>]) -> String {
    #[derive(Serialize)]
    struct Row<'a> {
        event_id: Uuid,
        r#type: &'a str,
        resource_id: &'a str,
        account_id: String,
        time_us: i64,
        caller: &'a str,
        request_id: &'a str,
        method: &'a str,
        why: &'a str,
        outcome: &'a str,
        data: String,
    }
    let rows: Vec<_> = events
        .iter()
        .map(|event| Row {
            event_id: Uuid::now_v7(),
            r#type: event.kind,
            resource_id: &event.resource_id,
            account_id: text_of(event.account_id),
            time_us: event.time.as_micros(),
            caller: &event.origin.caller,
            request_id: &event.origin.request_id,
            method: &event.origin.method,
            why: &event.why,
            outcome: &event.outcome,
            data: event.data.to_string(),
        })
        .collect();
    json!(rows).to_string()
}

const MOVED_AT_ONCE: u64 = 500;
/// Key of the advisory lock that lets one instance give positions at a time.
const MOVER_LOCK: i64 = 0x4c49_4345_5401;

/// Gives waiting events their positions.
pub(crate) struct Mover {
    pub(crate) database: Database,
    pub(crate) moved: Arc<Notify>,
}

impl Due for Mover {
    fn name(&self) -> &'static str {
        "move events"
    }

    fn run_due(&self, _: bool) -> Pin<Box<dyn Future<Output = Result<u64, Fault>> + Send + '_>> {
        Box::pin(async move {
            let waiting = outbox_row::Entity::find()
                .limit(1)
                .one(self.database.read_alone())
                .await?;
            if waiting.is_none() {
                return Ok(0);
            }
            let moved = self.database.transact(&Move).await?;
            if moved > 0 {
                self.moved.notify_waiters();
            }
            Ok(moved)
        })
    }

    /// What is left gathers until the next look: a commit for each event would take the disk from those
    /// who write them.
    fn pauses_after(&self, done: u64) -> bool {
        done < MOVED_AT_ONCE
    }
}

struct Move;

impl Work for Move {
    type Answer = u64;

    async fn run(&self, tx: &Tx) -> Result<u64, Fault> {
        if tx.get_database_backend() == DbBackend::Postgres && !try_mover_lock(tx).await? {
            return Ok(0);
        }
        let waiting = outbox_row::Entity::find()
            .order_by_asc(outbox_row::Column::Id)
            .limit(MOVED_AT_ONCE)
            .all(tx)
            .await?;
        let last = event_row::Entity::find()
            .select_only()
            .columns([event_row::Column::Position, event_row::Column::ChainHash])
            .order_by_desc(event_row::Column::Position)
            .limit(1)
            .into_tuple::<(i64, Vec<u8>)>()
            .one(tx)
            .await?;
        let (mut position, mut chain_hash) = last.unwrap_or((0, Vec::new()));
        let moves: Vec<_> = waiting
            .iter()
            .map(|row| {
                position += 1;
                chain_hash = Covered::at(position, row).chained(&chain_hash);
                json!({ "id": row.id, "position": position, "hash": hex::encode(&chain_hash) })
            })
            .collect();
        if moves.is_empty() {
            return Ok(0);
        }
        let moves = json!(moves).to_string();
        let backend = tx.get_database_backend();
        for text in if backend == DbBackend::Postgres {
            &[include_str!("sql/postgres/move_events.sql")][..]
        } else {
            &[
                include_str!("sql/sqlite/move_events.sql"),
                include_str!("sql/sqlite/delete_moved.sql"),
            ]
        } {
            let statement = Statement::from_sql_and_values(backend, *text, [(&moves).into()]);
            tx.execute_raw(statement).await?;
        }
        Ok(u64::try_from(waiting.len()).unwrap_or(u64::MAX))
    }
}

async fn try_mover_lock(tx: &Tx) -> Result<bool, Fault> {
    let statement = Statement::from_sql_and_values(
        DbBackend::Postgres,
        // The schema's own number keeps services that share a database apart.
        "SELECT pg_try_advisory_xact_lock($1 # hashtext(current_schema())::bigint) AS taken",
        [MOVER_LOCK.into()],
    );
    let row = tx.query_one_raw(statement).await?;
    Ok(match row {
        Some(row) => row.try_get("", "taken")?,
        None => false,
    })
}

const READ_AT_ONCE: u64 = 200;
const POLL: Duration = Duration::from_millis(500);

/// `licet.events.v1.EventService` over one service's log.
#[derive(Clone)]
pub(crate) struct EventRpc {
    pub(crate) database: Database,
    /// `/licet/billing`: the CloudEvents source.
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
        let wanted = fields.each("types", &message.types, |text| filter_word(text));
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
        fields.build(|| Ok((wanted?, resources?)))?;
        let (sender, receiver) = mpsc::channel(64);
        let reader = self.clone();
        let accounts = call.caller.account_filter();
        tokio::spawn(async move {
            let feeding = async {
                if let Err(fault) = reader.feed(&message, accounts.as_deref(), &sender).await {
                    // A client that left needs no answer.
                    let _ = sender.send(Err(fault.into())).await;
                }
            };
            call.within(feeding).await;
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}

/// The longest list of filter words.
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
        wanted: &StreamEventsRequest,
        accounts: Option<&[String]>,
        sender: &mpsc::Sender<Result<StreamEventsResponse, Status>>,
    ) -> Result<(), Fault> {
        let mut after = wanted.after_position;
        loop {
            // Registered before the read: what is moved in between wakes this reader too.
            let moved = Arc::clone(&self.moved);
            let woken = moved.notified();
            let (last, events) = {
                let tx = self.database.read();
                let last = last_position(&tx).await?;
                (last, list_after(&tx, after, wanted, accounts).await?)
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
            // What did not match need not be read again.
            after = after.max(last);
            if !wanted.follow.unwrap_or(true) {
                return Ok(());
            }
            tokio::select! {
                () = sender.closed() => return Ok(()),
                () = woken => {}
                // Another instance may have moved events that this one was not woken for.
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
    wanted: &StreamEventsRequest,
    accounts: Option<&[String]>,
) -> Result<Vec<event_row::Model>, Fault> {
    let mut filter = Condition::all().add(event_row::Column::Position.gt(after));
    if !wanted.types.is_empty() {
        filter = filter.add(event_row::Column::Type.is_in(&wanted.types));
    }
    if !wanted.resource_ids.is_empty() {
        filter = filter.add(event_row::Column::ResourceId.is_in(&wanted.resource_ids));
    }
    if let Some(accounts) = accounts {
        filter = filter.add(event_row::Column::AccountId.is_in(accounts));
    }
    Ok(event_row::Entity::find()
        .filter(filter)
        .order_by_asc(event_row::Column::Position)
        .limit(READ_AT_ONCE)
        .all(tx)
        .await?)
}
