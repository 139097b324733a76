//! Changes of licences: each file is one verb, a transaction that loads, decides and stores. A verb that
//! needs Billing is accepted here and continues as a durable operation.

pub(crate) mod accept_license;
pub(crate) mod add_product;
pub(crate) mod alert_on_turns;
pub(crate) mod allocate_certificate;
pub(crate) mod authorize_issuance;
pub(crate) mod cancel_license;
pub(crate) mod earlier;
mod event;
pub(crate) mod increase_quota;
pub(crate) mod quote_license;
pub(crate) mod record_certificate;
pub(crate) mod record_unallocated;
pub(crate) mod release_reservation;
pub(crate) mod renew_license;
pub(crate) mod resource;
pub(crate) mod revoke_certificates;
pub(crate) mod withdraw_quote;

use licet_runtime::database::Database;

use crate::peers::Billing;

/// What a preview of a change reads.
#[derive(Clone)]
pub(crate) struct Sources {
    pub(crate) database: Database,
    pub(crate) billing: Billing,
}
