//! The servers of an order.

use licet_domain::ids::OrderId;
use licet_runtime::{
    caller::Call,
    database::Database,
    fault::Fault,
    page::{Page, time_key},
};

use crate::{
    rules::servers::{Server, registered, server_limit},
    store,
};

/// A page of an order's servers, and how many it is licensed for and has.
#[derive(Debug)]
pub(crate) struct ServerPage {
    pub(crate) servers: Vec<Server>,
    pub(crate) licensed: u64,
    pub(crate) registered: usize,
    pub(crate) next_page_token: String,
}

/// A page of an order's servers, oldest first, including those that left.
pub(crate) async fn list(
    database: &Database,
    call: &Call,
    order_id: OrderId,
    page: &Page,
) -> Result<ServerPage, Fault> {
    let tx = database.read();
    let order = store::orders::get(&tx, &call.caller.accounts, order_id).await?;
    let (order, _) = order.at(page.as_of);
    let all = store::servers::list_of(&tx, &order).await?;
    let rows = store::servers::list(&tx, &order, page).await?;
    let (servers, next_page_token) =
        page.finish(rows, |server| time_key(server.register_time, server.id));
    Ok(ServerPage {
        servers,
        licensed: server_limit(&order),
        registered: registered(&all).count(),
        next_page_token,
    })
}
