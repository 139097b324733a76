//! Finds the account of a resource that a request names by its id alone. The key of every row begins with its
//! account, so rows are found, locked and changed only once it is known.

use std::fmt::Display;

use licet_domain::ids::{AccountId, CertificateId, OrderId, ServerId};
use licet_runtime::{all_accounts::find_account, caller::AccountScope, database::Tx, fault::Fault};

use super::{CERTIFICATE, ORDER, SERVER};
use crate::rules::not_found;

/// Why a row is read from the parts of all accounts.
pub(super) const BY_ID: &str = "the request names an id, not its account";

/// Why a page is read from the parts of all accounts.
pub(super) const LIST: &str = "a list over several accounts";

/// The account of an order within the caller's scope; NOT_FOUND if there is no such order. Call it before
/// the transaction's first statement.
pub(crate) async fn of_order(
    tx: &Tx,
    scope: &AccountScope,
    id: OrderId,
) -> Result<AccountId, Fault> {
    find(tx, scope, ORDER, "order", id).await
}

/// As [`of_order`], for a certificate.
pub(crate) async fn of_certificate(
    tx: &Tx,
    scope: &AccountScope,
    id: CertificateId,
) -> Result<AccountId, Fault> {
    find(tx, scope, CERTIFICATE, "certificate", id).await
}

/// As [`of_order`], for a server.
pub(crate) async fn of_server(
    tx: &Tx,
    scope: &AccountScope,
    id: ServerId,
) -> Result<AccountId, Fault> {
    find(tx, scope, SERVER, "server", id).await
}

/// A scope of one account needs no look-up: a row of another account has another key.
async fn find(
    tx: &Tx,
    scope: &AccountScope,
    subject: (&'static str, &'static str),
    resource: &str,
    id: impl Display + Copy,
) -> Result<AccountId, Fault> {
    if let Some(account_id) = scope.only_account() {
        return Ok(account_id);
    }
    let found = find_account(tx.before()?, scope, subject, &id.to_string()).await?;
    Ok(found.ok_or_else(|| not_found(resource, id))?)
}
