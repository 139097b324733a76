//! What happened to one resource, read back from its service's log: what has a position, and
//! after it what was written since and has none yet. Read in one snapshot, nothing falls in between.

use licet_domain::clock::Instant;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::{
    database::Tx,
    event_rows::{event_row, outbox_row},
    fault::Fault,
    page::{Page, foreign_token},
    stored::instant,
};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Id of its event, by which a listing goes on.
    pub event_id: String,
    /// Position in the log; `None` until it is given one, moments after the change.
    pub position: Option<i64>,
    /// The event's type, `licet.orders.order.paid.v1`.
    pub kind: String,
    /// When it was decided.
    pub time: Instant,
    /// Who asked.
    pub caller: String,
    /// The `request_id` of the call; empty where time alone asked.
    pub request_id: String,
    /// The method called; empty likewise.
    pub method: String,
    /// Why: a rule id, or the words of whoever asked.
    pub why: String,
    /// What came of it.
    pub outcome: String,
    /// The facts, a JSON object.
    pub data: String,
}

impl Entry {
    /// About how many bytes it takes in an answer.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.data.len() + self.why.len() + self.method.len() + self.caller.len()
    }
}

/// Where a page begins: behind a row of the log, or behind one that waits for its position.
#[derive(Clone, Copy)]
enum Start {
    Behind { position: i64 },
    BehindWaiting { id: i64 },
}

/// The next events of a resource, oldest first, one more than the page holds where there are more.
/// `tx` must be one snapshot.
///
/// # Errors
/// [`Fault::Invalid`] for a token of another listing, or when the database does not answer.
pub async fn list(tx: &Tx, resource_id: &str, page: &Page) -> Result<Vec<Entry>, Fault> {
    let start = match page.after_key() {
        None => Start::Behind { position: 0 },
        Some(event_id) => find_start(tx, resource_id, event_id).await?,
    };
    let mut entries = match start {
        Start::Behind { position } => list_moved(tx, resource_id, position, page.limit()).await?,
        Start::BehindWaiting { .. } => Vec::new(),
    };
    let room = page.limit().saturating_sub(entries.len() as u64);
    if room > 0 {
        let after = match start {
            Start::Behind { .. } => 0,
            Start::BehindWaiting { id } => id,
        };
        entries.extend(list_waiting(tx, resource_id, after, room).await?);
    }
    Ok(entries)
}

/// An event keeps its id when it is given its position, so a page may begin behind one that was
/// waiting when the page before ended.
async fn find_start(tx: &Tx, resource_id: &str, event_id: &str) -> Result<Start, Fault> {
    let moved = event_row::Entity::find()
        .filter(event_row::Column::EventId.eq(event_id))
        .filter(event_row::Column::ResourceId.eq(resource_id))
        .one(tx)
        .await?;
    if let Some(row) = moved {
        return Ok(Start::Behind {
            position: row.position,
        });
    }
    let waiting = outbox_row::Entity::find()
        .filter(outbox_row::Column::EventId.eq(event_id))
        .filter(outbox_row::Column::ResourceId.eq(resource_id))
        .one(tx)
        .await?;
    let row = waiting.ok_or_else(foreign_token)?;
    Ok(Start::BehindWaiting { id: row.id })
}

/// Both tables hold an event in the same columns.
macro_rules! entry {
    ($row:expr, $position:expr) => {
        Ok(Entry {
            event_id: $row.event_id,
            position: $position,
            kind: $row.r#type,
            time: instant("time_us", $row.time_us)?,
            caller: $row.caller,
            request_id: $row.request_id,
            method: $row.method,
            why: $row.why,
            outcome: $row.outcome,
            data: $row.data,
        })
    };
}

async fn list_moved(
    tx: &Tx,
    resource_id: &str,
    after: i64,
    limit: u64,
) -> Result<Vec<Entry>, Fault> {
    let rows = event_row::Entity::find()
        .filter(event_row::Column::ResourceId.eq(resource_id))
        .filter(event_row::Column::Position.gt(after))
        .order_by_asc(event_row::Column::Position)
        .limit(limit)
        .all(tx)
        .await?;
    rows.into_iter()
        .map(|row| entry!(row, Some(row.position)))
        .collect()
}

async fn list_waiting(
    tx: &Tx,
    resource_id: &str,
    after: i64,
    limit: u64,
) -> Result<Vec<Entry>, Fault> {
    let rows = outbox_row::Entity::find()
        .filter(outbox_row::Column::ResourceId.eq(resource_id))
        .filter(outbox_row::Column::Id.gt(after))
        .order_by_asc(outbox_row::Column::Id)
        .limit(limit)
        .all(tx)
        .await?;
    rows.into_iter().map(|row| entry!(row, None)).collect()
}
