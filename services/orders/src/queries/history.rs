//! The history of an order, read from this service's event log.

use licet_domain::ids::OrderId;
use licet_runtime::{
    caller::Call,
    database::Database,
    fault::Fault,
    history::{self, Entry},
    page::Page,
};

use crate::store;

/// A page of an order's history, oldest first, and the next page's token. Events of its
/// certificates and servers bear the order's id, too.
pub(crate) async fn list(
    database: &Database,
    call: &Call,
    order_id: OrderId,
    page: &Page,
) -> Result<(Vec<Entry>, String), Fault> {
    let tx = database.read();
    let order = store::orders::get(&tx, &call.caller.accounts, order_id).await?;
    let rows = history::list(&tx, &order.id.to_string(), page).await?;
    let key = |entry: &Entry| vec![entry.event_id.clone()];
    Ok(page.finish_sized(rows, Entry::bytes, key))
}
