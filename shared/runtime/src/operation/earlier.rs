//! Reads operations that versions before typed steps stored: an enum variant around the state,
//! `{"RenewOrder": {…}}`, and `{"Cancelling": {"operation": {"RenewOrder": {…}}, …}}` for a cancelled one.
//! Variants begin with a capital letter; the fields of a step do not.

use serde_json::{Map, Value};

use super::step::StoredStep;
use crate::fault::Fault;

/// Converts a variant and its state to the step that was due; `None` for an unknown variant.
pub type ReadEarlier = fn(variant: &str, state: &Value) -> Result<Option<StoredStep>, Fault>;

/// The step that an earlier version stored, and whether its operation was cancelled; `None` for today's form.
pub(super) fn read(
    state_json: &str,
    read: ReadEarlier,
) -> Result<Option<(StoredStep, bool)>, Fault> {
    let initial = state_json.as_bytes().get(2);
    if !initial.is_some_and(u8::is_ascii_uppercase) {
        return Ok(None);
    }
    let (mut variant, mut state) = open(serde_json::from_str(state_json))?;
    let is_cancelled = variant == "Cancelling";
    if is_cancelled {
        let inner = state.get_mut("operation").map(Value::take);
        (variant, state) = open(serde_json::from_value(inner.unwrap_or_default()))?;
    }
    let step = read(&variant, &state)?;
    let step = step.ok_or_else(|| unreadable(&variant))?;
    Ok(Some((step, is_cancelled)))
}

/// Splits a tagged value into its variant and the value inside.
fn open(tagged: Result<Map<String, Value>, serde_json::Error>) -> Result<(String, Value), Fault> {
    let tagged = tagged.map_err(Fault::internal)?;
    let first = tagged.into_iter().next();
    first.ok_or_else(|| unreadable("without a variant"))
}

fn unreadable(what: &str) -> Fault {
    Fault::internal(format!("cannot read the stored operation: {what}"))
}
