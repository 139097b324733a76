//! Reads: each on one snapshot of the database, and of the accounts that the caller sees.

pub(crate) mod accounts;
pub(crate) mod catalog;
pub(crate) mod charges;
pub(crate) mod documents;
pub(crate) mod refunds;
pub(crate) mod statements;
pub(crate) mod verify;
