//! How far a service has followed each peer's log: a position and bookmarks, in the service's own schema.

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, IntoActiveModel, QueryFilter, Statement,
    sea_query::{Expr, OnConflict},
};

use crate::{
    bookmark::{Bookmark, thin},
    database::{Database, Tx},
    event_search::find_hashes,
    fault::Fault,
    stored::{from_json, to_json},
    verification::{Check, Difference},
};

pub(crate) mod row {
    //! The `following` table.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "following")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) source: String,
        pub(crate) position: i64,
        pub(crate) bookmarks_json: String,
    }

    crate::stored::plain_entity!(pub(crate));
}

/// How far a peer's log has been followed.
#[derive(Clone, Debug)]
pub(crate) struct FollowPosition {
    /// The row as it was read; `None` before the first event.
    stored: Option<row::Model>,
    /// The events up to here are applied.
    position: i64,
    /// Past positions, newest first. The newest is the present one, unless a version without bookmarks moved it.
    bookmarks: Vec<Bookmark>,
}

impl FollowPosition {
    /// Reads the position in a peer's log.
    pub(crate) async fn find(
        connection: &impl ConnectionTrait,
        source: &str,
    ) -> Result<Self, Fault> {
        let stored = row::Entity::find_by_id(source).one(connection).await?;
        let position = stored.as_ref().map_or(0, |row| row.position);
        let mut bookmarks: Vec<Bookmark> = match &stored {
            Some(row) => from_json("bookmarks_json", &row.bookmarks_json)?,
            None => Vec::new(),
        };
        // A person may have set the position back.
        bookmarks.retain(|bookmark| bookmark.position <= position);
        Ok(Self {
            stored,
            position,
            bookmarks,
        })
    }

    /// The present position. Its chain hash is empty if it is not known.
    pub(crate) fn present(&self) -> Bookmark {
        let newest = self.bookmarks.first();
        let known = newest.filter(|newest| newest.position == self.position);
        known.cloned().unwrap_or_else(|| Bookmark {
            position: self.position,
            chain_hash: Vec::new(),
        })
    }

    /// Where to continue if the log is no longer the one that was followed: the older bookmarks, newest first,
    /// and the beginning of the log.
    pub(crate) fn earlier(&self) -> impl Iterator<Item = Bookmark> {
        let earlier = self.bookmarks.iter();
        let earlier = earlier.filter(|bookmark| bookmark.position < self.position);
        earlier.cloned().chain([Bookmark {
            position: 0,
            chain_hash: Vec::new(),
        }])
    }

    /// Moves on from `agreed`, which may be earlier than the present position, to `reached`. Returns whether
    /// the stored position was still the one that was read; if not, another instance has moved it.
    pub(crate) async fn advance(
        &self,
        tx: &Tx,
        source: &str,
        agreed: &Bookmark,
        reached: &Bookmark,
    ) -> Result<bool, Fault> {
        let mut bookmarks = self.bookmarks.clone();
        bookmarks.retain(|bookmark| bookmark.position <= agreed.position);
        // A bookmark without a hash would agree with every log.
        if !reached.chain_hash.is_empty() && bookmarks.first() != Some(reached) {
            bookmarks.insert(0, reached.clone());
        }
        thin(&mut bookmarks);
        let next = row::Model {
            source: source.to_owned(),
            position: reached.position,
            bookmarks_json: to_json("bookmarks_json", &bookmarks)?,
        };
        let Some(stored) = &self.stored else {
            let existing = OnConflict::column(row::Column::Source)
                .do_nothing()
                .to_owned();
            let inserted = row::Entity::insert(next.into_active_model())
                .on_conflict(existing)
                .exec_without_returning(tx)
                .await?;
            return Ok(inserted == 1);
        };
        // Locks the row until the transaction ends: another instance waits here and finds it moved.
        let moved = row::Entity::update_many()
            .col_expr(row::Column::Position, Expr::value(next.position))
            .col_expr(row::Column::BookmarksJson, Expr::value(next.bookmarks_json))
            .filter(row::Column::Source.eq(source))
            .filter(row::Column::Position.eq(stored.position))
            .filter(row::Column::BookmarksJson.eq(&stored.bookmarks_json))
            .exec(tx)
            .await?;
        Ok(moved.rows_affected == 1)
    }
}

/// Deletes the position in a peer's log, because the peer is on a new store whose log begins at 1: at the
/// old position, its first events would be skipped. A service that follows no peer has no such table.
pub(crate) async fn start_over(tx: &Tx, source: &str) -> Result<(), Fault> {
    let backend = tx.get_database_backend();
    let text = if backend == DbBackend::Postgres {
        "SELECT 1 WHERE to_regclass('following') IS NOT NULL"
    } else {
        "SELECT 1 FROM sqlite_master WHERE name = 'following'"
    };
    let table = tx
        .query_one_raw(Statement::from_string(backend, text))
        .await?;
    if table.is_some() {
        row::Entity::delete_by_id(source).exec(tx).await?;
    }
    Ok(())
}

/// The bookmarks in a peer's log, newest first, in the store of the service that follows it.
///
/// # Errors
/// When the database does not answer.
pub async fn list_bookmarks(follower: &Database, source: &str) -> Result<Vec<Bookmark>, Fault> {
    let position = FollowPosition::find(follower.read_alone(), source).await?;
    Ok(position.bookmarks)
}

/// Checks a follower's bookmarks, which must have been read before, against the log that it follows.
///
/// # Errors
/// When the database does not answer.
pub async fn check_bookmarks(bookmarks: &[Bookmark], followed: &Tx) -> Result<Check, Fault> {
    let mut check = Check::new(
        "bookmarks",
        "the log still has the events that were followed, at their positions (X-5)",
    );
    let positions = bookmarks.iter().map(|bookmark| bookmark.position);
    let hashes = find_hashes(followed, positions).await?;
    for Bookmark {
        position,
        chain_hash,
    } in bookmarks
    {
        check.checked += 1;
        let found = hashes.get(position);
        if found != Some(chain_hash) {
            check.note(Difference {
                subject: format!("position {position}"),
                expected: hex::encode(chain_hash),
                found: found.map_or_else(|| "no event".to_owned(), hex::encode),
            });
        }
    }
    Ok(check)
}
