//! The ways to more additional licences: asked for, worked out, and shown with their figures.

use licet_contracts::{billing::v1 as billing, orders::v1 as orders};
use licet_domain::{
    ids::OrderId,
    money::{Currency, Money},
};
use licet_runtime::{
    fault::Fault,
    field::Fields,
    wire::{decode_money, decode_time, encode_count, encode_money, encode_time},
};

use super::order::{Placement, positive};
use crate::rules::{
    options::{Refunded, Way, overview},
    order::Order,
};

/// Who needs how many additional licences in all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OptionsWish {
    pub(crate) order_id: OrderId,
    pub(crate) additional_licenses: u32,
}

/// Reads the question what is open.
pub(crate) fn decode_options(
    message: &orders::ListAdditionalLicenseOptionsRequest,
) -> Result<OptionsWish, Fault> {
    let mut fields = Fields::new();
    let order_id = fields.required("order_id", &message.order_id);
    let path = "additional_licenses";
    let additional_licenses = positive(&mut fields, path, message.additional_licenses);
    fields.build(|| {
        Ok(OptionsWish {
            order_id: order_id?,
            additional_licenses: additional_licenses?,
        })
    })
}

/// The order once more, with other additional licences: what deleting it and buying again places.
/// It brings no signing request, because the key decides nothing about the price.
pub(crate) fn placed_again(order: &Order, additional_licenses: u32) -> Placement {
    Placement {
        account_id: order.account_id,
        product_id: order.product_id.clone(),
        term_months: order.term.term.months(),
        common_name: order.wanted_common_name().clone(),
        names: order.wanted_names().clone(),
        server_software: order.server_software.clone(),
        additional_licenses,
        request: None,
        san_license_id: order.san_license_id,
    }
}

/// What a refund comes to, for certain or after a review.
pub(crate) fn refunded(refund: &billing::Refund, currency: Currency) -> Result<Refunded, String> {
    use billing::RefundState as State;
    let amount = |message: Option<&licet_contracts::types::v1::Money>| match message {
        Some(message) => decode_money(message).map_err(broken),
        None => Ok(Money::zero(currency)),
    };
    let last = |message: Option<&prost_types::Timestamp>| {
        message.map(decode_time).transpose().map_err(broken)
    };
    let nothing = Refunded {
        amount: Money::zero(currency),
        in_review: None,
        last_time: None,
    };
    Ok(match refund.state() {
        State::Refunded => Refunded {
            amount: amount(refund.refunded.as_ref())?,
            last_time: last(refund.full_refund_until_time.as_ref())?,
            ..nothing
        },
        State::PendingReview => Refunded {
            in_review: Some(amount(refund.creditable.as_ref())?),
            last_time: last(refund.no_refund_after_time.as_ref())?,
            ..nothing
        },
        State::NotDue | State::Rejected | State::Unspecified => nothing,
    })
}

fn broken(error: impl std::fmt::Display) -> String {
    super::broken("Billing", "refund", error)
}

/// Deleting the order, and ordering again (AL-3).
pub(crate) fn encode_again(
    way: &Way,
    refunds: Vec<billing::Refund>,
    quote: billing::Quote,
) -> orders::AdditionalLicenseOption {
    orders::AdditionalLicenseOption {
        refunds,
        ..encode(
            orders::AdditionalLicenseOptionKind::BuyAtOrderAgain,
            way,
            quote,
            "AL-3",
        )
    }
}

/// Naming the number at renewal (AL-9).
pub(crate) fn encode_renewal(way: &Way, quote: billing::Quote) -> orders::AdditionalLicenseOption {
    encode(
        orders::AdditionalLicenseOptionKind::AtRenewal,
        way,
        quote,
        "AL-9",
    )
}

fn encode(
    kind: orders::AdditionalLicenseOptionKind,
    way: &Way,
    quote: billing::Quote,
    rule_id: &str,
) -> orders::AdditionalLicenseOption {
    orders::AdditionalLicenseOption {
        kind: kind.into(),
        from_time: Some(encode_time(way.from)),
        until_time: way.until.map(encode_time),
        refunds: Vec::new(),
        quote: Some(quote),
        net: Some(encode_money(way.net)),
        explanation: way.explanation.clone(),
        rule_id: rule_id.to_owned(),
    }
}

/// The whole answer, with what stands against the ways that are not in it.
pub(crate) fn encode_options(
    order: &Order,
    asked: u32,
    options: Vec<orders::AdditionalLicenseOption>,
    closed: &[String],
) -> orders::ListAdditionalLicenseOptionsResponse {
    orders::ListAdditionalLicenseOptionsResponse {
        order_id: order.id.to_string(),
        options,
        additional_licenses: encode_count(order.term.additional_licenses),
        explanation: overview(order, asked, closed),
        rule_id: "AL-3".to_owned(),
    }
}
