//! Which store a service works on and which its peers work on. A store that was lost and made anew must
//! not pass for the old one: what was acknowledged would be done a second time.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use http::{HeaderMap, HeaderValue};
use sea_orm::{EntityTrait, Set, sea_query::OnConflict};
use uuid::Uuid;

use crate::{
    caller::CALLER_KEY,
    clock::real_now,
    database::{Database, Tx, Work},
    fault::{Fault, TransientFault, TransientReason},
    follow_position,
};

/// Names the sender's store: the caller's in a request, the service's in an answer.
pub const STORE_KEY: &str = "licet-store-id";
/// Names the store that the caller expects the service to work on.
pub const EXPECTED_KEY: &str = "licet-expected-store-id";

/// The services that call each other.
pub const SERVICES: [&str; 3] = ["orders", "billing", "san-licensing"];

mod row {
    //! The store that a peer works on.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "peer_store")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub peer: String,
        pub store_id: String,
        pub kept_us: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The stores of a service's peers, as its own store keeps them.
#[derive(Clone, Debug)]
pub(crate) struct PeerStores {
    database: Database,
    /// What was read already. Invariant: only what the store keeps.
    known: Arc<Mutex<HashMap<String, Uuid>>>,
}

impl PeerStores {
    pub(crate) fn new(database: Database) -> Self {
        Self {
            database,
            known: Arc::default(),
        }
    }

    /// The id of the service's own store.
    pub(crate) fn own(&self) -> Uuid {
        self.database.store_id()
    }

    /// The store of a peer, where one is kept.
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

    /// Keeps a peer's store at the first contact. Returns the one that is kept.
    pub(crate) async fn keep(&self, peer: &str, store_id: Uuid) -> Result<Uuid, Fault> {
        let first = Keep {
            peer,
            store_id,
            replaces: false,
        };
        self.database.transact(&first).await?;
        Ok(self.find(peer).await?.unwrap_or(store_id))
    }

    /// What was read is read again: another instance, or a person, may have changed it.
    pub(crate) fn forget(&self, peer: &str) {
        self.known(|known| known.remove(peer));
    }

    fn known<T>(&self, look: impl FnOnce(&mut HashMap<String, Uuid>) -> T) -> T {
        look(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Refuses a call from another store than the one that is kept of the caller.
    async fn check(&self, service: &'static str, peer: &str, given: Uuid) -> Result<(), Fault> {
        let kept = match self.find(peer).await? {
            Some(kept) if kept != given => {
                self.forget(peer);
                self.find(peer).await?
            }
            kept => kept,
        };
        let kept = match kept {
            Some(kept) => kept,
            None => self.keep(peer, given).await?,
        };
        if kept == given {
            return Ok(());
        }
        Err(changed(service, peer, kept, given))
    }
}

fn parsed(text: &str) -> Result<Uuid, Fault> {
    text.parse()
        .map_err(|_| Fault::internal(format!("a kept store id is {text:?}")))
}

struct Keep<'a> {
    peer: &'a str,
    store_id: Uuid,
    replaces: bool,
}

impl Work for Keep<'_> {
    type Output = ();

    async fn run(&self, tx: &Tx) -> Result<(), Fault> {
        let row = row::ActiveModel {
            peer: Set(self.peer.to_owned()),
            store_id: Set(self.store_id.to_string()),
            kept_us: Set(real_now().as_micros()),
        };
        let mut known = OnConflict::column(row::Column::Peer);
        if self.replaces {
            known.update_columns([row::Column::StoreId, row::Column::KeptUs]);
        } else {
            known.do_nothing();
        }
        let insert = row::Entity::insert(row).on_conflict(known);
        tx.later(row::Entity, insert).await?;
        if self.replaces {
            follow_position::start_over(tx, self.peer).await?;
        }
        Ok(())
    }
}

/// Lets the service on a store work with another store of a peer than before, because a person says so.
///
/// # Errors
/// When the database does not answer.
pub async fn accept(database: &Database, peer: &str, store_id: Uuid) -> Result<(), Fault> {
    let replaced = Keep {
        peer,
        store_id,
        replaces: true,
    };
    database.transact(&replaced).await
}

/// The fault of a call that would reach `keeper`, which keeps the store `kept` of `peer`, where `peer` is
/// on the store `found` now.
fn changed(keeper: &str, peer: &str, kept: Uuid, found: Uuid) -> Fault {
    Fault::Transient(Box::new(TransientFault {
        reason: TransientReason::PeerStoreChanged,
        message: format!(
            "{keeper} works with the store {kept} of {peer}, and {peer} is on the store {found} now; \
             nothing was done. Bring the old store back. If it is lost for good and {keeper} is to \
             work with the new one: licet accept-peer-store --database DATABASE-OF-{keeper} \
             {peer}={found}"
        ),
        retry_after: None,
        metadata: BTreeMap::from([
            ("service".to_owned(), keeper.to_owned()),
            ("peer".to_owned(), peer.to_owned()),
            ("kept_store_id".to_owned(), kept.to_string()),
            ("found_store_id".to_owned(), found.to_string()),
        ]),
    }))
}

/// The store that a header names.
pub(crate) fn named(headers: &HeaderMap, key: &str) -> Option<Uuid> {
    let value = headers.get(key)?;
    Some(id_of(value.to_str().unwrap_or_default()))
}

/// The store that a text names; one that is no UUID names none that there is.
pub(crate) fn id_of(text: &str) -> Uuid {
    text.parse().unwrap_or_default()
}

/// A store's id as a header carries it.
pub(crate) fn header(store_id: Uuid) -> Option<HeaderValue> {
    HeaderValue::from_str(&store_id.to_string()).ok()
}

/// Holds every call to the two stores that have worked together.
#[derive(Clone)]
pub(crate) struct StoreCheck {
    pub(crate) service: &'static str,
    pub(crate) stores: PeerStores,
}

impl StoreCheck {
    /// Refuses a peer's call from another store than before, or to one, before anything is done.
    pub(crate) async fn admit(&self, headers: &HeaderMap) -> Result<(), Fault> {
        let Some(caller) = headers.get(CALLER_KEY).and_then(|name| name.to_str().ok()) else {
            return Ok(());
        };
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

    /// Names the service's store in an answer.
    pub(crate) fn name_own(&self, headers: &mut HeaderMap) {
        if let Some(own) = header(self.stores.own()) {
            headers.insert(STORE_KEY, own);
        }
    }
}
