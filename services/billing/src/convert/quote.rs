//! Quotes: messages to values, and back.

use chrono::TimeDelta;
use licet_contracts::billing::v1 as billing;
use licet_domain::clock::Instant;
use licet_runtime::{
    caller::Call,
    fault::Fault,
    field::Fields,
    wire::{decode_length, encode_money, encode_time},
};
use prost_types::Duration;

use super::{
    decode_as_of, decode_name,
    item::decode_items,
    line::{decode_subject, encode_lines, encode_subject},
};
use crate::{
    rules::{charge::Quote, id_text, item::Item},
    use_cases::create_quote::CreateQuote,
};

const DEFAULT_VALID_FOR: TimeDelta = TimeDelta::minutes(15);
const MAX_VALID_FOR: TimeDelta = TimeDelta::days(90);

/// Decodes CreateQuote.
pub(crate) fn decode_create(
    call: &Call,
    message: &billing::CreateQuoteRequest,
) -> Result<CreateQuote, Fault> {
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
        call,
        &message.items,
        *decision.as_ref().unwrap_or(&call.now),
    );
    let pin = decode_name(&mut fields, "pin", &message.pin);
    let subject = match &message.subject {
        None => Ok(None),
        Some(subject) => decode_subject(&mut fields, subject).map(Some),
    };
    if let (Ok(Some(_)), Ok(items)) = (&subject, &items) {
        fields.check(
            "subject",
            are_of_one_term(items),
            "must be absent when items are of several products or terms",
        );
    }
    let valid_for =
        fields.optional_message("valid_for", message.valid_for.as_ref(), decode_valid_for);
    let expires = match (&decision, &valid_for) {
        (Ok(decision), Ok(valid_for)) => decision
            .checked_add(valid_for.unwrap_or(DEFAULT_VALID_FOR))
            .ok_or_else(|| fields.note("valid_for", "must end within the supported date range")),
        (Err(noted), _) | (_, Err(noted)) => Err(*noted),
    };
    fields.build(|| {
        Ok(CreateQuote {
            account_id: account_id?,
            items: items?,
            decision: decision?,
            pin: pin?,
            subject: subject?,
            expires: expires?,
        })
    })
}

/// Whether one refund decision can cover all items: by one product's policy, for one term (AL-4).
fn are_of_one_term(items: &[Item]) -> bool {
    items.first().is_none_or(|first| {
        items
            .iter()
            .all(|item| item.product_id == first.product_id && item.term == first.term)
    })
}

fn decode_valid_for(message: &Duration) -> Result<TimeDelta, &'static str> {
    decode_length(message)
        .filter(|length| *length <= MAX_VALID_FOR)
        .ok_or("must be above zero and at most 90 days")
}

/// A quote with its state at `now`.
pub(crate) fn encode(quote: &Quote, now: Instant) -> billing::Quote {
    let state = if quote.invoice_id.is_some() {
        billing::QuoteState::Charged
    } else if now >= quote.expires {
        billing::QuoteState::Expired
    } else {
        billing::QuoteState::Open
    };
    billing::Quote {
        quote_id: id_text(quote.quote_id),
        account_id: quote.account_id.to_string(),
        pin: quote.pin.clone(),
        subject: quote.subject.as_ref().map(encode_subject),
        lines: encode_lines(&quote.lines),
        total: Some(encode_money(quote.total)),
        decision_time: Some(encode_time(quote.decision)),
        expire_time: Some(encode_time(quote.expires)),
        state: state.into(),
        invoice_id: id_text(quote.invoice_id),
    }
}

/// The response to CreateQuote.
pub(crate) fn encode_created(quote: &Quote, now: Instant) -> billing::CreateQuoteResponse {
    billing::CreateQuoteResponse {
        quote: Some(encode(quote, now)),
    }
}
