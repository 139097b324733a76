//! The renewal of an order.

use std::collections::BTreeMap;

use licet_contracts::{billing::v1 as billing, orders::v1 as orders};
use licet_domain::ids::{OrderId, QuoteId, ServerId};
use licet_runtime::{
    fault::Fault,
    field::{Field, Fields},
};

use super::order::{OrderView, dns_names, encode_term, positive};
use crate::rules::{order::OrderTerm, renewal::WantedRenewal};

/// What a customer wants to buy for the time after the present term.
#[derive(Debug, Clone)]
pub(crate) struct RenewWish {
    pub(crate) order_id: OrderId,
    pub(crate) wanted: WantedRenewal,
    /// The quote to charge it by; absent: the price as of the decision time.
    pub(crate) quote_id: Option<QuoteId>,
}

/// Reads the request for a renewal.
pub(crate) fn decode_renew(message: &orders::RenewOrderRequest) -> Result<RenewWish, Fault> {
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
        "must be empty with validate_only, which makes a new quote",
    );
    fields.request_id(message);
    fields.build(|| {
        Ok(RenewWish {
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

/// Ids of servers, none of them twice.
fn server_ids(fields: &mut Fields, path: &str, list: &[String]) -> Field<Vec<ServerId>> {
    let ids: Vec<ServerId> = fields.each(path, list, |text| text.parse())?;
    let mut first = BTreeMap::new();
    let mut repeated = None;
    for (index, id) in ids.iter().enumerate() {
        let before = *first.entry(id).or_insert(index);
        if before != index {
            let noted = fields.note(
                format!("{path}[{index}]"),
                format!("is {id} again, which {path}[{before}] named already"),
            );
            repeated.get_or_insert(noted);
        }
    }
    repeated.map_or(Ok(ids), Err)
}

/// Says of each server to keep that the order has it not.
pub(crate) fn unknown_servers(unknown: &[(usize, ServerId)]) -> Fault {
    let mut fields = Fields::new();
    let mut noted = None;
    for (index, id) in unknown {
        let path = format!("keep_server_ids[{index}]");
        noted = Some(fields.note(path, format!("{id} is not registered on the order")));
    }
    let built = fields.build(|| noted.map_or(Ok(()), Err));
    built
        .err()
        .unwrap_or_else(|| Fault::internal("no server is unknown"))
}

/// The order, the term that it was or would be sold, and the servers that lapse with its start.
pub(crate) fn encode_renewal(
    view: &OrderView,
    term: &OrderTerm,
    quote: Option<billing::Quote>,
    lapsing: &[ServerId],
) -> Result<orders::RenewOrderResponse, Fault> {
    // A late renewal runs already.
    let invoice_ids = if view.order.term.index == term.index {
        &view.invoice_ids
    } else {
        &view.next_invoice_ids
    };
    Ok(orders::RenewOrderResponse {
        order: Some(super::order::encode(view)?),
        quote,
        term: Some(encode_term(view, term, invoice_ids)),
        lapsing_server_ids: lapsing.iter().map(ToString::to_string).collect(),
    })
}
