//! Messages of the contract to request values, and values to messages. Checks form only; the rules
//! decide. This file has what several nouns share.

pub(crate) mod account;
pub(crate) mod credit_note;
pub(crate) mod invoice;
pub(crate) mod item;
pub(crate) mod line;
pub(crate) mod price;
pub(crate) mod product;
pub(crate) mod quote;
pub(crate) mod refund;
pub(crate) mod statement;

/// What decodes a request needs to know whose numbers it may name.
pub(crate) use crate::rules::numbers::Seller;

use licet_contracts::types::v1 as types;
use licet_domain::clock::Instant;
use licet_runtime::{
    caller::Call,
    field::{Field, Fields},
    wire::decode_time,
};
use prost_types::Timestamp;

use crate::rules::with_clock_lead;

/// The maximum length of a text for people, in characters.
const MAX_NAME_CHARS: usize = 200;

/// A decision time that the caller may give (T-3); absent, it is now. Only callers that resume
/// earlier requests may give one, and none in the future. A time ahead by no more than clocks
/// differ is accepted as given, so that time does not run back (T-5).
pub(crate) fn decode_as_of(
    fields: &mut Fields,
    call: &Call,
    path: &str,
    message: Option<&Timestamp>,
) -> Field<Instant> {
    let Some(given) = fields.optional_message(path, message, decode_time)? else {
        return Ok(call.now);
    };
    if !call
        .caller
        .has_any(&[types::Role::Operator, types::Role::Service])
    {
        return Err(fields.note(path, "may be given by OPERATOR and SERVICE only"));
    }
    if given > with_clock_lead(call.now) {
        return Err(fields.note(
            path,
            format!("must not be in the future; it is {}", call.now),
        ));
    }
    Ok(given)
}

/// The resource of a filter; `None`: every resource.
pub(crate) fn decode_resource_filter(fields: &mut Fields, text: &str) -> Field<Option<String>> {
    let resource_id = fields.text("resource_id", text)?;
    Ok(Some(resource_id).filter(|id| !id.is_empty()))
}

/// A text for people, at most 200 characters; it may be empty.
pub(crate) fn decode_name(fields: &mut Fields, path: &str, text: &str) -> Field<String> {
    let text = fields.text(path, text)?;
    if text.chars().count() > MAX_NAME_CHARS {
        return Err(fields.note(path, format!("is longer than {MAX_NAME_CHARS} characters")));
    }
    Ok(text)
}

/// As [`decode_name`], but not empty.
pub(crate) fn decode_required_name(fields: &mut Fields, path: &str, text: &str) -> Field<String> {
    let name = decode_name(fields, path, text)?;
    if name.is_empty() {
        Err(fields.note(path, "is required"))
    } else {
        Ok(name)
    }
}
