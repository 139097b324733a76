//! The history of one resource, read from the event log and then from the outbox, whose events have no
//! position yet.

use licet_domain::clock::Instant;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::{
    all_accounts::AllAccounts,
    database::Tx,
    event_rows::{event_row, outbox_row, waiting},
    fault::Fault,
    page::{Page, foreign_token},
    stored::instant,
};

/// Why the outbox is read over all accounts.
const FEW_WAIT: &str = "few events wait for their position";

/// One event of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The event's id, which page tokens contain.
    pub event_id: String,
    /// The event's position; `None` for a moment after the change.
    pub position: Option<i64>,
    /// The event's type, such as `licet.orders.order.paid.v1`.
    pub kind: String,
    /// The decision time.
    pub time: Instant,
    /// Who asked for the change.
    pub caller: String,
    /// The request's id; empty if no call made the change.
    pub request_id: String,
    /// The method; empty if no call made the change.
    pub method: String,
    /// A rule id, or the reason that the caller gave.
    pub why: String,
    /// The result of the change, in a word or a short sentence.
    pub outcome: String,
    /// The event's data, a JSON object.
    pub data: String,
}

impl Entry {
    /// Its approximate size in a response, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.data.len() + self.why.len() + self.method.len() + self.caller.len()
    }
}

/// The next events of a resource, oldest first: one more than the page has room for, if there are more.
/// `tx` must read one snapshot, or an event that is being moved could be missed.
///
/// # Errors
/// [`Fault::Invalid`] for a token of another listing, or when the database does not answer.
pub async fn list(tx: &Tx, resource_id: &str, page: &Page) -> Result<Vec<Entry>, Fault> {
    let (after_position, after_id) = match page.after_key() {
        None => (Some(0), 0),
        Some(event_id) => find_start(tx, resource_id, event_id).await?,
    };
    let mut rows = match after_position {
        Some(position) => {
            let logged = event_row::Entity::find()
                .filter(event_row::Column::ResourceId.eq(resource_id))
                .filter(event_row::Column::Position.gt(position))
                .order_by_asc(event_row::Column::Position)
                .limit(page.limit());
            logged.all(tx).await?
        }
        None => Vec::new(),
    };
    let logged = rows.len();
    let room = page.limit().saturating_sub(logged as u64);
    if room > 0 {
        let unmoved = waiting()
            .filter(outbox_row::Column::ResourceId.eq(resource_id))
            .filter(outbox_row::Column::Id.gt(after_id))
            .limit(room)
            .into_model::<event_row::Model>();
        rows.extend(unmoved.all(&AllAccounts::new(tx, FEW_WAIT)).await?);
    }
    let entries = rows.into_iter().enumerate();
    entries
        .map(|(index, row)| entry(row, index < logged))
        .collect()
}

/// The position and the outbox id after which a page begins; no position if the whole log is before it.
/// An event keeps its id when it is moved, so the last event of the page before may be in either table.
async fn find_start(
    tx: &Tx,
    resource_id: &str,
    event_id: &str,
) -> Result<(Option<i64>, i64), Fault> {
    let logged = event_row::Entity::find()
        .filter(event_row::Column::EventId.eq(event_id))
        .filter(event_row::Column::ResourceId.eq(resource_id))
        .one(tx)
        .await?;
    if let Some(row) = logged {
        return Ok((Some(row.position), 0));
    }
    let unmoved = outbox_row::Entity::find()
        .filter(outbox_row::Column::EventId.eq(event_id))
        .filter(outbox_row::Column::ResourceId.eq(resource_id))
        .one(&AllAccounts::new(tx, FEW_WAIT))
        .await?;
    let row = unmoved.ok_or_else(foreign_token)?;
    Ok((None, row.id))
}

fn entry(row: event_row::Model, is_logged: bool) -> Result<Entry, Fault> {
    Ok(Entry {
        event_id: row.event_id,
        position: is_logged.then_some(row.position),
        kind: row.r#type,
        time: instant("time_us", row.time_us)?,
        caller: row.caller,
        request_id: row.request_id,
        method: row.method,
        why: row.why,
        outcome: row.outcome,
        data: row.data,
    })
}
