//! The commands of Orders, a file each: the request as a value, and one transaction that loads,
//! decides by the rules and stores. A command that needs a peer is accepted here and finished by a
//! durable operation. It returns a value.

pub(crate) mod begin_issuance;
pub(crate) mod cancel_domain_change;
pub(crate) mod charge_domains;
pub(crate) mod delete_order;
pub(crate) mod earlier;
mod event;
pub(crate) mod find_orders;
pub(crate) mod finish_deletion;
pub(crate) mod follow_revocations;
pub(crate) mod license_options;
pub(crate) mod note_freed_sans;
pub(crate) mod place_order;
mod price_order;
pub(crate) mod record;
pub(crate) mod record_issuance;
pub(crate) mod register_server;
pub(crate) mod renew_order;
pub(crate) mod request_reissue;
pub(crate) mod resource;
pub(crate) mod review_refunds;
pub(crate) mod revoke_certificate;
pub(crate) mod set_server_software;
pub(crate) mod turns;
pub(crate) mod unregister_server;
pub(crate) mod update_domains;
pub(crate) mod updated_domains;

use licet_runtime::database::Database;

use crate::peers::Peers;

/// What a preview reads.
#[derive(Clone)]
pub(crate) struct PreviewContext {
    pub(crate) database: Database,
    pub(crate) peers: Peers,
}
