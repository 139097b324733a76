//! Lines and subjects between the contract and the rules.

use licet_contracts::billing::v1 as pb;
use licet_domain::Period;
use licet_runtime::{
    field::{Field, Fields},
    wire::{encode_count, encode_money, encode_period, encode_price},
};

use super::product::encode_convention;
use crate::rules::{
    charge::Subject,
    quote::{ItemKind, Line},
};

/// The longest id of a thing at another service, in characters.
const MAX_RESOURCE_ID_CHARS: usize = 100;

pub(crate) fn decode_subject(fields: &mut Fields, message: &pb::Subject) -> Field<Subject> {
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

pub(crate) fn encode_subject(subject: &Subject) -> pb::Subject {
    pb::Subject {
        resource_id: subject.resource_id.clone(),
        term_index: encode_count(subject.term_index),
    }
}

pub(crate) fn decode_kind(kind: i32) -> Option<ItemKind> {
    match pb::LineKind::try_from(kind).ok()? {
        pb::LineKind::Unspecified => None,
        pb::LineKind::Certificate => Some(ItemKind::Certificate),
        pb::LineKind::Domain => Some(ItemKind::Domain),
        pb::LineKind::WildcardDomain => Some(ItemKind::WildcardDomain),
        pb::LineKind::AdditionalLicense => Some(ItemKind::AdditionalLicense),
    }
}

/// Lines, numbered in their order.
pub(crate) fn encode_lines<'a>(lines: impl IntoIterator<Item = &'a Line>) -> Vec<pb::Line> {
    (1..)
        .zip(lines)
        .map(|(number, line)| encode_line(number, line))
        .collect()
}

fn encode_line(number: i32, line: &Line) -> pb::Line {
    let kind = match line.kind {
        ItemKind::Certificate => pb::LineKind::Certificate,
        ItemKind::Domain => pb::LineKind::Domain,
        ItemKind::WildcardDomain => pb::LineKind::WildcardDomain,
        ItemKind::AdditionalLicense => pb::LineKind::AdditionalLicense,
    };
    pb::Line {
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
    }
}
