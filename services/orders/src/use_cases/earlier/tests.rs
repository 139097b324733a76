//! One stored operation of each kind and stage from before steps were typed: each is read without
//! losing anything that its next steps need.

use std::collections::BTreeSet;

use licet_clients::billing::{Invoice, Quote};
use licet_runtime::operation::{Step, StoredStep};
use serde::Deserialize;
use serde_json::Value;

use crate::use_cases::charge_domains::{ChargeDomainChange, ChargedQuote};

#[derive(Deserialize)]
struct Stored {
    kind: String,
    step: String,
    state_json: String,
}

fn stored() -> impl Iterator<Item = Stored> {
    let lines = include_str!("stored.jsonl").lines();
    lines.map(|line| serde_json::from_str(line).unwrap())
}

/// The texts and figures in a value, except in the named fields.
fn facts(value: &Value, aside: &[&str]) -> BTreeSet<String> {
    match value {
        Value::Null => BTreeSet::new(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => [value.to_string()].into(),
        Value::Array(values) => values
            .iter()
            .flat_map(|value| facts(value, aside))
            .collect(),
        Value::Object(fields) => {
            let fields = fields.iter();
            let fields = fields.filter(|(name, _)| !aside.contains(&name.as_str()));
            fields.flat_map(|(_, value)| facts(value, aside)).collect()
        }
    }
}

/// The fields that a step no longer needs.
fn done_before(kind: &str, step: &str) -> &'static [&'static str] {
    match (kind, step) {
        ("DELETE_ORDER", "refund") => &[
            "is_refund_decided",
            "is_next_refund_decided",
            "are_past_refunds_decided",
        ],
        ("DELETE_ORDER", "refund-next-term") => &[
            "question",
            "is_refund_decided",
            "is_next_refund_decided",
            "are_past_refunds_decided",
        ],
        ("DELETE_ORDER", _) => &[
            "question",
            "next_question",
            "is_refund_decided",
            "is_next_refund_decided",
            "are_past_refunds_decided",
        ],
        ("CANCEL_DOMAIN_CHANGE", "credit") => &["settled"],
        ("CANCEL_DOMAIN_CHANGE", _) => &["settled", "invoices"],
        ("BEGIN_ISSUANCE", "release-replaced") => &["question"],
        ("RECORD_ISSUANCE", "withdraw") => &["question", "chain_pem"],
        (_, _) => &[],
    }
}

#[test]
fn x_2_operations_of_the_version_before_are_read_at_every_step() {
    let registry = crate::registry();
    let mut seen = BTreeSet::new();
    for Stored {
        kind,
        step,
        state_json,
    } in stored()
    {
        let found = registry.inspect(&kind, &step, &state_json).unwrap();
        assert_eq!(found.is_cancelled, step == "cancel", "{kind} {step}");
        assert!(found.is_cancelled || found.step == step, "{found:?}");
        let stored: Value = serde_json::from_str(&state_json).unwrap();
        let operation = stored.pointer("/Cancelling/operation").unwrap_or(&stored);
        let today: Value = serde_json::from_str(&found.state).unwrap();
        let kept = facts(operation, done_before(&kind, &found.step));
        let lost: Vec<_> = kept.difference(&facts(&today, &[])).cloned().collect();
        assert!(lost.is_empty(), "{kind} {step} lost {lost:?}");
        let again = registry.inspect(&kind, &found.step, &found.state).unwrap();
        assert_eq!(again.state, found.state);
        seen.insert(format!("{kind} {step} {}", found.can_be_undone));
    }
    let all = [
        "BEGIN_ISSUANCE authorize true",
        "BEGIN_ISSUANCE cancel true",
        "BEGIN_ISSUANCE release-replaced false",
        "CANCEL_DOMAIN_CHANGE credit false",
        "CANCEL_DOMAIN_CHANGE credit-next-term false",
        "CANCEL_DOMAIN_CHANGE release false",
        "DELETE_ORDER give-back false",
        "DELETE_ORDER refund false",
        "DELETE_ORDER refund-next-term false",
        "DELETE_ORDER refund-past-terms false",
        "PLACE_ORDER cancel true",
        "PLACE_ORDER charge true",
        "PLACE_ORDER price true",
        "RECORD_ISSUANCE record false",
        "RECORD_ISSUANCE withdraw false",
        "RENEW_ORDER cancel true",
        "RENEW_ORDER charge true",
        "RENEW_ORDER price true",
        "UPDATE_DOMAINS cancel true",
        "UPDATE_DOMAINS charge true",
        "UPDATE_DOMAINS charge-next-term false",
        "UPDATE_DOMAINS charge-next-term true",
        "UPDATE_DOMAINS credit false",
        "UPDATE_DOMAINS price true",
    ];
    assert_eq!(seen.iter().map(String::as_str).collect::<Vec<_>>(), all);
}

/// An earlier version also stored the pending issuance as a message, which is ignored now.
#[test]
fn x_2_operations_of_an_earlier_version_are_read() {
    let authorize = stored().find(|stored| stored.step == "authorize").unwrap();
    let mut state: Value = serde_json::from_str(&authorize.state_json).unwrap();
    let order_id = state["BeginIssuance"]["order_id"].clone();
    state["BeginIssuance"]["pending"] = serde_json::json!("0a056f72645f31");
    let registry = crate::registry();
    let found = registry.inspect("BEGIN_ISSUANCE", "authorize", &state.to_string());
    let found = found.unwrap();
    assert_eq!(found.step, "authorize");
    let today: Value = serde_json::from_str(&found.state).unwrap();
    assert_eq!(today["issuance"]["order_id"], order_id);
}

/// An operation of an earlier version still charges one term after the other.
#[test]
fn x_2_operations_of_an_earlier_version_are_read_and_go_on() {
    let registry = crate::registry();
    let inspect = |step: &str, state: &str| registry.inspect("UPDATE_DOMAINS", step, state);
    let in_turn = stored().find_map(|stored| {
        let found = inspect("charge", &stored.state_json).ok()?;
        found.state.contains("InTurn").then_some(found)
    });
    let in_turn = in_turn.unwrap();
    assert_eq!(in_turn.step, "charge");
    let charge: ChargeDomainChange = serde_json::from_str(&in_turn.state).unwrap();
    let charged = ChargedQuote::new(&Quote::default(), Invoice::default());
    let next = StoredStep::from(charge.next(&(charged, None)).unwrap());
    assert_eq!(next.name, "charge-next-term");
    let read = inspect(next.name, &next.state.unwrap()).unwrap();
    assert_eq!(read.step, "charge-next-term");
    assert!(!read.can_be_undone, "something is charged");
}
