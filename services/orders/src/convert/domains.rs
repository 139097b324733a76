//! The change of an order's names.

use licet_contracts::{billing::v1 as billing, orders::v1 as orders};
use licet_domain::{
    ids::{OrderId, QuoteId},
    san::San,
};
use licet_runtime::{fault::Fault, field::Fields};

use super::{
    order::{OrderView, dns_name, dns_names},
    texts,
};
use crate::rules::domains::WantedChange;

/// What a customer wants to change.
#[derive(Debug, Clone)]
pub(crate) struct DomainUpdate {
    pub(crate) order_id: OrderId,
    pub(crate) wanted: WantedChange,
    /// The quote to charge it by; absent: the price as of the decision time.
    pub(crate) quote_id: Option<QuoteId>,
}

/// Reads the request for a change of names.
pub(crate) fn decode_update(message: &orders::UpdateDomainsRequest) -> Result<DomainUpdate, Fault> {
    let mut fields = Fields::new();
    let order_id = fields.required("order_id", &message.order_id);
    let add = dns_names(&mut fields, "add_domains", &message.add_domains, None);
    let remove = dns_names(&mut fields, "remove_domains", &message.remove_domains, None);
    let moves = !message.common_name.is_empty();
    fields.check(
        "add_domains",
        moves || !(message.add_domains.is_empty() && message.remove_domains.is_empty()),
        "must name at least one domain, or remove_domains or common_name must",
    );
    let common_name = if moves {
        dns_name(&mut fields, "common_name", &message.common_name).map(Some)
    } else {
        Ok(None)
    };
    if let (Ok(add), Ok(remove)) = (&add, &remove) {
        for (index, name) in remove.iter().enumerate() {
            let path = format!("remove_domains[{index}]");
            fields.check(
                &path,
                !add.contains(name),
                "is to be added by the same request",
            );
        }
    }
    let quote_id = fields.optional("quote_id", &message.quote_id);
    fields.check(
        "quote_id",
        !message.validate_only || message.quote_id.is_empty(),
        "must be empty with validate_only, which makes a new quote",
    );
    fields.request_id(message);
    fields.build(|| {
        Ok(DomainUpdate {
            order_id: order_id?,
            wanted: WantedChange {
                add: add?.into_iter().collect(),
                remove: remove?.into_iter().collect(),
                common_name: common_name?,
            },
            quote_id: quote_id?,
        })
    })
}

/// The order with its change, the prices where they are known, and the names after it with the common
/// name among them.
pub(crate) fn encode_update<'a>(
    view: &OrderView,
    quote: Option<billing::Quote>,
    next_term_quote: Option<billing::Quote>,
    (names, common_name): (impl IntoIterator<Item = &'a San>, &San),
) -> Result<orders::UpdateDomainsResponse, Fault> {
    Ok(orders::UpdateDomainsResponse {
        order: Some(super::order::encode(view)?),
        quote,
        names: texts(names),
        next_term_quote,
        common_name: common_name.value().to_owned(),
    })
}
