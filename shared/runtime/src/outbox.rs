//! Events: written to the outbox in the transaction of the change, then moved to the log, which
//! numbers them without gaps and chains them by hash. The event log is the audit log.

use std::{pin::Pin, sync::Arc, time::Duration};

use licet_domain::{clock::Instant, ids::AccountId, refusal::Refusal};
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, NotSet, QuerySelect, Set, Statement};
use serde::Serialize;
use serde_json::json;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::{
    all_accounts::AllAccounts,
    bookmark::Bookmark,
    caller::Origin,
    chain::chained,
    database::{Database, Tx, Work},
    event_rows::{event_row, outbox_row, waiting},
    event_search::find_last,
    fault::Fault,
    schedule::{DueWork, IDLE_PAUSE},
};

/// The data of one event type. Each service lists its types in `events.rs`: a struct per type, every
/// field documented.
pub trait EventData: Serialize {
    /// `licet.billing.invoice.issued.v1`.
    const TYPE: &'static str;
}

/// Names the types of events: `event_types! { InvoiceIssued<'_> => "licet.billing.invoice.issued.v1", }`.
#[macro_export]
macro_rules! event_types {
    ($($data:ty => $name:literal,)+) => {$(
        impl $crate::outbox::EventData for $data {
            const TYPE: &'static str = $name;
        }
    )+};
}

/// The fields of an event beside its data.
#[derive(Clone, Debug)]
pub struct EventHeader<'a> {
    /// The resource that changed; events of one resource keep their order.
    pub resource_id: String,
    /// The account that owns the resource; `None` for installation-wide resources.
    pub account_id: Option<AccountId>,
    /// The decision time.
    pub time: Instant,
    /// Who asked for the change.
    pub origin: &'a Origin,
    /// A rule id, or the reason that the caller gave.
    pub why: String,
    /// The result of the change, in a word or a short sentence.
    pub outcome: String,
}

/// A change of state, as the log records it.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    header: EventHeader<'a>,
    kind: &'static str,
    data: serde_json::Value,
}

impl<'a> Event<'a> {
    /// An event with data of its type.
    ///
    /// # Errors
    /// When the data does not serialise to JSON.
    pub fn new<D: EventData>(header: EventHeader<'a>, data: &D) -> Result<Self, Fault> {
        let data = serde_json::to_value(data).map_err(Fault::internal)?;
        Ok(Self::of_type(header, D::TYPE, data))
    }

    /// An event that the runtime writes under a type of the service.
    pub(crate) fn of_type(
        header: EventHeader<'a>,
        kind: &'static str,
        data: serde_json::Value,
    ) -> Self {
        Self { header, kind, data }
    }
}

/// A resource that events tell of.
pub trait EventResource {
    /// Its id.
    fn resource_id(&self) -> String;

    /// The account that owns it.
    fn account_id(&self) -> AccountId;
}

/// An event of a resource. The fields are as in [`EventHeader`].
pub struct ResourceEvent<'a, R, D> {
    /// The resource after the change.
    pub resource: &'a R,
    /// Who asked for the change.
    pub origin: &'a Origin,
    /// The decision time.
    pub time: Instant,
    /// A rule id, or the reason that the caller gave.
    pub why: &'a str,
    /// The result of the change, in one word.
    pub outcome: &'a str,
    /// The data of the event's type.
    pub data: D,
}

impl<'a, R: EventResource, D: EventData> ResourceEvent<'a, R, D> {
    /// An operation was refused after its request had been accepted.
    pub fn refused(
        resource: &'a R,
        origin: &'a Origin,
        time: Instant,
        refusal: &'a Refusal,
        data: D,
    ) -> Self {
        Self {
            resource,
            origin,
            time,
            why: "X-2",
            outcome: refusal.reason.as_str(),
            data,
        }
    }

    /// Writes the event. The invariant of [`emit`] applies.
    ///
    /// # Errors
    /// As [`emit`].
    pub async fn emit(self, tx: &Tx) -> Result<(), Fault> {
        let header = EventHeader {
            resource_id: self.resource.resource_id(),
            account_id: Some(self.resource.account_id()),
            time: self.time,
            origin: self.origin,
            why: self.why.to_owned(),
            outcome: self.outcome.to_owned(),
        };
        emit(tx, Event::new(header, &self.data)?).await
    }
}

/// Writes an event with the seals of the rows that its change wrote. Invariant: call it last in the
/// transaction, with the resource's row locked, so that outbox ids follow the order of a resource's changes.
///
/// # Errors
/// When the database does not answer.
pub async fn emit(tx: &Tx, event: Event<'_>) -> Result<(), Fault> {
    emit_in_order(tx, vec![event]).await
}

/// As [`emit`], for the events of several resources, in order; the first has the seals.
///
/// # Errors
/// As [`emit`].
pub async fn emit_in_order(tx: &Tx, mut events: Vec<Event<'_>>) -> Result<(), Fault> {
    let seals = tx.take_seals();
    let first = events.first_mut().and_then(|it| it.data.as_object_mut());
    if let (false, Some(data)) = (seals.is_empty(), first) {
        data.insert("sealed".to_owned(), json!(seals));
    }
    let insert = outbox_row::Entity::insert_many(events.into_iter().map(row));
    Ok(tx.last(outbox_row::Entity, insert).await?)
}

fn row(event: Event<'_>) -> outbox_row::ActiveModel {
    outbox_row::ActiveModel {
        id: NotSet,
        event_id: Set(Uuid::now_v7().to_string()),
        r#type: Set(event.kind.to_owned()),
        resource_id: Set(event.header.resource_id),
        account_id: Set(text_of(event.header.account_id)),
        time_us: Set(event.header.time.as_micros()),
        caller: Set(event.header.origin.caller.clone()),
        request_id: Set(event.header.origin.request_id.clone()),
        method: Set(event.header.origin.method.clone()),
        why: Set(event.header.why),
        outcome: Set(event.header.outcome),
        data: Set(event.data.to_string()),
    }
}

fn text_of(account_id: Option<AccountId>) -> String {
    account_id.map_or_else(String::new, |id| id.to_string())
}

/// Writes several events of one transaction in order. The invariant of [`emit`] applies.
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

/// Inserts the events in `$1`, which [`rows`] has made. A PostgreSQL statement may include it as a part and
/// append a `WHERE`.
pub const INSERT_POSTGRES: &str = include_str!("sql/postgres/insert_events.sql");
const INSERT_SQLITE: &str = include_str!("sql/sqlite/insert_events.sql");

/// Encodes events as the parameter of [`INSERT_POSTGRES`].
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
            resource_id: &event.header.resource_id,
            account_id: text_of(event.header.account_id),
            time_us: event.header.time.as_micros(),
            caller: &event.header.origin.caller,
            request_id: &event.header.origin.request_id,
            method: &event.header.origin.method,
            why: &event.header.why,
            outcome: &event.header.outcome,
            data: event.data.to_string(),
        })
        .collect();
    json!(rows).to_string()
}

const MOVED_AT_ONCE: u64 = 500;
/// Why the outbox is read over all accounts.
const MOVED_IN_ORDER: &str = "the log has the events of all";
/// The advisory lock that lets one instance move events at a time.
const MOVER_LOCK: i64 = 0x4c49_4345_5401;

/// Moves events from the outbox to the log and gives them their positions.
pub(crate) struct Mover {
    pub(crate) database: Database,
    pub(crate) moved: Arc<Notify>,
}

impl DueWork for Mover {
    fn name(&self) -> &'static str {
        "move events"
    }

    fn run_due(&self, _: bool) -> Pin<Box<dyn Future<Output = Result<u64, Fault>> + Send + '_>> {
        Box::pin(async move {
            let any = outbox_row::Entity::find()
                .limit(1)
                .one(&AllAccounts::new(
                    self.database.read_alone(),
                    MOVED_IN_ORDER,
                ))
                .await?;
            if any.is_none() {
                return Ok(0);
            }
            let moved = self.database.transact(&Move).await?;
            if moved > 0 {
                self.moved.notify_waiters();
            }
            Ok(moved)
        })
    }

    /// Pauses even if more events are waiting: moving each with its own commit would take disk writes from
    /// the calls that make them.
    fn pause_after(&self, done: u64) -> Option<Duration> {
        (done < MOVED_AT_ONCE).then_some(IDLE_PAUSE)
    }
}

struct Move;

impl Work for Move {
    type Output = u64;

    async fn run(&self, tx: &Tx) -> Result<u64, Fault> {
        if tx.get_database_backend() == DbBackend::Postgres && !try_mover_lock(tx).await? {
            return Ok(0);
        }
        let events = waiting()
            .limit(MOVED_AT_ONCE)
            .into_model::<event_row::Model>()
            .all(&AllAccounts::new(tx, MOVED_IN_ORDER))
            .await?;
        let Bookmark {
            mut position,
            mut chain_hash,
        } = find_last(tx).await?;
        let moves: Vec<_> = events
            .iter()
            .map(|row| {
                position += 1;
                chain_hash = chained(position, row, &chain_hash);
                json!({
                    "account_id": row.account_id,
                    "id": row.position,
                    "position": position,
                    "hash": hex::encode(&chain_hash),
                })
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
        Ok(u64::try_from(events.len()).unwrap_or(u64::MAX))
    }
}

async fn try_mover_lock(tx: &Tx) -> Result<bool, Fault> {
    let statement = Statement::from_sql_and_values(
        DbBackend::Postgres,
        // Mixed with the schema's name, because services may share a database.
        "SELECT pg_try_advisory_xact_lock($1 # hashtext(current_schema())::bigint) AS taken",
        [MOVER_LOCK.into()],
    );
    let row = tx.query_one_raw(statement).await?;
    Ok(match row {
        Some(row) => row.try_get("", "taken")?,
        None => false,
    })
}
