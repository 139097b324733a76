//! Searches the event log for matching events, part by part, and notices when the log is no longer the one
//! that it began with: a log that lost its last events gives out their positions again.

use std::collections::BTreeMap;

use licet_domain::refusal::{Reason, Refusal};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::{
    bookmark::Bookmark,
    caller::AccountScope,
    database::{Database, Tx},
    event_rows::event_row::{Column, Entity, Model},
    fault::Fault,
    stored::in_scope,
};

const READ_AT_ONCE: u64 = 200;
/// The most positions that one statement searches: the contract promises a report after so many, and a
/// statement must not time out however few events match.
const SEARCHED_AT_ONCE: i64 = 10_000;

/// The events to search for.
#[derive(Clone, Debug)]
pub(crate) struct EventFilter {
    pub(crate) scope: AccountScope,
    /// Empty: all types.
    pub(crate) types: Vec<String>,
    /// Empty: all resources.
    pub(crate) resource_ids: Vec<String>,
}

/// A search of one log, from a position on.
pub(crate) struct EventSearch {
    database: Database,
    filter: EventFilter,
    position: i64,
    /// The chain hash at the position; `None` if it is not known, and so not checked.
    chain_hash: Option<Vec<u8>>,
}

/// What a part of the log has.
pub(crate) struct FoundEvents {
    /// The matching events.
    pub(crate) events: Vec<Model>,
    /// The end of the part.
    pub(crate) searched: Bookmark,
    /// Whether the log ends there.
    pub(crate) is_end: bool,
}

impl EventSearch {
    /// A search of the events after a position. An empty hash is unknown.
    pub(crate) fn new(database: Database, filter: EventFilter, after: Bookmark) -> Self {
        Self {
            database,
            filter,
            position: after.position,
            chain_hash: Some(after.chain_hash).filter(|hash| !hash.is_empty()),
        }
    }

    /// Searches the next part of the log; `None` if there is none yet. A part without events may be as short as
    /// the hash of a position that began without one.
    ///
    /// # Errors
    /// LOG_DIVERGED if the log now has another event at the position reached, or ends before it; when the
    /// database does not answer.
    pub(crate) async fn next(&mut self) -> Result<Option<FoundEvents>, Fault> {
        // While nothing happens, this is all that an open stream reads.
        if self.is_at(&find_last(self.database.read_alone()).await?) {
            return Ok(None);
        }
        // One snapshot, so that the events follow the event that was checked.
        let tx = self.database.read();
        let last = find_last(&tx).await?;
        let taken = self.check(&tx, last.position).await?;
        if last.position <= self.position {
            return Ok(taken.map(|searched| FoundEvents {
                events: Vec::new(),
                searched,
                is_end: true,
            }));
        }
        // The resources have an index, so that a search for them is quick over any number of positions.
        let until = if self.filter.resource_ids.is_empty() {
            last.position
                .min(self.position.saturating_add(SEARCHED_AT_ONCE))
        } else {
            last.position
        };
        let events = self.list(&tx, until).await?;
        let full = events
            .last()
            .filter(|_| events.len() as u64 == READ_AT_ONCE);
        let is_end = full.map_or(until, |event| event.position) == last.position;
        let searched = match full {
            _ if is_end => last,
            Some(event) => Bookmark {
                position: event.position,
                chain_hash: event.chain_hash.clone(),
            },
            None => Bookmark {
                position: until,
                chain_hash: find_hash(&tx, until).await?.unwrap_or_default(),
            },
        };
        self.position = searched.position;
        self.chain_hash = Some(searched.chain_hash.clone()).filter(|hash| !hash.is_empty());
        Ok(Some(FoundEvents {
            events,
            searched,
            is_end,
        }))
    }

    fn is_at(&self, last: &Bookmark) -> bool {
        let known = self.chain_hash.as_deref().unwrap_or_default();
        self.position == last.position && known == last.chain_hash
    }

    /// Fails if the log does not have the known event at the position. If its hash is not known, takes the
    /// log's, which must not change from here on, and returns it.
    async fn check(&mut self, tx: &Tx, last_position: i64) -> Result<Option<Bookmark>, Fault> {
        let position = self.position;
        if position == 0 {
            return Ok(None);
        }
        let found = find_hash(tx, position).await?;
        if self.chain_hash.is_some() {
            return if self.chain_hash == found {
                Ok(None)
            } else {
                Err(diverged(position, last_position).into())
            };
        }
        self.chain_hash.clone_from(&found);
        Ok(found.map(|chain_hash| Bookmark {
            position,
            chain_hash,
        }))
    }

    async fn list(&self, tx: &Tx, until: i64) -> Result<Vec<Model>, Fault> {
        let mut filter = in_scope(&self.filter.scope, Column::AccountId)
            .add(Column::Position.gt(self.position))
            .add(Column::Position.lte(until));
        if !self.filter.types.is_empty() {
            filter = filter.add(Column::Type.is_in(&self.filter.types));
        }
        if !self.filter.resource_ids.is_empty() {
            filter = filter.add(Column::ResourceId.is_in(&self.filter.resource_ids));
        }
        Ok(Entity::find()
            .filter(filter)
            .order_by_asc(Column::Position)
            .limit(READ_AT_ONCE)
            .all(tx)
            .await?)
    }
}

fn diverged(position: i64, last_position: i64) -> Refusal {
    let message = format!(
        "the event log has lost events: it no longer has the event that was at position {position}, \
         and ends at position {last_position} now. Continue from an older position whose chain_hash \
         you know"
    );
    Refusal::new(Reason::LogDiverged, message)
        .with("position", position)
        .with("last_position", last_position)
}

/// The last position of the log; 0 before the first event.
pub(crate) async fn find_last(connection: &impl ConnectionTrait) -> Result<Bookmark, Fault> {
    let last = Entity::find()
        .select_only()
        .columns([Column::Position, Column::ChainHash])
        .order_by_desc(Column::Position)
        .limit(1)
        .into_tuple::<(i64, Vec<u8>)>()
        .one(connection)
        .await?;
    let (position, chain_hash) = last.unwrap_or_default();
    Ok(Bookmark {
        position,
        chain_hash,
    })
}

/// The chain hashes at the positions at which the log has events.
pub(crate) async fn find_hashes(
    tx: &Tx,
    positions: impl Iterator<Item = i64>,
) -> Result<BTreeMap<i64, Vec<u8>>, Fault> {
    let found = Entity::find()
        .select_only()
        .columns([Column::Position, Column::ChainHash])
        .filter(Column::Position.is_in(positions))
        .into_tuple()
        .all(tx)
        .await?;
    Ok(found.into_iter().collect())
}

/// The chain hash at a position; `None` if the log has no event there.
async fn find_hash(tx: &Tx, position: i64) -> Result<Option<Vec<u8>>, Fault> {
    Ok(Entity::find_by_id(position)
        .select_only()
        .column(Column::ChainHash)
        .into_tuple::<Vec<u8>>()
        .one(tx)
        .await?)
}
