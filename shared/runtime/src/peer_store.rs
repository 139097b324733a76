//! Store ids of a service and its peers. A store that was lost and created again must not pass for the old
//! one: requests that were already acknowledged would take effect twice.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use http::{HeaderMap, HeaderValue};
use sea_orm::{EntityTrait, Set, sea_query::OnConflict};
use uuid::Uuid;

use crate::{
    clock::real_now,
    database::{Database, Tx, Work},
    fault::{Fault, TransientFault, TransientReason},
    follow_position,
};

/// Header with the sender's store id: the caller's in a request, the service's in a response.
pub const STORE_KEY: &str = "licet-store-id";
/// Header with the store id that the caller expects of the service.
pub const EXPECTED_KEY: &str = "licet-expected-store-id";

/// The services that call each other.
pub const SERVICES: [&str; 3] = ["orders", "billing", "san-licensing"];

mod row {
    //! The `peer_store` table.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "peer_store")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub peer: String,
        pub store_id: String,
        pub kept_us: i64,
    }

    crate::stored::plain_entity!(pub(super));
}

/// The store ids of a service's peers, stored in the service's own store.
#[derive(Clone, Debug)]
pub(crate) struct PeerStores {
    database: Database,
    /// A cache of stored ids.
    known: Arc<Mutex<HashMap<String, Uuid>>>,
}

impl PeerStores {
    pub(crate) fn new(database: Database) -> Self {
        Self {
            database,
            known: Arc::default(),
        }
    }

    /// The service's own store id.
    pub(crate) fn own(&self) -> Uuid {
        self.database.store_id()
    }

    /// The stored id of a peer's store, if any.
    pub(crate) async fn find(&self, peer: &str) -> Result<Option<Uuid>, Fault> {
        if let Some(known) = self.known(|known| known.get(peer).copied()) {
            return Ok(Some(known));
        }
        let found = row::Entity::find_by_id(peer)
            .one(self.database.read_alone())
            .await?;
        let found = found.map(|row| parsed(&row.store_id)).transpose()?;
        if let Some(found) = found {
            self.known(|known| known.insert(peer.to_owned(), found));
        }
        Ok(found)
    }

    /// Stores the id of a peer's store at the first contact. Returns the stored one, which may be older.
    pub(crate) async fn remember(&self, peer: &str, store_id: Uuid) -> Result<Uuid, Fault> {
        let first = StorePeerId {
            peer,
            store_id,
            replaces: false,
        };
        self.database.transact(&first).await?;
        Ok(self.find(peer).await?.unwrap_or(store_id))
    }

    /// Drops a cached id: another instance or a person may have changed the stored one.
    pub(crate) fn forget(&self, peer: &str) {
        self.known(|known| known.remove(peer));
    }

    fn known<T>(&self, look: impl FnOnce(&mut HashMap<String, Uuid>) -> T) -> T {
        look(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Rejects a call from another store than the stored one.
    async fn check(&self, service: &'static str, peer: &str, given: Uuid) -> Result<(), Fault> {
        let stored = match self.find(peer).await? {
            Some(cached) if cached != given => {
                self.forget(peer);
                self.find(peer).await?
            }
            cached => cached,
        };
        let stored = match stored {
            Some(stored) => stored,
            None => self.remember(peer, given).await?,
        };
        if stored == given {
            return Ok(());
        }
        Err(changed(service, peer, stored, given))
    }
}

fn parsed(text: &str) -> Result<Uuid, Fault> {
    text.parse()
        .map_err(|_| Fault::internal(format!("the stored store id {text:?} is not a UUID")))
}

struct StorePeerId<'a> {
    peer: &'a str,
    store_id: Uuid,
    replaces: bool,
}

impl Work for StorePeerId<'_> {
    type Output = ();

    async fn run(&self, tx: &Tx) -> Result<(), Fault> {
        let row = row::ActiveModel {
            peer: Set(self.peer.to_owned()),
            store_id: Set(self.store_id.to_string()),
            kept_us: Set(real_now().as_micros()),
        };
        let mut existing = OnConflict::column(row::Column::Peer);
        if self.replaces {
            existing.update_columns([row::Column::StoreId, row::Column::KeptUs]);
        } else {
            existing.do_nothing();
        }
        let insert = row::Entity::insert(row).on_conflict(existing);
        tx.later(row::Entity, insert).await?;
        if self.replaces {
            follow_position::start_over(tx, self.peer).await?;
        }
        Ok(())
    }
}

/// Accepts a new store of a peer, because a person has decided so.
///
/// # Errors
/// When the database does not answer.
pub async fn accept(database: &Database, peer: &str, store_id: Uuid) -> Result<(), Fault> {
    let replaced = StorePeerId {
        peer,
        store_id,
        replaces: true,
    };
    database.transact(&replaced).await
}

/// The fault of a call to `service`, which has stored the id `known` for `peer`, now on the store `found`.
fn changed(service: &str, peer: &str, known: Uuid, found: Uuid) -> Fault {
    Fault::Transient(Box::new(TransientFault {
        reason: TransientReason::PeerStoreChanged,
        message: format!(
            "{service} has worked with the store {known} of {peer}, but {peer} now uses the store \
             {found}; nothing was done. Restore the old store. If it is lost and {service} should \
             work with the new one, run: licet accept-peer-store --database DATABASE-OF-{service} \
             {peer}={found}"
        ),
        retry_after: None,
        metadata: BTreeMap::from([
            ("service".to_owned(), service.to_owned()),
            ("peer".to_owned(), peer.to_owned()),
            ("kept_store_id".to_owned(), known.to_string()),
            ("found_store_id".to_owned(), found.to_string()),
        ]),
    }))
}

/// The store id in a header.
pub(crate) fn named(headers: &HeaderMap, key: &str) -> Option<Uuid> {
    let value = headers.get(key)?;
    Some(id_of(value.to_str().unwrap_or_default()))
}

/// Parses a store id; nil, which no store has, if it is not a UUID.
pub(crate) fn id_of(text: &str) -> Uuid {
    text.parse().unwrap_or_default()
}

/// A store id as a header value.
pub(crate) fn header(store_id: Uuid) -> Option<HeaderValue> {
    HeaderValue::from_str(&store_id.to_string()).ok()
}

/// Checks the stores of both sides of every call between services.
#[derive(Clone)]
pub(crate) struct StoreCheck {
    pub(crate) service: &'static str,
    pub(crate) stores: PeerStores,
}

impl StoreCheck {
    /// Rejects a peer's call from or to another store than before. Runs before anything else.
    pub(crate) async fn admit(&self, caller: &str, headers: &HeaderMap) -> Result<(), Fault> {
        if !SERVICES.contains(&caller) {
            return Ok(());
        }
        let own = self.stores.own();
        if let Some(expected) = named(headers, EXPECTED_KEY).filter(|expected| *expected != own) {
            return Err(changed(caller, self.service, expected, own));
        }
        match named(headers, STORE_KEY) {
            Some(given) => self.stores.check(self.service, caller, given).await,
            None => Ok(()),
        }
    }

    /// Adds the service's store id to a response.
    pub(crate) fn name_own(&self, headers: &mut HeaderMap) {
        if let Some(own) = header(self.stores.own()) {
            headers.insert(STORE_KEY, own);
        }
    }
}
