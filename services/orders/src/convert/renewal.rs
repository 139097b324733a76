//! The renewal of an order.

use licet_clients::billing::Quote;
use licet_contracts::orders::v1 as orders;
use licet_domain::ids::ServerId;
use licet_runtime::{
    caller::Call,
    fault::Fault,
    field::{Field, Fields},
};

use super::order::{dns_names, encode_term, positive, refuse_repeats};
use crate::{
    peers::free::with_free_domains,
    rules::renewal::WantedRenewal,
    use_cases::renew_order::{RenewOrder, RenewedOrder},
};

/// Decodes the request for a renewal.
pub(crate) fn decode_renew(
    _: &Call,
    message: &orders::RenewOrderRequest,
) -> Result<RenewOrder, Fault> {
    let mut fields = Fields::new();
    let order_id = fields.required("order_id", &message.order_id);
    let months = positive(&mut fields, "term_months", message.term_months);
    let names = dns_names(&mut fields, "domains", &message.domains, None);
    let additional_licenses = u32::try_from(message.additional_licenses)
        .map_err(|_| fields.note("additional_licenses", "must not be negative"));
    let keep = server_ids(&mut fields, "keep_server_ids", &message.keep_server_ids);
    let quote_id = fields.optional("quote_id", &message.quote_id);
    fields.check(
        "quote_id",
        !message.validate_only || message.quote_id.is_empty(),
        "must be empty with validate_only: a preview makes a new quote",
    );
    fields.request_id(message);
    fields.build(|| {
        Ok(RenewOrder {
            order_id: order_id?,
            wanted: WantedRenewal {
                months: months?,
                names: names?.into_iter().collect(),
                additional_licenses: additional_licenses?,
                keep: keep?,
            },
            quote_id: quote_id?,
        })
    })
}

/// Ids of servers; refuses repeated ones.
fn server_ids(fields: &mut Fields, path: &str, list: &[String]) -> Field<Vec<ServerId>> {
    let ids: Vec<ServerId> = fields.each(path, list, |text| text.parse())?;
    refuse_repeats(fields, path, &ids, None)?;
    Ok(ids)
}

/// The order, the new term with its quote, and the servers that lapse when it starts.
pub(crate) fn encode_renewal(renewed: RenewedOrder) -> Result<orders::RenewOrderResponse, Fault> {
    let RenewedOrder {
        view,
        sale,
        lapsing,
    } = renewed;
    let order = &view.order;
    let sale = sale.map(|(term, quote)| {
        // A late renewal already runs.
        let invoice_ids = if order.term.index == term.index {
            &view.invoice_ids
        } else {
            &view.next_invoice_ids
        };
        let names = term.names.as_ref().unwrap_or(&order.names);
        let quote = with_free_domains(quote, order, term.sold.as_ref(), names);
        (encode_term(&view, &term, invoice_ids), quote)
    });
    let (term, quote) = sale.unzip();
    Ok(orders::RenewOrderResponse {
        order: Some(super::order::encode(&view)?),
        quote: quote.map(Quote::into_message),
        term,
        lapsing_server_ids: lapsing.iter().map(ToString::to_string).collect(),
    })
}
