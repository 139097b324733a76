//! `licet accept-peer-store`: lets a service work with a new store of a peer. Only a person can
//! know that the old store is lost for good.

use std::str::FromStr;

use clap::Args;
use licet_runtime::{
    database::Database,
    peer_store::{self, SERVICES},
};
use uuid::Uuid;

use crate::{CommandError, database_option::DatabaseOption};

/// Settings of `licet accept-peer-store`. The database is that of the service that refuses the peer's store; the
/// service may be running.
#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    database: DatabaseOption,
    /// The peer and the id of its new store, as named in the refusal: billing=UUID.
    #[arg(value_name = "PEER=STORE")]
    accepted: PeerStore,
}

/// A peer and the id of its store.
#[derive(Clone, Debug)]
struct PeerStore {
    peer: String,
    store_id: Uuid,
}

impl FromStr for PeerStore {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (peer, store_id) = text.split_once('=').ok_or("must be PEER=STORE")?;
        if !SERVICES.contains(&peer) {
            return Err(format!(
                "must name one of the peers: {}",
                SERVICES.join(", ")
            ));
        }
        Ok(Self {
            peer: peer.to_owned(),
            store_id: store_id
                .parse()
                .map_err(|_| "must give the id of the store as a UUID")?,
        })
    }
}

/// Accepts the store and prints a confirmation.
pub(crate) async fn run(options: &Options) -> Result<(), CommandError> {
    let location = options.database.location()?;
    let database = Database::open_existing(location).await?;
    let PeerStore { peer, store_id } = &options.accepted;
    peer_store::accept(&database, peer, *store_id).await?;
    println!(
        "The store {} at {location} now works with the store {store_id} of {peer}.",
        database.store_id()
    );
    Ok(())
}
