//! Quotes between the contract and the rules. What an item leaves out is filled in here from the
//! quote's decision time.

use chrono::TimeDelta;
use licet_contracts::billing::v1 as billing;
use licet_domain::{
    clock::Instant,
    ids::{AccountId, QuoteId},
    term::Term,
};
use licet_runtime::{
    caller::Call,
    fault::Fault,
    field::{Field, Fields},
    wire::{decode_time, encode_money, encode_time},
};
use prost_types::Duration;

use super::{
    decode_as_of, decode_name,
    line::{decode_kind, decode_subject, encode_lines, encode_subject},
};
use crate::rules::{
    charge::{Quote, Subject},
    quote::Item,
};

const MAX_ITEMS: usize = 100;
const MAX_QUANTITY: i32 = 1_000_000;
const DEFAULT_VALID_FOR: TimeDelta = TimeDelta::minutes(15);
const MAX_VALID_FOR: TimeDelta = TimeDelta::days(90);

/// What a quote is wanted for.
#[derive(Debug, Clone)]
pub(crate) struct Inquiry {
    /// The account to be charged.
    pub(crate) account_id: AccountId,
    /// What to price, at least one.
    pub(crate) items: Vec<Item>,
    /// The instant as of which to decide.
    pub(crate) decision: Instant,
    /// What a charge must repeat.
    pub(crate) pin: String,
    /// What it is about.
    pub(crate) subject: Option<Subject>,
    /// Until when it holds.
    pub(crate) expires: Instant,
}

/// Reads the request for a quote.
pub(crate) fn decode_create(
    call: &Call,
    message: &billing::CreateQuoteRequest,
) -> Result<Inquiry, Fault> {
    let mut fields = Fields::new();
    fields.request_id(message);
    let account_id = fields.required("account_id", &message.account_id);
    let decision = decode_as_of(
        &mut fields,
        call,
        "decision_time",
        message.decision_time.as_ref(),
    );
    let items = decode_items(
        &mut fields,
        &message.items,
        *decision.as_ref().unwrap_or(&call.now),
    );
    let pin = decode_name(&mut fields, "pin", &message.pin);
    let subject = match &message.subject {
        None => Ok(None),
        Some(subject) => decode_subject(&mut fields, subject).map(Some),
    };
    let valid_for =
        fields.optional_message("valid_for", message.valid_for.as_ref(), decode_valid_for);
    let expires = match (&decision, &valid_for) {
        (Ok(decision), Ok(valid_for)) => decision
            .checked_add(valid_for.unwrap_or(DEFAULT_VALID_FOR))
            .ok_or_else(|| fields.note("valid_for", "leads beyond the calendar")),
        (Err(noted), _) | (_, Err(noted)) => Err(*noted),
    };
    fields.build(|| {
        Ok(Inquiry {
            account_id: account_id?,
            items: items?,
            decision: decision?,
            pin: pin?,
            subject: subject?,
            expires: expires?,
        })
    })
}

fn decode_items(
    fields: &mut Fields,
    messages: &[billing::QuoteItem],
    decision: Instant,
) -> Field<Vec<Item>> {
    if messages.is_empty() || messages.len() > MAX_ITEMS {
        return Err(fields.note("items", format!("must be 1 to {MAX_ITEMS}")));
    }
    let items: Vec<Field<Item>> = (0..)
        .zip(messages)
        .map(|(index, message)| decode_item(fields, index, message, decision))
        .collect();
    items.into_iter().collect()
}

fn decode_item(
    fields: &mut Fields,
    index: usize,
    message: &billing::QuoteItem,
    decision: Instant,
) -> Field<Item> {
    let path = |name: &str| format!("items[{index}].{name}");
    let kind = decode_kind(message.kind)
        .ok_or_else(|| fields.note(path("kind"), "must be a kind of line"));
    let product_id = fields.required(&path("product_id"), &message.product_id);
    let product_version = match u32::try_from(message.product_version) {
        Ok(0) => Ok(None),
        Ok(version) => Ok(Some(version)),
        Err(_) => Err(fields.note(path("product_version"), "must not be negative")),
    };
    let quantity = match u32::try_from(message.quantity) {
        Ok(quantity @ 1..) if message.quantity <= MAX_QUANTITY => Ok(quantity),
        Ok(_) | Err(_) => {
            Err(fields.note(path("quantity"), format!("must be 1 to {MAX_QUANTITY}")))
        }
    };
    let term = decode_term(fields, index, message, decision);
    let change_time = fields.optional_message(
        &path("change_time"),
        message.change_time.as_ref(),
        decode_time,
    );
    let price_time = fields.optional_message(
        &path("price_time"),
        message.price_time.as_ref(),
        decode_time,
    );
    if let Ok(Some(price_time)) = price_time {
        // Prices of the future may still change (BL-8).
        fields.check(
            &path("price_time"),
            price_time <= decision,
            "must not be after the decision time",
        );
    }
    Ok(Item {
        kind: kind?,
        quantity: quantity?,
        product_id: product_id?,
        product_version: product_version?,
        price_time: price_time?.unwrap_or(decision),
        term: term?,
        change_time: change_time?,
    })
}

/// The running term that the item names, or a new one from the decision time on (T-4).
fn decode_term(
    fields: &mut Fields,
    index: usize,
    message: &billing::QuoteItem,
    decision: Instant,
) -> Field<Term> {
    let path = |name: &str| format!("items[{index}].{name}");
    let beyond = "must be at least 1, and not lead beyond the calendar";
    match (&message.term, message.term_months) {
        (None, 0) => Err(fields.note(path("term_months"), "is required without term")),
        (None, months) => u32::try_from(months)
            .ok()
            .and_then(|months| Term::first(decision, months))
            .ok_or_else(|| fields.note(path("term_months"), beyond)),
        (Some(term), 0) => {
            let anchor_path = path("term.anchor_time");
            let anchor = fields.message(&anchor_path, term.anchor_time.as_ref(), decode_time);
            let first_month = fields.count(&path("term.first_month"), term.first_month);
            let months = match u32::try_from(term.months) {
                Ok(months @ 1..) => Ok(months),
                Ok(0) | Err(_) => Err(fields.note(path("term.months"), beyond)),
            };
            let (anchor, first_month, months) = (anchor?, first_month?, months?);
            Term::new(anchor, first_month, months)
                .ok_or_else(|| fields.note(path("term.months"), beyond))
        }
        (Some(_), _) => Err(fields.note(path("term_months"), "must be 0 when term is given")),
    }
}

fn decode_valid_for(message: &Duration) -> Result<TimeDelta, &'static str> {
    u32::try_from(message.nanos)
        .ok()
        .and_then(|nanos| TimeDelta::new(message.seconds, nanos))
        .filter(|span| *span > TimeDelta::zero() && *span <= MAX_VALID_FOR)
        .ok_or("must be above zero and at most 90 days")
}

/// Reads a quote's id that must be there.
pub(crate) fn decode_quote_id(quote_id: &str) -> Result<QuoteId, Fault> {
    let mut fields = Fields::new();
    let id = fields.required("quote_id", quote_id);
    fields.build(|| id)
}

/// The quote as it stands at `now`.
pub(crate) fn encode(quote: &Quote, now: Instant) -> billing::Quote {
    let state = if quote.invoice_id.is_some() {
        billing::QuoteState::Charged
    } else if now >= quote.expires {
        billing::QuoteState::Expired
    } else {
        billing::QuoteState::Open
    };
    billing::Quote {
        quote_id: quote.quote_id.map_or_else(String::new, |id| id.to_string()),
        account_id: quote.account_id.to_string(),
        pin: quote.pin.clone(),
        subject: quote.subject.as_ref().map(encode_subject),
        lines: encode_lines(&quote.lines),
        total: Some(encode_money(quote.total)),
        decision_time: Some(encode_time(quote.decision)),
        expire_time: Some(encode_time(quote.expires)),
        state: state.into(),
        invoice_id: quote
            .invoice_id
            .map_or_else(String::new, |id| id.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_of_a_term_is_said_at_once() {
        let item = billing::QuoteItem {
            term: Some(billing::TermRef {
                anchor_time: None,
                first_month: -1,
                months: 0,
            }),
            ..billing::QuoteItem::default()
        };
        let mut fields = Fields::new();
        let decision = "2026-02-01T00:00:00Z".parse().unwrap();
        let term = decode_term(&mut fields, 2, &item, decision);
        let Fault::Invalid(violations) = fields.build(|| term).unwrap_err() else {
            panic!("the term was not refused as invalid");
        };
        let paths: Vec<_> = violations.noted.iter().map(|v| v.field.as_str()).collect();
        assert_eq!(
            paths,
            [
                "items[2].term.anchor_time",
                "items[2].term.first_month",
                "items[2].term.months",
            ]
        );
    }
}
