//! Domain changes.

use licet_clients::billing::Quote;
use licet_contracts::orders::v1 as orders;
use licet_runtime::{caller::Call, fault::Fault, field::Fields};

use super::{
    order::{dns_name, dns_names},
    texts,
};
use crate::{
    rules::domains::WantedChange,
    use_cases::{update_domains::UpdateDomains, updated_domains::UpdatedDomains},
};

/// Decodes the request for a domain change.
pub(crate) fn decode_update(
    _: &Call,
    message: &orders::UpdateDomainsRequest,
) -> Result<UpdateDomains, Fault> {
    let mut fields = Fields::new();
    let order_id = fields.required("order_id", &message.order_id);
    let add = dns_names(&mut fields, "add_domains", &message.add_domains, None);
    let remove = dns_names(&mut fields, "remove_domains", &message.remove_domains, None);
    let moves = !message.common_name.is_empty();
    fields.check(
        "add_domains",
        moves || !(message.add_domains.is_empty() && message.remove_domains.is_empty()),
        "must not be empty, unless remove_domains or common_name is set",
    );
    let common_name = if moves {
        dns_name(&mut fields, "common_name", &message.common_name).map(Some)
    } else {
        Ok(None)
    };
    if let (Ok(add), Ok(remove)) = (&add, &remove) {
        for (index, name) in remove.iter().enumerate() {
            let path = format!("remove_domains[{index}]");
            fields.check(&path, !add.contains(name), "is also in add_domains");
        }
    }
    let quote_id = fields.optional("quote_id", &message.quote_id);
    fields.check(
        "quote_id",
        !message.validate_only || message.quote_id.is_empty(),
        "must be empty with validate_only: a preview makes a new quote",
    );
    fields.request_id(message);
    fields.build(|| {
        Ok(UpdateDomains {
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

/// The order with its change, the prices where known, and the domains after the change, including
/// the common name.
pub(crate) fn encode_update(
    updated: UpdatedDomains,
) -> Result<orders::UpdateDomainsResponse, Fault> {
    let UpdatedDomains {
        view,
        names,
        common_name,
        price,
        next_price,
    } = updated;
    Ok(orders::UpdateDomainsResponse {
        order: Some(super::order::encode(&view)?),
        quote: price.map(Quote::into_message),
        names: texts(&names),
        next_term_quote: next_price.map(Quote::into_message),
        common_name: common_name.value().to_owned(),
    })
}
