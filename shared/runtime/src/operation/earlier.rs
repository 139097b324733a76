//! Operations as versions before typed steps stored them: the variant of an enum around the state,
//! `{"RenewOrder": {…}}`, and `{"Cancelling": {"operation": {"RenewOrder": {…}}, …}}` around one that is
//! turned back. The fields of a step are in lower case.

use serde_json::{Map, Value};

use super::step::StoredStep;
use crate::fault::Fault;

/// Reads the state of a variant, as the step that was due. `None` for an unknown variant.
pub type ReadEarlier = fn(variant: &str, state: &Value) -> Result<Option<StoredStep>, Fault>;

/// The step that an earlier version stored, and whether it is turned back; `None` for what is stored as it is today.
pub(super) fn read(
    state_json: &str,
    read: ReadEarlier,
) -> Result<Option<(StoredStep, bool)>, Fault> {
    let opens_with = state_json.as_bytes().get(2);
    if !opens_with.is_some_and(u8::is_ascii_uppercase) {
        return Ok(None);
    }
    let (mut variant, mut state) = open(serde_json::from_str(state_json))?;
    let is_cancelled = variant == "Cancelling";
    if is_cancelled {
        let around = state.get_mut("operation").map(Value::take);
        (variant, state) = open(serde_json::from_value(around.unwrap_or_default()))?;
    }
    let step = read(&variant, &state)?;
    let step = step.ok_or_else(|| unread(&variant))?;
    Ok(Some((step, is_cancelled)))
}

/// The variant and what it is around.
fn open(tagged: Result<Map<String, Value>, serde_json::Error>) -> Result<(String, Value), Fault> {
    let tagged = tagged.map_err(Fault::internal)?;
    let first = tagged.into_iter().next();
    first.ok_or_else(|| unread("without a variant"))
}

fn unread(what: &str) -> Fault {
    Fault::internal(format!("a stored operation {what}"))
}
