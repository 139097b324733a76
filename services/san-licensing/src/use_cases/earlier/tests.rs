//! One operation of each kind and step, as the version before typed steps stored it: each is read without
//! loss.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Stored {
    kind: String,
    step: String,
    state_json: String,
}

/// The scalars in a value.
fn scalars(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Null => BTreeSet::new(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => [value.to_string()].into(),
        Value::Array(values) => values.iter().flat_map(scalars).collect(),
        Value::Object(fields) => fields.values().flat_map(scalars).collect(),
    }
}

#[test]
fn x_2_operations_of_the_version_before_are_read_at_every_step() {
    let registry = crate::registry();
    let mut seen = BTreeSet::new();
    for line in include_str!("stored.jsonl").lines() {
        let Stored {
            kind,
            step,
            state_json,
        } = serde_json::from_str(line).unwrap();
        let found = registry.inspect(&kind, &step, &state_json).unwrap();
        assert!(found.can_be_undone, "{kind} {step}");
        assert_eq!(found.is_cancelled, step == "cancel", "{kind} {step}");
        assert!(found.is_cancelled || found.step == step, "{found:?}");
        let stored: Value = serde_json::from_str(&state_json).unwrap();
        let operation = stored.pointer("/Cancelling/operation").unwrap_or(&stored);
        let today: Value = serde_json::from_str(&found.state).unwrap();
        assert_eq!(scalars(operation), scalars(&today), "{kind} {step}");
        let again = registry.inspect(&kind, &found.step, &found.state).unwrap();
        assert_eq!(again.state, found.state);
        seen.insert((kind, step));
    }
    let kinds = ["ACCEPT_LICENSE", "INCREASE_QUOTA", "RENEW_LICENSE"];
    let all = kinds.map(|kind| ["cancel", "charge", "price"].map(|step| (kind, step)));
    let seen = seen
        .iter()
        .map(|(kind, step)| (kind.as_str(), step.as_str()));
    assert_eq!(seen.collect::<Vec<_>>(), all.concat());
}
