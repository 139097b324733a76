//! Orders, and what waits for a signature.

use licet_domain::ids::{AccountId, OperationId, OrderId};
use licet_runtime::{
    caller::Call,
    database::{Database, Tx},
    fault::Fault,
    operation,
    page::Page,
};

use super::{filter_text, order_view, time_key};
use crate::{
    convert::order::OrderView,
    rules::{listing::OrderFilter, order::Order, state},
    store,
};

/// The order, or NOT_FOUND.
pub(crate) async fn get(
    database: &Database,
    call: &Call,
    order_id: OrderId,
) -> Result<OrderView, Fault> {
    let tx = database.read().await?;
    let order = store::orders::get(&tx, &call.caller.accounts, order_id).await?;
    order_view::load(&tx, order, call.now).await
}

/// The order that an operation works on, with the snapshot that it was seen in; none when the
/// operation has ended since.
pub(crate) async fn find_under_way(
    database: &Database,
    call: &Call,
    operation_id: OperationId,
) -> Result<Option<(Tx, OrderView)>, Fault> {
    let tx = database.read().await?;
    let running = operation::find(&tx, &call.caller, operation_id).await?;
    let Some(running) = running.filter(|found| found.state == "RUNNING") else {
        return Ok(None);
    };
    let order_id = running.resource_id.parse().map_err(Fault::internal)?;
    let order = store::orders::get(&tx, &call.caller.accounts, order_id).await?;
    let view = order_view::load(&tx, order, call.now).await?;
    Ok(Some((tx, view)))
}

/// A page of orders, newest first, and the next one's token.
pub(crate) async fn list(
    database: &Database,
    call: &Call,
    filter: &OrderFilter,
    page_size: i32,
    page_token: &str,
) -> Result<(Vec<OrderView>, String), Fault> {
    let text = format!(
        "orders {} {} {}",
        filter_text(filter.account_id),
        filter.state.map_or("", state::name),
        filter_text(filter.name.as_ref())
    );
    let page = Page::decode(page_size, page_token, &text, call.now)?;
    let tx = database.read().await?;
    let rows = store::orders::list(&tx, &call.caller.accounts, filter, &page).await?;
    let (rows, next) = page.finish(rows, |order| time_key(order.create_time, order.id));
    Ok((order_view::load_all(&tx, rows, page.as_of).await?, next))
}

/// A page of orders that wait for a certificate, longest waiting first, and the next one's token.
pub(crate) async fn list_pending(
    database: &Database,
    call: &Call,
    account_id: Option<AccountId>,
    page_size: i32,
    page_token: &str,
) -> Result<(Vec<Order>, String), Fault> {
    let text = format!("pending issuance {}", filter_text(account_id));
    let page = Page::decode(page_size, page_token, &text, call.now)?;
    let tx = database.read().await?;
    let scope = &call.caller.accounts;
    let rows = store::orders::list_pending(&tx, scope, account_id, &page).await?;
    Ok(page.finish(rows, |order| {
        time_key(
            order.issuance_pending_since.unwrap_or(order.create_time),
            order.id,
        )
    }))
}
