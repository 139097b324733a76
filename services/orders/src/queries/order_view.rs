//! An order with what is shown beside it: its invoices, the certificate to install and the running
//! operation. Many orders take as many queries as one.

use licet_clients::billing::Refund;
use licet_domain::{
    clock::Instant,
    ids::{CertificateId, InvoiceId},
};
use licet_runtime::{
    database::Tx,
    fault::Fault,
    operation::{self, View},
};

use crate::{
    rules::{certificate::CertificateState, order::Order, refund_count::ValidPeriod},
    store::{certificates, invoices, keys::OrderKeys},
};

/// An order as shown at one instant.
#[derive(Debug, Clone)]
pub(crate) struct OrderView {
    pub(crate) order: Order,
    pub(crate) now: Instant,
    /// The invoices of the running term, oldest first.
    pub(crate) invoice_ids: Vec<String>,
    /// The invoices of the next term, oldest first.
    pub(crate) next_invoice_ids: Vec<String>,
    /// The certificate to install now.
    pub(crate) certificate_id: Option<CertificateId>,
    /// The running operation.
    pub(crate) running: Option<View>,
    /// The valid periods of its certificates, if it was renewed.
    pub(crate) valid_periods: Vec<ValidPeriod>,
}

impl OrderView {
    /// The order with its turns applied, and nothing else.
    pub(crate) fn bare(order: Order, now: Instant) -> Self {
        let (order, now) = order.at(now);
        Self {
            order,
            now,
            invoice_ids: Vec::new(),
            next_invoice_ids: Vec::new(),
            certificate_id: None,
            running: None,
            valid_periods: Vec::new(),
        }
    }

    /// Adds the newest invoice of a term.
    pub(crate) fn add_invoice(&mut self, term_index: u32, id: InvoiceId) {
        let running = self.order.term.index;
        if term_index == running {
            self.invoice_ids.push(id.to_string());
        } else if running.checked_add(1) == Some(term_index) {
            self.next_invoice_ids.push(id.to_string());
        }
    }
}

/// The refunds decided so far of a deleted order, ascending by term index.
pub(crate) fn refunds(order: &Order) -> Result<Vec<Refund>, Fault> {
    let encoded = order.refunds.values();
    encoded.map(|refund| Refund::decode(refund)).collect()
}

/// The orders as shown at `now`, in the given order.
pub(crate) async fn load_all(
    tx: &Tx,
    orders: Vec<Order>,
    now: Instant,
) -> Result<Vec<OrderView>, Fault> {
    let resources: Vec<_> = orders
        .iter()
        .map(|order| (order.account_id, order.id.to_string()))
        .collect();
    let mut running = operation::list_running(tx, &resources).await?;
    let mut views = load_without_operation(tx, orders, now).await?;
    for view in &mut views {
        view.running = running.remove(&view.order.id.to_string());
    }
    Ok(views)
}

/// One order as shown at `now`.
pub(crate) async fn load(tx: &Tx, order: Order, now: Instant) -> Result<OrderView, Fault> {
    one(load_all(tx, vec![order], now).await?)
}

/// One order as shown after its running operation, for the response that ends it.
pub(crate) async fn load_ended(tx: &Tx, order: Order, now: Instant) -> Result<OrderView, Fault> {
    one(load_without_operation(tx, vec![order], now).await?)
}

/// A new order as shown once it is charged. Reads nothing: only this invoice can belong to it yet.
pub(crate) fn of_new(order: Order, invoice_id: InvoiceId, now: Instant) -> OrderView {
    let mut view = OrderView::bare(order, now);
    view.add_invoice(view.order.term.index, invoice_id);
    view
}

fn one(mut views: Vec<OrderView>) -> Result<OrderView, Fault> {
    views
        .pop()
        .ok_or_else(|| Fault::internal("an order was lost between its reads"))
}

async fn load_without_operation(
    tx: &Tx,
    orders: Vec<Order>,
    now: Instant,
) -> Result<Vec<OrderView>, Fault> {
    let keys = OrderKeys::of(&orders);
    let mut invoice_ids = invoices::list_ids(tx, &keys).await?;
    let current = certificates::list_current(tx, &keys).await?;
    // No certificate is valid before the first term starts; a late renewal starts another term at
    // once.
    let renewed = orders.iter().filter(|order| {
        let is_first = order.term.index == 0 && order.next_term.is_none();
        !is_first || now >= order.end()
    });
    let renewed = OrderKeys::of(renewed);
    let mut valid_periods = certificates::list_valid_periods(tx, &renewed).await?;
    let views = orders.into_iter().map(|order| {
        let mut view = OrderView::bare(order, now);
        let term = (view.order.id.to_string(), i64::from(view.order.term.index));
        let next = (
            view.order.id.to_string(),
            i64::from(view.order.term.index) + 1,
        );
        view.invoice_ids = invoice_ids.remove(&term).unwrap_or_default();
        view.next_invoice_ids = invoice_ids.remove(&next).unwrap_or_default();
        view.certificate_id = current
            .iter()
            .rev()
            .filter(|found| found.order_id == view.order.id)
            .find(|found| found.lifecycle.state(view.now) == CertificateState::Active)
            .map(|found| found.id);
        view.valid_periods = valid_periods.remove(&term.0).unwrap_or_default();
        view
    });
    Ok(views.collect())
}
