//! The options for more additional licences.

use licet_clients::billing::Refund;
use licet_contracts::orders::v1 as orders;
use licet_runtime::{
    caller::Call,
    fault::Fault,
    field::Fields,
    wire::{encode_count, encode_money, encode_time},
};

use super::order::positive;
use crate::{
    peers::free::with_free_domains,
    rules::{options::overview, order::Order},
    use_cases::license_options::{LicenseOption, LicenseOptions, OptionKind, WantedLicenses},
};

/// Decodes the request for the options.
pub(crate) fn decode_options(
    _: &Call,
    message: &orders::ListAdditionalLicenseOptionsRequest,
) -> Result<WantedLicenses, Fault> {
    let mut fields = Fields::new();
    let order_id = fields.required("order_id", &message.order_id);
    let path = "additional_licenses";
    let additional_licenses = positive(&mut fields, path, message.additional_licenses);
    fields.build(|| {
        Ok(WantedLicenses {
            order_id: order_id?,
            additional_licenses: additional_licenses?,
        })
    })
}

fn encode(option: LicenseOption, order: &Order) -> orders::AdditionalLicenseOption {
    let LicenseOption {
        kind,
        figures,
        refunds,
        quote,
        sold,
        names,
    } = option;
    let (kind, rule_id) = match kind {
        OptionKind::BuyAtOrderAgain => {
            (orders::AdditionalLicenseOptionKind::BuyAtOrderAgain, "AL-3")
        }
        OptionKind::AtRenewal => (orders::AdditionalLicenseOptionKind::AtRenewal, "AL-9"),
    };
    let quote = with_free_domains(quote, order, Some(&sold), &names);
    orders::AdditionalLicenseOption {
        kind: kind.into(),
        from_time: Some(encode_time(figures.from)),
        until_time: figures.until.map(encode_time),
        refunds: refunds.into_iter().map(Refund::into_message).collect(),
        quote: Some(quote.into_message()),
        net: Some(encode_money(figures.net)),
        explanation: figures.explanation,
        rule_id: rule_id.to_owned(),
    }
}

/// The open options, and why the others are closed.
pub(crate) fn encode_options(
    found: LicenseOptions,
) -> orders::ListAdditionalLicenseOptionsResponse {
    let LicenseOptions {
        order,
        wanted,
        options,
        closed,
    } = found;
    let options = options.into_iter().map(|option| encode(option, &order));
    orders::ListAdditionalLicenseOptionsResponse {
        order_id: order.id.to_string(),
        options: options.collect(),
        additional_licenses: encode_count(order.term.additional_licenses),
        explanation: overview(&order, wanted, &closed),
        rule_id: "AL-3".to_owned(),
    }
}
