//! Lines and subjects: messages to values, and back.

use licet_contracts::billing::v1 as billing;
use licet_domain::term::Period;
use licet_runtime::{
    field::{Field, Fields},
    wire::{encode_count, encode_money, encode_period, encode_price, encode_time},
};

use super::product::encode_convention;
use crate::rules::{charge::Subject, item::ItemKind, quote::Line};

/// The longest id of a resource of another service, in characters.
const MAX_RESOURCE_ID_CHARS: usize = 100;

/// Decodes what a quote or a refund is for.
pub(crate) fn decode_subject(fields: &mut Fields, message: &billing::Subject) -> Field<Subject> {
    let resource_id = fields.required_text("subject.resource_id", &message.resource_id);
    if let Ok(resource_id) = &resource_id {
        fields.check(
            "subject.resource_id",
            resource_id.chars().count() <= MAX_RESOURCE_ID_CHARS,
            "is longer than 100 characters",
        );
    }
    let term_index = fields.count("subject.term_index", message.term_index);
    Ok(Subject {
        resource_id: resource_id?,
        term_index: term_index?,
    })
}

/// What a quote, an invoice or a refund is for.
pub(crate) fn encode_subject(subject: &Subject) -> billing::Subject {
    billing::Subject {
        resource_id: subject.resource_id.clone(),
        term_index: encode_count(subject.term_index),
    }
}

/// The kind of an item; `None`: not a kind.
pub(crate) fn decode_kind(kind: i32) -> Option<ItemKind> {
    match billing::LineKind::try_from(kind).ok()? {
        billing::LineKind::Unspecified => None,
        billing::LineKind::Certificate => Some(ItemKind::Certificate),
        billing::LineKind::Domain => Some(ItemKind::Domain),
        billing::LineKind::WildcardDomain => Some(ItemKind::WildcardDomain),
        billing::LineKind::WildcardDifference => Some(ItemKind::WildcardDifference),
        billing::LineKind::AdditionalLicense => Some(ItemKind::AdditionalLicense),
        billing::LineKind::SanQuota => Some(ItemKind::SanQuota),
        billing::LineKind::SanQuotaIncrease => Some(ItemKind::SanQuotaIncrease),
    }
}

/// Lines, numbered from 1.
pub(crate) fn encode_lines<'a>(lines: impl IntoIterator<Item = &'a Line>) -> Vec<billing::Line> {
    (1..)
        .zip(lines)
        .map(|(number, line)| encode_line(number, line))
        .collect()
}

fn encode_line(number: i32, line: &Line) -> billing::Line {
    let kind = match line.kind {
        ItemKind::Certificate => billing::LineKind::Certificate,
        ItemKind::Domain => billing::LineKind::Domain,
        ItemKind::WildcardDomain => billing::LineKind::WildcardDomain,
        ItemKind::WildcardDifference => billing::LineKind::WildcardDifference,
        ItemKind::AdditionalLicense => billing::LineKind::AdditionalLicense,
        ItemKind::SanQuota => billing::LineKind::SanQuota,
        ItemKind::SanQuotaIncrease => billing::LineKind::SanQuotaIncrease,
    };
    billing::Line {
        number,
        kind: kind.into(),
        description: line.description.clone(),
        product_id: line.product_id.as_str().to_owned(),
        product_version: encode_count(line.product_version),
        quantity: encode_count(line.quantity),
        unit_price: Some(encode_price(line.unit_price)),
        term_period: Some(encode_period(Period {
            start: line.term_start,
            end: line.term_end,
        })),
        charged_period: Some(encode_period(Period {
            start: line.charged_from,
            end: line.term_end,
        })),
        fraction: line.fraction.to_string(),
        convention: encode_convention(line.convention).into(),
        amount: Some(encode_money(line.amount)),
        rule_id: line.rule.clone(),
        explanation: line.explanation.clone(),
        price_effective_time: line.price_effective.map(encode_time),
        wildcard_price: line.difference.map(|both| encode_price(both.wildcard)),
        domain_price: line.difference.map(|both| encode_price(both.domain)),
    }
}
