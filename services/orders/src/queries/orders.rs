//! Orders, and those that await a certificate.

use licet_domain::ids::{AccountId, OrderId};
use licet_runtime::{
    caller::Call,
    database::{Database, Tx},
    door::UnderWay,
    fault::Fault,
    operation::View,
    page::{Page, time_key},
};

use super::{
    name_bytes,
    order_view::{self, OrderView},
};
use crate::{
    rules::{listing::OrderFilter, order::Order},
    store,
};

/// The order, or NOT_FOUND.
pub(crate) async fn get(
    database: &Database,
    call: &Call,
    order_id: OrderId,
) -> Result<OrderView, Fault> {
    let tx = database.read();
    let order = store::orders::get(&tx, &call.caller.accounts, order_id).await?;
    order_view::load(&tx, order, call.now).await
}

impl UnderWay for OrderView {
    async fn load(tx: &Tx, call: &Call, running: View) -> Result<Self, Fault> {
        let order_id = running.resource_id.parse().map_err(Fault::internal)?;
        let order = store::orders::get(tx, &running.account_id.into(), order_id).await?;
        order_view::load(tx, order, call.now).await
    }
}

/// A page of orders, newest first, and the next page's token.
pub(crate) async fn list(
    database: &Database,
    call: &Call,
    filter: &OrderFilter,
    page: &Page,
) -> Result<(Vec<OrderView>, String), Fault> {
    let tx = database.read();
    let rows = store::orders::list(&tx, &call.caller.accounts, filter, page).await?;
    let (rows, next) =
        page.finish_sized(rows, bytes, |order| time_key(order.create_time, order.id));
    Ok((order_view::load_all(&tx, rows, page.as_of).await?, next))
}

/// The approximate size of what varies in an order's response, in bytes.
fn bytes(order: &Order) -> usize {
    let change = order.change.as_ref().map_or(0, |change| {
        name_bytes(&change.names) + name_bytes(&change.added) + name_bytes(&change.removed)
    });
    // The refunds of the running and the next term are shown twice.
    let refunds: usize = order.refunds.values().map(|refund| 2 * refund.len()).sum();
    name_bytes(&order.names) + change + refunds
}

/// A page of orders that await a certificate, longest waiting first, and the next page's token.
pub(crate) async fn list_pending(
    database: &Database,
    call: &Call,
    account_id: Option<AccountId>,
    page: &Page,
) -> Result<(Vec<Order>, String), Fault> {
    let tx = database.read();
    let scope = &call.caller.accounts;
    let rows = store::orders::list_pending(&tx, scope, account_id, page).await?;
    let rows = rows.into_iter().map(|order| order.at(page.as_of).0);
    let bytes = |order: &Order| {
        let request = order.signing_request.as_ref();
        name_bytes(order.wanted_names()) + request.map_or(0, |request| request.pem.len())
    };
    let key = |order: &Order| {
        let since = order.issuance_pending_since().unwrap_or(order.create_time);
        time_key(since, order.id)
    };
    Ok(page.finish_sized(rows.collect(), bytes, key))
}
