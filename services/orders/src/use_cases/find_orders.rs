//! FindOrders: finds orders by what a ticket says about them. Asks Billing whose an invoice number
//! is. Changes nothing.

use licet_runtime::{caller::Call, fault::Fault, page::Page};

use super::PreviewContext;
use crate::{
    queries::{self, order_view::OrderView},
    rules::listing::{Clues, OrderFilter},
};

/// A page of the orders that match the clues, newest first, and the next page's token.
pub(crate) async fn find(
    context: &PreviewContext,
    call: &Call,
    mut clues: Clues,
    page: &Page,
) -> Result<(Vec<OrderView>, String), Fault> {
    if let Some(number) = &clues.invoice_number {
        let invoice = context.peers.billing.find_invoice(number).await?;
        // The invoice of something else, such as a SAN licence, matches no order.
        let of_order = invoice.and_then(|invoice| invoice.resource_id().parse().ok());
        clues.order_id = clues.order_id.or(of_order);
    }
    let filter = OrderFilter {
        clues: Some(clues),
        ..OrderFilter::default()
    };
    queries::orders::list(&context.database, call, &filter, page).await
}
